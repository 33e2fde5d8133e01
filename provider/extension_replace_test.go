package provider_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/golang/mock/gomock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/internal/mocks"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/store"
)

func TestTheExtensionReplacesAPolicyThatIsWhatWasSeen(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := newRouter(t, backend("a", fake.New()), backend("b", fake.New()))
	config := deployment("web")
	config.Provider = "b"
	web, err := r.CreateInstance(ctx, config)
	require.NoError(t, err)
	controller, err := autoscale.New(autoscale.Config{Provider: r, Backend: r, Store: store.NewMemory(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	e := provider.NewExtension(provider.ExtensionConfig{Router: r, AutoScaler: controller})
	policy := policyOf(web.ID)
	policy.Enabled = false
	seen, err := e.CreateAutoScalePolicy(ctx, policy)
	require.NoError(t, err)
	next := seen
	next.MaxReplicas = 9
	replaced, err := hosting.ReplaceAutoScalePolicy(ctx, e, seen.PolicyID, seen, next)
	require.NoError(t, err)
	assert.Equal(t, next, replaced)
	_, err = hosting.ReplaceAutoScalePolicy(ctx, e, seen.PolicyID, seen, next)
	failure := failed(t, err)
	assert.Equal(t, hosting.Conflict, failure.Reason)
	assert.Equal(t, "b", failure.Provider)
	_, err = hosting.ReplaceAutoScalePolicy(ctx, e, "default.policy.web", seen, next)
	assert.Equal(t, hosting.PolicyNotFound, failed(t, err).Code, "of a, which has none")
	_, err = hosting.ReplaceAutoScalePolicy(ctx, e, "web", seen, next)
	assert.Equal(t, hosting.InvalidArgument, failed(t, err).Reason)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = hosting.ReplaceAutoScalePolicy(ended, e, seen.PolicyID, replaced, next)
	assert.Equal(t, hosting.Canceled, failed(t, err).Reason)
}

func TestAnAutoScalerThatCannotReplaceIsUnsupported(t *testing.T) {
	t.Parallel()
	policies := mocks.NewMockHostingExtensionSdkAdapter(gomock.NewController(t))
	e := provider.NewExtension(provider.ExtensionConfig{Router: newRouter(t, backend("a", fake.New())), AutoScaler: policies})
	_, err := e.ReplaceAutoScalePolicy(t.Context(), "default.policy.web", hosting.AutoScalePolicy{}, hosting.AutoScalePolicy{InstanceID: "default.deployment.web"})
	failure := failed(t, err)
	assert.Equal(t, hosting.Unsupported, failure.Reason)
	assert.Equal(t, "a", failure.Provider)
	assert.Equal(t, "a:default.deployment.web", failure.InstanceID)
}
