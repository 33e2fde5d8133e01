package kubernetes

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"skillcenter.io/hosting"
)

// cause is why replicas are not ready.
type cause struct {
	reason, message string
	// passing tells that it may pass by itself, as a slow start does: it
	// explains the status and does not change it.
	passing bool
}

const (
	reasonCrashed   = "Crashed"
	reasonOOMKilled = "OOMKilled"
	reasonCrashLoop = "CrashLoopBackOff"
	reasonUnhealthy = "Unhealthy"
	reasonNotReady  = "NotReady"
	// reasonDeadline is what a Deployment says itself; for the other types,
	// whose controllers wait for ever, we say it.
	reasonDeadline = "ProgressDeadlineExceeded"
)

// failure returns why replicas are not ready: from the pods, the controller's
// conditions, and last its events. A definite cause goes before a passing one.
func (s *snapshot) failure(seen observation, now time.Time) cause {
	if !seen.seen {
		return cause{} // what is wrong may be what the last change repairs
	}
	var passing cause
	for _, pod := range s.newestPods(seen, now) {
		why := s.podCause(pod, now)
		if why.reason == "" {
			continue
		}
		why.message = "pod " + pod.Name + ": " + why.message
		if !why.passing {
			return why
		}
		if passing.reason == "" {
			passing = why
		}
	}
	if seen.reason != "" {
		return cause{reason: seen.reason, message: join(seen.message, passing.message)}
	}
	if len(s.livePods()) < seen.want {
		for _, event := range slices.Backward(s.warnings) {
			if event.InvolvedObject.UID == s.workload.GetUID() && strings.HasPrefix(event.Reason, "Failed") {
				return cause{reason: event.Reason, message: event.Message}
			}
		}
	}
	if passing.reason == "" {
		passing = s.endedCause(now)
	}
	return passing
}

// podCause returns why a pod is not ready, if that is known.
func (s *snapshot) podCause(pod *corev1.Pod, now time.Time) cause {
	if isReady(pod) && !justCrashed(pod, now) {
		return cause{}
	}
	why := cause{}
	if why.reason, why.message = podFailure(pod, now); why.reason != "" {
		// Jobs try again, and say so when they give up.
		why.passing = s.kind.isJob() && isCrash(why.reason)
		return why
	}
	why = s.slowStart(pod, now)
	if deadline := s.progressDeadline(); why.reason != "" && why.passing && now.Sub(s.began(pod)) > deadline {
		why = cause{reason: reasonDeadline, message: join("it is not ready after "+deadline.String(), why.message)}
	}
	return why
}

// slowStart explains a pod nothing is known to be wrong with, but that has not
// become ready for a while.
func (s *snapshot) slowStart(pod *corev1.Pod, now time.Time) cause {
	switch {
	case probed(pod, now):
		if event := s.podWarning(pod, isProbeWarning); event != nil {
			return cause{event.Reason, event.Message, true}
		}
		return cause{reasonUnhealthy, "its container runs, and its health check has not passed yet", true}
	case settingUp(pod, now):
		if event := s.podWarning(pod, isSetUpWarning); event != nil {
			return cause{reason: event.Reason, message: event.Message}
		}
	}
	if now.Sub(s.began(pod)) > s.progressDeadline() {
		return cause{reasonNotReady, progress(pod), true}
	}
	return cause{}
}

// progress tells how far a pod has come.
func progress(pod *corev1.Pod) string {
	for _, c := range pod.Status.ContainerStatuses {
		if w := c.State.Waiting; w != nil {
			return join("its container waits, "+w.Reason, w.Message)
		}
	}
	if c := podCondition(pod, corev1.PodScheduled); c == nil || c.Status != corev1.ConditionTrue {
		return "it has no node yet"
	}
	return "it is " + string(pod.Status.Phase) + " on node " + pod.Spec.NodeName
}

