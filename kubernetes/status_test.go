package kubernetes

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
)

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestStatusOfADeployment(t *testing.T) {
	t.Parallel()
	deployment := func(change func(*appsv1.Deployment)) *appsv1.Deployment {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Generation: 2}, Spec: appsv1.DeploymentSpec{Replicas: new(int32(2))}}
		d.Status = appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2}
		change(d)
		return d
	}
	starting, broken := corev1.Pod{}, pod(func(p *corev1.Pod) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}}}}
	})
	for _, test := range []struct {
		name     string
		workload *appsv1.Deployment
		pods     []*corev1.Pod
		status   hosting.Status
		reason   string
	}{
		{name: "all ready is running", workload: deployment(func(*appsv1.Deployment) {}), status: hosting.StatusRunning},
		{name: "what the controller has not seen is not running",
			workload: deployment(func(d *appsv1.Deployment) { d.Status.ObservedGeneration = 1 }), status: hosting.StatusUpdating},
		{name: "ready replicas of the old configuration do not count",
			workload: deployment(func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 1 }), status: hosting.StatusUpdating},
		{name: "an old replica that is left is not running",
			workload: deployment(func(d *appsv1.Deployment) { d.Status.Replicas = 3 }), status: hosting.StatusUpdating},
		{name: "a replica on its way is no failure",
			workload: deployment(func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 0 }), pods: []*corev1.Pod{&starting}, status: hosting.StatusUpdating},
		{name: "nothing ready and a reason is failed",
			workload: deployment(func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 0 }), pods: []*corev1.Pod{broken},
			status: hosting.StatusFailed, reason: "ImagePullBackOff"},
		{name: "some ready and a reason is degraded",
			workload: deployment(func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 1 }), pods: []*corev1.Pod{broken},
			status: hosting.StatusDegraded, reason: "ImagePullBackOff"},
		{name: "an update whose pods cannot start is degraded while the old ones serve",
			workload: deployment(func(d *appsv1.Deployment) { d.Status.Replicas, d.Status.UpdatedReplicas = 3, 1 }), pods: []*corev1.Pod{broken},
			status: hosting.StatusDegraded, reason: "ImagePullBackOff"},
		{name: "pods that a quota forbids are a failure",
			workload: deployment(func(d *appsv1.Deployment) {
				d.Status = appsv1.DeploymentStatus{ObservedGeneration: 2, Conditions: []appsv1.DeploymentCondition{
					{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "exceeded quota"}}}
			}), status: hosting.StatusFailed, reason: "FailedCreate"},
		{name: "a pod that has been ready is degraded, not on its way",
			workload: deployment(func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 1 }),
			pods: []*corev1.Pod{pod(func(p *corev1.Pod) {
				p.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(testNow.Add(-time.Hour))}}}}
				p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(testNow.Add(-time.Minute))}}
			})}, status: hosting.StatusDegraded, reason: "NotReady"},
		{name: "a crashing pod of the old configuration says nothing about the new one",
			workload: deployment(func(d *appsv1.Deployment) { d.Status.ObservedGeneration, d.Status.ReadyReplicas = 1, 0 }), pods: []*corev1.Pod{broken},
			status: hosting.StatusUpdating},
		{name: "nor before the new one has pods",
			workload: deployment(func(d *appsv1.Deployment) { d.Status.UpdatedReplicas, d.Status.ReadyReplicas = 0, 0 }), pods: []*corev1.Pod{broken},
			status: hosting.StatusUpdating},
		{name: "a replica that was lost long after the change is starting",
			workload: deployment(func(d *appsv1.Deployment) {
				d.Status.ReadyReplicas = 1
				d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"}}
			}), pods: []*corev1.Pod{pod(func(p *corev1.Pod) { p.CreationTimestamp = metav1.NewTime(testNow.Add(time.Hour)) }), &starting},
			status: hosting.StatusStarting},
		{name: "scaled up by hand while it was stopped is not stopped",
			workload: deployment(func(d *appsv1.Deployment) { d.Annotations = map[string]string{annotationStoppedReplicas: "2"} }),
			status:   hosting.StatusRunning},
		{name: "a stop that the controller has not seen is stopping",
			workload: deployment(func(d *appsv1.Deployment) {
				d.Annotations = map[string]string{annotationStoppedReplicas: "2"}
				d.Spec.Replicas, d.Status = new(int32(0)), appsv1.DeploymentStatus{}
			}), status: hosting.StatusStopping},
		{name: "no replicas wanted is running, and says why none runs",
			workload: deployment(func(d *appsv1.Deployment) { d.Spec.Replicas, d.Status.Replicas = new(int32(0)), 0 }),
			status:   hosting.StatusRunning, reason: "ScaledToZero"},
		{name: "stopped with pods left is stopping",
			workload: deployment(func(d *appsv1.Deployment) {
				d.Annotations = map[string]string{annotationStoppedReplicas: "2"}
				d.Spec.Replicas, d.Status.Replicas = new(int32(0)), 0
			}), pods: []*corev1.Pod{&starting}, status: hosting.StatusStopping},
		{name: "stopped with none left is stopped",
			workload: deployment(func(d *appsv1.Deployment) {
				d.Annotations = map[string]string{annotationStoppedReplicas: "2"}
				d.Spec.Replicas, d.Status.Replicas = new(int32(0)), 0
			}), status: hosting.StatusStopped},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := testSnapshot(hosting.TypeDeployment)
			s.workload, s.pods = test.workload, test.pods
			got := s.state(testNow)
			assert.Equal(t, test.status, got.status)
			assert.Equal(t, test.reason, got.reason)
		})
	}
}

