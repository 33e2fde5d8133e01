//go:build linux && e2e

package kubernetes_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"skillcenter.io/hosting/kubernetes"
)

// cutter breaks responses with logs off after a while, wherever they are: one
// time with an error, as when a connection breaks, the next time with a proper
// end, as an API server writes one when it loses the kubelet.
type cutter struct {
	least, most time.Duration

	requests, errors, ends atomic.Int64
}

// install makes the provider's log responses go through the cutter.
func (c *cutter) install(config *kubernetes.Config) {
	config.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
		return cuttingTransport{cutter: c, next: next}
	}
}

type cuttingTransport struct {
	cutter *cutter
	next   http.RoundTripper
}

var errCut = errors.New("connection reset by the test")

func (c cuttingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(request.URL.Path, "/log") {
		return c.next.RoundTrip(request)
	}
	ctx, cancel := context.WithCancelCause(request.Context())
	response, err := c.next.RoundTrip(request.WithContext(ctx))
	if err != nil || response.StatusCode != http.StatusOK {
		// Nobody reads a body of the caller's after this; the request's own
		// context still ends it.
		context.AfterFunc(request.Context(), func() { cancel(nil) })
		return response, err
	}
	body := &cutBody{ReadCloser: response.Body, cutter: c.cutter, cancel: cancel}
	// Only a stream that follows may end properly before its time: whoever
	// reads the whole of a log could not know.
	body.properly = request.URL.Query().Get("follow") == "true" && c.cutter.requests.Add(1)%2 == 0
	life := c.cutter.least + rand.N(c.cutter.most-c.cutter.least)
	body.timer = time.AfterFunc(life, func() { cancel(errCut) })
	body.ctx = ctx
	response.Body = body
	return response, nil
}

// cutBody ends when its context is cancelled with errCut.
type cutBody struct {
	io.ReadCloser
	cutter   *cutter
	ctx      context.Context
	cancel   context.CancelCauseFunc
	timer    *time.Timer
	properly bool
	ended    bool
}

func (b *cutBody) Read(p []byte) (int, error) {
	if b.ended {
		return 0, b.end()
	}
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) || !errors.Is(context.Cause(b.ctx), errCut) {
		return n, err
	}
	b.ended = true
	if b.properly {
		b.cutter.ends.Add(1)
	} else {
		b.cutter.errors.Add(1)
	}
	if n > 1 {
		n /= 2 // in the middle of a line
	}
	return n, b.end()
}

func (b *cutBody) end() error {
	if b.properly {
		return io.EOF
	}
	return errCut
}

func (b *cutBody) Close() error {
	b.timer.Stop()
	b.cancel(nil)
	return b.ReadCloser.Close()
}

// openLogs counts the requests for logs that are open at a time.
type openLogs struct {
	now, most atomic.Int64
}

func (o *openLogs) wrap(next http.RoundTripper) http.RoundTripper {
	return countingTransport{open: o, next: next}
}

type countingTransport struct {
	open *openLogs
	next http.RoundTripper
}

func (c countingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(request.URL.Path, "/log") {
		return c.next.RoundTrip(request)
	}
	now := c.open.now.Add(1)
	for most := c.open.most.Load(); now > most && !c.open.most.CompareAndSwap(most, now); most = c.open.most.Load() {
	}
	response, err := c.next.RoundTrip(request)
	if err != nil {
		c.open.now.Add(-1)
		return nil, err
	}
	response.Body = &countedBody{ReadCloser: response.Body, open: c.open}
	return response, nil
}

type countedBody struct {
	io.ReadCloser
	open *openLogs
	once sync.Once
}

func (b *countedBody) Close() error {
	b.once.Do(func() { b.open.now.Add(-1) })
	return b.ReadCloser.Close()
}
