package httpapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/wire"
)

// says is a handler that answers with a text.
func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

func TestTheAPIIsMountedBesideTheHostsRoutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t).furnish(t)
	api := newAPI(t, w.provider, w.extension)
	for _, patterns := range [][]string{
		nil,
		{"/"}, {"GET /"}, {"GET /{$}"}, {"POST /api/"}, {"/api/"}, {"GET /api/{rest...}"}, {"/", "GET /", "POST /api/", "GET /api/x"}, {"/", "/api/", "POST /api/"},
		{"/api/hosting/"},        // without a method, for what remains: ours has one
		{"GET /api/hosting/own"}, // a route of the host's own below the prefix
		{"/api/hosting"}, {"GET /{any}"}, {"GET /{any}/{more}"}, {"/api/hosting-of-another-kind/"}, {"example.org/"},
	} {
		mux := http.NewServeMux()
		for _, pattern := range patterns {
			mux.Handle(pattern, says("the host's "+pattern))
		}
		api.Mount(mux)
		for _, target := range []string{"/providers", "/instances/default.deployment.web"} {
			answer := ask(mux, "GET", prefix+target, "")
			assert.Equal(t, 200, answer.Code, "%q: %s", patterns, answer.Body)
			assert.NotEmpty(t, answer.Header().Get(wire.RequestID), "%q: it is ours", patterns)
			answer = ask(mux, "HEAD", prefix+target, "")
			assert.Equal(t, 200, answer.Code, "%q", patterns)
		}
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} {
			answer := ask(mux, method, prefix+"/providers", "")
			assert.Equal(t, http.StatusMethodNotAllowed, answer.Code, "%q", patterns)
			assert.Equal(t, "GET, HEAD", answer.Header().Get("Allow"))
			problemIn(t, answer)
		}
	}
}

func TestTheHostKeepsWhatIsItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mux := http.NewServeMux()
	mux.Handle("GET /", says("home"))
	mux.Handle("POST /api/", says("posted"))
	mux.Handle("GET "+prefix+"/own", says("own"))
	mux.Handle("example.org/", says("another site"))
	newAPI(t, w.provider, w.extension).Mount(mux)
	for request, want := range map[string]string{
		"GET /": "home", "GET /api/other": "home", "POST /api/other": "posted", "GET " + prefix + "/own": "own", "GET " + prefix + "-more": "home",
		"GET http://example.org" + prefix + "/providers": "another site", "PROPFIND " + prefix + "/providers": "Method Not Allowed\n",
	} {
		method, target, _ := strings.Cut(request, " ")
		assert.Equal(t, want, ask(mux, method, target, "").Body.String(), request)
	}
	assert.Equal(t, prefix+"/", ask(mux, "GET", prefix, "").Header().Get("Location"), "as the mux has it for every subtree")
}

// What a mux cannot decide it refuses when it is set up, and not when it serves.
func TestWhatIsInConflictPanicsWhenItIsMounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	api := newAPI(t, w.provider, w.extension)
	for _, pattern := range []string{
		"GET " + prefix + "/", // the same
		"HEAD /",              // is it for HEAD below the prefix, as GET is?
		"/{any}/hosting/providers",
	} {
		mux := http.NewServeMux()
		mux.Handle(pattern, says(""))
		assert.Panics(t, func() { api.Mount(mux) }, pattern)
	}
	mux := http.NewServeMux()
	api.Mount(mux)
	assert.Panics(t, func() { api.Mount(mux) }, "twice")
}

func TestTwoAPIsShareAMux(t *testing.T) {
	t.Parallel()
	for _, prefixes := range [][2]string{{"/a", "/b"}, {"/api", "/api/hosting"}, {"/api/v1.0", "/api/v2~x_y-z"}} {
		mux := http.NewServeMux()
		for i, p := range prefixes {
			w := newWorld(t)
			_, err := w.provider.CreateInstance(t.Context(), configOf([]string{"first", "second"}[i], hosting.TypeDeployment))
			require.NoError(t, err)
			api := newAPI(t, w.provider, w.extension, httpapi.AllowAnonymous(), httpapi.WithPrefix(p))
			assert.Contains(t, api.Routes(), "GET "+p+"/instances")
			api.Mount(mux)
		}
		assert.Contains(t, ask(mux, "GET", prefixes[0]+"/instances", "").Body.String(), "first")
		assert.Contains(t, ask(mux, "GET", prefixes[1]+"/instances", "").Body.String(), "second")
		answer := ask(mux, "POST", prefixes[1]+"/volumes", `{"name":"v","size":1}`)
		require.Equal(t, 201, answer.Code, answer.Body)
		assert.Equal(t, prefixes[1]+"/volumes/near:default.volume.v", answer.Header().Get("Location"))
	}
}

