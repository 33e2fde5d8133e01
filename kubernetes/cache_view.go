package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"skillcenter.io/hosting"
)

// view is what an instance looks like from outside. It is shared and never
// changed: callers get copies.
type view struct {
	id       string
	instance *hosting.CloudInstance // nil if there is nothing to show yet
	err      error                  // why the anchor cannot be decoded; only watchers see the instance then
	madeAt   time.Time
	// steady tells that it looks the same until one of its objects changes.
	steady bool
	// restsUntil is until when it does too, if it is not steady for ever.
	restsUntil time.Time
	// workloadMissed is since when the workload is missing; zero if it is not.
	workloadMissed time.Time
}

// missingGrace is how long a workload may be missing in memory before that is
// believed: the anchor and the workload are watched apart, so the news of a
// deletion may come in any order.
const missingGrace = 2 * time.Second

// viewValidity is how old the view of an instance that is not steady may be in
// a list.
const viewValidity = 250 * time.Millisecond

// refresh makes the views of what has changed, and of what depends on the time
// if its view is older than validity, and offers those that look different to
// the watchers. It needs the mutex, and a region that is in sync.
func (r *regionMirror) refresh(now time.Time, validity time.Duration) {
	for key := range r.dirty {
		r.look(key, now)
	}
	clear(r.dirty)
	for key := range r.unsteady {
		if v := r.views[key]; v == nil || now.Sub(v.madeAt) >= validity && now.After(v.restsUntil) {
			r.look(key, now)
		}
	}
}

// look makes the view of one instance.
func (r *regionMirror) look(key instanceKey, now time.Time) {
	old := r.views[key]
	s, err := r.snapshot(key, now)
	switch {
	case err != nil:
		r.set(key, &view{id: r.at.id(key), instance: r.unreadable(key, old, err), err: err, madeAt: now, steady: true})
	case s == nil && old != nil:
		delete(r.views, key)
		delete(r.unsteady, key)
		r.sorted = nil
		r.offer(old.id, old.instance, true)
	case s == nil:
		delete(r.unsteady, key)
	default:
		r.set(key, r.viewOf(s, old, now))
	}
}

// reasonUnreadable is why the status of an instance is unknown: its anchor
// cannot be decoded.
const reasonUnreadable = "Unreadable"

// unreadable is what watchers are told of an instance whose anchor cannot be
// decoded: what is known of it, with status unknown. A watch cannot yield an
// error and go on, and must not leave the last good state standing.
func (r *regionMirror) unreadable(key instanceKey, old *view, err error) *hosting.CloudInstance {
	result := hosting.CloudInstance{
		ID: r.at.id(key), Name: key.name, Provider: r.p.config.Name, ProviderType: ProviderType, Region: r.at.name, InstanceType: key.instanceType,
		CreatedAt: hosting.NewTime(r.anchors.objects[anchorName(key.name)].GetCreationTimestamp().Time),
	}
	result.UpdatedAt = result.CreatedAt
	if old != nil && old.instance != nil {
		result = *old.instance
	}
	result.Status, result.Endpoint = hosting.StatusUnknown, nil
	result.Metadata = map[string]string{
		"namespace": r.at.namespace, hosting.MetadataReason: reasonUnreadable, hosting.MetadataMessage: err.Error(),
	}
	return &result
}

// viewOf makes the view of a snapshot.
func (r *regionMirror) viewOf(s *snapshot, old *view, now time.Time) *view {
	result := &view{id: s.id, madeAt: now}
	if s.workload == nil && !s.anchor.deleting() {
		result.workloadMissed = now
		if old != nil && !old.workloadMissed.IsZero() {
			result.workloadMissed = old.workloadMissed
		}
		if old != nil && now.Sub(result.workloadMissed) < missingGrace {
			result.instance = old.instance
			return result
		}
	}
	instance := r.p.instance(s)
	if result.workloadMissed.Equal(now) && instance.Status != hosting.StatusCreating {
		return result // the workload may be about to be seen
	}
	instance.Labels = s.anchor.record.Config.Labels // nobody changes them
	result.instance = &instance
	if old != nil && old.instance != nil && reflect.DeepEqual(*old.instance, instance) {
		result.instance = old.instance
	}
	result.steady, result.restsUntil = s.isSteady(instance)
	return result
}

// set stores a view and offers what is new to the watchers.
func (r *regionMirror) set(key instanceKey, v *view) {
	old := r.views[key]
	r.views[key] = v
	if v.steady {
		delete(r.unsteady, key)
	} else {
		r.unsteady[key] = true
	}
	switch {
	case old == nil:
		r.sorted = nil
	case r.sorted != nil:
		if i, ok := slices.BinarySearchFunc(r.sorted, v.id, byID); ok {
			r.sorted[i] = v
		}
	}
	if v.instance != nil && (old == nil || old.instance != v.instance) {
		r.offer(v.id, v.instance, false)
	}
}

func byID(v *view, id string) int { return cmp.Compare(v.id, id) }

func (r *regionMirror) offer(id string, instance *hosting.CloudInstance, gone bool) {
	if instance == nil {
		return
	}
	for w := range r.watchers {
		w.offer(id, instance, gone)
	}
}

