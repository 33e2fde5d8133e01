package conformance

import (
	"fmt"
	"testing"

	"skillcenter.io/hosting"
)

func jobCases() []testCase {
	return []testCase{
		only(hosting.TypeJob, "a finished job is completed, healthy and stays so", jobCompletes).waiting(),
		only(hosting.TypeCronJob, "a cronjob that is run now runs once more, until it is stopped", cronJobRuns, hosting.CanRunNow, hosting.CanStop).waiting(),
		only(hosting.TypeCronJob, "a cronjob is running while its schedule is active", cronJobSchedule),
	}
}

func jobCompletes(t *testing.T, e *env) {
	id := e.create(t, e.config(Complete)).ID
	completed := e.await(t, id, hosting.StatusCompleted)
	e.wantHealth(t, id, "")
	if e.has(t, hosting.CanStop) {
		must(t, "StopInstance of a completed job", id, e.p.StopInstance(e.ctx, id))
		must(t, "StartInstance of a completed job", id, e.p.StartInstance(e.ctx, id))
	}
	if e.has(t, hosting.CanScale) {
		e.wantError(t, "ScaleInstance of a completed job", e.p.ScaleInstance(e.ctx, id, 2), hosting.ScaleFailed, hosting.Conflict)
	}
	now := e.get(t, id)
	wantUnchanged(t, "stop, start and scale of a completed job", now, completed)
	if now.Status != hosting.StatusCompleted {
		t.Errorf("job %s is %s after stop and start, want it to stay %s", id, now.Status, hosting.StatusCompleted)
	}
}

func cronJobRuns(t *testing.T, e *env) {
	id := e.running(t, e.config(Serve)).ID
	must(t, "RunNow", id, hosting.RunNow(e.ctx, e.p, id))
	e.eventually(t, fmt.Sprintf("cronjob %s has an active run after RunNow", id), func() error {
		if now := e.get(t, id); now.Replicas != 1 {
			return fmt.Errorf("it is %s with %d replicas", now.Status, now.Replicas)
		}
		return nil
	})
	must(t, "StopInstance", id, e.p.StopInstance(e.ctx, id))
	if stopped := e.await(t, id, hosting.StatusStopped); stopped.Replicas != 0 {
		t.Errorf("stopped cronjob %s has %d active runs", id, stopped.Replicas)
	}
}

func cronJobSchedule(t *testing.T, e *env) {
	id := e.create(t, e.config(Complete)).ID
	if now := e.await(t, id, hosting.StatusRunning); now.Replicas != 0 {
		t.Errorf("cronjob %s has %d active runs before its schedule is due", id, now.Replicas)
	}
	e.wantHealth(t, id, "")
}
