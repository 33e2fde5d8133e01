package conformance

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"skillcenter.io/hosting"
)

func logCases() []testCase {
	return []testCase{
		each("logs are in order, whole, and the limit keeps the newest", logsInOrder, hosting.CanLogs).waiting(),
		once("logs are selected by time, level and pattern", logsSelected, hosting.CanLogs).waiting(),
		each("logs of what has not run are empty", logsEmpty, hosting.CanLogs),
	}
}

var linePattern = regexp.MustCompile(`\bline ([0-9]+)\b`)

// lineNumber returns n of "line n", or 0.
func lineNumber(entry hosting.LogEntry) int {
	if match := linePattern.FindStringSubmatch(entry.Message); match != nil {
		n, _ := strconv.Atoi(match[1])
		return n
	}
	return 0
}

// awaitLogs waits for n entries and returns those there are.
func (e *env) awaitLogs(t *testing.T, id string, n int) []hosting.LogEntry {
	t.Helper()
	var entries []hosting.LogEntry
	e.eventually(t, fmt.Sprintf("instance %s has %d log entries", id, n), func() error {
		var err error
		entries, err = e.p.GetLogs(e.ctx, id, hosting.LogQueryOptions{})
		if err == nil && len(entries) < n {
			err = fmt.Errorf("it has %d", len(entries))
		}
		return err
	})
	return entries
}

// logging returns an instance that prints.
func (e *env) logging(t *testing.T) hosting.CloudInstance {
	t.Helper()
	if e.typ != hosting.TypeCronJob {
		return e.create(t, e.config(Serve))
	}
	e.require(t, hosting.CanRunNow)
	created := e.create(t, e.config(Complete))
	must(t, "RunNow", created.ID, hosting.RunNow(e.ctx, e.p, created.ID))
	return created
}

func logsInOrder(t *testing.T, e *env) {
	id := e.logging(t).ID
	entries := e.awaitLogs(t, id, 10)
	wantConsecutive(t, "GetLogs", id, entries, 1)
	for i, entry := range entries {
		if i > 0 && entry.Timestamp.Before(entries[i-1].Timestamp) {
			t.Errorf("GetLogs(%s): entry %d is of %s, before the one ahead of it, %s", id, i, entry.Timestamp, entries[i-1].Timestamp)
		}
		if entry.Source == "" || entry.Timestamp.IsZero() || strings.ContainsAny(entry.Message, "\r\n") {
			t.Errorf("GetLogs(%s): entry %s; want a timestamp, a source and a message without line break", id, toJSON(entry))
		}
		if entry.Level != "" && !slices.Contains(hosting.LogLevels(), entry.Level) {
			t.Errorf("GetLogs(%s): entry %s; want a level among %q", id, toJSON(entry), hosting.LogLevels())
		}
	}
	entries, before := settled(entries)
	// All lines may be of one moment, which may not be over yet.
	if n := min(3, len(entries)); n > 0 {
		e.wantLogs(t, id, hosting.LogQueryOptions{Limit: n, EndTime: before}, entries[len(entries)-n:])
	}
}

// wantConsecutive checks that each source prints its lines one by one, each
// exactly once. Any source begins with line first, if that is not 0.
func wantConsecutive(t *testing.T, what, id string, entries []hosting.LogEntry, first int) {
	t.Helper()
	last := map[string]int{}
	for _, entry := range entries {
		number := lineNumber(entry)
		before, known := last[entry.Source]
		if known && number != before+1 || !known && first != 0 && number != first {
			t.Errorf("%s(%s): line %d of source %s comes after line %d, want each line once and in order", what, id, number, entry.Source, before)
		}
		last[entry.Source] = number
	}
}

// settled returns the entries to which no more can come, which are those
// before the time it returns.
func settled(entries []hosting.LogEntry) ([]hosting.LogEntry, hosting.Time) {
	before := slices.MaxFunc(entries, func(a, b hosting.LogEntry) int { return a.Timestamp.Compare(b.Timestamp) }).Timestamp
	return slices.DeleteFunc(slices.Clone(entries), func(entry hosting.LogEntry) bool { return !entry.Timestamp.Before(before) }), before
}

