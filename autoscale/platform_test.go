package autoscale_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/fake"
)

// ticks lets the controller look n times.
func (w *world) ticks(c *autoscale.Controller, n int) {
	w.t.Helper()
	for range n {
		require.NoError(w.t, c.Tick(w.ctx))
		time.Sleep(autoscale.DefaultInterval)
	}
}

func TestThePlatformsAutoscalerRestsWhileThePolicyActs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		config := web(2)
		config.Scaling.MaxReplicas, config.Scaling.TargetCPUUtilization = 10, 50
		_, err := w.platform.ApplyInstance(w.ctx, config)
		require.NoError(t, err)
		c := w.controller()
		stop := w.run(c)
		defer stop()
		policy := cpuPolicy()
		policy.ScaleDownRules, policy.MinReplicas = nil, 2
		w.create(c, policy)
		w.load(1.3) // 65 percent of two: the platform wants more, the policy does not
		time.Sleep(10 * time.Minute)
		assert.Equal(t, 2, w.replicas())

		for name, one := range map[string]struct {
			end, begin func() error
		}{
			"disabled": {func() error { return c.DisableAutoScalePolicy(w.ctx, webPolicyID) }, func() error { return c.EnableAutoScalePolicy(w.ctx, webPolicyID) }},
			"deleted": {func() error { return c.DeleteAutoScalePolicy(w.ctx, webPolicyID) }, func() error {
				_, err := c.CreateAutoScalePolicy(w.ctx, policy)
				return err
			}},
		} {
			require.NoError(t, one.end())
			w.load(1.5)
			time.Sleep(time.Minute)
			assert.Equal(t, 3, w.replicas(), "%s: the platform's autoscaler acts", name)
			require.NoError(t, one.begin())
			w.load(0.4)
			time.Sleep(10 * time.Minute)
			assert.Equal(t, 3, w.replicas(), "%s: it rests again", name)
			w.load(1)
			require.NoError(t, w.platform.GiveBack(w.ctx, webID)) // so that both rounds begin alike
			time.Sleep(time.Minute)
			require.NoError(t, w.platform.TakeOver(w.ctx, webID))
			require.Equal(t, 2, w.replicas())
		}
	})
}

func TestAPolicyGoesWithItsInstance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.controller()
		w.create(c, cpuPolicy())
		w.ticks(c, 2)
		require.NoError(t, w.platform.DeleteInstance(w.ctx, webID))
		w.ticks(c, 2)
		list, err := c.ListAutoScalePolicies(w.ctx)
		require.NoError(t, err)
		assert.Empty(t, list)
		assert.NotContains(t, w.log.String(), "level=ERROR")
		before := w.log.String()
		w.ticks(c, 10)
		assert.Equal(t, before, w.log.String(), "nothing is left to complain about")

		config := web(1)
		config.InstanceType = hosting.TypeStatefulSet
		_, err = w.platform.CreateInstance(w.ctx, config)
		require.NoError(t, err)
		policy := cpuPolicy()
		policy.InstanceID = "default.statefulset.web"
		assert.Equal(t, webPolicyID, w.create(c, policy).PolicyID, "the name is free for another type")
	})
}

func TestAPolicyThatIsDisabledGoesWithItsInstance(t *testing.T) {
	t.Parallel()
	for what, others := range map[string]int{"one policy": 0, "so many that the instances are listed": 5} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				c := w.controller()
				w.create(c, cpuPolicy())
				for i := range others {
					config := web(1)
					config.InstanceName = fmt.Sprintf("other-%d", i)
					other, err := w.platform.CreateInstance(w.ctx, config)
					require.NoError(t, err)
					policy := cpuPolicy()
					policy.InstanceID, policy.Enabled = other.ID, false
					w.create(c, policy)
				}
				require.NoError(t, c.DisableAutoScalePolicy(w.ctx, webPolicyID))
				w.ticks(c, 1)
				w.platform.InjectCall(fake.CallFault{Method: "GetInstance", Reason: hosting.Unavailable})
				w.platform.InjectCall(fake.CallFault{Method: "ListInstances", Reason: hosting.Unavailable})
				require.NoError(t, w.platform.DeleteInstance(w.ctx, webID))
				w.ticks(c, 3)
				documents, err := w.store.List(w.ctx, "policy")
				require.NoError(t, err)
				assert.Len(t, documents, others+1, "nobody knows that it is gone")
				w.platform.ClearFaults()
				w.ticks(c, 2)
				documents, err = w.store.List(w.ctx, "policy")
				require.NoError(t, err)
				assert.Len(t, documents, others)
			})
		})
	}
}

