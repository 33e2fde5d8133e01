package conformance

import (
	"fmt"
	"testing"

	"skillcenter.io/hosting"
)

func deletionCases() []testCase {
	return []testCase{
		each("delete shows terminating, then not found", deleteEnds),
		each("a terminating instance cannot be changed or created", terminatingConflicts),
		each("a deleted name can be used again", deletedNameIsFree),
	}
}

func deleteEnds(t *testing.T, e *env) {
	config := e.config(Serve)
	id := e.create(t, config).ID
	must(t, "DeleteInstance", id, e.p.DeleteInstance(e.ctx, id))
	e.eventually(t, fmt.Sprintf("instance %s is gone after DeleteInstance", id), func() error {
		instance, err := e.p.GetInstance(e.ctx, id)
		if err == nil {
			if instance.Status != hosting.StatusTerminating {
				t.Errorf("instance %s is %s after DeleteInstance, want %s", id, instance.Status, hosting.StatusTerminating)
			}
			return fmt.Errorf("it is %s", instance.Status)
		}
		if isAway(err) {
			return err
		}
		e.wantIDError(t, fmt.Sprintf("GetInstance(%s) after DeleteInstance", id), id, err, hosting.InstanceNotFound, hosting.NotFound)
		return nil
	})
	e.wantIDError(t, fmt.Sprintf("DeleteInstance(%s) when it is gone", id), id, e.p.DeleteInstance(e.ctx, id), hosting.InstanceNotFound, hosting.NotFound)
	if left := e.named(t, config.InstanceName); len(left) != 0 {
		t.Errorf("ListInstances still has %s after it was deleted", left[0].ID)
	}
}

// terminatingConflicts allows for instances that are gone at once.
func terminatingConflicts(t *testing.T, e *env) {
	config := e.config(Serve)
	id := e.create(t, config).ID
	must(t, "DeleteInstance", id, e.p.DeleteInstance(e.ctx, id))
	wantReason(t, fmt.Sprintf("DeleteInstance(%s) again", id), e.p.DeleteInstance(e.ctx, id), hosting.NotFound)
	health, err := retried(e, func() (hosting.Health, error) { return e.p.HealthCheck(e.ctx, id) })
	wantReason(t, fmt.Sprintf("HealthCheck(%s) while it is terminating", id), err, hosting.NotFound)
	if err == nil && (health.Healthy || health.Reason == "") {
		t.Errorf("HealthCheck(%s) while it is terminating: got healthy %t, reason %q; want unhealthy with a reason", id, health.Healthy, health.Reason)
	}
	for _, c := range idCalls() {
		if !c.changes || !e.has(t, c.needs) {
			continue
		}
		if err := c.do(e.ctx, e.p, id); hosting.CodeOf(err) != hosting.InstanceNotFound {
			e.wantIDError(t, fmt.Sprintf("%s(%s) while it is terminating", c.name, id), id, err, c.code, hosting.Conflict)
		}
	}
	if again, err := e.tryCreate(t, config); err != nil {
		e.wantError(t, fmt.Sprintf("CreateInstance(%s) while it is terminating", id), err, hosting.CreateFailed, hosting.Conflict)
		e.awaitGone(t, id)
	} else if again.Status == hosting.StatusTerminating {
		t.Errorf("CreateInstance(%s) returned the terminating instance, want reason %s", id, hosting.Conflict)
	}
}

func deletedNameIsFree(t *testing.T, e *env) {
	config, replicas := e.replicated(t, Serve, 1)
	first := e.create(t, config)
	if e.has(t, hosting.CanScale) {
		must(t, "ScaleInstance", first.ID, e.p.ScaleInstance(e.ctx, first.ID, 2))
	}
	must(t, "DeleteInstance", first.ID, e.p.DeleteInstance(e.ctx, first.ID))
	e.awaitGone(t, first.ID)

	config.Labels = map[string]string{"life": "second"}
	second := e.create(t, config)
	if second.ID != first.ID {
		t.Errorf("the id is %s, then %s for the same name", first.ID, second.ID)
	}
	if second.CreatedAt.Before(first.CreatedAt) {
		t.Errorf("instance %s was created again at %s, before its first life, %s", second.ID, second.CreatedAt, first.CreatedAt)
	}
	wantLabels(t, "a second life", second, config.Labels)
	if e.has(t, hosting.CanScale) && second.Replicas != replicas {
		t.Errorf("instance %s has %d replicas in its second life, want %d", second.ID, second.Replicas, replicas)
	}
}
