package conformance

import (
	"context"
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
func (e *env) wantFailed(t *testing.T, id string, want ...hosting.Status) {
	t.Helper()
	var last hosting.CloudInstance
	e.eventually(t, "instance "+id+" shows that it failed", func() error {
		last = e.get(t, id)
		for _, status := range want {
			if last.Status == status {
				return nil
			}
		}
		return &hosting.Error{Message: "it is " + string(last.Status)}
	})
	if last.Metadata[hosting.MetadataReason] == "" {
		t.Errorf("instance %s is %s with metadata %v, want a %q", id, last.Status, last.Metadata, hosting.MetadataReason)
	}
	health, err := e.p.HealthCheck(e.ctx, id)
	must(t, "HealthCheck", id, err)
	if health.Healthy || health.Reason == "" {
		t.Errorf("HealthCheck(%s) of an instance that is %s: got healthy %t, reason %q; want unhealthy with a reason", id, last.Status, health.Healthy, health.Reason)
	}
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
	e.wantFailed(t, e.create(t, e.config(Fail)).ID, hosting.StatusFailed)
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
