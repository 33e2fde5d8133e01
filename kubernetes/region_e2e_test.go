//go:build linux && e2e

package kubernetes_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/testcluster"
	"skillcenter.io/hosting/kubernetes"
)

func TestTwoClustersAreTwoRegionsOfOneProvider(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	away := testcluster.Start(t)
	// The same namespace in another cluster would be another place, too.
	namespace := away.Namespace(t, "away")
	p := w.provider(t, w.cluster.Config(), smallPods, func(c *kubernetes.Config) {
		c.Regions = append(c.Regions, kubernetes.Region{
			Name: "away", Namespace: namespace, Kubeconfig: away.KubeconfigFile(t, away.Config()),
		})
	})
	require.NoError(t, p.Check(t.Context()))

	here, there := serving("web"), serving("web")
	there.Region = "away"
	running, err := p.CreateInstance(t.Context(), here)
	require.NoError(t, err)
	pending, err := p.CreateInstance(t.Context(), there)
	require.NoError(t, err)
	assert.Equal(t, "default.deployment.web", running.ID)
	assert.Equal(t, "away.deployment.web", pending.ID)
	w.await(t, running.ID, hosting.StatusRunning)

	list, err := p.ListInstances(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 2)
	assert.Equal(t, pending.ID, list[0].ID)
	assert.NotEqual(t, hosting.StatusRunning, list[0].Status, "the other cluster has no node")
	assert.Equal(t, running.ID, list[1].ID)
	assert.Equal(t, hosting.StatusRunning, list[1].Status)

	require.NoError(t, p.DeleteInstance(t.Context(), pending.ID))
	got, err := p.GetInstance(t.Context(), running.ID)
	require.NoError(t, err)
	assert.Equal(t, hosting.StatusRunning, got.Status)
}