// all returns the views by id. It needs the mutex.
func (r *regionMirror) all() []*view {
	if r.sorted == nil {
		r.sorted = slices.SortedFunc(maps.Values(r.views), func(a, b *view) int { return cmp.Compare(a.id, b.id) })
	}
	return slices.Clone(r.sorted)
}

// isSteady tells that the instance looks the same until one of its objects
// changes, as nothing in its state depends on the time, or at least until when
// it does.
func (s *snapshot) isSteady(instance hosting.CloudInstance) (steady bool, until time.Time) {
	switch instance.Status {
	case hosting.StatusTerminating, hosting.StatusStopped, hosting.StatusCompleted:
		return true, until
	case hosting.StatusRunning:
		if s.kind.instanceType == hosting.TypeCronJob {
			return false, s.restsUntil()
		}
		reason := instance.Metadata[hosting.MetadataReason]
		return reason == "" || reason == reasonScaledToZero, until
	case hosting.StatusFailed:
		return s.workload != nil && s.kind.observe(s.workload).finished != "", until
	}
	return false, until
}

// restsUntil is when a cronjob without an active run is overdue: until then it
// looks the same.
func (s *snapshot) restsUntil() time.Time {
	run := s.newestRun()
	if len(s.livePods()) > 0 || run != nil && run.kind.observe(run.workload).finished == "" {
		return time.Time{}
	}
	return s.overdueAt()
}

// cached returns the memory of a region with its mutex held, if a read may be
// answered from it. It waits until the memory has what this provider has
// written in the region before.
func (p *Provider) cached(ctx context.Context, at *region) *regionMirror {
	m := p.mirrors.memory.Load()
	if m == nil {
		return nil
	}
	r, need := m.regions[at], at.own.all()
	if !r.await(ctx, need) {
		return nil
	}
	r.told(need)
	return r
}

// look takes a snapshot for a call that only tells what is: from memory if
// possible. What is missing there is read live.
func (p *Provider) look(ctx context.Context, code hosting.Code, t target) (*snapshot, error) {
	if r := p.cached(ctx, t.region); r != nil {
		s, err := r.snapshot(instanceKey{t.name, t.kind.instanceType}, time.Now())
		r.mu.Unlock()
		if err == nil && s != nil && (s.workload != nil || s.anchor.deleting()) {
			return s, nil
		}
	}
	return p.read(ctx, code, t)
}

// maxLiveReads is how many instances a list reads again one by one: with more of
// them, requests about all instances are fewer. liveReaders is how many it reads
// at a time.
const (
	maxLiveReads = 32
	liveReaders  = 8
)

// uncertain tells that the view may be wrong for a moment: the workload may be
// about to be seen, or the news that the instance is deleted, too, about to
// arrive.
func (v *view) uncertain(now time.Time) bool {
	return v.err == nil && (v.instance == nil || !v.workloadMissed.IsZero() && now.Sub(v.workloadMissed) < missingGrace)
}

// listCached lists a region from memory. It returns false if that cannot be:
// also for a configured region without instances, whose namespace may be gone,
// and while too much is uncertain.
func (p *Provider) listCached(ctx context.Context, at *region) ([]hosting.CloudInstance, error, bool) {
	r := p.cached(ctx, at)
	if r == nil {
		return nil, nil, false
	}
	now := time.Now()
	r.refresh(now, viewValidity)
	views := r.all()
	r.mu.Unlock()
	uncertain := 0
	for _, v := range views {
		if v.uncertain(now) {
			uncertain++
		}
	}
	if len(views) == 0 && at.configured || uncertain > maxLiveReads {
		return nil, nil, false
	}
	instances, failures := make([]hosting.CloudInstance, len(views)), make([]error, len(views))
	var live errgroup.Group
	live.SetLimit(liveReaders)
	for i, v := range views {
		switch {
		case v.err != nil:
			failures[i] = p.broken(hosting.ListFailed, v.id, v.err)
		case v.uncertain(now):
			live.Go(func() error {
				instances[i], failures[i] = p.readListed(ctx, v.id)
				return nil
			})
		default:
			instances[i] = cloneInstance(v.instance)
		}
	}
	_ = live.Wait()
	there := slices.DeleteFunc(instances, func(instance hosting.CloudInstance) bool { return instance.ID == "" })
	return there, errors.Join(failures...), true
}

// readListed reads an instance for a list: without an id if it is gone.
func (p *Provider) readListed(ctx context.Context, id string) (hosting.CloudInstance, error) {
	t, err := p.find(hosting.ListFailed, id)
	if err != nil {
		return hosting.CloudInstance{}, err
	}
	s, err := p.read(ctx, hosting.ListFailed, t)
	if hosting.CodeOf(err) == hosting.InstanceNotFound {
		return hosting.CloudInstance{}, nil
	}
	if err != nil {
		return hosting.CloudInstance{}, err
	}
	return p.instance(s), nil
}

// cloneInstance copies an instance, so that it is its receiver's.
func cloneInstance(from *hosting.CloudInstance) hosting.CloudInstance {
	result := *from
	result.Labels, result.Metadata = maps.Clone(from.Labels), maps.Clone(from.Metadata)
	if from.Resources != nil {
		result.Resources = new(*from.Resources)
	}
	if from.Endpoint != nil {
		result.Endpoint = new(*from.Endpoint)
		result.Endpoint.Metadata = maps.Clone(from.Endpoint.Metadata)
	}
	return result
}
