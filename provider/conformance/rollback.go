package conformance

import (
	"fmt"
	"testing"

	"skillcenter.io/hosting"
)

func rollbackCases() []testCase {
	return []testCase{
		services("rollback goes back to an earlier configuration", rollbackGoesBack, hosting.CanApply, hosting.CanRollback),
		once("revisions count from one, newest first, and a rollback is one", revisionsCount, hosting.CanApply, hosting.CanRollback),
		once("rollback to a revision that does not exist is not found", rollbackUnknown, hosting.CanApply, hosting.CanRollback),
		once("rollback keeps the number of replicas", rollbackKeepsScale, hosting.CanApply, hosting.CanRollback, hosting.CanScale),
		once("rollback keeps the values of secrets, or is a conflict", rollbackSecrets, hosting.CanApply, hosting.CanRollback, hosting.CanSecretEnv),
		once("rollback of a terminating instance is a conflict", rollbackTerminating, hosting.CanApply, hosting.CanRollback),
	}
}

func (e *env) rollback(t *testing.T, id string, revision int) hosting.CloudInstance {
	t.Helper()
	instance, err := hosting.RollbackInstance(e.ctx, e.p, id, revision)
	must(t, fmt.Sprintf("RollbackInstance to revision %d", revision), id, err)
	return instance
}

// wantRevisions checks the history by the labels of its configurations, newest
// first.
func (e *env) wantRevisions(t *testing.T, id string, releases ...string) {
	t.Helper()
	revisions := read(t, e, "ListRevisions", id, func() ([]hosting.InstanceRevision, error) {
		return hosting.ListRevisions(e.ctx, e.p, id)
	})
	good := len(revisions) == len(releases)
	for i := 0; good && i < len(releases); i++ {
		r := revisions[i]
		good = r.Revision == len(releases)-i && r.Config.Labels["release"] == releases[i] && !r.CreatedAt.IsZero()
	}
	if !good {
		t.Errorf("ListRevisions(%s): got %s\nwant releases %q, newest first, numbered down to 1, with times", id, toJSON(revisions), releases)
	}
}

func rollbackGoesBack(t *testing.T, e *env) {
	config := e.config(Serve)
	one, two := labelled(config, "one"), withEnv(labelled(config, "two"), "two")
	id := e.create(t, one).ID
	e.apply(t, two)
	for _, step := range []struct {
		revision       int
		config, before hosting.CloudHostingConfig
	}{{0, one, two}, {2, two, one}} {
		wantLabels(t, "RollbackInstance", e.rollback(t, id, step.revision), step.config.Labels)
		wantLabels(t, "GetInstance after RollbackInstance", e.get(t, id), step.config.Labels)
		e.wantInForce(t, "RollbackInstance", id, step.config, step.before)
	}
}

func revisionsCount(t *testing.T, e *env) {
	config := e.config(Serve)
	one, two := labelled(config, "one"), labelled(config, "two")
	id := e.create(t, one).ID
	e.wantRevisions(t, id, "one")
	e.apply(t, two)
	e.apply(t, two) // which is no change
	e.wantRevisions(t, id, "two", "one")
	e.rollback(t, id, 1)
	e.wantRevisions(t, id, "one", "two", "one")
}

func rollbackUnknown(t *testing.T, e *env) {
	one := labelled(e.config(Serve), "one")
	created := e.create(t, one)
	for _, revision := range []int{0, -1, 99} {
		_, err := hosting.RollbackInstance(e.ctx, e.p, created.ID, revision)
		e.wantIDError(t, fmt.Sprintf("RollbackInstance(%s, %d) after one revision", created.ID, revision), created.ID, err, hosting.UpdateFailed, hosting.NotFound)
	}
	wantUnchanged(t, "RollbackInstance to what does not exist", e.get(t, created.ID), created)
}

func rollbackKeepsScale(t *testing.T, e *env) {
	config, _ := e.replicated(t, Serve, 1)
	id := e.create(t, config).ID
	e.apply(t, labelled(config, "two"))
	must(t, "ScaleInstance", id, e.p.ScaleInstance(e.ctx, id, 2))
	e.rollback(t, id, 0)
	if now := e.get(t, id); now.Replicas != 2 {
		t.Errorf("instance %s scaled to 2 has %d replicas after RollbackInstance", id, now.Replicas)
	}
}

func rollbackSecrets(t *testing.T, e *env) {
	one := labelled(e.config(Serve), "one")
	one.SecretEnv = hosting.SecretMap{"TOKEN": "one"}
	two := labelled(one, "two")
	two.SecretEnv = hosting.SecretMap{"TOKEN": "two"}
	id := e.create(t, one).ID
	e.apply(t, two)
	e.rollback(t, id, 0)
	mixed := clone(one)
	mixed.SecretEnv = two.SecretEnv
	e.wantInForce(t, "RollbackInstance", id, mixed, one, two)

	more := labelled(one, "more")
	more.SecretEnv = hosting.SecretMap{"TOKEN": "two", "MORE": "1"}
	applied := e.apply(t, more)
	_, err := hosting.RollbackInstance(e.ctx, e.p, id, 0)
	e.wantIDError(t, fmt.Sprintf("RollbackInstance(%s) to a revision with other secrets", id), id, err, hosting.UpdateFailed, hosting.Conflict, "secret")
	wantUnchanged(t, "RollbackInstance that was refused", e.get(t, id), applied)
}

// rollbackTerminating allows for instances that are gone at once.
func rollbackTerminating(t *testing.T, e *env) {
	config := e.config(Serve)
	id := e.create(t, config).ID
	e.apply(t, labelled(config, "two"))
	must(t, "DeleteInstance", id, e.p.DeleteInstance(e.ctx, id))
	_, err := hosting.RollbackInstance(e.ctx, e.p, id, 0)
	if hosting.CodeOf(err) != hosting.InstanceNotFound {
		e.wantIDError(t, fmt.Sprintf("RollbackInstance(%s) while it is terminating", id), id, err, hosting.UpdateFailed, hosting.Conflict)
	}
}
