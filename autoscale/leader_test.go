package autoscale_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider/store"
)

// scriptedElector lets a process lead when the test says so.
type scriptedElector struct {
	terms chan term
}

// term is one time of leading: it begins when it is sent, and ends with ctx.
type term struct {
	ctx    context.Context
	ended  chan struct{} // closed after lead has returned
	reason error
}

func newElector() *scriptedElector { return &scriptedElector{terms: make(chan term)} }

func (e *scriptedElector) Lead(ctx context.Context, lead func(context.Context)) error {
	select {
	case <-ctx.Done():
		return nil
	case t := <-e.terms:
		leading, cancel := context.WithCancel(ctx)
		defer context.AfterFunc(t.ctx, cancel)()
		lead(leading)
		cancel()
		close(t.ended)
		if ctx.Err() != nil {
			return nil
		}
		return t.reason
	}
}

// lead lets a process lead until the result is called, which waits for the end
// of what it does.
func (e *scriptedElector) lead(t *testing.T) (depose func()) {
	ctx, cancel := context.WithCancel(t.Context())
	one := term{ctx: ctx, ended: make(chan struct{}), reason: errors.New("the lease was lost")}
	e.terms <- one
	return func() {
		cancel()
		<-one.ended
	}
}

// late is a backend whose ScaleFrom is on its way for a time, whatever becomes
// of the process that sent it.
type late struct {
	*fake.Provider
	mu      sync.Mutex
	takes   time.Duration
	sent    int
	answers []error
}

func (l *late) ScaleFrom(ctx context.Context, id string, from, to int) error {
	l.mu.Lock()
	takes := l.takes
	l.sent++
	l.mu.Unlock()
	time.Sleep(takes)
	err := l.Provider.ScaleFrom(context.WithoutCancel(ctx), id, from, to)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers = append(l.answers, err)
	return err
}

// asked returns how many steps were sent, and the answers so far.
func (l *late) asked() (sent int, answers []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent, slices.Clone(l.answers)
}

func TestOnlyTheLeaderActsAndTheNextOneGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		electors := []*scriptedElector{newElector(), newElector()}
		backends := []*late{{Provider: w.platform}, {Provider: w.platform}}
		var running []func()
		for i, elector := range electors {
			running = append(running, w.run(w.controller(func(c *autoscale.Config) { c.Elector, c.Backend = elector, backends[i] })))
		}
		w.create(w.controller(), cpuPolicy()) // by a third process, which never leads
		w.load(10)
		time.Sleep(10 * time.Minute)
		assert.Equal(t, 2, w.replicas(), "nobody leads")

		depose := electors[0].lead(t)
		time.Sleep(46 * time.Second)
		assert.Equal(t, 3, w.replicas(), "after the evaluation period and one interval")
		depose()
		depose = electors[1].lead(t)
		time.Sleep(44 * time.Second) // 60 s of cooldown since 30 s after the first led
		assert.Equal(t, 3, w.replicas(), "the cooldown goes on under the second leader")
		time.Sleep(20 * time.Second)
		assert.Equal(t, 4, w.replicas())
		depose()
		time.Sleep(5 * time.Minute)
		assert.Equal(t, 4, w.replicas(), "nobody leads")
		for _, backend := range backends {
			sent, _ := backend.asked()
			assert.Equal(t, 1, sent)
		}
		assert.Len(t, w.decisions(), 2)
		for _, stop := range running {
			stop()
		}
	})
}

func TestTheLateWriteOfAnOldLeaderIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		slow := &late{Provider: w.platform, takes: 5 * time.Minute}
		electors := []*scriptedElector{newElector(), newElector()}
		first := w.run(w.controller(func(c *autoscale.Config) { c.Elector, c.Backend = electors[0], slow }))
		second := w.run(w.controller(func(c *autoscale.Config) { c.Elector = electors[1] }))
		policy := cpuPolicy()
		policy.MaxReplicas = 3
		w.create(w.controller(), policy)
		w.load(10)

		depose := electors[0].lead(t)
		time.Sleep(31 * time.Second)
		sent, _ := slow.asked()
		require.Equal(t, 1, sent, "the first leader's write is on its way")
		var deposed sync.WaitGroup
		deposed.Go(depose) // which lasts as long as its write
		electors[1].lead(t)
		time.Sleep(time.Minute)
		assert.Equal(t, 3, w.replicas(), "the second leader has made the step")
		w.load(1.5)
		deposed.Wait()
		time.Sleep(time.Minute)
		_, answers := slow.asked()
		require.Len(t, answers, 1)
		assert.ErrorContains(t, answers[0], "has 3 replicas, not 2")
		assert.Equal(t, 3, w.replicas())
		assert.Len(t, w.decisions(), 1)
		first()
		second()
	})
}

// Leases do not fence, and nor does a process without an elector: two that both
// believe to lead still make no step twice.
func TestTwoThatBothActMakeNoStepTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.create(w.controller(), cpuPolicy())
		w.load(10)
		a, b := w.run(w.controller()), w.run(w.controller())
		for range 10 {
			before := w.replicas()
			time.Sleep(59 * time.Second)
			assert.LessOrEqual(t, w.replicas()-before, 1, "one step in a cooldown")
		}
		a()
		b()
		assert.Equal(t, 5, w.replicas())
		// One may find the step that the other is about to end, and tell of it too.
		assert.Equal(t, []string{
			"from 2 to 3 replicas: cpu_usage is 100 (> 70 for 30s)",
			"from 3 to 4 replicas: cpu_usage is 100 (> 70 for 30s)",
			"from 4 to 5 replicas: cpu_usage is 100 (> 70 for 30s)",
		}, slices.Compact(w.decisions()))
	})
}

func TestRunEndsWithItsContextAndCanBeCalledAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.controller()
		stop := w.run(c)
		synctest.Wait()
		w.fails(c.Run(w.ctx), "PolicyFailed", "Conflict", "runs already")
		w.fails(c.Tick(w.ctx), "PolicyFailed", "Conflict", "runs already")
		stop()
		w.run(c)()
		require.NoError(t, c.Tick(w.ctx))
	})
}

// countingStore counts writes.
type countingStore struct {
	store.Store
	mu    sync.Mutex
	count int
}

func (s *countingStore) writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

func (s *countingStore) Put(ctx context.Context, document store.Document) (store.Document, error) {
	s.mu.Lock()
	s.count++
	s.mu.Unlock()
	return s.Store.Put(ctx, document)
}

func TestLookingWritesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		counting := &countingStore{Store: w.store}
		c := w.controller(func(config *autoscale.Config) { config.Store = counting; config.Logger = slog.New(slog.DiscardHandler) })
		w.create(c, cpuPolicy())
		stop := w.run(c)
		defer stop()
		time.Sleep(time.Hour)
		assert.Equal(t, 1, counting.writes(), "the policy itself")
		require.NoError(t, c.DisableAutoScalePolicy(w.ctx, webPolicyID))
		time.Sleep(time.Hour)
		assert.Equal(t, 3, counting.writes(), "disabled, and given back")
	})
}
