package autoscale_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
)

func TestAPolicyIsReplacedOnlyIfItIsWhatWasSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, other := w.controller(), w.controller()
	seen := w.create(c, cpuPolicy())
	changed := cpuPolicy()
	changed.MaxReplicas = 9
	for name, change := range map[string]func(*hosting.AutoScalePolicy){
		"a number":     func(p *hosting.AutoScalePolicy) { p.MinReplicas++ },
		"a rule":       func(p *hosting.AutoScalePolicy) { p.ScaleUpRules = nil },
		"enabled":      func(p *hosting.AutoScalePolicy) { p.Enabled = !p.Enabled },
		"its instance": func(p *hosting.AutoScalePolicy) { p.InstanceID = "default.deployment.other" },
		"its id":       func(p *hosting.AutoScalePolicy) { p.PolicyID = "" },
		"everything":   func(p *hosting.AutoScalePolicy) { *p = hosting.AutoScalePolicy{} },
	} {
		old := seen
		change(&old)
		replaced, err := other.ReplaceAutoScalePolicy(w.ctx, webPolicyID, old, changed)
		t.Log(name)
		w.fails(err, hosting.PolicyFailed, hosting.Conflict, "it is no longer what was seen")
		assert.Zero(t, replaced)
		found, err := c.GetAutoScalePolicyByID(w.ctx, webPolicyID)
		require.NoError(t, err)
		assert.Equal(t, seen, found, "nothing has changed")
	}

	// As another process may have it: with the provider.
	same := seen
	same.PolicyID, same.InstanceID = "fake:"+webPolicyID, "fake:"+webID
	replaced, err := other.ReplaceAutoScalePolicy(w.ctx, "fake:"+webPolicyID, same, changed)
	require.NoError(t, err)
	changed.PolicyID = webPolicyID
	assert.Equal(t, changed, replaced)
	_, err = c.ReplaceAutoScalePolicy(w.ctx, webPolicyID, seen, seen)
	w.fails(err, hosting.PolicyFailed, hosting.Conflict, webPolicyID)
	again, err := c.ReplaceAutoScalePolicy(w.ctx, webPolicyID, replaced, replaced)
	require.NoError(t, err, "what changes nothing")
	assert.Equal(t, replaced, again)
	seen, err = c.ReplaceAutoScalePolicy(w.ctx, webPolicyID, again, cpuPolicy())
	require.NoError(t, err)
	assert.Equal(t, 5, seen.MaxReplicas)

	wrong := cpuPolicy()
	wrong.MinReplicas = 0
	_, err = c.ReplaceAutoScalePolicy(w.ctx, webPolicyID, seen, wrong)
	w.fails(err, hosting.PolicyFailed, hosting.InvalidArgument, "minReplicas")
	require.NoError(t, c.DeleteAutoScalePolicy(w.ctx, webPolicyID))
	_, err = c.ReplaceAutoScalePolicy(w.ctx, webPolicyID, seen, cpuPolicy())
	w.fails(err, hosting.PolicyNotFound, hosting.NotFound, webPolicyID)
}

// Each writer is a process of its own.
func TestOfManyThatHaveSeenTheSamePolicyOneReplacesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := w.create(w.controller(), cpuPolicy())
	const writers = 4
	var controllers [writers]*autoscale.Controller
	for i := range controllers {
		controllers[i] = w.controller()
	}
	for round := range 50 {
		var writing sync.WaitGroup
		var won atomic.Int32
		var next atomic.Pointer[hosting.AutoScalePolicy]
		for i, c := range controllers {
			writing.Go(func() {
				policy := cpuPolicy()
				policy.MaxReplicas = 10 + writers*round + i
				replaced, err := c.ReplaceAutoScalePolicy(w.ctx, webPolicyID, seen, policy)
				if err != nil {
					assert.ErrorIs(t, err, hosting.Conflict)
					return
				}
				won.Add(1)
				next.Store(&replaced)
			})
		}
		writing.Wait()
		require.EqualValues(t, 1, won.Load(), "round %d", round)
		seen = *next.Load()
		found, err := controllers[0].GetAutoScalePolicyByID(w.ctx, webPolicyID)
		require.NoError(t, err)
		require.Equal(t, seen, found)
	}
}