// began is since when a pod may be expected to become ready.
func (s *snapshot) began(pod *corev1.Pod) time.Time {
	if changed := s.anchor.record.Desired.UpdatedAt.Std(); changed.After(pod.CreationTimestamp.Time) {
		return changed
	}
	return pod.CreationTimestamp.Time
}

// progressDeadline is how long a replica may take to become ready.
func (s *snapshot) progressDeadline() time.Duration {
	return progressDeadline(s.anchor.record)
}

// probed tells that a container runs whose health check should have passed by
// now.
func probed(pod *corev1.Pod, now time.Time) bool {
	for i, c := range pod.Status.ContainerStatuses {
		if c.State.Running == nil || c.Ready || i >= len(pod.Spec.Containers) || pod.Spec.Containers[i].ReadinessProbe == nil {
			continue
		}
		delay := time.Duration(pod.Spec.Containers[i].ReadinessProbe.InitialDelaySeconds) * time.Second
		if now.Sub(c.State.Running.StartedAt.Time) >= delay+eventGrace {
			return true
		}
	}
	return false
}

// settingUp tells that a pod has a node, and that its volumes or its network
// have not been set up there for a while.
func settingUp(pod *corev1.Pod, now time.Time) bool {
	scheduled := podCondition(pod, corev1.PodScheduled)
	started := podCondition(pod, corev1.PodReadyToStartContainers)
	return pod.Status.Phase == corev1.PodPending && now.Sub(pod.CreationTimestamp.Time) >= eventGrace &&
		scheduled != nil && scheduled.Status == corev1.ConditionTrue && (started == nil || started.Status != corev1.ConditionTrue)
}

func podCondition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// replacementGrace is how long a change may take until it makes a pod. After
// that the old ones are to blame again.
const replacementGrace = 10 * time.Second

// newestPods are the live pods of the newest configuration: those that it
// replaces say nothing about it.
func (s *snapshot) newestPods(seen observation, now time.Time) []*corev1.Pod {
	live := s.livePods()
	if seen.rolledOut || len(live) == 0 {
		return live
	}
	if seen.updated == 0 {
		if now.Sub(s.anchor.record.Desired.UpdatedAt.Std()) < replacementGrace {
			return nil
		}
		return live
	}
	newest := slices.MaxFunc(live, func(a, b *corev1.Pod) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	return slices.DeleteFunc(live, func(pod *corev1.Pod) bool { return revision(pod) != revision(newest) })
}

// revision names the version of the template that a pod was made from.
func revision(pod *corev1.Pod) string {
	return pod.Labels["pod-template-hash"] + pod.Labels["controller-revision-hash"]
}

// waitingFailures are the reasons of a waiting container that do not pass by
// themselves within seconds.
var waitingFailures = []string{
	"ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError", "RegistryUnavailable",
	reasonCrashLoop, "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError", "PostStartHookError",
}

// schedulingGrace is how long a pod may find no node before that is a failure:
// a node may be about to have room again.
const schedulingGrace = 5 * time.Second

// podFailure returns why a pod cannot become ready, if its status tells.
func podFailure(pod *corev1.Pod, now time.Time) (reason, message string) {
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		last := c.LastTerminationState.Terminated
		if w := c.State.Waiting; w != nil && slices.Contains(waitingFailures, w.Reason) {
			if w.Reason == reasonCrashLoop && last != nil {
				reason, message := crash(last, w.Message)
				if reason == reasonCrashed {
					reason = reasonCrashLoop
				}
				return reason, message
			}
			return w.Reason, w.Message
		}
		if t := c.State.Terminated; t != nil && mustNotEnd(pod, t) {
			return crash(t, "") // between the crash and its back-off
		}
		if restarted(&c, now) && mustNotEnd(pod, last) {
			return crash(last, "")
		}
	}
	c := podCondition(pod, corev1.PodScheduled)
	if c != nil && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable && now.Sub(c.LastTransitionTime.Time) >= schedulingGrace {
		return c.Reason, c.Message
	}
	return "", ""
}