func logText(entries []hosting.LogEntry) string {
	var text strings.Builder
	for _, entry := range entries {
		fmt.Fprintf(&text, "\n  %s %s [%s] %q", entry.Timestamp, entry.Source, entry.Level, entry.Message)
	}
	return text.String()
}

func (e *env) wantLogs(t *testing.T, id string, options hosting.LogQueryOptions, want []hosting.LogEntry) {
	t.Helper()
	got, err := retried(e, func() ([]hosting.LogEntry, error) { return e.p.GetLogs(e.ctx, id, options) })
	if err != nil {
		t.Errorf("GetLogs(%s, %s): %v", id, toJSON(options), err)
	} else if logText(got) != logText(want) {
		t.Errorf("GetLogs(%s, %s): got %s\nwant %s", id, toJSON(options), logText(got), logText(want))
	}
}

// logsSelected compares every selection with one made here, out of the
// entries that had settled.
func logsSelected(t *testing.T, e *env) {
	id := e.logging(t).ID
	all, end := settled(e.awaitLogs(t, id, 12))
	if len(all) == 0 {
		t.Fatalf("GetLogs(%s): all entries are of %s", id, end)
	}
	selected := func(keep func(hosting.LogEntry) bool) []hosting.LogEntry {
		return slices.DeleteFunc(slices.Clone(all), func(entry hosting.LogEntry) bool { return !keep(entry) })
	}
	atLeast := func(level string) func(hosting.LogEntry) bool {
		rank := slices.Index(hosting.LogLevels(), level)
		return func(entry hosting.LogEntry) bool { return slices.Index(hosting.LogLevels(), entry.Level) >= rank }
	}
	for _, level := range []string{"", "info", "warn", "error"} {
		if !slices.ContainsFunc(all, func(entry hosting.LogEntry) bool { return entry.Level == level }) {
			t.Errorf("GetLogs(%s): no entry of level %q, want one among the first ten: %s", id, level, logText(all))
		}
	}
	for _, level := range hosting.LogLevels() {
		e.wantLogs(t, id, hosting.LogQueryOptions{EndTime: end, Level: level}, selected(atLeast(level)))
	}

	middle := all[len(all)/2].Timestamp
	since := func(entry hosting.LogEntry) bool { return !entry.Timestamp.Before(middle) }
	until := func(entry hosting.LogEntry) bool { return entry.Timestamp.Before(middle) }
	e.wantLogs(t, id, hosting.LogQueryOptions{StartTime: middle, EndTime: end}, selected(since))
	e.wantLogs(t, id, hosting.LogQueryOptions{EndTime: middle}, selected(until))
	e.wantLogs(t, id, hosting.LogQueryOptions{StartTime: middle, EndTime: middle}, nil)

	const pattern = `line [2468]\b`
	matches := func(entry hosting.LogEntry) bool { n := lineNumber(entry); return n <= 9 && n%2 == 0 }
	e.wantLogs(t, id, hosting.LogQueryOptions{EndTime: end, Pattern: pattern}, selected(matches))
	e.wantLogs(t, id, hosting.LogQueryOptions{EndTime: end, Pattern: "no line is like this"}, nil)
	// The limit counts what is selected, not what is looked at.
	two := selected(matches)
	e.wantLogs(t, id, hosting.LogQueryOptions{EndTime: end, Pattern: pattern, Limit: 2}, two[max(0, len(two)-2):])
	e.wantLogs(t, id, hosting.LogQueryOptions{StartTime: all[0].Timestamp, EndTime: end, Pattern: pattern, Level: "info"},
		selected(func(entry hosting.LogEntry) bool { return matches(entry) && atLeast("info")(entry) }))
}

// logsEmpty uses an image that cannot be pulled, so that nothing ever runs.
func logsEmpty(t *testing.T, e *env) {
	id := e.create(t, e.config(MissingImage)).ID
	entries, err := retried(e, func() ([]hosting.LogEntry, error) { return e.p.GetLogs(e.ctx, id, hosting.LogQueryOptions{}) })
	if err != nil || len(entries) != 0 {
		t.Errorf("GetLogs(%s) before anything ran: got %d entries and error %v, want none: %s", id, len(entries), err, logText(entries))
	}
}
