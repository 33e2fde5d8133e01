package httpapi

import (
	"context"

	"skillcenter.io/hosting"
)

// events is a stream of server-sent events.
type events struct{}

// send sends an event. The error says that nobody reads any more.
func (e *events) send(event, id string, data any) error { return hosting.Unsupported }

// stream answers with events.
func (q *request) stream(ctx context.Context, run func(ctx context.Context, events *events) error) {
}

func (q *request) watchInstances() (Access, do) {
	return Access{}, func(ctx context.Context) (*reply, error) { return nil, hosting.Unsupported }
}