// mustNotEnd tells that the kubelet starts such a container again.
func mustNotEnd(pod *corev1.Pod, t *corev1.ContainerStateTerminated) bool {
	switch pod.Spec.RestartPolicy {
	case corev1.RestartPolicyNever:
		return false
	case corev1.RestartPolicyOnFailure:
		return t.ExitCode != 0
	}
	return true
}

// restartGrace is how long a container must run after a crash to be trusted
// again: without a health check it is ready in every moment between crashes.
const restartGrace = 5 * time.Second

func restarted(c *corev1.ContainerStatus, now time.Time) bool {
	return c.State.Running != nil && c.LastTerminationState.Terminated != nil && now.Sub(c.State.Running.StartedAt.Time) < restartGrace
}

// justCrashed tells that a container of the pod runs again after a crash, but
// not for long enough to tell whether it will stay.
func justCrashed(pod *corev1.Pod, now time.Time) bool {
	return slices.ContainsFunc(pod.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
		return restarted(&c, now) && mustNotEnd(pod, c.LastTerminationState.Terminated)
	})
}

func isCrash(reason string) bool {
	return reason == reasonCrashed || reason == reasonOOMKilled || reason == reasonCrashLoop
}

// crash explains the end of a container. What else there is to say goes before
// the lines that it wrote last.
func crash(t *corev1.ContainerStateTerminated, more string) (reason, message string) {
	if t.Reason == "StartError" || t.Reason == "ContainerCannotRun" {
		// The message is the runtime's, not the container's.
		return reasonCrashed, join("container could not be started: "+t.Message, more)
	}
	reason, message = reasonCrashed, "container ended with exit code "+strconv.Itoa(int(t.ExitCode))
	if t.Reason == reasonOOMKilled {
		reason = reasonOOMKilled
	}
	if t.Reason != "" && t.Reason != "Error" {
		message += " (" + t.Reason + ")"
	}
	message = join(message, more)
	if lines := lastLines(t.Message); lines != "" {
		message += "; it wrote last:\n" + lines
	}
	return reason, message
}

// endedCause returns how the last replica that failed for good ended, such as
// one that its node evicted or a try of a job. Another one takes its place.
func (s *snapshot) endedCause(now time.Time) cause {
	var newest *corev1.Pod
	for _, pod := range s.pods {
		if pod.Status.Phase == corev1.PodFailed && s.sinceChange(endedAt(pod), now) && (newest == nil || endedAt(pod).After(endedAt(newest))) {
			newest = pod
		}
	}
	if newest == nil {
		return cause{}
	}
	result := cause{reason: newest.Status.Reason, message: newest.Status.Message, passing: true}
	for _, c := range newest.Status.ContainerStatuses {
		if t := c.State.Terminated; t != nil && t.ExitCode != 0 {
			reason, message := crash(t, "")
			result.reason, result.message = cmp.Or(result.reason, reason), join(result.message, message)
			break
		}
	}
	result.reason = cmp.Or(result.reason, reasonCrashed)
	result.message = join("pod "+newest.Name, result.message)
	return result
}

// sinceChange tells that the end of a pod says something about the newest
// configuration. All pods of a job are of its only one.
func (s *snapshot) sinceChange(ended, now time.Time) bool {
	return s.kind.isJob() || ended.After(s.anchor.record.Desired.UpdatedAt.Std()) && now.Sub(ended) < staleWarning
}

func endedAt(pod *corev1.Pod) time.Time {
	result := pod.CreationTimestamp.Time
	for _, c := range pod.Status.ContainerStatuses {
		if t := c.State.Terminated; t != nil && t.FinishedAt.After(result) {
			result = t.FinishedAt.Time
		}
	}
	return result
}

func progressDeadline(r record) time.Duration {
	return cmp.Or(r.Desired.Spec.ProgressDeadline, hosting.Duration(defaultProgressDeadline)).Std()
}

// defaultProgressDeadline is Kubernetes' own.
const defaultProgressDeadline = 10 * time.Minute

// join joins two sentences, either of which may be empty.
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return strings.TrimRight(a, ". ") + ": " + b
}
