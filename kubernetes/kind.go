package kubernetes

import (
	"fmt"
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
	// templatePath is where the template stands, as a JSON pointer.
	templatePath string
	// observe reads how the workload is doing.
	observe func(object) observation
	// stopPatch and startPatch are JSON merge patches that stop and start the
	// workload. They are empty for those that have replicas.
	stopPatch, startPatch string
	// unsupported says what cannot be done with this type, and why.
	unsupported map[hosting.Capability]string
}

func (k *kind) autoscaled() bool { return k.unsupported[hosting.CanAutoscale] == "" }

// replicated tells whether stopping means replicas 0: the types with a scale
// subresource.
func (k *kind) replicated() bool { return k.stopPatch == "" }

func (k *kind) isJob() bool { return k.instanceType == hosting.TypeJob }

// observation is how a workload is doing, in terms that all kinds share.
type observation struct {
	// want is how many replicas should run now, ready how many are ready, of
	// whichever configuration.
	want, ready int
	// settled tells that the controller has seen the newest configuration and
	// that no replica of an older one is left: only then ready can be trusted
	// to be about the newest.
	settled bool
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
		templatePath: "/spec/template",
		observe:      observeDeployment,
	},
	hosting.TypeStatefulSet: {
		instanceType: hosting.TypeStatefulSet,
		resource:     &resource{"StatefulSet", "statefulsets", appsREST, func() object { return &appsv1.StatefulSet{} }},
		build:        func(p *Provider, r record) object { return p.statefulSet(r) },
		template:     func(o object) *corev1.PodTemplateSpec { return &o.(*appsv1.StatefulSet).Spec.Template },
		templatePath: "/spec/template",
		observe:      observeStatefulSet,
	},
	hosting.TypeDaemonSet: {
		instanceType: hosting.TypeDaemonSet,
		resource:     &resource{"DaemonSet", "daemonsets", appsREST, func() object { return &appsv1.DaemonSet{} }},
		build:        func(p *Provider, r record) object { return p.daemonSet(r) },
		template:     func(o object) *corev1.PodTemplateSpec { return &o.(*appsv1.DaemonSet).Spec.Template },
		templatePath: "/spec/template",
		observe:      observeDaemonSet,
		stopPatch:    fmt.Sprintf(`{"spec":{"template":{"spec":{"nodeSelector":{%q:"true"}}}}}`, nodeSelectorStopped),
		startPatch:   fmt.Sprintf(`{"spec":{"template":{"spec":{"nodeSelector":{%q:null}}}}}`, nodeSelectorStopped),
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
		templatePath: "/spec/template",
		observe:      observeJob,
		stopPatch:    `{"spec":{"suspend":true}}`,
		startPatch:   `{"spec":{"suspend":false}}`,
		unsupported: map[hosting.Capability]string{
			hosting.CanAutoscale: "Kubernetes autoscales services, not jobs",
		},
	},
	hosting.TypeCronJob: {
		instanceType: hosting.TypeCronJob,
		resource:     &resource{"CronJob", "cronjobs", batchREST, func() object { return &batchv1.CronJob{} }},
		build:        func(p *Provider, r record) object { return p.cronJob(r) },
		template:     func(o object) *corev1.PodTemplateSpec { return &o.(*batchv1.CronJob).Spec.JobTemplate.Spec.Template },
		templatePath: "/spec/jobTemplate/spec/template",
		observe:      observeCronJob,
		stopPatch:    `{"spec":{"suspend":true}}`,
		startPatch:   `{"spec":{"suspend":false}}`,
		unsupported: map[hosting.Capability]string{
			hosting.CanRestart:   "a cronjob starts its runs by schedule; RunNow starts one at once",
			hosting.CanScale:     "a cronjob has runs, not replicas",
			hosting.CanAutoscale: "a cronjob has runs, not replicas",
		},
	},
}

func observeDeployment(o object) observation {
	d := o.(*appsv1.Deployment)
	want := int(valueOr(d.Spec.Replicas, 1))
	seen := d.Status.ObservedGeneration >= d.Generation
	result := observation{
		want:    want,
		ready:   int(d.Status.ReadyReplicas),
		settled: seen && int(d.Status.UpdatedReplicas) == want && int(d.Status.Replicas) == want,
		gone:    d.Status.Replicas == 0,
	}
	result.readStop(o)
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue ||
			c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse {
			result.reason, result.message = c.Reason, c.Message
		}
	}
	return result
}

func observeStatefulSet(o object) observation {
	s := o.(*appsv1.StatefulSet)
	want := int(valueOr(s.Spec.Replicas, 1))
	seen := s.Status.ObservedGeneration >= s.Generation
	result := observation{
		want:  want,
		ready: int(s.Status.ReadyReplicas),
		settled: seen && int(s.Status.Replicas) == want &&
			(s.Status.UpdateRevision == s.Status.CurrentRevision || int(s.Status.UpdatedReplicas) == want),
		gone: s.Status.Replicas == 0,
	}
	result.readStop(o)
	return result
}

// readStop reads the mark that a stop leaves on a workload with replicas.
func (r *observation) readStop(o object) {
	if mark, ok := o.GetAnnotations()[annotationStoppedReplicas]; ok {
		r.stopped = true
		if n, err := strconv.Atoi(mark); err == nil {
			r.remembered = &n
		}
	}
}

func observeDaemonSet(o object) observation {
	d := o.(*appsv1.DaemonSet)
	seen := d.Status.ObservedGeneration >= d.Generation
	_, stopped := d.Spec.Template.Spec.NodeSelector[nodeSelectorStopped]
	result := observation{
		want:    int(d.Status.DesiredNumberScheduled),
		ready:   int(d.Status.NumberReady),
		settled: seen && d.Status.UpdatedNumberScheduled == d.Status.DesiredNumberScheduled,
		stopped: stopped,
		gone:    d.Status.CurrentNumberScheduled == 0 && d.Status.NumberMisscheduled == 0,
	}
	if seen && !stopped && result.want == 0 {
		result.reason, result.message = "NoNodes", "no node of the cluster can run it"
	}
	return result
}

func observeJob(o object) observation {
	j := o.(*batchv1.Job)
	result := observation{
		want:    int(valueOr(j.Spec.Parallelism, 1)),
		ready:   int(valueOr(j.Status.Ready, 0)) + int(j.Status.Succeeded),
		settled: true,
		stopped: valueOr(j.Spec.Suspend, false),
		gone:    j.Status.Active == 0 && valueOr(j.Status.Terminating, 0) == 0,
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
		settled:   true,
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
