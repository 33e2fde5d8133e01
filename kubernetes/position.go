package kubernetes

import "hash/fnv"

// position is how far the log of one container has been read. A container has
// a log for each of its runs, of which the platform keeps the last two.
type position struct {
	run   int64  // how often the container had been restarted when the run began
	runID uint32 // tells runs apart; 0: no run has been read
	at    int64  // the time of the last line in Unix nanoseconds; 0: none of this run has been read
	high  int64  // the latest time of all lines: writers of stdout and stderr may overtake each other by a moment
	sum   uint32 // of the last line
	count int    // how many lines like it, of the same time, had come with it
	ended bool   // the run had ended and was read to its end
}

// startOf returns the position before the first line of a run.
func startOf(r run) position { return position{run: r.number, runID: r.id} }

// tracker keeps the position while lines are read.
type tracker struct {
	position
	same []uint32 // the sums of the lines of the time at, in order
}

// advance moves the position behind a line.
func (t *tracker) advance(at int64, sum uint32) {
	if at != t.at {
		t.same = t.same[:0]
	}
	t.same = append(t.same, sum)
	t.at, t.sum, t.high = at, sum, max(t.high, at)
	t.count = 0
	for _, s := range t.same {
		if s == sum {
			t.count++
		}
	}
}

// resume takes over what a log that is read again has told of the lines of the
// same time as the last one.
func (t *tracker) resume(o *overlap) {
	if o.done && t.at == o.seen.at && t.at != 0 {
		t.same = append(t.same[:0], o.seen.same...)
	}
}

// overlap compares a log that is read again with what was read before. The
// last line must come again: whatever follows it in the log is new, even if
// clocks make it look older, and if it does not come, lines may be missing.
type overlap struct {
	last position
	seen tracker
	done bool // the last line has come again, or there was none
	// other: it is most likely another log. Then the last line need not come.
	other   bool
	skipped bool // lines were taken as known
}

func overlapWith(last position) *overlap { return &overlap{last: last, done: last.at == 0} }

// verdict is what overlap says of a line.
type verdict int

const (
	lineNew     verdict = iota
	lineKnown           // it was read before
	lineMissing         // it comes after the last line, which has not come: something is missing in between
	lineStepped         // likewise, in another log: what was taken as known was new, after a clock was set back
)

// judge judges the lines of a log in their order.
func (o *overlap) judge(at int64, sum uint32) verdict {
	if o.done {
		return lineNew
	}
	o.seen.advance(at, sum)
	switch {
	case at == o.last.at && sum == o.last.sum && o.seen.count == o.last.count:
		o.done = true
		return lineKnown
	case at <= o.last.high:
		o.skipped = true
		return lineKnown
	case !o.other:
		return lineMissing
	case o.skipped:
		return lineStepped
	}
	o.done = true
	return lineNew
}

// lineSum identifies a line among those of the same nanosecond.
func lineSum(message []byte) uint32 {
	h := fnv.New32a()
	_, _ = h.Write(message)
	return h.Sum32()
}

// run is one run of a container whose log can be read.
type run struct {
	id       uint32
	number   int64
	previous bool  // it is the one before the current
	ended    bool  // it prints no more
	started  int64 // Unix seconds; 0 if not known
	finished int64 // as well
	after    int64 // when the run before finished, likewise
	until    int64 // when the next run started, likewise
}
