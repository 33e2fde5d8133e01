package kubernetes

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"skillcenter.io/hosting"
)

var _ hosting.LogStreamer = (*Provider)(nil)

// StreamLogs implements [hosting.LogStreamer]: it yields what GetLogs returns,
// and with options.Follow what all pods and containers print from then on, as
// it comes. Restarts of containers, new pods, broken connections and rotated
// logs are followed: what the nodes still have comes once, and in order for
// each source. Where a node may no longer have it, a gap stands in the place:
// "rotated", "restarts" (more than one since the container was read) or
// "deleted" (the pod, before its log was read to the end). With options.After
// and no limit it begins with everything behind the cursor.
//
// It ends without an error when ctx ends, when the instance is deleted, when a
// job has finished, and at options.EndTime. While the API server or a node
// cannot be reached, it goes on trying.
//
// While the range loop is slow, reading waits: not more than a few thousand
// lines are held. At most Config.LogStreams logs are read at a time; more take
// turns. Nothing runs before the loop begins or after it has ended.
func (p *Provider) StreamLogs(ctx context.Context, instanceID string, options hosting.LogQueryOptions) iter.Seq2[hosting.LogEntry, error] {
	return func(yield func(hosting.LogEntry, error) bool) {
		left := false
		err := p.streamLogs(ctx, instanceID, options, func(entry hosting.LogEntry) bool {
			left = ctx.Err() != nil || !yield(entry, nil)
			return !left
		})
		if err != nil && !left && ctx.Err() == nil {
			yield(hosting.LogEntry{}, err)
		}
	}
}

func (p *Provider) streamLogs(ctx context.Context, instanceID string, options hosting.LogQueryOptions, yield func(hosting.LogEntry) bool) error {
	t, err := p.find(hosting.LogsFailed, instanceID)
	if err != nil {
		return err
	}
	l, err := p.openLog(ctx, t, options)
	if err != nil {
		return err
	}
	follow := options.Follow && (options.EndTime.IsZero() || time.Now().Before(options.EndTime.Std()))
	left := false
	yieldOn := func(entry hosting.LogEntry) bool {
		left = !yield(entry)
		return !left
	}
	if options.After == "" || options.Limit > 0 {
		if failures := l.backlog(ctx, yieldOn); failures != nil && (!follow || isFinalAny(failures.Errors)) {
			return p.fail(ctx, hosting.LogsFailed, t.id, "reading logs", failures)
		}
		if left || !follow {
			return nil
		}
	} else {
		for _, key := range l.lost {
			entry := lostEntry(key, l.after[key])
			entry.Cursor = l.book.cursor()
			if !yieldOn(entry) {
				return nil
			}
		}
	}
	return newFollower(l, follow).run(ctx, yieldOn)
}

func isFinalAny(errs []error) bool {
	for _, err := range errs {
		if isFinal(err) {
			return true
		}
	}
	return false
}

const (
	// streamBatches is how many batches wait for the range loop.
	streamBatches = 8
	// endCheck is how often it is looked whether the instance is still there
	// while nothing prints.
	endCheck = 2 * time.Second
	// lateChecks is after how many of them it is looked although something may
	// print, for what only a watch would tell.
	lateChecks = 15
	// endGrace is how long after the end time lines may still come in.
	endGrace = 2 * time.Second
)

// follower follows all sources of an instance.
type follower struct {
	*instanceLog
	follow bool
	items  chan []logItem
	wg     sync.WaitGroup
	cancel context.CancelFunc

	mu      sync.Mutex
	states  map[string]*podState // by UID
	running map[*logSource]bool
	err     error

	begin func(*logSource) // starts to read a source
}

func newFollower(l *instanceLog, follow bool) *follower {
	return &follower{instanceLog: l, follow: follow, items: make(chan []logItem, streamBatches),
		states: map[string]*podState{}, running: map[*logSource]bool{}}
}

// run follows until yield returns false, ctx ends or nothing more can come. It
// waits for everything that it has started.
func (f *follower) run(ctx context.Context, yield func(hosting.LogEntry) bool) error {
	ctx, f.cancel = context.WithCancel(ctx)
	f.begin = func(s *logSource) {
		query := *s.logQuery
		query.follow, query.send, query.tail = f.follow, f.send, 0
		s.logQuery, s.caught = &query, true
		s.begins = s.begins && s.at.runID == 0 // what was empty has lost nothing
		f.running[s] = true
		f.wg.Go(func() { f.read(ctx, s) })
	}
	f.mu.Lock()
	for _, s := range f.sources {
		pod, _, _ := s.state.get()
		f.states[string(pod.UID)] = s.state
		f.begin(s)
	}
	f.mu.Unlock()
	if f.follow {
		f.wg.Go(func() {
			if err := watchPods(ctx, f.t.region, f.p.podSelector(f.t), f); err != nil {
				f.fail(err)
			}
		})
		f.wg.Go(func() { f.awaitEnd(ctx) })
	}
	done := make(chan struct{})
	go func() {
		f.wg.Wait()
		close(done)
	}()
	defer func() { <-done }()
	defer f.cancel()
	for {
		select {
		case items := <-f.items:
			if !f.yieldAll(items, yield) {
				return nil
			}
		case <-done:
			return f.rest(yield)
		}
	}
}

