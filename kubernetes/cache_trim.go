package kubernetes

import (
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
)

// What is kept in memory of an object is what status.go, kind.go, endpoint.go
// and snapshot.go read. The rest, which is most of it, is dropped before it is
// stored. TestTheCacheSaysWhatALiveReadSays finds what is dropped by mistake.

// cachedAnchor is an anchor in memory, decoded once.
type cachedAnchor struct {
	*anchor
	err error // why it cannot be decoded
}

// trim drops what is not read. It changes the object, and returns it or what
// to store instead. Trimming twice is the same as once.
func trim(o object) object {
	switch o := o.(type) {
	case *corev1.ConfigMap:
		return trimAnchor(o)
	case *appsv1.Deployment:
		trimMeta(&o.ObjectMeta)
		o.Spec = appsv1.DeploymentSpec{Replicas: o.Spec.Replicas}
		o.Status.Conditions = trimRollout(o.Status.Conditions)
	case *appsv1.StatefulSet:
		trimMeta(&o.ObjectMeta)
		o.Spec = appsv1.StatefulSetSpec{Replicas: o.Spec.Replicas}
	case *appsv1.DaemonSet:
		trimMeta(&o.ObjectMeta)
		selector := o.Spec.Template.Spec.NodeSelector
		o.Spec = appsv1.DaemonSetSpec{}
		o.Spec.Template.Spec.NodeSelector = selector
	case *batchv1.Job:
		trimMeta(&o.ObjectMeta)
		o.Spec = batchv1.JobSpec{Parallelism: o.Spec.Parallelism, Suspend: o.Spec.Suspend}
		o.Status.UncountedTerminatedPods = nil
	case *batchv1.CronJob:
		trimMeta(&o.ObjectMeta)
		o.Spec = batchv1.CronJobSpec{Schedule: o.Spec.Schedule, Suspend: o.Spec.Suspend}
	case *corev1.Service:
		trimMeta(&o.ObjectMeta)
		o.Spec = corev1.ServiceSpec{Ports: o.Spec.Ports, Type: o.Spec.Type, ClusterIP: o.Spec.ClusterIP}
		o.Status.Conditions = nil
	case *networkingv1.Ingress:
		trimMeta(&o.ObjectMeta)
		o.Spec = networkingv1.IngressSpec{TLS: o.Spec.TLS}
		o.Status = networkingv1.IngressStatus{}
	case *corev1.Pod:
		trimPod(o)
	case *corev1.Event:
		trimMeta(&o.ObjectMeta)
		o.Source, o.Related, o.Action = corev1.EventSource{}, nil, ""
	}
	return o
}

// keptLabels are the labels that are read, by name so that all objects share
// the strings.
var keptLabels = []string{labelName, labelType, "pod-template-hash", "controller-revision-hash"}

// keptAnnotations are the annotations that are read.
var keptAnnotations = []string{annotationStoppedReplicas, annotationGeneration}

func trimMeta(m *metav1.ObjectMeta) {
	owners := make([]metav1.OwnerReference, len(m.OwnerReferences))
	for i, owner := range m.OwnerReferences {
		owners[i] = metav1.OwnerReference{Name: owner.Name, UID: owner.UID, Controller: owner.Controller}
	}
	*m = metav1.ObjectMeta{
		Name: m.Name, Namespace: m.Namespace, UID: m.UID, ResourceVersion: m.ResourceVersion, Generation: m.Generation,
		CreationTimestamp: m.CreationTimestamp, DeletionTimestamp: m.DeletionTimestamp,
		Labels: pick(m.Labels, keptLabels), Annotations: pick(m.Annotations, keptAnnotations), OwnerReferences: owners,
	}
	if kind := kinds[m.Labels[labelType]]; kind != nil {
		m.Labels[labelType] = kind.instanceType // one string for all
	}
}

func pick(from map[string]string, names []string) map[string]string {
	var result map[string]string
	for _, name := range names {
		if value, ok := from[name]; ok {
			if result == nil {
				result = make(map[string]string, 2)
			}
			result[name] = value
		}
	}
	return result
}

