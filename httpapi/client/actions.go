package client

import (
	"context"
	"encoding/json"
	"net/http"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// action is a call that does something to an instance.
func action(code hosting.Code, instanceID, name string) request {
	return onInstance(code, http.MethodPost, instanceID, "/"+name)
}

// StartInstance starts a stopped instance with the replicas it had.
func (c *Client) StartInstance(ctx context.Context, instanceID string) error {
	return c.do(ctx, action(hosting.StartFailed, instanceID, "start").minimal())
}

// StopInstance stops an instance.
func (c *Client) StopInstance(ctx context.Context, instanceID string) error {
	return c.do(ctx, action(hosting.StopFailed, instanceID, "stop").minimal())
}

// RestartInstance replaces the running containers by fresh ones. It is not sent
// again once the server may have got it.
func (c *Client) RestartInstance(ctx context.Context, instanceID string) error {
	return c.do(ctx, action(hosting.RestartFailed, instanceID, "restart").minimal().unrepeatable())
}

// ScaleInstance sets the number of replicas.
func (c *Client) ScaleInstance(ctx context.Context, instanceID string, replicas int) error {
	r := action(hosting.ScaleFailed, instanceID, "scale").minimal()
	r.body = wire.Scale{Replicas: &replicas}
	return c.do(ctx, r)
}

// UpdateResources changes CPU, memory and storage; fields that are zero keep
// their value.
func (c *Client) UpdateResources(ctx context.Context, instanceID string, resources hosting.ResourceConfig) error {
	r := onInstance(hosting.UpdateFailed, http.MethodPut, instanceID, "/resources").minimal()
	r.body = resources
	if r.invalid == nil {
		r.invalid = checked(resources)
	}
	return c.do(ctx, r)
}

// RollbackInstance applies an earlier configuration, see [hosting.Rollbacker].
// It is not sent again once the server may have got it: it makes a revision, so the
// second time the one before, or the oldest, would be another one.
func (c *Client) RollbackInstance(ctx context.Context, instanceID string, revision int) (hosting.CloudInstance, error) {
	r := action(hosting.UpdateFailed, instanceID, "rollback")
	r.body, r.once = wire.Rollback{Revision: revision}, true
	a, err := c.send(ctx, r)
	if err != nil {
		return hosting.CloudInstance{}, err
	}
	if a.status == http.StatusNoContent { // the server could not read it then
		return c.GetInstance(ctx, instanceID)
	}
	var instance hosting.CloudInstance
	if err := json.Unmarshal(a.data, &instance); err != nil {
		return hosting.CloudInstance{}, c.errorf(r, hosting.Internal, "the answer of the server cannot be read: %w", err)
	}
	return instance, nil
}

// RunNow starts a run of a cronjob at once. It is not sent again once the server
// may have got it.
func (c *Client) RunNow(ctx context.Context, instanceID string) error {
	return c.do(ctx, action(hosting.StartFailed, instanceID, "run").minimal().unrepeatable())
}

// unrepeatable marks a call that does more when it is done twice.
func (r request) unrepeatable() request {
	r.once = true
	return r
}

// Capabilities returns what can be done with instances of a type in a region, see
// [hosting.CapabilityReporter].
func (c *Client) Capabilities(ctx context.Context, region, instanceType string) (hosting.CapabilitySet, error) {
	r := request{code: hosting.GetFailed, method: http.MethodGet, path: "/capabilities"}
	return send[hosting.CapabilitySet](ctx, c, r.with("region", region).with("type", instanceType))
}

// InstanceCapabilities returns what can be done with an instance, see
// [hosting.InstanceCapabilityReporter].
func (c *Client) InstanceCapabilities(ctx context.Context, instanceID string) (hosting.CapabilitySet, error) {
	return send[hosting.CapabilitySet](ctx, c, onInstance(hosting.GetFailed, http.MethodGet, instanceID, "/capabilities"))
}
