package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi/client"
	"skillcenter.io/hosting/internal/pipehttp"
)

const (
	baseURL = "http://hosting.test/api/hosting"
	web     = "default.deployment.web"
)

func httpClient(server *pipehttp.Server) *http.Client {
	return &http.Client{Transport: server.Transport()}
}

// asked is a request that a script was sent.
type asked struct {
	method, path string
	query        map[string][]string
	header       http.Header
	body         string
}

// script is a server that does what a test says.
type script struct {
	*client.Client
	mu       sync.Mutex
	requests []asked
}

// scripted returns a client of a server that has the provider "main" and answers
// everything else with handle, which is told how often it was called before.
func scripted(t *testing.T, handle func(w http.ResponseWriter, r *http.Request, n int), options ...client.Option) *script {
	t.Helper()
	return scriptedOver(t, func(s *pipehttp.Server) http.RoundTripper { return s.Transport() }, handle, options...)
}

// scriptedOver is scripted with another way to the server.
func scriptedOver(t *testing.T, over func(*pipehttp.Server) http.RoundTripper, handle func(w http.ResponseWriter, r *http.Request, n int), options ...client.Option) *script {
	t.Helper()
	s := &script{}
	server := pipehttp.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.EscapedPath(), "/api/hosting")
		if path == "/providers" {
			answer(w, `{"items":[{"name":"main","regions":["default","other"],"instanceTypes":["deployment"]}]}`)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		s.mu.Lock()
		n := len(s.requests)
		s.requests = append(s.requests, asked{r.Method, path, r.URL.Query(), r.Header, string(body)})
		s.mu.Unlock()
		handle(w, r, n)
	}))
	t.Cleanup(server.Close)
	var err error
	s.Client, err = client.New(context.Background(), baseURL, append([]client.Option{client.WithHTTPClient(&http.Client{Transport: over(server)})}, options...)...)
	require.NoError(t, err)
	return s
}

// asked returns what the server was sent.
func (s *script) asked() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

func answer(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, body)
}

// anything is an answer to every call that returns something: it has what the
// client looks for.
const anything = `{"items":[],"id":"i","instanceId":"i","policyId":"p","serviceId":"s","volumeId":"v","currency":"CNY","checkedAt":1}`

// problem answers with an error of the API.
func problem(w http.ResponseWriter, status int, fields map[string]any) {
	data, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}

func unavailable(w http.ResponseWriter) {
	problem(w, http.StatusServiceUnavailable, map[string]any{"reason": "Unavailable", "errorCode": "GetFailed", "errorMessage": "later"})
}

// sever breaks the connection.
func sever() { panic(http.ErrAbortHandler) }

// failed returns err as the error of a provider.
func failed(t *testing.T, err error) *hosting.Error {
	t.Helper()
	e, ok := errors.AsType[*hosting.Error](err)
	require.True(t, ok, "%v is a %T", err, err)
	return e
}

func flush(w http.ResponseWriter) {
	if err := http.NewResponseController(w).Flush(); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// stream sends events, or parts of some.
func stream(w http.ResponseWriter, texts ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, text := range texts {
		fmt.Fprint(w, text)
	}
	flush(w)
}

// line is the event of a line of a log.
func line(n int) string {
	return fmt.Sprintf("id: c%d\nevent: log\ndata: {\"message\":\"line %d\",\"cursor\":\"c%d\"}\n\n", n, n, n)
}

// follow returns the messages of a stream, and the error that ends it.
func follow(ctx context.Context, c *client.Client, options hosting.LogQueryOptions) (messages []string, err error) {
	for entry, err := range c.StreamLogs(ctx, web, options) {
		if err != nil {
			return messages, err
		}
		messages = append(messages, entry.Message)
	}
	return messages, nil
}

// withProviders returns a client of a server that has these providers and
// nothing else.
func withProviders(t *testing.T, list string) *client.Client {
	t.Helper()
	server := pipehttp.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, list) }))
	t.Cleanup(server.Close)
	c, err := client.New(t.Context(), baseURL, client.WithHTTPClient(httpClient(server)))
	require.NoError(t, err)
	return c
}
