package conformance

import (
	"context"
	"testing"

	"skillcenter.io/hosting"
)

func watchCases() []testCase {
	return []testCase{
		once("a watch tells what is there, what changes and what goes", watchTells, hosting.CanWatch),
	}
}

// watchTells acts from inside the loop: a provider may not hold anything while
// its consumer works.
func watchTells(t *testing.T, e *env) {
	config, _ := e.replicated(t, Serve, 1)
	config.Labels = map[string]string{"team": "blue"}
	first := e.create(t, config)
	var second hosting.CloudInstance

	ctx, cancel := context.WithTimeout(e.ctx, e.Timeout)
	defer cancel()
	var firstTold, synced, secondTold, deletedTold bool
	for change, err := range hosting.WatchInstances(ctx, e.p) {
		if err != nil {
			t.Fatalf("WatchInstances: %v", err)
		}
		switch {
		case change.Type == hosting.ChangeSynced:
			if !firstTold || synced {
				t.Errorf("WatchInstances said %s twice, or before it told of %s", hosting.ChangeSynced, first.ID)
			}
			synced = true
			second = e.create(t, e.config(Serve))
		case change.Type == hosting.ChangeState && change.Instance.ID == first.ID:
			firstTold = true
			wantSame(t, "WatchInstances", change.Instance, first)
		case change.Type == hosting.ChangeState && synced && change.Instance.ID == second.ID && !secondTold:
			secondTold = true
			wantSame(t, "WatchInstances", change.Instance, second)
			must(t, "DeleteInstance", first.ID, e.p.DeleteInstance(e.ctx, first.ID))
		case change.Type == hosting.ChangeDeleted && change.Instance.ID == first.ID:
			deletedTold = true
			wantSame(t, "WatchInstances of a deleted instance", change.Instance, first)
			cancel()
		}
	}
	if !firstTold || !synced || !secondTold || !deletedTold {
		t.Errorf("WatchInstances told of what was there: %t, that it is in sync: %t, of what was created: %t, of what was deleted: %t; want all, within %v",
			firstTold, synced, secondTold, deletedTold, e.Timeout)
	}
}