func TestStatusOfAJob(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		spec   batchv1.JobSpec
		status batchv1.JobStatus
		want   hosting.Status
	}{
		{"not ready yet", batchv1.JobSpec{}, batchv1.JobStatus{Active: 1}, hosting.StatusUpdating},
		{"all pods run", batchv1.JobSpec{}, batchv1.JobStatus{Active: 1, Ready: new(int32(1))}, hosting.StatusRunning},
		{"half done and half running", batchv1.JobSpec{Parallelism: new(int32(2))}, batchv1.JobStatus{Active: 1, Ready: new(int32(1)), Succeeded: 1}, hosting.StatusRunning},
		{"suspended with pods", batchv1.JobSpec{Suspend: new(true)}, batchv1.JobStatus{Active: 1}, hosting.StatusStopping},
		{"suspended", batchv1.JobSpec{Suspend: new(true)}, batchv1.JobStatus{}, hosting.StatusStopped},
		{"complete", batchv1.JobSpec{}, jobStatus(batchv1.JobComplete), hosting.StatusCompleted},
		{"failed", batchv1.JobSpec{}, jobStatus(batchv1.JobFailed), hosting.StatusFailed},
		{"complete goes before suspended", batchv1.JobSpec{Suspend: new(true)}, jobStatus(batchv1.JobComplete), hosting.StatusCompleted},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := testSnapshot(hosting.TypeJob)
			s.workload = &batchv1.Job{Spec: test.spec, Status: test.status}
			assert.Equal(t, test.want, s.state(testNow).status)
		})
	}
}

func TestAnchorWithoutAWorkloadIsCreatingAndThenFailed(t *testing.T) {
	t.Parallel()
	s := testSnapshot(hosting.TypeDeployment)
	s.anchor.record.Desired.UpdatedAt = hosting.NewTime(testNow.Add(-time.Second))
	assert.Equal(t, hosting.StatusCreating, s.state(testNow).status)
	s.anchor.record.Desired.UpdatedAt = hosting.NewTime(testNow.Add(-time.Hour))
	got := s.state(testNow)
	assert.Equal(t, hosting.StatusFailed, got.status)
	assert.Equal(t, "Incomplete", got.reason)
}

func TestAnchorBeingDeletedIsTerminating(t *testing.T) {
	t.Parallel()
	s := testSnapshot(hosting.TypeDeployment)
	s.anchor.DeletionTimestamp = new(metav1.NewTime(testNow))
	assert.Equal(t, hosting.StatusTerminating, s.state(testNow).status)
}

func TestPodFailureExplains(t *testing.T) {
	t.Parallel()
	crashed := corev1.ContainerStatus{
		State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 10s"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}},
	}
	reason, message := podFailure(pod(func(p *corev1.Pod) { p.Status.ContainerStatuses = []corev1.ContainerStatus{crashed} }), testNow)
	assert.Equal(t, "OOMKilled", reason)
	assert.Equal(t, "container ended with exit code 137 (OOMKilled): back-off 10s", message)

	unschedulable := func(age time.Duration) *corev1.Pod {
		return pod(func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable",
				Message: "0/1 nodes are available", LastTransitionTime: metav1.NewTime(testNow.Add(-age))}}
		})
	}
	reason, _ = podFailure(unschedulable(time.Second), testNow)
	assert.Empty(t, reason, "a node may be about to have room")
	reason, _ = podFailure(unschedulable(time.Minute), testNow)
	assert.Equal(t, "Unschedulable", reason)
}

func testSnapshot(instanceType string) *snapshot {
	return &snapshot{
		target: target{kind: kinds[instanceType]},
		anchor: &anchor{ConfigMap: &corev1.ConfigMap{}, record: record{Desired: desired{Operation: hosting.StatusUpdating, UpdatedAt: hosting.NewTime(testNow)}}},
	}
}

func pod(change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{}
	change(p)
	return p
}

func jobStatus(condition batchv1.JobConditionType) batchv1.JobStatus {
	return batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: condition, Status: corev1.ConditionTrue}}}
}
