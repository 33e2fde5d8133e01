package conformance

import (
	"context"
	"fmt"
	"testing"
	"time"

	"skillcenter.io/hosting"
)

func streamCases() []testCase {
	return []testCase{
		once("a stream begins with what get logs shows and goes on with new lines", streamFollows, hosting.CanStreamLogs).waiting(),
		once("a stream ends silently when its context is cancelled", streamEnds, hosting.CanStreamLogs).waiting(),
		once("a stream resumes behind a cursor", streamResumes, hosting.CanStreamLogs).waiting(),
		once("a stream selects by level and pattern", streamSelects, hosting.CanStreamLogs).waiting(),
		once("a stream of what does not exist ends with one error", streamFails, hosting.CanStreamLogs),
		once("a cursor that is none is refused", cursorBad, hosting.CanLogs),
	}
}

// endLimit is how long a stream may take to end after it was cancelled.
const endLimit = 10 * time.Second

// follow ranges over a stream until it has enough lines, then cancels it and
// waits for its end. Gaps are no lines: it checks them and leaves them out.
func (e *env) follow(t *testing.T, id string, options hosting.LogQueryOptions, enough func([]hosting.LogEntry) bool) []hosting.LogEntry {
	t.Helper()
	ctx, cancel := context.WithTimeout(e.ctx, e.Timeout)
	defer cancel()
	options.Follow = true
	var entries []hosting.LogEntry
	var end time.Time
	var failed error
	for entry, err := range hosting.StreamLogs(ctx, e.p, id, options) {
		if failed != nil {
			t.Errorf("StreamLogs(%s): it goes on after its error, %v", id, failed)
			break
		}
		if failed = err; err != nil {
			t.Errorf("StreamLogs(%s): %v", id, err)
			continue
		}
		if entry.Gap() != "" {
			wantGap(t, id, entry)
			continue
		}
		if ctx.Err() == nil {
			entries = append(entries, entry)
			if !enough(entries) {
				continue
			}
			cancel()
		}
		if end.IsZero() {
			end = time.Now().Add(endLimit)
		} else if time.Now().After(end) {
			t.Errorf("StreamLogs(%s): it goes on %v after its context was cancelled", id, endLimit)
			break
		}
	}
	if failed == nil && !enough(entries) {
		t.Fatalf("StreamLogs(%s, %s): it ended, or %v passed, with %d entries: %s", id, toJSON(options), e.Timeout, len(entries), logText(entries))
	}
	return entries
}

// wantGap checks an entry that stands for lines that may be missing.
func wantGap(t *testing.T, id string, entry hosting.LogEntry) {
	t.Helper()
	if entry.Source == "" || entry.Message == "" || entry.Timestamp.IsZero() {
		t.Errorf("StreamLogs(%s): gap %s; want a source, a time and a message that says what is missing", id, toJSON(entry))
	}
}

func atLeast(n int) func([]hosting.LogEntry) bool {
	return func(entries []hosting.LogEntry) bool { return len(entries) >= n }
}

func streamFollows(t *testing.T, e *env) {
	id := e.logging(t).ID
	before := e.awaitLogs(t, id, 10)
	got := e.follow(t, id, hosting.LogQueryOptions{}, atLeast(len(before)+5))
	wantConsecutive(t, "StreamLogs", id, got, 1)
	if len(got) >= len(before) && logText(got[:len(before)]) != logText(before) {
		t.Errorf("StreamLogs(%s): it begins with %s\nwhere GetLogs shows %s", id, logText(got[:len(before)]), logText(before))
	}
	e.wantPrefix(t, id, got)
}

// wantPrefix checks that GetLogs shows what a stream yielded.
func (e *env) wantPrefix(t *testing.T, id string, streamed []hosting.LogEntry) {
	t.Helper()
	after := read(t, e, "GetLogs", id, func() ([]hosting.LogEntry, error) {
		return e.p.GetLogs(e.ctx, id, hosting.LogQueryOptions{})
	})
	if len(after) < len(streamed) || logText(after[:len(streamed)]) != logText(streamed) {
		t.Errorf("StreamLogs(%s): it yielded %s\nwhere GetLogs shows %s", id, logText(streamed), logText(after))
	}
}

func streamEnds(t *testing.T, e *env) {
	id := e.logging(t).ID
	start := time.Now()
	e.follow(t, id, hosting.LogQueryOptions{}, atLeast(1))
	e.follow(t, id, hosting.LogQueryOptions{}, atLeast(1)) // one that is broken off leaves the next unharmed
	for range hosting.StreamLogs(e.ctx, e.p, id, hosting.LogQueryOptions{Follow: true}) {
		break // the consumer may also just leave
	}
	if took := time.Since(start); took > e.Timeout {
		t.Errorf("StreamLogs(%s): three streams took %v to begin and end", id, took)
	}
}

