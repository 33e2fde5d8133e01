package kubernetes

import (
	"sync"
	"time"
)

// A node keeps a log in files: it begins a new one when the newest has become
// large. The API server gives out the newest only. A kubelet that follows a log
// goes on in the file that is the newest when it gets round to it, and passes
// over those in between without a word. It gets round to it late when it waits
// for a slow reader, or was not told of the new file because it came while it
// still read the one before.
//
// What gives it away: the first line of a file can be asked for, a node looks
// at its logs every three seconds at the most, and so a file that is passed
// over leaves a jump of that order between two lines.

const (
	// rotationInterval is the shortest time between two new files of a log: half
	// of what a kubelet accepts as containerLogMonitorInterval, because it may
	// be late with one file and in time with the next.
	rotationInterval = 1500 * time.Millisecond
	// jumpSuspect is how far apart two lines are between which a file may have
	// been passed over.
	jumpSuspect = 900 * time.Millisecond
	// promptness is how much of a silence a reader may have missed that was
	// waiting for the next line all the time.
	promptness = time.Second
)

// mark identifies a line: by its time and its text.
type mark struct {
	at  int64
	sum uint32
}

// logFiles is what is known of the files of a log from the one on that has the
// last line that was read. It is safe for concurrent use.
type logFiles struct {
	mu sync.Mutex
	// seen is when the newest file that is known was the newest for sure.
	seen time.Time
	// ahead are the files behind the one that is read, the oldest first.
	ahead []logFile
}

// logFile is a file that has not been reached.
type logFile struct {
	first mark // zero while the file is empty
	// unsure: there may be others between this file and the one before.
	unsure bool
	// settled: the kubelet has had time to go on in the empty file.
	settled bool
}

// reachedBy tells that a line is in the file or behind it.
func (file logFile) reachedBy(line mark) bool {
	return file.first == line || file.first.at != 0 && file.first.at < line.at
}

// read tells that a line of the newest file was read, as of a time.
func (f *logFiles) read(asOf time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen, f.ahead = asOf, nil
}

// recent tells that the newest file was seen a moment ago: there has not been
// time for two others.
func (f *logFiles) recent() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Since(f.seen) < jumpSuspect
}

// wrote tells that a line was read that was printed after a time, unless there
// is a newer file.
func (f *logFiles) wrote(after time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.ahead) == 0 && after.After(f.seen) {
		f.seen = after
	}
}

// begin tells that a line was read first of a log that was opened then, and
// whether a file may be missing between it and what was read before. Settled
// tells that seen is known of this connection already.
func (f *logFiles) begin(line mark, opened time.Time, settled bool) bool {
	if _, other := f.next(); !other {
		f.read(opened)
		return false
	}
	skipped, unsure := f.reach(line)
	f.mu.Lock()
	late := !settled && time.Since(f.seen) >= rotationInterval
	f.mu.Unlock()
	f.read(opened)
	return skipped || unsure || late
}

// saw takes in the first line of the newest file, zero if it is empty: as of
// asked at the earliest and answered at the latest. High is the time of the
// latest line that was read. Idle tells that the kubelet has nothing else to
// send: then it has gone on in a file that was empty before.
func (f *logFiles) saw(first mark, high int64, asked, answered time.Time, idle bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	unsure := answered.Sub(f.seen) >= rotationInterval
	f.seen = asked
	if first.at != 0 && first.at <= high {
		f.ahead = nil
		return
	}
	if last := len(f.ahead) - 1; last >= 0 {
		newest := &f.ahead[last]
		empty := newest.first.at == 0
		switch {
		case newest.first == first:
			newest.settled = empty && idle
			newest.unsure = newest.unsure || empty && (unsure || !idle)
			return
		case empty && first.at != 0:
			newest.first = first
			newest.unsure = newest.unsure || unsure && !newest.settled
			return
		}
	}
	f.ahead = append(f.ahead, logFile{first: first, unsure: unsure})
}

// next returns the first line of the file behind the one that is read, and
// whether there is one.
func (f *logFiles) next() (file logFile, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.ahead) == 0 {
		return logFile{}, false
	}
	return f.ahead[0], true
}

// begins tells that a line is the first of the empty file that the kubelet has
// gone on in, and whether there may be another before it.
func (f *logFiles) begins() (ok, unsure bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.ahead) == 0 || !f.ahead[0].settled || f.ahead[0].first.at != 0 {
		return false, false
	}
	unsure = f.ahead[0].unsure
	f.ahead = f.ahead[1:]
	return true, unsure
}

// adjacent tells that the newest file follows the one that is read.
func (f *logFiles) adjacent() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.ahead) == 1 && !f.ahead[0].unsure
}

// reach moves to the file that has a line. Skipped tells that there is a file
// in between which never came, unsure that there may be one.
func (f *logFiles) reach(line mark) (skipped, unsure bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	reached := 0
	for reached < len(f.ahead) && f.ahead[reached].reachedBy(line) {
		skipped = skipped || f.ahead[reached].first != line
		unsure = unsure || f.ahead[reached].unsure
		reached++
	}
	f.ahead = f.ahead[reached:]
	if reached == 0 && len(f.ahead) > 0 {
		unsure = f.ahead[0].unsure // the line may be in one of those in between
	}
	return skipped, unsure
}
