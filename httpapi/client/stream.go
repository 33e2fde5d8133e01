package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// stream is a stream of events that is open. It belongs to one goroutine.
type stream struct {
	*eventReader
	client *Client
	of     request
	body   io.Closer
	cancel context.CancelFunc
	date   hosting.Time // when it began, by the server's clock; zero if it did not say
}

// errCut tells that a connection has ended before the stream did.
var errCut = errors.New("the connection has ended in the middle of the stream")

// errSilent tells that nothing has come for too long.
var errSilent = errors.New("the server is silent: not even a heartbeat has come")

// open opens a stream, as often as a call is made.
func (c *Client) open(ctx context.Context, r request) (s *stream, err error) {
	err = c.repeat(ctx, r, func([]byte) *failure {
		var failed *failure
		s, failed = c.tryOpen(ctx, r)
		return failed
	})
	return s, err
}

func (c *Client) tryOpen(ctx context.Context, r request) (*stream, *failure) {
	header := map[string]string{"Accept-Encoding": "identity"} // who compresses a stream holds its events back
	maps.Copy(header, r.header)
	r.header = header
	ctx, cancel := context.WithCancelCause(ctx)
	leave := func() { cancel(nil) }
	watchdog := time.AfterFunc(c.streamTimeout, func() { cancel(errSilent) })
	response, failed := c.roundTrip(ctx, c.streams, r, nil, wire.EventStream)
	if failed == nil && (response.StatusCode != http.StatusOK || !isType(response, wire.EventStream)) {
		failed = c.refused(r, response)
		_ = response.Body.Close()
	}
	watchdog.Stop()
	if failed != nil {
		if errors.Is(context.Cause(ctx), errSilent) {
			failed = c.lost(r, errSilent)
		}
		leave()
		return nil, failed
	}
	guarded := &guarded{in: response.Body, timeout: c.streamTimeout, watchdog: watchdog, ctx: ctx}
	date, _ := http.ParseTime(response.Header.Get("Date"))
	return &stream{eventReader: newEventReader(guarded), client: c, of: r, body: response.Body, cancel: leave, date: hosting.NewTime(date)}, nil
}

// close ends the stream and its connection at once.
func (s *stream) close() {
	s.cancel()
	_ = s.body.Close()
}

// receive returns the data of the next event that tells something. done is true
// at the end, which the server has told: with its error, if there is one. It
// leaves out what it does not know. An error of another kind is that of reading.
func (s *stream) receive(known ...string) (e event, done bool, err error) {
	for {
		e, err := s.next()
		switch {
		case errors.Is(err, io.EOF):
			return event{}, false, errCut
		case err != nil:
			return event{}, false, err
		}
		switch e.name {
		case wire.EventEnd:
			return event{}, true, nil
		case wire.EventError:
			var p wire.Problem
			if err := json.Unmarshal(e.data, &p); err != nil || p.Reason == "" {
				return event{}, true, s.client.errorf(s.of, hosting.Internal, "the stream of the server ends with an error that cannot be read")
			}
			return event{}, true, s.client.problem(s.of, p)
		}
		for _, name := range known {
			if e.name == name {
				return e, false, nil
			}
		}
	}
}

// decode reads the data of an event.
func (s *stream) decode(e event, value any) error {
	if err := json.Unmarshal(e.data, value); err != nil {
		return s.client.errorf(s.of, hosting.Internal, "an event of the stream of the server cannot be read: %w", err)
	}
	return nil
}

// guarded reads from a connection, which counts as broken if nothing comes for too
// long. It does not count how long its reader takes between two reads.
type guarded struct {
	in       io.Reader
	timeout  time.Duration
	watchdog *time.Timer // ends ctx
	ctx      context.Context
}

func (g *guarded) Read(p []byte) (int, error) {
	g.watchdog.Reset(g.timeout)
	n, err := g.in.Read(p)
	g.watchdog.Stop()
	if err != nil && errors.Is(context.Cause(g.ctx), errSilent) {
		err = errSilent
	}
	return n, err
}
