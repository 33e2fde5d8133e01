package kubernetes

import (
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"skillcenter.io/hosting"
)

// kind is what differs between the instance types.
type kind struct {
	instanceType string
	*resource
	// build makes the workload of a record.
	build func(p *Provider, r record) object
	// template returns the pod template of a workload.
	template func(object) *corev1.PodTemplateSpec
	// observe reads how the workload is doing.
	observe func(object) observation
	// stopSpec and startSpec are what a JSON merge patch changes in the spec of
	// the workload to stop and to start it. They are nil for those that have
	// replicas.
	stopSpec, startSpec map[string]any
	// unsupported says what cannot be done with this type, and why.
	unsupported map[hosting.Capability]string
}

func (k *kind) autoscaled() bool { return k.unsupported[hosting.CanAutoscale] == "" }

// replicated tells whether stopping means replicas 0: the types with a scale
// subresource.
func (k *kind) replicated() bool { return k.stopSpec == nil }

func (k *kind) isJob() bool { return k.instanceType == hosting.TypeJob }

// observation is how a workload is doing, in terms that all kinds share.
type observation struct {
	// want is how many replicas should run now, ready how many are ready, of
	// whichever configuration, and updated how many there are of the newest.
	want, ready, updated int
	// seen tells that the controller has seen the newest configuration.
	seen bool
	// settled tells that the controller has seen the newest configuration and
	// that no replica of an older one is left: only then ready can be trusted
	// to be about the newest.
	settled bool
	// rolledOut tells that the newest configuration has been carried out: what
	// is not ready has become so since.
	rolledOut bool
	// stopped tells that the workload is told not to run, gone that the
	// controller counts nothing of it any more. Its pods tell the rest.
	stopped, gone bool
	// remembered is how many replicas a stopped workload starts with, if the
	// workload itself says.
	remembered *int
	// finished is StatusCompleted or StatusFailed for a job that has ended.
	finished hosting.Status
	// scheduled tells that the workload waits for its time, and is fine
	// without replicas.
	scheduled bool
	// reason and message are what the controller complains of.
	reason, message string
}

var kinds = map[string]*kind{
	hosting.TypeDeployment: {
		instanceType: hosting.TypeDeployment,
		resource:     &resource{"Deployment", "deployments", appsREST, func() object { return &appsv1.Deployment{} }},
		build:        func(p *Provider, r record) object { return p.deployment(r) },
		template:     func(o object) *corev1.PodTemplateSpec { return &o.(*appsv1.Deployment).Spec.Template },
		observe:      observeDeployment,
	},
	hosting.TypeStatefulSet: {
		instanceType: hosting.TypeStatefulSet,
		resource:     &resource{"StatefulSet", "statefulsets", appsREST, func() object { return &appsv1.StatefulSet{} }},
		build:        func(p *Provider, r record) object { return p.statefulSet(r) },
		template:     func(o object) *corev1.PodTemplateSpec { return &o.(*appsv1.StatefulSet).Spec.Template },
		observe:      observeStatefulSet,
	},
	hosting.TypeDaemonSet: {
		instanceType: hosting.TypeDaemonSet,
		resource:     &resource{"DaemonSet", "daemonsets", appsREST, func() object { return &appsv1.DaemonSet{} }},
		build:        func(p *Provider, r record) object { return p.daemonSet(r) },
		template:     func(o object) *corev1.PodTemplateSpec { return &o.(*appsv1.DaemonSet).Spec.Template },
		observe:      observeDaemonSet,
		stopSpec:     nodeSelector(nodeSelectorStopped, "true"),
		startSpec:    nodeSelector(nodeSelectorStopped, nil),
		unsupported: map[hosting.Capability]string{
			hosting.CanScale:     "a daemonset runs one replica on each node",
			hosting.CanAutoscale: "a daemonset runs one replica on each node",
		},
	},
	hosting.TypeJob: {
		instanceType: hosting.TypeJob,
		resource:     &resource{"Job", "jobs", batchREST, func() object { return &batchv1.Job{} }},
		build:        func(p *Provider, r record) object { return p.job(r) },
		template:     func(o object) *corev1.PodTemplateSpec { return &o.(*batchv1.Job).Spec.Template },
		observe:      observeJob,
		stopSpec:     map[string]any{"suspend": true},
		startSpec:    map[string]any{"suspend": false},
		unsupported: map[hosting.Capability]string{
			hosting.CanAutoscale: "Kubernetes autoscales services, not jobs",
		},
	},
	hosting.TypeCronJob: {
		instanceType: hosting.TypeCronJob,
		resource:     &resource{"CronJob", "cronjobs", batchREST, func() object { return &batchv1.CronJob{} }},
		build:        func(p *Provider, r record) object { return p.cronJob(r) },
		template:     func(o object) *corev1.PodTemplateSpec { return &o.(*batchv1.CronJob).Spec.JobTemplate.Spec.Template },
		observe:      observeCronJob,
		stopSpec:     map[string]any{"suspend": true},
		startSpec:    map[string]any{"suspend": false},
		unsupported: map[hosting.Capability]string{
			hosting.CanRestart:   "a cronjob starts its runs by schedule; RunNow starts one at once",
			hosting.CanScale:     "a cronjob has runs, not replicas",
			hosting.CanAutoscale: "a cronjob has runs, not replicas",
		},
	},
}

