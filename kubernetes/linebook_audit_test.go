package kubernetes_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// A book that finds no fault in anything would make every test of following
// logs pass.
func TestTheLineBookFindsWhatIsLostRepeatedReorderedAndMadeUp(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	times := func(count int) (at []time.Time) {
		for i := range count {
			at = append(at, began.Add(time.Duration(i)*time.Second))
		}
		return at
	}
	const a, b = "pod-a/web", "pod-b/web"
	book := printed{
		runs: map[string]*printedRun{
			"first":  {source: a, ordinal: 0, at: times(3)},
			"second": {source: a, ordinal: 1, at: times(3)},
			"other":  {source: b, ordinal: 0, at: times(2)},
		},
		pieces: map[string]bool{"3 .....": true},
	}
	line := func(run string, number int) receivedLine {
		return receivedLine{source: book.runs[run].source, run: run, number: number}
	}
	gap := func(source string) receivedLine { return receivedLine{source: source, gap: "rotated"} }
	f1, f2, f3, s1, s2, s3, o1, o2 := line("first", 1), line("first", 2), line("first", 3),
		line("second", 1), line("second", 2), line("second", 3), line("other", 1), line("other", 2)
	late := began.Add(time.Hour)

	for name, test := range map[string]struct {
		got  []receivedLine
		end  time.Time
		want account
	}{
		"all of it, merged in any way": {
			got: []receivedLine{f1, o1, f2, f3, s1, o2, s2, s3}, want: account{Printed: 8, Received: 8},
		},
		"a lost line": {
			got: []receivedLine{f1, f3, s1, s2, s3, o1, o2}, want: account{Printed: 8, Received: 7, Lost: 1},
		},
		"a lost first line": {
			got: []receivedLine{f2, f3, s1, s2, s3, o1, o2}, want: account{Printed: 8, Received: 7, Lost: 1},
		},
		"a lost last line": {
			got: []receivedLine{f1, f2, f3, s1, s2, o1, o2}, want: account{Printed: 8, Received: 7, Lost: 1},
		},
		"a lost run": {
			got: []receivedLine{s1, s2, s3, o1, o2}, want: account{Printed: 8, Received: 5, Lost: 3},
		},
		"a lost source": {
			got: []receivedLine{f1, f2, f3, s1, s2, s3}, want: account{Printed: 8, Received: 6, Lost: 2},
		},
		"nothing at all": {
			want: account{Printed: 8, Lost: 8},
		},
		"a repeated line": {
			got: []receivedLine{f1, f2, f2, f3, s1, s2, s3, o1, o2}, want: account{Printed: 8, Received: 8, Repeated: 1},
		},
		"a run that came again": {
			got: []receivedLine{f1, f2, f3, f1, f2, f3, s1, s2, s3, o1, o2}, want: account{Printed: 8, Received: 8, Repeated: 3},
		},
		"two lines the wrong way round": {
			got: []receivedLine{f1, f3, f2, s1, s2, s3, o1, o2}, want: account{Printed: 8, Received: 8, Reordered: 1},
		},
		"two runs the wrong way round": {
			got: []receivedLine{s1, s2, s3, f1, f2, f3, o1, o2}, want: account{Printed: 8, Received: 8, Reordered: 3},
		},
		"a line missing inside a gap": {
			got: []receivedLine{f1, gap(a), f3, s1, s2, s3, o1, o2}, want: account{Printed: 8, Received: 7, InGaps: 1, Gaps: 1},
		},
		"a gap at the beginning": {
			got: []receivedLine{gap(a), f3, s1, s2, s3, o1, o2}, want: account{Printed: 8, Received: 6, InGaps: 2, Gaps: 1},
		},
		"a gap at the end": {
			got: []receivedLine{f1, f2, f3, s1, s2, gap(a), o1, o2}, want: account{Printed: 8, Received: 7, InGaps: 1, Gaps: 1},
		},
		"a gap where nothing is missing": {
			got: []receivedLine{f1, gap(a), f2, f3, s1, s2, s3, o1, o2}, want: account{Printed: 8, Received: 8, Gaps: 1},
		},
		"a line missing before the gap": {
			got: []receivedLine{f1, f3, gap(a), s1, s2, s3, o1, o2}, want: account{Printed: 8, Received: 7, Lost: 1, Gaps: 1},
		},
		"a line missing after the gap": {
			got: []receivedLine{f1, gap(a), f2, s1, s2, s3, o1, o2}, want: account{Printed: 8, Received: 7, Lost: 1, Gaps: 1},
		},
		"a gap of another source": {
			got: []receivedLine{f1, gap(b), f3, s1, s2, s3, o1, o2}, want: account{Printed: 8, Received: 7, Lost: 1, Gaps: 1},
		},
		"a gap and then what was said to be missing": {
			got: []receivedLine{f1, gap(a), f3, f2, s1, s2, s3, o1, o2}, want: account{Printed: 8, Received: 8, Gaps: 1, Reordered: 1},
		},
		"a line that nobody printed": {
			got:  []receivedLine{f1, f2, f3, s1, s2, s3, o1, o2, {source: b, run: "other", number: 3}, {run: "ghost", number: 1}, {other: "run ot"}},
			want: account{Printed: 8, Received: 8, Strange: 3},
		},
		"a line under another source's name": {
			got:  []receivedLine{f1, f2, f3, s1, s2, s3, o1, {source: a, run: "other", number: 2}},
			want: account{Printed: 8, Received: 7, Lost: 1, Strange: 1},
		},
		"the end of a line that was torn apart": {
			got: []receivedLine{f1, f2, gap(a), {source: a, other: "3 ....."}, s1, s2, s3, o1, o2}, want: account{Printed: 8, Received: 7, InGaps: 1, Gaps: 1},
		},
		"the end of a line that was torn apart, and no gap": {
			got: []receivedLine{f1, f2, {source: a, other: "3 ....."}, s1, s2, s3, o1, o2}, want: account{Printed: 8, Received: 7, Lost: 1},
		},
		"a follower that does not tell the source": {
			got:  []receivedLine{{run: "first", number: 1}, f2, f3, s1, s2, s3, o1, o2},
			want: account{Printed: 8, Received: 8},
		},
		"lines after the end of the period": {
			got: []receivedLine{f1, f2, f3, s1, s2, o1}, end: began, want: account{Printed: 6, Received: 6},
		},
		"lines after the end of the period are not let off between others": {
			got: []receivedLine{f1, f3, s1, s3, o1}, end: began, want: account{Printed: 7, Received: 5, Lost: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			end := test.end
			if end.IsZero() {
				end = late
			}
			got := book.audit(test.got, end)
			assert.Equal(t, test.want.Faults() == 0, len(got.Complaints) == 0, got.String())
			got.Complaints = nil
			assert.Equal(t, test.want, got)
		})
	}
}

func TestNumberedLinesAreReadWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		run    string
		number int
	}{
		"run ABC line 12 .":     {"ABC", 12},
		"run ABC line 12":       {},
		"run ABC line 12 ":      {},
		"run ABC line 12 .....": {"ABC", 12},
		"run ABC line ":         {},
		"run ABC line 0":        {},
		"run ABC li":            {},
		"line 12":               {},
		"":                      {},
	} {
		run, number, ok := numberedLine(text)
		assert.Equal(t, want.number > 0, ok, text)
		if ok {
			assert.Equal(t, want.run, run, text)
			assert.Equal(t, want.number, number, text)
		}
	}
}
