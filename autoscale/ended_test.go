package autoscale_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/fake"
)

// A step whose answer was lost is ended, and told of if it was made, also when
// the policy does not act any more.
func TestAStepIsEndedThoughItsPolicyIs(t *testing.T) {
	t.Parallel()
	ends := map[string]func(c *autoscale.Controller, w *world) error{
		"disabled": func(c *autoscale.Controller, w *world) error { return c.DisableAutoScalePolicy(w.ctx, webPolicyID) },
		"deleted":  func(c *autoscale.Controller, w *world) error { return c.DeleteAutoScalePolicy(w.ctx, webPolicyID) },
		"deleted with its instance": func(c *autoscale.Controller, w *world) error {
			if err := w.platform.DeleteInstance(w.ctx, webID); err != nil {
				return err
			}
			return c.DeleteAutoScalePolicy(w.ctx, webPolicyID)
		},
	}
	for how, end := range ends {
		for _, made := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, made %v", how, made), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					c := w.controller()
					w.create(c, cpuPolicy())
					w.load(10)
					w.platform.InjectCall(fake.CallFault{Method: "ScaleFrom", Reason: hosting.Unavailable, AfterEffect: made})
					w.ticks(c, 3)
					require.Len(t, w.log.lines("WARN", "scaling from 2 to 3"), 1)
					require.NoError(t, end(c, w))
					// The process ends, too.
					c = w.controller()
					w.ticks(c, 3)
					documents, err := w.store.List(w.ctx, "policy")
					require.NoError(t, err)
					if how != "disabled" {
						assert.Empty(t, documents)
					} else if assert.Len(t, documents, 1) {
						assert.NotContains(t, string(documents[0].Data), `"step"`)
						assert.NotContains(t, string(documents[0].Data), `"owned"`)
					}
					if how != "deleted with its instance" {
						assert.Len(t, w.decisions(), map[bool]int{true: 1}[made])
						assert.Equal(t, map[bool]int{true: 3, false: 2}[made], w.replicas())
					}
				})
			})
		}
	}
}

func TestWithoutABackendWhatSomebodyElseDidIsNotOverwritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		meanwhile := &scaledMeanwhile{Provider: w.platform}
		c := w.controller(func(config *autoscale.Config) {
			config.Provider, config.Backend, config.Store = meanwhile, nil, w.store
		})
		w.create(c, cpuPolicy())
		w.load(10)
		meanwhile.hook = func() { require.NoError(t, w.platform.ScaleInstance(w.ctx, webID, 4)) }
		w.ticks(c, 3)
		assert.Equal(t, 4, w.replicas())
		assert.Len(t, w.log.lines("WARN", "has 4 replicas, not 2"), 1)
		w.ticks(c, 5)
		assert.Equal(t, 5, w.replicas(), "after the cooldown of that")
	})
}

// scaledMeanwhile is a platform on which somebody scales between two reads: the
// one that decides and the one just before the change.
type scaledMeanwhile struct {
	*fake.Provider
	hook  func()
	looks int
}

// GetMetrics comes after the first read.
func (p *scaledMeanwhile) GetMetrics(ctx context.Context, id string) (hosting.InstanceMetrics, error) {
	metrics, err := p.Provider.GetMetrics(ctx, id)
	if p.looks++; p.looks == 3 {
		p.hook()
	}
	return metrics, err
}
