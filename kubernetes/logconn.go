package kubernetes

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// quantum is how long a log is followed while another waits to be read.
	quantum = 2 * time.Second
	// silence is after how long without a line the log is looked at.
	silence = time.Second
	// lookTime bounds a look at a log.
	lookTime = 10 * time.Second
	// burst is how much of a log comes until it is looked at again: a node
	// begins a new file only for a large log.
	burst = 64 << 10
	// looks is how often a log is looked at after a burst, once in a second, for
	// the new file that it may lead to: a node takes 10 seconds if its
	// containerLogMonitorInterval is the usual one.
	looks = 15
)

// outcome is how the reading of a log ended.
type outcome struct {
	proven bool // what was read before has come again
	missed bool // it has not, but what comes after it has
	fresh  int  // lines that were new
	// foreign: it is the log of a later run, which began after this one ended.
	foreign bool
	// stepped: lines that looked as if they had been read before are new.
	stepped bool
	torn    bool // it ended in the middle of a line
	ahead   bool // it was not read: the kubelet has it as that of the run before
	err     error

	complete bool          // the run had ended, and this was all
	cut      bool          // the connection was ended from here
	stale    bool          // because the kubelet stays with an old file
	took     time.Duration // from the request to the end
}

// readRun reads the log of a run from the position on.
func (s *logSource) readRun(ctx context.Context, r run) (out outcome) {
	// What is left of the last turn may have to wait for the range loop.
	if err := s.flush(ctx); err != nil {
		return outcome{err: err}
	}
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
	s.high.Store(max(s.at.high, s.floor))
	s.suspect = false
	s.settled.Store(false)
	opened := time.Now()
	s.turn.Store(0)
	if s.at.at == 0 {
		s.turn.Store(opened.UnixNano())
	}
	m := &minder{s: s, r: r, cancel: cancel, opened: opened}
	if follow {
		// An old kubelet does not answer before there is a line.
		m.start(ctx)
		defer m.close()
	}
	s.idleSince.Store(opened.UnixNano())
	body, err := s.open(connection, r, follow, tail, since)
	s.idleSince.Store(0)
	if err != nil {
		m.stop()
		return m.judge(ctx, connection, outcome{err: err, took: time.Since(opened)})
	}
	defer body.Close()
	if s.opened.IsZero() {
		s.opened = opened
	}
	if s.follow && s.at.at == 0 && !r.previous {
		if ahead, err := s.ahead(ctx, r); err != nil || ahead {
			return outcome{err: err, ahead: ahead}
		}
	}
	if s.follow && !follow {
		defer s.guard(ctx, cancel)()
	}
	out = s.readLines(connection, body, s.overlap(), r, opened, r.ended)
	out.took = time.Since(opened)
	if !follow {
		return m.judge(ctx, connection, out)
	}
	m.stop()
	out = m.judge(ctx, connection, out)
	if m.final == nil {
		return out
	}
	if ctx.Err() != nil || out.missed || out.stepped {
		return out
	}
	fresh, took := out.fresh, out.took
	ended := r
	ended.ended = true
	defer s.guard(ctx, m.final.cancel)()
	out = s.readLines(ctx, m.final, s.overlap(), ended, opened, true)
	out.complete = out.proven && !out.missed && !out.stepped && out.err == nil && out.fresh == 0
	out.missed = false // it may be the log of another run
	out.fresh, out.took = out.fresh+fresh, took
	return out
}

// overlap compares the log with what was read of it. A log of which nothing was
// read is compared with what was read of the run before: the kubelet may have
// given this one out in its place.
func (s *logSource) overlap() *overlap {
	if s.fresh && s.at.at == 0 && s.past.at != 0 {
		return &overlap{last: s.past, other: true}
	}
	return overlapWith(s.at.position)
}

// open asks for the log of a run.
func (s *logSource) open(ctx context.Context, r run, follow bool, tail int64, since time.Time) (io.ReadCloser, error) {
	query := &corev1.PodLogOptions{Container: s.key.container, Previous: r.previous, Follow: follow, Timestamps: true}
	if tail > 0 {
		query.TailLines = &tail
	}
	if !since.IsZero() {
		query.SinceTime = &metav1.Time{Time: since}
	}
	return s.t.client.CoreV1().Pods(s.t.namespace).GetLogs(s.key.pod, query).Stream(ctx)
}

// sinceTime is the time to read from to see the last line again: the API
// server drops what is less than a second.
func sinceTime(last int64) time.Time { return time.Unix(0, last).Truncate(time.Second) }

