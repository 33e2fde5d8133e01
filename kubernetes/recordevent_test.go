//go:build linux

package kubernetes_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

// recorded returns the events of a reason.
func (w *world) recorded(t *testing.T, id, reason string) []hosting.InstanceEvent {
	t.Helper()
	events, err := w.GetEvents(t.Context(), id)
	require.NoError(t, err)
	return slices.DeleteFunc(events, func(e hosting.InstanceEvent) bool { return e.Reason != reason })
}

func TestARecordedEventComesBackAsItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, instanceType := range instanceTypes {
		instance, err := w.CreateInstance(t.Context(), everything("a-"+instanceType, instanceType))
		require.NoError(t, err)
		want := hosting.InstanceEvent{
			EventID: "ignored", Type: hosting.EventWarning, Reason: strings.Repeat("R", 128), Message: strings.Repeat("ü", 512),
			Timestamp: hosting.Now().Add(-3 * time.Hour), // older than the instance, and than Kubernetes keeps events
			Metadata:  map[string]string{"rule 1 / cpu": "0.93 > 0.8\n", "name": "the caller's"},
		}
		require.NoError(t, w.RecordEvent(t.Context(), instance.ID, want))
		got := w.recorded(t, instance.ID, want.Reason)
		require.Len(t, got, 1)
		assert.NotEqual(t, want.EventID, got[0].EventID)
		assert.NotEmpty(t, got[0].EventID)
		want.EventID = got[0].EventID
		want.Metadata["kind"], want.Metadata["count"] = "ConfigMap", "1"
		assert.Equal(t, want, got[0])
		for _, other := range w.SupportedInstanceTypes() {
			if id := "default." + other + ".a-" + other; other != instanceType && slices.Index(instanceTypes, other) < slices.Index(instanceTypes, instanceType) {
				assert.Len(t, w.recorded(t, id, want.Reason), 1, "its own alone")
			}
		}
	}
}

func TestRecordedEventsOfOneMomentAreAllKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	instance, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.NoError(t, err)
	began := hosting.Now()
	for range 5 {
		require.NoError(t, w.RecordEvent(t.Context(), instance.ID, hosting.InstanceEvent{Type: hosting.EventNormal, Reason: "Scaled", Message: "from 2 to 3"}))
	}
	got := w.recorded(t, instance.ID, "Scaled")
	require.Len(t, got, 5)
	ids := map[string]bool{}
	for _, e := range got {
		ids[e.EventID] = true
		assert.False(t, e.Timestamp.Before(began))
		assert.Less(t, e.Timestamp.Sub(began), waitTime)
	}
	assert.Len(t, ids, 5)
	w.loseWorkload(t, everything("web", hosting.TypeDeployment))
	assert.Len(t, w.recorded(t, instance.ID, "Scaled"), 5, "they are the instance's, not the workload's")
}

func TestAnEventThatIsWrongIsRefusedWithItsFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	instance, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.NoError(t, err)
	good := hosting.InstanceEvent{Type: hosting.EventNormal, Reason: "Fine"}
	for field, spoil := range map[string]func(*hosting.InstanceEvent){
		"type":                 func(e *hosting.InstanceEvent) { e.Type = "Bad" },
		"reason":               func(e *hosting.InstanceEvent) { e.Reason = "" },
		"reason: 129 bytes":    func(e *hosting.InstanceEvent) { e.Reason = strings.Repeat("R", 129) },
		"message: 1025 bytes":  func(e *hosting.InstanceEvent) { e.Message = strings.Repeat("m", 1025) },
		"message":              func(e *hosting.InstanceEvent) { e.Message = "\xff" },
		"metadata":             func(e *hosting.InstanceEvent) { e.Metadata = map[string]string{"a": "\xff"} },
		"metadata: 1":          func(e *hosting.InstanceEvent) { e.Metadata = map[string]string{"a": strings.Repeat("b", 16<<10)} },
		"timestamp":            func(e *hosting.InstanceEvent) { e.Timestamp = hosting.TimeFromMillis(1 << 62) },
		"type: Bad, message: ": nil,
	} {
		event := good
		if spoil == nil {
			event.Type, event.Message = "Bad", strings.Repeat("m", 2000)
			field = "message"
		} else {
			spoil(&event)
		}
		err := w.RecordEvent(t.Context(), instance.ID, event)
		require.ErrorIs(t, err, hosting.InvalidArgument, field)
		assert.Equal(t, hosting.EventsFailed, hosting.CodeOf(err))
		name, _, _ := strings.Cut(field, ":")
		assert.Contains(t, err.Error(), name)
		if spoil == nil {
			assert.Contains(t, err.Error(), "type")
		}
	}
	assert.Empty(t, w.recorded(t, instance.ID, "Fine"))
	require.ErrorIs(t, w.RecordEvent(t.Context(), "default.deployment.none", good), hosting.NotFound)
	require.ErrorIs(t, w.RecordEvent(t.Context(), "nonsense", good), hosting.InvalidArgument)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, w.RecordEvent(ctx, instance.ID, good), hosting.Canceled)
}

func TestAnEventAboutADeletedInstanceIsNoneOfTheNextOneOfItsName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	p := w.interrupted(t, moment{nth: 1, method: "POST", path: "/events", do: func() {
		w.delete(t, instance.ID)
		_, err := w.CreateInstance(t.Context(), config)
		assert.NoError(t, err)
	}})
	event := hosting.InstanceEvent{Type: hosting.EventNormal, Reason: "Late"}
	require.NoError(t, p.RecordEvent(t.Context(), instance.ID, event), "the instance was there when it was asked for")
	assert.Empty(t, w.recorded(t, instance.ID, "Late"))
	w.delete(t, instance.ID)
	require.ErrorIs(t, w.RecordEvent(t.Context(), instance.ID, event), hosting.NotFound)
}
