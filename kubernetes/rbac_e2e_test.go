//go:build linux && e2e

package kubernetes_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/conformance"
)

func TestFollowingRestartsNeedsToGetPods(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	config := serving("restless")
	container := skill(conformance.Serve)
	container.Args = []string{"-no-server", "-every", "100ms", "-exit-after", "2s", "-exit-code", "1"}
	config.Container = &container
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	removed := permission{"", "pods", "get"}
	limited := w.provider(t, w.as(t, w.namespace+"-follower", without(permissions(shippedRules(t, namespacedFile)), removed)), smallPods)
	ctx, cancel := context.WithTimeout(t.Context(), waitTime)
	defer cancel()
	for _, err = range limited.StreamLogs(ctx, instance.ID, hosting.LogQueryOptions{Follow: true}) {
		if err != nil {
			break
		}
	}
	require.ErrorIs(t, err, hosting.PermissionDenied)
	require.Contains(t, err.Error(), `cannot get resource "pods"`)
	ctx, cancel = context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	lines := 0
	for _, err := range w.provider(t, w.asShipped(t), smallPods).StreamLogs(ctx, instance.ID, hosting.LogQueryOptions{Follow: true}) {
		require.NoError(t, err)
		lines++
	}
	require.NotZero(t, lines)
}
