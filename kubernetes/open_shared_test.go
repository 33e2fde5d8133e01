//go:build linux

package kubernetes_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
)

// counted is busy and counts how often a host has looked.
type counted struct {
	busy
	looks atomic.Int64
}

func (c *counted) Metric(ctx context.Context, instance hosting.CloudInstance, rule hosting.ScaleRule) (float64, error) {
	c.looks.Add(1)
	return c.busy.Metric(ctx, instance, rule)
}

// sharingHost is one of the hosts that share the documents of a cluster.
type sharingHost struct {
	*provider.Host
	counted
	ended chan error // what Run returned
}

func runSharingHost(t *testing.T, text string) *sharingHost {
	t.Helper()
	config, err := provider.ParseConfig("hosting.yaml", []byte(text), nil)
	require.NoError(t, err)
	h := &sharingHost{ended: make(chan error, 1)}
	h.Host, err = provider.Open(t.Context(), config, map[string]driver.Opener{"kubernetes": kubernetes.Open}, provider.WithMetrics(h))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, h.Close()) })
	go func() { h.ended <- h.Run(t.Context()) }()
	return h
}

func TestHostsThatShareTheStoreOfAClusterActAsOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := fmt.Sprintf(`
hosting:
  kubernetes:
    kubeconfig: %s
    regions: [{name: main, namespace: %s}]
  monitoring: {metricsInterval: 1s}
  store: {type: provider}
`, w.cluster.KubeconfigFile(t, w.cluster.Config()), w.namespace)
	a, b := runSharingHost(t, text), runSharingHost(t, text)
	web, err := a.Provider().CreateInstance(t.Context(), hosting.CloudHostingConfig{InstanceName: "web", InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "registry.example.com/web:1"}})
	require.NoError(t, err)
	h := w.history(t)
	policy, err := a.Extension().CreateAutoScalePolicy(t.Context(), hosting.AutoScalePolicy{
		InstanceID: web.ID, Name: "more", Enabled: true, MinReplicas: 1, MaxReplicas: 5,
		ScaleUpRules: []hosting.ScaleRule{{
			MetricType: hosting.MetricCustom, MetricName: "load", Comparison: ">", Threshold: 50, StepSize: 1,
		}},
		CooldownPeriod: hosting.Duration(time.Hour),
	})
	require.NoError(t, err)
	seen, err := b.Extension().GetAutoScalePolicyByID(t.Context(), policy.PolicyID)
	require.NoError(t, err)
	assert.Equal(t, policy, seen, "what one host keeps, the other has")

	h.await(t, 1, 1, 2)
	leader, other := a, b
	if b.looks.Load() > 0 {
		leader, other = b, a
	}
	looks := leader.looks.Load()
	require.Positive(t, looks)
	require.Eventually(t, func() bool { return leader.looks.Load() >= looks+5 }, waitTime, 50*time.Millisecond)
	assert.Zero(t, other.looks.Load(), "only the leader looks")

	require.NoError(t, leader.Close())
	require.NoError(t, <-leader.ended)
	require.Eventually(t, func() bool { return other.looks.Load() >= 3 }, waitTime, 50*time.Millisecond, "the other one goes on")
	assert.Len(t, h.all(), 1, "it knows that the policy has just acted")
}
