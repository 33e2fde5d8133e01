//go:build linux

package kubernetes_test

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

// cachedProvider runs a second provider of the namespace, with a cache behind a
// tap, until the test ends.
func (w *world) cachedProvider(t testing.TB, options ...func(*kubernetes.Config)) (*kubernetes.Provider, *tap) {
	t.Helper()
	tap := newTap()
	p := w.provider(t, w.cluster.Config(), append(options, tap.into, func(c *kubernetes.Config) { c.Cache = true })...)
	run(t, p)
	return p, tap
}

// run runs a provider until the test ends.
func run(t testing.TB, p *kubernetes.Provider) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			assert.NoError(t, err)
		case <-time.After(waitTime):
			t.Error("Run does not end")
		}
	})
}

// requireInSync waits until a list takes no request.
func requireInSync(t testing.TB, p *kubernetes.Provider, tap *tap) {
	t.Helper()
	require.Eventually(t, func() bool {
		before := tap.requests.Load()
		_, err := p.ListInstances(t.Context())
		return err == nil && tap.requests.Load() == before
	}, waitTime, 20*time.Millisecond, "the cache is never in sync")
}

func TestReadsOfInstancesComeFromMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, instanceType := range w.SupportedInstanceTypes() {
		_, err := w.CreateInstance(t.Context(), everything("a-"+instanceType, instanceType))
		require.NoError(t, err)
	}
	p, tap := w.cachedProvider(t)
	requireInSync(t, p, tap)
	before := tap.requests.Load()
	list, err := p.ListInstances(t.Context())
	require.NoError(t, err)
	require.Len(t, list, len(w.SupportedInstanceTypes()))
	for _, instance := range list {
		_, err := p.GetInstance(t.Context(), instance.ID)
		require.NoError(t, err)
		_, err = p.HealthCheck(t.Context(), instance.ID)
		require.NoError(t, err)
		_, err = p.GetServiceEndpoint(t.Context(), instance.ID)
		require.NoError(t, err)
	}
	assert.Equal(t, before, tap.requests.Load(), "requests")

	_, err = p.GetInstance(t.Context(), "default.deployment.nobody")
	require.ErrorIs(t, err, hosting.NotFound)
	assert.Equal(t, before+1, tap.requests.Load(), "what is not in memory is looked for once")

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.GetInstance(cancelled, list[0].ID)
	require.ErrorIs(t, err, hosting.Canceled)
	_, err = p.ListInstances(cancelled)
	require.ErrorIs(t, err, hosting.Canceled)
}

func TestWhatACachedReadReturnsIsItsCallers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.NoError(t, err)
	p, tap := w.cachedProvider(t)
	requireInSync(t, p, tap)
	spoil := func() hosting.CloudInstance {
		list, err := p.ListInstances(t.Context())
		require.NoError(t, err)
		require.Len(t, list, 1)
		seen := list[0]
		seen.UpdatedAt, seen.Status, seen.Metadata = hosting.Time{}, "", map[string]string{"namespace": seen.Metadata["namespace"]}
		require.Equal(t, map[string]string{"team": "blue"}, seen.Labels)
		require.Equal(t, "web.example.com", seen.Endpoint.Host)
		require.NotZero(t, seen.Resources.CPULimit)
		require.Contains(t, seen.Endpoint.Metadata, "service")
		list[0].Labels["team"], list[0].Metadata["namespace"], list[0].Endpoint.Host, list[0].Resources.CPULimit = "red", "x", "x", 0
		clear(list[0].Endpoint.Metadata)
		return seen
	}
	spoil()
	spoil()
	instance, err := p.GetInstance(t.Context(), "default.deployment.web")
	require.NoError(t, err)
	assert.Equal(t, "blue", instance.Labels["team"])
	assert.Equal(t, "web.example.com", instance.Endpoint.Host)
}

func TestRunEndsWithoutATrace(t *testing.T) {
	w := newWorld(t)
	_, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.NoError(t, err)
	tap := newTap()
	p := w.provider(t, w.cluster.Config(), tap.into, func(c *kubernetes.Config) { c.Cache = true })
	_, err = p.ListInstances(t.Context())
	require.NoError(t, err)
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		requireInSync(t, p, tap)
		require.ErrorIs(t, p.Run(t.Context()), hosting.Conflict, "a second Run")
		assert.Positive(t, tap.openWatches())
		cancel()
		require.NoError(t, <-done)
		_, err = p.ListInstances(t.Context())
		require.NoError(t, err, "after Run, reads are live")
	}
	requireNoGoroutines(t)
	assert.Zero(t, tap.openWatches())
}

// requireNoGoroutines waits until no goroutine of a cache or a watch is left.
func requireNoGoroutines(t testing.TB) {
	t.Helper()
	var left []string
	if !assert.Eventually(t, func() bool {
		stacks := make([]byte, 4<<20)
		all := strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n")
		left = slices.DeleteFunc(all, func(stack string) bool {
			return !strings.Contains(stack, "hosting/kubernetes.(") && !strings.Contains(stack, "k8s.io/")
		})
		return len(left) == 0
	}, 30*time.Second, 20*time.Millisecond) {
		t.Fatalf("%d goroutines are left:\n%s", len(left), strings.Join(left, "\n\n"))
	}
}

func TestACacheIsInSyncUnderTheShippedRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, instanceType := range w.SupportedInstanceTypes() {
		w.mustCreate(t, everything("a-"+instanceType, instanceType))
	}
	shipped := w.asShipped(t)
	p, tap := w.cachedProvider(t, func(c *kubernetes.Config) { c.RESTConfig = shipped })
	requireInSync(t, p, tap)
}
