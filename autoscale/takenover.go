package autoscale

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"skillcenter.io/hosting"
)

// farewell is how long a process that ends takes to give back what it has taken
// over.
const farewell = 10 * time.Second

// takenOver are the instances whose autoscaler this process may have stopped.
// The platform keeps that, and a durable store keeps who has done it; after
// another one nobody would know that there is something to give back.
type takenOver struct {
	mu        sync.Mutex
	instances map[string]bool
}

func (o *takenOver) add(instanceID string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.instances == nil {
		o.instances = map[string]bool{}
	}
	o.instances[instanceID] = true
}

func (o *takenOver) remove(instanceID string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.instances, instanceID)
}

func (o *takenOver) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(maps.Keys(o.instances))
}

// handBack gives back all that this process has taken over, unless the store
// tells the next one of it. The policies stay: while they are there, a Run that
// begins takes over again.
func (c *Controller) handBack(ctx context.Context) {
	if c.config.Store.Durable() || !c.mu.TryLock() { // whoever acts now gives back
		return
	}
	defer c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(parallel)
	for _, instanceID := range c.taken.all() {
		group.Go(func() error {
			err := c.config.Backend.GiveBack(ctx, instanceID)
			if err != nil && !errors.Is(err, hosting.Unsupported) && !errors.Is(err, hosting.NotFound) {
				c.log.WarnContext(ctx, "autoscale: the platform's autoscaler stays stopped: it was not given back", "instance", instanceID, "error", err)
				return nil
			}
			c.taken.remove(instanceID)
			return nil
		})
	}
	_ = group.Wait() // nothing returns an error
}
