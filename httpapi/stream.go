package httpapi

import (
	"context"
	"net/http"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// willStream notes what keeps the request from being answered with events.
func (q *request) willStream() {
	if q.r.ContentLength != 0 { // what is left unread would keep the server waiting for it
		q.mistake("the request has a body: allowed: none, for a stream")
	}
	if !flushes(q.w) {
		q.invalidate(&refusal{status: http.StatusInternalServerError, reason: hosting.Internal,
			message: "this server cannot stream: a middleware of the host wraps the http.ResponseWriter in one that has neither a Flush nor an Unwrap method"})
	}
}

// flushes tells whether a ResponseController can flush w.
func flushes(w http.ResponseWriter) bool {
	for {
		switch t := w.(type) {
		case http.Flusher, interface{ FlushError() error }:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
}

// stream answers with the events that run sends, and then one that says how it
// ended. A run whose context has ended was cut off: it gets no such event, so
// that the client knows to come back.
//
// As long as nothing has been sent, a failure is answered with its own status.
func (q *request) stream(ctx context.Context, run func(ctx context.Context, events *events) error) {
	if q.r.Method == http.MethodHead {
		q.started = true
		streamHeader(q.w.Header())
		q.w.WriteHeader(http.StatusOK)
		return
	}
	release, free := q.api.take(q.api.streams)
	if !free {
		q.refuse(noRoom("streams"))
		return
	}
	defer release()
	q.release()

	ctx, quit := context.WithCancel(ctx)
	defer quit()
	defer context.AfterFunc(q.api.ending, quit)()
	e := q.newEvents(ctx, quit)
	defer e.close()
	err := run(ctx, e)
	cut := ctx.Err() != nil
	if err == nil && !cut {
		if e.send(wire.EventEnd, "", struct{}{}) == nil {
			return
		}
		cut = true
	}
	if cut {
		err = &refusal{status: http.StatusServiceUnavailable, reason: hosting.Unavailable, message: "the stream was ended before it began"}
	}
	if e.abandon() {
		q.fail(err)
		return
	}
	if !cut {
		problem := q.problem(err)
		q.logFailure(problem.Status, err)
		_ = e.send(wire.EventError, "", problem)
	}
}
