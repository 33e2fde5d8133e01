package kubernetes

import (
	"context"
	"slices"
	"sync"
)

// logSlots bounds how many logs are read at a time. Who finds none free waits
// for its turn, first come, first served.
type logSlots struct {
	mu      sync.Mutex
	free    int
	waiting []chan struct{}
}

func newLogSlots(n int) *logSlots { return &logSlots{free: n} }

// acquire waits for a slot, or until ctx ends.
func (s *logSlots) acquire(ctx context.Context) error {
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	s.waiting = append(s.waiting, turn)
	s.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	i := slices.Index(s.waiting, turn)
	if i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
	}
	s.mu.Unlock()
	if i < 0 {
		s.release() // the turn came at the same moment
	}
	return ctx.Err()
}

// release gives a slot to who waits longest.
func (s *logSlots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		s.free++
		return
	}
	close(s.waiting[0])
	s.waiting = slices.Delete(s.waiting, 0, 1)
}

// contended tells that somebody waits.
func (s *logSlots) contended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting) > 0
}