// trimAnchor decodes an anchor and drops its JSON.
func trimAnchor(o *corev1.ConfigMap) object {
	a, err := decode(o)
	if err != nil {
		a = &anchor{ConfigMap: o}
	}
	o.Data, o.BinaryData = nil, nil
	trimMeta(&o.ObjectMeta)
	d := &a.record.Desired
	a.record.Config = hosting.CloudHostingConfig{Labels: a.record.Config.Labels}
	d.Spec = spec{Resources: d.Spec.Resources, Ports: d.Spec.Ports, Ingress: d.Spec.Ingress, Autoscaler: d.Spec.Autoscaler, ProgressDeadline: d.Spec.ProgressDeadline}
	d.SecretKeys = nil
	return &cachedAnchor{anchor: a, err: err}
}

func trimPod(o *corev1.Pod) {
	trimMeta(&o.ObjectMeta)
	o.Spec = corev1.PodSpec{NodeName: o.Spec.NodeName, RestartPolicy: o.Spec.RestartPolicy, Containers: trimProbed(o.Spec.Containers)}
	from := o.Status
	o.Status = corev1.PodStatus{
		Phase: from.Phase, Conditions: trimConditions(from.Conditions), Message: from.Message, Reason: from.Reason, HostIP: from.HostIP,
		InitContainerStatuses: trimContainers(from.InitContainerStatuses), ContainerStatuses: trimContainers(from.ContainerStatuses),
	}
}

// trimProbed keeps when the health checks begin, and nothing of containers
// without one: most have none.
func trimProbed(from []corev1.Container) []corev1.Container {
	var result []corev1.Container
	for i, c := range from {
		if c.ReadinessProbe == nil {
			continue
		}
		if result == nil {
			result = make([]corev1.Container, len(from))
		}
		result[i].ReadinessProbe = &corev1.Probe{InitialDelaySeconds: c.ReadinessProbe.InitialDelaySeconds}
	}
	return result
}

// trimConditions keeps those that say how far a pod has come.
func trimConditions(from []corev1.PodCondition) []corev1.PodCondition {
	result := make([]corev1.PodCondition, 0, 3)
	for _, name := range []corev1.PodConditionType{corev1.PodReady, corev1.PodScheduled, corev1.PodReadyToStartContainers} {
		for _, c := range from {
			if c.Type == name {
				c.Type = name // one string for all
				result = append(result, c)
			}
		}
	}
	return result
}

// trimRollout drops the condition that is not read, and what is said of a
// rollout that goes well.
func trimRollout(from []appsv1.DeploymentCondition) []appsv1.DeploymentCondition {
	var result []appsv1.DeploymentCondition
	for _, c := range from {
		switch {
		case c.Type == appsv1.DeploymentAvailable:
			continue
		case c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionTrue:
			c.Type, c.Status, c.Message = appsv1.DeploymentProgressing, corev1.ConditionTrue, ""
			if c.Reason == reasonRolledOut {
				c.Reason = reasonRolledOut
			}
		}
		result = append(result, c)
	}
	return result
}

// share has an object use the strings and labels of the anchor of its
// instance, where they are the same.
func share(o, anchor object) {
	o.SetNamespace(anchor.GetNamespace())
	if maps.Equal(o.GetLabels(), anchor.GetLabels()) {
		o.SetLabels(anchor.GetLabels())
	}
	owners := o.GetOwnerReferences()
	for i := range owners {
		if owners[i].UID == anchor.GetUID() {
			owners[i].UID, owners[i].Name = anchor.GetUID(), anchor.GetName()
		}
	}
}

func trimContainers(from []corev1.ContainerStatus) []corev1.ContainerStatus {
	for i, c := range from {
		from[i] = corev1.ContainerStatus{Name: c.Name, State: c.State, LastTerminationState: c.LastTerminationState,
			Ready: c.Ready, RestartCount: c.RestartCount, Started: c.Started}
	}
	return from
}
