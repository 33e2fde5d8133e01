package httpapi_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/wire"
)

type yieldLog = func(hosting.LogEntry, error) bool

type logSeq = iter.Seq2[hosting.LogEntry, error]

func TestAStreamSaysThatItHasEnded(t *testing.T) {
	overBoth(t, func(t *testing.T, configure func(*httptest.Server)) {
		s := listen(t, source(func(_ context.Context, yield yieldLog) {
			_ = yield(hosting.LogEntry{Message: "one\ntwo", Cursor: "1"}, nil) && yield(hosting.LogEntry{Message: "three"}, nil)
		}), configure)
		answer := s.follow(t, web)
		assert.Equal(t, "no-store", answer.Header.Get("Cache-Control"))
		assert.Equal(t, "no", answer.Header.Get("X-Accel-Buffering"))
		messages, err := answer.rest()
		assert.Equal(t, io.EOF, err)
		require.Len(t, messages, 3)
		assert.Equal(t, "1", messages[0].id)
		assert.Equal(t, hosting.LogEntry{Message: "one\ntwo", Cursor: "1"}, messages[0].log(t))
		assert.Empty(t, messages[1].id)
		assert.Equal(t, message{event: wire.EventEnd, data: "{}"}, messages[2])
	})
}

func TestASilentStreamSendsItsHeadersAtOnceAndHeartbeatsThen(t *testing.T) {
	overBoth(t, func(t *testing.T, configure func(*httptest.Server)) {
		answer := listen(t, silent(), configure, httpapi.WithHeartbeat(20*time.Millisecond)).follow(t, web)
		for range 10 {
			m, err := answer.next()
			require.NoError(t, err)
			assert.Equal(t, message{}, m)
		}
	})
}

func TestASilentStreamSendsItsHeadersLongBeforeItsHeartbeat(t *testing.T) {
	t.Parallel()
	listen(t, silent(), nil, httpapi.WithHeartbeat(time.Hour)).follow(t, web)
}

func TestAnEndedStreamSendsNoHeartbeat(t *testing.T) {
	t.Parallel()
	for range 20 {
		s := listen(t, source(func(_ context.Context, yield yieldLog) { yield(hosting.LogEntry{}, nil) }), nil, httpapi.WithHeartbeat(time.Microsecond))
		answer := s.follow(t, web)
		text, err := io.ReadAll(answer.reader)
		require.NoError(t, err)
		assert.Regexp(t, "event: end\ndata: {}\n\n$", string(text))
	}
}

func TestAFailureBeforeAStreamHasItsStatus(t *testing.T) {
	t.Parallel()
	provider, id := printing(t, 1, time.Second, nil)
	unsupported := struct{ hosting.CloudHostingProvider }{provider}
	slow := fake.New()
	slow.InjectCall(fake.CallFault{Method: "StreamLogs", Delay: time.Hour})
	cases := map[string]struct {
		provider hosting.CloudHostingProvider
		path     string
		headers  []string
		status   int
		reason   hosting.Reason
		message  string
	}{
		"no such instance":       {provider, "/instances/default.deployment.none/logs?follow=true", nil, 404, hosting.NotFound, "none"},
		"no such instance, slow": {slow, "/instances/default.deployment.none/logs?follow=true", nil, 404, hosting.NotFound, "none"},
		"no id":                  {provider, "/instances/none/logs?follow=true", nil, 400, hosting.InvalidArgument, "none"},
		"following unsupported":  {unsupported, "/instances/" + id + "/logs?follow=true", nil, 501, hosting.Unsupported, "following logs"},
		"watching unsupported":   {unsupported, "/instances/watch", nil, 501, hosting.Unsupported, "watching"},
		"foreign cursor":         {provider, "/instances/" + id + "/logs?follow=true&after=7.7.7.7", nil, 400, hosting.InvalidArgument, `after "7.7.7.7"`},
		"foreign event":          {provider, "/instances/" + id + "/logs?follow=true", []string{wire.LastEventID, "7.7.7.7"}, 400, hosting.InvalidArgument, `after "7.7.7.7"`},
		"wrong event":            {provider, "/instances/" + id + "/logs?follow=true", []string{wire.LastEventID, "~~"}, 400, hosting.InvalidArgument, `header Last-Event-ID: "~~"`},
		"two events":             {provider, "/instances/" + id + "/logs?follow=true", []string{wire.LastEventID, "1", wire.LastEventID, "2"}, 400, hosting.InvalidArgument, "2 times"},
		"wrong level":            {provider, "/instances/" + id + "/logs?follow=true&level=loud", nil, 400, hosting.InvalidArgument, "level"},
		"wrong follow":           {provider, "/instances/" + id + "/logs?follow=yes", nil, 400, hosting.InvalidArgument, "query parameter follow"},
		"unknown parameter":      {provider, "/instances/watch?after=1", nil, 400, hosting.InvalidArgument, `query parameter "after"`},
		"a panic":                {source(func(context.Context, yieldLog) { panic("at once") }), "/instances/" + web + "/logs?follow=true", nil, 500, hosting.Internal, "the server failed"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := listen(t, c.provider, nil).open(t, c.path, c.headers...)
			assert.Equal(t, c.status, answer.StatusCode)
			problem := answer.problem(t)
			assert.Equal(t, c.status, problem.Status)
			assert.Equal(t, c.reason, problem.Reason)
			assert.Contains(t, problem.Detail, c.message)
		})
	}
}

