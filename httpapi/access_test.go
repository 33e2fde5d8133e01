package httpapi_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/intercept"
	"skillcenter.io/hosting/internal/wire"
)

// noted is an Authorizer that allows all and notes what it is asked.
type noted struct {
	mu   sync.Mutex
	asks []httpapi.Access
}

func (n *noted) authorize(r *http.Request, access httpapi.Access) (context.Context, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asks = append(n.asks, access)
	return r.Context(), nil
}

// first returns what was asked before anything was done.
func (n *noted) first(t *testing.T, what string) httpapi.Access {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	require.NotEmpty(t, n.asks, what)
	return n.asks[0]
}

func TestTheAuthorizerIsToldWhatARequestIsAbout(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		if strings.Contains(strings.Join(public, " "), s.method()+" "+prefix+s.target) {
			continue
		}
		var n noted
		w := newWorld(t).furnish(t)
		ctx, cancel := context.WithCancel(t.Context())
		if s.stream {
			cancel()
		}
		serve(newAPI(t, w.provider, w.extension, httpapi.WithAuthorizer(n.authorize)), newRequest(s.method(), prefix+s.target, s.body).WithContext(ctx))
		cancel()
		assert.Equal(t, s.access, n.first(t, s.route), s.route)
	}
}

// What a creation leaves out is told as the provider will fill it in, and what
// it makes is where the Authorizer was told.
func TestTheAuthorizerIsToldWhereACreationWillGo(t *testing.T) {
	t.Parallel()
	const container = `"instanceType":"deployment","container":{"image":"nginx:1.29"}`
	for _, c := range []struct {
		target, body, at string
		want             httpapi.Access
	}{
		{"/instances", `{"instanceName":"a",` + container + `}`, "near:default.deployment.a", httpapi.Access{Provider: "near", Region: "default", Type: "deployment", Name: "a"}},
		{"/instances", `{"instanceName":"a","provider":"far",` + container + `}`, "far:default.deployment.a", httpapi.Access{Provider: "far", Region: "default", Type: "deployment", Name: "a"}},
		{"/instances", `{"instanceName":"a","region":"other",` + container + `}`, "near:other.deployment.a", httpapi.Access{Provider: "near", Region: "other", Type: "deployment", Name: "a"}},
		{"/volumes", `{"name":"a","size":1000}`, "near:default.volume.a", httpapi.Access{Provider: "near", Region: "default", Type: "volume", Name: "a"}},
		{"/volumes", `{"name":"a","size":1000,"provider":"far","region":"other"}`, "far:other.volume.a", httpapi.Access{Provider: "far", Region: "other", Type: "volume", Name: "a"}},
	} {
		var n noted
		w := newWorld(t)
		answer := ask(newAPI(t, w.provider, w.extension, httpapi.WithAuthorizer(n.authorize)), "POST", prefix+c.target, c.body)
		require.Equal(t, http.StatusCreated, answer.Code, answer.Body)
		got := n.first(t, c.body)
		got.Action, got.Changes = "", false
		assert.Equal(t, c.want, got, c.body)
		assert.Equal(t, prefix+c.target+"/"+c.at, answer.Header().Get("Location"))
	}
}

func TestAnIdIsToldWithTheDefaultProvidersName(t *testing.T) {
	t.Parallel()
	var n noted
	w := newWorld(t).furnish(t)
	api := newAPI(t, w.provider, w.extension, httpapi.WithAuthorizer(n.authorize))
	for _, id := range []string{"default.deployment.web", "near:default.deployment.web", "far:default.deployment.web"} {
		n.asks = nil
		ask(api, "GET", prefix+"/instances/"+id, "")
		provider := "near"
		if strings.HasPrefix(id, "far") {
			provider = "far"
		}
		assert.Equal(t, httpapi.Access{Action: httpapi.GetInstance, Provider: provider, Region: "default", Type: "deployment", Name: "web", ID: id}, n.first(t, id))
	}
}

