package httpapi_test

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting/httpapi"
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
