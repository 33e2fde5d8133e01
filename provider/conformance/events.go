package conformance

import (
	"fmt"
	"testing"

	"skillcenter.io/hosting"
)

func eventCases() []testCase {
	return []testCase{
		each("events tell what happened, oldest first", eventsTell, hosting.CanEvents),
		once("a recorded event is among the events", eventRecorded, hosting.CanEvents, hosting.CanRecordEvent),
	}
}

func eventsTell(t *testing.T, e *env) {
	id := e.create(t, e.config(Serve)).ID
	if e.typ == hosting.TypeCronJob && e.has(t, hosting.CanRunNow) {
		must(t, "RunNow", id, hosting.RunNow(e.ctx, e.p, id))
	} else if e.has(t, hosting.CanScale) {
		must(t, "ScaleInstance", id, e.p.ScaleInstance(e.ctx, id, 2))
	}
	var events []hosting.InstanceEvent
	e.eventually(t, fmt.Sprintf("instance %s has events", id), func() error {
		var err error
		events, err = e.p.GetEvents(e.ctx, id)
		if err == nil && len(events) < 2 {
			err = fmt.Errorf("it has %d, want 2 or more", len(events))
		}
		return err
	})
	seen := map[string]bool{}
	for i, event := range events {
		if i > 0 && event.Timestamp.Before(events[i-1].Timestamp) {
			t.Errorf("GetEvents(%s): event %d is of %s, before the one ahead of it, %s", id, i, event.Timestamp, events[i-1].Timestamp)
		}
		if event.EventID == "" || seen[event.EventID] {
			t.Errorf("GetEvents(%s): event id %q is empty or not unique", id, event.EventID)
		}
		seen[event.EventID] = true
		if event.Type != hosting.EventNormal && event.Type != hosting.EventWarning || event.Reason == "" || event.Timestamp.IsZero() {
			t.Errorf("GetEvents(%s): event %s; want type %s or %s, a reason and a timestamp", id, toJSON(event), hosting.EventNormal, hosting.EventWarning)
		}
	}
}

func eventRecorded(t *testing.T, e *env) {
	id := e.create(t, e.config(Serve)).ID
	want := hosting.InstanceEvent{Type: hosting.EventWarning, Reason: "Conformance", Message: "recorded " + random(8), Metadata: map[string]string{"by": "suite"}}
	must(t, "RecordEvent", id, hosting.RecordEvent(e.ctx, e.p, id, want))
	e.eventually(t, fmt.Sprintf("instance %s has the recorded event", id), func() error {
		events, err := e.p.GetEvents(e.ctx, id)
		for _, event := range events {
			if event.Message != want.Message {
				continue
			}
			if event.Type != want.Type || event.Reason != want.Reason || event.EventID == "" || event.Timestamp.IsZero() {
				t.Errorf("GetEvents(%s): got %s for the recorded event %s, want its id and timestamp filled in and the rest kept", id, toJSON(event), toJSON(want))
			}
			return nil
		}
		if err == nil {
			err = fmt.Errorf("it is not among %d events", len(events))
		}
		return err
	})
}
