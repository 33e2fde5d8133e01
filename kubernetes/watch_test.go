//go:build linux

package kubernetes_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/testcluster"
	"skillcenter.io/hosting/kubernetes"
)

// watching ranges over a watch in the background and keeps what it was told.
type watching struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	all    []hosting.InstanceChange
	err    error
	newest map[string]hosting.InstanceChange
}

func watchAll(t testing.TB, p hosting.CloudHostingProvider) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f := &watching{cancel: cancel, done: make(chan struct{}), newest: map[string]hosting.InstanceChange{}}
	go func() {
		defer close(f.done)
		for change, err := range hosting.WatchInstances(ctx, p) {
			f.mu.Lock()
			f.err = err
			if err == nil {
				f.all = append(f.all, change)
				f.newest[change.Instance.ID] = change
			}
			f.mu.Unlock()
		}
	}()
	t.Cleanup(func() { f.stop(t) })
	return f
}

// stop ends the watch and waits for it.
func (f *watching) stop(t testing.TB) {
	t.Helper()
	f.cancel()
	select {
	case <-f.done:
	case <-time.After(waitTime):
		t.Error("the watch does not end")
	}
}

func (f *watching) told() []hosting.InstanceChange {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]hosting.InstanceChange(nil), f.all...)
}

// requireTold waits until the newest that was told of an instance satisfies
// the condition.
func (f *watching) requireTold(t testing.TB, id, what string, condition func(hosting.InstanceChange) bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		change, ok := f.newest[id]
		return ok && condition(change)
	}, waitTime, 10*time.Millisecond, "%s is never told of %q", id, what)
}

func (f *watching) requireStatus(t testing.TB, id string, status hosting.Status) {
	t.Helper()
	f.requireTold(t, id, string(status), func(c hosting.InstanceChange) bool {
		return c.Type == hosting.ChangeState && c.Instance.Status == status
	})
}

func (f *watching) requireDeleted(t testing.TB, id string) {
	t.Helper()
	f.requireTold(t, id, "deleted", func(c hosting.InstanceChange) bool { return c.Type == hosting.ChangeDeleted })
}

func (f *watching) requireSynced(t testing.TB) {
	t.Helper()
	f.requireTold(t, "", "synced", func(c hosting.InstanceChange) bool { return c.Type == hosting.ChangeSynced })
}

// simple is an instance of nothing but a workload.
func simple(name, instanceType string) hosting.CloudHostingConfig {
	config := hosting.CloudHostingConfig{InstanceName: name, InstanceType: instanceType,
		Container: &hosting.ContainerConfig{Image: testcluster.SkillImage}}
	if instanceType == hosting.TypeCronJob {
		config.Schedule = "0 0 1 1 *"
	}
	return config
}

func (w *world) mustCreate(t testing.TB, config hosting.CloudHostingConfig) hosting.CloudInstance {
	t.Helper()
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	return instance
}

func TestAWatchTellsWhatIsThereAndThenWhatChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.mustCreate(t, simple("first", hosting.TypeDeployment))
	f := watchAll(t, w)
	f.requireSynced(t)
	told := f.told()
	require.NotEmpty(t, told)
	assert.Equal(t, first.ID, told[0].Instance.ID, "what is there comes before synced")

	second := w.mustCreate(t, simple("second", hosting.TypeStatefulSet))
	f.requireTold(t, second.ID, "created", func(c hosting.InstanceChange) bool { return c.Type == hosting.ChangeState })
	require.NoError(t, w.StopInstance(t.Context(), first.ID))
	f.requireStatus(t, first.ID, hosting.StatusStopped)
	require.NoError(t, w.DeleteInstance(t.Context(), second.ID))
	f.requireDeleted(t, second.ID)

	synced := 0
	last := map[string]hosting.CloudInstance{}
	for _, change := range f.told() {
		switch change.Type {
		case hosting.ChangeSynced:
			synced++
		case hosting.ChangeState:
			assert.NotEqual(t, last[change.Instance.ID], change.Instance, "nothing has changed")
			last[change.Instance.ID] = change.Instance
		}
	}
	assert.Equal(t, 1, synced)
}

func TestAWatchTellsOfWhatOnlyTimeChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	web := w.mustCreate(t, simple("web", hosting.TypeDeployment))
	f := watchAll(t, w)
	// The control plane has no node: after a grace that is a failure.
	f.requireStatus(t, web.ID, hosting.StatusFailed)
}

