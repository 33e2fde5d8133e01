package autoscale_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider/store"
)

// counted counts the documents that are written.
type counted struct {
	store.Store
	puts int
}

func (c *counted) Put(ctx context.Context, document store.Document) (store.Document, error) {
	c.puts++
	return c.Store.Put(ctx, document)
}

// refusing is a world whose platform has refused a step for some looks.
func refusing(t *testing.T) (*world, *autoscale.Controller, *counted) {
	t.Helper()
	w := newWorld(t)
	written := &counted{Store: w.store}
	w.store = written
	c := w.controller()
	w.create(c, cpuPolicy())
	w.load(10)
	w.platform.InjectCall(fake.CallFault{Method: "ScaleFrom", Reason: hosting.QuotaExceeded})
	w.ticks(c, 5)
	require.Len(t, w.log.lines("WARN", "scaling from 2 to 3"), 1)
	return w, c, written
}

func TestAStepThatIsRefusedAgainIsNotWrittenAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, c, written := refusing(t)
		before := written.puts
		w.ticks(c, 20)
		assert.Equal(t, before, written.puts)
		w.load(9)
		w.platform.ClearFaults()
		w.ticks(c, 1)
		assert.Equal(t, 3, w.replicas(), "it is tried at each look")
		assert.Equal(t, []string{"from 2 to 3 replicas: cpu_usage is 100 (> 70 for 30s)"}, w.decisions())
		assert.Equal(t, before+1, written.puts)
	})
}

func TestAStepThatIsRefusedIsTakenOutWhenItIsNoLongerWanted(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(*world, *autoscale.Controller) error{
		"the load is gone": func(w *world, _ *autoscale.Controller) error { w.load(1); return nil },
		"somebody has scaled to the same": func(w *world, _ *autoscale.Controller) error {
			return w.platform.ScaleInstance(w.ctx, webID, 3)
		},
		"somebody has scaled to another": func(w *world, _ *autoscale.Controller) error {
			return w.platform.ScaleInstance(w.ctx, webID, 4)
		},
		"somebody has stopped it": func(w *world, _ *autoscale.Controller) error { return w.platform.StopInstance(w.ctx, webID) },
		"the policy is disabled":  func(w *world, c *autoscale.Controller) error { return c.DisableAutoScalePolicy(w.ctx, webPolicyID) },
		"the policy is another": func(w *world, c *autoscale.Controller) error {
			policy := cpuPolicy()
			policy.MaxReplicas = 2
			_, err := c.UpdateAutoScalePolicy(w.ctx, webPolicyID, policy)
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, c, _ := refusing(t)
				require.NoError(t, change(w, c))
				w.ticks(c, 2)
				document, err := w.store.Get(w.ctx, "policy/"+webPolicyID)
				require.NoError(t, err)
				assert.NotContains(t, string(document.Data), `"step"`)
				assert.Empty(t, w.decisions(), "it was never made")
				require.NoError(t, c.DeleteAutoScalePolicy(w.ctx, webPolicyID))
				w.ticks(c, 1)
				documents, err := w.store.List(w.ctx, "policy")
				require.NoError(t, err)
				assert.Empty(t, documents)
			})
		})
	}
}

func TestAPolicyOfAnInstanceWithAVolumeForOneReplicaWritesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		written := &counted{Store: w.store}
		w.store = written
		data, err := w.platform.CreateVolume(w.ctx, hosting.Volume{Name: "data", Size: 1 << 30})
		require.NoError(t, err)
		require.NoError(t, w.platform.ScaleInstance(w.ctx, webID, 1))
		require.NoError(t, w.platform.MountVolume(w.ctx, data.VolumeID, webID, "/data", false))
		c := w.controller()
		w.create(c, cpuPolicy())
		w.load(10)
		w.ticks(c, 20)
		assert.Equal(t, 1, written.puts, "the policy itself")
		assert.Len(t, w.log.lines("WARN", "stopping the platform's autoscaler", data.VolumeID), 1)
		require.NoError(t, w.platform.UnmountVolume(w.ctx, data.VolumeID, webID))
		w.ticks(c, 4)
		assert.Equal(t, 2, w.replicas())
	})
}
