package httpapi

import (
	"context"
	"sync"
	"time"
)

const (
	// statusFor is how long an answer of IsAvailable is good for.
	statusFor = 5 * time.Second
	// statusWithin is how long a look may take. What takes longer is not
	// available.
	statusWithin = 5 * time.Second
)

// availability asks whether something is available, for everybody who wants to
// know: anybody may, so that a flood of them must not become one on the
// platform. One look at a time is made, by one of those who ask, and no other
// until its answer is too old.
type availability struct {
	mu        sync.Mutex
	available bool          // what the last look has found
	lookedAt  time.Time     // when it ended
	looking   chan struct{} // closed when the look that is made now ends; nil if there is none
}

// ask returns what a look finds that has ended less than statusFor ago. A look
// is made in the values of ctx, and goes on when that ends: it is not only for
// whoever made it. It takes statusWithin at most, if look heeds its context;
// nobody but the one who makes it waits longer.
func (a *availability) ask(ctx context.Context, look func(context.Context) bool) bool {
	a.mu.Lock()
	if !a.lookedAt.IsZero() && time.Since(a.lookedAt) < statusFor {
		defer a.mu.Unlock()
		return a.available
	}
	if looking := a.looking; looking != nil {
		a.mu.Unlock()
		return a.await(ctx, looking)
	}
	looking := make(chan struct{})
	a.looking = looking
	a.mu.Unlock()

	available := false
	defer func() { // also if look panics
		a.mu.Lock()
		defer a.mu.Unlock()
		a.available, a.lookedAt, a.looking = available, time.Now(), nil
		close(looking)
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statusWithin)
	defer cancel()
	available = look(ctx)
	return available
}

// await returns what somebody else's look finds; false if that takes too long.
func (a *availability) await(ctx context.Context, looking <-chan struct{}) bool {
	timer := time.NewTimer(statusWithin)
	defer timer.Stop()
	select {
	case <-looking:
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.available
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}