func TestASlowWatcherGetsTheNewestStateAndBlocksNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	web := w.mustCreate(t, simple("web", hosting.TypeCronJob))
	quick := watchAll(t, w)
	quick.requireSynced(t)
	ctx, cancel := context.WithTimeout(t.Context(), waitTime)
	defer cancel()
	taken, last := 0, hosting.CloudInstance{}
	for change, err := range w.WatchInstances(ctx) {
		require.NoError(t, err)
		switch {
		case change.Type == hosting.ChangeSynced:
			for range 10 {
				require.NoError(t, w.StopInstance(ctx, web.ID))
				require.NoError(t, w.StartInstance(ctx, web.ID))
			}
			require.NoError(t, w.StopInstance(ctx, web.ID))
			quick.requireStatus(t, web.ID, hosting.StatusStopped)
		case change.Instance.ID == web.ID:
			taken++
			last = change.Instance
		}
		if last.Status == hosting.StatusStopped {
			break
		}
	}
	require.NoError(t, ctx.Err())
	assert.LessOrEqual(t, taken, 4, "states in between are left out")
}

func TestAWatchBridgesInterruptions(t *testing.T) {
	t.Parallel()
	for name, expired := range map[string]int{"cut": 0, "expired": 100} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var ids []string
			for _, instance := range []string{"stays", "goes", "comes-back", "stops"} {
				ids = append(ids, w.mustCreate(t, simple(instance, hosting.TypeCronJob)).ID)
			}
			tap := newTap()
			f := watchAll(t, w.provider(t, w.cluster.Config(), tap.into))
			f.requireSynced(t)
			require.Len(t, f.told(), len(ids)+1)

			restore := tap.cut()
			w.delete(t, ids[1])
			w.delete(t, ids[2])
			again := w.mustCreate(t, simple("comes-back", hosting.TypeCronJob))
			require.NoError(t, w.StopInstance(t.Context(), ids[3]))
			tap.expire(expired)
			restore()
			f.requireDeleted(t, ids[1])
			f.requireStatus(t, ids[3], hosting.StatusStopped)
			f.requireTold(t, ids[2], "created again", func(c hosting.InstanceChange) bool {
				return c.Type == hosting.ChangeState && c.Instance.CreatedAt.Equal(again.CreatedAt)
			})
			f.requireTold(t, ids[0], "unchanged", func(c hosting.InstanceChange) bool { return c.Type == hosting.ChangeState })

			tap.expire(0)
			require.NoError(t, w.StopInstance(t.Context(), ids[0]))
			f.requireStatus(t, ids[0], hosting.StatusStopped)
			synced := 0
			for _, change := range f.told() {
				if change.Type == hosting.ChangeSynced {
					synced++
				}
			}
			assert.Equal(t, 1, synced)
			f.stop(t)
			assert.NoError(t, f.err)
		})
	}
}

func TestAWatchOfAConfiguredRegionThatIsForbiddenEndsWithItsName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mustCreate(t, simple("web", hosting.TypeCronJob))
	user := w.cluster.User(t, "watch", w.namespace, rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}})
	p := w.provider(t, user, func(c *kubernetes.Config) {
		c.Regions = append(c.Regions, kubernetes.Region{Name: "secret", Namespace: "default"})
	})
	f := watchAll(t, p)
	select {
	case <-f.done:
	case <-time.After(waitTime):
		t.Fatal("the watch does not end")
	}
	require.ErrorIs(t, f.err, hosting.PermissionDenied)
	assert.Equal(t, hosting.ListFailed, hosting.CodeOf(f.err))
	assert.Contains(t, f.err.Error(), "region secret")
}

func TestAWatchTakesProtocolRegionsThatNobodySetUpAsEmpty(t *testing.T) {
	t.Parallel()
	cluster := testcluster.Start(t)
	namespace := cluster.Namespace(t, "watch")
	user := cluster.User(t, "watch", namespace, rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}})
	config := kubernetes.DefaultConfig()
	config.RESTConfig, config.Namespace, config.Cache = user, namespace, true
	tap := newTap()
	tap.into(&config)
	p, err := kubernetes.New(t.Context(), config)
	require.NoError(t, err)
	created, err := p.CreateInstance(t.Context(), simple("web", hosting.TypeCronJob))
	require.NoError(t, err)
	f := watchAll(t, p)
	f.requireSynced(t)
	assert.Equal(t, created.ID, f.told()[0].Instance.ID)
	run(t, p)
	requireInSync(t, p, tap)
}

