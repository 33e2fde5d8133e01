package kubernetes

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"skillcenter.io/hosting"
)

const (
	// jobRetries is how often a failed replica of a job is tried again.
	// Kubernetes' own default, 6, takes ten minutes to report a failure.
	jobRetries = 2
	// startingDeadline is how late a run of a cronjob may begin, in seconds.
	// Without it a cronjob that was stopped for long may never run again.
	startingDeadline = 60
)

func (p *Provider) deployment(r record) object {
	return &appsv1.Deployment{
		ObjectMeta: p.replicatedMeta(r),
		Spec: appsv1.DeploymentSpec{
			Replicas: new(replicasNow(r)),
			Selector: &metav1.LabelSelector{MatchLabels: selectorFor(r.Config.InstanceName, r.Config.InstanceType)},
			Strategy: deploymentStrategy(r.Desired),
			Template: p.spreadTemplate(r, "pod-template-hash"),

			ProgressDeadlineSeconds: new(int32(progressDeadline(r).Seconds())),
		},
	}
}

func (p *Provider) statefulSet(r record) object {
	return &appsv1.StatefulSet{
		ObjectMeta: p.replicatedMeta(r),
		Spec: appsv1.StatefulSetSpec{
			Replicas:            new(replicasNow(r)),
			Selector:            &metav1.LabelSelector{MatchLabels: selectorFor(r.Config.InstanceName, r.Config.InstanceType)},
			ServiceName:         headlessName(r.Config.InstanceName),
			PodManagementPolicy: appsv1.ParallelPodManagement,
			Template:            p.spreadTemplate(r),
		},
	}
}

func (p *Provider) daemonSet(r record) object {
	template := p.podTemplate(r)
	if r.Desired.Stopped {
		template.Spec.NodeSelector = map[string]string{nodeSelectorStopped: "true"}
	}
	return &appsv1.DaemonSet{
		ObjectMeta: p.workloadMeta(r),
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: selectorFor(r.Config.InstanceName, r.Config.InstanceType)},
			Template: template,
		},
	}
}

func (p *Provider) job(r record) object {
	spec := p.jobSpec(r)
	spec.Suspend = new(r.Desired.Stopped)
	return &batchv1.Job{ObjectMeta: p.workloadMeta(r), Spec: spec}
}

func (p *Provider) cronJob(r record) object {
	meta := p.workloadMeta(r)
	return &batchv1.CronJob{
		ObjectMeta: meta,
		Spec: batchv1.CronJobSpec{
			Schedule:                r.Config.Schedule,
			TimeZone:                new("Etc/UTC"),
			ConcurrencyPolicy:       batchv1.ForbidConcurrent,
			StartingDeadlineSeconds: new(int64(startingDeadline)),
			Suspend:                 new(r.Desired.Stopped),
			JobTemplate: batchv1.JobTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: meta.Labels, Annotations: meta.Annotations},
				Spec:       p.jobSpec(r),
			},
		},
	}
}

// jobSpec makes indexed jobs, whose parallelism can change while they run.
// A replica that the cluster itself evicted does not count as failed.
func (p *Provider) jobSpec(r record) batchv1.JobSpec {
	n := int32(r.Desired.Replicas)
	return batchv1.JobSpec{
		Parallelism:      &n,
		Completions:      new(n),
		CompletionMode:   new(batchv1.IndexedCompletion),
		BackoffLimit:     new(int32(jobRetries)),
		PodFailurePolicy: podFailurePolicy(r.Desired.Spec.RestartPolicy),
		Template:         p.podTemplate(r),
	}
}

// podFailurePolicy may only be set when the kubelet does not restart failed
// containers itself.
func podFailurePolicy(restartPolicy string) *batchv1.PodFailurePolicy {
	if restartPolicy != string(corev1.RestartPolicyNever) {
		return nil
	}
	return &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
		Action: batchv1.PodFailurePolicyActionIgnore,
		OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{
			{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue},
		},
	}}}
}

// replicasNow is how many replicas the workload should have: none while it is
// stopped.
func replicasNow(r record) int32 {
	if r.Desired.Stopped {
		return 0
	}
	return int32(r.Desired.Replicas)
}

func (p *Provider) workloadMeta(r record) metav1.ObjectMeta {
	meta := p.objectMeta(r, r.Config.InstanceName)
	maps.Copy(meta.Annotations, r.Config.Annotations)
	return meta
}

// replicatedMeta carries the mark of a stopped workload that has replicas.
func (p *Provider) replicatedMeta(r record) metav1.ObjectMeta {
	meta := p.workloadMeta(r)
	if r.Desired.Stopped {
		meta.Annotations[annotationStoppedReplicas] = strconv.Itoa(r.Desired.Replicas)
	}
	return meta
}

