package provider_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
)

func TestAWatchMergesAllProvidersAndIsInSyncOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := filled(t, "one", "two"), filled(t, "three")
		r := newRouter(t, backend("a", a), backend("b", b))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		before, after := map[string]bool{}, map[string]hosting.Status{}
		synced := 0
		for change, err := range hosting.WatchInstances(ctx, r) {
			require.NoError(t, err)
			switch {
			case change.Type == hosting.ChangeSynced:
				synced++
				// From inside the loop, as every provider allows.
				config := deployment("four")
				config.Provider = "b"
				_, err := r.CreateInstance(ctx, config)
				require.NoError(t, err)
				require.NoError(t, r.DeleteInstance(ctx, "a:default.deployment.one"))
			case synced == 0:
				assert.Equal(t, hosting.ChangeState, change.Type)
				before[change.Instance.ID] = true
			case change.Type == hosting.ChangeDeleted:
				after[change.Instance.ID] = "deleted"
			default:
				after[change.Instance.ID] = change.Instance.Status
			}
			if after["a:default.deployment.one"] == "deleted" && after["b:default.deployment.four"] == hosting.StatusRunning {
				break
			}
		}
		require.NoError(t, ctx.Err(), "told: %v", after)
		assert.Equal(t, 1, synced)
		assert.Equal(t, []string{"a:default.deployment.one", "a:default.deployment.two", "b:default.deployment.three"}, slices.Sorted(maps.Keys(before)))
	}) // which fails if a goroutine is left
}

func TestAWatchIsInSyncOnlyWhenAllProvidersAre(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := filled(t, "late")
		slow.InjectCall(fake.CallFault{Method: "WatchInstances", Delay: time.Minute})
		r := newRouter(t, backend("slow", slow), backend("b", filled(t, "web")))
		began := time.Now()
		seen := map[string]time.Duration{}
		for change, err := range hosting.WatchInstances(t.Context(), r) {
			require.NoError(t, err)
			if _, told := seen[change.Instance.ID]; !told {
				seen[change.Instance.ID] = time.Since(began)
			}
			if change.Type == hosting.ChangeSynced {
				break
			}
		}
		assert.Zero(t, seen["b:default.deployment.web"], "the others are told meanwhile")
		assert.GreaterOrEqual(t, seen[""], time.Minute)
	})
}

func TestAProviderThatFailsEndsTheWatchWithAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down := fake.New()
		r := newRouter(t, backend("a", filled(t, "web")), backend("down", down))
		var errs []error
		for change, err := range hosting.WatchInstances(t.Context(), r) {
			if change.Type == hosting.ChangeSynced {
				require.NoError(t, down.Close())
			}
			if err != nil {
				errs = append(errs, err)
			}
		}
		require.Len(t, errs, 1)
		e := failed(t, errs[0])
		assert.Equal(t, "down", e.Provider)
		assert.Equal(t, hosting.ListFailed, e.Code)
		assert.Equal(t, hosting.Unavailable, e.Reason)
	})
}

func TestAWatchEndsSilentlyWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRouter(t, backend("a", filled(t, "web")), backend("b", fake.New()))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for _, err := range hosting.WatchInstances(ctx, r) {
			require.NoError(t, err)
			cancel()
		}
		for range hosting.WatchInstances(ctx, r) {
			t.Error("something was told after the end of the context")
		}
		for range hosting.StreamLogs(ctx, r, "no id", hosting.LogQueryOptions{}) {
			t.Error("something was told after the end of the context")
		}
	})
}
