package conformance

import (
	"slices"
	"testing"

	"skillcenter.io/hosting"
)

func applyCases() []testCase {
	return []testCase{
		services("apply creates, changes, and keeps scale and stop", applyChanges, hosting.CanApply),
		once("a plan tells what would change and changes nothing", planTells, hosting.CanPlan),
		services("rollback goes back to an earlier configuration", rollbackGoesBack, hosting.CanApply, hosting.CanRollback),
	}
}

func (e *env) apply(t *testing.T, config hosting.CloudHostingConfig) hosting.CloudInstance {
	t.Helper()
	instance, err := hosting.ApplyInstance(e.ctx, e.p, config)
	must(t, "ApplyInstance", config.InstanceName, err)
	return instance
}

func labelled(config hosting.CloudHostingConfig, release string) hosting.CloudHostingConfig {
	config = clone(config)
	config.Labels = map[string]string{"release": release}
	return config
}

func applyChanges(t *testing.T, e *env) {
	config, _ := e.replicated(t, Serve, 1)
	one, two := labelled(config, "one"), labelled(config, "two")
	created := e.apply(t, one)
	e.deleteLater(t, created.ID)
	wantLabels(t, "ApplyInstance that creates", created, one.Labels)
	wantUnchanged(t, "ApplyInstance without a change", e.apply(t, one), created)

	if e.has(t, hosting.CanScale) {
		must(t, "ScaleInstance", created.ID, e.p.ScaleInstance(e.ctx, created.ID, 2))
	}
	scaled := e.get(t, created.ID)
	changed := e.apply(t, two)
	if changed.ID != created.ID || changed.CreatedAt != created.CreatedAt || changed.Replicas != scaled.Replicas {
		t.Errorf("ApplyInstance made of instance %s, %s, with %d replicas: %s, %s, with %d; want the same", created.ID, created.CreatedAt, scaled.Replicas, changed.ID, changed.CreatedAt, changed.Replicas)
	}
	wantLabels(t, "ApplyInstance that changes", e.get(t, created.ID), two.Labels)
	if _, err := e.p.CreateInstance(e.ctx, two); err != nil {
		t.Errorf("CreateInstance(%s) with the configuration that was applied: %v", created.ID, err)
	}
	_, err := e.p.CreateInstance(e.ctx, one)
	e.wantError(t, "CreateInstance with the configuration before the one that was applied", err, hosting.CreateFailed, hosting.AlreadyExists)

	if e.has(t, hosting.CanStop) {
		must(t, "StopInstance", created.ID, e.p.StopInstance(e.ctx, created.ID))
		e.await(t, created.ID, hosting.StatusStopped)
		e.apply(t, one)
		if now := e.get(t, created.ID); off(now.Status) != "stopped" {
			t.Errorf("stopped instance %s is %s after ApplyInstance", created.ID, now.Status)
		}
	}
}

func planTells(t *testing.T, e *env) {
	config := e.config(Serve)
	one, two := labelled(config, "one"), labelled(config, "two")
	fresh, err := hosting.PlanInstance(e.ctx, e.p, one)
	must(t, "PlanInstance of a new instance", config.InstanceName, err)
	if len(fresh.Changes) == 0 {
		t.Errorf("PlanInstance(%s) of an instance that does not exist tells of no changes", config.InstanceName)
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
		plan, err := hosting.PlanInstance(e.ctx, e.p, wanted.config)
		must(t, "PlanInstance", created.ID, err)
		if (len(plan.Changes) > 0) != wanted.changes {
			t.Errorf("PlanInstance(%s) tells of changes %q, want some: %t", created.ID, plan.Changes, wanted.changes)
		}
	}
	wantUnchanged(t, "PlanInstance", e.get(t, created.ID), created)
	e.createAgainIs(t, one, created)
}

func rollbackGoesBack(t *testing.T, e *env) {
	config := e.config(Serve)
	one, two := labelled(config, "one"), labelled(config, "two")
	created := e.create(t, one)
	e.apply(t, two)
	revisions, err := hosting.ListRevisions(e.ctx, e.p, created.ID)
	must(t, "ListRevisions", created.ID, err)
	newestFirst := slices.IsSortedFunc(revisions, func(a, b hosting.InstanceRevision) int { return b.Revision - a.Revision })
	if len(revisions) != 2 || !newestFirst || revisions[1].Config.Labels["release"] != "one" {
		t.Errorf("ListRevisions(%s): got %s, want two, the newest first", created.ID, toJSON(revisions))
	}
	_, err = hosting.RollbackInstance(e.ctx, e.p, created.ID, 0)
	must(t, "RollbackInstance", created.ID, err)
	wantLabels(t, "RollbackInstance", e.get(t, created.ID), one.Labels)
	_, err = hosting.RollbackInstance(e.ctx, e.p, created.ID, 99)
	e.wantError(t, "RollbackInstance to a revision that does not exist", err, hosting.UpdateFailed, hosting.NotFound)
}
