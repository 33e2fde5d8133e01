package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/intercept"
	"skillcenter.io/hosting/internal/wire"
)

func TestNewSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	p := newWorld(t).provider
	anybody := httpapi.AllowAnonymous()
	for says, options := range map[string][]httpapi.Option{
		"say who may call":               {},
		"say who may call: With":         {httpapi.WithAuthorizer(nil)},
		"exclude each other":             {anybody, bearer(t)},
		`prefix ""`:                      {anybody, httpapi.WithPrefix("")},
		`prefix "/"`:                     {anybody, httpapi.WithPrefix("/")},
		`prefix "api"`:                   {anybody, httpapi.WithPrefix("api")},
		`prefix "/api/"`:                 {anybody, httpapi.WithPrefix("/api/")},
		`prefix "//api"`:                 {anybody, httpapi.WithPrefix("//api")},
		`prefix "/a/../b"`:               {anybody, httpapi.WithPrefix("/a/../b")},
		`prefix "/{id}"`:                 {anybody, httpapi.WithPrefix("/{id}")},
		`prefix "/a b"`:                  {anybody, httpapi.WithPrefix("/a b")},
		`prefix "/a%2Fb"`:                {anybody, httpapi.WithPrefix("/a%2Fb")},
		"the logger is nil":              {anybody, httpapi.WithLogger(nil)},
		"WithMaxBodyBytes: allowed":      {anybody, httpapi.WithMaxBodyBytes(0)},
		"WithMaxRequests: allowed":       {anybody, httpapi.WithMaxRequests(-1)},
		"WithMaxStreams: allowed":        {anybody, httpapi.WithMaxStreams(0)},
		"WithHeartbeat: allowed":         {anybody, httpapi.WithHeartbeat(0)},
		"WithStreamWriteTimeout: allowe": {anybody, httpapi.WithStreamWriteTimeout(-time.Second)},
	} {
		api, err := httpapi.New(p, nil, options...)
		assert.ErrorContains(t, err, says)
		assert.Nil(t, api)
	}
	_, err := httpapi.New(nil, nil, anybody)
	assert.ErrorContains(t, err, "the provider is nil")
	_, err = httpapi.New(p, nil, anybody, httpapi.WithMaxRequests(math.MaxInt), httpapi.WithMaxStreams(math.MaxInt), httpapi.WithMaxBodyBytes(math.MaxInt64))
	assert.NoError(t, err, "there is no upper limit")
}

func TestTheRequestIdIsTheClientsIfItIsSound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	api := newAPI(t, w.provider, w.extension)
	seen := map[string]bool{}
	for given, kept := range map[string]bool{
		"an-id_1.2~3": true, "00-4bf92f3577b34da6a3ce929d0e0e4736:01": true, strings.Repeat("x", 128): true,
		"": false, strings.Repeat("x", 129): false, "a b": false, "a\tb": false, "a;b": false, "ä": false, `"x"`: false, "<script>": false,
	} {
		for _, target := range []string{prefix + "/providers", prefix + "/nothing", prefix + "/instances?x=1", "/"} {
			answer := ask(api, "GET", target, "", wire.RequestID, given)
			got := answer.Header().Get(wire.RequestID)
			if kept {
				assert.Equal(t, given, got)
				continue
			}
			assert.NotEqual(t, given, got)
			assert.Len(t, got, 26)
			assert.False(t, seen[got], "it is random")
			seen[got] = true
		}
	}
	assert.Empty(t, httpapi.RequestID(t.Context()))
}

func TestEveryAnswerIsNotStoredAndNotSniffed(t *testing.T) {
	t.Parallel()
	w := newWorld(t).furnish(t)
	api := newAPI(t, w.provider, w.extension, bearer(t))
	for _, request := range []string{"GET " + prefix + "/providers", "GET " + getWeb, "DELETE " + prefix + "/providers", "GET /nothing", "GET " + prefix + "/instances/x", "GET " + prefix + "//"} {
		method, target, _ := strings.Cut(request, " ")
		for _, header := range []string{"Bearer " + token, ""} {
			answer := ask(api, method, target, "", "Authorization", header)
			assert.Equal(t, "nosniff", answer.Header().Get("X-Content-Type-Options"), request)
			assert.Equal(t, "no-store", answer.Header().Get("Cache-Control"), request)
			assert.Equal(t, fmt.Sprint(answer.Body.Len()), answer.Header().Get("Content-Length"), request)
		}
	}
}

func TestHeadIsGetWithoutABody(t *testing.T) {
	t.Parallel()
	w := newWorld(t).furnish(t)
	server := httptest.NewServer(newAPI(t, w.provider, w.extension))
	defer server.Close()
	for _, s := range samples() {
		if s.method() != http.MethodGet {
			continue
		}
		answer, err := http.Head(server.URL + prefix + s.target)
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		assert.Equal(t, 200, answer.StatusCode, s.route)
		assert.Empty(t, body)
		assert.NotEmpty(t, answer.Header.Get("Content-Type"), s.route)
	}
}