func TestAPolicyThatIsDisabledIsKeptWhereItsInstanceWasNeverSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		policy := cpuPolicy()
		policy.Enabled = false
		w.create(w.controller(), policy)
		elsewhere := fake.New(fake.WithName("other"))
		c := w.controller(func(config *autoscale.Config) { config.Provider, config.Backend = elsewhere, elsewhere })
		w.ticks(c, 10)
		list, err := c.ListAutoScalePolicies(w.ctx)
		require.NoError(t, err)
		assert.Len(t, list, 1)
	})
}

// A process that is configured with other providers must not throw away the
// policies of those it does not know.
func TestAPolicyIsKeptWhoseInstanceWasNeverSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.create(w.controller(), cpuPolicy())
		elsewhere := fake.New(fake.WithName("other"))
		c := w.controller(func(config *autoscale.Config) { config.Provider, config.Backend = elsewhere, elsewhere })
		w.ticks(c, 10)
		assert.Len(t, w.log.lines("WARN", "does not exist"), 1, "it is told of once")
		w.load(10)
		w.ticks(w.controller(), 3)
		assert.Equal(t, 3, w.replicas(), "and acts where the instance is known")
	})
}

func TestThePolicyOfAnInstanceThatIsGoneMakesWayAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.controller()
	w.create(c, cpuPolicy())
	require.NoError(t, w.platform.DeleteInstance(w.ctx, webID))
	config := web(1)
	config.InstanceType = hosting.TypeStatefulSet
	_, err := w.platform.CreateInstance(w.ctx, config)
	require.NoError(t, err)
	policy := cpuPolicy()
	policy.InstanceID, policy.MaxReplicas = "default.statefulset.web", 9
	assert.Equal(t, 9, w.create(c, policy).MaxReplicas, "before Run has looked")
	_, err = c.GetAutoScalePolicy(w.ctx, webID)
	w.fails(err, hosting.InstanceNotFound, hosting.NotFound, webID)
}

func TestReplicasThatSomebodyElseSetsAreAChangeToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.controller()
		w.create(c, cpuPolicy())
		w.load(3) // it asks for more of two and three, not of five
		w.ticks(c, 2)
		require.NoError(t, w.platform.ScaleInstance(w.ctx, webID, 3))
		w.ticks(c, 4)
		assert.Equal(t, 3, w.replicas(), "within the cooldown of what a person did")
		w.ticks(c, 1)
		assert.Equal(t, 4, w.replicas())
		require.NoError(t, w.platform.ScaleInstance(w.ctx, webID, 12))
		w.ticks(c, 6)
		assert.Equal(t, 5, w.replicas(), "back inside the bounds")
		assert.Contains(t, w.decisions(), "from 12 to 5 replicas: 12 is outside minReplicas and maxReplicas")
	})
}

func TestAStoppedInstanceIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.controller()
		w.create(c, cpuPolicy())
		w.load(10)
		require.NoError(t, w.platform.StopInstance(w.ctx, webID))
		w.ticks(c, 20)
		assert.Empty(t, w.decisions())
		require.NoError(t, w.platform.StartInstance(w.ctx, webID))
		w.ticks(c, 4)
		assert.Equal(t, 2, w.replicas(), "as before, for a cooldown")
		w.ticks(c, 1)
		assert.Equal(t, 3, w.replicas())
	})
}

func TestAPlatformWithoutABackendIsScaledToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.controller(func(config *autoscale.Config) { config.Backend = nil })
		w.create(c, cpuPolicy())
		w.load(10)
		w.ticks(c, 20)
		assert.Equal(t, 5, w.replicas())
	})
}