// guard ends a connection of which nothing comes any more, until the function
// that it returns is called: neither the API server nor a kubelet that hangs
// would ever end it.
func (s *logSource) guard(ctx context.Context, cancel context.CancelFunc) (stop func()) {
	done := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		tick := time.NewTicker(silence)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if s.idleFor() >= lookTime {
				cancel()
				return
			}
		}
	})
	return func() { close(done); wait.Wait() }
}

// openBeginning asks for the first bytes of what the API server gives out of a
// run: of the newest file.
func (s *logSource) openBeginning(ctx context.Context, r run, bytes int64) (io.ReadCloser, error) {
	query := &corev1.PodLogOptions{Container: s.key.container, Previous: r.previous, Timestamps: true, LimitBytes: &bytes}
	return s.t.client.CoreV1().Pods(s.t.namespace).GetLogs(s.key.pod, query).Stream(ctx)
}

// firstLine returns the first line of the newest file of a run. It is zero if
// that is empty.
func (s *logSource) firstLine(ctx context.Context, r run) (mark, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	body, err := s.openBeginning(ctx, r, firstLineBytes)
	if err != nil {
		return mark{}, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, firstLineBytes))
	if err != nil || len(data) == 0 {
		return mark{}, err
	}
	return firstMark(data)
}

// firstMark returns the mark of the first line of what is not empty.
func firstMark(data []byte) (mark, error) {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	at, message, ok := splitLine(line)
	if !ok {
		return mark{}, nodeError(line)
	}
	return mark{at.UnixNano(), firstSum(message)}, nil
}

// firstLineBytes is how much of a line tells it from others of its nanosecond.
const firstLineBytes = 256

// firstSum is the sum of the beginning of a line: what there is of it behind
// its time, which has up to 36 bytes.
func firstSum(message []byte) uint32 { return lineSum(message[:min(len(message), firstLineBytes-36)]) }

// nodeError is what a kubelet says in the place of a log, after it has already
// answered that there is one.
type nodeError string

func (e nodeError) Error() string { return fmt.Sprintf("the node says: %.300s", string(e)) }

// meteredReader passes on what was read before it reads more, which may block,
// and knows for how long it does.
type meteredReader struct {
	io.Reader
	ctx context.Context //nolint:containedctx // of the one call that reads
	s   *logSource
}

func (r meteredReader) Read(p []byte) (int, error) {
	if err := r.s.flush(r.ctx); err != nil {
		return 0, err
	}
	began := time.Now()
	r.s.idleSince.Store(began.UnixNano())
	n, err := r.Reader.Read(p)
	r.s.idleSince.Store(0)
	r.s.waited += time.Since(began)
	return n, err
}

// readLines takes in what body has. A last line without a line break is part
// of a longer one, unless the log is final.
func (s *logSource) readLines(ctx context.Context, body io.Reader, o *overlap, r run, opened time.Time, final bool) (out outcome) {
	defer func() {
		out.proven = o.done || o.other && !o.skipped
		if err := s.flush(ctx); out.err == nil {
			out.err = err
		}
	}()
	reader := bufio.NewReaderSize(meteredReader{body, ctx, s}, 64<<10)
	var long []byte
	located := false
	for {
		line, err := readLine(reader, &long)
		if errors.Is(err, io.EOF) && len(line) > 0 {
			if _, _, ok := splitLine(line); !ok {
				err = nodeError(line)
			}
		}
		if err != nil && (!final || !errors.Is(err, io.EOF)) {
			out.torn = len(line) > 0
			line = nil
		}
		if stamp, message, ok := splitLine(line); ok {
			at, sum := stamp.UnixNano(), lineSum(message)
			if !located && s.follow && r.previous && s.foreign(ctx, r, at) {
				out.missed, out.foreign = true, true
				return out
			}
			located = true
			s.volume.Add(int64(len(line)))
			switch o.judge(at, sum) {
			case lineMissing:
				out.missed = true
				return out
			case lineStepped:
				out.stepped = true
				return out
			case lineNew:
				if at <= s.floor {
					break
				}
				if s.suspect && at <= s.at.at {
					out.cut = true
					return out
				}
				out.fresh++
				s.line(ctx, stamp, message, sum, r, opened)
			case lineKnown:
				if o.done {
					s.known(o, opened)
				}
			}
			s.waited = 0
		}
		if len(s.batch) >= maxBatch || s.size >= maxBatchBytes {
			if err := s.flush(ctx); err != nil {
				out.err = err
				return out
			}
		}
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			out.err = err
			return out
		}
	}
}

