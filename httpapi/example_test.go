package httpapi_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/httpapi"
)

// A host application mounts the API beside its own routes, a "GET /" among them,
// and behind its own middleware.
func Example() {
	authorize, err := httpapi.BearerToken("a-token-from-the-environment")
	if err != nil {
		fmt.Println(err)
		return
	}
	api, err := httpapi.New(fake.New(), nil, httpapi.WithAuthorizer(authorize))
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "the host's own page") })
	api.Mount(mux)

	// Middleware that wraps the ResponseWriter has to have an Unwrap method, or
	// there are no streams. This one does not wrap it.
	var requests atomic.Int64
	counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		mux.ServeHTTP(w, r)
	})
	server := httptest.NewServer(counted)
	defer server.Close()
	defer api.Shutdown(context.Background()) // before the server, whose Close waits for streams

	call(server, "", http.MethodGet, "/", "")
	call(server, "", http.MethodGet, "/api/hosting/instances", "")
	call(server, "a-token-from-the-environment", http.MethodPost, "/api/hosting/instances",
		`{"instanceName": "hello", "instanceType": "deployment", "container": {"image": "nginx:1.29", "ports": [80]}}`)
	call(server, "a-token-from-the-environment", http.MethodGet, "/api/hosting/instances/default.deployment.hello", "")
	fmt.Println(requests.Load(), "requests came through the middleware")
	// Output:
	// GET / 200
	// GET /api/hosting/instances 401
	// POST /api/hosting/instances 201
	// GET /api/hosting/instances/default.deployment.hello 200
	// 4 requests came through the middleware
}

// An Authorizer lets each team into its own regions, and shows it no others.
func ExampleAuthorizer() {
	regions := map[string]string{"token-of-team-north": "default", "token-of-team-south": "production"}
	authorize := func(r *http.Request, access httpapi.Access) (context.Context, error) {
		token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		region, known := regions[token]
		switch {
		case !found || !known:
			return nil, hosting.Unauthenticated
		case access.Name == "" && !access.Changes: // a list: it is asked about each item, too
			return r.Context(), nil
		case access.Region != region:
			return nil, hosting.PermissionDenied
		}
		return r.Context(), nil
	}
	api, err := httpapi.New(fake.New(), nil, httpapi.WithAuthorizer(authorize))
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(api)
	defer server.Close()

	const instances = "/api/hosting/instances"
	hello := `{"instanceName": "hello", "instanceType": "deployment", "container": {"image": "nginx:1.29"}}`
	call(server, "token-of-team-north", http.MethodPost, instances, hello) // in the first region, "default"
	call(server, "token-of-team-south", http.MethodPost, instances, hello)
	call(server, "token-of-team-south", http.MethodGet, instances+"/default.deployment.hello", "")
	call(server, "token-of-nobody", http.MethodGet, instances, "")
	for _, team := range []string{"north", "south"} {
		list := call(server, "token-of-team-"+team, http.MethodGet, instances, "")
		fmt.Println(team, "sees", strings.Count(list, `"id":`))
	}
	// Output:
	// POST /api/hosting/instances 201
	// POST /api/hosting/instances 403
	// GET /api/hosting/instances/default.deployment.hello 403
	// GET /api/hosting/instances 401
	// GET /api/hosting/instances 200
	// north sees 1
	// GET /api/hosting/instances 200
	// south sees 0
}

// call makes a request, prints how it was answered, and returns the body.
func call(server *httptest.Server, token, method, path, body string) string {
	r, err := http.NewRequest(method, server.URL+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := server.Client().Do(r)
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		panic(err)
	}
	fmt.Println(method, path, response.StatusCode)
	return string(text)
}
