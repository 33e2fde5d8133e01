package conformance

import (
	"testing"

	"skillcenter.io/hosting"
)

func resourceCases() []testCase {
	return []testCase{
		each("changed resources are merged with what there is", resourcesMerged, hosting.CanUpdateResources),
		once("changed resources are rolled out", resourcesRolledOut, hosting.CanUpdateResources).waiting(),
		only(hosting.TypeJob, "resources of a job change only while it is stopped", resourcesOfJob, hosting.CanUpdateResources, hosting.CanStop),
	}
}

func resourcesMerged(t *testing.T, e *env) {
	config := e.config(Serve)
	config.Resources = &hosting.ResourceConfig{CPULimit: 0.4, CPURequest: 0.1, MemoryLimit: 128 << 20, MemoryRequest: 64 << 20}
	id := e.create(t, config).ID
	e.stopJob(t, id)
	want := *config.Resources
	for _, change := range []hosting.ResourceConfig{
		{CPULimit: 0.6},
		{}, // changes nothing
		{MemoryLimit: 256 << 20, MemoryRequest: 96 << 20},
		{CPURequest: 0.2},
	} {
		must(t, "UpdateResources", id, e.p.UpdateResources(e.ctx, id, change))
		for field, value := range map[*float64]float64{&want.CPULimit: change.CPULimit, &want.CPURequest: change.CPURequest} {
			if value != 0 {
				*field = value
			}
		}
		for field, value := range map[*int64]int64{&want.MemoryLimit: change.MemoryLimit, &want.MemoryRequest: change.MemoryRequest} {
			if value != 0 {
				*field = value
			}
		}
		if got := e.get(t, id).Resources; !sameResources(got, &want) {
			t.Errorf("instance %s has resources %s after UpdateResources(%s), want %s", id, toJSON(got), toJSON(change), toJSON(want))
		}
	}
}

func resourcesRolledOut(t *testing.T, e *env) {
	config, replicas := e.replicated(t, Serve, 2)
	id := e.running(t, config).ID
	must(t, "UpdateResources", id, e.p.UpdateResources(e.ctx, id, hosting.ResourceConfig{CPULimit: 0.6}))
	if now := e.get(t, id).Status; now != hosting.StatusUpdating && now != hosting.StatusRunning {
		t.Errorf("instance %s is %s after UpdateResources, want %s or %s", id, now, hosting.StatusUpdating, hosting.StatusRunning)
	}
	running := e.await(t, id, hosting.StatusRunning)
	if running.Resources == nil || running.Resources.CPULimit != 0.6 {
		t.Errorf("instance %s has resources %s after UpdateResources, want cpuLimit 0.6", id, toJSON(running.Resources))
	}
	if e.has(t, hosting.CanScale) && running.Replicas != replicas {
		t.Errorf("instance %s has %d replicas after UpdateResources, want %d", id, running.Replicas, replicas)
	}
}

func resourcesOfJob(t *testing.T, e *env) {
	created := e.create(t, e.config(Serve))
	must(t, "UpdateResources without a change", created.ID, e.p.UpdateResources(e.ctx, created.ID, hosting.ResourceConfig{}))
	change := hosting.ResourceConfig{CPULimit: 0.6}
	e.wantIDError(t, "UpdateResources of a job that is not stopped", created.ID, e.p.UpdateResources(e.ctx, created.ID, change), hosting.UpdateFailed, hosting.Conflict)
	wantUnchanged(t, "UpdateResources of a job that is not stopped", e.get(t, created.ID), created)
	must(t, "StopInstance", created.ID, e.p.StopInstance(e.ctx, created.ID))
	e.await(t, created.ID, hosting.StatusStopped)
	must(t, "UpdateResources of a stopped job", created.ID, e.p.UpdateResources(e.ctx, created.ID, change))
	if got := e.get(t, created.ID).Resources; got == nil || got.CPULimit != 0.6 {
		t.Errorf("stopped job %s has resources %s after UpdateResources, want cpuLimit 0.6", created.ID, toJSON(got))
	}
}
