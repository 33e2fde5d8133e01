package kubernetes

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
)

// fillMirror stores running instances of a Deployment with a Service, an
// Ingress and one pod, each decoded from protobuf as a watch does.
func fillMirror(t *testing.T, n int) *regionMirror {
	t.Helper()
	p := testProvider(t, func(c *Config) { c.Defaults.IngressDomain = "example.com" })
	m := newRegionMirror(p, p.regions["default"])
	now := metav1.Now()
	for i := range n {
		r, err := p.resolve(testConfig(func(c *hosting.CloudHostingConfig) {
			c.InstanceName = fmt.Sprintf("web-%d", i)
			c.Labels = map[string]string{"team": "blue", "stage": "production"}
			c.Container.Ports, c.Container.Env = []int{8080}, map[string]string{"LOG_LEVEL": "info"}
		}))
		require.NoError(t, err)
		r.Desired.CreatedAt, r.Desired.UpdatedAt = hosting.NewTime(now.Time), hosting.NewTime(now.Time)
		anchor, err := p.newAnchor(r)
		require.NoError(t, err)
		uid := types.UID(fmt.Sprintf("%036d", i))
		anchor.UID, anchor.ResourceVersion = uid, "123456789"
		owner := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: anchor.Name, UID: uid}
		require.NoError(t, m.anchors.Update(wired(t, anchor, &corev1.ConfigMap{})))
		for _, part := range p.parts(r, nil) {
			part.object.SetOwnerReferences([]metav1.OwnerReference{owner})
			part.object.SetUID(uid)
			part.object.SetResourceVersion("123456790")
			switch o := part.object.(type) {
			case *corev1.Service:
				require.NoError(t, m.services.Update(wired(t, o, &corev1.Service{})))
			case *appsv1.Deployment:
				o.Generation = 1
				o.Status = appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
					Conditions: []appsv1.DeploymentCondition{
						{Type: appsv1.DeploymentAvailable, Status: "True", Reason: "MinimumReplicasAvailable", Message: "Deployment has minimum availability."},
						{Type: appsv1.DeploymentProgressing, Status: "True", Reason: reasonRolledOut, Message: "ReplicaSet has successfully progressed."}}}
				require.NoError(t, m.workloads[hosting.TypeDeployment].Update(wired(t, o, &appsv1.Deployment{})))
				pod := &corev1.Pod{ObjectMeta: *o.Spec.Template.ObjectMeta.DeepCopy(), Spec: *o.Spec.Template.Spec.DeepCopy()}
				pod.Name, pod.UID, pod.Labels["pod-template-hash"] = o.Name+"-5d4f8c7b9-abcde", uid, "5d4f8c7b9"
				pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(o, replicaSetKindVersion)}
				pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, HostIP: "10.0.0.1", PodIP: "10.0.1.1",
					ContainerStatuses: []corev1.ContainerStatus{{Name: "main", Image: "nginx:1.29", ImageID: "sha256:0123", ContainerID: "containerd://0123", Ready: true,
						State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}}}}
				for _, c := range []corev1.PodConditionType{"PodReadyToStartContainers", corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled} {
					pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: c, Status: corev1.ConditionTrue, LastTransitionTime: now})
				}
				require.NoError(t, m.pods.Update(wired(t, pod, &corev1.Pod{})))
			default:
				if part.resource == ingresses {
					require.NoError(t, m.ingresses.Update(part.object))
				}
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refresh(time.Now(), 0)
	return m
}

var replicaSetKindVersion = appsv1.SchemeGroupVersion.WithKind("ReplicaSet")

// wired sends an object through its encoding, so that it shares no memory.
func wired[T interface {
	object
	Unmarshal([]byte) error
}](t *testing.T, from interface{ Marshal() ([]byte, error) }, to T) T {
	t.Helper()
	data, err := from.Marshal()
	require.NoError(t, err)
	require.NoError(t, to.Unmarshal(data))
	return to
}

func heapInUse() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// Not parallel: it measures the heap.
func TestAnInstanceWithOnePodTakesLessThanTenKilobytes(t *testing.T) {
	const n = 2000
	before := heapInUse()
	m := fillMirror(t, n)
	each := float64(heapInUse()-before) / n
	t.Logf("%.0f bytes per instance", each)
	assert.Less(t, each, 10_000.)

	m.mu.Lock()
	views := m.all()
	m.mu.Unlock()
	require.Len(t, views, n)
	require.Equal(t, hosting.StatusRunning, views[0].instance.Status)
	require.NotNil(t, views[0].instance.Endpoint)
	require.Empty(t, m.unsteady, "a running instance is not looked at again")
	runtime.KeepAlive(m)
}
