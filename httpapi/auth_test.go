package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/golang/mock/gomock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/intercept"
	"skillcenter.io/hosting/internal/mocks"
)

func bearer(t testing.TB) httpapi.Option {
	t.Helper()
	authorize, err := httpapi.BearerToken(token)
	require.NoError(t, err)
	return httpapi.WithAuthorizer(authorize)
}

// untouched returns a provider and an extension that fail the test when
// anything but the extension's IsAvailable is called.
func untouched(t *testing.T) (hosting.CloudHostingProvider, hosting.HostingExtensionSdkAdapter) {
	t.Helper()
	p := intercept.Wrap(newWorld(t).provider, func(ctx context.Context, call intercept.Call) (context.Context, func(intercept.Result)) {
		t.Errorf("the provider was called: %s", call.Method)
		return ctx, func(intercept.Result) {}
	})
	x := mocks.NewMockHostingExtensionSdkAdapter(gomock.NewController(t))
	x.EXPECT().IsAvailable(gomock.Any()).Return(true).AnyTimes()
	return p, x
}

// requestsFor are requests to a route: its sample if it has one, what any route
// could take, and what none does.
func requestsFor(pattern string) map[string]func() *http.Request {
	method, path, _ := strings.Cut(pattern, " ")
	target := strings.ReplaceAll(path, "{id}", "default.deployment.web")
	variants := map[string]func() *http.Request{
		"an empty body":     func() *http.Request { return newRequest(method, target, "") },
		"an object":         func() *http.Request { return newRequest(method, target, "{}") },
		"a malformed body":  func() *http.Request { return newRequest(method, target, `{"secretEnv":`) },
		"an oversized body": func() *http.Request { return newRequest(method, target, `"`+strings.Repeat("x", 2000)+`"`) },
		"a bad query":       func() *http.Request { return newRequest(method, target+"?unknown=1&pageSize=x&%zz", "") },
		"an empty id":       func() *http.Request { return newRequest(method, strings.ReplaceAll(path, "{id}", "%20"), "{}") },
		"a bad id":          func() *http.Request { return newRequest(method, strings.ReplaceAll(path, "{id}", "a%2Fb"), "{}") },
		"a precondition":    func() *http.Request { return newRequest(method, target, "{}", "If-Match", `"x"`) },
	}
	if method == http.MethodGet {
		variants["HEAD"] = func() *http.Request { return newRequest(http.MethodHead, target, "") }
	}
	for _, s := range samples() {
		if s.method()+" "+prefix+strings.Fields(s.route)[1] == pattern {
			variants["a valid request"] = func() *http.Request { return newRequest(method, prefix+s.target, s.body) }
		}
	}
	return variants
}

// Routes are those of the mux, so that one that is added is tested here without
// a change.
func TestNoRouteAnswersWithoutTheToken(t *testing.T) {
	t.Parallel()
	p, x := untouched(t)
	api := newAPI(t, p, x, bearer(t), httpapi.WithMaxBodyBytes(1000))
	var answered []string
	for _, pattern := range api.Routes() {
		if ask(api, strings.Fields(pattern)[0], strings.ReplaceAll(strings.Fields(pattern)[1], "{id}", "x"), "").Code != http.StatusUnauthorized {
			answered = append(answered, pattern)
			continue
		}
		for what, request := range requestsFor(pattern) {
			for how, header := range map[string]string{
				"nothing": "", "another token": "Bearer another-token-of-this-test", "no token": "Bearer", "a longer token": "Bearer " + token + "x",
				"a shorter token": "Bearer " + token[:len(token)-1], "another scheme": "Basic " + token, "the token alone": token,
			} {
				r := request()
				if header != "" {
					r.Header.Set("Authorization", header)
				}
				answer := serve(api, r)
				if !assert.Equal(t, http.StatusUnauthorized, answer.Code, "%s with %s and %s: %s", pattern, what, how, answer.Body) {
					continue
				}
				assert.Equal(t, `Bearer realm="hosting"`, answer.Header().Get("WWW-Authenticate"))
				problem := problemIn(t, answer)
				assert.Equal(t, hosting.Unauthenticated, problem.Reason)
				assert.Equal(t, "who calls is not known: an Authorization header is missing or not accepted", problem.Detail, "the same for all requests")
				assert.Empty(t, problem.InstanceID+problem.Cleanup)
				assert.Empty(t, problem.Fields)
			}
		}
	}
	assert.ElementsMatch(t, public, answered, "what answers everybody")
}

func TestTheTokenOpensEveryRoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	api := newAPI(t, w.provider, w.extension, bearer(t))
	for _, pattern := range api.Routes() {
		method, path, _ := strings.Cut(pattern, " ")
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // streams end at once
		r := newRequest(method, strings.ReplaceAll(path, "{id}", "default.deployment.web"), "", "Authorization", "Bearer "+token)
		assert.NotEqual(t, http.StatusUnauthorized, serve(api, r.WithContext(ctx)).Code, pattern)
	}
}

func TestBearerTokenTakesItsTokenAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, short := range []string{"", "x", "fifteen-letters", strings.Repeat(" ", 20), "sixteen letters!", "a-token-with-\x00-in-it", "a-token-with-ä-in-it"} {
		_, err := httpapi.BearerToken(short)
		require.Error(t, err, "%q", short)
		if short != "" && short != "x" {
			assert.NotContains(t, err.Error(), short)
		}
	}
	authorize, err := httpapi.BearerToken(token)
	require.NoError(t, err)
	for header, allowed := range map[string]bool{
		"Bearer " + token: true, "bearer " + token: true, "BEARER  " + token: true,
		"": false, "Bearer": false, "Bearer ": false, token: false, "Bearer" + token: false, "Basic " + token: false, "Bearer\t" + token: false,
		"Bearer " + token + " ": false, "Bearer " + token + ", Bearer " + token: false, "Bearer " + strings.ToUpper(token): false, "Bearer " + token[1:]: false,
	} {
		r := newRequest("GET", "/", "", "Authorization", header)
		ctx, err := authorize(r, httpapi.Access{})
		if allowed {
			assert.NoError(t, err, "%q", header)
			assert.Equal(t, r.Context(), ctx)
		} else {
			assert.ErrorIs(t, err, hosting.Unauthenticated, "%q", header)
		}
	}
	r := newRequest("GET", "/", "", "Authorization", "Bearer wrong", "Authorization", "Bearer "+token)
	_, err = authorize(r, httpapi.Access{})
	assert.ErrorIs(t, err, hosting.Unauthenticated, "of two headers the first counts")
}

func TestTheAuthorizersErrorDecidesTheAnswer(t *testing.T) {
	t.Parallel()
	const cause = "the directory at 10.0.0.1 says no"
	for _, c := range []struct {
		err    error
		status int
		reason hosting.Reason
	}{
		{hosting.Unauthenticated, 401, hosting.Unauthenticated},
		{hosting.PermissionDenied, 403, hosting.PermissionDenied},
		{hosting.Unavailable, 503, hosting.Unavailable},
		{hosting.DeadlineExceeded, 503, hosting.Unavailable},
		{hosting.Canceled, 503, hosting.Unavailable},
		{context.Canceled, 503, hosting.Unavailable},
		{context.DeadlineExceeded, 503, hosting.Unavailable},
		{hosting.NotFound, 403, hosting.PermissionDenied},
		{errors.New("something"), 403, hosting.PermissionDenied},
		{hosting.Errorf("p", hosting.GetFailed, hosting.Unauthenticated, "no"), 401, hosting.Unauthenticated},
		{hosting.Errorf("p", hosting.GetFailed, hosting.Unavailable, "no"), 503, hosting.Unavailable},
	} {
		var logs safeBuffer
		p, x := untouched(t)
		api := newAPI(t, p, x, httpapi.WithMaxBodyBytes(1000), httpapi.WithLogger(slog.New(slog.NewJSONHandler(&logs, nil))),
			httpapi.WithAuthorizer(func(*http.Request, httpapi.Access) (context.Context, error) {
				return nil, fmt.Errorf("%s: %w", cause, c.err)
			}))
		for _, pattern := range api.Routes() {
			if strings.Contains(strings.Join(public, " "), pattern) {
				continue
			}
			for what, request := range requestsFor(pattern) {
				answer := serve(api, request())
				if !assert.Equal(t, c.status, answer.Code, "%v: %s with %s: %s", c.err, pattern, what, answer.Body) {
					continue
				}
				assert.Equal(t, c.reason, problemIn(t, answer).Reason)
				assert.NotContains(t, answer.Body.String(), "10.0.0.1", "the cause is for the log")
			}
		}
		assert.Contains(t, logs.String(), cause)
	}
}
