package httpapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// Error makes a refusal something that a request can be invalid for.
func (f *refusal) Error() string { return f.message }

// statusOf is the HTTP status of a reason. 401 and 403 are not among them: they
// are about who calls this server, and a provider whose own credentials are not
// accepted is a bad gateway.
func statusOf(reason hosting.Reason) int {
	switch reason {
	case hosting.InvalidArgument:
		return http.StatusBadRequest
	case hosting.NotFound:
		return http.StatusNotFound
	case hosting.AlreadyExists, hosting.Conflict:
		return http.StatusConflict
	case hosting.QuotaExceeded:
		return http.StatusUnprocessableEntity
	case hosting.RateLimited:
		return http.StatusTooManyRequests
	case hosting.Unsupported:
		return http.StatusNotImplemented
	case hosting.Unavailable, hosting.Canceled:
		return http.StatusServiceUnavailable
	case hosting.DeadlineExceeded:
		return http.StatusGatewayTimeout
	case hosting.Unauthenticated, hosting.PermissionDenied:
		return http.StatusBadGateway
	}
	return http.StatusInternalServerError
}

// problem is an error as it is sent.
func (q *request) problem(err error) wire.Problem {
	if f, ok := errors.AsType[*refusal](err); ok {
		return wire.Problem{Type: "about:blank", Title: http.StatusText(f.status), Status: f.status, Detail: f.message,
			Provider: q.api.provider.ProviderName(), ErrorCode: q.route.code, ErrorMessage: f.message, Reason: f.reason, RequestID: q.requestID}
	}
	failed, isError := errors.AsType[*hosting.Error](err)
	if !isError {
		failed = hosting.Errorf(q.api.provider.ProviderName(), q.route.code, hosting.ReasonOf(err), "%w", err)
	}
	reason := cmp.Or(failed.Reason, hosting.Internal)
	status := statusOf(reason)
	p := wire.Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: failed.Message,
		Provider: cmp.Or(failed.Provider, q.api.provider.ProviderName()), ErrorCode: cmp.Or(failed.Code, q.route.code), ErrorMessage: failed.Message, Reason: reason,
		InstanceID: failed.InstanceID, RetryAfter: hosting.Duration(max(0, failed.RetryAfter)), RequestID: q.requestID,
	}
	if failed.Cleanup != nil {
		p.Cleanup = failed.Cleanup.Error()
	}
	var fields hosting.FieldErrors
	var field hosting.FieldError
	if errors.As(err, &fields) {
		for _, f := range fields {
			p.Fields = append(p.Fields, fieldOf(f))
		}
	} else if errors.As(err, &field) {
		p.Fields = []wire.Field{fieldOf(field)}
	}
	return p
}

// fieldOf shows the value as the error itself does, which is cut and never a
// secret.
func fieldOf(f hosting.FieldError) wire.Field {
	return wire.Field{Field: f.Field, Value: fmt.Sprintf("%.80s", fmt.Sprint(f.Value)), Allowed: f.Allowed}
}

// fail answers with what a call returned, or with what is wrong with the
// request.
func (q *request) fail(err error) {
	if f, ok := errors.AsType[*refusal](err); ok {
		q.refuse(f)
		return
	}
	p := q.problem(err)
	if p.RetryAfter > 0 {
		q.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(time.Duration(p.RetryAfter).Seconds()))))
	} else if p.Status == http.StatusTooManyRequests {
		q.w.Header().Set("Retry-After", "1")
	}
	q.logFailure(p.Status, err)
	q.send(p)
}

// logFailure logs what the client is not to blame for.
func (q *request) logFailure(status int, err error) {
	gone := q.r.Context().Err() != nil // whoever asked; that is no failure
	if status >= http.StatusInternalServerError && status != http.StatusNotImplemented && !gone {
		q.api.logger.WarnContext(q.r.Context(), "hosting: a request failed", "action", q.route.action, "status", status,
			"requestId", q.requestID, "error", err)
	}
}

// refuse answers with what this server has decided.
func (q *request) refuse(f *refusal) {
	if f.status == http.StatusTooManyRequests {
		q.w.Header().Set("Retry-After", "1")
	}
	if f.status == http.StatusUnauthorized {
		q.w.Header().Set("WWW-Authenticate", `Bearer realm="hosting"`)
	}
	if f.cause != nil {
		q.api.logger.InfoContext(q.r.Context(), "hosting: a request was refused", "action", q.route.action, "status", f.status,
			"requestId", q.requestID, "error", f.cause)
	}
	q.send(q.problem(f))
}

func (q *request) send(p wire.Problem) {
	data, err := json.Marshal(p)
	if err != nil { // it has nothing that JSON does not
		panic(err)
	}
	q.write(p.Status, wire.ProblemJSON, data)
}

func (a *API) notFound(w http.ResponseWriter, r *http.Request) {
	a.refuseRoute(w, r, &refusal{status: http.StatusNotFound, reason: hosting.Unsupported, message: fmt.Sprintf("there is nothing at %.200q", r.URL.Path)})
}

// noPattern is the pattern of what no other one fits.
const noPattern = "/"

// noRoute answers what is not in the table: with 405 if another method is there,
// else with 404. Patterns without a method would not do for that: one for
// /instances/watch is in conflict with DELETE /instances/{id}.
func (a *API) noRoute(w http.ResponseWriter, r *http.Request) {
	var methods []string
	for _, method := range []string{http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodPatch, http.MethodPost, http.MethodPut} {
		other := *r
		other.Method = method
		if _, pattern := a.mux.Handler(&other); pattern != noPattern {
			methods = append(methods, method)
		}
	}
	if methods == nil {
		a.notFound(w, r)
		return
	}
	allowed := strings.Join(methods, ", ")
	w.Header().Set("Allow", allowed)
	a.refuseRoute(w, r, &refusal{status: http.StatusMethodNotAllowed, reason: hosting.InvalidArgument,
		message: fmt.Sprintf("method %.20q: allowed: %s", r.Method, allowed)})
}

// refuseRoute answers a request that has no route.
func (a *API) refuseRoute(w http.ResponseWriter, r *http.Request, f *refusal) {
	q := &request{api: a, w: w, r: r, requestID: requestIDOf(r)}
	q.route.code = hosting.GetFailed
	w.Header().Set(wire.RequestID, q.requestID)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	q.refuse(f)
}