func (p *Provider) podTemplate(r record) corev1.PodTemplateSpec {
	meta := p.objectMeta(r, "")
	maps.Copy(meta.Annotations, r.Config.Annotations)
	s := r.Desired.Spec
	template := corev1.PodTemplateSpec{
		ObjectMeta: meta,
		Spec: corev1.PodSpec{
			Containers:                   []corev1.Container{container(r)},
			RestartPolicy:                corev1.RestartPolicy(s.RestartPolicy),
			ServiceAccountName:           s.ServiceAccount,
			AutomountServiceAccountToken: new(s.MountToken),
			// Links would put the address of every Service of the namespace
			// into the environment: a surprise, and slow with many.
			EnableServiceLinks: new(false),
			SecurityContext: &corev1.PodSecurityContext{
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
		},
	}
	if s.PodSecurity == podSecurityRestricted {
		template.Spec.SecurityContext.RunAsNonRoot = new(true)
	}
	if name := s.Container.ImagePullSecret; name != "" {
		template.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: name}}
	}
	if grace := s.Container.TerminationGracePeriod; grace != nil {
		template.Spec.TerminationGracePeriodSeconds = new(int64(grace.Std().Seconds()))
	}
	addVolumes(&template.Spec, r.Desired.Mounts)
	return template
}

func container(r record) corev1.Container {
	s := r.Desired.Spec
	result := corev1.Container{
		Name:            containerName,
		Image:           s.Container.Image,
		ImagePullPolicy: corev1.PullPolicy(s.PullPolicy),
		Command:         literals(s.Container.Commands),
		Args:            literals(s.Container.Args),
		Env:             environment(r),
		Resources:       resourceRequirements(s.Resources),
		SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: new(false)},
		ReadinessProbe:  probe(s.Container.HealthCheck),
		Lifecycle:       lifecycle(s),
		// The last lines of a crash then tell why it came about.
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}
	if s.PodSecurity == podSecurityRestricted {
		result.SecurityContext.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}
	}
	for _, port := range s.Ports {
		result.Ports = append(result.Ports, corev1.ContainerPort{Name: portName(port), ContainerPort: int32(port), Protocol: corev1.ProtocolTCP})
	}
	return result
}

func portName(port int) string { return "p" + strconv.Itoa(port) }

// literal protects a text from Kubernetes, which replaces $(NAME) in values,
// commands and arguments: the protocol's are what they are.
func literal(text string) string { return strings.ReplaceAll(text, "$", "$$") }

func literals(texts []string) []string {
	result := slices.Clone(texts)
	for i, text := range result {
		result[i] = literal(text)
	}
	return result
}

// environment returns the variables sorted by name: secret values win over the
// container's, and those over the instance's.
func environment(r record) []corev1.EnvVar {
	values := map[string]corev1.EnvVar{}
	for _, source := range []map[string]string{r.Desired.Spec.Env, r.Desired.Spec.Container.Env} {
		for name, value := range source {
			values[name] = corev1.EnvVar{Name: name, Value: literal(value)}
		}
	}
	for _, name := range r.Desired.SecretKeys {
		values[name] = corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: r.Desired.SecretName},
			Key:                  name,
		}}}
	}
	var result []corev1.EnvVar
	for _, name := range slices.Sorted(maps.Keys(values)) {
		result = append(result, values[name])
	}
	return result
}

func resourceRequirements(c hosting.ResourceConfig) corev1.ResourceRequirements {
	requests, limits := corev1.ResourceList{}, corev1.ResourceList{}
	set := func(list corev1.ResourceList, name corev1.ResourceName, quantity *apiresource.Quantity) {
		if !quantity.IsZero() {
			list[name] = *quantity
		}
	}
	set(requests, corev1.ResourceCPU, cores(c.CPURequest))
	set(limits, corev1.ResourceCPU, cores(c.CPULimit))
	set(requests, corev1.ResourceMemory, apiresource.NewQuantity(c.MemoryRequest, apiresource.BinarySI))
	set(limits, corev1.ResourceMemory, apiresource.NewQuantity(c.MemoryLimit, apiresource.BinarySI))
	set(limits, corev1.ResourceEphemeralStorage, apiresource.NewQuantity(c.StorageLimit, apiresource.BinarySI))
	return corev1.ResourceRequirements{Requests: requests, Limits: limits}
}

// cores rounds to thousandths, the smallest unit there is.
func cores(n float64) *apiresource.Quantity {
	return apiresource.NewMilliQuantity(int64(math.Round(n*1000)), apiresource.DecimalSI)
}

// probe makes a readiness probe: a replica that fails it gets no requests. It
// is not a liveness probe, because a check that fails for an outside reason
// would then restart every replica.
func probe(check *hosting.HealthCheck) *corev1.Probe {
	if check == nil {
		return nil
	}
	result := &corev1.Probe{
		InitialDelaySeconds: int32(check.InitialDelay.Std().Seconds()),
		PeriodSeconds:       int32(check.Period.Std().Seconds()),
		TimeoutSeconds:      int32(check.Timeout.Std().Seconds()),
		FailureThreshold:    int32(check.FailureThreshold),
		SuccessThreshold:    int32(check.SuccessThreshold),
	}
	switch {
	case check.HTTP != nil:
		result.HTTPGet = &corev1.HTTPGetAction{Path: check.HTTP.Path, Port: intstr.FromInt(check.HTTP.Port)}
	case check.TCP != nil:
		result.TCPSocket = &corev1.TCPSocketAction{Port: intstr.FromInt(check.TCP.Port)}
	default:
		result.Exec = &corev1.ExecAction{Command: literals(check.Command)}
	}
	return result
}
