package client

import (
	"context"
	"errors"
	"iter"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// resumeWithin is for how long a log stream that was cut is tried to be resumed,
// counted from when something has come last.
const resumeWithin = 2 * time.Minute

// StreamLogs follows the logs of an instance, see [hosting.LogStreamer]. It works
// in the goroutine that ranges over it; leaving the loop closes the connection.
//
// If the connection breaks, the stream goes on behind the last entry, without
// losing or repeating one, for as long as the provider has what was printed
// meanwhile. Before the first entry there is no such place: then a Limit holds for
// what there was when the stream began, by the server's clock, and everything since
// then comes too. It ends with an Unavailable error if that is not possible for two
// minutes, or at once if the provider's entries have no cursor.
func (c *Client) StreamLogs(ctx context.Context, instanceID string, options hosting.LogQueryOptions) iter.Seq2[hosting.LogEntry, error] {
	return func(yield func(hosting.LogEntry, error) bool) {
		f := &follower{client: c, instanceID: instanceID, options: options}
		err := f.run(ctx, func(entry hosting.LogEntry) bool { return yield(entry, nil) })
		if err != nil && !errors.Is(err, errLeft) && ctx.Err() == nil {
			yield(hosting.LogEntry{}, err)
		}
	}
}

// errLeft tells that the consumer has left the loop.
var errLeft = errors.New("the consumer has left")

// follower is one stream of logs, over as many connections as it takes.
type follower struct {
	client     *Client
	instanceID string
	options    hosting.LogQueryOptions

	begun bool      // something was yielded
	last  string    // the id of that; "" if it has none
	until time.Time // when it gives up, unless something comes

	since hosting.Time // when it began, by the server's clock
}

// run yields entries until the stream ends. It returns nil if the server says
// that there is no more.
func (f *follower) run(ctx context.Context, yield func(hosting.LogEntry) bool) error {
	r := f.request()
	for cuts := 0; ; cuts++ {
		s, err := f.client.open(ctx, r)
		if err != nil {
			return err
		}
		if f.until.IsZero() {
			f.until, f.since = time.Now().Add(resumeWithin), s.date
		}
		began := time.Now()
		entries, err := f.read(ctx, s, yield)
		if err == nil || !isCut(err) {
			return err
		}
		if s.heard {
			f.until = time.Now().Add(resumeWithin)
		}
		if entries || time.Since(began) >= maxPause { // not by a comment, or a server that fails at once would be asked without a pause
			cuts = 0
		}
		if why := f.unresumable(); why != "" {
			return f.client.errorf(r, hosting.Unavailable, "the log stream was cut, and %s: %w", why, err)
		}
		if !pause(ctx, backoff(cuts)) {
			return ctx.Err()
		}
		if err := f.catchUp(ctx, yield); err != nil {
			return err
		}
		r = f.request()
		r.until = f.until
	}
}

// unresumable returns why a stream that was cut is not resumed, "" if it is.
func (f *follower) unresumable() string {
	switch {
	case f.client.retries == 0:
		return "is not to be resumed"
	case f.begun && f.last == "":
		return "cannot be resumed because its entries have no cursor"
	case !time.Now().Before(f.until):
		return "could not be resumed"
	}
	return ""
}

// request is the call for what comes next.
func (f *follower) request() request {
	options := f.options
	if f.begun {
		// The limit was for the beginning. Without following there is one all the
		// same, and it keeps the newest.
		options.After, options.Limit = "", 0
		if !options.Follow {
			options.Limit = hosting.MaxLogLimit
		}
	}
	r := logs(f.instanceID, options)
	if f.options.Follow {
		r = r.with("follow", "true")
	}
	if f.begun {
		r.header = map[string]string{wire.LastEventID: f.last}
	}
	return r
}

// catchUp is for a stream that broke before its first entry. It yields what was
// there when it had begun, and lets it go on with what came since then, however
// much that is: the limit was for the beginning.
func (f *follower) catchUp(ctx context.Context, yield func(hosting.LogEntry) bool) error {
	if f.begun || f.since.IsZero() || !f.options.Follow {
		return nil
	}
	before := f.options
	before.Follow = false
	if before.EndTime.IsZero() || f.since.Before(before.EndTime) {
		before.EndTime = f.since
	}
	if before.StartTime.Before(before.EndTime) {
		r := logs(f.instanceID, before)
		r.until = f.until
		entries, err := plain[hosting.LogEntry](ctx, f.client, r)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			f.begun, f.last = true, ""
			if entry.Cursor != "" {
				f.last = wire.EventID(entry.Cursor)
			}
			if !yield(entry) {
				return errLeft
			}
		}
	}
	if f.options.StartTime.Before(f.since) {
		f.options.StartTime = f.since
	}
	f.options.Limit, f.since = hosting.MaxLogLimit, hosting.Time{}
	return nil
}

// cut is the error of a connection that broke.
type cut struct{ error }

func isCut(err error) bool {
	_, is := err.(cut)
	return is
}

// read yields what comes over one connection, and closes that: also if the
// consumer panics or ends its goroutine. It tells whether there were entries.
func (f *follower) read(ctx context.Context, s *stream, yield func(hosting.LogEntry) bool) (entries bool, err error) {
	defer s.close()
	for {
		e, done, err := s.receive(wire.EventLog)
		switch {
		case ctx.Err() != nil:
			return entries, ctx.Err()
		case done:
			return entries, err
		case errors.Is(err, errTooLarge):
			return entries, f.client.errorf(s.of, hosting.Internal, "%w", err)
		case err != nil:
			return entries, cut{err}
		}
		var entry hosting.LogEntry
		if err := s.decode(e, &entry); err != nil {
			return entries, err
		}
		entries, f.begun, f.last = true, true, ""
		if isHeaderText(e.id) {
			f.last = e.id
		}
		if !yield(entry) {
			return entries, errLeft
		}
	}
}
