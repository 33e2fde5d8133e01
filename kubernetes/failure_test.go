package kubernetes

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
)

func before(d time.Duration) metav1.Time { return metav1.NewTime(testNow.Add(-d)) }

func TestACrashShowsTheLastLinesOfTheOutput(t *testing.T) {
	t.Parallel()
	reason, message := crash(&corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error", Message: "1\n2\n3\n4\n5\n\x1b[31m6\x00\n"}, "back-off 10s")
	assert.Equal(t, "Crashed", reason)
	assert.Equal(t, "container ended with exit code 3: back-off 10s; it wrote last:\n2\n3\n4\n5\n[31m6", message)

	_, message = crash(&corev1.ContainerStateTerminated{ExitCode: 128, Reason: "StartError", Message: "exec: no such file"}, "")
	assert.Equal(t, "container could not be started: exec: no such file", message, "those are not the container's words")
}

func TestLastLinesAreBoundedAndWholeCharacters(t *testing.T) {
	t.Parallel()
	got := lastLines(strings.Repeat("é", 2000))
	assert.LessOrEqual(t, len(got), maxOutputBytes)
	assert.Equal(t, strings.ToValidUTF8(got, "?"), got)
	assert.Equal(t, "short", lastLines(strings.Repeat("x", maxOutputBytes)+"\nshort"), "a line that fits is shown whole")
	assert.Empty(t, lastLines(" \n\n"))
	assert.True(t, strings.HasPrefix(lastLines("a\xffb"), "a"))
}

// unready is a pod that has run for a while without passing its health check.
func unready(age time.Duration) *corev1.Pod {
	return pod(func(p *corev1.Pod) {
		p.Name, p.UID, p.CreationTimestamp = "web-1", "pod-uid", before(age)
		p.Spec.Containers = []corev1.Container{{ReadinessProbe: &corev1.Probe{InitialDelaySeconds: 10}}}
		p.Status.Phase = corev1.PodRunning
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: before(age)}}}}
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: before(age)}}
	})
}

func TestAHealthCheckThatDoesNotPassIsTold(t *testing.T) {
	t.Parallel()
	probe := corev1.Event{Reason: "Unhealthy", Message: "Readiness probe failed: 503", InvolvedObject: corev1.ObjectReference{UID: "pod-uid"}}
	for _, test := range []struct {
		name    string
		age     time.Duration
		events  []corev1.Event
		status  hosting.Status
		reason  string
		message string
	}{
		{name: "a slow start is none", age: 12 * time.Second, status: hosting.StatusUpdating},
		{name: "after its initial delay and a grace it explains the status and leaves it", age: 20 * time.Second, events: []corev1.Event{probe},
			status: hosting.StatusUpdating, reason: "Unhealthy", message: "pod web-1: Readiness probe failed: 503"},
		{name: "also without the events", age: 20 * time.Second,
			status: hosting.StatusUpdating, reason: "Unhealthy", message: "pod web-1: its container runs, and its health check has not passed yet"},
		{name: "after the deadline it is a failure", age: 11 * time.Minute, events: []corev1.Event{probe},
			status: hosting.StatusFailed, reason: "ProgressDeadlineExceeded", message: "pod web-1: it is not ready after 10m0s: Readiness probe failed: 503"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := testSnapshot(hosting.TypeStatefulSet)
			s.anchor.record.Desired.UpdatedAt = hosting.NewTime(testNow.Add(-test.age))
			s.workload = &appsv1.StatefulSet{Status: appsv1.StatefulSetStatus{Replicas: 1, UpdatedReplicas: 1}}
			s.pods, s.warnings = []*corev1.Pod{unready(test.age)}, test.events
			got := s.state(testNow)
			assert.Equal(t, test.status, got.status)
			assert.Equal(t, test.reason, got.reason)
			assert.Equal(t, test.message, got.message)
			assert.Equal(t, test.reason != "", s.needsWarnings(testNow), "events are asked for only when they can tell something")
		})
	}
}

func TestAContainerThatJustCrashedIsNotTrusted(t *testing.T) {
	t.Parallel()
	running := func(since time.Duration) *snapshot {
		s := testSnapshot(hosting.TypeDeployment)
		s.workload = &appsv1.Deployment{Status: appsv1.DeploymentStatus{Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1}}
		p := unready(time.Hour)
		p.Status.Conditions[0].Status = corev1.ConditionTrue
		p.Status.ContainerStatuses[0].Ready = true
		p.Status.ContainerStatuses[0].State.Running.StartedAt = before(since)
		p.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 2}
		s.pods = []*corev1.Pod{p}
		return s
	}
	got := running(time.Second).state(testNow)
	assert.Equal(t, hosting.StatusDegraded, got.status)
	assert.Equal(t, "Crashed", got.reason)
	assert.Equal(t, hosting.StatusRunning, running(time.Minute).state(testNow).status)
}