func TestAFailureOfAStreamIsItsLastEvent(t *testing.T) {
	overBoth(t, func(t *testing.T, configure func(*httptest.Server)) {
		fails := make(chan struct{})
		s := listen(t, source(func(_ context.Context, yield yieldLog) {
			<-fails
			yield(hosting.LogEntry{}, hosting.Errorf("scripted", hosting.LogsFailed, hosting.Unavailable, "the node is away"))
		}), configure)
		answer := s.follow(t, web) // nothing but the headers has been sent
		close(fails)
		problem := decode[wire.Problem](t, answer.want(t, wire.EventError).data)
		assert.Equal(t, http.StatusServiceUnavailable, problem.Status)
		assert.Equal(t, hosting.LogsFailed, problem.ErrorCode)
		assert.Equal(t, hosting.Unavailable, problem.Reason)
		assert.Equal(t, "the node is away", problem.Detail)
		assert.Equal(t, answer.Header.Get(wire.RequestID), problem.RequestID)
		_, err := answer.next()
		assert.Equal(t, io.EOF, err)
	})
}

func TestAPanicOfAProviderCutsItsStream(t *testing.T) {
	overBoth(t, func(t *testing.T, configure func(*httptest.Server)) {
		s := listen(t, source(func(_ context.Context, yield yieldLog) {
			yield(hosting.LogEntry{}, nil)
			panic("later")
		}), configure)
		answer := s.follow(t, web)
		messages, err := answer.rest()
		require.Error(t, err)
		assert.NotEqual(t, io.EOF, err, "it must not look like an end")
		for _, m := range messages {
			assert.Equal(t, wire.EventLog, m.event)
		}
	})
}

func TestACursorOfAnyTextCanBeResumedFrom(t *testing.T) {
	t.Parallel()
	asked := make(chan hosting.LogQueryOptions, 1)
	const cursor = "1\r\n\r\nevent: end\ndata: {} ü\x01~"
	provider := source(func(_ context.Context, yield yieldLog) { yield(hosting.LogEntry{Cursor: cursor}, nil) })
	logs := provider.logs
	provider.logs = func(ctx context.Context, options hosting.LogQueryOptions) iter.Seq2[hosting.LogEntry, error] {
		asked <- options
		return logs(ctx, options)
	}
	s := listen(t, provider, nil)
	answer := s.follow(t, web)
	first := answer.want(t, wire.EventLog)
	answer.want(t, wire.EventEnd)
	assert.Equal(t, hosting.LogQueryOptions{Follow: true}, <-asked)
	answer = s.open(t, "/instances/"+web+"/logs?follow=true&after=other&limit=1", wire.LastEventID, first.id)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	assert.Equal(t, hosting.LogQueryOptions{Follow: true, After: cursor}, <-asked)
}

