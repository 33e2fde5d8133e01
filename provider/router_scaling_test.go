package provider_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
)

func TestAProviderWithoutAPreconditionIsLookedAtBeforeItIsScaled(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	const id = "a:default.deployment.web"
	f := filled(t, "web")
	r := newRouter(t, backend("a", f))
	require.NoError(t, r.ScaleFrom(ctx, id, 1, 3))
	got, err := r.GetInstance(ctx, id)
	require.NoError(t, err)
	assert.Equal(t, 3, got.Replicas)

	conflict := func(err error, message string) {
		t.Helper()
		e := failed(t, err)
		assert.Equal(t, hosting.ScaleFailed, e.Code)
		assert.Equal(t, hosting.Conflict, e.Reason)
		assert.Equal(t, id, e.InstanceID)
		assert.Contains(t, e.Message, message)
		assert.Equal(t, "a", e.Provider)
	}
	conflict(r.ScaleFrom(ctx, "default.deployment.web", 1, 5), "has 3 replicas, no longer 1")
	require.NoError(t, r.StopInstance(ctx, id))
	conflict(r.ScaleFrom(ctx, id, 0, 5), "is stopped")
	require.NoError(t, r.StartInstance(ctx, id))
	got, err = r.GetInstance(ctx, id)
	require.NoError(t, err)
	assert.Equal(t, 3, got.Replicas, "what was refused changed nothing")

	f.InjectCall(fake.CallFault{Method: "GetInstance", Calls: 1, Reason: hosting.Unavailable})
	e := failed(t, r.ScaleFrom(ctx, id, 3, 4))
	assert.Equal(t, hosting.ScaleFailed, e.Code)
	assert.Equal(t, hosting.Unavailable, e.Reason)
	assert.Equal(t, hosting.InstanceNotFound, failed(t, r.ScaleFrom(ctx, "a:default.deployment.none", 1, 2)).Code)
	require.NoError(t, r.TakeOver(ctx, id))
	require.NoError(t, r.GiveBack(ctx, id))
	assert.Equal(t, hosting.InstanceNotFound, failed(t, r.TakeOver(ctx, "x:default.deployment.web")).Code)
}

func TestAProviderWithoutChecksSaysSo(t *testing.T) {
	t.Parallel()
	_, err := newRouter(t, backend("a", fake.New())).CheckConfig(t.Context(), deployment("web"))
	e := failed(t, err)
	assert.Equal(t, hosting.CompatibilityFailed, e.Code)
	assert.Equal(t, hosting.Unsupported, e.Reason)
}
