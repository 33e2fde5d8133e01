package conformance

import (
	"strconv"
	"testing"

	"skillcenter.io/hosting"
)

func scaleCases() []testCase {
	return []testCase{
		services("scale goes up, down, to zero and back", scaleUpAndDown, hosting.CanScale).waiting(),
		each("scaling a stopped instance sets what it starts with", scaleStopped, hosting.CanScale, hosting.CanStop).waiting(),
		once("an instance with an autoscaler is not scaled by hand", scaleAutoscaled, hosting.CanScale, hosting.CanAutoscale),
		only(hosting.TypeJob, "scale changes how many run at once in a job", scaleJob, hosting.CanScale).waiting(),
		only(hosting.TypeDaemonSet, "minReplicas of a daemonset is refused", daemonSetMinReplicas),
	}
}

func scaleUpAndDown(t *testing.T, e *env) {
	config, _ := e.replicated(t, Serve, 1)
	running := e.running(t, config)
	for _, replicas := range []int{1, 3, 1} { // 1 is what it has
		must(t, "ScaleInstance", running.ID, e.p.ScaleInstance(e.ctx, running.ID, replicas))
		if now := e.get(t, running.ID); now.Replicas != replicas || off(now.Status) != "started" {
			t.Errorf("instance %s is %s with %d replicas after ScaleInstance to %d", running.ID, now.Status, now.Replicas, replicas)
		}
		wantSame(t, "a scaled instance", e.awaitReplicas(t, running.ID, replicas), running)
	}
	must(t, "ScaleInstance", running.ID, e.p.ScaleInstance(e.ctx, running.ID, 0))
	zero := e.awaitReplicas(t, running.ID, 0)
	if got := zero.Metadata[hosting.MetadataReason]; got != "ScaledToZero" {
		t.Errorf("instance %s scaled to zero has metadata %s %q, want ScaledToZero", running.ID, hosting.MetadataReason, got)
	}
	e.wantHealth(t, running.ID, "ScaledToZero")
	must(t, "ScaleInstance", running.ID, e.p.ScaleInstance(e.ctx, running.ID, 2))
	e.awaitReplicas(t, running.ID, 2)
	e.wantHealth(t, running.ID, "")
}

func scaleStopped(t *testing.T, e *env) {
	config, _ := e.replicated(t, Serve, 1)
	id := e.create(t, config).ID
	must(t, "StopInstance", id, e.p.StopInstance(e.ctx, id))
	e.await(t, id, hosting.StatusStopped)
	must(t, "ScaleInstance", id, e.p.ScaleInstance(e.ctx, id, 2))
	stopped := e.get(t, id)
	if stopped.Status != hosting.StatusStopped || stopped.Replicas != 0 {
		t.Errorf("stopped instance %s is %s with %d replicas after ScaleInstance, want it to stay %s with 0", id, stopped.Status, stopped.Replicas, hosting.StatusStopped)
	}
	if got := stopped.Metadata[hosting.MetadataStoppedReplicas]; got != strconv.Itoa(2) {
		t.Errorf("stopped instance %s has metadata %s %q after ScaleInstance, want 2", id, hosting.MetadataStoppedReplicas, got)
	}
	must(t, "StartInstance", id, e.p.StartInstance(e.ctx, id))
	e.awaitReplicas(t, id, 2)
}

func scaleAutoscaled(t *testing.T, e *env) {
	config := e.config(Serve)
	asks(e)[hosting.CanAutoscale](&config)
	created := e.create(t, config)
	err := e.p.ScaleInstance(e.ctx, created.ID, 2)
	e.wantIDError(t, "ScaleInstance of an instance with an autoscaler", created.ID, err, hosting.ScaleFailed, hosting.Conflict, "utoscaler") // also HorizontalPodAutoscaler
	if e.has(t, hosting.CanStop) {
		must(t, "StopInstance", created.ID, e.p.StopInstance(e.ctx, created.ID))
		e.await(t, created.ID, hosting.StatusStopped)
		must(t, "ScaleInstance of a stopped instance with an autoscaler", created.ID, e.p.ScaleInstance(e.ctx, created.ID, 3))
		if got := e.get(t, created.ID).Metadata[hosting.MetadataStoppedReplicas]; got != "3" {
			t.Errorf("stopped instance %s has metadata %s %q after ScaleInstance, want 3", created.ID, hosting.MetadataStoppedReplicas, got)
		}
	}
}

func daemonSetMinReplicas(t *testing.T, e *env) {
	config := e.config(Serve)
	config.Scaling = &hosting.ScaleConfig{MinReplicas: 1}
	for _, c := range configCalls(config) {
		if c.needs == "" || e.has(t, c.needs) {
			e.wantError(t, c.name+" of a daemonset with minReplicas", c.do(e.ctx, e.p, ""), c.code, hosting.Unsupported, "scaling.minReplicas")
		}
	}
	for _, left := range e.named(t, config.InstanceName) {
		e.deleteLater(t, left.ID)
	}
}

func scaleJob(t *testing.T, e *env) {
	config, _ := e.replicated(t, Serve, 1)
	id := e.running(t, config).ID
	must(t, "ScaleInstance", id, e.p.ScaleInstance(e.ctx, id, 2))
	e.awaitReplicas(t, id, 2)
}
