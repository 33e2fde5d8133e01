package conformance

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"skillcenter.io/hosting"
)

func watchCases() []testCase {
	return []testCase{
		once("a watch tells what is there, what changes and what goes", watchTells, hosting.CanWatch),
		services("a watch tells the states of a life", watchLife, hosting.CanWatch, hosting.CanStop).waiting(),
		once("several watches tell the same", watchSeveral, hosting.CanWatch),
		once("a watch tells a slow consumer the newest state", watchSlow, hosting.CanWatch, hosting.CanScale),
		once("a watch ends silently when its context is cancelled", watchEnds, hosting.CanWatch),
		once("the consumer of a watch may leave", watchLeft, hosting.CanWatch),
	}
}

// watch ranges over a watch until see returns true, within the timeout. It
// returns false if that did not happen.
func (e *env) watch(t *testing.T, see func(hosting.InstanceChange) bool) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(e.ctx, e.Timeout)
	defer cancel()
	for change, err := range hosting.WatchInstances(ctx, e.p) {
		if err != nil {
			t.Errorf("WatchInstances: %v", err)
			return false
		}
		if see(change) {
			return true
		}
	}
	return false
}

// watchTells acts from inside the loop: a provider may not hold anything while
// its consumer works.
func watchTells(t *testing.T, e *env) {
	config, _ := e.replicated(t, Serve, 1)
	config.Labels = map[string]string{"team": "blue"}
	first := e.create(t, config)
	var second hosting.CloudInstance
	var firstTold, synced, secondTold, deletedTold bool
	e.watch(t, func(change hosting.InstanceChange) bool {
		switch {
		case change.Type == hosting.ChangeSynced:
			if !firstTold || synced {
				t.Errorf("WatchInstances said %s twice, or before it told of %s", hosting.ChangeSynced, first.ID)
			}
			synced = true
			second = e.create(t, e.config(Serve))
		case change.Type == hosting.ChangeState && change.Instance.ID == first.ID:
			firstTold = true
			wantSame(t, "WatchInstances", change.Instance, first)
		case change.Type == hosting.ChangeState && synced && change.Instance.ID == second.ID && !secondTold:
			secondTold = true
			wantSame(t, "WatchInstances", change.Instance, second)
			must(t, "DeleteInstance", first.ID, e.p.DeleteInstance(e.ctx, first.ID))
		case change.Type == hosting.ChangeDeleted && change.Instance.ID == first.ID:
			deletedTold = true
			wantSame(t, "WatchInstances of a deleted instance", change.Instance, first)
		}
		return deletedTold
	})
	if !firstTold || !synced || !secondTold || !deletedTold {
		t.Errorf("WatchInstances told of what was there: %t, that it is in sync: %t, of what was created: %t, of what was deleted: %t; want all, within %v",
			firstTold, synced, secondTold, deletedTold, e.Timeout)
	}
}

// watchLife makes each step only when the watch has told of the one before. The
// status is that of GetInstance, or a later one.
func watchLife(t *testing.T, e *env) {
	var id string
	steps := []struct {
		status hosting.Status
		next   func()
	}{
		{hosting.StatusRunning, func() { must(t, "StopInstance", id, e.p.StopInstance(e.ctx, id)) }},
		{hosting.StatusStopped, func() { must(t, "StartInstance", id, e.p.StartInstance(e.ctx, id)) }},
		{hosting.StatusRunning, func() { must(t, "DeleteInstance", id, e.p.DeleteInstance(e.ctx, id)) }},
	}
	var told []hosting.Status
	gone := e.watch(t, func(change hosting.InstanceChange) bool {
		if change.Type == hosting.ChangeSynced {
			id = e.create(t, e.config(Serve)).ID
		}
		if id == "" || change.Instance.ID != id {
			return false
		}
		told = append(told, change.Instance.Status)
		if len(steps) > 0 && change.Type == hosting.ChangeState && change.Instance.Status == steps[0].status {
			steps[0].next()
			steps = steps[1:]
		}
		return change.Type == hosting.ChangeDeleted
	})
	if !gone || len(steps) > 0 {
		t.Errorf("WatchInstances told of %s only %v within %v, want %s, %s, %s and then its end", id, slices.Compact(told), e.Timeout,
			hosting.StatusRunning, hosting.StatusStopped, hosting.StatusRunning)
	}
}

func watchSeveral(t *testing.T, e *env) {
	config := e.config(Serve)
	synced := make(chan bool, 3)
	told := make(chan hosting.CloudInstance, cap(synced))
	for range cap(synced) {
		go func() {
			var found hosting.CloudInstance
			ready := false
			e.watch(t, func(change hosting.InstanceChange) bool {
				if change.Type == hosting.ChangeSynced {
					ready = true
					synced <- true
				}
				found = change.Instance
				return found.Name == config.InstanceName && found.Region == e.Region
			})
			if !ready {
				synced <- false
			}
			told <- found
		}()
	}
	all := true
	for range cap(synced) {
		all = <-synced && all
	}
	created := e.create(t, config)
	for range cap(synced) {
		if got := <-told; got.ID != created.ID || !all {
			t.Errorf("one of %d watches at once told of %q, want %q and that all came in sync: %t", cap(synced), got.ID, created.ID, all)
		}
	}
}

// watchSlow changes the instance several times while the watch waits for its
// consumer. It may be told of states in between later, but of the last one for
// certain.
func watchSlow(t *testing.T, e *env) {
	config, _ := e.replicated(t, Serve, 1)
	id := e.create(t, config).ID
	var last hosting.CloudInstance
	newest := e.watch(t, func(change hosting.InstanceChange) bool {
		if change.Type == hosting.ChangeSynced {
			for _, n := range []int{2, 1, 3} {
				must(t, "ScaleInstance", id, e.p.ScaleInstance(e.ctx, id, n))
			}
			time.Sleep(e.PollInterval)
		}
		if change.Instance.ID == id {
			last = change.Instance
		}
		return last.Replicas == 3
	})
	if !newest {
		t.Errorf("WatchInstances told of %s with %d replicas at last, within %v, want the 3 it was scaled to", id, last.Replicas, e.Timeout)
	}
}

func watchEnds(t *testing.T, e *env) {
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	var cancelled time.Time
	synced := false
	for change, err := range hosting.WatchInstances(ctx, e.p) {
		if err != nil {
			t.Errorf("WatchInstances whose context is cancelled: %v", err)
			break
		}
		if change.Type == hosting.ChangeSynced {
			synced = true
			cancelled = time.Now()
			cancel()
		}
		if synced && time.Since(cancelled) > endLimit {
			break
		}
	}
	if took := time.Since(cancelled); !synced || took > endLimit {
		t.Errorf("WatchInstances came in sync: %t, and ended %v after its context was cancelled, want true and at most %v", synced, took, endLimit)
	}
}

// watchLeft leaves at the first message, and later.
func watchLeft(t *testing.T, e *env) {
	created := e.create(t, e.config(Serve))
	for _, enough := range []int{1, 2} {
		seen := 0
		if !e.watch(t, func(hosting.InstanceChange) bool { seen++; return seen == enough }) {
			t.Errorf("WatchInstances told %d messages within %v, want %d", seen, e.Timeout, enough)
		}
	}
	found := e.watch(t, func(change hosting.InstanceChange) bool { return change.Instance.ID == created.ID })
	if !found {
		t.Errorf("WatchInstances did not tell of %s after other consumers had left: %s", created.ID, fmt.Sprint(e.Timeout))
	}
}
