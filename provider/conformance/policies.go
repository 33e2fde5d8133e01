package conformance

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"skillcenter.io/hosting"
)

// policyCases are those of hosting.AutoScaler that do not wait for a policy to
// act.
func policyCases() []testCase {
	return policies.cases(
		once("a policy that is created is returned with its id", policyCreated, hosting.CanScale),
		once("a second policy of an instance already exists", policySecond, hosting.CanScale),
		once("policies are listed sorted, and as a get shows them", policyListed, hosting.CanScale),
		once("updating replaces a policy, and nothing else", policyUpdated, hosting.CanScale),
		once("a policy is enabled and disabled as often as one likes", policyEnabled, hosting.CanScale),
		once("a deleted policy is gone, and its instance is free for another", policyDeleted, hosting.CanScale),
		once("a policy that does not exist is not found", policyUnknown, hosting.CanScale),
		once("a policy of an instance that does not exist is not found", policyOfUnknown),
		each("an instance that does not scale has no policy", policyUnscalable),
		once("a bad policy is invalid, and changes nothing", policyBad, hosting.CanScale),
		once("an instance with the longest name has a policy", policyLongest, hosting.CanScale),
		once("calls about policies end with their context", policyCancelled, hosting.CanScale),
	)
}

// policy returns a policy of an instance that is not enabled and decides
// nothing: no instance uses that much or that little.
func (e *env) policy(instanceID string) hosting.AutoScalePolicy {
	rule := func(comparison string, threshold float64) []hosting.ScaleRule {
		return []hosting.ScaleRule{{MetricType: hosting.MetricResource, MetricName: hosting.MetricCPUUsage, Threshold: threshold,
			Comparison: comparison, StepSize: 1, EvaluationPeriod: hosting.Duration(time.Minute)}}
	}
	return hosting.AutoScalePolicy{
		InstanceID: instanceID, Name: e.name(), MinReplicas: 1, MaxReplicas: 4,
		ScaleUpRules: rule(">", 1e9), ScaleDownRules: rule("<", -1e9),
		CooldownPeriod: hosting.Duration(time.Second), StabilizationWindow: hosting.Duration(2 * time.Second),
	}
}

// tryPolicy creates a policy that is deleted when the case ends.
func (e *env) tryPolicy(t *testing.T, wanted hosting.AutoScalePolicy) (hosting.AutoScalePolicy, error) {
	t.Helper()
	created, err := e.adapter.CreateAutoScalePolicy(e.ctx, wanted)
	if err == nil {
		e.deletePolicyLater(t, created.PolicyID)
	}
	return created, err
}

// deletePolicyLater deletes a policy when the case ends. What goes wrong then is
// not the subject of the case.
func (e *env) deletePolicyLater(t *testing.T, id string) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), e.Timeout)
		defer cancel()
		if err := e.adapter.DeleteAutoScalePolicy(ctx, id); err != nil && hosting.ReasonOf(err) != hosting.NotFound {
			t.Logf("cleaning up: DeleteAutoScalePolicy(%s): %v", id, err)
		}
	})
}

func (e *env) createPolicy(t *testing.T, wanted hosting.AutoScalePolicy) hosting.AutoScalePolicy {
	t.Helper()
	created, err := e.tryPolicy(t, wanted)
	must(t, "CreateAutoScalePolicy", wanted.InstanceID, err)
	return created
}

// scaled creates an instance of n replicas, and returns its id.
func (e *env) scaled(t *testing.T, n int) string {
	t.Helper()
	config, _ := e.replicated(t, Serve, n)
	return e.create(t, config).ID
}

func (e *env) getPolicy(t *testing.T, id string) hosting.AutoScalePolicy {
	t.Helper()
	return read(t, e, "GetAutoScalePolicyByID", id, func() (hosting.AutoScalePolicy, error) {
		return e.adapter.GetAutoScalePolicyByID(e.ctx, id)
	})
}

func (e *env) listPolicies(t *testing.T) []hosting.AutoScalePolicy {
	t.Helper()
	return read(t, e, "ListAutoScalePolicies", "", func() ([]hosting.AutoScalePolicy, error) {
		return e.adapter.ListAutoScalePolicies(e.ctx)
	})
}

