package fake

import (
	"cmp"
	"container/heap"
	"fmt"
	"iter"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/loglines"
)

const (
	maxLines = 10_000 // kept of each run
	maxRuns  = 200    // kept that have ended, of each instance
)

// run is one run of a container, from which its log can be computed: line n
// was printed at start + n x interval. No line is stored.
type run struct {
	serial   int // orders the runs of an instance
	replica  string
	restart  int       // how often the container was started before
	start    time.Time // when it printed line 0
	end      time.Time // zero while it runs
	interval time.Duration
	line     func(n int) string
	count    int // of lines; -1 if it goes on as long as it runs
}

// printed is how many lines there are at a time. A line that is due at the
// very end was still printed.
func (r *run) printed(now time.Time) int {
	if !r.end.IsZero() && r.end.Before(now) {
		now = r.end
	}
	switch {
	case now.Before(r.start), r.interval < 0:
		return 0
	case r.interval == 0:
		return r.count
	}
	n := int(now.Sub(r.start)/r.interval) + 1
	if r.count >= 0 {
		n = min(n, r.count)
	}
	return n
}

// logBook knows all runs of an instance of which lines are kept.
type logBook struct {
	serial int
	ended  []run // the newest last; the others belong to replicas
}

func (b *logBook) start(r run) *run {
	b.serial++
	r.serial = b.serial
	return &r
}

func (b *logBook) end(r *run, t time.Time) {
	r.end = t
	b.ended = append(b.ended, *r)
	if len(b.ended) >= 2*maxRuns {
		b.ended = slices.Clone(b.ended[len(b.ended)-maxRuns:])
	}
}

// log is what an instance has printed until a time. It can be read without
// the provider's lock.
type log struct {
	uid  int
	now  time.Time
	runs []run
	end  position // behind everything that is in it
}

// snapshot returns the log as it is.
func (in *instance) snapshot(now time.Time) log {
	ended := in.logs.ended[max(0, len(in.logs.ended)-maxRuns):]
	l := log{uid: in.uid, now: now, runs: slices.Clone(ended), end: position{now, in.logs.serial, math.MaxInt}}
	for _, r := range in.replicas {
		if r.run != nil {
			l.runs = append(l.runs, *r.run)
		}
	}
	return l
}

// nextLine returns when the next line will be printed, if nothing changes;
// zero if none will be.
func (l log) nextLine() time.Time {
	var first time.Time
	for i := range l.runs {
		r := &l.runs[i]
		if !r.end.IsZero() || r.interval <= 0 {
			continue
		}
		first = earlier(first, r.start.Add(time.Duration(r.printed(l.now))*r.interval))
	}
	return first
}

// position is a place in the log. Lines are ordered by it, and whatever is
// printed later comes behind everything that was printed until now: a run
// that begins at this very moment has a higher serial.
type position struct {
	at     time.Time
	serial int
	n      int
}

func (a position) compare(b position) int {
	return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.serial, b.serial), cmp.Compare(a.n, b.n))
}

// line is one line of a log.
type line struct {
	run *run
	n   int
}

func (l line) position() position {
	return position{l.run.start.Add(time.Duration(l.n) * l.run.interval), l.run.serial, l.n}
}

func (l line) entry(uid int) hosting.LogEntry {
	message := l.run.line(l.n)
	if i := strings.IndexAny(message, "\r\n"); i >= 0 {
		message = message[:i]
	}
	entry := hosting.LogEntry{
		Timestamp: hosting.NewTime(l.position().at), Level: loglines.Level(message), Message: message,
		Source: l.run.replica, Cursor: l.position().cursor(uid),
	}
	if l.run.restart > 0 {
		entry.Metadata = map[string]string{"restart": strconv.Itoa(l.run.restart)}
	}
	return entry
}

// cursor writes a position so that parseCursor reads it.
func (a position) cursor(uid int) string {
	return fmt.Sprintf("%d.%d.%d.%d", uid, a.at.UnixNano(), a.serial, a.n)
}

// parseCursor reads a cursor of this log. Others are refused: resuming at a
// place in another log would return something that looks right.
func (l log) parseCursor(text string) (position, error) {
	var uid, serial, n int
	var nanos int64
	_, err := fmt.Sscanf(text, "%d.%d.%d.%d", &uid, &nanos, &serial, &n)
	at := position{time.Unix(0, nanos).UTC(), serial, n}
	if err != nil || uid != l.uid || at.compare(l.end) > 0 || at.cursor(uid) != text {
		return position{}, notAllowed("after", text, []string{"the cursor of an entry of this instance"})
	}
	return at, nil
}

// lines yields the lines behind a position, within the time bounds of the
// options, oldest or newest first. It computes only what is asked for.
func (l log) lines(after position, options hosting.LogQueryOptions, newestFirst bool) iter.Seq[line] {
	return func(yield func(line) bool) {
		queue := &lineQueue{newestFirst: newestFirst}
		for i := range l.runs {
			if s := l.span(&l.runs[i], after, options); s.first < s.last {
				queue.add(s)
			}
		}
		heap.Init(queue)
		for len(queue.spans) > 0 {
			if !yield(queue.take()) {
				return
			}
		}
	}
}

// span is a range of lines of one run, last excluded.
type span struct {
	run         *run
	first, last int
}

// span returns what is kept and asked for of a run.
func (l log) span(r *run, after position, options hosting.LogQueryOptions) span {
	last := r.printed(l.now)
	oldest := max(0, last-maxLines)
	first := oldest + sort.Search(last-oldest, func(i int) bool {
		at := line{r, oldest + i}.position()
		return at.compare(after) > 0 && !hosting.NewTime(at.at).Before(options.StartTime)
	})
	if !options.EndTime.IsZero() {
		last = oldest + sort.Search(last-oldest, func(i int) bool {
			return !hosting.NewTime(line{r, oldest + i}.position().at).Before(options.EndTime)
		})
	}
	return span{r, first, last}
}

// lineQueue merges spans: a heap by the line of each that comes next.
type lineQueue struct {
	spans       []span
	newestFirst bool
}

func (q *lineQueue) add(s span) { q.spans = append(q.spans, s) }

func (q *lineQueue) next(s span) line {
	if q.newestFirst {
		return line{s.run, s.last - 1}
	}
	return line{s.run, s.first}
}

// take removes the next line.
func (q *lineQueue) take() line {
	s := &q.spans[0]
	next := q.next(*s)
	if q.newestFirst {
		s.last--
	} else {
		s.first++
	}
	if s.first < s.last {
		heap.Fix(q, 0)
	} else {
		heap.Pop(q)
	}
	return next
}

// Len is part of heap.Interface.
func (q *lineQueue) Len() int { return len(q.spans) }

// Less is part of heap.Interface.
func (q *lineQueue) Less(i, j int) bool {
	order := q.next(q.spans[i]).position().compare(q.next(q.spans[j]).position())
	if q.newestFirst {
		return order > 0
	}
	return order < 0
}

// Swap is part of heap.Interface.
func (q *lineQueue) Swap(i, j int) { q.spans[i], q.spans[j] = q.spans[j], q.spans[i] }

// Push is part of heap.Interface.
func (q *lineQueue) Push(s any) { q.add(s.(span)) }

// Pop is part of heap.Interface.
func (q *lineQueue) Pop() any {
	last := q.spans[len(q.spans)-1]
	q.spans = q.spans[:len(q.spans)-1]
	return last
}
