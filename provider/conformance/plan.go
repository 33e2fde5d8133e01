package conformance

import (
	"fmt"
	"strings"
	"testing"

	"skillcenter.io/hosting"
)

func planCases() []testCase {
	return []testCase{
		once("a plan tells what would change and changes nothing", planTells, hosting.CanPlan),
		services("a plan tells whether replicas restart", planRestarts, hosting.CanPlan).waiting(),
		once("a plan for a region that does not exist is refused", planRegion, hosting.CanPlan),
		once("a plan objects to what apply would refuse", planObjects, hosting.CanPlan),
		only(hosting.TypeJob, "a plan objects to another container of a job", planJob, hosting.CanPlan),
		once("a plan shows no secrets", planHidesSecrets, hosting.CanPlan, hosting.CanSecretEnv),
	}
}

func (e *env) plan(t *testing.T, config hosting.CloudHostingConfig) hosting.InstancePlan {
	t.Helper()
	return read(t, e, "PlanInstance", config.InstanceName, func() (hosting.InstancePlan, error) {
		return hosting.PlanInstance(e.ctx, e.p, config)
	})
}

func planTells(t *testing.T, e *env) {
	config := e.config(Serve)
	one, two := labelled(config, "one"), labelled(config, "two")
	if fresh := e.plan(t, one); len(fresh.Changes) == 0 || fresh.Restarts || fresh.Detaches || len(fresh.Objections) > 0 {
		t.Errorf("PlanInstance(%s) of an instance that does not exist is %s, want changes and nothing else", config.InstanceName, toJSON(fresh))
	}
	if left := e.named(t, config.InstanceName); len(left) != 0 {
		e.deleteLater(t, left[0].ID)
		t.Fatalf("PlanInstance created %s", left[0].ID)
	}
	created := e.create(t, one)
	for _, wanted := range []struct {
		config  hosting.CloudHostingConfig
		changes bool
	}{{one, false}, {two, true}} {
		plan := e.plan(t, wanted.config)
		if (len(plan.Changes) > 0) != wanted.changes || len(plan.Objections) > 0 {
			t.Errorf("PlanInstance(%s) tells of changes %q and objections %q, want changes: %t, and no objections", created.ID, plan.Changes, plan.Objections, wanted.changes)
		}
	}
	wantUnchanged(t, "PlanInstance", e.get(t, created.ID), created)
	e.createAgainIs(t, one, created)
}

func planRestarts(t *testing.T, e *env) {
	config := e.config(Serve)
	id := e.running(t, config).ID
	for _, wanted := range []struct {
		config   hosting.CloudHostingConfig
		restarts bool
	}{{config, false}, {withEnv(config, "two"), true}} {
		if plan := e.plan(t, wanted.config); plan.Restarts != wanted.restarts || plan.Detaches {
			t.Errorf("PlanInstance(%s) with env %v tells restarts %t, detaches %t, want %t and false", id, wanted.config.Env, plan.Restarts, plan.Detaches, wanted.restarts)
		}
	}
}

func planRegion(t *testing.T, e *env) {
	config := e.config(Serve)
	config.Region = "no-such-region"
	_, err := hosting.PlanInstance(e.ctx, e.p, config)
	e.wantError(t, "PlanInstance in a region that does not exist", err, hosting.UpdateFailed, hosting.InvalidArgument, "region", "no-such-region")
}

func planObjects(t *testing.T, e *env) {
	config := e.config(Serve)
	created := e.create(t, config)
	for _, other := range e.Types {
		if other == e.typ || other == hosting.TypeCronJob {
			continue
		}
		config := clone(config)
		config.InstanceType = other
		if plan := e.plan(t, config); len(plan.Objections) == 0 {
			t.Errorf("PlanInstance of a %s with the name of %s has no objections", other, created.ID)
		}
	}
	wantUnchanged(t, "PlanInstance of another type", e.get(t, created.ID), created)
}

func planJob(t *testing.T, e *env) {
	config := e.config(Serve)
	id := e.create(t, config).ID
	config.Container.Image = "other.example.com/other:1"
	if plan := e.plan(t, config); !strings.Contains(strings.Join(plan.Objections, "\n"), "container") {
		t.Errorf("PlanInstance(%s) with another image has objections %q, want one that names the container", id, plan.Objections)
	}
}

func planHidesSecrets(t *testing.T, e *env) {
	config := e.config(Serve)
	secrets := []string{"hush" + random(20), "hush" + random(20), "hush" + random(20)}
	planned := func(what string, env hosting.SecretMap) {
		t.Helper()
		config.SecretEnv = env
		plan := e.plan(t, config)
		if text := toJSON(plan) + fmt.Sprintf("%+v", plan); containsAny(text, secrets) {
			t.Errorf("PlanInstance(%s) with %s shows a value of secretEnv", config.InstanceName, what)
		}
		if len(plan.Changes) == 0 {
			t.Errorf("PlanInstance(%s) with %s tells of no changes", config.InstanceName, what)
		}
	}
	planned("a new secret", hosting.SecretMap{"TOKEN": secrets[0]})
	e.create(t, config)
	planned("a changed secret", hosting.SecretMap{"TOKEN": secrets[1]})
	planned("one secret more", hosting.SecretMap{"TOKEN": secrets[0], "MORE": secrets[2]})
	planned("no secrets", nil)
}

func containsAny(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}
