package httpapi

import (
	"context"
	"net/http"

	"skillcenter.io/hosting"
)

// monitoringRoutes tell how an instance is doing.
func (a *API) monitoringRoutes() []route {
	get := func(path string, action Action, code hosting.Code, prepare func(*request) (Access, do)) route {
		return route{method: http.MethodGet, path: "/instances/{id}/" + path, action: action, code: code, prepare: prepare}
	}
	return []route{
		get("metrics", GetMetrics, hosting.MetricsFailed, (*request).getMetrics),
		get("logs", GetLogs, hosting.LogsFailed, (*request).getLogs),
		get("events", GetEvents, hosting.EventsFailed, (*request).getEvents),
		{method: http.MethodPost, path: "/instances/{id}/events", action: RecordEvent, code: hosting.EventsFailed, changes: true, prepare: (*request).recordEvent},
		get("health", HealthCheck, hosting.HealthFailed, (*request).healthCheck),
		get("endpoint", GetServiceEndpoint, hosting.EndpointFailed, (*request).getServiceEndpoint),
	}
}

// read answers with what a call returns about the instance of the path.
func read[T any](q *request, call func(ctx context.Context, instanceID string) (T, error)) (Access, do) {
	id, access := q.id()
	return access, func(ctx context.Context) (*reply, error) {
		document, err := call(ctx, id)
		if err != nil {
			return nil, err
		}
		return ok(document), nil
	}
}

func (q *request) getMetrics() (Access, do)  { return read(q, q.api.provider.GetMetrics) }
func (q *request) healthCheck() (Access, do) { return read(q, q.api.provider.HealthCheck) }
func (q *request) getServiceEndpoint() (Access, do) {
	return read(q, q.api.provider.GetServiceEndpoint)
}

func (q *request) getEvents() (Access, do) {
	id, access := q.id()
	return access, func(ctx context.Context) (*reply, error) {
		return plain(q.api.provider.GetEvents(ctx, id))
	}
}

func (q *request) recordEvent() (Access, do) {
	id, access := q.id()
	var event hosting.InstanceEvent
	q.body(&event)
	return access, func(ctx context.Context) (*reply, error) {
		if err := hosting.RecordEvent(ctx, q.api.provider, id, event); err != nil {
			return nil, err
		}
		return &reply{status: http.StatusNoContent}, nil
	}
}
