package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"skillcenter.io/hosting"
)

// wantError checks that err is a *hosting.Error with this code and reason, and
// that its message holds the texts.
func (e *env) wantError(t *testing.T, call string, err error, code hosting.Code, reason hosting.Reason, texts ...string) {
	t.Helper()
	if problem := e.errorProblem(err, code, reason, texts...); problem != "" {
		t.Errorf("%s: %s", call, problem)
	}
}

// wantIDError is wantError for a call about an instance, which the error has
// to name.
func (e *env) wantIDError(t *testing.T, call, id string, err error, code hosting.Code, reason hosting.Reason, texts ...string) {
	t.Helper()
	e.wantError(t, call, err, code, reason, texts...)
	if failure, ok := errors.AsType[*hosting.Error](err); ok && failure.InstanceID == "" && id != "" {
		t.Errorf("%s: the error does not carry the instance id, %q: %v", call, id, err)
	}
}

func (e *env) errorProblem(err error, code hosting.Code, reason hosting.Reason, texts ...string) string {
	want := fmt.Sprintf("want an error with code %s and reason %s", code, reason)
	if err == nil {
		return "it succeeded, " + want
	}
	var failure *hosting.Error
	switch {
	case !errors.As(err, &failure):
		return fmt.Sprintf("got a %T, want a *hosting.Error: %v", err, err)
	case failure.Code != code || failure.Reason != reason:
		return fmt.Sprintf("%s, got code %s and reason %s: %v", want, failure.Code, failure.Reason, err)
	case !errors.Is(err, reason):
		return fmt.Sprintf("errors.Is(err, %s) is false for %v", reason, err)
	case !slices.Contains(e.ProviderNames, failure.Provider):
		return fmt.Sprintf("the error names provider %q, want one of %q: %v", failure.Provider, e.ProviderNames, err)
	}
	for _, text := range texts {
		if !strings.Contains(failure.Message, withoutProvider(text)) {
			return fmt.Sprintf("the message does not name %q: %v", text, err)
		}
	}
	return ""
}

// withoutProvider leaves the provider of an id out: what forwards to others adds
// it to ids, but not to those in messages.
func withoutProvider(text string) string {
	if id, err := hosting.ParseID(text); err == nil {
		id.Provider = ""
		return id.String()
	}
	return text
}

// wantReason checks that err is nil or has one of the reasons.
func wantReason(t *testing.T, call string, err error, allowed ...hosting.Reason) {
	t.Helper()
	if err != nil && !slices.Contains(allowed, hosting.ReasonOf(err)) {
		t.Errorf("%s: want success or one of the reasons %v, got %s: %v", call, allowed, hosting.ReasonOf(err), err)
	}
}

// wantSame checks that got is the same instance as want, whatever its state.
func wantSame(t *testing.T, what string, got, want hosting.CloudInstance) {
	t.Helper()
	identity := func(i hosting.CloudInstance) string {
		return fmt.Sprintf("id %s, name %s, provider %s (%s), region %s, type %s, created %s, labels %v",
			i.ID, i.Name, i.Provider, i.ProviderType, i.Region, i.InstanceType, i.CreatedAt, i.Labels)
	}
	if identity(got) != identity(want) {
		t.Errorf("%s: got another instance:\n got %s\nwant %s", what, identity(got), identity(want))
	}
}

// wantUnchanged checks that nothing that a caller can change has changed.
func wantUnchanged(t *testing.T, what string, got, want hosting.CloudInstance) {
	t.Helper()
	wantSame(t, what, got, want)
	stoppedReplicas := func(i hosting.CloudInstance) string { return i.Metadata[hosting.MetadataStoppedReplicas] }
	// How many nodes there are for a daemonset is not the caller's to change, and
	// may not be known yet when it is created.
	counted := got.InstanceType != hosting.TypeDaemonSet || off(got.Status) == "stopped" || off(want.Status) == "stopped"
	if counted && got.Replicas != want.Replicas || stoppedReplicas(got) != stoppedReplicas(want) {
		t.Errorf("%s: instance %s has %d replicas (stopped %q), want %d (stopped %q)", what, want.ID,
			got.Replicas, stoppedReplicas(got), want.Replicas, stoppedReplicas(want))
	}
	if !sameResources(got.Resources, want.Resources) {
		t.Errorf("%s: instance %s has resources %s, want %s", what, want.ID, toJSON(got.Resources), toJSON(want.Resources))
	}
	if off(got.Status) != off(want.Status) {
		t.Errorf("%s: instance %s is %s, it was %s", what, want.ID, got.Status, want.Status)
	}
}

// off groups the statuses: those of an instance that is to run, to be
// stopped, and to be gone.
func off(status hosting.Status) string {
	switch status {
	case hosting.StatusStopping, hosting.StatusStopped:
		return "stopped"
	case hosting.StatusTerminating:
		return "terminating"
	}
	return "started"
}

func sameResources(a, b *hosting.ResourceConfig) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// health returns what HealthCheck says.
func (e *env) health(t *testing.T, id string) hosting.Health {
	t.Helper()
	return read(t, e, "HealthCheck", id, func() (hosting.Health, error) { return e.p.HealthCheck(e.ctx, id) })
}

// wantHealth checks what HealthCheck says; an empty reason means healthy.
func (e *env) wantHealth(t *testing.T, id, reason string) {
	t.Helper()
	health := e.health(t, id)
	if health.Healthy != (reason == "") || health.Reason != reason {
		t.Errorf("HealthCheck(%s): got healthy %t, reason %q; want healthy %t, reason %q", id, health.Healthy, health.Reason, reason == "", reason)
	}
	if health.CheckedAt.IsZero() {
		t.Errorf("HealthCheck(%s): checkedAt is not set", id)
	}
}

// wantLabels checks that the instance has the caller's labels and no others.
func wantLabels(t *testing.T, what string, got hosting.CloudInstance, want map[string]string) {
	t.Helper()
	if !maps.Equal(got.Labels, want) {
		t.Errorf("%s: instance %s has labels %v, want exactly %v", what, got.ID, got.Labels, want)
	}
}

func toJSON(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// roundTrip returns what is left of value after JSON.
func roundTrip[T any](value T) T {
	var copied T
	data, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(data, &copied)
	}
	if err != nil {
		panic(fmt.Sprintf("conformance: %T does not survive JSON: %v", value, err))
	}
	return copied
}
