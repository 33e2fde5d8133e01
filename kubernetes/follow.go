package kubernetes

import (
	"context"
	"io"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// run reads the source: while following until the pod is gone or ctx ends,
// else until everything is read that is there. The error is one that trying
// again does not mend, or, without following, any.
func (s *logSource) run(ctx context.Context) error {
	tries := reading{}
	for ctx.Err() == nil {
		pod, gone, changed := s.state.get()
		next := nextStep(s.at.position, runsOf(containerStatus(pod, s.key.container)))
		switch {
		case gone && !s.caught:
			return nil
		case gone:
			return s.finish(ctx, pod)
		case next.idle && !s.follow:
			return nil
		case next.idle:
			s.idle.Store(true)
			wait(ctx, changed, 0)
			s.idle.Store(false)
			continue
		case next.missed:
			s.gapTo(gapRestarts, s.skipTo(next.run))
			tries = reading{}
			continue
		case !next.resume:
			// A container that restarts may have another log by now.
			if s.caught && time.Since(s.state.lastRead()) > statusAge {
				if err := s.refresh(ctx, &tries); err != nil {
					return err
				}
				continue
			}
			s.before = 0
			if s.at.run+1 == next.run.number {
				s.before = s.at.high
			}
			s.at, s.floor = tracker{position: startOf(next.run)}, 0
			s.begins, s.quiet, s.eof = true, 0, false
		}
		out := s.readRun(ctx, next.run)
		if out.ahead {
			next.run.previous, next.run.ended = true, true
			out = s.readRun(ctx, next.run)
		}
		again, err := s.judge(ctx, next.run, out, &tries)
		if !again {
			return err
		}
		switch pause := pauseAfter(max(tries.failures, tries.misses, s.quiet)); {
		case tries.misses > 0:
			_ = sleep(ctx, pause)
		case out.err != nil, !next.run.ended && !out.cut:
			wait(ctx, changed, pause)
		}
	}
	return nil
}

const (
	// statusAge is how old the status of a container may be when the log of a
	// run is read for the first time. Containers wait longer between runs.
	statusAge = 500 * time.Millisecond
	// triesBeforeGap is how often a log must not have the last line: the
	// kubelet may already have another run than the API server tells.
	triesBeforeGap = 3
	// quantum is how long a log is followed while another waits to be read.
	quantum = 2 * time.Second
	// silence is after how long without a line the log is looked at.
	silence = time.Second
)

// reading counts what went wrong since something went well.
type reading struct{ failures, misses int }

// wait waits until something changes, for at most d if that is not 0, or until
// ctx ends.
func wait(ctx context.Context, changed <-chan struct{}, d time.Duration) {
	var late <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-ctx.Done():
	case <-changed:
	case <-late:
	}
}

// skipTo returns the position before a run that counts what was before it as
// read.
func (s *logSource) skipTo(r run) position {
	id := s.at.runID
	if id == 0 || id == r.id {
		id = ^r.id
	}
	return position{run: r.number - 1, runID: max(id, 1), ended: true}
}

// refresh asks for the pod. An error that may pass is waited for.
func (s *logSource) refresh(ctx context.Context, tries *reading) error {
	err := s.state.refresh(ctx, s.t.region)
	if err == nil {
		return nil
	}
	if isFinal(err) || !s.follow {
		return s.describe(err)
	}
	tries.failures++
	_ = sleep(ctx, pauseAfter(tries.failures))
	return nil
}