func wantSamePolicy(t *testing.T, what string, got, want hosting.AutoScalePolicy) {
	t.Helper()
	if toJSON(got) != toJSON(want) {
		t.Errorf("%s: got policy %s\nwant %s", what, toJSON(got), toJSON(want))
	}
}

// wantPolicy checks that every call that reads returns this policy.
func (e *env) wantPolicy(t *testing.T, what string, want hosting.AutoScalePolicy) {
	t.Helper()
	wantSamePolicy(t, "GetAutoScalePolicyByID after "+what, e.getPolicy(t, want.PolicyID), want)
	of := read(t, e, "GetAutoScalePolicy", want.InstanceID, func() (hosting.AutoScalePolicy, error) {
		return e.adapter.GetAutoScalePolicy(e.ctx, want.InstanceID)
	})
	wantSamePolicy(t, "GetAutoScalePolicy after "+what, of, want)
	list := e.listPolicies(t)
	if i := slices.Index(policyIDs(list), want.PolicyID); i < 0 {
		t.Errorf("ListAutoScalePolicies after %s: %s is missing in %q", what, want.PolicyID, policyIDs(list))
	} else {
		wantSamePolicy(t, "ListAutoScalePolicies after "+what, list[i], want)
	}
}

// wantNoPolicy checks that no call finds the policy of an instance that exists.
func (e *env) wantNoPolicy(t *testing.T, what, policyID, instanceID string) {
	t.Helper()
	_, err := e.adapter.GetAutoScalePolicy(e.ctx, instanceID)
	e.wantIDError(t, "GetAutoScalePolicy after "+what, instanceID, err, hosting.PolicyNotFound, hosting.NotFound, instanceID)
	_, err = e.adapter.GetAutoScalePolicyByID(e.ctx, policyID)
	e.wantError(t, "GetAutoScalePolicyByID after "+what, err, hosting.PolicyNotFound, hosting.NotFound, policyID)
	if ids := policyIDs(e.listPolicies(t)); slices.Contains(ids, policyID) {
		t.Errorf("ListAutoScalePolicies after %s has %s in %q", what, policyID, ids)
	}
}

func policyIDs(list []hosting.AutoScalePolicy) []string {
	ids := make([]string, len(list))
	for i, p := range list {
		ids[i] = p.PolicyID
	}
	return ids
}

func policyCreated(t *testing.T, e *env) {
	id := e.scaled(t, 2)
	before := e.get(t, id)
	_, err := e.adapter.GetAutoScalePolicy(e.ctx, id)
	e.wantIDError(t, "GetAutoScalePolicy of an instance without", id, err, hosting.PolicyNotFound, hosting.NotFound, id)
	wanted := e.policy(id)
	created := e.createPolicy(t, wanted)
	if policy, err := hosting.ParseID(created.PolicyID); err != nil || policy.Region != e.Region || policy.Type != "policy" {
		t.Errorf("CreateAutoScalePolicy(%s) returned policy id %q, want %s.policy.<name>", id, created.PolicyID, e.Region)
	}
	wanted.PolicyID = created.PolicyID
	wantSamePolicy(t, "CreateAutoScalePolicy", created, wanted)
	e.wantPolicy(t, "CreateAutoScalePolicy", wanted)
	wantUnchanged(t, "CreateAutoScalePolicy of one that is not enabled", e.get(t, id), before)
}

func policySecond(t *testing.T, e *env) {
	wanted := e.policy(e.scaled(t, 1))
	first := e.createPolicy(t, wanted)
	for field, change := range map[string]func(*hosting.AutoScalePolicy){
		"name":                func(p *hosting.AutoScalePolicy) { p.Name = e.name() },
		"maxReplicas":         func(p *hosting.AutoScalePolicy) { p.MaxReplicas++ },
		"scaleUpRules":        func(p *hosting.AutoScalePolicy) { p.ScaleUpRules[0].Threshold++ },
		"scaleDownRules":      func(p *hosting.AutoScalePolicy) { p.ScaleDownRules = nil },
		"cooldownPeriod":      func(p *hosting.AutoScalePolicy) { p.CooldownPeriod += hosting.Duration(time.Second) },
		"stabilizationWindow": func(p *hosting.AutoScalePolicy) { p.StabilizationWindow += hosting.Duration(time.Second) },
	} {
		other := roundTrip(wanted)
		change(&other)
		_, err := e.tryPolicy(t, other)
		e.wantIDError(t, "CreateAutoScalePolicy with another "+field, first.InstanceID, err, hosting.PolicyFailed, hosting.AlreadyExists, first.InstanceID)
	}
	e.wantPolicy(t, "CreateAutoScalePolicy that was refused", first)
}