func TestTheAPIServesBehindTheHostsMiddleware(t *testing.T) {
	t.Parallel()
	w := newWorld(t).furnish(t)
	api := newAPI(t, w.provider, w.extension)
	var pattern string
	middleware := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Host", "yes")
			next.ServeHTTP(w, r)
			pattern = r.Pattern
		})
	}
	mux := http.NewServeMux()
	api.Mount(mux)
	answer := ask(middleware(mux), "GET", getWeb, "")
	assert.Equal(t, 200, answer.Code)
	assert.Equal(t, "yes", answer.Header().Get("X-Host"))
	assert.Equal(t, "GET "+prefix+"/instances/{id}", pattern, "one of Routes, for metrics")

	// A prefix that the host takes off is one that the API does not have.
	stripped := http.StripPrefix("/outer", api)
	assert.Equal(t, 200, ask(stripped, "GET", "/outer"+getWeb, "").Code)
	assert.Equal(t, 404, ask(http.StripPrefix("/api", api), "GET", getWeb, "").Code)
	assert.Equal(t, 400, ask(stripped, "GET", "/outer"+prefix+"/instances/a%2Fb", "").Code)
}

func TestPathsThatAreOddAreNotFoundAndNotRedirected(t *testing.T) {
	t.Parallel()
	w := newWorld(t).furnish(t)
	api := newAPI(t, w.provider, w.extension)
	for _, target := range []string{
		"/", "/api", prefix, prefix + "/", prefix + "/instances/", prefix + "//instances", "//api/hosting/instances", prefix + "/./instances", prefix + "/x/../instances",
		prefix + "/instances/..", prefix + "/instances/.", prefix + "/instances%2Fdefault.deployment.web", "/api%2Fhosting/instances",
		prefix + "/Instances", prefix + "/instances/default.deployment.web/", prefix + "/instances/default.deployment.web/nothing", prefix + "/instances/default.deployment.web/start/now",
		prefix + "/nothing", "/api/hostingx/instances", prefix + "/openapi.yaml/", "*",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		if target == "*" {
			r.RequestURI, r.URL.Path = "*", "*"
		} else {
			r = httptest.NewRequest("GET", "http://host"+target, nil)
		}
		answer := serve(api, r)
		if assert.Equal(t, 404, answer.Code, target) {
			assert.Equal(t, hosting.Unsupported, problemIn(t, answer).Reason)
		}
	}
}

func TestIdsThatAreOddAreMistakesThatNameThem(t *testing.T) {
	t.Parallel()
	p, x := untouched(t)
	api := newAPI(t, p, x)
	for _, id := range []string{"a%2Fb", "a%2F..%2Fb", "a%2F", "%2e%2e", "%2Fetc%2Fpasswd", "x", "a.b", "a.b.c.d", "...", "%20", "%00", "%ff", "default.deployment.Web", "default.deployment.", ":default.deployment.web",
		"a:b:default.deployment.web", "default.deployment.web%0a", "default.deployment.web%2Fstart", "default.deployment." + strings.Repeat("a", 51), strings.Repeat("a", 60_000), strings.Repeat("%00", 20_000)} {
		for _, s := range samples() {
			if !strings.Contains(s.route, "{id}") || strings.Contains(s.route, "/skills") {
				continue
			}
			answer := ask(api, s.method(), prefix+strings.ReplaceAll(strings.Fields(s.route)[1], "{id}", id), s.body)
			if assert.Equal(t, 400, answer.Code, "%s %.80s: %s", s.route, id, answer.Body) {
				assert.Equal(t, hosting.InvalidArgument, problemIn(t, answer).Reason)
				assert.Less(t, answer.Body.Len(), 8<<10, "%s: nobody wants all of it back", s.route)
			}
		}
	}
}

func TestMethodsThatARouteDoesNotHaveAre405(t *testing.T) {
	t.Parallel()
	w := newWorld(t).furnish(t)
	api := newAPI(t, w.provider, w.extension)
	for path, allow := range map[string]string{
		"/instances": "GET, HEAD, POST", "/instances/default.deployment.web": "DELETE, GET, HEAD, PUT", "/instances/default.deployment.web/start": "POST",
		"/instances/default.deployment.web/resources": "PUT", "/instances/default.deployment.web/events": "GET, HEAD, POST", "/status": "GET, HEAD",
		"/instances/watch": "DELETE, GET, HEAD, PUT", // the latter two are for an instance of that id, of which there is none
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", strings.Repeat("X", 100)} {
			if strings.Contains(" "+allow+",", " "+method+",") {
				continue
			}
			r := httptest.NewRequest("GET", prefix+path, nil)
			r.Method = method
			answer := serve(api, r)
			assert.Equal(t, 405, answer.Code, "%s %s: %s", method, path, answer.Body)
			assert.Equal(t, allow, answer.Header().Get("Allow"), "%s %s", method, path)
			assert.Contains(t, problemIn(t, answer).Detail, allow)
		}
	}
}
