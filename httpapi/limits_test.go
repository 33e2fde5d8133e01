package httpapi_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/wire"
)

// wantTooMany checks an answer of a server that is full.
func wantTooMany(t *testing.T, answer stream) {
	t.Helper()
	assert.Equal(t, http.StatusTooManyRequests, answer.StatusCode)
	assert.Equal(t, "1", answer.Header.Get("Retry-After"))
	assert.Equal(t, hosting.RateLimited, answer.problem(t).Reason)
}

func TestStreamsHavePlacesOfTheirOwn(t *testing.T) {
	t.Parallel()
	provider := once()
	provider.metrics = func(context.Context) (hosting.InstanceMetrics, error) { return hosting.InstanceMetrics{}, nil }
	s := listen(t, provider, nil, httpapi.WithMaxRequests(1), httpapi.WithMaxStreams(2))
	first, second := s.follow(t, web), s.follow(t, web)
	first.want(t, wire.EventLog)
	second.want(t, wire.EventLog)
	wantTooMany(t, s.open(t, "/instances/"+web+"/logs?follow=true"))
	wantTooMany(t, s.open(t, "/instances/watch"))
	assert.Equal(t, http.StatusOK, s.open(t, "/instances/"+web+"/metrics").StatusCode, "streams take no place of a request")
	first.close()
	require.Eventually(t, func() bool {
		return s.open(t, "/instances/"+web+"/logs?follow=true").StatusCode == http.StatusOK
	}, patience, interval, "its place is free again")
}

func TestMoreRequestsThanPlacesAreRefused(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}, 2), make(chan struct{})
	provider := once()
	provider.metrics = func(context.Context) (hosting.InstanceMetrics, error) {
		entered <- struct{}{}
		<-release
		return hosting.InstanceMetrics{}, nil
	}
	s := listen(t, provider, nil, httpapi.WithMaxRequests(2))
	statuses := make(chan int, 2)
	for range 2 {
		go func() {
			response, err := s.Server.Client().Get(s.URL + "/api/hosting/instances/" + web + "/metrics")
			if !assert.NoError(t, err) {
				statuses <- 0
				return
			}
			_ = response.Body.Close()
			statuses <- response.StatusCode
		}()
	}
	<-entered
	<-entered
	wantTooMany(t, s.open(t, "/instances/"+web))
	wantTooMany(t, s.open(t, "/instances/"+web+"/logs?follow=true"))
	close(release)
	assert.Equal(t, []int{200, 200}, []int{<-statuses, <-statuses})
	require.Eventually(t, func() bool { return s.open(t, "/instances/"+web).StatusCode == http.StatusOK }, patience, interval)
}
