package conformance

import (
	"fmt"
	"testing"

	"skillcenter.io/hosting"
)

// policyRaceCases are about calls at once.
func policyRaceCases() []testCase {
	return policies.cases(
		once("of policies at once an instance gets one", policiesAtOnce, hosting.CanScale),
		once("policies of several instances at once are all kept", policiesBeside, hosting.CanScale),
		once("an update and an enabling at once are both kept", policyUpdateAtOnce, hosting.CanScale),
		once("of deletions of a policy at once one finds it", policyDeleteAtOnce, hosting.CanScale),
	)
}

func policiesAtOnce(t *testing.T, e *env) {
	id := e.scaled(t, 1)
	wanted, created := make([]hosting.AutoScalePolicy, crowd), make([]hosting.AutoScalePolicy, crowd)
	for i := range wanted {
		wanted[i] = e.policy(id)
	}
	errs := together(crowd, func(i int) (err error) {
		created[i], err = e.tryPolicy(t, wanted[i])
		return err
	})
	winners := 0
	for i, err := range errs {
		if err != nil {
			e.wantError(t, "CreateAutoScalePolicy that lost", err, hosting.PolicyFailed, hosting.AlreadyExists)
			continue
		}
		winners++
		if created[i].Name != wanted[i].Name {
			t.Errorf("CreateAutoScalePolicy(%s) returned the policy of another", id)
		}
		e.wantPolicy(t, "CreateAutoScalePolicy that won", created[i])
	}
	if winners != 1 {
		t.Errorf("%d of %d different CreateAutoScalePolicy(%s) at once succeeded, want 1", winners, crowd, id)
	}
}

func policiesBeside(t *testing.T, e *env) {
	const several = 4
	wanted, created := make([]hosting.AutoScalePolicy, several), make([]hosting.AutoScalePolicy, several)
	for i := range wanted {
		wanted[i] = e.policy(e.scaled(t, 1))
	}
	for i, err := range together(several, func(i int) (err error) {
		created[i], err = e.tryPolicy(t, wanted[i])
		return err
	}) {
		must(t, "CreateAutoScalePolicy", wanted[i].InstanceID, err)
	}
	for _, p := range created {
		e.wantPolicy(t, fmt.Sprintf("%d CreateAutoScalePolicy at once", several), p)
	}
}

// policyUpdateAtOnce finds calls that write back what they have read a while
// ago.
func policyUpdateAtOnce(t *testing.T, e *env) {
	policy := e.createPolicy(t, e.policy(e.scaled(t, 1)))
	for range rounds {
		must(t, "DisableAutoScalePolicy", policy.PolicyID, e.adapter.DisableAutoScalePolicy(e.ctx, policy.PolicyID))
		next := roundTrip(policy)
		next.Name, next.Enabled = e.name(), true
		for i, err := range together(crowd, func(i int) error {
			if i == crowd/2 {
				_, err := e.adapter.UpdateAutoScalePolicy(e.ctx, policy.PolicyID, next)
				return err
			}
			return e.adapter.EnableAutoScalePolicy(e.ctx, policy.PolicyID)
		}) {
			must(t, fmt.Sprintf("call %d of UpdateAutoScalePolicy and EnableAutoScalePolicy at once", i), policy.PolicyID, err)
		}
		e.wantPolicy(t, "UpdateAutoScalePolicy and EnableAutoScalePolicy at once", next)
		policy = next
	}
}

func policyDeleteAtOnce(t *testing.T, e *env) {
	policy := e.createPolicy(t, e.policy(e.scaled(t, 1)))
	found := 0
	for _, err := range together(crowd, func(int) error { return e.adapter.DeleteAutoScalePolicy(e.ctx, policy.PolicyID) }) {
		if err == nil {
			found++
			continue
		}
		e.wantError(t, "DeleteAutoScalePolicy at once with others", err, hosting.PolicyNotFound, hosting.NotFound)
	}
	if found != 1 {
		t.Errorf("%d of %d DeleteAutoScalePolicy(%s) at once succeeded, want 1", found, crowd, policy.PolicyID)
	}
	e.wantNoPolicy(t, "DeleteAutoScalePolicy at once", policy.PolicyID, policy.InstanceID)
}
