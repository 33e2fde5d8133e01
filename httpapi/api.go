package httpapi

import (
	"context"
	"errors"
	"math"
	"net/http"
	"path"
	"sync"

	"skillcenter.io/hosting"
)

// API serves a provider and its extension. It is an [http.Handler]. Get one from
// [New]; its methods may be called concurrently.
type API struct {
	settings
	provider  hosting.CloudHostingProvider
	extension hosting.HostingExtensionSdkAdapter
	mux       *http.ServeMux
	table     []route
	locks     locks
	status    availability

	requests, streams, bodies chan struct{} // a place for each that is served, or is being read

	mu     sync.Mutex
	active int           // requests that are being served
	closed bool          // by Shutdown
	idle   chan struct{} // closed when it is closed and the last request is served

	ending     context.Context // ended by Shutdown, and all streams with it
	endStreams context.CancelFunc
}

// New returns the API of a provider and its extension, whose optional abilities
// it serves too. Without an extension, nil, its routes answer 501.
//
// It fails without WithAuthorizer, unless AllowAnonymous is said, and if an
// option has a value that is not allowed. It starts no goroutine.
func New(provider hosting.CloudHostingProvider, extension hosting.HostingExtensionSdkAdapter, options ...Option) (*API, error) {
	if provider == nil {
		return nil, errors.New("httpapi: the provider is nil")
	}
	if extension == nil {
		extension = hosting.UnimplementedAdapter{}
	}
	a := &API{settings: defaults(), provider: provider, extension: extension, mux: http.NewServeMux(), idle: make(chan struct{})}
	for _, option := range options {
		option(&a.settings)
	}
	if err := a.settings.check(); err != nil {
		return nil, err
	}
	a.ending, a.endStreams = context.WithCancel(context.Background())
	a.requests, a.streams = make(chan struct{}, a.maxRequests), make(chan struct{}, a.maxStreams)
	a.bodies = make(chan struct{}, 4*min(a.maxRequests, math.MaxInt/4))
	a.table = a.routes()
	for _, r := range a.table {
		a.mux.HandleFunc(r.method+" "+a.prefix+r.path, func(w http.ResponseWriter, request *http.Request) { a.serve(w, request, r) })
	}
	a.mux.HandleFunc(noPattern, a.noRoute)
	return a, nil
}

// Routes returns the patterns of all routes, as in "GET
// /api/hosting/instances/{id}", in the order of the documentation. After a
// request was served, its Pattern is one of them, or another if it had no route.
func (a *API) Routes() []string {
	patterns := make([]string, len(a.table))
	for i, r := range a.table {
		patterns[i] = r.method + " " + a.prefix + r.path
	}
	return patterns
}

// ServeHTTP answers a request whose path begins with the prefix. Everything
// else is a 404.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The mux would send those who write a path in an odd way to another place,
	// which is not how an API answers.
	if escaped := r.URL.EscapedPath(); path.Clean("/"+escaped) != escaped {
		a.notFound(w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// Mount registers the API in the mux of a host application. It takes the
// subtree below the prefix for every standard method, one by one: a pattern
// without a method would be in conflict with a "GET /" of the host.
func (a *API) Mount(mux *http.ServeMux) {
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions, http.MethodTrace, http.MethodConnect} {
		mux.Handle(method+" "+a.prefix+"/", a)
	}
}

// Shutdown ends all streams, refuses new requests with 503, and waits for those
// that are being served, until ctx ends: then it returns the context's error.
// Streams end without an event that says so, so that their clients come back,
// to another server.
//
// Call it before the Shutdown of the [http.Server], which waits for streams and
// does not end them. Doing it again waits again.
func (a *API) Shutdown(ctx context.Context) error {
	a.mu.Lock()
	if !a.closed {
		a.closed = true
		a.endStreams()
		if a.active == 0 {
			close(a.idle)
		}
	}
	a.mu.Unlock()
	select {
	case <-a.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enter counts a request that is served, until leave is called.
func (a *API) enter() (leave func(), ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, false
	}
	a.active++
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.active--
		if a.closed && a.active == 0 {
			close(a.idle)
		}
	}, true
}
