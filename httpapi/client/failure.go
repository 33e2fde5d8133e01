package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// maxProblem is how much is read of an answer that tells of a failure, and
// maxShown how much is shown of one that is not the API's.
const maxProblem, maxShown = 1 << 20, 200

// unreached is the failure of a request that got no answer. unconnected tells
// that no connection was made, as far as that can be seen.
func (c *Client) unreached(r request, err error, unconnected bool) *failure {
	err = withoutURL(err)
	var op *net.OpError
	unconnected = unconnected && !errors.Is(err, context.DeadlineExceeded) // that of an http.Client, which has waited long enough
	if unconnected || errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect") {
		return &failure{unsent: true, err: c.errorf(r, hosting.Unavailable, "the server at %s cannot be reached: %w", c.host, err)}
	}
	return c.lost(r, err)
}

// lost is the failure of a request whose answer did not arrive, or not whole.
func (c *Client) lost(r request, err error) *failure {
	reason := hosting.Unavailable
	var timed net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timed) && timed.Timeout() { // that of an http.Client
		reason = hosting.DeadlineExceeded
	}
	may := ""
	if r.method != http.MethodGet {
		may = "; the change may have been made"
	}
	return &failure{broken: true, err: c.errorf(r, reason, "there is no whole answer from the server at %s%s: %w", c.host, may, err)}
}

// refused is the failure that the server answered with.
func (c *Client) refused(r request, response *http.Response) *failure {
	data, err := io.ReadAll(io.LimitReader(response.Body, maxProblem))
	asked := retryAfter(response.Header.Get("Retry-After"))
	var p wire.Problem
	if err != nil || !isType(response, wire.ProblemJSON) || json.Unmarshal(data, &p) != nil || p.Reason == "" {
		failed := c.strange(r, response, data)
		failed.asked, failed.err.RetryAfter = asked, asked
		return failed
	}
	return &failure{status: response.StatusCode, asked: max(asked, time.Duration(p.RetryAfter)), err: c.problem(r, p)}
}

// problem is the error that a provider, or the server, returned.
func (c *Client) problem(r request, p wire.Problem) *hosting.Error {
	failed := &hosting.Error{Provider: cmp.Or(p.Provider, c.ProviderName()), Code: cmp.Or(p.ErrorCode, r.code), Reason: p.Reason,
		Message: cmp.Or(p.ErrorMessage, p.Detail, p.Title), InstanceID: cmp.Or(p.InstanceID, r.instanceID), RetryAfter: time.Duration(p.RetryAfter)}
	if p.Cleanup != "" {
		failed.Cleanup = errors.New(p.Cleanup)
	}
	var fields hosting.FieldErrors
	for _, f := range p.Fields {
		fields = append(fields, hosting.FieldError{Field: f.Field, Value: f.Value, Allowed: f.Allowed})
	}
	if len(fields) > 0 {
		failed.Err = fields
	}
	return failed
}

// strange is the failure of an answer that is not the API's: something between
// made it, or the URL is that of something else.
func (c *Client) strange(r request, response *http.Response, data []byte) *failure {
	status := response.StatusCode
	text := "nothing"
	if shown := c.shown(data); shown != "" {
		text = strconv.Quote(shown)
	}
	hint := "is the base URL that of the API?"
	switch {
	case status >= 300 && status < 400:
		hint = "redirects are not followed: give New the URL that they lead to"
	case status >= 400 && status != http.StatusNotFound:
		hint = "something between may have made it"
	}
	return &failure{status: status, foreign: true, err: c.errorf(r, reasonOf(status), "the answer of %s is not one of the API (%s): status %d, type %.80q: %s",
		c.host, hint, status, response.Header.Get("Content-Type"), text)}
}

// shown returns the beginning of an answer, on one line and without the token,
// which something between may send back.
func (c *Client) shown(data []byte) string {
	text := strings.ToValidUTF8(string(data[:min(len(data), maxProblem)]), "")
	if token := c.token(); token != "" {
		text = strings.ReplaceAll(text, token, "(hidden)")
	}
	text = strings.Join(strings.Fields(text), " ")
	return strings.ToValidUTF8(text[:min(len(text), maxShown)], "")
}

// reasonOf is the reason of a status that the API did not send. A 404 is not
// NotFound: who made it knows nothing of what was asked for.
func reasonOf(status int) hosting.Reason {
	switch status {
	case http.StatusUnauthorized, http.StatusProxyAuthRequired:
		return hosting.Unauthenticated
	case http.StatusForbidden:
		return hosting.PermissionDenied
	case http.StatusTooManyRequests:
		return hosting.RateLimited
	case http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge:
		return hosting.InvalidArgument
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return hosting.DeadlineExceeded
	}
	if status >= 500 {
		return hosting.Unavailable
	}
	return hosting.Internal
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(text string) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
