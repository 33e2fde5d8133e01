package provider_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
	"skillcenter.io/hosting/provider/store"
	"skillcenter.io/hosting/provider/store/boltstore"
)

// opens returns an opener that gives every backend to change before it is used.
func opens(change func(name string, b *driver.Backend)) driver.Opener {
	return func(ctx context.Context, env driver.Env, section driver.Section) (driver.Backend, error) {
		b, err := fake.Open(ctx, env, section)
		if err == nil {
			change(env.Name, &b)
		}
		return b, err
	}
}

func open(t *testing.T, text string, opener driver.Opener, options ...provider.Option) *provider.Host {
	t.Helper()
	host, err := provider.Open(t.Context(), parse(t, text), map[string]driver.Opener{"fake": opener}, options...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, host.Close()) })
	return host
}

const two = "hosting: {defaultProvider: a, a: {type: fake}, b: {type: fake, regions: [edge]}}"

func skill(name string) hosting.CloudHostingConfig {
	return hosting.CloudHostingConfig{InstanceName: name, InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "registry.example.com/skill:1", Ports: []int{8080}}}
}

func TestTwoProvidersOfOneTypeAreOneProvider(t *testing.T) {
	t.Parallel()
	host := open(t, two, fake.Open)
	p := host.Provider()
	web, err := p.CreateInstance(t.Context(), skill("web"))
	require.NoError(t, err)
	assert.Equal(t, "a:default.deployment.web", web.ID)
	assert.Equal(t, "a", web.Provider)
	assert.Equal(t, "fake", web.ProviderType)
	config := skill("web")
	config.Provider = "b"
	edge, err := p.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	assert.Equal(t, "b:edge.deployment.web", edge.ID)
	bare, err := p.GetInstance(t.Context(), "default.deployment.web")
	require.NoError(t, err)
	assert.Equal(t, web.ID, bare.ID)
	require.NoError(t, p.ScaleInstance(t.Context(), edge.ID, 2))
	all, err := p.ListInstances(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{web.ID, edge.ID}, []string{all[0].ID, all[1].ID})
}

func TestTheDefaultsOfAllProvidersReachEachOfThem(t *testing.T) {
	t.Parallel()
	host := open(t, "hosting: {fake: , defaults: {resources: {cpuLimit: 100m, memoryRequest: 1Gi}, scaling: {minReplicas: 3}}}", fake.Open)
	created, err := host.Provider().CreateInstance(t.Context(), skill("web"))
	require.NoError(t, err)
	assert.Equal(t, 3, created.Replicas)
	assert.Equal(t, hosting.ResourceConfig{CPULimit: 0.1, CPURequest: 0.1, MemoryRequest: 1 << 30, MemoryLimit: 1 << 30}, *created.Resources,
		"what the protocol has gives way to what the file says")
}

func TestAHostRunsUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var running atomic.Int32
		host := open(t, two, opens(func(name string, b *driver.Backend) {
			b.Run = func(ctx context.Context) error {
				if name == "b" {
					return nil // it has nothing to do
				}
				running.Add(1)
				<-ctx.Done()
				time.Sleep(time.Minute) // it takes a while to end
				running.Add(-1)
				return nil
			}
		}))
		done := make(chan error)
		go func() { done <- host.Run(ctx) }()
		synctest.Wait()
		assert.EqualValues(t, 1, running.Load())
		assert.ErrorIs(t, host.Run(ctx), hosting.Conflict, "it runs already")
		cancel()
		require.NoError(t, <-done)
		assert.Zero(t, running.Load(), "it waits for what it started")

		ctx, cancel = context.WithCancel(t.Context())
		go func() { done <- host.Run(ctx) }()
		synctest.Wait()
		assert.EqualValues(t, 1, running.Load(), "it may run again")
		cancel()
		require.NoError(t, <-done)
	})
}

func TestTheFirstFailureEndsAHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		ended := false
		var log strings.Builder
		host := open(t, two, opens(func(name string, b *driver.Backend) {
			b.Run = func(ctx context.Context) error {
				if name == "b" {
					time.Sleep(time.Second)
					return broken
				}
				<-ctx.Done()
				time.Sleep(time.Second)
				ended = true
				return nil
			}
		}), provider.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		err := host.Run(t.Context())
		assert.ErrorIs(t, err, broken)
		assert.EqualError(t, err, "running provider b: broken")
		assert.True(t, ended, "it waits for the others")
		assert.Contains(t, log.String(), `level=ERROR msg="hosting: the host runs no longer" error="running provider b: broken"`)
	})
}

