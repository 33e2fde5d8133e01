package kubernetes

import (
	"maps"
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
)

// incompleteGrace is how long an anchor without a workload counts as being
// created. After that its creator has died or given up.
const incompleteGrace = time.Minute

// state is what a snapshot amounts to.
type state struct {
	status          hosting.Status
	reason, message string
	want, ready     int
}

// state judges a snapshot.
func (s *snapshot) state(now time.Time) state {
	record := s.anchor.record
	if s.anchor.deleting() {
		return state{status: hosting.StatusTerminating}
	}
	if s.workload == nil {
		if now.Sub(record.Desired.UpdatedAt.Std()) < incompleteGrace {
			return state{status: hosting.StatusCreating}
		}
		return state{status: hosting.StatusFailed, reason: "Incomplete",
			message: "its " + s.kind.kind + " is missing: create it again with the same configuration, or delete it"}
	}
	seen := s.kind.observe(s.workload)
	// The anchor may be seen before the workload that it is about: in memory
	// they come by watches of their own.
	if record.Desired.pending() || generationOf(s.workload) < record.Desired.Applied {
		return s.pendingState(seen, now)
	}
	return s.judge(seen, now)
}

// pendingState is that of an instance whose last change of the configuration
// has not been carried out in full: it does not run what it should.
func (s *snapshot) pendingState(seen observation, now time.Time) state {
	result := s.judge(seen, now)
	if result.status != hosting.StatusRunning && result.status != hosting.StatusUpdating {
		return result
	}
	result.status = hosting.StatusUpdating
	if now.Sub(s.anchor.record.Desired.UpdatedAt.Std()) >= incompleteGrace {
		result.status, result.reason = hosting.StatusDegraded, "Incomplete"
		result.message = "the last change of its configuration was not carried out in full: apply it again or start the instance"
	}
	return result
}

// judge tells the state of a workload.
func (s *snapshot) judge(seen observation, now time.Time) state {
	record := s.anchor.record
	result := state{want: seen.want, ready: seen.ready}
	switch {
	case seen.finished != "":
		result.status, result.reason, result.message = seen.finished, seen.reason, seen.message
		if seen.finished == hosting.StatusCompleted {
			result.ready = 0
		} else {
			result.message = join(seen.message, s.endedCause(now).message)
		}
		return result
	case seen.stopped:
		result.want, result.ready = 0, 0
		result.status = hosting.StatusStopped
		if !seen.gone || s.anyPodLeft() {
			result.status = hosting.StatusStopping
		}
		return result
	case seen.scheduled:
		result.want, result.ready = s.activeRuns(), s.readyPods()
		// The schedule is active, whatever becomes of one run.
		result.status = hosting.StatusRunning
		why := s.runCause(now)
		result.reason, result.message = why.reason, why.message
		return result
	case seen.want == 0 && s.kind.instanceType != hosting.TypeDaemonSet:
		result.status, result.reason = hosting.StatusRunning, reasonScaledToZero
		return result
	case seen.settled && seen.ready >= seen.want && seen.want > 0 && !s.anyJustCrashed(now):
		result.status = hosting.StatusRunning
		if len(record.Desired.Spec.Ports) > 0 && s.service == nil {
			result.status, result.reason = hosting.StatusDegraded, "Incomplete"
			result.message = "its Service is missing: start the instance to have it made again"
		}
		return result
	default:
		result.status = hosting.StatusStarting
		if s.underWay(seen, now) {
			result.status = record.Desired.Operation
		}
	}
	why := s.failure(seen, now)
	if (why.reason == "" || why.passing) && s.hasBroken() {
		why = cause{reason: reasonNotReady, message: join(strconv.Itoa(seen.ready)+" of "+strconv.Itoa(seen.want)+" replicas are ready", why.message)}
	}
	result.reason, result.message = why.reason, why.message
	switch {
	case why.reason == "" || why.passing:
	case result.ready == 0:
		result.status = hosting.StatusFailed
	default:
		result.status = hosting.StatusDegraded
	}
	return result
}

// operationGrace is how long after a change its first replicas may appear. One
// that is made later replaces a replica that was lost, or is an autoscaler's.
const operationGrace = 30 * time.Second

