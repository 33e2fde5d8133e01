package conformance

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"skillcenter.io/hosting"
)

// policyActionCases are about what a policy does.
func policyActionCases() []testCase {
	return policies.cases(
		once("an enabled policy moves the replicas between its bounds", policyBounds, hosting.CanScale).waiting(),
		once("a policy that is disabled does not act, and acts when it is enabled", policyDisabledActs, hosting.CanScale).waiting(),
		once("a policy that is deleted does not act, and the replicas stay", policyDeletedStays, hosting.CanScale).waiting(),
		once("a change by a policy is an event", policyEvent, hosting.CanScale, hosting.CanEvents, hosting.CanRecordEvent).waiting(),
		once("a policy goes with its instance", policyGoes, hosting.CanScale).waiting(),
		once("a policy does not start what is stopped", policyStopped, hosting.CanScale, hosting.CanStop).waiting(),
		once("a policy adds replicas under load, and takes them away after it", policyFollowsLoad, hosting.CanScale, hosting.CanMetrics).waiting(),
	)
}

// act lets policies act until the case ends.
func (e *env) act(t *testing.T) {
	t.Helper()
	if e.x.Run == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.x.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v after its context had ended, want nil", err)
		}
	})
}

// looks waits for a policy to have looked some times.
func (e *env) looks(times int) { time.Sleep(time.Duration(times)*e.x.Interval + e.PollInterval) }

// awaitCount waits until an instance has n replicas, running or not.
func (e *env) awaitCount(t *testing.T, id string, n int) {
	t.Helper()
	e.eventually(t, fmt.Sprintf("instance %s has %d replicas", id, n), func() error {
		if now := e.get(t, id); now.Replicas != n {
			return fmt.Errorf("it has %d", now.Replicas)
		}
		return nil
	})
}

func (e *env) wantCount(t *testing.T, what, id string, n int) {
	t.Helper()
	if now := e.get(t, id); now.Replicas != n {
		t.Errorf("%s: instance %s has %d replicas, want %d", what, id, now.Replicas, n)
	}
}

// between is an enabled policy with these bounds that does nothing else.
func (e *env) between(id string, low, high int) hosting.AutoScalePolicy {
	policy := e.policy(id)
	policy.Enabled, policy.MinReplicas, policy.MaxReplicas = true, low, high
	policy.CooldownPeriod, policy.StabilizationWindow = 0, 0
	return policy
}

func policyBounds(t *testing.T, e *env) {
	e.act(t)
	low, high, inside := e.scaled(t, 1), e.scaled(t, 4), e.scaled(t, 3)
	for _, id := range []string{low, high, inside} {
		e.createPolicy(t, e.between(id, 2, 3))
	}
	e.awaitCount(t, low, 2)
	e.awaitCount(t, high, 3)
	e.looks(2)
	for id, n := range map[string]int{low: 2, high: 3, inside: 3} {
		e.wantCount(t, "a policy between 2 and 3 replicas", id, n)
	}
}

func policyDisabledActs(t *testing.T, e *env) {
	e.act(t)
	policy := e.between(e.scaled(t, 1), 2, 3)
	policy.Enabled = false
	id := e.createPolicy(t, policy).PolicyID
	e.looks(3)
	e.wantCount(t, "a policy that was never enabled", policy.InstanceID, 1)
	must(t, "EnableAutoScalePolicy", id, e.adapter.EnableAutoScalePolicy(e.ctx, id))
	e.awaitCount(t, policy.InstanceID, 2)
	must(t, "DisableAutoScalePolicy", id, e.adapter.DisableAutoScalePolicy(e.ctx, id))
	e.looks(1) // a change that is being made is finished
	must(t, "ScaleInstance", policy.InstanceID, e.p.ScaleInstance(e.ctx, policy.InstanceID, 1))
	e.looks(3)
	e.wantCount(t, "a policy that has been disabled", policy.InstanceID, 1)
	policy.Enabled, policy.MinReplicas = true, 3
	_, err := e.adapter.UpdateAutoScalePolicy(e.ctx, id, policy)
	must(t, "UpdateAutoScalePolicy", id, err)
	e.awaitCount(t, policy.InstanceID, 3)
}

