package autoscale

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"skillcenter.io/hosting"
)

// GetAutoScalePolicy returns the policy of an instance.
func (c *Controller) GetAutoScalePolicy(ctx context.Context, instanceID string) (hosting.AutoScalePolicy, error) {
	id, err := hosting.ParseID(instanceID)
	if err != nil {
		return hosting.AutoScalePolicy{}, c.invalid(instanceID, err)
	}
	e, err := c.find(ctx, policyID(id))
	if err == nil && c.sameInstance(e.Policy.InstanceID, instanceID) {
		return e.Policy, nil
	}
	if err != nil && hosting.CodeOf(err) != hosting.PolicyNotFound {
		return hosting.AutoScalePolicy{}, err
	}
	if _, err := c.config.Provider.GetInstance(ctx, instanceID); err != nil {
		return hosting.AutoScalePolicy{}, c.fail(instanceID, "reading the instance", err)
	}
	failed := hosting.Errorf(c.config.Name, hosting.PolicyNotFound, hosting.NotFound, "instance %s has no policy", instanceID)
	failed.InstanceID = instanceID
	return hosting.AutoScalePolicy{}, failed
}

// GetAutoScalePolicyByID returns a policy by its own id.
func (c *Controller) GetAutoScalePolicyByID(ctx context.Context, policyID string) (hosting.AutoScalePolicy, error) {
	e, err := c.find(ctx, policyID)
	return e.Policy, err
}

// ListAutoScalePolicies returns all policies, sorted by id. If some cannot be
// read it returns the others with an error.
func (c *Controller) ListAutoScalePolicies(ctx context.Context) ([]hosting.AutoScalePolicy, error) {
	documents, err := c.config.Store.List(ctx, kind)
	policies := make([]hosting.AutoScalePolicy, 0, len(documents))
	failures := []error{err}
	for _, document := range documents {
		e, err := decode(document)
		if err != nil {
			failures = append(failures, err)
		} else if !e.Deleted {
			policies = append(policies, e.Policy)
		}
	}
	slices.SortFunc(policies, func(a, b hosting.AutoScalePolicy) int { return cmp.Compare(a.PolicyID, b.PolicyID) })
	return policies, c.fail("", "listing the policies", errors.Join(failures...))
}

// CreateAutoScalePolicy returns the policy with its id, which follows from the
// instance: "<region>.policy.<name of the instance>". If the instance has the
// same policy, that is returned as it is, whether or not it is enabled; another
// one is AlreadyExists. An instance whose replicas do not follow load, such as a
// job, is Unsupported.
func (c *Controller) CreateAutoScalePolicy(ctx context.Context, policy hosting.AutoScalePolicy) (hosting.AutoScalePolicy, error) {
	none := hosting.AutoScalePolicy{}
	if err := policy.Validate(); err != nil {
		return none, c.invalid(policy.InstanceID, err)
	}
	instance, err := c.config.Provider.GetInstance(ctx, policy.InstanceID)
	if err != nil {
		return none, c.fail(policy.InstanceID, "reading the instance", err)
	}
	if err := c.scalable(ctx, instance); err != nil {
		return none, err
	}
	id, err := hosting.ParseID(instance.ID)
	if err != nil {
		return none, c.fail(instance.ID, "reading the instance", err)
	}
	if err := c.matches("policyId", policy.PolicyID, policyID(id)); err != nil {
		return none, err
	}
	policy.InstanceID, policy.PolicyID = instance.ID, policyID(id)
	policy = normalized(policy)
	c.warnIfNotStored(ctx, policy)
	for n := 1; ; n++ {
		e, err := c.put(ctx, entry{key: keyOf(policy.PolicyID), record: record{Policy: policy, Owned: policy.Enabled}})
		if errors.Is(err, hosting.AlreadyExists) {
			e, err = c.createAgain(ctx, policy)
			if (errors.Is(err, hosting.NotFound) || errors.Is(err, hosting.Conflict)) && n < tries && ctx.Err() == nil {
				continue // it has just been deleted
			}
		}
		if err != nil {
			return none, c.fail(policy.InstanceID, "creating policy "+policy.PolicyID, err)
		}
		c.nudge()
		return e.Policy, nil
	}
}

