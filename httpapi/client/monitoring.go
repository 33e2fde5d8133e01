package client

import (
	"context"
	"net/http"
	"strconv"

	"skillcenter.io/hosting"
)

// read is a call that reads something of an instance.
func read(code hosting.Code, instanceID, name string) request {
	return onInstance(code, http.MethodGet, instanceID, "/"+name)
}

// GetMetrics returns what the instance uses now.
func (c *Client) GetMetrics(ctx context.Context, instanceID string) (hosting.InstanceMetrics, error) {
	return send[hosting.InstanceMetrics](ctx, c, read(hosting.MetricsFailed, instanceID, "metrics"))
}

// GetLogs returns the newest log entries that match, oldest first.
func (c *Client) GetLogs(ctx context.Context, instanceID string, options hosting.LogQueryOptions) ([]hosting.LogEntry, error) {
	r := logs(instanceID, options)
	if options.Follow && r.invalid == nil {
		r.invalid = hosting.FieldErrors{{Field: "follow", Value: "true", Allowed: "false; StreamLogs follows"}}
	}
	return plain[hosting.LogEntry](ctx, c, r)
}

// logs is a call for log entries.
func logs(instanceID string, options hosting.LogQueryOptions) request {
	r := read(hosting.LogsFailed, instanceID, "logs")
	if options.Limit != 0 {
		r = r.with("limit", strconv.Itoa(options.Limit))
	}
	return r.withTime("startTime", options.StartTime).withTime("endTime", options.EndTime).
		with("level", options.Level).with("pattern", options.Pattern).with("after", options.After)
}

// withTime returns the request with a parameter, unless that is not set.
func (r request) withTime(name string, t hosting.Time) request {
	if t.IsZero() {
		return r
	}
	return r.with(name, strconv.FormatInt(t.Millis(), 10))
}

// GetEvents returns what has happened to the instance, oldest first.
func (c *Client) GetEvents(ctx context.Context, instanceID string) ([]hosting.InstanceEvent, error) {
	return plain[hosting.InstanceEvent](ctx, c, read(hosting.EventsFailed, instanceID, "events"))
}

// RecordEvent adds an event, see [hosting.EventRecorder]. It is not sent again
// once the server may have got it.
func (c *Client) RecordEvent(ctx context.Context, instanceID string, event hosting.InstanceEvent) error {
	r := onInstance(hosting.EventsFailed, http.MethodPost, instanceID, "/events").minimal().unrepeatable()
	r.body = event
	if r.invalid == nil {
		r.invalid = unsendable(event)
	}
	return c.do(ctx, r)
}

// GetServiceEndpoint returns where the instance is reached.
func (c *Client) GetServiceEndpoint(ctx context.Context, instanceID string) (hosting.ServiceEndpoint, error) {
	return send[hosting.ServiceEndpoint](ctx, c, read(hosting.EndpointFailed, instanceID, "endpoint"))
}

// HealthCheck tells whether the instance can do its work now.
func (c *Client) HealthCheck(ctx context.Context, instanceID string) (hosting.Health, error) {
	return send[hosting.Health](ctx, c, read(hosting.HealthFailed, instanceID, "health"))
}

// EstimateCost returns what an instance with this configuration would cost.
func (c *Client) EstimateCost(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CostEstimate, error) {
	return send[hosting.CostEstimate](ctx, c, onConfig(hosting.CostFailed, http.MethodPost, "/cost/estimate", config))
}

// GetActualCost returns what the instance did cost from start (inclusive) to end
// (exclusive).
func (c *Client) GetActualCost(ctx context.Context, instanceID string, start, end hosting.Time) (hosting.CostActual, error) {
	return send[hosting.CostActual](ctx, c, read(hosting.CostFailed, instanceID, "cost").withTime("startTime", start).withTime("endTime", end))
}