func TestCloseEndsRunAndClosesWhatWasOpenedLastFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var events []string
		documents := &closableStore{Store: store.NewMemory(), close: func() { events = append(events, "store") }}
		host, err := provider.Open(t.Context(), parse(t, "hosting: {defaultProvider: a, a: {type: fake}, b: {type: fake}, store: {type: file, path: x}}"),
			map[string]driver.Opener{"fake": opens(func(name string, b *driver.Backend) {
				b.Run = func(ctx context.Context) error {
					<-ctx.Done()
					events = append(events, "run "+name)
					return nil
				}
				b.Close = func() error {
					events = append(events, "close "+name)
					return errors.New("stuck")
				}
				if name == "b" {
					b.Run = nil
				}
			})},
			provider.WithFileStore(func(_ context.Context, path string) (store.Store, error) {
				assert.Equal(t, "x", path)
				return documents, nil
			}))
		require.NoError(t, err)
		done := make(chan error)
		go func() { done <- host.Run(t.Context()) }()
		synctest.Wait()
		first := host.Close()
		require.NoError(t, <-done)
		assert.Equal(t, []string{"run a", "store", "close b", "close a"}, events)
		assert.ErrorContains(t, first, "closing provider b: stuck")
		assert.ErrorContains(t, first, "closing provider a: stuck")
		assert.Equal(t, first, host.Close(), "again is the same")
		assert.Len(t, events, 4)
		assert.ErrorIs(t, host.Run(t.Context()), hosting.Conflict, "it is closed")
	})
}

type closableStore struct {
	store.Store
	close func()
}

func (s *closableStore) Close() error {
	s.close()
	return nil
}

func TestWhatWasOpenedIsClosedWhenSomethingElseFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		text    string
		fails   string
		options []provider.Option
		want    string
	}{
		"another provider": {two, "b", nil, "broken"},
		"a problem":        {"hosting: {defaultProvider: c, a: {type: fake}, b: {type: fake}}", "", nil, "hosting.defaultProvider"},
		"the store": {"hosting: {defaultProvider: a, a: {type: fake}, b: {type: fake}, store: {type: file, path: x}}", "",
			[]provider.Option{provider.WithFileStore(func(context.Context, string) (store.Store, error) { return nil, broken })},
			"hosting.yaml:1: hosting.store.path: broken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var closed []string
			opener := opens(func(name string, b *driver.Backend) {
				b.Close = func() error {
					closed = append(closed, name)
					return errors.New("stuck")
				}
			})
			_, err := provider.Open(t.Context(), parse(t, c.text), map[string]driver.Opener{"fake": func(ctx context.Context, env driver.Env, s driver.Section) (driver.Backend, error) {
				if env.Name == c.fails {
					return driver.Backend{}, broken
				}
				return opener(ctx, env, s)
			}}, c.options...)
			require.ErrorContains(t, err, c.want)
			want := []string{"b", "a"}
			if c.fails != "" {
				want = []string{"a"}
				assert.ErrorIs(t, err, broken)
			}
			assert.Equal(t, want, closed)
			assert.ErrorContains(t, err, "closing provider a: stuck")
		})
	}
}

func TestTheErrorOfAnOpenerNamesItsProvider(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		reason hosting.Reason
		want   string
	}{
		"any error":          {errors.New("broken"), hosting.Internal, "b: InvalidConfig (Internal): opening the provider: broken"},
		"a context":          {context.Canceled, hosting.Canceled, "b: InvalidConfig (Canceled): opening the provider: context canceled"},
		"the provider's own": {hosting.Errorf("b", hosting.InvalidConfig, hosting.Unavailable, "away"), hosting.Unavailable, "b: InvalidConfig (Unavailable): away"},
		"that of something else": {hosting.Errorf("", hosting.InvalidConfig, hosting.Unavailable, "away"), hosting.Unavailable,
			"b: InvalidConfig (Unavailable): opening the provider: InvalidConfig (Unavailable): away"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := provider.Open(t.Context(), parse(t, two), map[string]driver.Opener{"fake": func(ctx context.Context, env driver.Env, s driver.Section) (driver.Backend, error) {
				if env.Name == "b" {
					return driver.Backend{}, c.err
				}
				return fake.Open(ctx, env, s)
			}})
			require.EqualError(t, err, c.want)
			assert.ErrorIs(t, err, c.reason)
			assert.Equal(t, "b", failed(t, err).Provider)
		})
	}
}

