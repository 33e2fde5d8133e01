//go:build linux

package kubernetes

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientset "k8s.io/client-go/kubernetes"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/testcluster"
)

func TestKubeletFiguresAreThereWithoutMetricsServer(t *testing.T) {
	t.Parallel()
	cluster := testcluster.Start(t)
	nodes, port, authority := fakeKubelets(t, "127.0.0.1")
	config := DefaultConfig()
	config.RESTConfig, config.Namespace = cluster.Config(), cluster.Namespace(t, "metrics")
	config.KubeletMetrics = &KubeletMetrics{CAData: authority, Port: port}
	p, err := New(t.Context(), config)
	require.NoError(t, err)
	instance, err := p.CreateInstance(t.Context(), testConfig(nil))
	require.NoError(t, err)
	metrics, err := p.GetMetrics(t.Context(), instance.ID)
	require.NoError(t, err)
	assert.Empty(t, metrics.Unavailable, "nothing runs yet, and that is known")
	assert.Zero(t, nodes["127.0.0.1"].requests.Load())

	pod := pretendToRun(t, cluster, config.Namespace, "127.0.0.1")
	second := 0
	nodes["127.0.0.1"].set(func(w http.ResponseWriter, r *http.Request) {
		assert.NotEmpty(t, r.TLS.PeerCertificates, "the provider's own certificate")
		second += 10
		fmt.Fprintf(w, `{"pods":[%s]}`, podJSON(string(pod.UID), second, int64(second)*100, int64(second), 42))
	})
	metrics, err = p.GetMetrics(t.Context(), instance.ID)
	require.NoError(t, err)
	assert.Equal(t, []string{"cpuUsage", "memoryUsage", "networkIn", "networkOut"}, metrics.Unavailable)
	assert.EqualValues(t, 42, metrics.DiskUsage)
	assert.Equal(t, []int{0, 1}, []int{metrics.ReadyReplicas, metrics.MeasuredReplicas}, "it runs, and is not ready")
	require.EventuallyWithT(t, func(c *assert.CollectT) { // the first answer is kept for some seconds
		metrics, err = p.GetMetrics(t.Context(), instance.ID)
		assert.NoError(c, err)
		assert.Equal(c, []string{"cpuUsage", "memoryUsage"}, metrics.Unavailable)
		assert.InDelta(c, 100, metrics.NetworkIn, 0.001)
		assert.InDelta(c, 1, metrics.NetworkOut, 0.001)
		assert.EqualValues(c, 42, metrics.DiskUsage)
	}, time.Minute, 500*time.Millisecond)

	require.NoError(t, p.StopInstance(t.Context(), instance.ID))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		metrics, err = p.GetMetrics(t.Context(), instance.ID)
		assert.NoError(c, err)
		assert.Empty(c, metrics.Unavailable)
		assert.Equal(c, hosting.InstanceMetrics{InstanceID: instance.ID, Timestamp: metrics.Timestamp}, metrics)
	}, time.Minute, 500*time.Millisecond)
}

// pretendToRun makes the one pod of a namespace running, as the kubelet of a
// node at the address would.
func pretendToRun(t *testing.T, cluster *testcluster.Cluster, namespace, address string) *corev1.Pod {
	t.Helper()
	client, err := clientset.NewForConfig(cluster.Config())
	require.NoError(t, err)
	var pod *corev1.Pod
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		list, err := client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
		assert.NoError(c, err)
		if assert.Len(c, list.Items, 1) {
			pod = &list.Items[0]
			pod.Status.Phase = corev1.PodRunning
			pod.Status.HostIP, pod.Status.HostIPs = address, []corev1.HostIP{{IP: address}}
			pod, err = client.CoreV1().Pods(namespace).UpdateStatus(t.Context(), pod, metav1.UpdateOptions{})
			assert.NoError(c, err)
		}
	}, time.Minute, 200*time.Millisecond)
	return pod
}
