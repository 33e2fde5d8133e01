package provider_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
	"skillcenter.io/hosting/provider/store"
)

// taken counts what is asked of the instances of a fake.
type taken struct {
	*fake.Provider
	takeOvers, giveBacks *int
}

func (s taken) TakeOver(ctx context.Context, instanceID string) error {
	*s.takeOvers++
	return s.Provider.TakeOver(ctx, instanceID)
}

func (s taken) GiveBack(ctx context.Context, instanceID string) error {
	*s.giveBacks++
	return s.Provider.GiveBack(ctx, instanceID)
}

// shared is a policy of an instance of provider b, in a store that processes
// with and without b share.
type shared struct {
	t         *testing.T
	store     store.Store
	a, b      *fake.Provider
	scaling   taken
	policy    hosting.AutoScalePolicy
	extension *provider.Extension
}

func newShared(t *testing.T) shared {
	t.Helper()
	atOnce := fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload { return fake.Workload{StartTime: -1, StopTime: -1} })
	s := shared{t: t, store: store.NewMemory(), a: fake.New(), b: fake.New(atOnce)}
	s.scaling = taken{s.b, new(int), new(int)}
	config := deployment("web")
	config.Provider = "b"
	web, err := s.whole().CreateInstance(t.Context(), config)
	require.NoError(t, err)
	s.extension = provider.NewExtension(provider.ExtensionConfig{Router: s.whole(), AutoScaler: s.process(s.whole())})
	s.policy, err = s.extension.CreateAutoScalePolicy(t.Context(), policyOf(web.ID))
	require.NoError(t, err)
	return s
}

func (s shared) whole() *provider.Router {
	return newRouter(s.t, backend("a", s.a), provider.Named{Name: "b", Backend: driver.Backend{Provider: s.b, Scaling: s.scaling}})
}

// process is the autoscaler of a process that has been started anew.
func (s shared) process(r *provider.Router) *autoscale.Controller {
	s.t.Helper()
	c, err := autoscale.New(autoscale.Config{Provider: r, Backend: r, Store: s.store, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(s.t, err)
	return c
}

// leads lets a process look a few times.
func (s shared) leads(c *autoscale.Controller) {
	s.t.Helper()
	for range 3 {
		require.NoError(s.t, c.Tick(s.t.Context()))
	}
}

func (s shared) documents() int {
	s.t.Helper()
	documents, err := s.store.List(s.t.Context(), "policy")
	require.NoError(s.t, err)
	return len(documents)
}

func TestAPolicyStaysWhileItsProviderIsUnknownOrDown(t *testing.T) {
	t.Parallel()
	s := newShared(t)
	s.leads(s.process(newRouter(t, backend("a", s.a))))
	assert.Equal(t, 1, s.documents(), "a process that does not know the provider")

	knows := s.process(s.whole())
	s.leads(knows)
	for _, reason := range []hosting.Reason{hosting.Unavailable, hosting.DeadlineExceeded, hosting.PermissionDenied, hosting.NotFound} {
		s.b.InjectCall(fake.CallFault{Reason: reason, Message: "it is down"})
		s.leads(knows)
		s.leads(s.process(s.whole()))
		s.b.ClearFaults()
		assert.Equal(t, 1, s.documents(), "%s of a provider that is down", reason)
	}
	require.NoError(t, s.b.DeleteInstance(t.Context(), "default.deployment.web"))
	s.leads(s.process(newRouter(t, backend("a", s.a))))
	s.leads(s.process(s.whole()))
	assert.Equal(t, 1, s.documents(), "a process that has not seen the instance")
	s.leads(knows)
	assert.Zero(t, s.documents(), "it goes with its instance")
}

func TestAnInstanceIsGivenBackByAProcessThatKnowsItsProvider(t *testing.T) {
	t.Parallel()
	for how, end := range map[string]func(context.Context, shared) error{
		"disabled": func(ctx context.Context, s shared) error {
			return s.extension.DisableAutoScalePolicy(ctx, s.policy.PolicyID)
		},
		"deleted": func(ctx context.Context, s shared) error {
			return s.extension.DeleteAutoScalePolicy(ctx, s.policy.PolicyID)
		},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newShared(t)
			s.leads(s.process(s.whole()))
			require.Equal(t, 1, *s.scaling.takeOvers)
			require.NoError(t, end(t.Context(), s))
			s.leads(s.process(newRouter(t, backend("a", s.a))))
			require.Zero(t, *s.scaling.giveBacks)
			s.leads(s.process(s.whole()))
			assert.Equal(t, 1, *s.scaling.giveBacks)
			assert.Equal(t, map[string]int{"disabled": 1, "deleted": 0}[how], s.documents())
		})
	}
}