func policyDeletedStays(t *testing.T, e *env) {
	e.act(t)
	policy := e.createPolicy(t, e.between(e.scaled(t, 1), 2, 3))
	e.awaitCount(t, policy.InstanceID, 2)
	must(t, "DeleteAutoScalePolicy", policy.PolicyID, e.adapter.DeleteAutoScalePolicy(e.ctx, policy.PolicyID))
	e.looks(2)
	e.wantCount(t, "DeleteAutoScalePolicy", policy.InstanceID, 2)
	must(t, "ScaleInstance", policy.InstanceID, e.p.ScaleInstance(e.ctx, policy.InstanceID, 1))
	e.looks(2)
	e.wantCount(t, "a policy that has been deleted", policy.InstanceID, 1)
	e.wantNoPolicy(t, "DeleteAutoScalePolicy", policy.PolicyID, policy.InstanceID)
}

// policyEvent wants an event that tells of the change and what has made it.
func policyEvent(t *testing.T, e *env) {
	e.act(t)
	policy := e.createPolicy(t, e.between(e.scaled(t, 1), 3, 3))
	from, to := regexp.MustCompile(`\b1\b`), regexp.MustCompile(`\b3\b`)
	e.eventually(t, "instance "+policy.InstanceID+" has an event that names policy "+policy.Name, func() error {
		events, err := e.p.GetEvents(e.ctx, policy.InstanceID)
		for _, event := range events {
			text := event.Message + toJSON(event.Metadata)
			if (strings.Contains(text, policy.Name) || strings.Contains(text, policy.PolicyID)) && from.MatchString(text) && to.MatchString(text) {
				return nil
			}
		}
		if err == nil {
			err = fmt.Errorf("none of %s does, with the replicas before and after", toJSON(events))
		}
		return err
	})
	e.wantCount(t, "a policy that has told of a change", policy.InstanceID, 3)
}

func policyGoes(t *testing.T, e *env) {
	e.act(t)
	config, _ := e.replicated(t, Serve, 1)
	id := e.create(t, config).ID
	policy := e.createPolicy(t, e.between(id, 1, 3))
	e.looks(2) // it has seen the instance
	must(t, "DeleteInstance", id, e.p.DeleteInstance(e.ctx, id))
	e.awaitGone(t, id)
	e.eventually(t, "policy "+policy.PolicyID+" is gone", func() error {
		_, err := e.adapter.GetAutoScalePolicyByID(e.ctx, policy.PolicyID)
		if hosting.CodeOf(err) == hosting.PolicyNotFound {
			return nil
		}
		return fmt.Errorf("it is there: %v", err)
	})
	_, err := e.adapter.GetAutoScalePolicy(e.ctx, id)
	e.wantIDError(t, "GetAutoScalePolicy after DeleteInstance", id, err, hosting.InstanceNotFound, hosting.NotFound)

	e.create(t, config)
	e.wantNoPolicy(t, "creating an instance of the name again", policy.PolicyID, id)
}

func policyStopped(t *testing.T, e *env) {
	e.act(t)
	id := e.scaled(t, 1)
	e.await(t, id, hosting.StatusRunning)
	must(t, "StopInstance", id, e.p.StopInstance(e.ctx, id))
	e.await(t, id, hosting.StatusStopped)
	e.createPolicy(t, e.between(id, 2, 3))
	e.looks(3)
	if now := e.get(t, id); now.Status != hosting.StatusStopped || now.Replicas != 0 {
		t.Errorf("stopped instance %s is %s with %d replicas under a policy", id, now.Status, now.Replicas)
	}
	must(t, "StartInstance", id, e.p.StartInstance(e.ctx, id))
	e.awaitCount(t, id, 2)
}

func policyFollowsLoad(t *testing.T, e *env) {
	if e.x.Load == nil {
		e.skip(t, "the harness cannot make load")
	}
	e.act(t)
	id := e.scaled(t, 1)
	e.await(t, id, hosting.StatusRunning)
	load := func(percent float64) {
		t.Helper()
		if err := e.x.Load(id, percent); err != nil {
			t.Fatalf("Load(%s, %v): %v", id, percent, err)
		}
	}
	load(10)
	policy := e.between(id, 1, 2)
	policy.ScaleUpRules[0].Threshold, policy.ScaleUpRules[0].EvaluationPeriod = 40, hosting.Duration(e.x.Interval)
	policy.ScaleDownRules[0].Threshold, policy.ScaleDownRules[0].EvaluationPeriod = 30, hosting.Duration(e.x.Interval)
	e.createPolicy(t, policy)
	e.looks(3)
	e.wantCount(t, "a policy whose threshold is not reached", id, 1)
	load(95)
	e.awaitCount(t, id, 2)
	e.looks(3)
	e.wantCount(t, "a policy at its maximum under load", id, 2)
	load(5)
	e.awaitCount(t, id, 1)
}
