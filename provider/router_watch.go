package provider

import (
	"context"
	"iter"
	"sync"

	"skillcenter.io/hosting"
)

// WatchInstances watches the instances of all providers. It is in sync once
// all of them are. An error of one provider ends it, and names that provider: a
// watch that left one out could not say so. A provider that only waits for its
// platform, as the Kubernetes provider does, delays ChangeSynced, while the
// instances of the others are told.
func (r *Router) WatchInstances(ctx context.Context) iter.Seq2[hosting.InstanceChange, error] {
	return func(yield func(hosting.InstanceChange, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		news := make(chan message)
		for _, n := range r.backends {
			wg.Go(func() { n.watch(ctx, news) })
		}
		unsynced := len(r.backends)
		for {
			select {
			case <-ctx.Done():
				return
			case m := <-news:
				if ctx.Err() != nil {
					return
				}
				if m.err == nil && m.change.Type == hosting.ChangeSynced {
					if unsynced--; unsynced > 0 {
						continue
					}
				}
				if !yield(m.change, m.err) || m.err != nil {
					return
				}
			}
		}
	}
}

// message is what one of several watches has to tell.
type message struct {
	change hosting.InstanceChange
	err    error
}

// watch sends what the backend tells until ctx ends. It holds one message at
// most, so that a slow consumer is told of the newest state by the backend.
func (n Named) watch(ctx context.Context, news chan<- message) {
	send := func(change hosting.InstanceChange, err error) bool {
		select {
		case <-ctx.Done():
			return false
		case news <- message{change, err}:
			return err == nil
		}
	}
	for change, err := range hosting.WatchInstances(ctx, n.Provider) {
		if !send(n.qualifyChange(change), n.failure(hosting.ListFailed, err)) {
			return
		}
	}
	send(hosting.InstanceChange{}, hosting.Errorf(n.Name, hosting.ListFailed, hosting.Unavailable, "the watch of provider %s has ended", n.Name))
}
