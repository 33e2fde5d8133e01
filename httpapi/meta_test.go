package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/wire"
)

func TestCapabilitiesAreToldForAPlaceAndForAnInstance(t *testing.T) {
	t.Parallel()
	e := newExtended(t)
	for path, p := range map[string]*fake.Provider{
		"/capabilities?type=deployment":                    e.a,
		"/capabilities?region=edge&type=deployment":        e.b,
		"/instances/default.deployment.web/capabilities":   e.a,
		"/instances/b:default.deployment.web/capabilities": e.b,
	} {
		want, err := p.Capabilities(t.Context(), "", hosting.TypeDeployment)
		require.NoError(t, err)
		var got hosting.CapabilitySet
		e.do("GET", path, nil).is(http.StatusOK).into(&got)
		assert.Equal(t, want, got, path)
	}
	for path, says := range map[string]string{
		"/capabilities?region=moon&type=deployment":      "region",
		"/capabilities?type=lambda":                      "instanceType",
		"/capabilities?kind=job":                         `"kind"`,
		"/instances/default.lambda.web/capabilities":     "lambda",
		"/instances/web/capabilities":                    `"web"`,
		"/capabilities?type=job&type=job":                "2 times",
		"/instances/default.job.web/capabilities?type=x": `"type"`,
	} {
		e.do("GET", path, nil).problem(http.StatusBadRequest, hosting.GetFailed, hosting.InvalidArgument, says)
	}
	e.do("GET", "/instances/c:default.deployment.web/capabilities", nil).problem(http.StatusNotFound, hosting.InstanceNotFound, hosting.NotFound)
}

func TestAProviderThatDoesNotTellItsCapabilitiesIs501(t *testing.T) {
	t.Parallel()
	api, err := httpapi.New(hosting.UnimplementedProvider{}, nil, httpapi.AllowAnonymous())
	require.NoError(t, err)
	for _, path := range []string{"/capabilities", "/instances/default.deployment.web/capabilities", "/autoscale", "/skills/x/compatibility"} {
		w := httptest.NewRecorder()
		api.ServeHTTP(w, httptest.NewRequest("GET", "/api/hosting"+path, nil))
		assert.Equal(t, http.StatusNotImplemented, w.Code, path)
	}
}

func TestProvidersAreThoseThatTheCallerMayKnow(t *testing.T) {
	t.Parallel()
	g := &guard{}
	e := newExtended(t, httpapi.WithAuthorizer(g.authorize))
	var list wire.List[hosting.ProviderInfo]
	e.do("GET", "/providers", nil).is(http.StatusOK).into(&list)
	assert.Equal(t, hosting.Providers(e.router), list.Items)
	assert.Equal(t, []httpapi.Access{{Action: httpapi.GetProviders}, {Action: httpapi.GetProviders, Provider: "a"}, {Action: httpapi.GetProviders, Provider: "b"}}, g.take())
	g.refuse = func(access httpapi.Access) bool { return access.Provider == "a" }
	assert.Equal(t, []string{"b"}, e.do("GET", "/providers", nil).ids("name"))
	g.refuse = func(access httpapi.Access) bool { return access.Provider != "" }
	assert.Empty(t, e.do("GET", "/providers", nil).ids("name"))
}

func TestAProviderWithoutRegionsHasEmptyLists(t *testing.T) {
	t.Parallel()
	api, err := httpapi.New(hosting.UnimplementedProvider{}, nil, httpapi.AllowAnonymous())
	require.NoError(t, err)
	w := httptest.NewRecorder()
	api.ServeHTTP(w, httptest.NewRequest("GET", "/api/hosting/providers", nil))
	assert.JSONEq(t, `{"items":[{"name":"","regions":[],"instanceTypes":[]}]}`, w.Body.String())
}

func TestTheCompatibilityOfASkillIsTold(t *testing.T) {
	t.Parallel()
	g := &guard{}
	e := newExtended(t, httpapi.WithAuthorizer(g.authorize))
	var got hosting.HostingCompatibility
	e.do("GET", "/skills/translate/compatibility", nil).is(http.StatusOK).into(&got)
	assert.Equal(t, "translate", got.SkillID)
	assert.NotEmpty(t, got.Checks)
	assert.Equal(t, []httpapi.Access{{Action: httpapi.CheckCompatibility, ID: "translate"}}, g.take())
	e.do("GET", "/skills/a%2Fb%20c/compatibility", nil).problem(http.StatusNotFound, hosting.CompatibilityFailed, hosting.NotFound, `"a/b c"`)
	e.do("GET", "/skills/translate/compatibility?x=1", nil).problem(http.StatusBadRequest, hosting.CompatibilityFailed, hosting.InvalidArgument)
}

