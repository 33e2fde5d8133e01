package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"skillcenter.io/hosting"
)

const (
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
	// maxAsked is how long the server may ask to wait; who is asked for more is
	// told at once, and can do something else meanwhile.
	maxAsked = 30 * time.Second
)

// failure is one attempt that failed.
type failure struct {
	err *hosting.Error
	// unsent tells that no connection could be made; broken, that one broke, so
	// that nobody knows what the server did.
	unsent, broken bool
	status         int           // that the server answered with; 0 for none
	foreign        bool          // something between answered, or another server
	asked          time.Duration // how long the server asks to wait
}

// temporary tells whether another attempt may succeed. Gateways answer 502 and
// 504 while a server starts again: what reads is tried again after a 502, and a
// stream that goes on after both.
func (f *failure) temporary(r request) bool {
	if f.foreign && (f.status == http.StatusBadGateway && r.method == http.MethodGet || f.status == http.StatusGatewayTimeout && !r.until.IsZero()) {
		return true
	}
	if errors.Is(f.err, hosting.DeadlineExceeded) { // the http.Client has waited long enough
		return false
	}
	return f.unsent || f.broken || f.status == http.StatusTooManyRequests || f.status == http.StatusServiceUnavailable
}

// repeat makes a call with attempt, several times if that is allowed and of use.
// Nothing is sent if the context has ended or the request is not valid.
func (c *Client) repeat(ctx context.Context, r request, attempt func(body []byte) *failure) error {
	if err := ctx.Err(); err != nil {
		return c.ended(r, err)
	}
	if r.invalid != nil {
		return c.errorf(r, hosting.InvalidArgument, "%w", r.invalid)
	}
	body, err := r.encode()
	if err != nil {
		return c.errorf(r, hosting.InvalidArgument, "%w", err)
	}
	mayBeDone := false
	for n := 0; ; n++ {
		failed := attempt(body)
		switch {
		case failed == nil:
			return nil
		case ctx.Err() != nil:
			return c.ended(r, ctx.Err())
		case mayBeDone && r.method == http.MethodDelete && errors.Is(failed.err, hosting.NotFound):
			return nil // it is gone, by the attempt whose answer was lost or otherwise
		case !c.again(r, failed, n):
			return failed.err
		}
		// A gateway answers 503 also when the connection behind it breaks.
		mayBeDone = mayBeDone || failed.broken || failed.foreign && failed.status == http.StatusServiceUnavailable
		wait := max(backoff(n), failed.asked)
		if deadline, has := ctx.Deadline(); has && r.until.IsZero() && time.Until(deadline) <= wait {
			return failed.err // which says more than that it took too long
		}
		if !pause(ctx, wait) {
			return c.ended(r, ctx.Err())
		}
	}
}

// again tells whether attempt n+1 is to be made.
func (c *Client) again(r request, failed *failure, n int) bool {
	if !failed.temporary(r) || failed.asked > max(maxAsked, time.Until(r.until)) || r.once && !failed.unsent {
		return false
	}
	return n < c.retries || time.Now().Before(r.until)
}

// backoff returns how long to wait after n failures in a row: a random part of a
// time that doubles, so that clients that failed together do not come back
// together.
func backoff(n int) time.Duration {
	limit := min(firstPause<<min(n, 16), maxPause)
	return limit/2 + rand.N(limit/2)
}

// pause waits. It returns false if ctx ends before that is over.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
