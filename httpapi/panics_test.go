package httpapi_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/golang/mock/gomock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/mocks"
	"skillcenter.io/hosting/internal/wire"
	"skillcenter.io/hosting/provider"
)

func TestAProviderThatPanicsIsA500AndLoggedWithItsStack(t *testing.T) {
	t.Parallel()
	var logs safeBuffer
	p := mocks.NewMockCloudHostingProvider(gomock.NewController(t))
	p.EXPECT().ProviderName().Return("p").AnyTimes()
	p.EXPECT().GetInstance(gomock.Any(), gomock.Any()).Do(func(context.Context, string) { panic("out of cheese") }).AnyTimes()
	api := newAPI(t, p, nil, httpapi.AllowAnonymous(), httpapi.WithMaxRequests(1), httpapi.WithLogger(slog.New(slog.NewJSONHandler(&logs, nil))))
	for range 3 { // it gives its place back
		answer := ask(api, "GET", getWeb, "", wire.RequestID, "the-one")
		assert.Equal(t, 500, answer.Code)
		problem := problemIn(t, answer)
		assert.Equal(t, "the server failed on this request", problem.Detail)
		assert.NotContains(t, answer.Body.String(), "cheese")
		assert.NotContains(t, answer.Body.String(), ".go")
	}
	for _, part := range []string{"out of cheese", "panics_test.go", "the-one", "getInstance"} {
		assert.Contains(t, logs.String(), part)
	}
	require.NoError(t, api.Shutdown(t.Context()), "nobody is left inside")
}

func TestAnAuthorizerThatPanicsIsA500(t *testing.T) {
	t.Parallel()
	p, x := untouched(t)
	api := newAPI(t, p, x, httpapi.WithAuthorizer(func(*http.Request, httpapi.Access) (context.Context, error) { panic("no") }))
	assert.Equal(t, 500, ask(api, "GET", getWeb, "").Code)
}

func TestAPanicAfterTheAnswerBeganCutsTheConnection(t *testing.T) {
	t.Parallel()
	var logs safeBuffer
	w := newWorld(t).furnish(t)
	api := newAPI(t, w.provider, w.extension, httpapi.AllowAnonymous(), httpapi.WithLogger(slog.New(slog.NewJSONHandler(&logs, nil))))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { api.ServeHTTP(&dropping{w}, r) }))
	defer server.Close()
	answer, err := http.Get(server.URL + getWeb)
	if err == nil {
		defer answer.Body.Close()
		_, err = io.ReadAll(answer.Body)
	}
	require.Error(t, err, "nobody may take it for a whole answer")
	assert.Contains(t, logs.String(), "the writer is broken")
	require.NoError(t, api.Shutdown(t.Context()))
}

// dropping panics in the middle of an answer.
type dropping struct{ http.ResponseWriter }

func (d *dropping) Write(p []byte) (int, error) {
	_, _ = d.ResponseWriter.Write(p[:len(p)/2])
	_ = http.NewResponseController(d.ResponseWriter).Flush()
	panic("the writer is broken")
}

func (d *dropping) Unwrap() http.ResponseWriter { return d.ResponseWriter }

// stumbling panics in the middle of a stream.
type stumbling struct{ *provider.Router }

func TestAPanicInAStreamCutsIt(t *testing.T) {
	t.Parallel()
	var logs safeBuffer
	w := newWorld(t).furnish(t)
	api := newAPI(t, stumbling{w.provider}, w.extension, httpapi.AllowAnonymous(), httpapi.WithMaxStreams(1), httpapi.WithLogger(slog.New(slog.NewJSONHandler(&logs, nil))))
	server := httptest.NewServer(api)
	defer server.Close()
	for range 3 { // it gives its place back
		answer, err := http.Get(server.URL + getWeb + "/logs?follow=true")
		require.NoError(t, err)
		require.Equal(t, 200, answer.StatusCode)
		data, err := io.ReadAll(answer.Body)
		require.Error(t, err, "nobody may take it for the whole log")
		require.NoError(t, answer.Body.Close())
		assert.Contains(t, string(data), "the first line")
		assert.NotContains(t, string(data), "event: "+wire.EventEnd)
		assert.NotContains(t, string(data), "cheese")
	}
	assert.Contains(t, logs.String(), "out of cheese")
	require.NoError(t, api.Shutdown(t.Context()))
}
