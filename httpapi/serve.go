package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// reply is what a call that succeeded answers.
type reply struct {
	status int
	header http.Header
	body   any // nil for none; written as JSON unless it is a document, which is written as it is
	// stream, if not nil, sends events until it has no more or ctx ends.
	stream func(ctx context.Context, events *events) error
}

func ok(body any) *reply { return &reply{status: http.StatusOK, body: body} }

// with adds a header.
func (p *reply) with(name, value string) *reply {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
	return p
}

// serve answers a request of a route: it reads it, asks whether it is allowed,
// makes the call and writes what that returned.
func (a *API) serve(w http.ResponseWriter, r *http.Request, route route) {
	q := &request{api: a, w: w, r: r, route: route, requestID: requestIDOf(r)}
	w.Header().Set(wire.RequestID, q.requestID)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store") // handlers that know better set their own
	leave, open := a.enter()
	if !open {
		q.refuse(&refusal{status: http.StatusServiceUnavailable, reason: hosting.Unavailable, message: "the server is shutting down"})
		return
	}
	defer leave()
	defer q.recovered()
	access, call := route.prepare(q)
	access.Action, access.Changes = route.action, route.changes
	q.checkQuery()
	q.checkBody()
	ctx := r.Context()
	if !route.public {
		allowed, denied := q.allowed(access)
		if denied != nil {
			q.refuse(denied)
			return
		}
		ctx = allowed
	}
	if q.invalid != nil {
		q.fail(q.invalid)
		return
	}
	// Not before: whoever may not call, or sends slowly, keeps nobody out.
	if !route.public {
		release, free := a.take(a.requests)
		if !free {
			q.refuse(noRoom("requests"))
			return
		}
		q.release = sync.OnceFunc(release)
		defer q.release()
	}
	ctx = context.WithValue(ctx, requestIDKey{}, q.requestID)
	answer, err := call(ctx)
	if err != nil {
		q.fail(err)
		return
	}
	q.answer(ctx, answer)
}

// answer writes a reply.
func (q *request) answer(ctx context.Context, p *reply) {
	for name, values := range p.header {
		q.w.Header()[name] = values
	}
	if p.stream != nil {
		q.stream(ctx, p.stream)
		return
	}
	if p.body == nil {
		q.started = true
		q.w.WriteHeader(p.status)
		return
	}
	if text, is := p.body.(document); is {
		q.write(p.status, text.mediaType, text.data)
		return
	}
	data, err := q.marshal(p.body)
	if err != nil {
		q.fail(err)
		return
	}
	q.write(p.status, wire.JSON, data)
}

// marshal returns the JSON of what a provider returned.
func (q *request) marshal(value any) ([]byte, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, hosting.Errorf(q.api.provider.ProviderName(), q.route.code, hosting.Internal, "what the provider returned is no JSON: %w", err)
	}
	return data, nil
}

func (q *request) write(status int, contentType string, data []byte) {
	q.started = true
	q.w.Header().Set("Content-Type", contentType)
	q.w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	q.w.WriteHeader(status)
	if _, err := q.w.Write(data); err != nil {
		q.api.logger.DebugContext(q.r.Context(), "hosting: the client is gone", "requestId", q.requestID, "error", err)
	}
}

// take takes a place, if there is one.
func (a *API) take(places chan struct{}) (release func(), free bool) {
	select {
	case places <- struct{}{}:
		return func() { <-places }, true
	default:
		return nil, false
	}
}

// noRoom is the refusal of what there are too many of.
func noRoom(what string) *refusal {
	return &refusal{status: http.StatusTooManyRequests, reason: hosting.RateLimited, message: fmt.Sprintf("the server has no room for more %s now", what)}
}

// recovered answers 500 for a call that panicked, and logs where.
func (q *request) recovered() {
	switch p := recover(); p {
	case nil:
	case http.ErrAbortHandler:
		panic(p)
	default:
		q.api.logger.ErrorContext(q.r.Context(), "hosting: a request panicked", "action", q.route.action, "requestId", q.requestID,
			"panic", p, "stack", string(debug.Stack()))
		if q.started {
			panic(http.ErrAbortHandler) // cuts the answer off, so that nobody takes it for a whole one
		}
		q.fail(hosting.Errorf(q.api.provider.ProviderName(), q.route.code, hosting.Internal, "the server failed on this request"))
	}
}
