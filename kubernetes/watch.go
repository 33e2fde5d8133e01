package kubernetes

import (
	"context"
	"iter"
	"time"

	"skillcenter.io/hosting"
)

// WatchInstances implements [hosting.InstanceWatcher]. All watchers of a
// provider share one set of watches, which the first opens and the last
// closes, unless Run keeps it open. A consumer may take its time, and call the
// provider meanwhile: of each instance the newest state waits for it, and
// nobody else does. Interruptions are bridged: what has changed meanwhile is
// told afterwards. A cluster that does not answer is waited for, however long,
// without an error: the instances of the other regions are told meanwhile, and
// [hosting.ChangeSynced] comes when all regions have been told. A region that
// cannot be watched for good, because permissions, credentials or its namespace
// are missing or its cluster is too old, ends the whole watch with an error
// that names it: a watch that left a region out could not say so. Watch the
// others with a provider of their own. An instance that is deleted and created again may be told of as
// one change of state. One whose anchor cannot be decoded, which is an error
// of the other calls, has status unknown and reason Unreadable; its message
// says what is wrong.
func (p *Provider) WatchInstances(ctx context.Context) iter.Seq2[hosting.InstanceChange, error] {
	return func(yield func(hosting.InstanceChange, error) bool) {
		if ctx.Err() != nil {
			return
		}
		m := p.hold(ctx)
		defer p.release(m)
		w := newWatcher()
		for _, r := range m.regions {
			r.meet(w)
			defer r.leave(w)
		}
		synced := false
		for {
			all, err := p.joinAll(ctx, m, w)
			if err != nil {
				yield(hosting.InstanceChange{}, err)
				return
			}
			for change, ok := w.next(); ok; change, ok = w.next() {
				if ctx.Err() != nil || !yield(change, nil) {
					return
				}
			}
			if all && !synced {
				synced = true
				if ctx.Err() != nil || !yield(hosting.InstanceChange{Type: hosting.ChangeSynced}, nil) {
					return
				}
			}
			select {
			case <-ctx.Done():
				return
			case <-w.signal:
			}
		}
	}
}

// joinAll has the watcher told the views of each region that is in sync. It
// tells whether that are all regions. The error is that of a region that
// cannot be watched.
func (p *Provider) joinAll(ctx context.Context, m *mirror, w *watcher) (bool, error) {
	all := true
	for at, r := range m.regions {
		joined, refusal := r.join(w)
		if refusal != nil {
			return false, p.fail(ctx, hosting.ListFailed, "", "region "+at.name, refusal)
		}
		all = all && joined
	}
	return all, nil
}

// meet has the watcher woken when the region gets on.
func (r *regionMirror) meet(w *watcher) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.interest[w] = true
}

// leave ends everything between the region and the watcher.
func (r *regionMirror) leave(w *watcher) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.interest, w)
	delete(r.watchers, w)
}

// join offers the watcher all views, once the region is in sync, and from then
// on what changes. It has joined when every instance could be offered: one
// whose workload is missing may take missingGrace, and its offer, or any news
// of it, wakes the watcher.
func (r *regionMirror) join(w *watcher) (joined bool, refusal error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if err := r.refusal(now); err != nil {
		return false, err
	}
	complete, offered := r.watchers[w]
	if complete {
		return true, nil
	}
	if !r.inSync() {
		return false, nil
	}
	r.refresh(now, viewValidity)
	complete = true
	for _, v := range r.views {
		switch {
		case v.instance == nil:
			complete = false
		case !offered:
			w.offer(v.id, v.instance, false)
		}
	}
	r.watchers[w] = complete
	return complete, nil
}

// publishInterval is how often states that depend on the time are looked at
// for watchers.
const publishInterval = time.Second

// publish tells the watchers what changes, until ctx ends.
func (r *regionMirror) publish(ctx context.Context) {
	ticker := time.NewTicker(publishInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.work:
		case <-ticker.C:
		}
		r.mu.Lock()
		if len(r.watchers) > 0 && r.inSync() {
			r.refresh(time.Now(), publishInterval/2)
		}
		r.mu.Unlock()
	}
}
