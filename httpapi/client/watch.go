package client

import (
	"context"
	"errors"
	"iter"
	"net/http"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// WatchInstances yields all instances, then ChangeSynced, then what changes, see
// [hosting.InstanceWatcher]. It works in the goroutine that ranges over it;
// leaving the loop closes the connection. If that breaks, it ends with an
// Unavailable error: watch again.
func (c *Client) WatchInstances(ctx context.Context) iter.Seq2[hosting.InstanceChange, error] {
	return func(yield func(hosting.InstanceChange, error) bool) {
		err := c.watch(ctx, func(change hosting.InstanceChange) bool { return yield(change, nil) })
		if err != nil && !errors.Is(err, errLeft) && ctx.Err() == nil {
			yield(hosting.InstanceChange{}, err)
		}
	}
}

func (c *Client) watch(ctx context.Context, yield func(hosting.InstanceChange) bool) error {
	s, err := c.open(ctx, request{code: hosting.ListFailed, method: http.MethodGet, path: "/instances/watch"})
	if err != nil {
		return err
	}
	defer s.close()
	for {
		e, done, err := s.receive(wire.EventState, wire.EventSynced, wire.EventDeleted)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case done:
			return err
		case errors.Is(err, errTooLarge):
			return c.errorf(s.of, hosting.Internal, "%w", err)
		case err != nil:
			return c.errorf(s.of, hosting.Unavailable, "the watch was cut: %w", err)
		}
		var change hosting.InstanceChange
		if err := s.decode(e, &change); err != nil {
			return err
		}
		if !yield(change) {
			return errLeft
		}
	}
}
