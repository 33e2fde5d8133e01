// Package faketest gives tests a hosting platform that is reached as a real one
// is: a client of the REST API, the real handlers, and the fake behind them, all
// in the process of the test.
//
//	func TestDeploy(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			p := faketest.New(t)
//			deploy(t.Context(), p.Client) // what is tested
//			time.Sleep(time.Minute)       // takes no time
//			...
//		})
//	}
//
// There are no sockets, so it works inside the bubbles of testing/synctest, in
// virtual time: replicas start, jobs end and policies act without anybody having
// to wait. Call [New] inside the bubble: a platform that was made outside of it
// cannot be used there, and the runtime ends the whole run of tests. What is
// tested has to end with t.Context(): a goroutine that goes on behind the end of
// the test fails it.
//
// It works without bubbles as well. Time passes then: unless [fake.Workload] says
// otherwise, a replica takes 2 s to start.
//
// Let things go wrong with the methods of [Platform.Fake], such as
// [fake.Provider.InjectCall] and [fake.Provider.InjectStart], and with
// [Platform.Disconnect].
package faketest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/httpapi/client"
	"skillcenter.io/hosting/internal/pipehttp"
	"skillcenter.io/hosting/provider/store"
)

// Platform is a hosting platform in the process of a test. Make it with [New].
// Its methods may be called concurrently.
type Platform struct {
	// Client is what a program under test is given: a provider and an extension.
	Client *client.Client
	// Fake is the provider behind the API. What is done to it directly, the
	// client sees.
	Fake *fake.Provider
	// Extension is the extension behind the API.
	Extension hosting.HostingExtensionSdkAdapter
	// BaseURL and HTTP are for requests of one's own: HTTP reaches the API at
	// BaseURL, and nothing else.
	BaseURL string
	HTTP    *http.Client

	controller *autoscale.Controller
	api        *httpapi.API
	server     *pipehttp.Server
}

// New returns an empty platform, which is closed when the test ends. A mistake in
// the options fails the test.
func New(t testing.TB, options ...Option) *Platform {
	t.Helper()
	p, err := Open(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// Open is [New] for what is not a test, such as a demonstration. Close what it
// returns.
func Open(options ...Option) (*Platform, error) {
	var s settings
	for _, option := range options {
		option(&s)
	}
	p := &Platform{Fake: fake.New(s.fake...)}
	var err error
	p.controller, err = autoscale.New(autoscale.Config{Provider: p.Fake, Backend: p.Fake, Store: store.NewMemory(), Interval: s.interval,
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("faketest: %w", err)
	}
	p.Extension = extension{p.Fake, p.Fake, p.controller, p.Fake}
	if s.extension != nil {
		p.Extension = s.extension(p.Fake)
	}
	who := httpapi.AllowAnonymous()
	if s.authorize != nil {
		who = httpapi.WithAuthorizer(s.authorize)
	}
	server := append([]httpapi.Option{who, httpapi.WithStreamWriteTimeout(patience)}, s.server...)
	if p.api, err = httpapi.New(p.Fake, p.Extension, server...); err != nil {
		return nil, fmt.Errorf("faketest: %w", err)
	}
	p.server = pipehttp.Serve(p.api)
	p.HTTP = &http.Client{Transport: p.server.Transport()}
	p.BaseURL = "http://hosting.test" + prefixOf(p.api)
	p.Client, err = client.New(context.Background(), p.BaseURL, append([]client.Option{client.WithHTTPClient(p.HTTP)}, s.client...)...)
	if err != nil {
		return nil, fmt.Errorf("faketest: %w", errors.Join(err, p.Close()))
	}
	return p, nil
}

// patience is how long a consumer of a stream may do something else. A pipe has
// none of the buffers of a socket, and in virtual time hours pass in a loop.
const patience = 1000 * time.Hour

// prefixOf returns the path before all routes.
func prefixOf(api *httpapi.API) string {
	_, path, _ := strings.Cut(api.Routes()[0], " ")
	return strings.TrimSuffix(path, "/instances")
}

// Run lets the policies of the platform act until ctx ends, and returns nil then.
// Start it in a goroutine where a test is about that.
func (p *Platform) Run(ctx context.Context) error { return p.controller.Run(ctx) }

// Disconnect breaks all connections to the server, in the middle of calls and
// streams. New ones can be made at once.
func (p *Platform) Disconnect() { p.server.Disconnect() }

// closeWithin is how long requests that are being served may take to end.
const closeWithin = 10 * time.Second

// Close ends all streams, waits for the calls that are being served, and stops
// the server. It is called by New's test; doing it again does nothing more. The
// error says that a call did not end within 10 seconds.
func (p *Platform) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	err := p.api.Shutdown(ctx)
	p.server.Close()
	if err != nil {
		return fmt.Errorf("faketest: a call to the platform has not ended: %w", err)
	}
	return nil
}
