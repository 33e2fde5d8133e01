package autoscale_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider/store"
)

// platformLog is what really happened to an instance, whoever did it.
type platformLog struct {
	steps []realStep
	taken bool
}

type realStep struct {
	at       time.Time
	from, to int
}

// process is a process that dies at one of its writes: before it takes effect,
// or after that and before the answer. From then on it changes nothing more.
type process struct {
	store.Store
	*fake.Provider
	log *platformLog

	diesAt, writes int
	afterEffect    bool
	dead           bool
}

var errDead = errors.New("the process was killed")

// write lets a write happen, unless the process is dead or dies of it.
func (p *process) write(effect func() error) error {
	if p.dead {
		return errDead
	}
	p.writes++
	dies := p.writes == p.diesAt
	if dies && !p.afterEffect {
		p.dead = true
		return errDead
	}
	err := effect()
	if dies {
		p.dead = true
		return errDead
	}
	return err
}

func (p *process) Put(ctx context.Context, document store.Document) (written store.Document, err error) {
	err = p.write(func() (err error) {
		written, err = p.Store.Put(ctx, document)
		return err
	})
	return written, err
}

func (p *process) Delete(ctx context.Context, key, version string) error {
	return p.write(func() error { return p.Store.Delete(ctx, key, version) })
}

func (p *process) ScaleFrom(ctx context.Context, id string, from, to int) error {
	return p.write(func() error {
		err := p.Provider.ScaleFrom(ctx, id, from, to)
		if err == nil {
			p.log.steps = append(p.log.steps, realStep{time.Now(), from, to})
		}
		return err
	})
}

func (p *process) TakeOver(ctx context.Context, id string) error {
	return p.write(func() error {
		p.log.taken = true
		return p.Provider.TakeOver(ctx, id)
	})
}

func (p *process) GiveBack(ctx context.Context, id string) error {
	return p.write(func() error {
		p.log.taken = false
		return p.Provider.GiveBack(ctx, id)
	})
}

func (p *process) RecordEvent(ctx context.Context, id string, event hosting.InstanceEvent) error {
	return p.write(func() error { return p.Provider.RecordEvent(ctx, id, event) })
}

// TestADeathAtAnyWriteLosesNothingAndRepeatsNothing is kill -9 at each of the
// writes of a policy's life, before it takes effect and after. Another process
// goes on from there.
func TestADeathAtAnyWriteLosesNothingAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	writes := 0
	synctest.Test(t, func(t *testing.T) { writes = live(t, 0, false) })
	require.Greater(t, writes, 15, "there is a lot to interrupt")
	for n := 1; n <= writes; n++ {
		for _, after := range []bool{false, true} {
			name := fmt.Sprintf("write %d, after its effect %v", n, after)
			synctest.Test(t, func(t *testing.T) { live(t, n, after) })
			require.False(t, t.Failed(), name)
		}
	}
}

// live goes through a policy's life. The first process dies at a write, if that
// is not 0. It returns how many writes there were.
func live(t *testing.T, diesAt int, afterEffect bool) int {
	w := newWorld(t)
	log := &platformLog{}
	var p *process
	var c *autoscale.Controller
	start := func(diesAt int) {
		p = &process{Store: w.store, Provider: w.platform, log: log, diesAt: diesAt, afterEffect: afterEffect}
		c = w.controller(func(config *autoscale.Config) { config.Provider, config.Backend, config.Store = p, p, p })
	}
	start(diesAt)
	// do repeats a call until it is acknowledged.
	do := func(call func() error) {
		t.Helper()
		for err := call(); p.dead || err != nil; err = call() {
			require.True(t, p.dead, "%v", err)
			start(0)
		}
	}
	ticks := func(n int) {
		for range n {
			do(func() error { return c.Tick(t.Context()) })
			time.Sleep(autoscale.DefaultInterval)
		}
	}
	// stands checks what was acknowledged by what a new process reads.
	stands := func(want hosting.AutoScalePolicy) {
		t.Helper()
		policy, err := w.controller().GetAutoScalePolicy(t.Context(), webID)
		require.NoError(t, err)
		require.Equal(t, want, policy)
	}

	var policy hosting.AutoScalePolicy
	do(func() (err error) {
		policy, err = c.CreateAutoScalePolicy(t.Context(), cpuPolicy())
		return err
	})
	stands(policy)
	w.load(10)
	ticks(16) // 4 minutes: steps at the end of the evaluation period and of each cooldown
	assert.Equal(t, 5, w.replicas())
	assert.True(t, log.taken)

	policy.MaxReplicas = 6
	do(func() error {
		_, err := c.UpdateAutoScalePolicy(t.Context(), policy.PolicyID, policy)
		return err
	})
	stands(policy)
	ticks(8)
	assert.Equal(t, 6, w.replicas())

	do(func() error { return c.DisableAutoScalePolicy(t.Context(), policy.PolicyID) })
	policy.Enabled = false
	stands(policy)
	ticks(1)
	assert.False(t, log.taken, "the platform's autoscaler acts again")
	do(func() error { return c.EnableAutoScalePolicy(t.Context(), policy.PolicyID) })
	policy.Enabled = true
	stands(policy)
	w.load(0)
	ticks(30)
	assert.True(t, log.taken)
	assert.Less(t, w.replicas(), 6)

	do(func() error {
		err := c.DeleteAutoScalePolicy(t.Context(), policy.PolicyID)
		if errors.Is(err, hosting.NotFound) { // the first try has done it
			return nil
		}
		return err
	})
	_, err := w.controller().GetAutoScalePolicyByID(t.Context(), policy.PolicyID)
	require.ErrorIs(t, err, hosting.NotFound)
	before := w.replicas()
	ticks(20)
	assert.Equal(t, before, w.replicas(), "a policy that is deleted does nothing")
	assert.False(t, log.taken)
	documents, err := w.store.List(t.Context(), "policy")
	require.NoError(t, err)
	assert.Empty(t, documents)

	for i, step := range log.steps {
		assert.Contains(t, []int{1, -1}, step.to-step.from)
		if i > 0 {
			assert.Equal(t, log.steps[i-1].to, step.from, "each begins where the last one ended")
			assert.GreaterOrEqual(t, step.at.Sub(log.steps[i-1].at), time.Minute, "the cooldown")
		}
	}
	// Each is told of; at most the one at which it died twice.
	told := map[string]int{}
	for _, message := range w.decisions() {
		told[message[:len("from 1 to 2 replicas")]]++
	}
	repeated := 0
	for _, step := range log.steps {
		n := told[fmt.Sprintf("from %d to %d replicas", step.from, step.to)]
		assert.GreaterOrEqual(t, n, 1, "%+v: %v", step, told)
		repeated += n - 1
	}
	assert.LessOrEqual(t, repeated, min(diesAt, 1))
	return p.writes
}
