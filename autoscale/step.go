package autoscale

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"skillcenter.io/hosting"
)

// Every change of replicas goes like this:
//
//  1. The step is written into the policy's document, unless that has changed.
//  2. The replicas are changed, unless there are no longer as many as were seen.
//  3. An event tells of it.
//  4. The step is taken out of the document, with the time of the change.
//
// A process may end between any two. Whoever leads next finds the step and sees
// by the replicas whether 2 has happened: if so it does 3 and 4, if not it takes
// the step out and decides anew. So no step is made twice, and an event may be
// told twice but is never missing.

// act makes the step that was decided.
func (c *Controller) act(ctx context.Context, t *tracker, d Decision) {
	planned := t.entry
	planned.Step = &step{At: d.At, From: d.From, To: d.To, Cause: d.Cause, Why: d.Why(), Metadata: metadata(t.Policy, d)}
	if t.kept {
		planned.Step.At = t.Step.At // it is written down
		t.entry, t.kept = planned, false
	} else {
		written, err := c.put(ctx, planned)
		if err != nil {
			c.report(ctx, t, "writing down what is to be done", err)
			return
		}
		t.entry = written
	}
	if err := c.config.Backend.ScaleFrom(ctx, t.Policy.InstanceID, d.From, d.To); err != nil {
		t.taken = false // somebody may have brought another autoscaler
		c.report(ctx, t, fmt.Sprintf("scaling from %d to %d replicas", d.From, d.To), err)
		again := refusal{d.From, d.To, err.Error()}
		switch {
		case !refused(err):
			t.refusal = refusal{}
		case again == t.refusal:
			t.kept = true
		default:
			t.refusal = again
			c.withdraw(ctx, t)
		}
		return
	}
	c.finish(ctx, t)
}

// refusal is what the platform said to a step. One that it refuses again stays in
// the document and is tried as it is there: to take it out and write it anew at
// each look would be two writes, for nothing, for as long as that lasts.
type refusal struct {
	from, to int
	why      string
}

// keeps tells whether the step in the document was refused, and is what was
// decided again.
func (t *tracker) keeps(d Decision) bool {
	return t.kept && d.Changes() && t.Step.From == d.From && t.Step.To == d.To
}

// refused tells whether an error means that nothing has changed and nothing
// will. After a timeout, for example, that is not known.
func refused(err error) bool {
	return slices.Contains([]hosting.Reason{hosting.Conflict, hosting.InvalidArgument, hosting.NotFound, hosting.Unsupported,
		hosting.PermissionDenied, hosting.Unauthenticated, hosting.QuotaExceeded, hosting.RateLimited}, reasonOf(err))
}

// settleStep finishes a step that another process, or an earlier look, has begun.
// It returns false if nothing more can be done now.
func (c *Controller) settleStep(ctx context.Context, t *tracker, replicas int) bool {
	switch {
	case t.Step == nil:
		return true
	case t.kept: // it was not made
		return t.Policy.Enabled && !t.Deleted && t.Step.From == replicas || c.withdraw(ctx, t)
	case t.Step.To == replicas:
		return c.finish(ctx, t)
	}
	return c.withdraw(ctx, t)
}

// finish records a step that was made.
func (c *Controller) finish(ctx context.Context, t *tracker) bool {
	made := *t.Step
	t.problem, t.refusal = "", refusal{}
	c.log.InfoContext(ctx, "autoscale: scaled", "policy", t.Policy.PolicyID, "instance", t.Policy.InstanceID,
		"from", made.From, "to", made.To, "why", made.Why)
	c.tell(ctx, t.Policy.InstanceID, made)
	t.state = t.state.Changed(made.To, c.now())
	return c.endStep(ctx, t, func(r *record) { r.State, r.Last = t.state, &made })
}

// withdraw takes back a step that was not made.
func (c *Controller) withdraw(ctx context.Context, t *tracker) bool {
	return c.endStep(ctx, t, func(*record) {})
}

// endStep takes the step out of the document, whatever callers have changed in
// it meanwhile.
func (c *Controller) endStep(ctx context.Context, t *tracker, change func(*record)) bool {
	mine := *t.Step
	e, err := c.modify(ctx, t.key, func(r *record) (bool, error) {
		if r.Step == nil || r.Step.At != mine.At || r.Step.From != mine.From || r.Step.To != mine.To {
			return false, nil // somebody else has ended it
		}
		change(r)
		r.Step = nil
		return true, nil
	})
	switch {
	case errors.Is(err, hosting.NotFound): // the policy went with its instance
		return false
	case err != nil:
		c.report(ctx, t, "writing down what was done", err)
		return false
	}
	t.entry, t.kept = e, false
	return true
}