func TestAHeadOfAStreamHasItsHeadersOnly(t *testing.T) {
	t.Parallel()
	provider, id := printing(t, 1, time.Second, nil)
	s := listen(t, provider, nil, httpapi.WithMaxStreams(1))
	s.follow(t, id) // takes the only place
	for path, status := range map[string]int{
		"/instances/" + id + "/logs?follow=true": 200, "/instances/watch": 200, "/instances/default.deployment.none/logs?follow=true": 404,
	} {
		response, err := s.Server.Client().Head(s.URL + "/api/hosting" + path)
		require.NoError(t, err)
		assert.Equal(t, status, response.StatusCode, path)
		if status == http.StatusOK {
			assert.Equal(t, wire.EventStream, response.Header.Get("Content-Type"))
		}
		require.NoError(t, response.Body.Close())
	}
}

// hiding hides what the server's ResponseWriter can do.
type hiding struct{ http.ResponseWriter }

// unwrapping hides it, and tells where it is.
type unwrapping struct{ hiding }

func (w unwrapping) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestAMiddlewareThatHidesFlushIsNamed(t *testing.T) {
	t.Parallel()
	called := false
	s := listen(t, source(func(context.Context, yieldLog) { called = true }), func(server *httptest.Server) {
		inner := server.Config.Handler
		server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inner.ServeHTTP(hiding{w}, r) })
	})
	for _, path := range []string{"/instances/" + web + "/logs?follow=true", "/instances/watch"} {
		answer := s.open(t, path)
		assert.Equal(t, http.StatusInternalServerError, answer.StatusCode)
		assert.Contains(t, answer.problem(t).Detail, "middleware")
	}
	assert.False(t, called)
}

func TestAMiddlewareThatUnwrapsServesStreams(t *testing.T) {
	t.Parallel()
	s := listen(t, once(), func(server *httptest.Server) {
		inner := server.Config.Handler
		server.Config.WriteTimeout = 100 * time.Millisecond
		server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inner.ServeHTTP(unwrapping{hiding{w}}, r) })
	}, httpapi.WithHeartbeat(50*time.Millisecond))
	answer := s.follow(t, web)
	answer.want(t, wire.EventLog)
	for range 10 {
		_, err := answer.next()
		require.NoError(t, err)
	}
}

func TestAStreamTakesNoBody(t *testing.T) {
	t.Parallel()
	s := listen(t, silent(), nil)
	request := httptest.NewRequest(http.MethodGet, "/api/hosting/instances/watch", http.NoBody)
	request.ContentLength = 7
	recorder := httptest.NewRecorder()
	s.API.ServeHTTP(recorder, request)
	assert.Equal(t, http.StatusBadRequest, recorder.Code)
	assert.Contains(t, recorder.Body.String(), "has a body")
}

type streamCallerKey struct{}

func TestAStreamHasTheAuthorizersContext(t *testing.T) {
	t.Parallel()
	type seen struct{ caller, requestID any }
	calls := make(chan seen, 1)
	provider := source(func(ctx context.Context, yield yieldLog) {
		calls <- seen{ctx.Value(streamCallerKey{}), httpapi.RequestID(ctx)}
		yield(hosting.LogEntry{}, nil)
		<-ctx.Done()
	})
	expire := make(chan context.CancelFunc, 1)
	s := listenFor(t, provider, nil, httpapi.WithAuthorizer(func(r *http.Request, _ httpapi.Access) (context.Context, error) {
		ctx, cancel := context.WithCancel(context.WithValue(r.Context(), streamCallerKey{}, "ann"))
		expire <- cancel
		return ctx, nil
	}))
	answer := s.follow(t, web)
	assert.Equal(t, seen{"ann", answer.Header.Get(wire.RequestID)}, <-calls)
	answer.want(t, wire.EventLog)
	(<-expire)()
	messages, err := answer.rest()
	assert.Empty(t, messages, "it was cut, so that the client asks again")
	assert.Equal(t, io.EOF, err)
}

func TestAStreamEndsWhenItsReaderLeaves(t *testing.T) {
	overBoth(t, func(t *testing.T, configure func(*httptest.Server)) {
		left := make(chan error, 1)
		s := listen(t, source(func(ctx context.Context, yield yieldLog) {
			yield(hosting.LogEntry{}, nil)
			select {
			case <-ctx.Done():
				left <- nil
			case <-time.After(patience):
				left <- errors.New("nobody told that the reader has left")
			}
		}), configure, httpapi.WithHeartbeat(time.Hour))
		answer := s.follow(t, web)
		answer.want(t, wire.EventLog)
		answer.close()
		assert.NoError(t, <-left)
	})
}