// judge decides how to go on after a log was read. It returns whether to.
func (s *logSource) judge(ctx context.Context, r run, out outcome, tries *reading) (bool, error) {
	switch {
	case ctx.Err() != nil:
		return false, nil
	case out.cut:
		s.eof, s.quiet = false, 0
		return true, nil
	case out.err != nil && isNoLog(out.err):
		return s.judgeNoLog(ctx, r, tries)
	case out.err != nil && (isFinal(out.err) || !s.follow):
		return false, s.describe(out.err)
	case out.err != nil:
		s.eof = false
		tries.failures++
		if out.fresh > 0 || out.took >= 2*silence {
			tries.failures, s.quiet = 0, 0
		}
		return true, nil
	case r.ended && !out.missed && !out.proven && s.quiet > 0:
		// It had been read to its end before the node removed it.
		s.at.ended, s.hidden = true, true
		*tries = reading{}
		return true, s.flush(ctx)
	case out.missed, r.ended && !out.proven:
		return s.judgeMissing(ctx, r, out, tries)
	}
	*tries = reading{}
	// An answer may have been cut short: only one that brings nothing new, soon
	// after another has ended, is the end. Later the kubelet may have removed
	// the log, before the API server tells that the container has ended.
	switch {
	case out.fresh > 0, !r.ended && out.took >= 2*silence: // a node may be slow with a log that has ended
		s.quiet = 0
	case s.eof && out.proven:
		s.quiet++
	}
	s.eof = true
	if out.complete || r.ended && (s.quiet > 0 || !s.follow) {
		s.at.ended, s.hidden = true, true
		return true, s.flush(ctx)
	}
	return s.follow || r.ended, nil
}

// judgeMissing is about a log that does not have the last line.
func (s *logSource) judgeMissing(ctx context.Context, r run, out outcome, tries *reading) (bool, error) {
	if !r.previous {
		// The kubelet may be ahead of what the API server tells: then the log
		// of the run before is the one that was read.
		before := r
		before.previous, before.ended = true, true
		if out := s.readRun(ctx, before); out.err == nil && out.proven {
			return s.judge(ctx, before, out, tries)
		}
	}
	if tries.misses++; tries.misses < triesBeforeGap {
		return true, s.refresh(ctx, tries)
	}
	reason := gapRotated
	if pod, _, _ := s.state.get(); r.ended && pod.DeletionTimestamp != nil {
		reason = gapDeleted
	}
	*tries = reading{}
	if out.foreign {
		end := startOf(r)
		end.ended = true
		s.gapTo(gapRestarts, end)
		return true, nil
	}
	// What is older than the last line and still there was read before.
	floor := max(s.floor, s.at.high)
	s.gapTo(reason, startOf(r))
	s.floor = floor
	return true, nil
}

// judgeNoLog is about a log that is not there.
func (s *logSource) judgeNoLog(ctx context.Context, r run, tries *reading) (bool, error) {
	tries.misses++
	if s.caught && tries.misses < triesBeforeGap || !r.ended {
		if !r.ended && !s.follow {
			return false, nil
		}
		return true, s.refresh(ctx, tries)
	}
	// The node has removed what the API server still knows of.
	*tries = reading{}
	end := s.at.position
	end.ended = true
	if s.caught {
		s.gapTo(gapRestarts, end)
	} else {
		s.at.position, s.hidden = end, true
	}
	return true, s.flush(ctx)
}

// finish ends a source whose pod is gone.
func (s *logSource) finish(ctx context.Context, pod *corev1.Pod) error {
	runs := runsOf(containerStatus(pod, s.key.container))
	next := nextStep(s.at.position, runs)
	never := len(runs) == 0 && s.at.runID == 0
	// The log had ended before the pod was deleted, and had nothing more when
	// it was read again.
	complete := next.resume && next.run.ended && next.run.id == runs[len(runs)-1].id && s.quiet > 0
	if !never && !complete && (!next.idle || s.at.runID != 0 && !s.at.ended) {
		s.gapTo(gapDeleted, s.at.position)
	}
	s.batch = append(s.batch, logItem{source: s, hidden: true, last: true})
	s.hidden = false
	return s.flush(ctx)
}

