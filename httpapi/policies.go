package httpapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"reflect"

	"skillcenter.io/hosting"
)

// policyRoutes create, read, change and delete auto-scaling policies.
func (a *API) policyRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "/autoscale", action: ListPolicies, code: hosting.PolicyFailed, prepare: (*request).listPolicies},
		{method: http.MethodPost, path: "/autoscale", action: CreatePolicy, code: hosting.PolicyFailed, changes: true, prepare: (*request).createPolicy},
		{method: http.MethodGet, path: "/autoscale/{id}", action: GetPolicy, code: hosting.PolicyFailed, prepare: (*request).getPolicy},
		{method: http.MethodPut, path: "/autoscale/{id}", action: UpdatePolicy, code: hosting.PolicyFailed, changes: true, prepare: (*request).updatePolicy},
		{method: http.MethodDelete, path: "/autoscale/{id}", action: DeletePolicy, code: hosting.PolicyFailed, changes: true, prepare: (*request).deletePolicy},
		{method: http.MethodPost, path: "/autoscale/{id}/enable", action: EnablePolicy, code: hosting.PolicyFailed, changes: true, prepare: (*request).enablePolicy},
		{method: http.MethodPost, path: "/autoscale/{id}/disable", action: DisablePolicy, code: hosting.PolicyFailed, changes: true, prepare: (*request).disablePolicy},
		{method: http.MethodGet, path: "/instances/{id}/autoscale", action: GetInstancePolicy, code: hosting.PolicyFailed, prepare: (*request).getInstancePolicy},
	}
}

func (q *request) listPolicies() (Access, do) {
	instanceID, instance := q.ofInstance()
	p := q.page()
	return Access{Instance: instance}, func(ctx context.Context) (*reply, error) {
		policies, err := q.policiesOf(ctx, instanceID)
		return list(ctx, q, p, policies, err, func(p hosting.AutoScalePolicy) string { return p.PolicyID }, all, q.policyAccess)
	}
}

