package client

import (
	"context"
	"net/http"

	"skillcenter.io/hosting"
)

// CreateInstance creates an instance, see [hosting.CloudHostingProvider]. A
// configuration that is not valid on any provider is not sent.
func (c *Client) CreateInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	return send[hosting.CloudInstance](ctx, c, onConfig(hosting.CreateFailed, http.MethodPost, "/instances", config))
}

// onConfig is a call about a configuration.
func onConfig(code hosting.Code, method, path string, config hosting.CloudHostingConfig) request {
	r := request{code: code, method: method, path: path, body: config}
	if r.invalid = config.Validate(); r.invalid == nil {
		r.invalid = unsendable(config)
	}
	return r
}

// ListInstances returns all instances, sorted by id, those of all pages. What the
// server could not read is told by an error beside them.
func (c *Client) ListInstances(ctx context.Context) ([]hosting.CloudInstance, error) {
	return list[hosting.CloudInstance](ctx, c, request{code: hosting.ListFailed, path: "/instances"})
}

// GetInstance returns one instance as it is now.
func (c *Client) GetInstance(ctx context.Context, instanceID string) (hosting.CloudInstance, error) {
	return send[hosting.CloudInstance](ctx, c, onInstance(hosting.GetFailed, http.MethodGet, instanceID, ""))
}

// DeleteInstance starts to delete an instance.
func (c *Client) DeleteInstance(ctx context.Context, instanceID string) error {
	return c.do(ctx, onInstance(hosting.DeleteFailed, http.MethodDelete, instanceID, "").minimal())
}

// ApplyInstance creates an instance or changes it to a configuration, see
// [hosting.InstanceApplier]. Without a provider in the configuration it is on the
// default one if that has the region and the instance type, else on the only one
// that has both.
func (c *Client) ApplyInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	return send[hosting.CloudInstance](ctx, c, c.apply(config))
}

// PlanInstance tells what ApplyInstance would do, see [hosting.InstancePlanner].
func (c *Client) PlanInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.InstancePlan, error) {
	return send[hosting.InstancePlan](ctx, c, c.apply(config).with("dryRun", "true"))
}

// apply is a call about a configuration whose path names the instance.
func (c *Client) apply(config hosting.CloudHostingConfig) request {
	r := onConfig(hosting.UpdateFailed, http.MethodPut, "", config)
	if r.invalid != nil {
		return r
	}
	id, err := c.place(config)
	if err != nil {
		r.invalid = err
		return r
	}
	named := onID(r.code, r.method, "/instances/", id.String(), "")
	named.body = config
	return named
}

// ListRevisions returns earlier configurations, see [hosting.Rollbacker].
func (c *Client) ListRevisions(ctx context.Context, instanceID string) ([]hosting.InstanceRevision, error) {
	return plain[hosting.InstanceRevision](ctx, c, onInstance(hosting.GetFailed, http.MethodGet, instanceID, "/revisions"))
}
