package testcluster

import (
	"context"
	"fmt"
	"time"
)

const (
	pollInterval = 100 * time.Millisecond
	// pollTimeout is generous: a busy machine is slow, not broken.
	pollTimeout = 2 * time.Minute
)

// poll calls check until it returns no error. Its own error names what was
// waited for and check's last word on it.
func poll(ctx context.Context, what string, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if wait(ctx, pollInterval) != nil {
			return fmt.Errorf("wait for %s: %w (last: %w)", what, context.Cause(ctx), err)
		}
	}
}

// wait sleeps until the time is up or the context ends, and says which.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