// withBody are the routes that read one.
func withBody() (list []sample) {
	for _, s := range samples() {
		if s.body != "" {
			list = append(list, s)
		}
	}
	return list
}

func TestBodiesAreJSONOfTheRightShapeAndSize(t *testing.T) {
	t.Parallel()
	p, x := untouched(t)
	const limit = 4000
	api := newAPI(t, p, x, httpapi.AllowAnonymous(), httpapi.WithMaxBodyBytes(limit))
	require.GreaterOrEqual(t, len(withBody()), 11)
	for _, s := range withBody() {
		for _, c := range []struct {
			what, body, contentType, says string
			status                        int
		}{
			{"malformed", s.body[:len(s.body)-1], wire.JSON, "it is no JSON", 400},
			{"not JSON", "hello", wire.JSON, "it is no JSON", 400},
			{"two values", s.body + "{}", wire.JSON, "one value", 400},
			{"rubbish behind it", s.body + "}", wire.JSON, "one value", 400},
			{"an unknown field", `{"unknown":1,` + s.body[1:], wire.JSON, `unknown field "unknown"`, 400},
			{"a long unknown field", `{"` + strings.Repeat("u", 3000) + `":1}`, wire.JSON, `unknown field`, 400},
			{"an array", `[]`, wire.JSON, "a JSON array: allowed: an object", 400},
			{"a text", `"x"`, wire.JSON, "a JSON string: allowed: an object", 400},
			{"white space", "  ", wire.JSON, "it is empty", 400},
			{"deep", strings.Repeat("[", limit), wire.JSON, "", 400},
			{"no UTF-8", `{"` + "\xff" + `":1}`, wire.JSON, "UTF-8", 400},
			{"another type", s.body, "text/plain", `Content-Type "text/plain": allowed: application/json`, 415},
			{"no type", s.body, "", "Content-Type", 415},
			{"a form", "a=b", "application/x-www-form-urlencoded", "Content-Type", 415},
			{"a bad type", s.body, "application/json; =", "Content-Type", 415},
			{"too large", s.body + strings.Repeat(" ", limit), wire.JSON, "allowed: at most 4000 bytes", 413},
		} {
			r := newRequest(s.method(), prefix+s.target, c.body)
			r.Header.Set("Content-Type", c.contentType)
			answer := serve(api, r)
			if assert.Equal(t, c.status, answer.Code, "%s, %s: %s", s.route, c.what, answer.Body) {
				assert.Contains(t, problemIn(t, answer).Detail, c.says, "%s, %s", s.route, c.what)
				assert.Less(t, answer.Body.Len(), 2000, "%s, %s", s.route, c.what)
			}
		}
	}
}

func TestABodyMayHaveExactlyTheLimitAndAnyFormOfTheType(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{wire.JSON, "application/json; charset=utf-8", "Application/JSON"} {
		w := newWorld(t).furnish(t)
		for _, s := range withBody() {
			api := newAPI(t, w.provider, w.extension, httpapi.AllowAnonymous(), httpapi.WithMaxBodyBytes(int64(len(s.body)+10)))
			r := newRequest(s.method(), prefix+s.target, s.body+strings.Repeat(" ", 10))
			r.Header.Set("Content-Type", contentType)
			assert.NotContains(t, []int{400, 413, 415}, serve(api, r).Code, s.route)
		}
	}
}

func TestABodyThatIsNeverSentWholeFreesItsPlace(t *testing.T) {
	t.Parallel()
	p, x := untouched(t)
	api := newAPI(t, p, x, httpapi.AllowAnonymous(), httpapi.WithMaxRequests(1))
	server := httptest.NewUnstartedServer(api)
	server.Config.ReadTimeout = time.Hour
	server.Start()
	defer server.Close()
	connection, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	_, err = fmt.Fprintf(connection, "POST %s/instances HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", prefix)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return statusOf(t, server, "/providers") == 429 }, 30*time.Second, time.Millisecond, "it has the only place")
	assert.Equal(t, 200, statusOf(t, server, "/status"), "which the public routes do not need")
	require.NoError(t, connection.Close())
	require.Eventually(t, func() bool { return statusOf(t, server, "/providers") == 200 }, 30*time.Second, time.Millisecond)
}

func statusOf(t *testing.T, server *httptest.Server, target string) int {
	t.Helper()
	answer, err := http.Get(server.URL + prefix + target)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer.StatusCode
}

