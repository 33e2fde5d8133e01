package httpapi

import (
	"context"
	"errors"
	"iter"
	"strings"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// getLogs answers with a list, or with events for those who follow or accept
// nothing else.
func (q *request) getLogs() (Access, do) {
	id, access := q.id()
	options := hosting.LogQueryOptions{
		Limit: q.number("limit", 1, hosting.MaxLogLimit, 0), StartTime: q.time("startTime"), EndTime: q.time("endTime"),
		Level: q.param("level"), Pattern: q.param("pattern"), Follow: q.flag("follow"), After: q.param("after"),
	}
	streams := options.Follow || q.acceptsEvents()
	if streams {
		q.willStream()
		q.resume(&options)
	}
	if err := options.Validate(); err != nil {
		q.mistake("%w", err)
	}
	switch {
	case options.Follow:
		return access, func(ctx context.Context) (*reply, error) { return q.followLogs(ctx, id, options) }
	case streams:
		return access, func(ctx context.Context) (*reply, error) {
			entries, err := q.api.provider.GetLogs(ctx, id, options)
			if err != nil {
				return nil, err
			}
			return &reply{stream: func(_ context.Context, e *events) error { return sendLogs(e, withoutErrors(entries)) }}, nil
		}
	}
	return access, func(ctx context.Context) (*reply, error) {
		return plain(q.api.provider.GetLogs(ctx, id, options))
	}
}

// acceptsEvents tells whether the client wants events rather than a list.
func (q *request) acceptsEvents() bool {
	accepted := strings.ToLower(strings.Join(q.r.Header.Values("Accept"), ","))
	return strings.Contains(accepted, wire.EventStream) && !strings.Contains(accepted, wire.JSON)
}

// resume begins behind the event that the client has seen last, whatever the
// query says: it is still that of the first time, with a limit that was for the
// beginning and would now leave lines out.
func (q *request) resume(options *hosting.LogQueryOptions) {
	ids := q.r.Header.Values(wire.LastEventID)
	if len(ids) == 0 || len(ids) == 1 && ids[0] == "" {
		return
	}
	if len(ids) > 1 {
		q.mistake("header %s: it is given %d times: allowed: once", wire.LastEventID, len(ids))
		return
	}
	cursor, err := wire.CursorOf(ids[0])
	if err != nil {
		q.mistake("header %s: %w", wire.LastEventID, err)
	}
	options.After = cursor
	if options.Follow {
		options.Limit = 0
	}
}

// followLogs answers with the log as it comes.
func (q *request) followLogs(ctx context.Context, id string, options hosting.LogQueryOptions) (*reply, error) {
	// A provider may take its time until it says that there is no such
	// instance, and by then the answer has begun.
	if _, err := q.api.provider.GetInstance(ctx, id); errors.Is(err, hosting.NotFound) {
		return nil, err
	}
	return &reply{stream: func(ctx context.Context, e *events) error {
		return sendLogs(e, hosting.StreamLogs(ctx, q.api.provider, id, options))
	}}, nil
}

func sendLogs(e *events, entries iter.Seq2[hosting.LogEntry, error]) error {
	for entry, err := range entries {
		if err != nil {
			return err
		}
		if err := e.send(wire.EventLog, entry.Cursor, entry); err != nil {
			return err
		}
	}
	return nil
}

func withoutErrors[T any](items []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}