func streamResumes(t *testing.T, e *env) {
	id := e.logging(t).ID
	e.awaitLogs(t, id, 10)
	first := e.follow(t, id, hosting.LogQueryOptions{}, atLeast(5))
	if len(first) < 5 {
		return
	}
	last := first[len(first)-1]
	if last.Cursor == "" {
		e.wantNoCursors(t, id, first)
		return
	}
	second := e.follow(t, id, hosting.LogQueryOptions{After: last.Cursor}, atLeast(8))
	wantConsecutive(t, "StreamLogs after a cursor", id, append(first, second...), 1)

	got := read(t, e, "GetLogs after a cursor", id, func() ([]hosting.LogEntry, error) {
		return e.p.GetLogs(e.ctx, id, hosting.LogQueryOptions{After: first[1].Cursor, Limit: hosting.MaxLogLimit})
	})
	if len(got) < 3 || logText(got[:3]) != logText(first[2:5]) {
		t.Errorf("GetLogs(%s) after the cursor of the second line: got %s\nwant it to begin with %s", id, logText(got), logText(first[2:5]))
	}
}

// wantNoCursors checks a provider that cannot resume: it offers no cursor and
// takes none.
func (e *env) wantNoCursors(t *testing.T, id string, entries []hosting.LogEntry) {
	t.Helper()
	for _, entry := range append(e.awaitLogs(t, id, 1), entries...) {
		if entry.Cursor != "" {
			t.Errorf("the logs of %s have entries with a cursor and without: %s", id, toJSON(entry))
			break
		}
	}
	options := hosting.LogQueryOptions{After: "cursor"}
	_, err := e.p.GetLogs(e.ctx, id, options)
	e.wantIDError(t, fmt.Sprintf("GetLogs(%s) after a cursor, which no entry has", id), id, err, hosting.LogsFailed, hosting.InvalidArgument, "after")
	for _, err := range hosting.StreamLogs(e.ctx, e.p, id, options) {
		e.wantIDError(t, fmt.Sprintf("StreamLogs(%s) after a cursor, which no entry has", id), id, err, hosting.LogsFailed, hosting.InvalidArgument, "after")
		return
	}
	t.Errorf("StreamLogs(%s) after a cursor, which no entry has, ended without an error", id)
}

// cursorBad takes what no provider gives out.
func cursorBad(t *testing.T, e *env) {
	id := e.create(t, e.config(Serve)).ID
	options := hosting.LogQueryOptions{After: "no cursor!"}
	_, err := e.p.GetLogs(e.ctx, id, options)
	e.wantIDError(t, fmt.Sprintf("GetLogs(%s) after a cursor that is none", id), id, err, hosting.LogsFailed, hosting.InvalidArgument, "after")
	if !e.has(t, hosting.CanStreamLogs) {
		return
	}
	yields := 0
	for entry, err := range hosting.StreamLogs(e.ctx, e.p, id, options) {
		if yields++; yields > 1 {
			t.Errorf("StreamLogs(%s) after a cursor that is none goes on: %s, %v", id, toJSON(entry), err)
			break
		}
		e.wantIDError(t, fmt.Sprintf("StreamLogs(%s) after a cursor that is none", id), id, err, hosting.LogsFailed, hosting.InvalidArgument, "after")
	}
	if yields == 0 {
		t.Errorf("StreamLogs(%s) after a cursor that is none ended without an error", id)
	}
}

func streamSelects(t *testing.T, e *env) {
	id := e.logging(t).ID
	entries := e.follow(t, id, hosting.LogQueryOptions{Pattern: `line [0-9]*[13579]\b`}, atLeast(6))
	for _, entry := range entries {
		if lineNumber(entry)%2 != 1 {
			t.Errorf("StreamLogs(%s) of odd lines yielded %q", id, entry.Message)
		}
	}
	for _, entry := range e.follow(t, id, hosting.LogQueryOptions{Level: "warn"}, atLeast(1)) {
		if entry.Level != "warn" && entry.Level != "error" && entry.Level != "fatal" {
			t.Errorf("StreamLogs(%s) of level warn yielded level %q: %q", id, entry.Level, entry.Message)
		}
	}
}

func streamFails(t *testing.T, e *env) {
	id := hosting.ID{Region: e.Region, Type: e.typ, Name: e.name()}.String()
	yields := 0
	for entry, err := range hosting.StreamLogs(e.ctx, e.p, id, hosting.LogQueryOptions{Follow: true}) {
		if yields++; yields > 1 {
			t.Errorf("StreamLogs(%s) of an unknown instance goes on after its error: %s, %v", id, toJSON(entry), err)
			break
		}
		e.wantIDError(t, fmt.Sprintf("StreamLogs(%s) of an unknown instance", id), id, err, hosting.InstanceNotFound, hosting.NotFound)
	}
	if yields == 0 {
		t.Errorf("StreamLogs(%s) of an unknown instance ended without an error", id)
	}
}
