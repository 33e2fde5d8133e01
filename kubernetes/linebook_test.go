package kubernetes_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The bookkeeping behind the tests of following logs: what was printed, what
// was received, and what became of each line. It knows nothing of Kubernetes.

// numberedLine reads a line of the program images/numbered.
func numberedLine(text string) (run string, number int, ok bool) {
	rest, ok := strings.CutPrefix(text, "run ")
	if !ok {
		return "", 0, false
	}
	run, rest, ok = strings.Cut(rest, " line ")
	if !ok {
		return "", 0, false
	}
	// Without what follows the number it could be the beginning of a longer one.
	digits, _, whole := strings.Cut(rest, " .")
	if !whole {
		return "", 0, false
	}
	number, err := strconv.Atoi(digits)
	return run, number, err == nil && number > 0
}

// printedRun is what one run of a container printed.
type printedRun struct {
	source  string // pod/container
	ordinal int    // how many runs of the container came before
	at      []time.Time
}

// printed is all that was printed.
type printed struct {
	runs map[string]*printedRun // by the name of the run
	// pieces are the ends of lines that the container runtime tore apart, when
	// it was told to go on in a new file in the middle of a line. Who reads the
	// new file alone cannot tell such a piece from a line.
	pieces map[string]bool
}

// receivedLine is one entry that a follower received: a line, a gap, or
// something else that it received as a line.
type receivedLine struct {
	source string // "" if the follower does not tell
	run    string
	number int
	gap    string
	other  string
}

// account says what became of the lines. Everything but Printed, Received,
// Gaps and InGaps must be zero for a follower that loses nothing silently.
type account struct {
	Printed   int // until the end of the period, or received
	Received  int // different lines
	Lost      int // neither received nor in a gap
	InGaps    int // not received, at the place of a gap
	Gaps      int
	Repeated  int
	Reordered int // received after a later line of their source
	Strange   int // nobody printed them, or another source did

	Complaints []string // the first few of each kind
}

// Faults is how many lines were not handled as they must be.
func (a account) Faults() int { return a.Lost + a.Repeated + a.Reordered + a.Strange }

func (a account) String() string {
	text := fmt.Sprintf("%d printed, %d received, %d lost, %d inside %d gaps, %d repeated, %d reordered, %d strange",
		a.Printed, a.Received, a.Lost, a.InGaps, a.Gaps, a.Repeated, a.Reordered, a.Strange)
	return strings.Join(append([]string{text}, a.Complaints...), "\n  ")
}

const maxComplaints = 12

func (a *account) complain(format string, args ...any) {
	if len(a.Complaints) < maxComplaints {
		a.Complaints = append(a.Complaints, fmt.Sprintf(format, args...))
	}
}

// sourceBook is the account of one source: its lines are numbered through all
// its runs.
type sourceBook struct {
	name     string
	runs     []*printedRun
	names    []string
	received []bool
	inGap    []bool // passed over at a gap
	next     int    // the place after the last line received
	gap      bool   // a gap has come since then
}

// audit compares what was received with what was printed. Lines printed after
// the end that did not arrive any more count as not printed.
func (p printed) audit(got []receivedLine, end time.Time) account {
	var a account
	books, offsets := p.books()
	for _, line := range got {
		if line.gap != "" {
			a.Gaps++
			if book := books[line.source]; book != nil {
				book.gap = true
			} // else: of a source that printed nothing
			continue
		}
		run := p.runs[line.run]
		switch {
		case p.pieces[line.other]:
		case line.other != "":
			a.Strange++
			a.complain("received what nobody printed: %.100q", line.other)
		case run == nil || line.number > len(run.at):
			a.Strange++
			a.complain("received line %d of run %q, which nobody printed", line.number, line.run)
		case line.source != "" && line.source != run.source:
			a.Strange++
			a.complain("line %d of run %q is from %s, received as from %s", line.number, line.run, run.source, line.source)
		default:
			books[run.source].receive(&a, offsets[line.run]+line.number-1)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(books)) {
		books[name].close(&a, end)
	}
	return a
}

// books returns an empty account of each source, and where its runs begin in
// it.
func (p printed) books() (map[string]*sourceBook, map[string]int) {
	books := map[string]*sourceBook{}
	names := slices.SortedFunc(maps.Keys(p.runs), func(a, b string) int { return cmp.Compare(p.runs[a].ordinal, p.runs[b].ordinal) })
	offsets := map[string]int{}
	for _, name := range names {
		run := p.runs[name]
		book := books[run.source]
		if book == nil {
			book = &sourceBook{name: run.source}
			books[run.source] = book
		}
		offsets[name] = len(book.received)
		book.runs, book.names = append(book.runs, run), append(book.names, name)
		book.received = append(book.received, make([]bool, len(run.at))...)
	}
	for _, book := range books {
		book.inGap = make([]bool, len(book.received))
	}
	return books, offsets
}

func (b *sourceBook) receive(a *account, place int) {
	switch {
	case b.received[place]:
		a.Repeated++
		a.complain("%s: repeated: %s", b.name, b.line(place))
		return
	case place < b.next:
		a.Reordered++
		a.complain("%s: received after a later one: %s", b.name, b.line(place))
	default:
		if b.gap {
			for i := b.next; i < place; i++ {
				b.inGap[i] = true
			}
		}
		b.next, b.gap = place+1, false
	}
	b.received[place] = true
	a.Received++
}

// close counts the lines that have not come.
func (b *sourceBook) close(a *account, end time.Time) {
	lost := -1 // where the present row of lost lines began
	report := func(until int) {
		if lost >= 0 {
			a.complain("%s: lost %d lines: %s to %s", b.name, until-lost, b.line(lost), b.line(until-1))
		}
		lost = -1
	}
	for place, received := range b.received {
		tail := place >= b.next
		switch {
		case received:
			a.Printed++
			report(place)
		case b.inGap[place], tail && b.gap && !b.at(place).After(end):
			a.Printed++
			a.InGaps++
			report(place)
		case tail && b.at(place).After(end):
			report(place)
		default:
			a.Printed++
			a.Lost++
			if lost < 0 {
				lost = place
			}
		}
	}
	report(len(b.received))
}

// find returns the run that a place is in, and the number of its line there.
func (b *sourceBook) find(place int) (index, number int) {
	for index, run := range b.runs {
		if place < len(run.at) {
			return index, place + 1
		}
		place -= len(run.at)
	}
	panic("no such place")
}

func (b *sourceBook) at(place int) time.Time {
	index, number := b.find(place)
	return b.runs[index].at[number-1]
}

func (b *sourceBook) line(place int) string {
	index, number := b.find(place)
	run := b.runs[index]
	return fmt.Sprintf("run %d (%s) line %d of %d, printed at %s", run.ordinal, b.names[index], number, len(run.at),
		run.at[number-1].Format("15:04:05.000000"))
}
