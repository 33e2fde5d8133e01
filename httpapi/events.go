package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

const (
	// firstWithin is how long a stream that has nothing to send waits until it
	// sends its headers: a provider that fails at once still gets a status.
	firstWithin = 500 * time.Millisecond
	// lastWithin is how long a reader has to take what is being sent to it when
	// its stream is cut.
	lastWithin = time.Second
	// pieceSize is how much a reader has to take within the write timeout.
	pieceSize = 16 << 10
)

// heartbeat is a comment.
const heartbeat = ":\n\n"

// errCut tells a stream's source that nothing more is sent.
var errCut = errors.New("the stream was cut")

// events is a stream of server-sent events. Its source is held up until the
// reader has taken what was sent, so that nothing is kept for a slow one.
//
// It has no goroutine. Those of its two timers only run to send a heartbeat and
// to cut it, and do nothing any more once it is closed.
type events struct {
	q       *request
	control *http.ResponseController
	quit    context.CancelFunc // ends the context of the source
	uncut   func() bool        // stops the waiting for its end

	writing sync.Mutex // held while something is sent; guards what follows
	silence *time.Timer
	opened  bool // the headers are sent
	failed  bool // so is not what came then
	closed  bool

	pace sync.Mutex // guards the deadline for writing, and what follows
	cut  bool       // the context has ended
	over bool       // there are no deadlines to set
}

// newEvents begins a stream: from now on only it writes, until it is closed.
// It ends with ctx.
func (q *request) newEvents(ctx context.Context, quit context.CancelFunc) *events {
	e := &events{q: q, control: http.NewResponseController(q.w), quit: quit}
	// The server's own timeouts are for answers that end.
	if err := errors.Join(e.control.SetReadDeadline(time.Time{}), e.control.SetWriteDeadline(time.Time{})); err != nil {
		q.api.logger.WarnContext(ctx, "hosting: the server's timeouts hold for a stream too: a middleware hides how to change them",
			"requestId", q.requestID, "error", err)
	}
	e.silence = time.AfterFunc(math.MaxInt64, e.beat) // not before it is stored
	e.silence.Reset(min(firstWithin, q.api.heartbeat))
	e.uncut = context.AfterFunc(ctx, e.hurry)
	return e
}

// send sends an event. With a cursor, the client can go on behind it. The error
// says that the data is no JSON, or that nothing is sent any more.
func (e *events) send(event, cursor string, data any) error {
	encoded, err := json.Marshal(data)
	if err != nil {
		return hosting.Errorf(e.q.api.provider.ProviderName(), e.q.route.code, hosting.Internal, "what the provider returned is no JSON: %w", err)
	}
	text := make([]byte, 0, len(encoded)+len(event)+len(cursor)+64)
	if cursor != "" {
		text = append(append(append(text, "id: "...), wire.EventID(cursor)...), '\n')
	}
	text = append(append(append(text, "event: "...), event...), '\n')
	text = append(append(append(text, "data: "...), encoded...), "\n\n"...) // JSON has no line breaks
	e.writing.Lock()
	defer e.writing.Unlock()
	return e.put(text)
}

// beat tells a reader who has not heard anything for a while that the stream
// lives. At first, it sends the headers with it.
func (e *events) beat() {
	if !e.writing.TryLock() {
		return // it is being heard of
	}
	defer e.writing.Unlock()
	_ = e.put([]byte(heartbeat))
}

// put sends a text at once. One that cannot be sent ends the stream.
func (e *events) put(text []byte) error {
	if e.closed || e.failed {
		return errCut
	}
	if err := e.write(text); err != nil {
		e.failed = true
		e.quit()
		e.q.api.logger.DebugContext(e.q.r.Context(), "hosting: a stream was cut", "action", e.q.route.action, "requestId", e.q.requestID, "error", err)
		return errCut
	}
	e.silence.Reset(e.q.api.heartbeat)
	return nil
}

func (e *events) write(text []byte) error {
	defer e.rest()
	for piece := range slices.Chunk(text, pieceSize) {
		if err := e.allow(); err != nil {
			return err
		}
		if !e.opened {
			e.opened, e.q.started = true, true
			streamHeader(e.q.w.Header())
			e.q.w.WriteHeader(http.StatusOK)
		}
		if _, err := e.q.w.Write(piece); err != nil {
			return err
		}
	}
	return e.control.Flush()
}

func streamHeader(header http.Header) {
	header.Set("Content-Type", wire.EventStream)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would keep events back
}

// allow gives the reader the time that it has to take a piece.
func (e *events) allow() error {
	e.pace.Lock()
	defer e.pace.Unlock()
	if e.cut {
		return errCut
	}
	_ = e.control.SetWriteDeadline(time.Now().Add(e.q.api.writeWithin)) // newEvents has told of the error
	return nil
}

// rest lifts the deadline: over HTTP/2 one that passes ends the stream, even if
// nothing is being written.
func (e *events) rest() {
	e.pace.Lock()
	defer e.pace.Unlock()
	if !e.cut {
		_ = e.control.SetWriteDeadline(time.Time{})
	}
}

// hurry ends a write that waits for the reader, now that the context has ended.
func (e *events) hurry() {
	e.pace.Lock()
	defer e.pace.Unlock()
	if !e.over {
		e.cut = true
		_ = e.control.SetWriteDeadline(time.Now().Add(lastWithin))
	}
}

// abandon closes a stream of which nothing has been sent, so that something else
// can be. It returns false if it is too late for that.
func (e *events) abandon() bool {
	e.writing.Lock()
	opened := e.opened
	e.closed = e.closed || !opened
	e.writing.Unlock()
	if !opened {
		e.close()
	}
	return !opened
}

// close waits for what is being sent; from then on others may write. It may be
// called again.
func (e *events) close() {
	e.writing.Lock()
	e.closed = true
	e.silence.Stop()
	e.writing.Unlock()

	e.uncut()
	e.pace.Lock()
	defer e.pace.Unlock()
	if e.over {
		return
	}
	e.over = true
	within := e.q.api.writeWithin
	if e.cut {
		within = lastWithin
	}
	_ = e.control.SetWriteDeadline(time.Now().Add(within)) // for the end of the answer, which the server writes
}
