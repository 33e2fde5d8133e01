//go:build linux

package kubernetes_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"skillcenter.io/hosting/kubernetes"
)

// tap is a transport that counts requests and disturbs watches.
type tap struct {
	next     http.RoundTripper
	requests atomic.Int64 // all but watches
	watches  atomic.Int64
	// turnedAway is how many requests found no connection.
	turnedAway atomic.Int64

	mu      sync.Mutex
	open    map[*tapped]bool
	gate    chan struct{} // watches deliver nothing until it is closed
	away    bool          // no connection is accepted
	awayOf  string        // none is for paths that contain it, unless it is empty
	expired int           // so many watches are answered that their version has expired
}

func newTap() *tap { return &tap{open: map[*tapped]bool{}} }

// into has a provider use the tap.
func (t *tap) into(c *kubernetes.Config) {
	c.WrapTransport = func(next http.RoundTripper) http.RoundTripper { t.next = next; return t }
}

func (t *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	query := r.URL.Query()
	isWatch := query.Get("watch") != ""
	t.mu.Lock()
	away := t.away || t.awayOf != "" && strings.Contains(r.URL.Path, t.awayOf)
	expired := isWatch && t.expired > 0 && query.Get("sendInitialEvents") == ""
	if expired {
		t.expired--
	}
	t.mu.Unlock()
	if away {
		t.turnedAway.Add(1)
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	if expired {
		return &http.Response{StatusCode: http.StatusGone, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
			Body: io.NopCloser(strings.NewReader(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"too old"}`))}, nil
	}
	if !isWatch {
		t.requests.Add(1)
		return t.next.RoundTrip(r)
	}
	t.watches.Add(1)
	response, err := t.next.RoundTrip(r)
	if err == nil && response.StatusCode == http.StatusOK {
		body := &tapped{ReadCloser: response.Body, tap: t, closed: make(chan struct{})}
		t.mu.Lock()
		t.open[body] = true
		t.mu.Unlock()
		response.Body = body
	}
	return response, err
}

// hold stops what watches deliver; the result lets it flow again.
func (t *tap) hold() (release func()) {
	gate := make(chan struct{})
	t.mu.Lock()
	t.gate = gate
	t.mu.Unlock()
	return sync.OnceFunc(func() {
		t.mu.Lock()
		t.gate = nil
		t.mu.Unlock()
		close(gate)
	})
}

// cut ends all watches, and refuses connections until the result is called.
func (t *tap) cut() (restore func()) {
	t.mu.Lock()
	t.away = true
	var open []*tapped
	for body := range t.open {
		open = append(open, body)
	}
	t.mu.Unlock()
	for _, body := range open {
		_ = body.Close()
	}
	return func() {
		t.mu.Lock()
		t.away = false
		t.mu.Unlock()
	}
}

// comeBack ends awayOf.
func (t *tap) comeBack() {
	t.mu.Lock()
	t.awayOf = ""
	t.mu.Unlock()
}

// expire has the next n watches that go on from a version find it expired.
func (t *tap) expire(n int) {
	t.mu.Lock()
	t.expired = n
	t.mu.Unlock()
}

// openWatches is how many watches are open.
func (t *tap) openWatches() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.open)
}

// tapped is the body of a watch.
type tapped struct {
	io.ReadCloser
	tap    *tap
	once   sync.Once
	closed chan struct{}
}

func (b *tapped) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.tap.mu.Lock()
	gate := b.tap.gate
	b.tap.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-b.closed:
		}
	}
	return n, err
}

func (b *tapped) Close() error {
	b.once.Do(func() {
		close(b.closed)
		b.tap.mu.Lock()
		delete(b.tap.open, b)
		b.tap.mu.Unlock()
	})
	return b.ReadCloser.Close()
}
