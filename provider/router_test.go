package provider_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
)

func TestBackendsMustHaveNamesThatIdsCanCarry(t *testing.T) {
	t.Parallel()
	good := backend("a", fake.New())
	for what, c := range map[string]struct {
		fallback string
		backends []provider.Named
		message  string
	}{
		"none":                {"a", nil, "there is no provider"},
		"an unknown default":  {"c", []provider.Named{good, backend("b", fake.New())}, `defaultProvider "c": allowed: a, b`},
		"no default":          {"", []provider.Named{good}, `defaultProvider "": allowed: a`},
		"a name twice":        {"a", []provider.Named{good, good}, `two providers have the name "a"`},
		"no name":             {"a", []provider.Named{good, backend("", fake.New())}, `the name of provider ""`},
		"a name with a colon": {"a", []provider.Named{good, backend("x:y", fake.New())}, `the name of provider "x:y"`},
		"a nil provider":      {"a", []provider.Named{good, {Name: "b", Backend: driver.Backend{}}}, `provider "b" is nil`},
	} {
		_, err := provider.NewRouter(c.fallback, c.backends)
		e := failed(t, err)
		assert.Equal(t, hosting.InvalidConfig, e.Code, what)
		assert.Contains(t, e.Message, c.message, what)
	}
}

func TestTheDefaultProviderComesFirstAndNothingTwice(t *testing.T) {
	t.Parallel()
	r, err := provider.NewRouter("b", []provider.Named{
		backend("a", fake.New(fake.WithRegions("north", "south"), fake.WithInstanceTypes("deployment", "job"))),
		backend("b", fake.New(fake.WithRegions("south", "east"), fake.WithInstanceTypes("job", "lambda"))),
	})
	require.NoError(t, err)
	assert.Equal(t, "b", r.ProviderName())
	assert.Equal(t, []string{"south", "east", "north"}, r.SupportedRegions())
	assert.Equal(t, []string{"job", "lambda", "deployment"}, r.SupportedInstanceTypes())
	b, ok := r.Backend("a")
	assert.True(t, ok)
	assert.Equal(t, "a", b.Name)
	_, ok = r.Backend("c")
	assert.False(t, ok)
	var names []string
	for _, n := range r.Backends() {
		names = append(names, n.Name)
	}
	assert.Equal(t, []string{"b", "a"}, names)
}

// Both providers behave alike, whichever is the default one.
func TestTwoProvidersServeThroughOneRouter(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	memory, other := fake.New(), fake.New()
	r := newRouter(t, backend("a", memory), backend("b", other))
	for _, name := range []string{"a", "b"} {
		config := deployment("web")
		config.Provider = name
		created, err := r.CreateInstance(ctx, config)
		require.NoError(t, err)
		assert.Equal(t, name+":default.deployment.web", created.ID)
		assert.Equal(t, name, created.Provider)
		assert.Equal(t, "fake", created.ProviderType)
		again, err := r.CreateInstance(ctx, config)
		require.NoError(t, err)
		assert.Equal(t, created.ID, again.ID)
	}
	list, err := r.ListInstances(ctx)
	require.NoError(t, err)
	require.Len(t, list, 2)
	for i, id := range []string{"a:default.deployment.web", "b:default.deployment.web"} {
		assert.Equal(t, id, list[i].ID)
		require.NoError(t, r.ScaleInstance(ctx, id, 2+i))
		got, err := r.GetInstance(ctx, id)
		require.NoError(t, err)
		assert.Equal(t, 2+i, got.Replicas)
		require.NoError(t, r.StopInstance(ctx, id))
		require.NoError(t, r.StartInstance(ctx, id))
		require.NoError(t, hosting.RecordEvent(ctx, r, id, hosting.InstanceEvent{Type: hosting.EventNormal, Reason: "Test", Message: id}))
		events, err := r.GetEvents(ctx, id)
		require.NoError(t, err)
		assert.Equal(t, id, events[len(events)-1].Message)
	}
	bare, err := r.GetInstance(ctx, "default.deployment.web")
	require.NoError(t, err)
	assert.Equal(t, "a:default.deployment.web", bare.ID, "a bare id means the default provider")
	require.NoError(t, r.DeleteInstance(ctx, "b:default.deployment.web"))
	onOther, err := other.GetInstance(ctx, "default.deployment.web")
	require.NoError(t, err)
	assert.Equal(t, hosting.StatusTerminating, onOther.Status)
	onMemory, err := memory.GetInstance(ctx, "default.deployment.web")
	require.NoError(t, err)
	assert.NotEqual(t, hosting.StatusTerminating, onMemory.Status)
}

func TestAnIDOfAProviderThatIsNotThereIsNotFound(t *testing.T) {
	t.Parallel()
	services := &echo{}
	a := backend("a", fake.New())
	a.Services = services
	r := newRouter(t, a, backend("b", fake.New()))
	_, instance := r.GetInstance(t.Context(), "c:default.deployment.web")
	_, volume := r.GetVolume(t.Context(), "c:default.volume.data")
	_, service := r.GetService(t.Context(), "c:default.service.web")
	for code, err := range map[hosting.Code]error{
		hosting.InstanceNotFound: instance, hosting.VolumeNotFound: volume, hosting.ServiceNotFound: service,
		hosting.VolumeFailed: r.DeleteVolume(t.Context(), "volume"), hosting.ServiceFailed: r.UnregisterService(t.Context(), "service"),
	} {
		e := failed(t, err)
		assert.Equal(t, code, e.Code)
		if e.Reason == hosting.NotFound {
			assert.Contains(t, e.Message, `there is no provider "c", there are: a, b`)
		} else {
			assert.Equal(t, hosting.InvalidArgument, e.Reason)
		}
	}
	assert.Equal(t, "c:default.deployment.web", failed(t, instance).InstanceID)
}

func TestCloseClosesEveryBackendOnce(t *testing.T) {
	t.Parallel()
	f := fake.New()
	closed := 0
	b := backend("b", fake.New())
	b.Close = func() error {
		closed++
		return hosting.Unavailable
	}
	r := newRouter(t, backend("a", f), b)
	err := r.Close()
	assert.ErrorContains(t, err, "provider b")
	assert.Equal(t, err, r.Close())
	assert.Equal(t, 1, closed)
	_, err = f.ListInstances(t.Context())
	assert.ErrorIs(t, err, hosting.Unavailable, "the one without Close is closed too")
}