// tell records the event of a step.
func (c *Controller) tell(ctx context.Context, instanceID string, made step) {
	reason := "ScaledUp"
	if made.To < made.From {
		reason = "ScaledDown"
	}
	err := hosting.RecordEvent(ctx, c.config.Provider, instanceID, hosting.InstanceEvent{
		Type: hosting.EventNormal, Reason: reason, Timestamp: c.now(), Metadata: made.Metadata,
		Message: fmt.Sprintf("from %d to %d replicas: %s", made.From, made.To, made.Why),
	})
	switch {
	case errors.Is(err, hosting.Unsupported):
		c.log.DebugContext(ctx, "autoscale: the provider records no events", "instance", instanceID)
	case err != nil:
		c.log.WarnContext(ctx, "autoscale: recording an event", "instance", instanceID, "error", err)
	}
}

func metadata(policy hosting.AutoScalePolicy, d Decision) map[string]string {
	m := map[string]string{
		"policyId": policy.PolicyID, "policy": policy.Name, "cause": string(d.Cause),
		"from": strconv.Itoa(d.From), "to": strconv.Itoa(d.To),
	}
	if d.Cause == CauseUp || d.Cause == CauseDown {
		m["metric"], m["value"] = d.Rule.MetricName, number(d.Value)
		m["comparison"], m["threshold"] = d.Rule.Comparison, number(d.Rule.Threshold)
	}
	if d.Held != "" {
		m["held"] = string(d.Held)
	}
	return m
}

// takeOver stops the platform's autoscaler of an instance, so that there is
// one. It returns false if that is not possible now.
func (c *Controller) takeOver(ctx context.Context, t *tracker) bool {
	if t.taken {
		return true
	}
	c.taken.add(t.Policy.InstanceID) // before: an answer may be lost
	err := c.config.Backend.TakeOver(ctx, t.Policy.InstanceID)
	if err != nil && !errors.Is(err, hosting.Unsupported) {
		c.report(ctx, t, "stopping the platform's autoscaler", err)
		return false
	}
	t.taken = true
	return true
}

// release ends what a policy that is disabled or deleted has begun.
func (c *Controller) release(ctx context.Context, t *tracker) {
	if t.Step != nil {
		instance, err := c.config.Provider.GetInstance(ctx, t.Policy.InstanceID)
		if err != nil && !gone(t.Policy.InstanceID, err) {
			c.report(ctx, t, "reading the instance", err)
			return
		}
		if !c.settleStep(ctx, t, instance.Replicas) {
			return
		}
	}
	if t.Owned {
		err := c.config.Backend.GiveBack(ctx, t.Policy.InstanceID)
		if err != nil && !errors.Is(err, hosting.Unsupported) && !gone(t.Policy.InstanceID, err) {
			c.report(ctx, t, "giving the instance back to the platform's autoscaler", err)
			return
		}
		c.taken.remove(t.Policy.InstanceID)
	}
	switch {
	case t.Deleted:
		c.forget(ctx, t)
	case t.Owned:
		given := t.entry
		given.Owned = false
		if written, err := c.put(ctx, given); err == nil {
			t.entry = written
		} else if !errors.Is(err, hosting.Conflict) && !errors.Is(err, hosting.NotFound) { // those are looked at again
			c.report(ctx, t, "writing down what was given back", err)
		}
	}
}

// gone tells whether an error says that an instance does not exist, and its own
// provider says so. This process may not have been told of that provider; then
// another one answers, which does not know.
func gone(instanceID string, err error) bool {
	failed, ok := errors.AsType[*hosting.Error](err)
	if !ok || failed.Code != hosting.InstanceNotFound {
		return false
	}
	id, err := hosting.ParseID(instanceID)
	return err != nil || id.Provider == "" || failed.Provider == "" || id.Provider == failed.Provider
}

// forget removes the document of a policy that is deleted, or whose instance is.
func (c *Controller) forget(ctx context.Context, t *tracker) {
	err := c.config.Store.Delete(ctx, t.key, t.version)
	c.taken.remove(t.Policy.InstanceID)
	if err != nil && !errors.Is(err, hosting.NotFound) && !errors.Is(err, hosting.Conflict) {
		c.report(ctx, t, "removing the policy", err)
	}
}
