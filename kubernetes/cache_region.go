package kubernetes

import (
	"context"
	"slices"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/fields"

	"skillcenter.io/hosting"
)

// regionMirror is the state of a region in memory, for reads and watchers.
type regionMirror struct {
	p  *Provider
	at *region

	mu                                         sync.Mutex
	anchors, pods, services, ingresses, events *store
	workloads                                  map[string]*store // by instance type
	stores                                     []*store          // all but anchors

	views  map[instanceKey]*view
	sorted []*view // all views by id; nil if it must be made again
	// dirty are the instances whose parts have changed since their view was
	// made, unsteady those whose view depends on the time.
	dirty, unsteady map[instanceKey]bool

	watchers  map[*watcher]bool // those that are told what changes; true once they have been told of all
	interest  map[*watcher]bool // those to tell when the region gets on
	populated chan struct{}     // closed when there is an anchor
	changed   chan struct{}     // closed at the next progress; nil if nobody waits
	work      chan struct{}     // tells publish that there is something to do
}

func (k instanceKey) String() string { return k.instanceType + "." + k.name }

func newRegionMirror(p *Provider, at *region) *regionMirror {
	r := &regionMirror{
		p: p, at: at, workloads: map[string]*store{}, views: map[instanceKey]*view{},
		dirty: map[instanceKey]bool{}, unsteady: map[instanceKey]bool{},
		watchers: map[*watcher]bool{}, interest: map[*watcher]bool{},
		populated: make(chan struct{}), work: make(chan struct{}, 1),
	}
	selector := p.ours().String()
	r.anchors = newStore(r, configMaps, p.anchorSelector())
	add := func(res *resource, labels string) *store {
		s := newStore(r, res, labels)
		r.stores = append(r.stores, s)
		return s
	}
	for instanceType, kind := range kinds {
		r.workloads[instanceType] = add(kind.resource, selector)
	}
	r.pods, r.services, r.ingresses = add(pods, selector), add(services, selector), add(ingresses, selector)
	r.pods.group = byInstance
	r.workloads[hosting.TypeJob].group = byInstance // the runs of cronjobs among them
	r.events = add(eventKind, "")
	r.events.fields = fields.OneTermEqualSelector("type", corev1.EventTypeWarning).String()
	r.events.group = byRegarding
	return r
}

var eventKind = &resource{"Event", "events", coreREST, func() object { return &corev1.Event{} }}

// run keeps the region up to date until ctx ends. A region without instances
// is watched for anchors alone.
func (r *regionMirror) run(ctx context.Context) {
	var wait sync.WaitGroup
	defer wait.Wait()
	wait.Go(func() { r.anchors.run(ctx) })
	wait.Go(func() { r.publish(ctx) })
	select {
	case <-r.populated:
	case <-ctx.Done():
		return
	}
	for _, s := range r.stores {
		wait.Go(func() { s.run(ctx) })
	}
}

// The methods below need the mutex, unless they say otherwise.

// hasAnchors tells that there is, or was, an instance.
func (r *regionMirror) hasAnchors() bool {
	select {
	case <-r.populated:
		return true
	default:
		return false
	}
}

// isAbsent tells that the region is one that need not exist, and does not.
func (r *regionMirror) isAbsent() bool {
	s := r.anchors.sync
	return !r.at.configured && !s.listed && s.refusal != nil && isAbsent(s.refusal)
}

// inSync tells that what is stored follows the API server.
func (r *regionMirror) inSync() bool {
	if r.isAbsent() {
		return true
	}
	if !r.anchors.sync.ready() {
		return false
	}
	return !r.hasAnchors() || !slices.ContainsFunc(r.stores, func(s *store) bool { return !s.sync.ready() && !s.isMissingExtra() })
}

// refusal returns why the region cannot be watched, if that will not pass.
func (r *regionMirror) refusal(now time.Time) error {
	if r.isAbsent() {
		return nil
	}
	for _, s := range append([]*store{r.anchors}, r.stores...) {
		if err := s.lastingRefusal(now); err != nil {
			return err
		}
	}
	return nil
}

// progressed tells those who wait that something has happened.
func (r *regionMirror) progressed() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
	for w := range r.interest {
		w.poke()
	}
	if len(r.watchers) > 0 {
		select {
		case r.work <- struct{}{}:
		default:
		}
	}
}