func policyListed(t *testing.T, e *env) {
	var want []hosting.AutoScalePolicy
	for range 3 {
		want = append(want, e.createPolicy(t, e.policy(e.scaled(t, 1))))
	}
	if ids := policyIDs(e.listPolicies(t)); !slices.IsSorted(ids) {
		t.Errorf("ListAutoScalePolicies: %q is not sorted", ids)
	}
	for _, p := range want {
		e.wantPolicy(t, "CreateAutoScalePolicy of several", p)
	}
}

func policyUpdated(t *testing.T, e *env) {
	policy, other := e.createPolicy(t, e.policy(e.scaled(t, 1))), e.createPolicy(t, e.policy(e.scaled(t, 1)))
	next := e.policy(policy.InstanceID)
	next.MinReplicas, next.MaxReplicas = 2, 9
	next.ScaleUpRules = append(next.ScaleUpRules, hosting.ScaleRule{MetricType: hosting.MetricCustom, MetricName: "queue length",
		Threshold: 10.5, Comparison: ">=", StepSize: 3, EvaluationPeriod: hosting.Duration(30 * time.Second)})
	next.ScaleDownRules = nil
	next.CooldownPeriod, next.StabilizationWindow = 0, hosting.Duration(time.Hour)
	updated, err := e.adapter.UpdateAutoScalePolicy(e.ctx, policy.PolicyID, next)
	must(t, "UpdateAutoScalePolicy", policy.PolicyID, err)
	next.PolicyID = policy.PolicyID
	wantSamePolicy(t, "UpdateAutoScalePolicy", updated, next)
	e.wantPolicy(t, "UpdateAutoScalePolicy", next)
	again, err := e.adapter.UpdateAutoScalePolicy(e.ctx, policy.PolicyID, updated)
	must(t, "UpdateAutoScalePolicy with what it returned", policy.PolicyID, err)
	wantSamePolicy(t, "UpdateAutoScalePolicy with what it returned", again, next)
	e.wantPolicy(t, "UpdateAutoScalePolicy of another", other)

	moved := next
	moved.PolicyID, moved.InstanceID = "", other.InstanceID
	_, err = e.adapter.UpdateAutoScalePolicy(e.ctx, policy.PolicyID, moved)
	e.wantError(t, "UpdateAutoScalePolicy with another instance", err, hosting.PolicyFailed, hosting.InvalidArgument, "instanceId", other.InstanceID)
	e.wantPolicy(t, "UpdateAutoScalePolicy that was refused", next)
	e.wantPolicy(t, "UpdateAutoScalePolicy that was refused", other)
}

func policyEnabled(t *testing.T, e *env) {
	policy := e.createPolicy(t, e.policy(e.scaled(t, 1)))
	for _, enabled := range []bool{false, true, true, false, false, true} {
		call, do := "DisableAutoScalePolicy", e.adapter.DisableAutoScalePolicy
		if enabled {
			call, do = "EnableAutoScalePolicy", e.adapter.EnableAutoScalePolicy
		}
		must(t, call, policy.PolicyID, do(e.ctx, policy.PolicyID))
		policy.Enabled = enabled
		e.wantPolicy(t, call, policy)
	}
}

func policyDeleted(t *testing.T, e *env) {
	id := e.scaled(t, 2)
	policy, stays := e.createPolicy(t, e.policy(id)), e.createPolicy(t, e.policy(e.scaled(t, 1)))
	before := e.get(t, id)
	must(t, "DeleteAutoScalePolicy", policy.PolicyID, e.adapter.DeleteAutoScalePolicy(e.ctx, policy.PolicyID))
	e.wantNoPolicy(t, "DeleteAutoScalePolicy", policy.PolicyID, id)
	wantUnchanged(t, "DeleteAutoScalePolicy", e.get(t, id), before)
	e.wantPolicy(t, "DeleteAutoScalePolicy of another", stays)
	err := e.adapter.DeleteAutoScalePolicy(e.ctx, policy.PolicyID)
	e.wantError(t, "DeleteAutoScalePolicy again", err, hosting.PolicyNotFound, hosting.NotFound, policy.PolicyID)
	next := e.createPolicy(t, e.policy(id))
	e.wantPolicy(t, "CreateAutoScalePolicy after DeleteAutoScalePolicy", next)
}

