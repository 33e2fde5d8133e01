package discovery

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"skillcenter.io/hosting"
)

// Transport is an [http.RoundTripper] that sends a request whose URL names a
// service, as http://orders/today, to a ready address of it. The name may be an
// alias; a port may be given if it is that of the service.
//
//	client := &http.Client{Transport: &discovery.Transport{Discovery: provider}}
//
// The Host header stays what the caller asked for: the name of the service, or
// Request.Host if that is set. With https the certificate is checked as Base
// does it, for the address; set ServerName in its TLS configuration.
//
// What nobody has received is tried on other addresses, up to four in all: a
// request for which no connection could be made. A request that was lost with
// its connection is tried again only if its method is GET, HEAD, OPTIONS or
// TRACE or it has an Idempotency-Key header, as net/http does. One with a body
// must have GetBody, which net/http sets for the usual kinds. An answer is never
// a reason to try again, whatever its status.
//
// Its methods may be called concurrently. Do not change its fields, or copy it,
// after first use. An error about the service is of type [*hosting.Error].
type Transport struct {
	// Discovery finds the services. It must be set.
	Discovery hosting.ServiceDiscovery
	// Base sends the requests; if nil, an [http.Transport] of its own without
	// a proxy, which gives up connecting after three seconds.
	Base http.RoundTripper
	// Options are those of the Balancer of each service.
	Options Options

	once    sync.Once
	own     *http.Transport
	mu      sync.Mutex
	callers map[string]*caller
	start   func(*Balancer) (stop func()) // nil unless Run runs
}

// caller is what a Transport keeps of a service.
type caller struct {
	balancer *Balancer
	stop     func() // nil unless Run runs it
}

// maxAttempts is how many addresses a request is tried on.
const maxAttempts = 4

// impatience is how old addresses may be once all of them have failed.
const impatience = 100 * time.Millisecond

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	name, err := serviceIn(request.URL)
	if err != nil {
		closeBody(request)
		return nil, err
	}
	var tried []string
	var failed error // of the last attempt
	for {
		target, err := t.pick(request.Context(), name, tried)
		if err != nil && failed != nil && request.Context().Err() == nil {
			return nil, failed
		}
		if err == nil {
			err = checkPort(request.URL, target)
		}
		if err != nil {
			closeBody(request)
			return nil, err
		}
		attempt, err := aim(request, target, len(tried) > 0)
		if err != nil {
			target.Done()
			return nil, err
		}
		response, err := t.base().RoundTrip(attempt)
		if err == nil {
			response.Request = request
			response.Body = whenClosed(response.Body, target.Done)
			return response, nil
		}
		target.Done()
		if isDial(err) && request.Context().Err() == nil {
			target.Failed()
		}
		tried, failed = append(tried, target.HostPort()), err
		if len(tried) == maxAttempts || request.Context().Err() != nil || !mayRepeat(request, err) {
			return nil, err
		}
	}
}

// pick chooses an address. If all have been tried, it looks for new ones once
// more.
func (t *Transport) pick(ctx context.Context, name string, tried []string) (*Target, error) {
	b := t.balancerFor(name)
	target, err := b.Pick(ctx, tried...)
	if err != nil && len(tried) > 0 {
		if err := b.refresh(ctx, impatience); err != nil {
			return nil, err
		}
		target, err = b.Pick(ctx, tried...)
	}
	if hosting.CodeOf(err) == hosting.ServiceNotFound {
		t.forget(name, b) // else any name that somebody asks for would stay
	}
	return target, err
}

func (t *Transport) balancerFor(name string) *Balancer {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.callers[name]
	if c == nil {
		if t.callers == nil {
			t.callers = map[string]*caller{}
		}
		c = &caller{balancer: NewBalancer(t.Discovery, name, t.Options)}
		if t.start != nil {
			c.stop = t.start(c.balancer)
		}
		t.callers[name] = c
	}
	return c.balancer
}

func (t *Transport) forget(name string, b *Balancer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.callers[name]; c != nil && c.balancer == b {
		if c.stop != nil {
			c.stop()
		}
		delete(t.callers, name)
	}
}