// underWay tells that what is not ready is still the work of the last change.
func (s *snapshot) underWay(seen observation, now time.Time) bool {
	if !seen.rolledOut {
		return true
	}
	until := s.anchor.record.Desired.UpdatedAt.Std().Add(operationGrace)
	live := s.livePods()
	if len(live) < seen.want {
		return now.Before(until)
	}
	return !slices.ContainsFunc(live, func(pod *corev1.Pod) bool { return !isReady(pod) && pod.CreationTimestamp.After(until) })
}

// activeRuns counts the runs of a cronjob that have not ended. The controller
// lists those that it started itself; one that was started out of schedule
// shows by its pods.
func (s *snapshot) activeRuns() int {
	runs := map[string]bool{}
	for _, job := range s.workload.(*batchv1.CronJob).Status.Active {
		runs[job.Name] = true
	}
	for _, pod := range s.livePods() {
		if owner := metav1.GetControllerOf(pod); owner != nil {
			runs[owner.Name] = true
		}
	}
	return len(runs)
}

const reasonScaledToZero = "ScaledToZero"

// anyPodLeft tells whether a container may still run.
func (s *snapshot) anyPodLeft() bool {
	return slices.ContainsFunc(s.pods, func(pod *corev1.Pod) bool {
		return pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
	})
}

func (s *snapshot) readyPods() int {
	n := 0
	for _, pod := range s.livePods() {
		if isReady(pod) {
			n++
		}
	}
	return n
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// anyJustCrashed tells that what is ready may be so for a moment only.
func (s *snapshot) anyJustCrashed(now time.Time) bool {
	return slices.ContainsFunc(s.livePods(), func(pod *corev1.Pod) bool { return justCrashed(pod, now) })
}

// hasBroken tells that a replica has become unready while its container runs:
// it is not merely on its way.
func (s *snapshot) hasBroken() bool {
	return slices.ContainsFunc(s.livePods(), func(pod *corev1.Pod) bool { return !isReady(pod) && wasReady(pod) })
}

// wasReady tells that a pod that is not ready has been, since its containers
// started: while they start, it is unready from before that.
func wasReady(pod *corev1.Pod) bool {
	for _, container := range pod.Status.ContainerStatuses {
		running := container.State.Running
		for _, c := range pod.Status.Conditions {
			if running != nil && c.Type == corev1.PodReady && c.LastTransitionTime.After(running.StartedAt.Time) {
				return true
			}
		}
	}
	return false
}

// instance makes the protocol's view of a snapshot.
func (p *Provider) instance(s *snapshot) hosting.CloudInstance {
	r := s.anchor.record
	now := s.state(time.Now())
	result := hosting.CloudInstance{
		ID:           s.id,
		Name:         s.name,
		Provider:     p.config.Name,
		ProviderType: ProviderType,
		Region:       s.region.name,
		Status:       now.status,
		Replicas:     now.want,
		CreatedAt:    r.Desired.CreatedAt,
		UpdatedAt:    r.Desired.UpdatedAt,
		Labels:       maps.Clone(r.Config.Labels),
		Metadata: map[string]string{
			"namespace":                   s.region.namespace,
			hosting.MetadataReadyReplicas: strconv.Itoa(now.ready),
		},
		InstanceType: s.kind.instanceType,
		Resources:    new(r.Desired.Spec.Resources),
	}
	if s.workload == nil && !r.Desired.Stopped && s.kind.instanceType != hosting.TypeDaemonSet && s.kind.instanceType != hosting.TypeCronJob {
		result.Replicas = r.Desired.Replicas
	}
	if now.reason != "" {
		result.Metadata[hosting.MetadataReason] = now.reason
	}
	if now.message != "" {
		result.Metadata[hosting.MetadataMessage] = now.message
	}
	if now.status == hosting.StatusStopped || now.status == hosting.StatusStopping {
		result.Metadata[hosting.MetadataStoppedReplicas] = strconv.Itoa(s.startReplicas())
	}
	if r.Desired.TakenOver {
		result.Metadata[hosting.MetadataTakenOver] = "true"
	}
	if endpoint, ok := s.endpoint(); ok {
		result.Endpoint = &endpoint
	}
	return result
}

// startReplicas is how many replicas a stopped instance will start with.
func (s *snapshot) startReplicas() int {
	if s.workload != nil {
		if remembered := s.kind.observe(s.workload).remembered; remembered != nil {
			return *remembered
		}
	}
	return s.anchor.record.Desired.Replicas
}
