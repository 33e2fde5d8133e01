package kubernetes

import (
	"context"
	"errors"
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
		case !next.resume && s.caught && s.at.runID == 0 && next.run.number > 0:
			s.gapTo(gapRestarts, s.skipTo(next.run)) // there were runs that nobody has read
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
			s.leave()
			s.at, s.floor = tracker{position: startOf(next.run)}, 0
			s.fresh, s.begins, s.quiet, s.eof, s.opened = true, true, 0, false, time.Time{}
		}
		if next.run.ended != s.over {
			s.over, s.eof, s.quiet = next.run.ended, false, 0 // what was read while it printed does not show its end
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
	case out.stepped:
		s.fresh = false
		return true, nil
	case out.stale:
		s.eof, s.quiet = false, 0
		s.goOn(r, out.proven && !out.torn)
		return true, nil
	case out.cut:
		s.eof, s.quiet = false, 0
		return true, nil
	case out.err != nil && (isNoLog(out.err) || r.ended && triesOfNode(out.err) > 0 && tries.failures >= triesBeforeGap):
		return s.judgeNoLog(ctx, r, tries)
	case out.err != nil && (isFinal(out.err) || !s.follow && tries.failures >= triesOfNode(out.err)):
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
		s.end(r)
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
		s.end(r)
		return true, s.flush(ctx)
	}
	return s.follow || r.ended, nil
}

// end counts a run as read to its end. When nothing of it, or of its newest
// file, has come, it may be that it came and went while nobody could read it.
func (s *logSource) end(r run) {
	if s.caught && s.at.at == 0 {
		_, other := s.files.next()
		late := r.started != 0 && s.opened.Sub(time.Unix(r.started, 0)) >= 2*rotationInterval
		if s.fresh && late || !s.fresh && other {
			s.gap(gapRotated, time.Now())
		}
	}
	s.at.ended, s.hidden = true, true
}

// triesOfNode is how often it is asked again for what is read once: a node may
// be about to begin a new file.
func triesOfNode(err error) int {
	if said := nodeError(""); errors.As(err, &said) {
		return triesBeforeGap
	}
	return 0
}

// goOn begins with the newest file: the kubelet stays with one before. If the
// last line was found there, and nothing behind it but whole lines, it has been
// read to its end. Else the rest of a line would come as a line.
func (s *logSource) goOn(r run, found bool) {
	floor := max(s.floor, s.at.high)
	if found && s.files.adjacent() {
		s.at, s.fresh = tracker{position: startOf(r)}, false
	} else {
		s.gapTo(gapRotated, startOf(r))
	}
	s.floor = floor
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
	if s.fresh && !out.foreign {
		s.fresh = false // it looked like the log of the run before, and is not
		return true, nil
	}
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

// ahead tells that the kubelet has begun another run than the API server knows
// of: the one before it is then r, of which nothing has been read. It is for
// after the log of r was asked for.
func (s *logSource) ahead(ctx context.Context, r run) (bool, error) {
	before := r
	before.previous = true
	first, err := s.firstLine(ctx, before)
	at := first.at
	switch {
	case err != nil && (isNoLog(err) || triesOfNode(err) > 0):
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
	const second = int64(time.Second)
	if r.after != 0 && at >= (r.after+1)*second+second/4 {
		return true, nil // later than all of the run before
	}
	return r.started != 0 && at >= (r.started+1)*second, nil
}
