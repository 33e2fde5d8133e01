package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/httpapi/client"
	"skillcenter.io/hosting/internal/mocks"
	"skillcenter.io/hosting/internal/pipehttp"

	"github.com/golang/mock/gomock"
)

func TestErrorsAreThoseOfTheProvider(t *testing.T) {
	t.Parallel()
	want := &hosting.Error{Provider: "other", Code: hosting.RestartFailed, Reason: hosting.QuotaExceeded, Message: "no room: replicas 7: allowed: 3",
		InstanceID: "other:default.deployment.web", RetryAfter: 1500 * time.Millisecond,
		Err: hosting.FieldErrors{{Field: "replicas", Value: "7", Allowed: "3"}}, Cleanup: errors.New("volume a is left")}
	p := mocks.NewMockCloudHostingProvider(gomock.NewController(t))
	p.EXPECT().ProviderName().Return("main").AnyTimes()
	p.EXPECT().SupportedRegions().Return([]string{"default"}).AnyTimes()
	p.EXPECT().SupportedInstanceTypes().Return([]string{"deployment"}).AnyTimes()
	p.EXPECT().RestartInstance(gomock.Any(), web).Return(want)
	got := failed(t, overREST(t, p, nil).RestartInstance(t.Context(), web))
	assert.Equal(t, want, got)
	var fields hosting.FieldErrors
	require.ErrorAs(t, error(got), &fields)
	assert.Equal(t, want.Error(), got.Error())
}

func TestAnswersThatAreNotTheAPIsAreErrorsToo(t *testing.T) {
	t.Parallel()
	html := func(status int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	long := "<html>" + strings.Repeat("x", 5000) + "secret-at-the-end"
	for _, test := range []struct {
		name   string
		answer func(http.ResponseWriter)
		reason hosting.Reason
		text   string
	}{
		{"a page of a proxy", html(502, "<h1>Bad\n Gateway</h1>"), hosting.Unavailable, `status 502, type "text/html": "<h1>Bad Gateway</h1>"`},
		{"a long page", html(500, long), hosting.Unavailable, `"<html>xxx`},
		{"a login page", html(200, "<form>"), hosting.Internal, "is the base URL that of the API?"},
		{"no page", html(404, ""), hosting.Internal, `status 404, type "text/html": nothing`},
		{"unauthorized", html(401, "who?"), hosting.Unauthenticated, "who?"},
		{"proxy wants to know who", html(407, "who?"), hosting.Unauthenticated, "who?"},
		{"forbidden", html(403, "no"), hosting.PermissionDenied, "no"},
		{"too many", html(429, "later"), hosting.RateLimited, "later"},
		{"too large", html(413, "too much"), hosting.InvalidArgument, "too much"},
		{"gateway timeout", html(504, "slow"), hosting.DeadlineExceeded, "slow"},
		{"teapot", html(418, "tea"), hosting.Internal, "tea"},
		{"a redirect", func(w http.ResponseWriter) { w.Header().Set("Location", "https://elsewhere.test/"); w.WriteHeader(307) }, hosting.Internal, "redirects are not followed"},
		{"a problem of somebody else", func(w http.ResponseWriter) { problem(w, 403, map[string]any{"title": "policy of the gateway"}) }, hosting.PermissionDenied, "policy of the gateway"},
		{"a problem that is cut", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("Content-Length", "1000")
			w.WriteHeader(404)
			fmt.Fprint(w, `{"reason":"NotFound",`)
			flush(w)
			sever()
		}, hosting.Internal, "status 404"},
		{"a problem as plain JSON", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(404)
			fmt.Fprint(w, `{"reason":"NotFound"}`)
		}, hosting.Internal, "status 404"},
		{"no JSON", func(w http.ResponseWriter) { answer(w, "{") }, hosting.Internal, "cannot be read"},
		{"nothing", func(w http.ResponseWriter) { w.WriteHeader(200) }, hosting.Internal, "cannot be read"},
		{"another JSON", func(w http.ResponseWriter) { answer(w, `[1]`) }, hosting.Internal, "cannot be read"},
		{"binary", func(w http.ResponseWriter) { w.WriteHeader(500); _, _ = w.Write([]byte{0xff, 0, 1}) }, hosting.Unavailable, "status 500"},
		{"an answer that is too large", func(w http.ResponseWriter) { answer(w, `{"id":"`+strings.Repeat("x", 2000)+`"}`) }, hosting.Internal, "larger than 1024 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := scripted(t, func(w http.ResponseWriter, _ *http.Request, _ int) { test.answer(w) }, client.WithRetries(0), client.WithMaxAnswerBytes(1024))
			_, err := s.GetInstance(t.Context(), web)
			e := failed(t, err)
			assert.Equal(t, test.reason, e.Reason, e)
			assert.Equal(t, hosting.GetFailed, e.Code)
			assert.Equal(t, "main", e.Provider)
			assert.Equal(t, web, e.InstanceID)
			assert.Contains(t, e.Message, test.text)
			assert.Less(t, len(e.Message), 500)
			assert.NotContains(t, e.Message, "secret-at-the-end")
			assert.False(t, errors.Is(err, hosting.NotFound), "who does not know the API does not know what there is")
		})
	}
}

