package kubernetes

import (
	"context"
	"sync"
	"time"
)

// forever is how long to keep a value that does not change.
const forever time.Duration = -1

// shared is a value that is fetched when it is needed. Callers that need it at
// the same time share one fetch, which the first of them makes: no goroutine
// is left behind, and each waits no longer than its own context. The zero
// value is ready to use.
type shared[T any] struct {
	mu      sync.Mutex
	running *fetch[T]
	value   T
	known   bool
	since   time.Time
}

// fetch is one attempt to get the value. Its fields may be read once done is
// closed.
type fetch[T any] struct {
	done  chan struct{}
	value T
	err   error
	// abandoned tells that its maker gave up: that says nothing to others.
	abandoned bool
}

// get returns the value if it is not older than keep, and fetches it
// otherwise. Errors are shared by those who wait, and not remembered.
func (s *shared[T]) get(ctx context.Context, keep time.Duration, do func(context.Context) (T, error)) (T, error) {
	for {
		s.mu.Lock()
		if s.known && (keep == forever || time.Since(s.since) < keep) {
			defer s.mu.Unlock()
			return s.value, nil
		}
		f := s.running
		if f == nil {
			f = &fetch[T]{done: make(chan struct{}), abandoned: true}
			s.running = f
			s.mu.Unlock()
			return s.run(ctx, f, do)
		}
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		case <-f.done:
			if !f.abandoned {
				return f.value, f.err
			}
		}
	}
}

func (s *shared[T]) run(ctx context.Context, f *fetch[T], do func(context.Context) (T, error)) (T, error) {
	defer func() { // also after a panic
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running = nil
		if !f.abandoned && f.err == nil {
			s.value, s.known, s.since = f.value, true, time.Now()
		}
		close(f.done)
	}()
	f.value, f.err = do(ctx)
	f.abandoned = f.err != nil && ctx.Err() != nil
	return f.value, f.err
}