// progress returns a channel that is closed at the next progress.
func (r *regionMirror) progress() <-chan struct{} {
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return r.changed
}

// touch marks the instance that an object belongs to.
func (r *regionMirror) touch(o object) {
	switch o := o.(type) {
	case *corev1.Event:
		if about := r.regarding(o.InvolvedObject); about != nil {
			r.dirty[keyOf(about)] = true
		}
		return
	case *cachedAnchor:
		if !r.hasAnchors() {
			close(r.populated)
		}
	}
	r.dirty[keyOf(o)] = true
}

// regarding returns the object of ours that an event is about, nil if there is
// none: a pod, a run or a workload.
func (r *regionMirror) regarding(about corev1.ObjectReference) object {
	switch about.Kind {
	case pods.kind:
		return r.pods.objects[about.Name]
	case kinds[hosting.TypeJob].kind:
		return r.workloads[hosting.TypeJob].objects[about.Name]
	}
	return r.anchors.objects[anchorName(about.Name)]
}

// snapshot takes the snapshot of an instance from memory: nil if it has no
// anchor there. The error is that of an anchor that cannot be decoded.
func (r *regionMirror) snapshot(key instanceKey, now time.Time) (*snapshot, error) {
	a, ok := r.anchors.objects[anchorName(key.name)].(*cachedAnchor)
	if !ok || keyOf(a) != key || kinds[key.instanceType] == nil {
		return nil, nil
	}
	if a.err != nil {
		return nil, a.err
	}
	s := newSnapshot(r.at, key, a.anchor)
	if o := r.workloads[key.instanceType].objects[key.name]; o != nil && s.takes(o) {
		s.workload = o
	}
	if o := r.services.objects[key.name]; o != nil && s.takes(o) {
		s.service = o.(*corev1.Service)
	}
	if o := r.ingresses.objects[key.name]; o != nil && s.takes(o) {
		s.ingress = o.(*networkingv1.Ingress)
	}
	for _, o := range r.pods.groups[key.String()] {
		s.pods = append(s.pods, o.(*corev1.Pod))
	}
	if key.instanceType == hosting.TypeCronJob {
		for _, o := range r.workloads[hosting.TypeJob].groups[key.String()] {
			s.runs = append(s.runs, o.(*batchv1.Job))
		}
	}
	s.complete()
	if name := s.warningsOf(now); name != "" {
		var all []corev1.Event
		for _, o := range r.events.groups[name] {
			all = append(all, *o.(*corev1.Event))
		}
		sortEvents(all)
		s.takeWarnings(all, now)
	}
	return s, nil
}

// caughtUp tells that the memory has what was written.
func (r *regionMirror) caughtUp(need writtenSoFar) bool {
	if r.isAbsent() {
		return len(need.versions) == 0 && len(need.removals) == 0
	}
	stores := []*store{r.anchors}
	if r.hasAnchors() {
		stores = append(stores, r.stores...)
	}
	for _, s := range stores {
		for _, want := range need.versions {
			if want.plural == s.plural && !reaches(s.version, want.version) {
				return false
			}
		}
		for _, gone := range need.removals {
			if gone.plural == s.plural && !s.has(gone) {
				return false
			}
		}
	}
	return true
}

// catchUpTime is how long a read waits for the memory to have what this
// provider has written, before it reads live.
const catchUpTime = time.Second

// await waits until the memory has what was written, and returns with the
// mutex held if it has. It takes the mutex itself. It returns false when the
// read must be live.
func (r *regionMirror) await(ctx context.Context, need writtenSoFar) bool {
	deadline := time.Now().Add(catchUpTime)
	for {
		r.mu.Lock()
		if !r.inSync() || ctx.Err() != nil {
			r.mu.Unlock()
			return false
		}
		if r.caughtUp(need) {
			return true
		}
		next := r.progress()
		r.mu.Unlock()
		timer := time.NewTimer(time.Until(deadline))
		select {
		case <-next:
		case <-timer.C:
			return false
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// told removes what was noted of own removals that the memory has seen. It
// needs no mutex.
func (r *regionMirror) told(need writtenSoFar) { r.at.own.forget(need.removals) }