func TestWatchersShareOneSetOfWatches(t *testing.T) {
	w := newWorld(t)
	web := w.mustCreate(t, simple("web", hosting.TypeCronJob))
	tap := newTap()
	p := w.provider(t, w.cluster.Config(), tap.into)
	var followers []*watching
	for range 10 {
		followers = append(followers, watchAll(t, p))
	}
	for _, f := range followers {
		f.requireSynced(t)
	}
	const resources = 10 // anchors, five workloads, pods, Services, Ingresses, events
	assert.Equal(t, resources, tap.openWatches())
	require.NoError(t, w.StopInstance(t.Context(), web.ID))
	for i, f := range followers {
		f.requireStatus(t, web.ID, hosting.StatusStopped)
		if i > 0 {
			f.stop(t)
		}
	}
	assert.Equal(t, resources, tap.openWatches(), "one watcher is left")
	require.NoError(t, w.StartInstance(t.Context(), web.ID))
	followers[0].requireStatus(t, web.ID, hosting.StatusRunning)
	followers[0].stop(t)
	assert.Zero(t, tap.openWatches())
	requireNoGoroutines(t)

	again := watchAll(t, p)
	again.requireSynced(t)
	again.stop(t)
	requireNoGoroutines(t)
}

// TestAServiceThatOutlivesItsPortsIsNowhereAnEndpoint has the Service of an
// instance wait for a finalizer.
func TestAServiceThatOutlivesItsPortsIsNowhereAnEndpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	web := w.mustCreate(t, config)
	w.patch(t, "services", "web", `{"metadata":{"finalizers":["skillcenter.io/test"]}}`)
	t.Cleanup(func() {
		_, err := w.client.CoreV1().Services(w.namespace).Patch(context.Background(), "web",
			types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		assert.NoError(t, err)
	})
	cached, tap := w.cachedProvider(t)
	requireInSync(t, cached, tap)
	f := watchAll(t, cached)
	f.requireSynced(t)
	config.Container.Ports, config.Network, config.Container.HealthCheck = nil, nil, nil
	_, err := w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	service, err := w.client.CoreV1().Services(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	require.NotNil(t, service.DeletionTimestamp, "it is there and on its way out")

	f.requireTold(t, web.ID, "no endpoint", func(c hosting.InstanceChange) bool { return c.Instance.Endpoint == nil })
	requireInSync(t, cached, tap)
	for name, p := range map[string]*kubernetes.Provider{"live": w.Provider, "cached": cached} {
		list, err := p.ListInstances(t.Context())
		require.NoError(t, err, name)
		require.Len(t, list, 1, name)
		assert.Nil(t, list[0].Endpoint, name)
		instance, err := p.GetInstance(t.Context(), web.ID)
		require.NoError(t, err, name)
		assert.Nil(t, instance.Endpoint, name)
		_, err = p.GetServiceEndpoint(t.Context(), web.ID)
		require.ErrorIs(t, err, hosting.NotFound, name)
	}
}

// TestAWatchWaitsForAClusterThatIsAwayWhenItBegins and follows the other
// regions meanwhile.
func TestAWatchWaitsForAClusterThatIsAwayWhenItBegins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	web := w.mustCreate(t, simple("web", hosting.TypeCronJob))
	elsewhere := w.cluster.Namespace(t, "away")
	other := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.Regions = []kubernetes.Region{{Name: "edge", Namespace: elsewhere}}
	})
	far, err := other.CreateInstance(t.Context(), simple("far", hosting.TypeCronJob))
	require.NoError(t, err)

	tap := newTap()
	tap.awayOf = "/namespaces/" + elsewhere + "/"
	f := watchAll(t, w.provider(t, w.cluster.Config(), tap.into, func(c *kubernetes.Config) {
		c.Regions = append(c.Regions, kubernetes.Region{Name: "edge", Namespace: elsewhere})
	}))
	f.requireTold(t, web.ID, "there", func(c hosting.InstanceChange) bool { return c.Type == hosting.ChangeState })
	require.Eventually(t, func() bool { return tap.turnedAway.Load() > 5 }, waitTime, 10*time.Millisecond)
	require.NoError(t, w.StopInstance(t.Context(), web.ID))
	f.requireStatus(t, web.ID, hosting.StatusStopped)
	for _, change := range f.told() {
		assert.Equal(t, web.ID, change.Instance.ID, "neither synced nor what is away")
	}

	tap.comeBack()
	f.requireSynced(t)
	told := f.told()
	assert.Equal(t, far.ID, told[len(told)-2].Instance.ID)
	f.stop(t)
	assert.NoError(t, f.err)
}