// Run is [Balancer.Run] for every service that is called, until ctx ends. A
// Transport works without it, too. Do not run it twice at a time.
func (t *Transport) Run(ctx context.Context) error {
	var wait sync.WaitGroup
	defer wait.Wait()
	start := func(b *Balancer) func() {
		ctx, stop := context.WithCancel(ctx)
		wait.Go(func() { _ = b.Run(ctx) })
		return stop
	}
	t.mu.Lock()
	t.start = start
	for _, c := range t.callers {
		c.stop = start(c.balancer)
	}
	t.mu.Unlock()
	<-ctx.Done()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.start = nil
	for _, c := range t.callers {
		c.stop()
		c.stop = nil
	}
	return nil
}

// CloseIdleConnections closes those of Base, if it can;
// [http.Client.CloseIdleConnections] calls it.
func (t *Transport) CloseIdleConnections() {
	if closer, ok := t.base().(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

func (t *Transport) base() http.RoundTripper {
	if t.Base != nil {
		return t.Base
	}
	t.once.Do(func() {
		t.own = &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
			ForceAttemptHTTP2:     true,
			MaxIdleConnsPerHost:   16,
			IdleConnTimeout:       90 * time.Second,
			TLSHandshakeTimeout:   10 * time.Second,
			ExpectContinueTimeout: time.Second,
		}
	})
	return t.own
}

// serviceIn is the name of the service in a URL.
func serviceIn(u *url.URL) (string, error) {
	if u == nil {
		return "", hosting.Errorf("", hosting.ServiceFailed, hosting.InvalidArgument, "the request has no URL")
	}
	name := strings.ToLower(u.Hostname())
	if err := CheckName(name); err != nil {
		return "", hosting.Errorf("", hosting.ServiceFailed, hosting.InvalidArgument, "the host of %s is the name of a service: %w", u.Redacted(), err)
	}
	return name, nil
}

// checkPort refuses a URL with a port that the service does not have.
func checkPort(u *url.URL, target *Target) error {
	if u.Port() == "" || u.Port() == strconv.Itoa(target.Service.Port) {
		return nil
	}
	target.Done()
	return hosting.Errorf("", hosting.ServiceFailed, hosting.InvalidArgument, "%w", hosting.FieldErrors{{
		Field: "port", Value: u.Port(), Allowed: "none, or that of service " + target.Service.ServiceName}})
}

// aim returns the request to send to an address. Again tells that the body has
// been used up by an attempt before.
func aim(request *http.Request, target *Target, again bool) (*http.Request, error) {
	out := request.Clone(request.Context())
	out.URL.Host = target.HostPort()
	if out.Host == "" {
		out.Host = request.URL.Host
	}
	if again && request.GetBody != nil {
		body, err := request.GetBody()
		if err != nil {
			return nil, err
		}
		out.Body = body
	}
	return out, nil
}

// mayRepeat tells whether a request can be sent to another address after it has
// failed like this.
func mayRepeat(request *http.Request, err error) bool {
	if request.Body != nil && request.Body != http.NoBody && request.GetBody == nil {
		return false
	}
	return isDial(err) || isLost(err) && isIdempotent(request)
}

// isDial tells that no connection was made, so nothing was sent.
func isDial(err error) bool {
	var failed *net.OpError
	return errors.As(err, &failed) && failed.Op == "dial"
}

// isLost tells that a connection broke.
func isLost(err error) bool {
	var failed *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &failed) && !failed.Timeout()
}

// isIdempotent is what net/http takes for it.
func isIdempotent(request *http.Request) bool {
	method := request.Method
	return slices.Contains([]string{"", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace}, method) ||
		request.Header["Idempotency-Key"] != nil || request.Header["X-Idempotency-Key"] != nil
}

// closeBody does what a RoundTripper owes to a request that it does not send.
func closeBody(request *http.Request) {
	if request.Body != nil {
		_ = request.Body.Close()
	}
}

// whenClosed calls done when a body is closed. The body of a connection that
// was switched to another protocol stays one that can be written.
func whenClosed(body io.ReadCloser, done func()) io.ReadCloser {
	closer := &closeNotifier{ReadCloser: body, done: done}
	if writer, ok := body.(io.Writer); ok {
		return struct {
			*closeNotifier
			io.Writer
		}{closer, writer}
	}
	return closer
}

type closeNotifier struct {
	io.ReadCloser
	done func()
}

func (c *closeNotifier) Close() error {
	defer c.done()
	return c.ReadCloser.Close()
}