// foreign tells that a log which begins at a time is not that of the run before
// the current one, but of a later one: the kubelet may be ahead of the API
// server. Their times have no more than seconds.
func (s *logSource) foreign(ctx context.Context, r run, at int64) bool {
	const second = int64(time.Second)
	switch {
	case r.until == 0, at < r.until*second:
		return false
	case at >= max(r.until, r.finished)*second+second:
		return true
	case r.finished < r.until && at >= r.finished*second+second+second/4: // what was under way when it ended
		return true
	}
	if err := s.state.refresh(ctx, s.t.region); err != nil {
		return true
	}
	pod, _, _ := s.state.get()
	for _, now := range runsOf(containerStatus(pod, s.key.container)) {
		if now.id == r.id {
			return false
		}
	}
	return true
}

// minder looks after a log that is followed.
type minder struct {
	s      *logSource
	r      run
	cancel context.CancelFunc // ends the connection
	opened time.Time

	// final is the log once more, opened when the run had ended: after that
	// the pod may be deleted at any time. It is for after stop.
	final *cancelledBody
	stale bool // the kubelet stays with an old file; likewise

	done chan struct{}
	wg   sync.WaitGroup
}

func (m *minder) start(ctx context.Context) {
	m.done = make(chan struct{})
	m.wg.Go(func() { m.mind(ctx) })
}

func (m *minder) stop() {
	if m.done != nil {
		close(m.done)
		m.wg.Wait()
		m.done = nil
	}
}

// close stops it and closes what it has opened.
func (m *minder) close() {
	m.stop()
	if m.final != nil {
		m.final.Close()
	}
}

// judge says why a connection has ended that was ended from here.
func (m *minder) judge(ctx, connection context.Context, out outcome) outcome {
	if connection.Err() != nil && ctx.Err() == nil {
		out.err, out.cut, out.stale = nil, true, m.stale
	}
	return out
}

func (m *minder) mind(ctx context.Context) {
	tick := time.NewTicker(silence / 4)
	defer tick.Stop()
	watched := lookout{s: m.s, r: m.r}
	var ended time.Time
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
		case <-tick.C:
		}
		idle := m.s.idleFor()
		switch {
		case m.hadItsTurn() && m.s.p.logSlots.contended():
			m.cancel()
			return
		case !ended.IsZero():
			// It ends by itself, unless the kubelet waits for a file that
			// was rotated away.
			if idle >= 2*silence && time.Since(ended) >= 2*silence {
				m.cancel()
				return
			}
		case watched.stale(ctx, idle):
			m.stale = true
			m.cancel()
			return
		}
	}
}

// hadItsTurn tells that the log has been followed for long enough, and not
// only read again up to the last line.
func (m *minder) hadItsTurn() bool {
	if since := m.s.turn.Load(); since != 0 {
		return time.Since(time.Unix(0, since)) > quantum
	}
	return time.Since(m.opened) > 15*quantum
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
		open, cancel := context.WithCancel(ctx)
		late := time.AfterFunc(lookTime, cancel)
		body, err := m.s.open(open, r, false, 0, since)
		if !late.Stop() || err != nil {
			cancel()
			if err == nil {
				body.Close()
			}
			return true
		}
		m.final = &cancelledBody{body, cancel}
		return true
	}
	return true
}

// cancelledBody ends its request when it is closed.
type cancelledBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b cancelledBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// lookout looks at a log while nothing comes of it.
type lookout struct {
	s      *logSource
	r      run
	looked time.Time // the last time; zero: not yet
	left   int       // how often to look again in this silence
	sound  bool      // the kubelet was seen to wait at the end of the newest file
}

// stale looks at the log if it is due, and tells that it has lines that do not
// come. A kubelet that is asked for a log may stay with the file that it began
// with: when a new one came before it was ready to be told of it.
func (l *lookout) stale(ctx context.Context, idle time.Duration) bool {
	switch {
	case idle < silence && l.s.volume.Load() < burst || time.Since(l.looked) < silence || l.s.high.Load() == 0:
		return false
	case l.s.volume.Load() >= burst:
		l.left = looks
	case l.looked.IsZero():
		l.left = 1
	case l.left == 0:
		return false
	}
	before, known := l.s.files.next()
	err := l.s.look(ctx, l.r, l.s.high.Load())
	l.looked = time.Now()
	l.left--
	if err != nil || l.s.idleFor() < silence {
		return false
	}
	next, other := l.s.files.next()
	switch {
	case !other:
		l.sound = true
		return false
	case next.first.at != 0:
		l.left = max(l.left, 1) // the line may be under way
		return known && before.first == next.first
	case l.sound, l.s.behind.Load() == 0:
		// It was told of the new file, or began with it.
		if next.settled {
			l.left = 0
		}
		return false
	}
	return true // when its first line comes, it may not be told
}
