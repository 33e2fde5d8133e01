package kubernetes

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/loglines"
)

// The reasons of gaps.
const (
	gapRotated  = "rotated"
	gapRestarts = "restarts"
	gapDeleted  = "deleted"
)

var gapMessages = map[string]string{
	gapRotated:  "lines may be missing here: the log was rotated before all of it could be read",
	gapRestarts: "lines may be missing here: the container was restarted, and its node keeps the logs of the last two runs only",
	gapDeleted:  "lines may be missing here: the pod was deleted before all of its log could be read",
}

// logItem is a step of a source: to the position behind an entry, or behind
// lines that were not selected.
type logItem struct {
	source   *logSource
	position position
	entry    hosting.LogEntry
	hidden   bool         // there is no entry
	last     bool         // nothing comes behind it: the source is gone
	order    hosting.Time // where it is among those of other sources
}

// logQuery is what all sources of a call have in common.
type logQuery struct {
	p      *Provider
	t      target
	filter *loglines.Filter
	since  time.Time
	follow bool
	// tail is how many lines of each run are enough; 0 is all.
	tail int64
	// send takes what a source has read: all of it, or none with an error. It
	// blocks while the reader of the entries is slow.
	send func(ctx context.Context, items []logItem) error
}

// logSource reads the log of one container of a pod, over all its runs. Its
// methods are for one goroutine, but for what minds a connection.
type logSource struct {
	*logQuery
	key   sourceKey
	node  string // known once the pod is scheduled
	state *podState

	at     tracker
	caught bool // the source was known before: what it prints must not be missed
	begins bool // the next line is the first of a run that was not seen to begin
	eof    bool // the last answer came to an end
	over   bool // the run had ended when it was read
	quiet  int  // how often since then nothing new came when the log was read again
	batch  []logItem
	size   int  // bytes in the batch
	hidden bool // the position is behind lines that are in no item
	// before is the time of the last line of the run before, 0 if not known.
	before int64
	// past is the position in what was read before this run.
	past   position
	fresh  bool      // nothing of this run was read, nor given up
	opened time.Time // when the run could be read first
	// floor is the time up to which the run was read before a gap.
	floor int64

	files   logFiles
	waited  time.Duration // how long reading blocked since the last line
	suspect bool          // a file was passed over, and may come twice

	// For what minds a connection.
	behind    atomic.Int64 // the time of the last line that was sent
	high      atomic.Int64 // and the latest
	idleSince atomic.Int64 // since when a read blocks, in Unix nanoseconds; 0: it does not
	volume    atomic.Int64 // bytes that have come since it was looked at the log
	turn      atomic.Int64 // since when there may be new lines, in Unix nanoseconds
	slow      atomic.Bool  // looking at the log took long or failed
	settled   atomic.Bool  // the node had time to open a file for the connection
	idle      atomic.Bool  // there is nothing to read
}

func newLogSource(q *logQuery, pod *corev1.Pod, container string, state *podState) *logSource {
	return &logSource{logQuery: q, key: sourceKeyOf(pod, container), state: state}
}

func sourceKeyOf(pod *corev1.Pod, container string) sourceKey {
	return sourceKey{pod: pod.Name, container: container, uid: sumOf(string(pod.UID))}
}

// A batch is what is passed on at a time.
const (
	maxBatch      = 128
	maxBatchBytes = 256 << 10
)

// line takes in a new line.
func (s *logSource) line(ctx context.Context, stamp time.Time, message []byte, sum uint32, r run, opened time.Time) {
	at := stamp.UnixNano()
	first := mark{at, firstSum(message)}
	switch {
	case s.at.at == 0:
		lost := s.files.begin(first, opened, s.settled.Load())
		if lost || s.begins && s.startMissed(ctx, r, first) {
			s.gap(gapRotated, stamp)
		}
	case !r.ended && s.passedOver(ctx, first, r):
		s.gap(gapRotated, stamp)
		s.suspect = true
	case s.waited >= silence:
		// A line that comes when it was printed is in the newest file.
		if late := s.waited - time.Duration(at-s.at.high); late.Abs() < promptness {
			s.files.wrote(time.Now().Add(-promptness))
		}
	}
	s.begins = false
	s.at.advance(at, sum)
	s.high.Store(s.at.high)
	entry := hosting.LogEntry{Timestamp: hosting.NewTime(stamp), Message: string(message), Source: s.key.String()}
	entry.Level = loglines.Level(entry.Message)
	if !s.filter.Match(entry) {
		s.hidden = true
		return
	}
	entry.Metadata = s.metadata()
	if r.previous {
		entry.Metadata["previous"] = "true"
	}
	s.add(entry)
}

// known takes in that what was read before has come again to its end.
func (s *logSource) known(o *overlap, opened time.Time) {
	if o.other {
		// The log was read before, in the place of another run's.
		s.at.at, s.at.high, s.at.sum, s.at.count = o.last.at, o.last.high, o.last.sum, o.last.count
		s.begins = false
	}
	s.at.resume(o)
	s.files.read(opened)
	s.turn.Store(time.Now().UnixNano())
}

// passedOver tells that the kubelet may have passed over a file before a line.
func (s *logSource) passedOver(ctx context.Context, line mark, r run) bool {
	if first, unsure := s.files.begins(); first {
		return unsure
	}
	jump := time.Duration(line.at - s.at.high)
	next, other := s.files.next()
	unsure := false
	switch {
	case jump >= jumpSuspect:
		// Who waited through the silence was not behind.
		waited := s.waited >= jump-promptness
		// Nor can there have been two new files since it was looked.
		if !other && (waited && s.volume.Load() < burst && !s.slow.Load() || s.files.recent()) {
			return false
		}
		unsure = s.look(ctx, r, s.at.high) != nil
		s.slow.Store(false)
	case other && next.first.at == 0 && s.waited >= silence/10:
		// Most likely the first line of the file that was empty.
		unsure = s.look(ctx, r, s.at.high) != nil
	case !other || !next.reachedBy(line):
		return false
	}
	skipped, between := s.files.reach(line)
	return skipped || unsure || between
}