func TestTheTokenIsSentToTheServerAndShownNowhere(t *testing.T) {
	t.Parallel()
	const token = "very-secret-token-0123456789"
	s := scripted(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		w.WriteHeader(500)
		fmt.Fprint(w, strings.Repeat("x", 180), "you sent ", r.Header.Get("Authorization"))
	}, client.WithToken(token), client.WithUserAgent("tester/1"))
	err := s.StopInstance(t.Context(), web)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "very-secret")
	assert.Equal(t, "Bearer "+token, s.asked()[0].header.Get("Authorization"))
	assert.Equal(t, "tester/1", s.asked()[0].header.Get("User-Agent"))
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.NotContains(t, fmt.Sprintf(format, s.Client), token)
		assert.NotContains(t, fmt.Sprintf(format, *s.Client), token) //nolint:govet // on purpose
	}
	_, err = client.New(t.Context(), baseURL, client.WithToken("very-secret\n"))
	require.ErrorIs(t, err, hosting.InvalidArgument)
	assert.NotContains(t, err.Error(), "very-secret")
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s was sent elsewhere, with Authorization %q", r.Method, r.URL, r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		here := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, status)
		}))
		_, err := client.New(t.Context(), here.URL+"/api/hosting", client.WithToken("token"))
		here.Close()
		require.ErrorContains(t, err, "redirects are not followed")

		// Nor by a client of the user's that would.
		s := scripted(t, func(w http.ResponseWriter, r *http.Request, _ int) { http.Redirect(w, r, elsewhere.URL, status) }, client.WithToken("token"))
		for _, call := range calls {
			require.Error(t, call.do(t.Context(), s.Client), call.name)
		}
		for _, err := range s.StreamLogs(t.Context(), web, hosting.LogQueryOptions{}) {
			require.ErrorContains(t, err, "redirects are not followed")
		}
	}
}

func TestMistakesInWhatNewIsGivenAreNamed(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "hosting.test/api", "ftp://hosting.test", "http://", "http:hosting.test", "http://user:pass@hosting.test/api", "http://hosting.test/api?x=1",
		"http://hosting.test/api?", "http://hosting.test/api#x", "http://%zz", "unix:///var/run/hosting"} {
		_, err := client.New(t.Context(), url)
		require.ErrorIs(t, err, hosting.InvalidArgument, url)
		assert.Equal(t, hosting.InvalidConfig, hosting.CodeOf(err))
		assert.ErrorContains(t, err, "baseURL")
		assert.NotContains(t, err.Error(), "pass@")
	}
	for name, option := range map[string]client.Option{
		"WithRetries": client.WithRetries(-1), "WithUserAgent": client.WithUserAgent("a\nb"), "WithStreamTimeout": client.WithStreamTimeout(0),
		"WithMaxAnswerBytes": client.WithMaxAnswerBytes(0), "WithToken": client.WithToken("ä"),
	} {
		_, err := client.New(t.Context(), baseURL, option)
		require.ErrorContains(t, err, name)
	}
}

func TestNewNeedsAServerThatAnswers(t *testing.T) {
	t.Parallel()
	server := pipehttp.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, `{"items":[]}`) }))
	_, err := client.New(t.Context(), baseURL, client.WithHTTPClient(httpClient(server)))
	require.ErrorContains(t, err, "the server names no provider")
	server.Close()
	_, err = client.New(t.Context(), baseURL, client.WithHTTPClient(httpClient(server)), client.WithRetries(0))
	require.ErrorIs(t, err, hosting.Unavailable)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client.New(ctx, baseURL)
	require.ErrorIs(t, err, hosting.Canceled)
}

func TestAnAuthorizersRefusalIsItsOwn(t *testing.T) {
	t.Parallel()
	for reason, code := range map[hosting.Reason]int{hosting.Unauthenticated: 401, hosting.PermissionDenied: 403} {
		refuse := false
		api, err := httpapi.New(hosting.CloudHostingProvider(named{}), nil, httpapi.WithAuthorizer(func(r *http.Request, _ httpapi.Access) (context.Context, error) {
			if refuse {
				return nil, reason
			}
			return r.Context(), nil
		}))
		require.NoError(t, err)
		c := connect(t, api)
		refuse = true
		err = c.StopInstance(t.Context(), web)
		require.ErrorIs(t, err, reason, code)
		assert.Equal(t, hosting.StopFailed, hosting.CodeOf(err))
	}
}

// named is a provider that can do nothing but say what it is.
type named struct{ hosting.UnimplementedProvider }

func (named) ProviderName() string             { return "main" }
func (named) SupportedRegions() []string       { return []string{"default"} }
func (named) SupportedInstanceTypes() []string { return []string{"deployment"} }