// readRun reads the log of a run from the position on.
func (s *logSource) readRun(ctx context.Context, r run) (out outcome) {
	if err := s.p.logSlots.acquire(ctx); err != nil {
		return outcome{err: err}
	}
	defer s.p.logSlots.release()
	connection, cancel := context.WithCancel(ctx)
	defer cancel()
	since, tail := s.since, int64(0)
	if s.at.at != 0 {
		since = sinceTime(s.at.at)
	} else if !s.caught {
		tail = s.tail
	}
	follow := s.follow && !r.ended
	pod, _, _ := s.state.get()
	s.node = pod.Spec.NodeName
	s.behind.Store(s.at.at)
	s.high.Store(s.at.high)
	opened := time.Now()
	body, err := s.open(connection, r, follow, tail, since)
	if err != nil {
		return outcome{err: err}
	}
	defer body.Close()
	if s.follow && s.at.at == 0 && !r.previous {
		ahead, err := s.ahead(ctx, r)
		if err != nil || ahead {
			return outcome{err: err, ahead: ahead}
		}
	}
	if !follow {
		out = s.readLines(ctx, body, overlapWith(s.at.position), r, opened, r.ended)
		out.took = time.Since(opened)
		return out
	}
	m := &minder{s: s, r: r, cancel: cancel}
	m.start(ctx)
	out = s.readLines(ctx, body, overlapWith(s.at.position), r, opened, false)
	m.stop()
	out.took = time.Since(opened)
	if m.final == nil {
		if connection.Err() != nil && ctx.Err() == nil {
			out.err, out.cut, out.missed = nil, !m.emptied, m.emptied
		}
		return out
	}
	defer m.final.Close()
	if ctx.Err() != nil || out.missed {
		return out
	}
	fresh, took := out.fresh, out.took
	out = s.readLines(ctx, m.final, overlapWith(s.at.position), r, opened, true)
	out.complete = out.proven && !out.missed && out.err == nil && out.fresh == 0
	out.missed = false // it may be the log of another run
	out.fresh, out.took = out.fresh+fresh, took
	return out
}

// minder looks after a log that is followed.
type minder struct {
	s      *logSource
	r      run
	cancel context.CancelFunc // ends the connection

	// final is the log once more, opened when the run had ended: after that
	// the pod may be deleted at any time. It is for after stop.
	final io.ReadCloser
	// emptied tells that the log has no lines, though it had some. It is for
	// after stop.
	emptied bool

	done chan struct{}
	wg   sync.WaitGroup
}

func (m *minder) start(ctx context.Context) {
	m.done = make(chan struct{})
	m.wg.Go(func() { m.mind(ctx) })
}

func (m *minder) stop() {
	close(m.done)
	m.wg.Wait()
}

func (m *minder) mind(ctx context.Context) {
	began := time.Now()
	tick := time.NewTicker(silence / 4)
	defer tick.Stop()
	var looked, ended time.Time
	volume := int64(0) // when it was looked
	for {
		pod, gone, changed := m.s.state.get()
		if ended.IsZero() && (gone || m.hasEnded(ctx, pod)) {
			ended = time.Now()
		}
		select {
		case <-m.done:
			return
		case <-ctx.Done():
			return
		case <-changed:
			continue
		case <-tick.C:
		}
		idle := m.idle()
		switch {
		case !ended.IsZero():
			// It ends by itself, unless the kubelet waits for a file that
			// was rotated away.
			if idle >= 2*silence && time.Since(ended) >= 2*silence {
				m.cancel()
				return
			}
		case time.Since(began) > quantum && m.s.p.logSlots.contended():
			m.cancel()
			return
		case idle >= silence && m.due(looked, volume):
			looked, volume = time.Now(), m.s.volume.Load()
			if m.stalled(ctx) {
				m.cancel()
				return
			}
		}
	}
}

const (
	// rotatable is how much of a log comes until it is looked again for what
	// the kubelet does when it rotates it: it rotates large logs only.
	rotatable = 256 << 10
	// lookAgainAfter is when it is looked if less came.
	lookAgainAfter = time.Minute
)