// createAgain answers a create where there is a document already.
func (c *Controller) createAgain(ctx context.Context, policy hosting.AutoScalePolicy) (entry, error) {
	e, err := c.get(ctx, keyOf(policy.PolicyID))
	switch {
	case err != nil:
		return entry{}, err
	case e.Deleted, e.Policy.InstanceID != policy.InstanceID: // that one is gone, since names are unique
		// Nobody has come to remove it yet: what it owns goes to the new one.
		e.record = record{Policy: policy, Owned: policy.Enabled || e.Owned}
		return c.put(ctx, e)
	case !samePolicy(e.Policy, policy):
		return entry{}, fmt.Errorf("instance %s has another policy, %q: %w", policy.InstanceID, e.Policy.Name, hosting.AlreadyExists)
	}
	return e, nil
}

// UpdateAutoScalePolicy replaces a policy and returns it. It stays with its
// instance: the instanceId of the new one is the same, or empty. Rules that it
// changes begin to hold anew; the cooldown goes on.
func (c *Controller) UpdateAutoScalePolicy(ctx context.Context, policyID string, policy hosting.AutoScalePolicy) (hosting.AutoScalePolicy, error) {
	return c.update(ctx, policyID, policy, func(hosting.AutoScalePolicy) error { return nil })
}

// ReplaceAutoScalePolicy is UpdateAutoScalePolicy of a policy that still is what
// was seen, as JSON: else it is a Conflict. That holds across all processes that
// share the store.
func (c *Controller) ReplaceAutoScalePolicy(ctx context.Context, policyID string, seen, policy hosting.AutoScalePolicy) (hosting.AutoScalePolicy, error) {
	return c.update(ctx, policyID, policy, func(now hosting.AutoScalePolicy) error {
		if c.isSeen(now, seen) {
			return nil
		}
		return fmt.Errorf("it is no longer what was seen: read it again: %w", hosting.Conflict)
	})
}