func TestMoreRequestsThanThereIsRoomForAreRefused(t *testing.T) {
	t.Parallel()
	inside, leave := make(chan struct{}), make(chan struct{})
	p := intercept.Wrap(newWorld(t).furnish(t).provider, func(ctx context.Context, call intercept.Call) (context.Context, func(intercept.Result)) {
		if call.Method == "GetInstance" {
			inside <- struct{}{}
			<-leave
		}
		return ctx, func(intercept.Result) {}
	})
	api := newAPI(t, p, nil, httpapi.AllowAnonymous(), httpapi.WithMaxRequests(2))
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() { assert.Equal(t, 200, ask(api, "GET", getWeb, "").Code) })
		<-inside
	}
	answer := ask(api, "GET", prefix+"/instances", "")
	assert.Equal(t, 429, answer.Code)
	assert.Equal(t, "1", answer.Header().Get("Retry-After"))
	assert.Equal(t, hosting.RateLimited, problemIn(t, answer).Reason)
	assert.NotEqual(t, 429, ask(api, "GET", prefix+"/status", "").Code)
	close(leave)
	wait.Wait()
	assert.Equal(t, 200, ask(api, "GET", prefix+"/instances", "").Code)
}

func TestShutdownWaitsForWhatIsServedAndRefusesTheRest(t *testing.T) {
	t.Parallel()
	inside, leave := make(chan struct{}), make(chan struct{})
	w := newWorld(t).furnish(t)
	p := intercept.Wrap(w.provider, func(ctx context.Context, call intercept.Call) (context.Context, func(intercept.Result)) {
		if call.Method == "GetInstance" {
			close(inside)
			<-leave
		}
		return ctx, func(intercept.Result) {}
	})
	api := newAPI(t, p, w.extension)
	var wait sync.WaitGroup
	wait.Go(func() { assert.Equal(t, 200, ask(api, "GET", getWeb, "").Code) })
	<-inside
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, api.Shutdown(ended), context.Canceled)
	for _, pattern := range api.Routes() {
		method, path, _ := strings.Cut(pattern, " ")
		answer := ask(api, method, strings.ReplaceAll(path, "{id}", "x"), "")
		assert.Equal(t, 503, answer.Code, pattern)
		assert.Equal(t, "the server is shutting down", problemIn(t, answer).Detail)
	}
	close(leave)
	assert.NoError(t, api.Shutdown(t.Context()))
	assert.NoError(t, api.Shutdown(t.Context()), "again")
	wait.Wait()
}

// Many clients on all routes, streams too, while the API is shut down: nothing
// hangs, every answer is whole, and after it all are refused.
func TestManyClientsOnAllRoutesWhileTheAPIShutsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t).furnish(t)
	var logs safeBuffer
	api := newAPI(t, w.provider, w.extension, httpapi.AllowAnonymous(), httpapi.WithHeartbeat(time.Millisecond),
		httpapi.WithLogger(slog.New(slog.NewTextHandler(&logs, nil))))
	server := httptest.NewServer(api)
	defer server.Close()
	const clients = 16
	var served, streaming atomic.Int64
	stopped := make(chan struct{})
	var wait sync.WaitGroup
	for i := range clients {
		wait.Go(func() {
			list := samples()
			for n := i; ; n++ {
				select {
				case <-stopped:
					return
				default:
				}
				s := list[n%len(list)]
				if i == 0 { // some follow all the time
					s = sample{route: "GET /instances/watch", target: "/instances/watch", stream: true}
				}
				r, err := http.NewRequestWithContext(t.Context(), s.method(), server.URL+prefix+s.target, strings.NewReader(s.body))
				if !assert.NoError(t, err) {
					return
				}
				r.Header.Set("Content-Type", wire.JSON)
				answer, err := server.Client().Do(r)
				if !assert.NoError(t, err, s.route) {
					return
				}
				if s.stream && answer.StatusCode == 200 && i != 0 {
					_, _ = bufio.NewReader(answer.Body).ReadString('\n') // and goes away
				} else {
					if s.stream && answer.StatusCode == 200 {
						streaming.Add(1)
					}
					_, err = io.ReadAll(answer.Body)
					assert.NoError(t, err, s.route)
				}
				_ = answer.Body.Close()
				assert.True(t, answer.StatusCode < 500 || answer.StatusCode == 503, "%s: %d", s.route, answer.StatusCode)
				served.Add(1)
			}
		})
	}
	require.Eventually(t, func() bool { return served.Load() > 10*clients && streaming.Load() > 0 }, 60*time.Second, time.Millisecond)
	require.NoError(t, api.Shutdown(t.Context()))
	assert.Equal(t, 503, statusOf(t, server, "/instances"))
	close(stopped)
	wait.Wait()
	assert.NotContains(t, logs.String(), "panicked")
}