// look asks for the first line of the newest file. High is the time of the
// latest line that was read.
func (s *logSource) look(ctx context.Context, r run, high int64) error {
	asked := time.Now()
	first, err := s.firstLine(ctx, r)
	var said nodeError
	for tries := 0; errors.As(err, &said) && tries < triesBeforeGap; tries++ {
		_ = sleep(ctx, pauseAfter(0)) // the node is about to begin a file
		asked = time.Now()
		first, err = s.firstLine(ctx, r)
	}
	answered := time.Now()
	quick := answered.Sub(asked) < promptness
	if err != nil || !quick {
		s.slow.Store(true)
	}
	if err != nil {
		return err
	}
	s.files.saw(first, max(high, s.high.Load()), asked, answered, s.idleFor() >= silence)
	s.volume.Store(0)
	if quick {
		s.settled.Store(true)
	}
	return nil
}

// idleFor is how long nothing has come.
func (s *logSource) idleFor() time.Duration {
	since := s.idleSince.Load()
	if since == 0 {
		return 0
	}
	return time.Since(time.Unix(0, since))
}

// startMissed tells that the node may have begun a new file before a run could
// be read for the first time. Only a run that prints much gives it a reason.
func (s *logSource) startMissed(ctx context.Context, r run, first mark) bool {
	started := time.Unix(r.started, 0) // or up to a second later
	if !s.caught || r.started == 0 || !s.since.IsZero() {
		return false
	}
	quiet := time.Unix(0, first.at).Sub(started)
	switch {
	case quiet < time.Second: // what is lost would be before the first line
		return false
	case quiet >= 2*rotationInterval && s.opened.Sub(started) >= 2*rotationInterval:
		return true
	}
	if !r.ended {
		_ = sleep(ctx, loudTime)
	}
	size, begins := s.beginning(ctx, r)
	if begins != first && !r.previous {
		r.previous = true // it may have ended since
		size, begins = s.beginning(ctx, r)
	}
	return begins != first || size >= burst
}

// loudTime is how long a run has to show that it prints much.
const loudTime = 300 * time.Millisecond

// beginning returns how much of a log is there, up to a limit, and its first line.
func (s *logSource) beginning(ctx context.Context, r run) (int, mark) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	body, err := s.openBeginning(ctx, r, burst)
	if err != nil {
		return 0, mark{}
	}
	defer body.Close()
	data, _ := io.ReadAll(io.LimitReader(body, burst))
	first, _ := firstMark(data)
	return len(data), first
}

func (s *logSource) metadata() map[string]string {
	metadata := map[string]string{"pod": s.key.pod, "container": s.key.container}
	if s.node != "" {
		metadata["node"] = s.node
	}
	return metadata
}

// gap puts a gap at the place of the position.
func (s *logSource) gap(reason string, at time.Time) {
	entry := hosting.LogEntry{Timestamp: hosting.NewTime(at), Source: s.key.String(), Message: gapMessages[reason], Metadata: s.metadata()}
	entry.Metadata[hosting.MetadataGap] = reason
	s.add(entry)
}

// gapTo puts a gap behind the position and moves it.
func (s *logSource) gapTo(reason string, to position) {
	at := time.Now()
	if s.at.high > 0 {
		at = time.Unix(0, s.at.high)
	}
	s.leave()
	s.fresh = false
	s.at = tracker{position: to}
	s.gap(reason, at)
}

// leave gives up the position.
func (s *logSource) leave() {
	if s.at.at != 0 {
		s.past = s.at.position
	}
	s.files.read(time.Time{})
}

func (s *logSource) add(entry hosting.LogEntry) {
	s.batch = append(s.batch, logItem{source: s, position: s.at.position, entry: entry})
	s.size += len(entry.Message)
	s.hidden = false
}

// flush passes on what was read.
func (s *logSource) flush(ctx context.Context) error {
	if s.hidden {
		s.batch = append(s.batch, logItem{source: s, position: s.at.position, hidden: true})
		s.hidden = false
	}
	s.behind.Store(s.at.at)
	s.high.Store(s.at.high)
	if len(s.batch) == 0 {
		return ctx.Err()
	}
	if err := s.send(ctx, s.batch); err != nil {
		return err // it goes with the next
	}
	s.batch, s.size, s.hidden = nil, 0, false
	return nil
}

// splitLine splits a line into its time and its message. What has no time is
// not of the container: the kubelet writes what it has to say into the log.
func splitLine(line []byte) (at time.Time, message []byte, ok bool) {
	stamp, message, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(" "))
	if len(stamp) < len("2006-01-02T15:04:05Z") {
		return time.Time{}, nil, false
	}
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	return at, message, err == nil
}

// maxLine bounds the memory of one line; what is longer is cut.
const maxLine = 1 << 20

// readLine returns the next line. It is valid until the next call. With an
// error it is what came before it.
func readLine(reader *bufio.Reader, long *[]byte) ([]byte, error) {
	line, err := reader.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	*long = append((*long)[:0], line...)
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = reader.ReadSlice('\n')
		*long = append(*long, line[:min(len(line), max(0, maxLine-len(*long)))]...)
	}
	return *long, err
}

// describe names the source in an error.
func (s *logSource) describe(err error) error {
	return fmtError(fmt.Sprintf("pod %s, container %s", s.key.pod, s.key.container), err)
}