// isSeen tells whether a policy is what somebody has seen, whose ids may have
// the prefix of the provider or not.
func (c *Controller) isSeen(now, seen hosting.AutoScalePolicy) bool {
	if !c.sameInstance(now.PolicyID, seen.PolicyID) || !c.sameInstance(now.InstanceID, seen.InstanceID) {
		return false
	}
	seen.PolicyID, seen.InstanceID = now.PolicyID, now.InstanceID
	a, errA := json.Marshal(now)
	b, errB := json.Marshal(seen)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// update replaces a policy, if it may be replaced as it is now.
func (c *Controller) update(ctx context.Context, policyID string, policy hosting.AutoScalePolicy, may func(now hosting.AutoScalePolicy) error) (hosting.AutoScalePolicy, error) {
	none := hosting.AutoScalePolicy{}
	found, err := c.find(ctx, policyID)
	if err != nil {
		return none, err
	}
	if err := c.matches("policyId", policy.PolicyID, found.Policy.PolicyID); err != nil {
		return none, err
	}
	if err := c.matches("instanceId", policy.InstanceID, found.Policy.InstanceID); err != nil {
		return none, err
	}
	policy.PolicyID, policy.InstanceID = found.Policy.PolicyID, found.Policy.InstanceID
	if err := policy.Validate(); err != nil {
		return none, c.invalid(policy.InstanceID, err)
	}
	policy = normalized(policy)
	c.warnIfNotStored(ctx, policy)
	return c.change(ctx, found, "updating", func(old *hosting.AutoScalePolicy) error {
		if err := may(*old); err != nil {
			return err
		}
		*old = policy
		return nil
	})
}

// EnableAutoScalePolicy makes a policy act. Within an interval the autoscaler
// that the platform has for the instance, if any, is stopped.
func (c *Controller) EnableAutoScalePolicy(ctx context.Context, policyID string) error {
	return c.enable(ctx, policyID, true)
}

// DisableAutoScalePolicy stops a policy from acting; a change that is being made
// is finished. Within an interval the platform's autoscaler acts again.
func (c *Controller) DisableAutoScalePolicy(ctx context.Context, policyID string) error {
	return c.enable(ctx, policyID, false)
}

func (c *Controller) enable(ctx context.Context, policyID string, enabled bool) error {
	found, err := c.find(ctx, policyID)
	if err != nil {
		return err
	}
	c.warnIfNotStored(ctx, hosting.AutoScalePolicy{Enabled: enabled})
	_, err = c.change(ctx, found, "enabling or disabling", func(policy *hosting.AutoScalePolicy) error {
		policy.Enabled = enabled
		return nil
	})
	return err
}

// DeleteAutoScalePolicy removes a policy; the replicas stay as they are. A
// change that is being made is finished. Within an interval the platform's
// autoscaler acts again.
func (c *Controller) DeleteAutoScalePolicy(ctx context.Context, policyID string) error {
	found, err := c.find(ctx, policyID)
	if err != nil {
		return err
	}
	e, err := c.modify(ctx, found.key, func(r *record) (bool, error) {
		if r.Deleted {
			return false, c.notFound(policyID)
		}
		r.Deleted, r.Policy.Enabled = true, false
		return true, nil
	})
	if err == nil && !e.Owned && e.Step == nil {
		_ = c.config.Store.Delete(ctx, e.key, e.version) // it is deleted; if this fails, Run removes the document
	}
	return c.changed(found, "deleting", err)
}

// change changes the policy of a record that was found.
func (c *Controller) change(ctx context.Context, found entry, doing string, change func(*hosting.AutoScalePolicy) error) (hosting.AutoScalePolicy, error) {
	e, err := c.modify(ctx, found.key, func(r *record) (bool, error) {
		if r.Deleted {
			return false, c.notFound(found.Policy.PolicyID)
		}
		before, owned := r.Policy, r.Owned
		if err := change(&r.Policy); err != nil {
			return false, err
		}
		r.Owned = owned || r.Policy.Enabled
		return owned != r.Owned || before.Enabled != r.Policy.Enabled || !samePolicy(before, r.Policy), nil
	})
	if err := c.changed(found, doing, err); err != nil {
		return hosting.AutoScalePolicy{}, err
	}
	return e.Policy, nil
}

// changed completes a change of a record.
func (c *Controller) changed(found entry, doing string, err error) error {
	switch {
	case err == nil:
		c.nudge()
		return nil
	case hosting.CodeOf(err) == hosting.PolicyNotFound:
		return err
	case errors.Is(err, hosting.NotFound):
		return c.notFound(found.Policy.PolicyID)
	}
	return c.fail(found.Policy.InstanceID, doing+" policy "+found.Policy.PolicyID, err)
}

// find returns the record of a policy. An id may have the prefix of the provider
// where the provider's own ids are without it.
func (c *Controller) find(ctx context.Context, policyID string) (entry, error) {
	id, err := hosting.ParseID(policyID)
	if err != nil {
		return entry{}, c.invalid("", err)
	}
	if id.Type != "policy" {
		return entry{}, c.invalid("", hosting.FieldErrors{{Field: "policyId", Value: policyID, Allowed: "[<provider>:]<region>.policy.<name>"}})
	}
	e, err := c.get(ctx, keyOf(policyID))
	if errors.Is(err, hosting.NotFound) && id.Provider == c.config.Provider.ProviderName() {
		e, err = c.get(ctx, keyOf(c.bare(policyID)))
	}
	switch {
	case errors.Is(err, hosting.NotFound), err == nil && e.Deleted:
		return entry{}, c.notFound(policyID)
	case err != nil:
		return entry{}, c.fail("", "reading policy "+policyID, err)
	}
	return e, nil
}

// bare returns an id without the prefix of the provider.
func (c *Controller) bare(id string) string {
	return strings.TrimPrefix(id, c.config.Provider.ProviderName()+":")
}

func (c *Controller) sameInstance(a, b string) bool { return c.bare(a) == c.bare(b) }

// matches refuses an id that is given and is not the one it must be.
func (c *Controller) matches(field, given, must string) error {
	if given == "" || c.sameInstance(given, must) {
		return nil
	}
	return c.invalid("", hosting.FieldErrors{{Field: field, Value: given, Allowed: must + ", or nothing"}})
}

// scalable tells whether the replicas of an instance can follow load.
func (c *Controller) scalable(ctx context.Context, instance hosting.CloudInstance) error {
	refuse := func(why string) error {
		failed := hosting.Errorf(c.config.Name, hosting.PolicyFailed, hosting.Unsupported,
			"instanceId: %s is a %s, whose replicas cannot follow load: %s", instance.ID, instance.InstanceType, why)
		failed.InstanceID = instance.ID
		return failed
	}
	switch instance.InstanceType {
	case hosting.TypeJob:
		return refuse("they are how much of its work there is")
	case hosting.TypeCronJob:
		return refuse("its schedule says what runs")
	case hosting.TypeDaemonSet:
		return refuse("it has one on each node")
	}
	set, err := hosting.InstanceCapabilities(ctx, c.config.Provider, instance.ID)
	switch {
	case errors.Is(err, hosting.Unsupported): // a provider that does not tell
		return nil
	case err != nil:
		return c.fail(instance.ID, "asking what the provider can do", err)
	case !set.Has(hosting.CanScale):
		return refuse(cmp.Or(set[hosting.CanScale].Note, "the provider cannot scale it"))
	}
	return nil
}

func (c *Controller) invalid(instanceID string, err error) error {
	failed := hosting.Errorf(c.config.Name, hosting.PolicyFailed, hosting.InvalidArgument, "%w", err)
	failed.InstanceID = instanceID
	return failed
}

func (c *Controller) notFound(policyID string) error {
	return hosting.Errorf(c.config.Name, hosting.PolicyNotFound, hosting.NotFound, "policy %s does not exist", policyID)
}

// warnIfNotStored warns once when a policy is enabled that a restart forgets.
func (c *Controller) warnIfNotStored(ctx context.Context, policy hosting.AutoScalePolicy) {
	if policy.Enabled && !c.config.Store.Durable() {
		c.notStored.Do(func() {
			c.log.WarnContext(ctx, "autoscale: policies are kept in memory only: they are gone when this process ends. "+
				"If it is killed, the platform's autoscalers that they have stopped stay so: such an instance has \""+hosting.MetadataTakenOver+"\" in its metadata. "+
				"GiveBack undoes it, and so does an enabled policy that is created and deleted again")
		})
	}
}

// nudge lets Run look at once at what a call has left to do.
func (c *Controller) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// normalized returns a policy as it is after it has been stored.
func normalized(policy hosting.AutoScalePolicy) hosting.AutoScalePolicy {
	data, err := json.Marshal(policy)
	if err != nil {
		return policy // a valid one has no number that JSON lacks
	}
	var stored hosting.AutoScalePolicy
	if json.Unmarshal(data, &stored) != nil {
		return policy
	}
	return stored
}

// samePolicy tells whether two policies are the same, enabled or not.
func samePolicy(a, b hosting.AutoScalePolicy) bool {
	rulesOf := func(p *hosting.AutoScalePolicy) (up, down []hosting.ScaleRule) {
		up, down = p.ScaleUpRules, p.ScaleDownRules
		p.ScaleUpRules, p.ScaleDownRules, p.Enabled = nil, nil, false
		return up, down
	}
	upA, downA := rulesOf(&a)
	upB, downB := rulesOf(&b)
	return slices.Equal(upA, upB) && slices.Equal(downA, downB) &&
		a.PolicyID == b.PolicyID && a.InstanceID == b.InstanceID && a.Name == b.Name &&
		a.MinReplicas == b.MinReplicas && a.MaxReplicas == b.MaxReplicas &&
		a.CooldownPeriod == b.CooldownPeriod && a.StabilizationWindow == b.StabilizationWindow
}
