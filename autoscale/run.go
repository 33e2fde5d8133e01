package autoscale

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"skillcenter.io/hosting"
)

const (
	// parallel is how many instances are attended to at a time.
	parallel = 16
	// patience is how long one instance may take: a call that hangs must not
	// keep the other policies waiting for ever.
	patience = 30 * time.Second
	// fewPolicies are read one by one; of more, one list saves calls.
	fewPolicies = 3
)

// pass is what the process that acts remembers from one look to the next.
type pass struct {
	trackers map[string]*tracker // by key
	took     time.Duration       // the last look at all instances
}

// tracker is one policy. While it is attended to, one goroutine has it.
type tracker struct {
	entry
	state   State
	seen    bool   // the instance existed, so that it is known to be gone when it no longer does
	taken   bool   // the platform's autoscaler has been stopped, for this version
	problem string // that was logged last
	refusal refusal
	kept    bool // the step in the document was refused, and is not taken out
}

// tick looks at all instances and acts.
func (c *Controller) tick(ctx context.Context) error {
	began := c.config.Now()
	if err := c.load(ctx); err != nil {
		return err
	}
	instances := c.lookAtAll(ctx)
	c.forAll(ctx, func(ctx context.Context, t *tracker) {
		if t.Policy.Enabled && !t.Deleted {
			c.attend(ctx, t, instances)
			return
		}
		c.release(ctx, t)
		if !t.Deleted {
			c.look(ctx, t, instances) // a policy that rests goes with its instance, too
		}
	})
	c.pass.took = c.config.Now().Sub(began)
	return ctx.Err()
}

// settle does what calls have left to do, without looking at the load.
func (c *Controller) settle(ctx context.Context) {
	if c.load(ctx) != nil {
		return
	}
	c.forAll(ctx, func(ctx context.Context, t *tracker) {
		if t.Policy.Enabled && !t.Deleted {
			c.takeOver(ctx, t)
		} else {
			c.release(ctx, t)
		}
	})
}

func (c *Controller) forAll(ctx context.Context, do func(context.Context, *tracker)) {
	var group errgroup.Group
	group.SetLimit(parallel)
	for _, key := range slices.Sorted(maps.Keys(c.pass.trackers)) {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			do(ctx, c.pass.trackers[key])
			return nil
		})
	}
	_ = group.Wait() // nothing returns an error
}

// load brings the trackers up to what the store has. Documents that have not
// changed are not decoded again.
func (c *Controller) load(ctx context.Context) error {
	if c.pass == nil {
		c.pass = &pass{trackers: map[string]*tracker{}}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	documents, err := c.config.Store.List(ctx, kind)
	if err != nil {
		if ctx.Err() == nil {
			c.log.WarnContext(ctx, "autoscale: reading the policies", "error", err, "read", len(documents))
		}
		if len(documents) == 0 {
			return c.fail("", "reading the policies", err)
		}
	}
	there := make(map[string]bool, len(documents))
	for _, document := range documents {
		there[document.Key] = true
		t := c.pass.trackers[document.Key]
		if t != nil && t.version == document.Version {
			continue
		}
		e, err := decode(document)
		if err != nil {
			c.log.WarnContext(ctx, "autoscale: a policy cannot be read", "error", err)
			delete(c.pass.trackers, document.Key)
			continue
		}
		if t == nil || t.Policy.InstanceID != e.Policy.InstanceID {
			t = &tracker{state: e.State}
			c.pass.trackers[document.Key] = t
		}
		t.entry, t.taken, t.kept = e, false, t.kept && e.Step != nil
	}
	if err == nil {
		maps.DeleteFunc(c.pass.trackers, func(key string, _ *tracker) bool { return !there[key] })
	}
	return nil
}

// lookAtAll lists the instances, if that saves calls. One that is not in the
// result, which may be incomplete, is read by itself.
func (c *Controller) lookAtAll(ctx context.Context) map[string]hosting.CloudInstance {
	looked := 0
	for _, t := range c.pass.trackers {
		if !t.Deleted {
			looked++
		}
	}
	if looked <= fewPolicies {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	list, err := c.config.Provider.ListInstances(ctx)
	if err != nil && ctx.Err() == nil {
		c.log.WarnContext(ctx, "autoscale: listing the instances", "error", err, "listed", len(list))
	}
	instances := make(map[string]hosting.CloudInstance, len(list))
	for _, instance := range list {
		instances[instance.ID] = instance
	}
	return instances
}

// look returns the instance of a policy. If it was there and is gone, the policy
// goes, too.
func (c *Controller) look(ctx context.Context, t *tracker, instances map[string]hosting.CloudInstance) (hosting.CloudInstance, bool) {
	instance, listed := instances[t.Policy.InstanceID]
	if !listed {
		var err error
		instance, err = c.config.Provider.GetInstance(ctx, t.Policy.InstanceID)
		switch {
		// Whoever has never seen it may look in the wrong place.
		case t.seen && gone(t.Policy.InstanceID, err):
			c.forget(ctx, t)
			return hosting.CloudInstance{}, false
		case err != nil:
			c.report(ctx, t, "reading the instance", err)
			return hosting.CloudInstance{}, false
		}
	}
	t.seen = true
	return instance, true
}

// attend looks at one instance and acts.
func (c *Controller) attend(ctx context.Context, t *tracker, instances map[string]hosting.CloudInstance) {
	instance, there := c.look(ctx, t, instances)
	if !there {
		return
	}
	if !c.settleStep(ctx, t, instance.Replicas) || !c.takeOver(ctx, t) {
		return
	}
	seen := c.observe(ctx, t.Policy, instance)
	seen.MaxGap = 3 * max(c.config.Interval, c.pass.took)
	d := Decide(t.Policy, t.state, seen, c.now())
	t.state = d.State
	if d.Held == HeldByUnknown {
		c.report(ctx, t, "measuring", errors.New(d.Unknown))
	}
	if t.kept && !t.keeps(d) && !c.withdraw(ctx, t) {
		return
	}
	if d.Changes() {
		c.act(ctx, t, d)
		return
	}
	if d.Held != HeldByUnknown {
		t.problem = ""
	}
	c.log.DebugContext(ctx, "autoscale", "policy", t.Policy.PolicyID, "decision", d)
}

// report logs what went wrong, once as long as it is the same.
func (c *Controller) report(ctx context.Context, t *tracker, doing string, err error) {
	if errors.Is(ctx.Err(), context.Canceled) { // it no longer leads
		return
	}
	if problem := doing + ": " + err.Error(); problem != t.problem {
		t.problem = problem
		c.log.WarnContext(ctx, "autoscale: "+doing, "policy", t.Policy.PolicyID, "instance", t.Policy.InstanceID, "error", err)
	}
}
