package fake

import (
	"context"
	"iter"
	"slices"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/loglines"
)

// GetLogs returns the newest entries that match, oldest first. Source is the
// replica, such as "web-1"; replicas that have ended are included as long as
// their lines are kept. A Cursor that is not of this instance is an
// InvalidArgument.
func (p *Provider) GetLogs(ctx context.Context, instanceID string, options hosting.LogQueryOptions) ([]hosting.LogEntry, error) {
	r, err := call(ctx, p, onInstance("GetLogs", hosting.LogsFailed, instanceID), func(now time.Time) (logReader, error) {
		if options.Follow {
			return logReader{}, notAllowed("follow", "true", []string{"false; StreamLogs follows"})
		}
		return p.openLog(instanceID, options, now)
	})
	if err != nil {
		return nil, err
	}
	entries, err := r.newest(ctx)
	if err != nil {
		return nil, p.failure(onInstance("GetLogs", hosting.LogsFailed, instanceID), contextEnded(err))
	}
	return entries, nil
}

// StreamLogs yields what GetLogs would return, and goes on as lines are
// printed. It works in the goroutine that ranges over it, which waits
// meanwhile.
//
// It ends without an error when ctx is cancelled, when a job has ended or the
// instance is gone, and at options.EndTime. It ends with one when the input is
// wrong or the provider is closed. options.Follow makes no difference. With
// options.After and no limit, it begins with everything behind the cursor that
// is kept, so that a reader who comes back misses nothing.
func (p *Provider) StreamLogs(ctx context.Context, instanceID string, options hosting.LogQueryOptions) iter.Seq2[hosting.LogEntry, error] {
	return func(yield func(hosting.LogEntry, error) bool) {
		r, err := call(ctx, p, onInstance("StreamLogs", hosting.LogsFailed, instanceID), func(now time.Time) (logReader, error) {
			return p.openLog(instanceID, options, now)
		})
		if err == nil {
			err = p.follow(ctx, r, func(entry hosting.LogEntry) bool { return yield(entry, nil) })
		}
		if err != nil && ctx.Err() == nil {
			yield(hosting.LogEntry{}, err)
		}
	}
}

// logReader reads the log of one instance.
type logReader struct {
	in      *instance
	options hosting.LogQueryOptions
	filter  *loglines.Filter
	after   position // what comes up to here was read
	log     log
	state   logState
}

// logState says how the log goes on.
type logState struct {
	ended   bool            // nothing more comes
	wake    time.Time       // when something may come by itself; zero if nothing does
	changed <-chan struct{} // closed when that may have changed
}

// openLog begins to read. The lock is held.
func (p *Provider) openLog(instanceID string, options hosting.LogQueryOptions, now time.Time) (logReader, error) {
	in, err := p.find(instanceID)
	if err != nil {
		return logReader{}, err
	}
	filter, err := loglines.NewFilter(options)
	if err != nil {
		return logReader{}, fail(hosting.InvalidArgument, "%w", err)
	}
	r := logReader{in: in, options: options, filter: filter}
	r.look(now)
	if options.After != "" {
		if r.after, err = r.log.parseCursor(options.After); err != nil {
			return logReader{}, err
		}
	}
	return r, nil
}

// look takes in what is there now. The lock is held.
func (r *logReader) look(now time.Time) {
	in := r.in
	r.log = in.snapshot(now)
	r.state = logState{ended: in.gone || in.finished(), wake: in.wake, changed: in.changed}
	r.state.wake = earlier(r.state.wake, r.log.nextLine())
	if end := r.options.EndTime; !end.IsZero() {
		r.state.wake = earlier(r.state.wake, end.Std())
		r.state.ended = r.state.ended || !hosting.NewTime(now).Before(end)
	}
}

// newest returns the newest entries of the log that match, unless ctx ends:
// all lines may have to be read to find enough.
func (r *logReader) newest(ctx context.Context) ([]hosting.LogEntry, error) {
	entries := []hosting.LogEntry{}
	read := 0
	for l := range r.log.lines(r.after, r.options, true) {
		if read%linesPerLook == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		read++
		if entry := l.entry(r.log.uid); r.filter.Match(entry) {
			entries = append(entries, entry)
			if len(entries) == r.filter.Limit() {
				break
			}
		}
	}
	slices.Reverse(entries)
	return entries, nil
}

// linesPerLook is how many lines are read between two looks at a context.
const linesPerLook = 1000

// follow yields what is there, and then what comes, until yield or the log
// ends.
func (p *Provider) follow(ctx context.Context, r logReader, yield func(hosting.LogEntry) bool) error {
	if r.options.After == "" || r.options.Limit > 0 {
		entries, err := r.newest(ctx)
		if err != nil {
			return nil
		}
		for _, entry := range entries {
			if ctx.Err() != nil || !yield(entry) {
				return nil
			}
		}
		r.after = r.log.end
	}
	o := onInstance("StreamLogs", hosting.LogsFailed, r.in.key)
	for {
		for l := range r.log.lines(r.after, r.options, false) {
			if ctx.Err() != nil {
				return nil
			}
			if entry := l.entry(r.log.uid); r.filter.Match(entry) && !yield(entry) {
				return nil
			}
		}
		r.after = r.log.end
		if r.state.ended || !r.wait(ctx) {
			return nil
		}
		if _, err := locked(p, func(now time.Time) (struct{}, error) {
			r.look(now)
			return struct{}{}, nil
		}); err != nil {
			return p.failure(o, err)
		}
	}
}

// wait blocks until there may be something to read. It returns false when ctx
// is done first.
func (r *logReader) wait(ctx context.Context) bool {
	var due <-chan time.Time
	if !r.state.wake.IsZero() {
		// Never less than a moment, or a run with tiny intervals would spin.
		timer := time.NewTimer(max(r.state.wake.Sub(r.log.now), time.Millisecond))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-r.state.changed:
	case <-due:
	}
	return true
}
