package fake

import (
	"context"
	"errors"
	"iter"
	"maps"
	"reflect"
	"slices"
	"time"

	"skillcenter.io/hosting"
)

// WatchInstances yields all instances, then ChangeSynced, then what changes. It
// works in the goroutine that ranges over it, which waits meanwhile: until
// somebody changes something, or the next moment at which something happens by
// itself. It yields each instance as it is at that moment, so a consumer that
// takes its time misses states, but never the last one. Of an instance that was
// deleted and created again meanwhile, it tells both.
//
// It ends without an error when ctx is cancelled, and with one when the
// provider is closed.
func (p *Provider) WatchInstances(ctx context.Context) iter.Seq2[hosting.InstanceChange, error] {
	o := operation{method: "WatchInstances", code: hosting.ListFailed}
	return func(yield func(hosting.InstanceChange, error) bool) {
		w := &watcher{told: map[string]sighting{}, queued: map[string]bool{}}
		_, err := call(ctx, p, o, w.look(p))
		if err == nil {
			err = w.run(ctx, p, yield)
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, errLeft) {
			yield(hosting.InstanceChange{}, p.failure(o, err))
		}
	}
}

// errLeft tells that the consumer has left the loop.
var errLeft = errors.New("the consumer has left")

// sighting is an instance as it was seen. Another uid is another instance.
type sighting struct {
	uid  int
	view hosting.CloudInstance
}

func (s sighting) equals(other sighting) bool {
	return s.uid == other.uid && reflect.DeepEqual(s.view, other.view)
}

// watcher is one watch.
type watcher struct {
	there  map[string]sighting // what was seen last
	told   map[string]sighting // what the consumer knows
	queue  []string            // ids that the two may differ in, in the order to tell
	queued map[string]bool

	wake    time.Time       // when something happens by itself; zero if nothing does
	changed <-chan struct{} // closed when somebody changes something
}

// look takes in what is there now.
func (w *watcher) look(p *Provider) func(time.Time) (struct{}, error) {
	return func(time.Time) (struct{}, error) {
		w.there, w.wake, w.changed = map[string]sighting{}, time.Time{}, p.changed
		for _, in := range p.sorted() {
			seen := sighting{in.uid, in.view()}
			w.there[in.key] = seen
			w.wake = earlier(w.wake, in.wake)
			if told, known := w.told[in.key]; !known || !told.equals(seen) {
				w.add(in.key)
			}
		}
		for _, id := range slices.Sorted(maps.Keys(w.told)) {
			if _, exists := w.there[id]; !exists {
				w.add(id)
			}
		}
		return struct{}{}, nil
	}
}

func (w *watcher) add(id string) {
	if !w.queued[id] {
		w.queued[id] = true
		w.queue = append(w.queue, id)
	}
}

// run tells what there is to tell, until ctx ends, the consumer leaves or the
// provider is closed.
func (w *watcher) run(ctx context.Context, p *Provider, yield func(hosting.InstanceChange, error) bool) error {
	first := len(w.queue) // these are told before the rest, since it is a queue
	for {
		if first == 0 {
			if !yield(hosting.InstanceChange{Type: hosting.ChangeSynced}, nil) {
				return errLeft
			}
		}
		first--
		if len(w.queue) == 0 && !w.wait(ctx) || ctx.Err() != nil {
			return nil
		}
		if w.stale() {
			if _, err := locked(p, w.look(p)); err != nil {
				return err
			}
		}
		if change, ok := w.next(); ok && !yield(change, nil) {
			return errLeft
		}
	}
}

// stale tells whether things may have changed since the last look.
func (w *watcher) stale() bool {
	select {
	case <-w.changed:
		return true
	default:
		return due(w.wake, time.Now())
	}
}

// next takes the first of the queue and returns what to tell of it. It returns
// false if there is nothing.
func (w *watcher) next() (hosting.InstanceChange, bool) {
	if len(w.queue) == 0 {
		return hosting.InstanceChange{}, false
	}
	id := w.queue[0]
	w.queue = w.queue[1:]
	delete(w.queued, id)
	told, known := w.told[id]
	seen, exists := w.there[id]
	switch {
	case known && (!exists || seen.uid != told.uid):
		delete(w.told, id)
		if exists {
			w.add(id)
		}
		return hosting.InstanceChange{Type: hosting.ChangeDeleted, Instance: copyInstance(told.view)}, true
	case exists && (!known || !told.equals(seen)):
		w.told[id] = seen
		return hosting.InstanceChange{Type: hosting.ChangeState, Instance: copyInstance(seen.view)}, true
	}
	return hosting.InstanceChange{}, false // it is as the consumer knows it again
}

// wait blocks until something may have changed. It returns false when ctx is
// done first.
func (w *watcher) wait(ctx context.Context) bool {
	var due <-chan time.Time
	if !w.wake.IsZero() {
		timer := time.NewTimer(max(time.Until(w.wake), time.Millisecond))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-w.changed:
	case <-due:
	}
	return true
}

// copyInstance returns an instance for somebody who may change it.
func copyInstance(in hosting.CloudInstance) hosting.CloudInstance {
	in.Labels, in.Metadata = maps.Clone(in.Labels), maps.Clone(in.Metadata)
	if in.Resources != nil {
		in.Resources = new(*in.Resources)
	}
	if in.Endpoint != nil {
		endpoint := *in.Endpoint
		endpoint.Metadata = maps.Clone(endpoint.Metadata)
		in.Endpoint = &endpoint
	}
	return in
}
