package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"skillcenter.io/hosting"
)

func failureCases() []testCase {
	return []testCase{
		once("an image that cannot be pulled fails with the reason", missingImage).waiting(),
		once("a container that exits at once fails with the reason", exitsAtOnce).waiting(),
		only(hosting.TypeJob, "a job whose container fails has failed", jobFails).waiting(),
		once("waiting for an instance that fails ends with the reason", waitNamesReason).waiting(),
	}
}

// wantFailed waits until the instance has one of the statuses and says why.
// What crashes may be in a restart at any look.
func (e *env) wantFailed(t *testing.T, id string, want ...hosting.Status) {
	t.Helper()
	e.eventually(t, "instance "+id+" shows that it failed, and why", func() error {
		now := e.get(t, id)
		if !slices.Contains(want, now.Status) || now.Metadata[hosting.MetadataReason] == "" || now.Metadata[hosting.MetadataMessage] == "" {
			return fmt.Errorf("it is %s with metadata %v, want one of %v with %q and %q", now.Status, now.Metadata, want, hosting.MetadataReason, hosting.MetadataMessage)
		}
		return nil
	})
	e.eventually(t, "HealthCheck("+id+") tells that it is unhealthy, and why", func() error {
		if health := e.health(t, id); health.Healthy || health.Reason == "" {
			return fmt.Errorf("got healthy %t, reason %q", health.Healthy, health.Reason)
		}
		return nil
	})
}

func missingImage(t *testing.T, e *env) {
	id := e.create(t, e.config(MissingImage)).ID
	e.wantFailed(t, id, hosting.StatusFailed)
	must(t, "DeleteInstance of a failed instance", id, e.p.DeleteInstance(e.ctx, id))
	e.awaitGone(t, id)
}

func exitsAtOnce(t *testing.T, e *env) {
	e.wantFailed(t, e.create(t, e.config(Fail)).ID, hosting.StatusFailed, hosting.StatusDegraded)
}

func jobFails(t *testing.T, e *env) {
	id := e.create(t, e.config(Fail)).ID
	e.wantFailed(t, id, hosting.StatusFailed)
	if e.has(t, hosting.CanStop) {
		must(t, "StopInstance of a failed job", id, e.p.StopInstance(e.ctx, id))
		must(t, "StartInstance of a failed job", id, e.p.StartInstance(e.ctx, id))
		e.wantFailed(t, id, hosting.StatusFailed)
	}
	if e.has(t, hosting.CanRestart) {
		must(t, "RestartInstance of a failed job", id, e.p.RestartInstance(e.ctx, id))
	}
}

func waitNamesReason(t *testing.T, e *env) {
	id := e.create(t, e.config(MissingImage)).ID
	ctx, cancel := context.WithTimeout(e.ctx, e.Timeout)
	defer cancel()
	last, err := hosting.WaitForStatus(ctx, e.p, id, hosting.WaitOptions{Interval: e.PollInterval}, hosting.StatusRunning)
	e.wantError(t, "WaitForStatus of an instance that fails", err, hosting.StartFailed, hosting.Unavailable, id)
	if reason := last.Metadata[hosting.MetadataReason]; err != nil && (reason == "" || !strings.Contains(err.Error(), reason)) {
		t.Errorf("WaitForStatus(%s): the error does not name the reason %q: %v", id, reason, err)
	}
}
