package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"skillcenter.io/hosting"
)

// Authorizer decides whether a request may do what it asks for. It is called
// after the request has been read and before anything is done, and also for
// requests that are not valid: who may not call learns nothing else. Lists call
// it for the list, and then once more for each item, with its id; items that it
// refuses are left out. A configuration with volumeMounts calls it once more for
// each of them, as mounting that volume ([MountVolume]) or, for an estimate, as
// reading it ([GetVolume]); if it refuses one, nothing is done.
//
// The context that it returns is used for the call; it has to come from that of
// the request, and may carry who the caller is.
//
// Its error decides the answer: one with reason [hosting.Unauthenticated] is 401,
// with [hosting.PermissionDenied] 403, with [hosting.Unavailable],
// [hosting.DeadlineExceeded] or [hosting.Canceled] 503; any other is 403 too. A
// plain reason will do: return nil, hosting.PermissionDenied. What else the
// error says is logged and not sent.
//
// It is called concurrently.
type Authorizer func(*http.Request, Access) (context.Context, error)

// Access is what a request asks for.
type Access struct {
	// Action is what is to be done: the operationId of the OpenAPI document.
	Action Action
	// Changes tells that it would change something.
	Changes bool

	// Provider, Region, Type and Name are those of what it is about: an
	// instance, or a volume, service or policy, whose types have these names.
	// They are filled in as the call will have them: Provider is the default
	// provider's name where the id has none. They are empty in lists, and where
	// they cannot be read from a request that is not valid.
	//
	// Of a creation without a provider, Provider is the one that it will be made
	// on; it is empty if that cannot be known, and then the creation is refused.
	Provider, Region, Type, Name string

	// ID is what it is about, as the request has it; empty for creations and
	// lists. Decide by the fields above: an id may leave its provider out.
	ID string
	// Instance is the other instance that it is about: that of the volume to be
	// mounted, the policy, the service or the list. Its zero value is none.
	Instance hosting.ID
}

// BearerToken returns an Authorizer that allows everything to whoever sends the
// token ("Authorization: Bearer <token>") and nothing to anybody else. It
// compares in constant time. A token has 16 characters at least, of those that
// a header can carry.
func BearerToken(token string) (Authorizer, error) {
	if len(token) < 16 || strings.Trim(token, tokenCharacters) != "" {
		return nil, fmt.Errorf("httpapi: the bearer token is not allowed: allowed: at least 16 of letters, digits and -._~+/=") // never with its value
	}
	want := sha256.Sum256([]byte(token))
	return func(r *http.Request, _ Access) (context.Context, error) {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(strings.TrimLeft(given, " ")))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			return nil, hosting.Unauthenticated
		}
		return r.Context(), nil
	}, nil
}

const tokenCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/="

// crossOrigin finds what a page of another origin has a browser send.
var crossOrigin http.CrossOriginProtection

// allowed asks the Authorizer for all that a request is about. Where there is
// none, a browser that can reach the server could still be made to call it by
// any page that it shows.
func (q *request) allowed(access Access) (context.Context, *refusal) {
	if q.api.anonymous {
		if err := crossOrigin.Check(q.r); err != nil {
			return nil, &refusal{status: http.StatusForbidden, reason: hosting.PermissionDenied,
				message: "a browser sends this for a page of another origin", cause: err}
		}
	}
	ctx, denied := q.api.allowed(q.r, access)
	for _, access := range q.also {
		if denied == nil {
			_, denied = q.api.allowed(q.r.WithContext(ctx), access)
		}
	}
	return ctx, denied
}

// allowed asks the Authorizer. The error is what the client is told.
func (a *API) allowed(r *http.Request, access Access) (context.Context, *refusal) {
	if a.authorize == nil {
		return r.Context(), nil
	}
	ctx, err := a.authorize(r, access)
	if err == nil {
		if ctx == nil {
			ctx = r.Context()
		}
		return ctx, nil
	}
	denied := &refusal{status: http.StatusForbidden, reason: hosting.PermissionDenied, message: "this is not allowed", cause: err}
	switch {
	case errors.Is(err, hosting.Unauthenticated):
		denied.status, denied.reason, denied.message = http.StatusUnauthorized, hosting.Unauthenticated, "who calls is not known: an Authorization header is missing or not accepted"
	case errors.Is(err, hosting.PermissionDenied):
	case errors.Is(err, hosting.Unavailable), errors.Is(err, hosting.DeadlineExceeded), errors.Is(err, hosting.Canceled),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		denied.status, denied.reason, denied.message = http.StatusServiceUnavailable, hosting.Unavailable, "it cannot be decided now whether this is allowed"
	}
	return nil, denied
}

// refusal is an answer of this server, not of a provider.
type refusal struct {
	status  int
	reason  hosting.Reason
	message string
	cause   error // for the log
}