// rest yields what was read before everything ended.
func (f *follower) rest(yield func(hosting.LogEntry) bool) error {
	for {
		select {
		case items := <-f.items:
			if !f.yieldAll(items, yield) {
				return nil
			}
		default:
			if f.err != nil {
				return f.p.fail(context.Background(), hosting.LogsFailed, f.t.id, "following logs", f.err)
			}
			return nil
		}
	}
}

func (f *follower) yieldAll(items []logItem, yield func(hosting.LogEntry) bool) bool {
	for _, item := range items {
		if item.last {
			f.book.drop(item.source.key)
		} else {
			f.book.set(item.source.key, item.position)
		}
		if item.hidden {
			continue
		}
		item.entry.Cursor = f.book.cursor()
		if !yield(item.entry) {
			return false
		}
	}
	return true
}

// send passes items to the range loop, and waits while it is behind.
func (f *follower) send(ctx context.Context, items []logItem) error {
	select {
	case f.items <- items:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// read reads a source to its end.
func (f *follower) read(ctx context.Context, s *logSource) {
	err := s.run(ctx)
	f.mu.Lock()
	delete(f.running, s)
	f.mu.Unlock()
	switch {
	case err == nil || ctx.Err() != nil:
	case f.follow:
		f.fail(err)
	default: // one that cannot be read does not hide the others
		f.mu.Lock()
		if f.err != nil {
			err = fmt.Errorf("%w; %w", f.err, err)
		}
		f.err = err
		f.mu.Unlock()
	}
}

// fail ends the stream with an error, the first one.
func (f *follower) fail(err error) {
	f.mu.Lock()
	if f.err == nil {
		f.err = err
	}
	f.mu.Unlock()
	f.cancel()
}

// listed implements podHandler.
func (f *follower) listed(list []corev1.Pod) {
	there := map[string]bool{}
	for i := range list {
		there[string(list[i].UID)] = true
		f.changed(&list[i])
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for uid, state := range f.states {
		if !there[uid] {
			state.set(nil, true)
			delete(f.states, uid)
		}
	}
}

// changed implements podHandler.
func (f *follower) changed(pod *corev1.Pod) {
	f.mu.Lock()
	defer f.mu.Unlock()
	state := f.states[string(pod.UID)]
	if state != nil {
		state.set(pod, false)
		return
	}
	state = newPodState(pod)
	f.states[string(pod.UID)] = state
	for _, s := range f.sourcesOf(pod, state) {
		s.caught = true
		f.begin(s)
	}
}

// deleted implements podHandler.
func (f *follower) deleted(pod *corev1.Pod) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if state := f.states[string(pod.UID)]; state != nil {
		state.set(pod, true)
		delete(f.states, string(pod.UID))
	}
}

// awaitEnd ends the stream when nothing more can come.
func (f *follower) awaitEnd(ctx context.Context) {
	var end <-chan time.Time
	if !f.options.EndTime.IsZero() {
		timer := time.NewTimer(time.Until(f.options.EndTime.Std()) + endGrace)
		defer timer.Stop()
		end = timer.C
	}
	tick := time.NewTicker(endCheck)
	defer tick.Stop()
	for checks := 1; ; checks++ {
		select {
		case <-ctx.Done():
			return
		case <-end:
			f.cancel()
			return
		case <-tick.C:
		}
		quiet := f.quiet()
		if !quiet && checks%lateChecks != 0 || !f.over(ctx) {
			continue
		}
		if f.refresh(ctx) && quiet && f.quiet() {
			f.cancel()
			return
		}
	}
}

// refresh asks for the pods: the watch may be late. It tells that there is
// nothing new.
func (f *follower) refresh(ctx context.Context) bool {
	var list corev1.PodList
	if err := pods.list(ctx, f.t.region, f.p.podSelector(f.t), &list); err != nil {
		return false
	}
	f.mu.Lock()
	known := maps.Clone(f.states)
	f.mu.Unlock()
	for i := range list.Items {
		if pod := &list.Items[i]; known[string(pod.UID)] == nil {
			f.changed(pod)
			return false
		}
	}
	for _, state := range known {
		if state.refresh(ctx, f.t.region) != nil {
			return false
		}
	}
	return true
}

// quiet tells that all that was printed has been read.
func (f *follower) quiet() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.running {
		if !s.idle.Load() {
			return false
		}
	}
	return true
}

// over tells that the instance is gone or, as a job, has finished.
func (f *follower) over(ctx context.Context) bool {
	a, err := f.p.getAnchor(ctx, hosting.LogsFailed, f.t)
	if err != nil {
		return hosting.ReasonOf(err) == hosting.NotFound
	}
	if a.UID != f.anchor {
		return true
	}
	if f.t.kind.instanceType != hosting.TypeJob {
		return false
	}
	workload, err := f.t.kind.get(ctx, f.t.region, f.t.name)
	return err == nil && f.t.kind.observe(workload).finished != ""
}
