package httpapi_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/wire"
)

// interval is how often a condition is looked at.
const interval = 5 * time.Millisecond

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestShutdownCutsStreamsSoThatTheirClientsComeBack(t *testing.T) {
	overBoth(t, func(t *testing.T, configure func(*httptest.Server)) {
		provider, id := printing(t, 1, 10*time.Millisecond, nil)
		s := listen(t, provider, configure)
		follow, watch, idle := s.follow(t, id), s.open(t, "/instances/watch"), s.open(t, "/instances/"+id+"/logs?follow=true&pattern=never")
		follow.want(t, wire.EventLog)
		watch.want(t, wire.EventState)
		require.NoError(t, s.API.Shutdown(within(t, patience)))
		for _, answer := range []stream{follow, watch, idle} {
			messages, err := answer.rest()
			assert.Equal(t, io.EOF, err)
			for _, m := range messages {
				assert.NotContains(t, []string{wire.EventEnd, wire.EventError}, m.event)
			}
		}
		for _, path := range []string{"/instances", "/instances/watch", "/instances/" + id + "/logs?follow=true"} {
			answer := s.open(t, path)
			assert.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
			assert.Equal(t, hosting.Unavailable, answer.problem(t).Reason)
		}
		require.NoError(t, s.API.Shutdown(within(t, patience)), "again")
		assert.NoError(t, s.Config.Shutdown(within(t, patience)))
	})
}

func TestTheServersShutdownCanEndStreams(t *testing.T) {
	overBoth(t, func(t *testing.T, configure func(*httptest.Server)) {
		s := listen(t, once(), configure)
		s.Config.RegisterOnShutdown(func() { _ = s.API.Shutdown(context.Background()) })
		answer := s.follow(t, web)
		answer.want(t, wire.EventLog)
		assert.NoError(t, s.Config.Shutdown(within(t, patience)))
		messages, _ := answer.rest()
		assert.Empty(t, messages)
	})
}

func TestShutdownWaitsForRequests(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	provider := once()
	provider.metrics = func(context.Context) (hosting.InstanceMetrics, error) {
		close(entered)
		<-release
		return hosting.InstanceMetrics{}, nil
	}
	s := listen(t, provider, nil)
	status := make(chan int, 1)
	go func() {
		response, err := s.Server.Client().Get(s.URL + "/api/hosting/instances/" + web + "/metrics")
		if !assert.NoError(t, err) {
			status <- 0
			return
		}
		_ = response.Body.Close()
		status <- response.StatusCode
	}()
	<-entered
	assert.ErrorIs(t, s.API.Shutdown(within(t, 20*time.Millisecond)), context.DeadlineExceeded)
	close(release)
	assert.NoError(t, s.API.Shutdown(within(t, patience)))
	assert.Equal(t, http.StatusOK, <-status)
}

func TestShutdownDoesNotWaitForAReaderWhoReadsNothing(t *testing.T) {
	t.Parallel()
	blocked := newEndless()
	s := listen(t, blocked.provider(), nil, httpapi.WithStreamWriteTimeout(time.Hour))
	s.rawFollow(t, web, "")
	blocked.waitUntilStuck(t)
	require.NoError(t, s.API.Shutdown(within(t, patience)))
	blocked.waitUntilLeft(t)
}

func TestAStreamThatShutdownEndsBeforeItBeganIsA503(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	s := listen(t, source(func(ctx context.Context, _ yieldLog) {
		close(entered)
		<-ctx.Done()
	}), nil)
	go func() {
		<-entered
		_ = s.API.Shutdown(context.Background())
	}()
	answer := s.open(t, "/instances/"+web+"/logs?follow=true")
	if answer.StatusCode == http.StatusOK { // this machine was slow: the headers went first
		assert.Equal(t, wire.EventStream, answer.Header.Get("Content-Type"))
		_, err := answer.rest()
		assert.Equal(t, io.EOF, err)
		return
	}
	assert.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	assert.Equal(t, hosting.Unavailable, answer.problem(t).Reason)
}
