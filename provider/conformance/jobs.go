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
		if now := e.get(t, id); now.Status != hosting.StatusCompleted {
			t.Errorf("completed job %s is %s after StopInstance, want it to stay %s", id, now.Status, hosting.StatusCompleted)
		}
		must(t, "StartInstance of a completed job", id, e.p.StartInstance(e.ctx, id))
	}
	if e.has(t, hosting.CanScale) {
		e.wantIDError(t, "ScaleInstance of a completed job", id, e.p.ScaleInstance(e.ctx, id, 2), hosting.ScaleFailed, hosting.Conflict)
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
	e.wantIDError(t, "RunNow while a run is active", id, hosting.RunNow(e.ctx, e.p, id), hosting.StartFailed, hosting.Conflict)
	must(t, "StopInstance", id, e.p.StopInstance(e.ctx, id))
	if stopped := e.await(t, id, hosting.StatusStopped); stopped.Replicas != 0 {
		t.Errorf("stopped cronjob %s has %d active runs", id, stopped.Replicas)
	}
	e.wantIDError(t, "RunNow of a stopped cronjob", id, hosting.RunNow(e.ctx, e.p, id), hosting.StartFailed, hosting.Conflict)
}

func cronJobSchedule(t *testing.T, e *env) {
	id := e.create(t, e.config(Complete)).ID
	if now := e.await(t, id, hosting.StatusRunning); now.Replicas != 0 {
		t.Errorf("cronjob %s has %d active runs before its schedule is due", id, now.Replicas)
	}
	e.wantHealth(t, id, "")
}
