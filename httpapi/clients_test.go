package httpapi_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
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
