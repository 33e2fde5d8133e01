package fake

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"skillcenter.io/hosting"
)

// maxEvents is how many events of an instance are kept.
const maxEvents = 1000

// eventBook holds the newest events of an instance.
type eventBook struct {
	count  int // of all events there were
	events []hosting.InstanceEvent
}

// add keeps an event. It cuts back only now and then, so that an event costs
// the same however many there are.
func (b *eventBook) add(event hosting.InstanceEvent, id string) {
	b.count++
	event.EventID = fmt.Sprintf("%s-%d", id, b.count)
	b.events = append(b.events, event)
	if len(b.events) >= 2*maxEvents {
		b.events = slices.Clone(b.newest())
	}
}

func (b *eventBook) newest() []hosting.InstanceEvent {
	return b.events[max(0, len(b.events)-maxEvents):]
}

// event adds an event of the platform's own.
func (in *instance) event(t time.Time, kind, reason, message string) {
	in.updated = t
	in.events.add(hosting.InstanceEvent{Timestamp: hosting.NewTime(t), Type: kind, Reason: reason, Message: message}, in.eventPrefix())
}

// eventPrefix makes the ids of events unique over all instances, also over
// those that had the same id one after another.
func (in *instance) eventPrefix() string { return fmt.Sprintf("%s-%d", in.key, in.uid) }

// GetEvents returns the newest 1000 events of an instance, oldest first.
func (p *Provider) GetEvents(ctx context.Context, instanceID string) ([]hosting.InstanceEvent, error) {
	return call(ctx, p, onInstance("GetEvents", hosting.EventsFailed, instanceID), func(time.Time) ([]hosting.InstanceEvent, error) {
		in, err := p.find(instanceID)
		if err != nil {
			return nil, err
		}
		events := slices.Clone(in.events.newest())
		for i := range events {
			events[i].Metadata = maps.Clone(events[i].Metadata)
		}
		slices.SortStableFunc(events, func(a, b hosting.InstanceEvent) int { return a.Timestamp.Compare(b.Timestamp) })
		return events, nil
	})
}

// RecordEvent adds an event. Its type must be Normal or Warning and it needs a
// reason, otherwise it is an InvalidArgument. It always gets an EventID of its
// own.
func (p *Provider) RecordEvent(ctx context.Context, instanceID string, event hosting.InstanceEvent) error {
	return p.do(ctx, onInstance("RecordEvent", hosting.EventsFailed, instanceID), func(now time.Time) error {
		in, err := p.find(instanceID)
		if err != nil {
			return err
		}
		if event.Type != hosting.EventNormal && event.Type != hosting.EventWarning {
			return notAllowed("type", event.Type, []string{hosting.EventNormal, hosting.EventWarning})
		}
		if event.Reason == "" {
			return notAllowed("reason", event.Reason, []string{"a short word"})
		}
		if event.Timestamp.IsZero() {
			event.Timestamp = hosting.NewTime(now)
		}
		event.Metadata = maps.Clone(event.Metadata)
		in.events.add(event, in.eventPrefix())
		return nil
	})
}