func TestTheDocumentIsServedToEverybody(t *testing.T) {
	t.Parallel()
	e := newExtended(t, httpapi.WithAuthorizer((&guard{refuse: func(httpapi.Access) bool { return true }}).authorize))
	got := e.do("GET", "/openapi.yaml", nil).is(http.StatusOK)
	assert.Equal(t, wire.YAML, got.header.Get("Content-Type"))
	assert.Contains(t, string(got.body), "openapi: 3.1")
	tag := got.header.Get("ETag")
	require.NotEmpty(t, tag)
	assert.Empty(t, e.do("GET", "/openapi.yaml", nil, "If-None-Match", tag).is(http.StatusNotModified).body)
	assert.Empty(t, e.do("HEAD", "/openapi.yaml", nil).is(http.StatusOK).body)
	e.do("GET", "/openapi.yaml?x=1", nil).problem(http.StatusBadRequest, hosting.GetFailed, hosting.InvalidArgument)
}

// observed is an extension whose IsAvailable can be watched.
type observed struct {
	hosting.UnimplementedAdapter
	looks atomic.Int32
	look  func(ctx context.Context) bool
}

func (o *observed) IsAvailable(ctx context.Context) bool {
	o.looks.Add(1)
	return o.look(ctx)
}

// statusAPI serves an extension, in a bubble: without a socket.
func statusAPI(t *testing.T, look func(context.Context) bool) (*observed, func(context.Context) int) {
	t.Helper()
	o := &observed{look: look}
	api, err := httpapi.New(fake.New(), o, httpapi.WithAuthorizer((&guard{refuse: func(httpapi.Access) bool { return true }}).authorize))
	require.NoError(t, err)
	return o, func(ctx context.Context) int {
		w := httptest.NewRecorder()
		api.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/api/hosting/status", nil))
		want := map[int]string{200: `{"available":true,"protocol":"0.7.3"}`, 503: `{"available":false,"protocol":"0.7.3"}`}
		if text, has := want[w.Code]; assert.True(t, has, w.Code) {
			assert.JSONEq(t, text, w.Body.String())
		}
		return w.Code
	}
}

func TestTheStatusIsLookedUpOnceIn5SecondsHoweverManyAsk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		available := true
		o, status := statusAPI(t, func(context.Context) bool {
			time.Sleep(time.Second)
			return available
		})
		var asking sync.WaitGroup
		for range 500 {
			asking.Go(func() { assert.Equal(t, http.StatusOK, status(t.Context())) })
		}
		asking.Wait()
		assert.EqualValues(t, 1, o.looks.Load(), "those who ask at once share a look")
		available = false
		time.Sleep(5*time.Second - time.Nanosecond)
		assert.Equal(t, http.StatusOK, status(t.Context()))
		assert.EqualValues(t, 1, o.looks.Load())
		time.Sleep(time.Nanosecond)
		assert.Equal(t, http.StatusServiceUnavailable, status(t.Context()))
		assert.Equal(t, http.StatusServiceUnavailable, status(t.Context()), "what is not available is kept, too")
		assert.EqualValues(t, 2, o.looks.Load())
	})
}

func TestALookOutlivesTheClientThatBeganIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, status := statusAPI(t, func(ctx context.Context) bool {
			select {
			case <-time.After(3 * time.Second):
				return true
			case <-ctx.Done():
				return false
			}
		})
		first, leave := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		asking.Go(func() { status(first) })
		synctest.Wait()
		asking.Go(func() { assert.Equal(t, http.StatusOK, status(t.Context())) })
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		asking.Go(func() {
			assert.Equal(t, http.StatusServiceUnavailable, status(impatient), "nobody is held who has left")
		})
		synctest.Wait()
		leave()
		asking.Wait()
		assert.EqualValues(t, 1, o.looks.Load())
		assert.Equal(t, http.StatusOK, status(t.Context()))
	})
}

func TestALookThatTakesTooLongIsNotAvailable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, status := statusAPI(t, func(ctx context.Context) bool {
			<-ctx.Done()
			return false
		})
		began := time.Now()
		assert.Equal(t, http.StatusServiceUnavailable, status(t.Context()))
		assert.Equal(t, 5*time.Second, time.Since(began))

		// One that does not heed its context holds up one request, not all.
		end := make(chan struct{})
		o, status := statusAPI(t, func(context.Context) bool {
			<-end
			return true
		})
		var asking sync.WaitGroup
		asking.Go(func() { assert.Equal(t, http.StatusOK, status(t.Context())) })
		synctest.Wait()
		assert.Equal(t, http.StatusServiceUnavailable, status(t.Context()))
		close(end)
		asking.Wait()
		assert.EqualValues(t, 1, o.looks.Load())
		assert.Equal(t, http.StatusOK, status(t.Context()))
	})
}

func TestALookThatPanicsIsNotTheLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := &observed{look: func(context.Context) bool { panic("on purpose") }}
		api, err := httpapi.New(fake.New(), o, httpapi.AllowAnonymous())
		require.NoError(t, err)
		status := func() int {
			w := httptest.NewRecorder()
			api.ServeHTTP(w, httptest.NewRequest("GET", "/api/hosting/status", nil))
			return w.Code
		}
		assert.Equal(t, http.StatusInternalServerError, status())
		assert.Equal(t, http.StatusServiceUnavailable, status())
		o.look = func(context.Context) bool { return true }
		time.Sleep(5 * time.Second)
		assert.Equal(t, http.StatusOK, status())
	})
}
