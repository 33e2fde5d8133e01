package kubernetes

import (
	"reflect"
	"sync"

	"skillcenter.io/hosting"
)

// watcher is one consumer of changes. It holds at most one change of each
// instance, whatever its consumer does.
type watcher struct {
	signal chan struct{} // has a value when there may be something to do

	mu      sync.Mutex
	pending map[string]pendingChange // the newest by id
	queue   []string                 // the ids in pending, the oldest first
	told    map[string]*hosting.CloudInstance
}

// pendingChange is a change that the consumer has not taken yet. The instance
// is shared.
type pendingChange struct {
	instance *hosting.CloudInstance
	gone     bool
}

func newWatcher() *watcher {
	return &watcher{signal: make(chan struct{}, 1), pending: map[string]pendingChange{}, told: map[string]*hosting.CloudInstance{}}
}

// poke wakes the consumer. It does not block.
func (w *watcher) poke() {
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

// offer replaces what is pending of an instance. It does not block.
func (w *watcher) offer(id string, instance *hosting.CloudInstance, gone bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, waits := w.pending[id]; !waits {
		w.queue = append(w.queue, id)
	}
	w.pending[id] = pendingChange{instance, gone}
	w.poke()
}

// next takes the change that has waited longest. What the consumer knows
// already is left out: a state that is as it was, and the end of what it was
// never told of.
func (w *watcher) next() (hosting.InstanceChange, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) > 0 {
		id := w.queue[0]
		w.queue = w.queue[1:]
		change := w.pending[id]
		delete(w.pending, id)
		known := w.told[id]
		switch {
		case change.gone && known == nil:
		case change.gone:
			delete(w.told, id)
			return hosting.InstanceChange{Type: hosting.ChangeDeleted, Instance: cloneInstance(change.instance)}, true
		case known == change.instance:
		case known != nil && reflect.DeepEqual(*known, *change.instance):
		default:
			w.told[id] = change.instance
			return hosting.InstanceChange{Type: hosting.ChangeState, Instance: cloneInstance(change.instance)}, true
		}
	}
	return hosting.InstanceChange{}, false
}