type callerKey struct{}

// What the Authorizer says of the caller, and the request's own end, reach the
// provider, whichever route it is called through.
func TestTheAuthorizersContextReachesTheProvider(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		w := newWorld(t).furnish(t)
		ctx, cancel := context.WithCancel(t.Context())
		var calls int
		p := intercept.Wrap(w.provider, func(ctx context.Context, call intercept.Call) (context.Context, func(intercept.Result)) {
			calls++
			assert.Equal(t, "alice", ctx.Value(callerKey{}), "%s: %s", s.route, call.Method)
			assert.Equal(t, "an-id", httpapi.RequestID(ctx), "%s: %s", s.route, call.Method)
			cancel()
			assert.ErrorIs(t, ctx.Err(), context.Canceled, "%s: %s", s.route, call.Method)
			return ctx, func(intercept.Result) {}
		})
		api := newAPI(t, p, w.extension, httpapi.WithAuthorizer(func(r *http.Request, _ httpapi.Access) (context.Context, error) {
			return context.WithValue(r.Context(), callerKey{}, "alice"), nil
		}))
		serve(api, newRequest(s.method(), prefix+s.target, s.body, wire.RequestID, "an-id").WithContext(ctx))
		cancel()
		if strings.Contains(s.route, "/instances") && !strings.HasSuffix(s.route, "/{id}/autoscale") || strings.Contains(s.route, "/cost") {
			assert.Positive(t, calls, "%s calls the provider", s.route)
		}
	}
}

func TestADryRunAsksForWhatItsPlanShows(t *testing.T) {
	t.Parallel()
	w := newWorld(t).furnish(t)
	var asked []httpapi.Action
	api, err := httpapi.New(w.provider, w.extension, httpapi.WithAuthorizer(func(r *http.Request, access httpapi.Access) (context.Context, error) {
		asked = append(asked, access.Action)
		if access.Action == httpapi.GetInstance {
			return nil, hosting.PermissionDenied
		}
		return r.Context(), nil
	}))
	require.NoError(t, err)
	body := `{"instanceName":"web","instanceType":"deployment","container":{"image":"guess"}}`
	for _, target := range []string{"POST /instances?dryRun=true", "PUT /instances/default.deployment.web?dryRun=true"} {
		asked = nil
		method, path, _ := strings.Cut(target, " ")
		r := newRequest(method, prefix+path, body)
		r.Header.Set("Content-Type", wire.JSON)
		assert.Equal(t, 403, serve(api, r).Code, target)
		assert.Contains(t, asked, httpapi.GetInstance, target)
	}
}

func TestABrowserDoesNotChangeAnythingForAnotherOrigin(t *testing.T) {
	t.Parallel()
	w := newWorld(t).furnish(t)
	change := func(api http.Handler, header ...string) int {
		return serve(api, newRequest(http.MethodPost, prefix+"/instances/default.deployment.web/stop", "", header...)).Code
	}
	anonymous := newAPI(t, w.provider, w.extension, httpapi.AllowAnonymous())
	assert.Equal(t, 403, change(anonymous, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"))
	assert.Equal(t, 403, change(anonymous, "Origin", "https://evil.example"))
	instance, err := w.provider.GetInstance(t.Context(), "default.deployment.web")
	require.NoError(t, err)
	assert.NotContains(t, []hosting.Status{hosting.StatusStopping, hosting.StatusStopped}, instance.Status)
	assert.Equal(t, 202, change(anonymous), "what is no browser")
	assert.Equal(t, 202, change(anonymous, "Sec-Fetch-Site", "same-origin"))

	everybody, err := httpapi.New(w.provider, w.extension, httpapi.WithAuthorizer(func(r *http.Request, _ httpapi.Access) (context.Context, error) { return r.Context(), nil }))
	require.NoError(t, err)
	assert.Equal(t, 202, change(everybody, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"), "the program has decided")
}