func TestAChangeThatIsTakenBackHalfwayIsNotRunningBeforeItsReplicasAre(t *testing.T) {
	t.Parallel()
	s := testSnapshot(hosting.TypeStatefulSet)
	s.workload = &appsv1.StatefulSet{Spec: appsv1.StatefulSetSpec{Replicas: new(int32(2))}, Status: appsv1.StatefulSetStatus{
		Replicas: 2, ReadyReplicas: 2, UpdatedReplicas: 1, CurrentRevision: "a", UpdateRevision: "a"}}
	assert.Equal(t, hosting.StatusUpdating, s.state(testNow).status)
}

func TestAJobThatTriesAgainIsNotFailedButSaysWhy(t *testing.T) {
	t.Parallel()
	ended := pod(func(p *corev1.Pod) {
		p.Name, p.Status.Phase = "once-0", corev1.PodFailed
		p.OwnerReferences = []metav1.OwnerReference{{UID: "job-uid", Controller: new(true)}}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: 3, Message: "out of luck\n"}}}}
	})
	const why = "pod once-0: container ended with exit code 3; it wrote last:\nout of luck"
	job := func(status batchv1.JobStatus) *batchv1.Job {
		return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "once-1", UID: "job-uid"}, Status: status}
	}
	failed := batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionTrue,
		Reason: "BackoffLimitExceeded", Message: "too often"}}}

	s := testSnapshot(hosting.TypeJob)
	s.pods, s.workload = []*corev1.Pod{ended}, job(batchv1.JobStatus{Failed: 1})
	assert.Equal(t, state{status: hosting.StatusUpdating, reason: "Crashed", message: why, want: 1}, s.state(testNow))
	s.workload = job(failed)
	assert.Equal(t, state{status: hosting.StatusFailed, reason: "BackoffLimitExceeded", message: "too often: " + why, want: 1}, s.state(testNow))

	s = testSnapshot(hosting.TypeCronJob)
	s.workload, s.pods = &batchv1.CronJob{Spec: batchv1.CronJobSpec{Schedule: "0 0 1 1 *"}}, []*corev1.Pod{ended}
	s.workload.SetCreationTimestamp(before(time.Hour))
	s.runs = []*batchv1.Job{job(failed)}
	got := s.state(testNow)
	assert.Equal(t, hosting.StatusRunning, got.status, "the schedule is active")
	assert.Equal(t, "BackoffLimitExceeded", got.reason)
	assert.Equal(t, "run once-1: too often: "+why, got.message)
	assert.False(t, healthOf(got, testNow).Healthy)

	newer := job(batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}})
	newer.UID, newer.CreationTimestamp = types.UID("newer"), before(time.Minute)
	s.runs = append(s.runs, newer)
	assert.Empty(t, s.state(testNow).reason, "the newest run counts")
}

func TestARunThatWasDueAndDidNotStartIsLookedFor(t *testing.T) {
	t.Parallel()
	s := testSnapshot(hosting.TypeCronJob)
	cronJob := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Name: "web", UID: "cron-uid", CreationTimestamp: before(time.Hour)},
		Spec: batchv1.CronJobSpec{Schedule: "* * * * *"}}
	cronJob.Status.LastScheduleTime = new(before(30 * time.Second))
	s.workload = cronJob
	s.anchor.record.Desired.UpdatedAt = hosting.NewTime(testNow.Add(-time.Hour))
	assert.False(t, s.needsWarnings(testNow), "the next run is due in half a minute")
	cronJob.Status.LastScheduleTime = new(before(65 * time.Second))
	assert.Equal(t, "web", s.warningsOf(testNow))
	s.takeWarnings([]corev1.Event{{Reason: "FailedCreate", Message: "exceeded quota", LastTimestamp: before(time.Second),
		InvolvedObject: corev1.ObjectReference{UID: "cron-uid"}}}, testNow)
	assert.Equal(t, "FailedCreate", s.state(testNow).reason)
}

func TestAnEvictedReplicaIsToldUntilItsReplacementIsReady(t *testing.T) {
	t.Parallel()
	s := testSnapshot(hosting.TypeDeployment)
	s.anchor.record.Desired.UpdatedAt = hosting.NewTime(testNow.Add(-time.Hour))
	s.workload = &appsv1.Deployment{Status: appsv1.DeploymentStatus{Replicas: 1, UpdatedReplicas: 1}}
	s.pods = []*corev1.Pod{pod(func(p *corev1.Pod) {
		p.Name, p.CreationTimestamp = "web-1", before(time.Minute)
		p.Status.Phase, p.Status.Reason, p.Status.Message = corev1.PodFailed, "Evicted", "disk is full"
	}), pod(func(p *corev1.Pod) { p.Name, p.CreationTimestamp = "web-2", before(time.Second) })}
	got := s.state(testNow)
	assert.Equal(t, "Evicted", got.reason)
	assert.Equal(t, "pod web-1: disk is full", got.message)
	assert.NotEqual(t, hosting.StatusFailed, got.status)
}
