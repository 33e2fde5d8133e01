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

// TestOwnChangesAreSeenWhileTheWatchesAreSilent does the same for what changes
// replicas, resources and labels.
func TestOwnChangesAreSeenWhileTheWatchesAreSilent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	configs := map[string]hosting.CloudHostingConfig{}
	for _, instanceType := range w.SupportedInstanceTypes() {
		config := simple("web-"+instanceType, instanceType)
		config.Labels = map[string]string{"team": "blue"}
		w.mustCreate(t, config)
		configs[instanceType] = config
	}
	p, tap := w.cachedProvider(t)
	requireInSync(t, p, tap)
	t.Cleanup(tap.hold())
	for instanceType, config := range configs {
		t.Run(instanceType, func(t *testing.T) {
			t.Parallel() // most of it is waiting for watches
			ctx, id := t.Context(), "default."+instanceType+".web-"+instanceType
			can, err := hosting.Capabilities(ctx, p, "", instanceType)
			require.NoError(t, err)
			seen := func(after string) hosting.CloudInstance {
				t.Helper()
				want, err := w.GetInstance(ctx, id)
				require.NoError(t, err)
				got, err := p.GetInstance(ctx, id)
				require.NoError(t, err)
				list, err := p.ListInstances(ctx)
				require.NoError(t, err)
				i := slices.IndexFunc(list, func(listed hosting.CloudInstance) bool { return listed.ID == id })
				require.GreaterOrEqual(t, i, 0, "it is not listed after %s", after)
				for _, have := range []hosting.CloudInstance{got, list[i]} {
					assert.Equal(t, want.Replicas, have.Replicas, after)
					assert.Equal(t, want.Resources, have.Resources, after)
					assert.Equal(t, want.Labels, have.Labels, after)
					assert.Equal(t, want.UpdatedAt, have.UpdatedAt, after)
				}
				return got
			}
			config.Labels = map[string]string{"team": "red"}
			_, err = p.ApplyInstance(ctx, config)
			require.NoError(t, err)
			assert.Equal(t, "red", seen("apply").Labels["team"])
			_, err = p.RollbackInstance(ctx, id, 0)
			require.NoError(t, err)
			assert.Equal(t, "blue", seen("rollback").Labels["team"])
			if can.Has(hosting.CanScale) {
				require.NoError(t, p.ScaleInstance(ctx, id, 3))
				assert.Equal(t, 3, seen("scale").Replicas)
			}
			if can.Has(hosting.CanRestart) {
				before := seen("nothing").UpdatedAt
				require.NoError(t, p.RestartInstance(ctx, id))
				assert.True(t, seen("restart").UpdatedAt.After(before))
			}
			if instanceType == hosting.TypeJob { // its resources change only while it is stopped
				require.NoError(t, p.StopInstance(ctx, id))
			}
			require.NoError(t, p.UpdateResources(ctx, id, hosting.ResourceConfig{CPULimit: 3}))
			assert.EqualValues(t, 3, seen("resources").Resources.CPULimit)
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
