package client

import (
	"context"
	"net/http"

	"skillcenter.io/hosting"
)

// onPolicy is a call about the policy that an id names.
func onPolicy(method, policyID, below string) request {
	return onID(hosting.PolicyFailed, method, "/autoscale/", policyID, below)
}

// GetAutoScalePolicy returns the policy of an instance.
func (c *Client) GetAutoScalePolicy(ctx context.Context, instanceID string) (hosting.AutoScalePolicy, error) {
	return send[hosting.AutoScalePolicy](ctx, c, read(hosting.PolicyFailed, instanceID, "autoscale"))
}

// GetAutoScalePolicyByID returns a policy by its own id.
func (c *Client) GetAutoScalePolicyByID(ctx context.Context, policyID string) (hosting.AutoScalePolicy, error) {
	return send[hosting.AutoScalePolicy](ctx, c, onPolicy(http.MethodGet, policyID, ""))
}

// ListAutoScalePolicies returns all policies, sorted by id.
func (c *Client) ListAutoScalePolicies(ctx context.Context) ([]hosting.AutoScalePolicy, error) {
	return list[hosting.AutoScalePolicy](ctx, c, request{code: hosting.PolicyFailed, path: "/autoscale"})
}

// CreateAutoScalePolicy returns the policy with its id.
func (c *Client) CreateAutoScalePolicy(ctx context.Context, policy hosting.AutoScalePolicy) (hosting.AutoScalePolicy, error) {
	r := request{code: hosting.PolicyFailed, instanceID: policy.InstanceID, method: http.MethodPost, path: "/autoscale", body: policy}
	if _, err := hosting.ParseID(policy.InstanceID); err != nil {
		r.invalid = policy.Validate()
	} else {
		r.invalid = checked(policy)
	}
	return send[hosting.AutoScalePolicy](ctx, c, r)
}

// UpdateAutoScalePolicy replaces a policy and returns it.
func (c *Client) UpdateAutoScalePolicy(ctx context.Context, policyID string, policy hosting.AutoScalePolicy) (hosting.AutoScalePolicy, error) {
	return send[hosting.AutoScalePolicy](ctx, c, updatePolicy(policyID, policy))
}

func updatePolicy(policyID string, policy hosting.AutoScalePolicy) request {
	r := onPolicy(http.MethodPut, policyID, "")
	r.instanceID, r.body = policy.InstanceID, policy
	if r.invalid == nil {
		r.invalid = checked(policy)
	}
	return r
}

// DeleteAutoScalePolicy removes a policy; the replicas stay as they are.
func (c *Client) DeleteAutoScalePolicy(ctx context.Context, policyID string) error {
	return c.do(ctx, onPolicy(http.MethodDelete, policyID, "").minimal())
}

// EnableAutoScalePolicy makes a policy act.
func (c *Client) EnableAutoScalePolicy(ctx context.Context, policyID string) error {
	return c.do(ctx, onPolicy(http.MethodPost, policyID, "/enable").minimal())
}

// DisableAutoScalePolicy stops a policy from acting; it is kept.
func (c *Client) DisableAutoScalePolicy(ctx context.Context, policyID string) error {
	return c.do(ctx, onPolicy(http.MethodPost, policyID, "/disable").minimal())
}