// due tells whether to look at a log that is silent.
func (m *minder) due(looked time.Time, volume int64) bool {
	more := m.s.volume.Load() - volume
	return looked.IsZero() || more >= rotatable || more > 0 && time.Since(looked) >= lookAgainAfter
}

// idle is how long nothing has come.
func (m *minder) idle() time.Duration {
	since := m.s.idleSince.Load()
	if since == 0 {
		return 0
	}
	return time.Since(time.Unix(0, since))
}

// hasEnded opens the log once more when the run has ended.
func (m *minder) hasEnded(ctx context.Context, pod *corev1.Pod) bool {
	for _, r := range runsOf(containerStatus(pod, m.s.key.container)) {
		if r.id != m.r.id {
			continue
		}
		if !r.ended {
			return false
		}
		since := m.s.since
		if behind := m.s.behind.Load(); behind != 0 {
			since = sinceTime(behind)
		}
		// Without it the log is read again when this connection has ended.
		m.final, _ = m.s.open(ctx, r, false, 0, since)
		return true
	}
	return true
}

// stalled tells that the log has lines that do not come. A kubelet that is
// asked for a log while it rotates it may wait for ever for the end of the old
// file. It does so after it has read that file, which is when the first
// silence is.
func (m *minder) stalled(ctx context.Context) bool {
	body, err := m.s.open(ctx, m.r, false, 1, time.Time{})
	if err != nil {
		return false
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, maxLine))
	if err != nil || m.idle() < silence {
		return false
	}
	at, _, ok := splitLine(data)
	if !ok {
		// The file is new, and still empty. It may stay so: who waits for a
		// line would never learn what was in the files before it.
		m.emptied = len(data) == 0 && !m.s.located.Load() && m.s.behind.Load() != 0
		return m.emptied || m.s.located.Load()
	}
	return at.UnixNano() > m.s.high.Load()
}

// ahead tells that the kubelet has begun another run than the API server knows
// of: the one before it is then r, of which nothing has been read. It is for
// after the log of r was asked for.
func (s *logSource) ahead(ctx context.Context, r run) (bool, error) {
	before := r
	before.previous = true
	at, err := s.firstTime(ctx, before)
	switch {
	case err != nil && isNoLog(err):
		return false, nil
	case err != nil:
		return false, err
	case r.number == 0:
		return true, nil // there is none before the first
	case at == 0:
		return false, nil
	case s.before != 0:
		return at > s.before, nil
	}
	return r.started != 0 && at >= time.Unix(r.started+1, 0).UnixNano(), nil
}

// firstTime returns the time of the first line that the log of a run still
// has, 0 if it has none.
func (s *logSource) firstTime(ctx context.Context, r run) (int64, error) {
	const enough = 128
	limit := int64(enough)
	query := &corev1.PodLogOptions{Container: s.key.container, Previous: r.previous, Timestamps: true, LimitBytes: &limit}
	body, err := s.t.client.CoreV1().Pods(s.t.namespace).GetLogs(s.key.pod, query).Stream(ctx)
	if err != nil {
		return 0, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, enough))
	if err != nil {
		return 0, err
	}
	at, _, ok := splitLine(data)
	if !ok {
		return 0, nil
	}
	return at.UnixNano(), nil
}

// skipped tells that the kubelet may have passed over a file before a line: it
// does when it is itself late, and the log is rotated twice meanwhile. Then the
// line is the first of its file, and seconds after the one before.
func (s *logSource) skipped(ctx context.Context, r run, at int64) bool {
	if r.ended || s.at.at == 0 || at-s.at.high < lagSuspect || s.volume.Load()-s.checked < rotatable {
		return false
	}
	s.checked = s.volume.Load()
	first, err := s.firstTime(ctx, r)
	return err != nil || first >= at
}
