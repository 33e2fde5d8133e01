package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// request is one call of the protocol.
type request struct {
	code       hosting.Code // of the errors that are made here
	instanceID string       // what it is about, if that is an instance
	method     string
	path       string // below the prefix, escaped
	query      url.Values
	header     map[string]string
	body       any // nil for none

	// invalid is what is wrong with it, if anything: then it is not sent.
	invalid error
	// once tells that the server must not get it twice.
	once bool
	// until, if not zero, is how long it is sent again, however often: it goes on
	// with a stream, which is to last as long as its context.
	until time.Time
}

// onInstance is a call about an instance, or what is below it.
func onInstance(code hosting.Code, method, instanceID, below string) request {
	r := onID(code, method, "/instances/", instanceID, below)
	r.instanceID = instanceID
	return r
}

// onID is a call about what an id names.
func onID(code hosting.Code, method, kind, id, below string) request {
	r := request{code: code, method: method, path: kind + url.PathEscape(id) + below}
	_, r.invalid = hosting.ParseID(id)
	return r
}

// with returns the request with a parameter, unless that is empty.
func (r request) with(name, value string) request {
	if value == "" {
		return r
	}
	query := url.Values{}
	for name, values := range r.query {
		query[name] = values
	}
	query.Set(name, value)
	r.query = query
	return r
}

// minimal asks for no answer but that it is done.
func (r request) minimal() request {
	r.header = map[string]string{wire.Prefer: wire.ReturnMinimal}
	return r
}

// send makes a call and returns its answer.
func send[T any](ctx context.Context, c *Client, r request) (T, error) {
	var value T
	a, err := c.send(ctx, r)
	if err != nil {
		return value, err
	}
	if err := json.Unmarshal(a.data, &value); err != nil {
		var none T
		return none, c.errorf(r, hosting.Internal, "the answer of the server cannot be read: %w", err)
	}
	if isHollow(value) {
		var none T
		return none, c.notTheAPI(r)
	}
	return value, nil
}

// isHollow tells whether an answer lacks what the API's has always. That of
// something else is JSON as well, and would be an instance without an id.
func isHollow(value any) bool {
	switch v := value.(type) {
	case hosting.CloudInstance:
		return v.ID == ""
	case hosting.InstanceMetrics:
		return v.InstanceID == ""
	case hosting.ServiceEndpoint:
		return v.InstanceID == ""
	case hosting.Health:
		return v.CheckedAt.IsZero()
	case hosting.CostEstimate:
		return v.Currency == ""
	case hosting.CostActual:
		return v.InstanceID == ""
	case hosting.AutoScalePolicy:
		return v.PolicyID == ""
	case hosting.ServiceRegistration:
		return v.ServiceID == ""
	case hosting.Volume:
		return v.VolumeID == ""
	}
	return false
}

// notTheAPI is the error of an answer that is JSON, but not the API's.
func (c *Client) notTheAPI(r request) error {
	return c.errorf(r, hosting.Internal, "what answers is not the API: its answer has not what that of %s %s has", r.method, r.path)
}

// do makes a call whose answer says no more than that it is done.
func (c *Client) do(ctx context.Context, r request) error {
	_, err := c.send(ctx, r)
	return err
}

// answer is what the server said to a call that succeeded.
type answer struct {
	status int
	data   []byte // JSON, unless it is empty
	etag   string
}

func (c *Client) send(ctx context.Context, r request) (a answer, err error) {
	err = c.repeat(ctx, r, func(body []byte) *failure {
		var failed *failure
		a, failed = c.try(ctx, r, body)
		return failed
	})
	return a, err
}

// try sends a request once.
func (c *Client) try(ctx context.Context, r request, body []byte) (answer, *failure) {
	response, failed := c.roundTrip(ctx, c.calls, r, body, wire.JSON)
	if failed != nil {
		return answer{}, failed
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 || response.StatusCode < 200 {
		return answer{}, c.refused(r, response)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, c.maxAnswer+1))
	switch {
	case err != nil:
		return answer{}, c.lost(r, err)
	case int64(len(data)) > c.maxAnswer:
		return answer{}, &failure{err: c.errorf(r, hosting.Internal, "the answer of the server is larger than %d bytes, see WithMaxAnswerBytes", c.maxAnswer)}
	case len(data) > 0 && !isType(response, wire.JSON):
		return answer{}, c.strange(r, response, data)
	}
	return answer{response.StatusCode, data, response.Header.Get("ETag")}, nil
}

// roundTrip sends a request once, and returns what begins to come back.
func (c *Client) roundTrip(ctx context.Context, by *http.Client, r request, body []byte, accept string) (*http.Response, *failure) {
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(body)
	}
	var connecting connecting
	q, err := http.NewRequestWithContext(connecting.watch(ctx), r.method, target, content)
	if err != nil {
		return nil, &failure{err: c.errorf(r, hosting.Internal, "the request cannot be made: %w", withoutURL(err))}
	}
	q.Header.Set("Accept", accept+", "+wire.ProblemJSON)
	q.Header.Set("User-Agent", c.userAgent)
	if body != nil {
		q.Header.Set("Content-Type", wire.JSON)
	}
	if token := c.token(); token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	for name, value := range r.header {
		q.Header.Set(name, value)
	}
	response, err := by.Do(q)
	if err != nil {
		return nil, c.unreached(r, err, connecting.failed())
	}
	return response, nil
}

// connecting tells how far a request has come, which not every error tells: that
// of a TLS handshake, or of a proxy, does not.
type connecting struct {
	tried, made atomic.Bool
}

func (c *connecting) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { c.tried.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { c.made.Store(true) },
	})
}

// failed tells whether there was no connection that the request could be sent
// over. A transport that is not watched may have had one.
func (c *connecting) failed() bool { return c.tried.Load() && !c.made.Load() }

// isType tells whether an answer has a media type.
func isType(response *http.Response, want string) bool {
	got, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	return err == nil && got == want
}

// withoutURL returns the cause of an error of package net/http, without the URL:
// what is in its query need not be in logs.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// encode returns the body of a request.
func (r request) encode() ([]byte, error) {
	if r.body == nil {
		return nil, nil
	}
	data, err := json.Marshal(r.body)
	if err != nil { // what JSON does not have was looked for before
		return nil, fmt.Errorf("it cannot be written as JSON: %w", err)
	}
	return data, nil
}

// errorf is an error that is made here.
func (c *Client) errorf(r request, reason hosting.Reason, format string, args ...any) *hosting.Error {
	failed := hosting.Errorf(c.providerOf(r.instanceID), r.code, reason, format, args...)
	failed.InstanceID = r.instanceID
	return failed
}

// providerOf returns the provider of an instance, as far as its id says.
func (c *Client) providerOf(instanceID string) string {
	if id, err := hosting.ParseID(instanceID); err == nil {
		for _, info := range c.providers {
			if info.Name == id.Provider {
				return info.Name
			}
		}
	}
	return c.ProviderName()
}

// ended is the error of a context that has ended.
func (c *Client) ended(r request, err error) error {
	return c.errorf(r, cmp.Or(hosting.ReasonOf(err), hosting.Internal), "%w", err)
}