// policiesOf returns the policy of an instance, if it has one, or without an
// instance all policies.
func (q *request) policiesOf(ctx context.Context, instanceID string) ([]hosting.AutoScalePolicy, error) {
	if instanceID == "" {
		return q.api.extension.ListAutoScalePolicies(ctx)
	}
	policy, err := q.api.extension.GetAutoScalePolicy(ctx, instanceID)
	switch {
	case hosting.CodeOf(err) == hosting.PolicyNotFound && errors.Is(err, hosting.NotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return []hosting.AutoScalePolicy{policy}, nil
}

// policyAccess is the Access to a policy of a list.
func (q *request) policyAccess(policy hosting.AutoScalePolicy) Access {
	return q.api.itemAccess(GetPolicy, policy.PolicyID, policy.InstanceID)
}

func (q *request) createPolicy() (Access, do) {
	var policy hosting.AutoScalePolicy
	q.body(&policy)
	instance := q.instance("instanceId", policy.InstanceID)
	access := Access{Provider: instance.Provider, Region: instance.Region, Type: "policy", Name: instance.Name, Instance: instance}
	if policy.PolicyID != "" {
		access.Name = q.policyIDIn(policy, instance).Name
	}
	return access, func(ctx context.Context) (*reply, error) {
		created, err := q.api.extension.CreateAutoScalePolicy(ctx, policy)
		if err != nil {
			return nil, err
		}
		return q.created("autoscale", created.PolicyID, created, false)
	}
}

// policyIDIn reads the id of a policy that a body has, which is where its
// instance is.
func (q *request) policyIDIn(policy hosting.AutoScalePolicy, instance hosting.ID) hosting.ID {
	id := q.instance("policyId", policy.PolicyID)
	if id.Provider != instance.Provider || id.Region != instance.Region {
		q.mistake("%w", hosting.FieldError{Field: "policyId", Value: policy.PolicyID, Allowed: "none, or one with the provider and the region of the instance"})
	}
	return id
}

func (q *request) getPolicy() (Access, do) {
	id, access := q.id()
	return access, func(ctx context.Context) (*reply, error) {
		policy, err := q.api.extension.GetAutoScalePolicyByID(ctx, id)
		if err != nil {
			return nil, err
		}
		return q.tagged(policy)
	}
}

// getInstancePolicy reads the policy of the instance that the path names.
func (q *request) getInstancePolicy() (Access, do) {
	id, access := q.id()
	return access, func(ctx context.Context) (*reply, error) {
		policy, err := q.api.extension.GetAutoScalePolicy(ctx, id)
		if err != nil {
			return nil, err
		}
		return q.tagged(policy)
	}
}

// updatePolicy replaces the policy that the path names. It stays with its
// instance, so the body may leave out both ids.
func (q *request) updatePolicy() (Access, do) {
	id, access := q.id()
	ifMatch := q.ifMatch()
	var policy hosting.AutoScalePolicy
	var elsewhere error // what is wrong with the body, if there is such a policy
	q.body(&policy)
	if given := policy.PolicyID; given != "" && q.api.wholeID(given) != q.api.wholeID(id) {
		q.mistake("%w", hosting.FieldError{Field: "policyId", Value: given, Allowed: "none, or that of the path"})
	}
	if given := policy.InstanceID; given != "" {
		access.Instance = q.instance("instanceId", given)
		if access.Instance.Provider != access.Provider || access.Instance.Region != access.Region {
			elsewhere = hosting.Errorf(q.api.provider.ProviderName(), q.route.code, hosting.InvalidArgument, "%w",
				hosting.FieldError{Field: "instanceId", Value: given, Allowed: "none, or that of the policy"})
		}
	}
	return access, func(ctx context.Context) (*reply, error) {
		if elsewhere != nil {
			_, err := q.api.extension.GetAutoScalePolicyByID(ctx, id)
			return nil, cmp.Or(err, elsewhere)
		}
		var seen hosting.AutoScalePolicy
		return guarded(ctx, q, ifMatch, q.currentPolicy(id, &seen), func() (*reply, error) {
			updated, err := q.replacePolicy(ctx, id, ifMatch, seen, policy)
			if err != nil {
				return nil, err
			}
			return q.tagged(updated)
		})
	}
}

// replacePolicy makes the change. Where the extension can, nothing comes between
// what has been seen for an If-Match and the change, from elsewhere neither.
func (q *request) replacePolicy(ctx context.Context, id string, ifMatch []string, seen, policy hosting.AutoScalePolicy) (hosting.AutoScalePolicy, error) {
	if ifMatch != nil && ifMatch[0] != anyTag {
		replaced, err := hosting.ReplaceAutoScalePolicy(ctx, q.api.extension, id, seen, policy)
		switch {
		case errors.Is(err, hosting.Conflict):
			now, readErr := q.api.extension.GetAutoScalePolicyByID(ctx, id)
			if readErr == nil && reflect.DeepEqual(now, seen) {
				return replaced, err // of another kind
			}
			return replaced, changedMeanwhile("it has just been changed, and is no longer what If-Match has")
		case !errors.Is(err, hosting.Unsupported):
			return replaced, err
		}
	}
	return q.api.extension.UpdateAutoScalePolicy(ctx, id, policy)
}

// currentPolicy reads a policy, for its ETag, and keeps it.
func (q *request) currentPolicy(id string, seen *hosting.AutoScalePolicy) current {
	return current{key: "autoscale/" + q.api.wholeID(id), read: func(ctx context.Context) (any, error) {
		policy, err := q.api.extension.GetAutoScalePolicyByID(ctx, id)
		*seen = policy
		return policy, err
	}}
}

func (q *request) deletePolicy() (Access, do) {
	id, access := q.id()
	ifMatch := q.ifMatch()
	return access, func(ctx context.Context) (*reply, error) {
		return guarded(ctx, q, ifMatch, q.currentPolicy(id, new(hosting.AutoScalePolicy)), func() (*reply, error) {
			if err := q.api.extension.DeleteAutoScalePolicy(ctx, id); err != nil {
				return nil, err
			}
			return &reply{status: http.StatusNoContent}, nil
		})
	}
}

func (q *request) enablePolicy() (Access, do) {
	return q.actOnPolicy(q.api.extension.EnableAutoScalePolicy)
}
func (q *request) disablePolicy() (Access, do) {
	return q.actOnPolicy(q.api.extension.DisableAutoScalePolicy)
}

// actOnPolicy is an action on the policy of the path.
func (q *request) actOnPolicy(call func(ctx context.Context, policyID string) error) (Access, do) {
	id, access := q.id()
	ifMatch := q.ifMatch()
	return access, func(ctx context.Context) (*reply, error) {
		return guarded(ctx, q, ifMatch, q.currentPolicy(id, new(hosting.AutoScalePolicy)), func() (*reply, error) {
			if err := call(ctx, id); err != nil {
				return nil, err
			}
			return shown(ctx, q, func(ctx context.Context) (hosting.AutoScalePolicy, error) {
				return q.api.extension.GetAutoScalePolicyByID(ctx, id)
			})
		})
	}
}