// policyCalls are those that take the id of a policy.
func (e *env) policyCalls(ctx context.Context, id string, update hosting.AutoScalePolicy) map[string]func() error {
	return map[string]func() error{
		"GetAutoScalePolicyByID": func() error { _, err := e.adapter.GetAutoScalePolicyByID(ctx, id); return err },
		"UpdateAutoScalePolicy":  func() error { _, err := e.adapter.UpdateAutoScalePolicy(ctx, id, update); return err },
		"DeleteAutoScalePolicy":  func() error { return e.adapter.DeleteAutoScalePolicy(ctx, id) },
		"EnableAutoScalePolicy":  func() error { return e.adapter.EnableAutoScalePolicy(ctx, id) },
		"DisableAutoScalePolicy": func() error { return e.adapter.DisableAutoScalePolicy(ctx, id) },
	}
}

func policyUnknown(t *testing.T, e *env) {
	instance := e.create(t, e.config(Serve))
	for what, id := range map[string]string{
		"an unknown id":         e.Region + ".policy." + e.name(),
		"another region":        "no-such-region.policy." + e.name(),
		"another provider's id": "no-such-provider:" + e.Region + ".policy." + e.name(),
	} {
		for call, do := range e.policyCalls(e.ctx, id, e.policy(instance.ID)) {
			err := do()
			if strings.Contains(id, "no-such-provider") { // it may be nobody's
				if hosting.CodeOf(err) != hosting.PolicyNotFound {
					t.Errorf("%s of %s: got %v, want code %s", call, what, err, hosting.PolicyNotFound)
				}
				continue
			}
			e.wantError(t, call+" of "+what, err, hosting.PolicyNotFound, hosting.NotFound)
		}
	}
	for call, do := range e.policyCalls(e.ctx, "nonsense", e.policy(instance.ID)) {
		e.wantError(t, call+" of what is no id", do(), hosting.PolicyFailed, hosting.InvalidArgument, "nonsense")
	}
}

func policyOfUnknown(t *testing.T, e *env) {
	id := hosting.ID{Region: e.Region, Type: e.typ, Name: e.name()}.String()
	_, err := e.adapter.GetAutoScalePolicy(e.ctx, id)
	e.wantIDError(t, "GetAutoScalePolicy of an unknown instance", id, err, hosting.InstanceNotFound, hosting.NotFound)
	_, err = e.tryPolicy(t, e.policy(id))
	e.wantIDError(t, "CreateAutoScalePolicy of an unknown instance", id, err, hosting.InstanceNotFound, hosting.NotFound)
	_, err = e.adapter.GetAutoScalePolicy(e.ctx, "nonsense")
	e.wantError(t, "GetAutoScalePolicy of what is no id", err, hosting.PolicyFailed, hosting.InvalidArgument, "nonsense")
}

func policyUnscalable(t *testing.T, e *env) {
	if e.has(t, hosting.CanScale) {
		e.skip(t, "%s scales", e.typ)
	}
	id := e.create(t, e.config(Serve)).ID
	_, err := e.tryPolicy(t, e.policy(id))
	e.wantIDError(t, "CreateAutoScalePolicy of a "+e.typ, id, err, hosting.PolicyFailed, hosting.Unsupported, e.typ)
	_, err = e.adapter.GetAutoScalePolicy(e.ctx, id)
	e.wantIDError(t, "GetAutoScalePolicy of a "+e.typ, id, err, hosting.PolicyNotFound, hosting.NotFound)
}

