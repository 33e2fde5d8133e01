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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
	hidden   bool // there is no entry
	last     bool // nothing comes behind it: the source is gone
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
	// send takes what a source has read. It blocks while the reader of the
	// entries is slow.
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
	quiet  int  // how often since then nothing new came when the log was read again
	meter  lagMeter
	batch  []logItem
	size   int  // bytes in the batch
	hidden bool // the position is behind lines that are in no item
	// before is the time of the last line of the run before, 0 if not known.
	before int64
	// floor is the time up to which the run was read before a gap.
	floor   int64
	checked int64 // the volume when it was looked whether a file was skipped

	// For what minds a connection.
	behind    atomic.Int64 // the time of the last line that was sent
	high      atomic.Int64 // and the latest
	idleSince atomic.Int64 // since when a read blocks, in Unix nanoseconds; 0: it does not
	volume    atomic.Int64 // bytes that have come
	located   atomic.Bool  // the connection has brought a line
	idle      atomic.Bool  // there is nothing to read
}

func newLogSource(q *logQuery, pod *corev1.Pod, container string, state *podState) *logSource {
	return &logSource{logQuery: q, key: sourceKeyOf(pod, container), state: state, meter: newLagMeter()}
}

func sourceKeyOf(pod *corev1.Pod, container string) sourceKey {
	return sourceKey{pod: pod.Name, container: container, uid: sumOf(string(pod.UID))}
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

// outcome is how the reading of a log ended.
type outcome struct {
	proven bool // what was read before has come again
	missed bool // it has not, but what comes after it has
	fresh  int  // lines that were new
	// foreign: it is the log of a later run, which began after this one ended.
	foreign bool
	ahead   bool // it was not read: the kubelet has it as that of the run before
	err     error

	complete bool          // the run had ended, and this was all
	cut      bool          // the connection was ended from here
	took     time.Duration // from the request to the end
}

// readLines takes in what body has. A last line without a line break is part
// of a longer one, unless the log is final.
func (s *logSource) readLines(ctx context.Context, body io.Reader, o *overlap, r run, opened time.Time, final bool) (out outcome) {
	defer func() {
		out.proven = o.done
		if err := s.flush(ctx); out.err == nil {
			out.err = err
		}
	}()
	reader := bufio.NewReaderSize(body, 64<<10)
	var long []byte
	arrived := time.Now()
	s.meter.open(opened)
	s.located.Store(false)
	defer s.idleSince.Store(0)
	for {
		if reader.Buffered() == 0 {
			if err := s.flush(ctx); err != nil {
				return outcome{fresh: out.fresh, err: err}
			}
			waits := time.Now()
			s.idleSince.Store(waits.UnixNano())
			_, _ = reader.Peek(1)
			s.idleSince.Store(0)
			arrived = time.Now()
			s.meter.waited(arrived.Sub(waits))
		}
		line, err := readLine(reader, &long)
		if err != nil && (!final || !errors.Is(err, io.EOF)) {
			line = nil
		}
		if stamp, message, ok := splitLine(line); ok {
			at, sum := stamp.UnixNano(), lineSum(message)
			if !s.located.Load() && s.follow && r.previous && r.finished != 0 && at > time.Unix(r.finished+foreignAfter, 0).UnixNano() {
				out.missed, out.foreign = true, true
				return out
			}
			s.volume.Add(int64(len(line)))
			s.located.Store(true)
			switch o.judge(at, sum) {
			case lineMissing:
				out.missed = true
				return out
			case lineNew:
				if at <= s.floor {
					break
				}
				out.fresh++
				s.line(ctx, stamp, message, sum, r, opened, arrived)
			case lineKnown:
				s.at.resume(o)
			}
		}
		if len(s.batch) >= maxBatch || s.size >= maxBatchBytes {
			if err := s.flush(ctx); err != nil {
				return outcome{fresh: out.fresh, err: err}
			}
		}
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			return outcome{fresh: out.fresh, err: err}
		}
	}
}

// foreignAfter is how many seconds after the end of a run the first line of its
// log is not its own.
const foreignAfter = 2

// A batch is what is passed on at a time.
const (
	maxBatch      = 128
	maxBatchBytes = 256 << 10
)

// line takes in a new line.
func (s *logSource) line(ctx context.Context, stamp time.Time, message []byte, sum uint32, r run, opened, arrived time.Time) {
	at := stamp.UnixNano()
	if s.begins && s.startMissed(r, stamp, opened) || s.meter.jumped(at, arrived.UnixNano()) || s.skipped(ctx, r, at) {
		s.gap(gapRotated, stamp)
	}
	s.begins = false
	s.at.advance(at, sum)
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

// startMissed tells that lines may have been rotated away before a run could
// be read for the first time: that takes a while, in which it printed nothing
// that is still there.
func (s *logSource) startMissed(r run, first, opened time.Time) bool {
	const unseen = 3 * time.Second
	if !s.caught || r.started == 0 || !s.since.IsZero() {
		return false
	}
	started := time.Unix(r.started, 0)
	return first.Sub(started) >= unseen && opened.Sub(started) >= unseen
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
	s.at = tracker{position: to}
	s.gap(reason, at)
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
	}
	s.behind.Store(s.at.at)
	s.high.Store(s.at.high)
	if len(s.batch) == 0 {
		return ctx.Err()
	}
	items := s.batch
	s.batch, s.size, s.hidden = nil, 0, false
	return s.send(ctx, items)
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