// nodeSelector is the change of one label in the node selector of a template.
func nodeSelector(label string, value any) map[string]any {
	return map[string]any{"template": map[string]any{"spec": map[string]any{"nodeSelector": map[string]any{label: value}}}}
}

func observeDeployment(o object) observation {
	d := o.(*appsv1.Deployment)
	want := int(valueOr(d.Spec.Replicas, 1))
	seen := d.Status.ObservedGeneration >= d.Generation
	result := observation{
		want:    want,
		ready:   int(d.Status.ReadyReplicas),
		updated: int(d.Status.UpdatedReplicas),
		seen:    seen,
		settled: seen && int(d.Status.UpdatedReplicas) == want && int(d.Status.Replicas) == want,
		gone:    seen && d.Status.Replicas == 0,
	}
	result.readStop(o)
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue ||
			c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse {
			result.reason, result.message = c.Reason, c.Message
		}
		if c.Type == appsv1.DeploymentProgressing && c.Reason == reasonRolledOut {
			result.rolledOut = seen
		}
	}
	return result
}

// reasonRolledOut is what a Deployment's Progressing condition says from the
// end of a rollout to the beginning of the next.
const reasonRolledOut = "NewReplicaSetAvailable"

func observeStatefulSet(o object) observation {
	s := o.(*appsv1.StatefulSet)
	want := int(valueOr(s.Spec.Replicas, 1))
	seen := s.Status.ObservedGeneration >= s.Generation
	// Both revisions are the same again, too, when a change is taken back
	// halfway: the replicas tell.
	allUpdated := seen && s.Status.UpdatedReplicas == s.Status.Replicas
	result := observation{
		want:      want,
		ready:     int(s.Status.ReadyReplicas),
		updated:   int(s.Status.UpdatedReplicas),
		seen:      seen,
		settled:   allUpdated && int(s.Status.Replicas) == want,
		rolledOut: allUpdated && s.Status.UpdateRevision == s.Status.CurrentRevision,
		gone:      seen && s.Status.Replicas == 0,
	}
	result.readStop(o)
	return result
}

// readStop reads the mark that a stop leaves on a workload with replicas. If
// somebody else has scaled it up since, it is not stopped.
func (r *observation) readStop(o object) {
	if mark, ok := o.GetAnnotations()[annotationStoppedReplicas]; ok {
		n, _ := strconv.Atoi(mark) // 0 if somebody has spoilt it
		r.remembered = &n
		r.stopped = r.want == 0
	}
}

func observeDaemonSet(o object) observation {
	d := o.(*appsv1.DaemonSet)
	seen := d.Status.ObservedGeneration >= d.Generation
	_, stopped := d.Spec.Template.Spec.NodeSelector[nodeSelectorStopped]
	allUpdated := seen && d.Status.UpdatedNumberScheduled == d.Status.DesiredNumberScheduled
	result := observation{
		want:      int(d.Status.DesiredNumberScheduled),
		ready:     int(d.Status.NumberReady),
		updated:   int(d.Status.UpdatedNumberScheduled),
		seen:      seen,
		settled:   allUpdated,
		rolledOut: allUpdated,
		stopped:   stopped,
		gone:      seen && d.Status.CurrentNumberScheduled == 0 && d.Status.NumberMisscheduled == 0,
	}
	if seen && !stopped && result.want == 0 {
		result.reason, result.message = "NoNodes", "no node of the cluster can run it"
	}
	return result
}

func observeJob(o object) observation {
	j := o.(*batchv1.Job)
	result := observation{
		want:      int(valueOr(j.Spec.Parallelism, 1)),
		ready:     int(valueOr(j.Status.Ready, 0)) + int(j.Status.Succeeded),
		seen:      true,
		settled:   true,
		rolledOut: true,
		stopped:   valueOr(j.Spec.Suspend, false),
		gone:      j.Status.Active == 0 && valueOr(j.Status.Terminating, 0) == 0,
	}
	for _, c := range j.Status.Conditions {
		if c.Status != corev1.ConditionTrue {
			continue
		}
		switch c.Type {
		case batchv1.JobComplete:
			result.finished = hosting.StatusCompleted
		case batchv1.JobFailed:
			result.finished, result.reason, result.message = hosting.StatusFailed, c.Reason, c.Message
		}
	}
	return result
}

func observeCronJob(o object) observation {
	c := o.(*batchv1.CronJob)
	return observation{
		want:      len(c.Status.Active),
		seen:      true,
		settled:   true,
		rolledOut: true,
		stopped:   valueOr(c.Spec.Suspend, false),
		gone:      true, // its pods tell
		scheduled: true,
	}
}

func valueOr[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