func TestAConfigurationCanBeMadeWithoutAFile(t *testing.T) {
	t.Parallel()
	config := provider.Config{Enabled: true, DefaultProvider: "test", Providers: []provider.ProviderConfig{{Name: "test", Type: "fake", Enabled: true}}}
	host, err := provider.Open(t.Context(), config, openers())
	require.NoError(t, err)
	require.NoError(t, host.Close())

	config.Store.Type = "file"
	config.Providers = append(config.Providers, provider.ProviderConfig{Name: "test", Enabled: true}, provider.ProviderConfig{Name: "Other", Type: "fake", Enabled: true})
	_, err = provider.Open(t.Context(), config, openers())
	assert.EqualError(t, err, "InvalidConfig (InvalidArgument): 3 problems:\n"+
		"hosting.test: two providers have this name: allowed: each name once\n"+
		"hosting.Other: the name of a provider: allowed: lower-case letters, digits and '-' inside, at most 63 characters\n"+
		"hosting.store.path: missing: allowed: the path of a file, which type: file needs")
}

func TestOldLinesOfALogAreNotReturned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		host := open(t, "hosting: {fake: , monitoring: {logRetention: 1m}}", fake.Open)
		p := host.Provider()
		web, err := p.CreateInstance(t.Context(), skill("web"))
		require.NoError(t, err)
		time.Sleep(time.Hour)
		oldest := hosting.Now().Add(-time.Minute)
		began := oldest.Add(-30 * time.Minute)

		for name, options := range map[string]hosting.LogQueryOptions{
			"without a start": {}, "from before": {StartTime: began}, "a limit": {Limit: 1000},
		} {
			entries, err := p.GetLogs(t.Context(), web.ID, options)
			require.NoError(t, err)
			assert.InDelta(t, 60, len(entries), 1, "%s: a line each second", name)
			assert.False(t, entries[0].Timestamp.Before(oldest), name)
		}
		entries, err := p.GetLogs(t.Context(), web.ID, hosting.LogQueryOptions{StartTime: oldest.Add(50 * time.Second)})
		require.NoError(t, err)
		assert.InDelta(t, 10, len(entries), 1, "a later start stays")

		gone := hosting.LogQueryOptions{StartTime: began, EndTime: began.Add(time.Minute)}
		entries, err = p.GetLogs(t.Context(), web.ID, gone)
		require.NoError(t, err)
		assert.Empty(t, entries)
		_, err = p.GetLogs(t.Context(), "default.deployment.nobody", gone)
		assert.ErrorIs(t, err, hosting.NotFound, "it is asked about nevertheless")
		_, err = p.GetLogs(t.Context(), web.ID, hosting.LogQueryOptions{StartTime: oldest, EndTime: began})
		assert.ErrorIs(t, err, hosting.InvalidArgument, "what is wrong stays wrong")

		var first hosting.LogEntry
		for entry, err := range hosting.StreamLogs(t.Context(), p, web.ID, hosting.LogQueryOptions{Limit: 1000}) {
			require.NoError(t, err)
			first = entry
			break
		}
		assert.False(t, first.Timestamp.Before(oldest))
		for range hosting.StreamLogs(t.Context(), p, web.ID, gone) {
			t.Fatal("there is nothing")
		}
	})
}

func TestTheStoreOfTheDefaultProviderIsUsedWhereTheFileSaysSo(t *testing.T) {
	t.Parallel()
	documents := store.NewMemory()
	host := open(t, "hosting: {fake: , store: {type: provider}}", opens(func(_ string, b *driver.Backend) { b.Store = documents }))
	createPolicy(t, host)
	list, err := documents.List(t.Context(), "policy")
	require.NoError(t, err)
	assert.Len(t, list, 1)
}