func TestAStepThatFailsIsTriedAgainAndToldOfOnce(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		name       string
		fault      fake.CallFault
		during     int // replicas while it fails
		complaints int
	}{
		{"refused", fake.CallFault{Reason: hosting.QuotaExceeded}, 2, 1},
		{"away", fake.CallFault{Reason: hosting.Unavailable}, 2, 1},
		// Each answer is lost, but the replicas tell that it happened.
		{"answers are lost", fake.CallFault{Reason: hosting.Unavailable, AfterEffect: true}, 5, 3},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				c := w.controller()
				w.create(c, cpuPolicy())
				w.load(10)
				one.fault.Method = "ScaleFrom"
				w.platform.InjectCall(one.fault)
				w.ticks(c, 20)
				assert.Equal(t, one.during, w.replicas())
				assert.Equal(t, one.complaints, strings.Count(w.log.String(), "level=WARN msg=\"autoscale: scaling from"), w.log.String())
				w.platform.ClearFaults()
				w.ticks(c, 20)
				assert.Equal(t, 5, w.replicas())
				assert.Equal(t, []string{
					"from 2 to 3 replicas: cpu_usage is 100 (> 70 for 30s)",
					"from 3 to 4 replicas: cpu_usage is 100 (> 70 for 30s)",
					"from 4 to 5 replicas: cpu_usage is 100 (> 70 for 30s)",
				}, w.decisions(), "one event for each, however often it was tried")
			})
		})
	}
}

func TestAPlatformThatIsAwayChangesNothingAndIsComeBackTo(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GetInstance", "GetMetrics", "TakeOver"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.create(w.controller(), cpuPolicy())
				w.load(10)
				w.platform.InjectCall(fake.CallFault{Method: method, Reason: hosting.Unavailable})
				c := w.controller()
				w.ticks(c, 20)
				w.platform.ClearFaults()
				assert.Equal(t, 2, w.replicas())
				assert.Equal(t, 1, strings.Count(w.log.String(), "injected fault"), "it is told of once:\n%s", w.log)
				w.ticks(c, 3)
				assert.Equal(t, 3, w.replicas())
			})
		})
	}
}

// partial lists only some instances, with an error for the rest.
type partial struct{ *fake.Provider }

func (p partial) ListInstances(ctx context.Context) ([]hosting.CloudInstance, error) {
	list, err := p.Provider.ListInstances(ctx)
	return list[:len(list)/2], errors.Join(err, errors.New("a region is away"))
}

func TestAnInstanceThatAListLacksIsNotTakenToBeGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.controller(func(config *autoscale.Config) { config.Provider = partial{w.platform} })
		w.create(c, cpuPolicy())
		for i := range 9 {
			config := web(2)
			config.InstanceName = fmt.Sprintf("other-%d", i)
			other, err := w.platform.CreateInstance(w.ctx, config)
			require.NoError(t, err)
			policy := cpuPolicy()
			policy.InstanceID = other.ID
			w.create(c, policy)
		}
		w.load(10)
		w.ticks(c, 3)
		assert.Equal(t, 3, w.replicas(), "it was read by itself")
		list, err := c.ListAutoScalePolicies(w.ctx)
		require.NoError(t, err)
		assert.Len(t, list, 10)
	})
}

func TestOneInstanceThatHangsDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.controller()
		config := web(2)
		config.InstanceName = "stuck"
		stuck, err := w.platform.CreateInstance(w.ctx, config)
		require.NoError(t, err)
		policy := cpuPolicy()
		policy.InstanceID = stuck.ID
		w.create(c, policy)
		w.create(c, cpuPolicy())
		w.platform.InjectCall(fake.CallFault{Method: "GetMetrics", Instance: "stuck", Delay: time.Hour})
		w.load(10)
		stop := w.run(c)
		defer stop()
		time.Sleep(10 * time.Minute)
		assert.Equal(t, 5, w.replicas())
		require.NoError(t, w.platform.SetLoad(stuck.ID, fake.Load{CPU: 10}))
		w.platform.ClearFaults()
	})
}
