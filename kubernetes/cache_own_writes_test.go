//go:build linux

package kubernetes_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

// TestOwnWritesAreSeenWhileTheWatchesAreSilent holds all watches back: what a
// provider has just done must show all the same.
func TestOwnWritesAreSeenWhileTheWatchesAreSilent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, instanceType := range w.SupportedInstanceTypes() {
		w.mustCreate(t, simple("first-"+instanceType, instanceType))
	}
	p, tap := w.cachedProvider(t)
	requireInSync(t, p, tap)
	t.Cleanup(tap.hold())
	for _, instanceType := range w.SupportedInstanceTypes() {
		t.Run(instanceType, func(t *testing.T) {
			t.Parallel() // most of it is waiting for watches
			ctx := t.Context()
			isStopped := func(id string) bool {
				instance, err := p.GetInstance(ctx, id)
				require.NoError(t, err, id)
				list, err := p.ListInstances(ctx)
				require.NoError(t, err)
				i := slices.IndexFunc(list, func(listed hosting.CloudInstance) bool { return listed.ID == id })
				require.GreaterOrEqual(t, i, 0, "%s is not listed", id)
				stopped := func(status hosting.Status) bool {
					return status == hosting.StatusStopping || status == hosting.StatusStopped
				}
				assert.Equal(t, stopped(instance.Status), stopped(list[i].Status), id)
				return stopped(instance.Status)
			}
			instance, err := p.CreateInstance(ctx, simple("new-"+instanceType, instanceType))
			require.NoError(t, err)
			assert.False(t, isStopped(instance.ID))
			require.NoError(t, p.StopInstance(ctx, instance.ID))
			assert.True(t, isStopped(instance.ID), instance.ID)
			require.NoError(t, p.StartInstance(ctx, instance.ID))
			assert.False(t, isStopped(instance.ID), instance.ID)
			require.NoError(t, p.DeleteInstance(ctx, instance.ID))
			if gone, err := p.GetInstance(ctx, instance.ID); err == nil {
				assert.Equal(t, hosting.StatusTerminating, gone.Status)
			} else {
				require.ErrorIs(t, err, hosting.NotFound)
			}
		})
	}
}

// TestAReadWaitsForTheWatchInsteadOfReadingLive holds the watches back for less
// than a read waits.
func TestAReadWaitsForTheWatchInsteadOfReadingLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	web := w.mustCreate(t, simple("web", hosting.TypeCronJob))
	p, tap := w.cachedProvider(t)
	requireInSync(t, p, tap)
	waited := false
	for range 20 {
		release := tap.hold()
		require.NoError(t, p.StopInstance(t.Context(), web.ID))
		before := tap.requests.Load()
		timer := time.AfterFunc(200*time.Millisecond, release)
		instance, err := p.GetInstance(t.Context(), web.ID)
		timer.Stop()
		release()
		require.NoError(t, err)
		require.Equal(t, hosting.StatusStopped, instance.Status)
		waited = waited || tap.requests.Load() == before
		require.NoError(t, p.StartInstance(t.Context(), web.ID))
		requireInSync(t, p, tap)
	}
	assert.True(t, waited, "every read was live")
}

// TestADeletedInstanceIsNotSeenAgain also when another of its name takes its
// place at once.
func TestADeletedInstanceIsNotSeenAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mustCreate(t, simple("other", hosting.TypeCronJob))
	p, tap := w.cachedProvider(t)
	requireInSync(t, p, tap)
	f := watchAll(t, p)
	ctx := t.Context()
	var last hosting.CloudInstance
	for range 10 {
		created, err := p.CreateInstance(ctx, simple("web", hosting.TypeCronJob))
		require.NoError(t, err)
		require.True(t, created.CreatedAt.After(last.CreatedAt))
		seen, err := p.GetInstance(ctx, created.ID)
		require.NoError(t, err)
		require.Equal(t, created.CreatedAt, seen.CreatedAt, "the old one is seen")
		require.NoError(t, p.DeleteInstance(ctx, created.ID))
		for {
			seen, err := p.GetInstance(ctx, created.ID)
			if err != nil {
				require.ErrorIs(t, err, hosting.NotFound)
				break
			}
			require.Equal(t, hosting.StatusTerminating, seen.Status)
		}
		last = created
	}
	again, err := p.CreateInstance(ctx, simple("web", hosting.TypeCronJob))
	require.NoError(t, err)
	f.requireTold(t, again.ID, "the newest", func(c hosting.InstanceChange) bool {
		return c.Type == hosting.ChangeState && c.Instance.CreatedAt.Equal(again.CreatedAt)
	})
	require.NoError(t, p.DeleteInstance(ctx, again.ID))
	f.requireDeleted(t, again.ID)
}

// TestAPlanIsNoWriteToWaitFor makes plans that create, change and remove parts.
func TestAPlanIsNoWriteToWaitFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	web := w.mustCreate(t, everything("web", hosting.TypeDeployment))
	p, tap := w.cachedProvider(t)
	requireInSync(t, p, tap)
	for _, config := range []hosting.CloudHostingConfig{changed("web", hosting.TypeDeployment), everything("new", hosting.TypeDeployment)} {
		_, err := p.PlanInstance(t.Context(), config)
		require.NoError(t, err)
		before := tap.requests.Load()
		_, err = p.GetInstance(t.Context(), web.ID)
		require.NoError(t, err)
		assert.Equal(t, before, tap.requests.Load(), "the read is answered from memory")
	}
}