func TestPoliciesInAFileOutliveTheHost(t *testing.T) {
	t.Parallel()
	text := "hosting: {fake: , store: {type: file, path: '" + filepath.Join(t.TempDir(), "hosting.db") + "'}}"
	host := open(t, text, fake.Open, provider.WithFileStore(boltstore.Open))
	policy := createPolicy(t, host)
	require.NoError(t, host.Close())
	host = open(t, text, fake.Open, provider.WithFileStore(boltstore.Open))
	kept, err := host.Extension().GetAutoScalePolicyByID(t.Context(), policy.PolicyID)
	require.NoError(t, err)
	assert.Equal(t, policy, kept)

	_, err = provider.Open(t.Context(), parse(t, "hosting: {fake: , store: {type: file, path: /no/such/directory/x}}"), openers(), provider.WithFileStore(boltstore.Open))
	assert.ErrorContains(t, err, "hosting.yaml:1: hosting.store.path: ")
}

func TestAStoreThatCannotBeOpenedNowIsNoMistakeInTheFile(t *testing.T) {
	t.Parallel()
	text := "hosting: {fake: , store: {type: file, path: '" + filepath.Join(t.TempDir(), "hosting.db") + "'}}"
	open(t, text, fake.Open, provider.WithFileStore(boltstore.Open))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := provider.Open(ctx, parse(t, text), openers(), provider.WithFileStore(boltstore.Open))
	require.ErrorIs(t, err, hosting.DeadlineExceeded)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.NotErrorIs(t, err, hosting.InvalidArgument)
	assert.Regexp(t, `^InvalidConfig \(DeadlineExceeded\): hosting.yaml:1: hosting.store.path: store file .*: it is open already`, err.Error())

	for _, reason := range []hosting.Reason{hosting.Unavailable, hosting.PermissionDenied} {
		_, err := provider.Open(t.Context(), parse(t, text), openers(), provider.WithFileStore(func(context.Context, string) (*store.Memory, error) {
			return nil, hosting.Errorf("", hosting.InvalidConfig, reason, "not now")
		}))
		require.ErrorIs(t, err, reason)
		assert.Equal(t, "InvalidConfig ("+string(reason)+"): hosting.yaml:1: hosting.store.path: not now", err.Error())
	}
}

func TestAProgramMayBringAStore(t *testing.T) {
	t.Parallel()
	closed := false
	documents := &closableStore{Store: store.NewMemory(), close: func() { closed = true }}
	host := open(t, "hosting: {fake: }", fake.Open, provider.WithStore(documents))
	createPolicy(t, host)
	list, err := documents.List(t.Context(), "policy")
	require.NoError(t, err)
	assert.Len(t, list, 1)
	require.NoError(t, host.Close())
	assert.False(t, closed, "whoever brings a store closes it")

	_, err = provider.Open(t.Context(), parse(t, "hosting: {fake: , store: {type: file, path: x}}"), openers(), provider.WithStore(documents))
	assert.ErrorContains(t, err, `hosting.yaml:1: hosting.store.type: "file", but the program brings a store of its own (WithStore): allowed: no store here`)
}

func createPolicy(t *testing.T, host *provider.Host) hosting.AutoScalePolicy {
	t.Helper()
	web, err := host.Provider().CreateInstance(t.Context(), skill("web"))
	require.NoError(t, err)
	policy, err := host.Extension().CreateAutoScalePolicy(t.Context(), policyOf(web.ID))
	require.NoError(t, err)
	return policy
}

func TestPoliciesActAtTheIntervalOfTheFileUnlessMonitoringIsOff(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"{metricsInterval: 10s}":                 4, // looks at 0, 10, 20 and 30 s; the first sees nothing yet
		"{metricsInterval: 20s}":                 2,
		"{metricsInterval: 10s, enabled: false}": 1,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				host := open(t, "hosting: {fake: , monitoring: "+text+"}", fake.Open)
				policy := createPolicy(t, host)
				ctx, cancel := context.WithTimeout(t.Context(), 35*time.Second)
				defer cancel()
				require.NoError(t, host.Run(ctx))
				web, err := host.Provider().GetInstance(t.Context(), policy.InstanceID)
				require.NoError(t, err)
				assert.Equal(t, want, web.Replicas)
			})
		})
	}
}

func TestWithALoggerCallsAreLogged(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	host := open(t, "hosting: {fake: }", fake.Open, provider.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	_, err := host.Provider().CreateInstance(t.Context(), skill("web"))
	require.NoError(t, err)
	assert.Contains(t, log.String(), "CreateInstance")
	assert.True(t, slices.Contains(host.Provider().SupportedRegions(), "default"))
}
