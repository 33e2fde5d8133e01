package conformance

import (
	"strconv"
	"testing"

	"skillcenter.io/hosting"
)

func applyScaleCases() []testCase {
	return []testCase{
		services("apply keeps the number of replicas", applyKeepsScale, hosting.CanApply, hosting.CanScale),
		services("apply keeps a stop, and start brings the number back", applyKeepsStop, hosting.CanApply, hosting.CanScale, hosting.CanStop),
		services("apply brings the number of replicas into a changed scaling", applyClamps, hosting.CanApply, hosting.CanScale),
	}
}

func applyKeepsScale(t *testing.T, e *env) {
	config, _ := e.replicated(t, Serve, 1)
	id := e.create(t, config).ID
	must(t, "ScaleInstance", id, e.p.ScaleInstance(e.ctx, id, 3))
	for what, changed := range map[string]hosting.CloudHostingConfig{
		"the same configuration": config, "other labels": labelled(config, "two"), "another environment": withEnv(config, "two"),
	} {
		e.apply(t, changed)
		if now := e.get(t, id); now.Replicas != 3 {
			t.Errorf("instance %s scaled to 3 has %d replicas after ApplyInstance with %s", id, now.Replicas, what)
		}
	}
}

func applyKeepsStop(t *testing.T, e *env) {
	config, _ := e.replicated(t, Serve, 1)
	id := e.create(t, config).ID
	must(t, "ScaleInstance", id, e.p.ScaleInstance(e.ctx, id, 2))
	must(t, "StopInstance", id, e.p.StopInstance(e.ctx, id))
	e.await(t, id, hosting.StatusStopped)
	e.apply(t, withEnv(config, "two"))
	now := e.get(t, id)
	if off(now.Status) != "stopped" || now.Replicas != 0 || now.Metadata[hosting.MetadataStoppedReplicas] != strconv.Itoa(2) {
		t.Errorf("stopped instance %s, scaled to 2, is %s with %d replicas %v after ApplyInstance, want it to stay as it was", id, now.Status, now.Replicas, now.Metadata)
	}
	must(t, "StartInstance", id, e.p.StartInstance(e.ctx, id))
	if now := e.get(t, id); off(now.Status) != "started" || now.Replicas != 2 {
		t.Errorf("instance %s is %s with %d replicas after ApplyInstance and StartInstance, want 2", id, now.Status, now.Replicas)
	}
}

func applyClamps(t *testing.T, e *env) {
	config, _ := e.replicated(t, Serve, 1)
	id := e.create(t, config).ID
	for _, step := range []struct {
		scaling hosting.ScaleConfig
		want    int
	}{
		{hosting.ScaleConfig{MinReplicas: 3}, 3},
		{hosting.ScaleConfig{MinReplicas: 1}, 3},
		{hosting.ScaleConfig{MinReplicas: 1, MaxReplicas: 2}, 2},
	} {
		config.Scaling = &step.scaling
		e.apply(t, config)
		if now := e.get(t, id); now.Replicas != step.want {
			t.Errorf("instance %s has %d replicas after ApplyInstance with scaling %s, want %d", id, now.Replicas, toJSON(step.scaling), step.want)
		}
	}
}