func policyBad(t *testing.T, e *env) {
	policy, free := e.createPolicy(t, e.policy(e.scaled(t, 1))), e.scaled(t, 1)
	for field, spoil := range map[string]func(*hosting.AutoScalePolicy){
		"name":                             func(p *hosting.AutoScalePolicy) { p.Name = "Not A Name" },
		"minReplicas":                      func(p *hosting.AutoScalePolicy) { p.MinReplicas = 0 },
		"maxReplicas":                      func(p *hosting.AutoScalePolicy) { p.MaxReplicas = p.MinReplicas - 1 },
		"cooldownPeriod":                   func(p *hosting.AutoScalePolicy) { p.CooldownPeriod = -1 },
		"stabilizationWindow":              func(p *hosting.AutoScalePolicy) { p.StabilizationWindow = -1 },
		"scaleUpRules":                     func(p *hosting.AutoScalePolicy) { p.ScaleUpRules, p.ScaleDownRules = nil, nil },
		"scaleUpRules[0].metricType":       func(p *hosting.AutoScalePolicy) { p.ScaleUpRules[0].MetricType = "guess" },
		"scaleUpRules[0].metricName":       func(p *hosting.AutoScalePolicy) { p.ScaleUpRules[0].MetricName = "mood" },
		"scaleUpRules[0].threshold":        func(p *hosting.AutoScalePolicy) { p.ScaleUpRules[0].Threshold = math.NaN() },
		"scaleUpRules[0].evaluationPeriod": func(p *hosting.AutoScalePolicy) { p.ScaleUpRules[0].EvaluationPeriod = -1 },
		"scaleDownRules[0].comparison":     func(p *hosting.AutoScalePolicy) { p.ScaleDownRules[0].Comparison = "~" },
		"scaleDownRules[0].stepSize":       func(p *hosting.AutoScalePolicy) { p.ScaleDownRules[0].StepSize = 0 },
	} {
		bad := e.policy(free)
		spoil(&bad)
		_, err := e.tryPolicy(t, bad)
		e.wantError(t, "CreateAutoScalePolicy with a bad "+field, err, hosting.PolicyFailed, hosting.InvalidArgument, field)
		bad.InstanceID = policy.InstanceID
		_, err = e.adapter.UpdateAutoScalePolicy(e.ctx, policy.PolicyID, bad)
		e.wantError(t, "UpdateAutoScalePolicy with a bad "+field, err, hosting.PolicyFailed, hosting.InvalidArgument, field)
	}
	_, err := e.tryPolicy(t, e.policy(""))
	e.wantError(t, "CreateAutoScalePolicy without an instance", err, hosting.PolicyFailed, hosting.InvalidArgument, "instanceId")
	_, err = e.adapter.GetAutoScalePolicy(e.ctx, free)
	e.wantIDError(t, "GetAutoScalePolicy after bad policies", free, err, hosting.PolicyNotFound, hosting.NotFound)
	e.wantPolicy(t, "bad policies", policy)
}

func policyLongest(t *testing.T, e *env) {
	config := e.config(Serve)
	config.InstanceName += "-" + strings.Repeat("x", hosting.MaxNameLength-len(config.InstanceName)-1)
	wanted := e.policy(e.create(t, config).ID)
	wanted.Name += "-" + strings.Repeat("x", hosting.MaxNameLength-len(wanted.Name)-1)
	e.wantPolicy(t, fmt.Sprintf("CreateAutoScalePolicy with names of %d characters", hosting.MaxNameLength), e.createPolicy(t, wanted))
}

func policyCancelled(t *testing.T, e *env) {
	free, policy := e.scaled(t, 1), e.createPolicy(t, e.policy(e.scaled(t, 1)))
	ended, cancel := context.WithCancel(e.ctx)
	cancel()
	calls := e.policyCalls(ended, policy.PolicyID, e.policy(policy.InstanceID))
	calls["GetAutoScalePolicy"] = func() error { _, err := e.adapter.GetAutoScalePolicy(ended, policy.InstanceID); return err }
	calls["ListAutoScalePolicies"] = func() error { _, err := e.adapter.ListAutoScalePolicies(ended); return err }
	calls["CreateAutoScalePolicy"] = func() error { _, err := e.adapter.CreateAutoScalePolicy(ended, e.policy(free)); return err }
	for call, do := range calls {
		e.wantError(t, call+" with a cancelled context", do(), hosting.PolicyFailed, hosting.Canceled)
	}
	e.wantPolicy(t, "calls with a cancelled context", policy)
	_, err := e.adapter.GetAutoScalePolicy(e.ctx, free)
	e.wantIDError(t, "GetAutoScalePolicy after a cancelled CreateAutoScalePolicy", free, err, hosting.PolicyNotFound, hosting.NotFound)
}
