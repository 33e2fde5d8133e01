package main

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

func TestAFollowerIsToldThatTheServerEnds(t *testing.T) {
	t.Parallel()
	s := start(t, testToken)
	instance := s.create()
	response := s.open(http.MethodGet, instances+"/"+instance.ID+"/logs?follow=true", nil)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data:") {
	}
	require.NoError(t, lines.Err(), "a line of the log has arrived")
	_, text := s.send(http.MethodGet, "/metrics", nil)
	assert.Contains(t, text, "hosting_http_streams_open 1\n")

	require.NoError(t, s.end())
	_, err := io.ReadAll(response.Body)
	assert.NoError(t, err, "the answer ends, it is not cut off")
	line := s.log.await(t, "request", has("stream", true))
	assert.Equal(t, "/api/hosting/instances/{id}/logs", line["route"])
}

// slow is a provider whose lists take until they are let go.
type slow struct {
	hosting.UnimplementedProvider
	called chan struct{}
	free   chan struct{}
	once   sync.Once
}

func (*slow) ProviderName() string { return "slow" }

func (p *slow) ListInstances(context.Context) ([]hosting.CloudInstance, error) {
	p.once.Do(func() { close(p.called) })
	<-p.free
	return nil, nil
}

// served is a server of the slow provider, with a request that is being served.
type served struct {
	*server
	url     string
	slow    *slow
	answers chan int // the status, 0 if it was cut off
	ended   chan error
}

func serveSlow(t *testing.T) *served {
	t.Helper()
	s := &served{slow: &slow{called: make(chan struct{}), free: make(chan struct{})}, answers: make(chan int, 1), ended: make(chan error, 1)}
	var err error
	s.server, err = newServer(settings{}, s.slow, hosting.UnimplementedAdapter{}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.url = "http://" + listener.Addr().String()
	go func() { s.ended <- s.serve(listener) }()
	go func() {
		response, err := http.Get(s.url + instances)
		if err != nil {
			s.answers <- 0
			return
		}
		response.Body.Close()
		s.answers <- response.StatusCode
	}()
	<-s.slow.called
	return s
}

func (s *served) status(t *testing.T, path string) int {
	t.Helper()
	response, err := http.Get(s.url + path)
	require.NoError(t, err)
	defer response.Body.Close()
	return response.StatusCode
}

func TestARequestIsServedToItsEndWhileTheServerEnds(t *testing.T) {
	t.Parallel()
	s := serveSlow(t)
	done := make(chan error, 1)
	go func() { done <- s.shutdown(waitTime) }()
	require.Eventually(t, func() bool { return s.status(t, instances+"/default.deployment.x") == http.StatusServiceUnavailable },
		waitTime, 5*time.Millisecond, "others are refused")
	assert.Equal(t, http.StatusServiceUnavailable, s.status(t, "/readyz"))
	assert.Equal(t, http.StatusOK, s.status(t, "/healthz"), "it lives")
	close(s.slow.free)
	assert.NoError(t, <-done)
	assert.Equal(t, http.StatusOK, <-s.answers)
	assert.NoError(t, <-s.ended)
}

func TestARequestThatDoesNotEndIsCutOff(t *testing.T) {
	t.Parallel()
	s := serveSlow(t)
	err := s.shutdown(50 * time.Millisecond)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorContains(t, err, "-grace 50ms")
	assert.Zero(t, <-s.answers)
	assert.NoError(t, <-s.ended)
	close(s.slow.free)
}

func TestProvidersThatDoNotAnswerAreNotReady(t *testing.T) {
	t.Parallel()
	s := serveSlow(t)
	defer func() {
		close(s.slow.free)
		assert.NoError(t, s.shutdown(waitTime))
	}()
	assert.Equal(t, http.StatusServiceUnavailable, s.status(t, "/readyz"), "the adapter is never available")
	assert.Equal(t, http.StatusOK, s.status(t, "/healthz"))
}

func TestAListenerThatFailsEndsTheServer(t *testing.T) {
	t.Parallel()
	s, err := newServer(settings{}, &slow{}, hosting.UnimplementedAdapter{}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	assert.ErrorIs(t, s.serve(brokenListener{}), iotest.ErrTimeout)
}

type brokenListener struct{}

func (brokenListener) Accept() (net.Conn, error) { return nil, iotest.ErrTimeout }
func (brokenListener) Close() error              { return nil }
func (brokenListener) Addr() net.Addr            { return &net.TCPAddr{} }
