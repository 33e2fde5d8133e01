//go:build linux && e2e

package kubernetes_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

// fromKubelets trusts the kubelet of the test cluster, which has a certificate
// of its own making.
func fromKubelets(c *kubernetes.Config) {
	c.KubeletMetrics = &kubernetes.KubeletMetrics{InsecureSkipVerify: true}
}

// nodeStats is the one permission beyond a namespace.
var nodeStats = rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"nodes/stats"}, Verbs: []string{"get"}}

func TestTrafficAndDiskOfPodsAreMeasuredWithNodesStatsAlone(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	instance := w.run(t, serving("web"))
	address := w.podAddress(t, "web")
	all := rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}
	user := w.cluster.User(t, "metrics-"+w.namespace, w.namespace, all)
	w.cluster.User(t, "metrics-"+w.namespace, "", nodeStats)
	p := w.provider(t, user, smallPods, fromKubelets)
	require.NoError(t, p.Check(t.Context()))

	ctx, cancel := context.WithCancel(t.Context())
	const size, pause = 200_000, 100 * time.Millisecond
	traffic := make(chan error, 1)
	go func() { traffic <- send(ctx, "http://"+address+":8080/", size, pause) }()
	defer func() { cancel(); assert.NoError(t, <-traffic) }()

	var metrics hosting.InstanceMetrics
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var err error
		metrics, err = p.GetMetrics(t.Context(), instance.ID)
		assert.NoError(c, err)
		assert.NotContains(c, metrics.Unavailable, "networkIn")
		assert.NotContains(c, metrics.Unavailable, "networkOut")
		assert.NotContains(c, metrics.Unavailable, "diskUsage")
		// Packets have heads, and a busy machine sends less.
		assert.InEpsilon(c, size/pause.Seconds(), metrics.NetworkIn, 0.6)
		assert.Positive(c, metrics.NetworkOut)
		assert.Less(c, metrics.NetworkOut, metrics.NetworkIn)
	}, waitTime, time.Second)
	t.Logf("in %.0f B/s, out %.0f B/s, disk %d B", metrics.NetworkIn, metrics.NetworkOut, metrics.DiskUsage)
	cancel()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		metrics, err := p.GetMetrics(t.Context(), instance.ID)
		assert.NoError(c, err)
		assert.NotContains(c, metrics.Unavailable, "networkIn")
		assert.Less(c, metrics.NetworkIn, size/pause.Seconds()/10, "the traffic has ended")
	}, waitTime, time.Second)
}

// send posts bodies of a size until ctx ends.
func send(ctx context.Context, address string, size int, pause time.Duration) error {
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			err = response.Body.Close()
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

func TestWithoutNodesStatsTheRestIsMeasured(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	instance := w.run(t, serving("web"))
	user := w.cluster.User(t, "no-stats-"+w.namespace, w.namespace,
		rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}})
	p := w.provider(t, user, smallPods, fromKubelets)
	err := p.Check(t.Context())
	require.ErrorIs(t, err, hosting.PermissionDenied)
	assert.Contains(t, err.Error(), "nodes/stats")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		metrics, err := p.GetMetrics(t.Context(), instance.ID)
		assert.NoError(c, err)
		assert.Equal(c, []string{"diskUsage", "networkIn", "networkOut"}, metrics.Unavailable)
		assert.Positive(c, metrics.MemoryUsage)
	}, waitTime, time.Second)
}

func TestWhatAPodWritesIsItsDiskUsage(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	const written = 20 << 20
	const image = "skillcenter.io/test/writer:v1"
	w.cluster.LoadImage(t, image, "../internal/testcluster/images/writer")
	quiet, writer := serving("quiet"), serving("writer")
	writer.Container.Image, writer.Container.Ports = image, nil
	writer.Container.Args = []string{"-bytes", fmt.Sprint(written)}
	first, second := w.run(t, quiet), w.run(t, writer)
	p := w.provider(t, w.cluster.Config(), smallPods, fromKubelets)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		small, err := p.GetMetrics(t.Context(), first.ID)
		assert.NoError(c, err)
		large, err := p.GetMetrics(t.Context(), second.ID)
		assert.NoError(c, err)
		assert.NotContains(c, small.Unavailable, "diskUsage")
		assert.NotContains(c, large.Unavailable, "diskUsage")
		assert.Less(c, small.DiskUsage, int64(written))
		assert.GreaterOrEqual(c, large.DiskUsage, int64(written))
		assert.Less(c, large.DiskUsage, int64(2*written))
	}, waitTime, time.Second)
}

func (w *world) podAddress(t *testing.T, name string) string {
	t.Helper()
	pods, err := w.client.CoreV1().Pods(w.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "skillcenter.io/name=" + name})
	require.NoError(t, err)
	require.Len(t, pods.Items, 1)
	return pods.Items[0].Status.PodIP
}
