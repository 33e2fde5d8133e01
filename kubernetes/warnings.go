package kubernetes

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
)

// eventGrace is how long something may be on its way before its events are
// consulted: most are ready by then, and the events cost a request.
const eventGrace = 4 * time.Second

// staleWarning is how old a warning may be. Controllers try a failed pod again,
// and warn again, at least every 17 minutes.
const staleWarning = 20 * time.Minute

// warnings lists the warning events about objects of this name, whatever their
// kind, or about all of the namespace if it is empty.
func (p *Provider) warnings(ctx context.Context, at *region, name string) ([]corev1.Event, error) {
	selector := fields.Set{"type": corev1.EventTypeWarning}
	if name != "" {
		selector["involvedObject.name"] = name
	}
	list, err := at.client.CoreV1().Events(at.namespace).List(ctx, metav1.ListOptions{FieldSelector: selector.String()})
	if err != nil {
		return nil, err
	}
	sortEvents(list.Items)
	return list.Items, nil
}

// takeWarnings takes those about the very objects of this snapshot: of the
// controllers since the last change, of pods all, since a change makes new ones.
func (s *snapshot) takeWarnings(all []corev1.Event, now time.Time) {
	stale := now.Add(-staleWarning)
	changed := s.anchor.record.Desired.UpdatedAt.Std().Add(-eventGrace)
	for i := range all {
		about, at := all[i].InvolvedObject, eventTime(&all[i])
		isPod := slices.ContainsFunc(s.pods, func(pod *corev1.Pod) bool { return pod.UID == about.UID })
		isController := about.UID == s.workload.GetUID()
		for _, run := range s.runs {
			isController = isController || about.UID == run.UID
		}
		if at.After(stale) && (isPod || isController && at.After(changed)) {
			s.warnings = append(s.warnings, all[i])
		}
	}
}

// warningsOf names the object whose events may hold a reason that nothing else
// tells: a pod that does not become ready, or what could not even create one.
// It is empty if no event is needed.
func (s *snapshot) warningsOf(now time.Time) string {
	if s.workload == nil || s.anchor.deleting() || now.Sub(s.anchor.record.Desired.UpdatedAt.Std()) < eventGrace {
		return ""
	}
	seen := s.kind.observe(s.workload)
	if seen.stopped || seen.finished != "" || !seen.seen {
		return ""
	}
	if seen.scheduled {
		if s.overdue(now) {
			return s.workload.GetName()
		}
		if run := s.newestRun(); run != nil {
			return run.warningsOf(now)
		}
		return ""
	}
	if seen.reason == "" && len(s.livePods()) < seen.want {
		return s.workload.GetName()
	}
	for _, pod := range s.newestPods(seen, now) {
		if reason, _ := podFailure(pod, now); reason == "" && !isReady(pod) && (probed(pod, now) || settingUp(pod, now)) {
			return pod.Name
		}
	}
	return ""
}

func (s *snapshot) needsWarnings(now time.Time) bool { return s.warningsOf(now) != "" }

// podWarning returns the newest warning about a pod that is of a sort.
func (s *snapshot) podWarning(pod *corev1.Pod, wanted func(*corev1.Event) bool) *corev1.Event {
	for i := range slices.Backward(s.warnings) {
		if e := &s.warnings[i]; e.InvolvedObject.UID == pod.UID && wanted(e) {
			return e
		}
	}
	return nil
}

func isProbeWarning(e *corev1.Event) bool {
	return e.Reason == reasonUnhealthy && strings.HasPrefix(e.Message, "Readiness probe")
}

// isSetUpWarning recognises what is said when a volume or the network of a pod
// cannot be set up, such as FailedMount or FailedCreatePodSandBox. A plain
// Failed is about a container, and one that was scheduled has left that behind.
func isSetUpWarning(e *corev1.Event) bool {
	return strings.HasPrefix(e.Reason, "Failed") && e.Reason != "Failed" && e.Reason != "FailedScheduling"
}
