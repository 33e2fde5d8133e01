package provider

import (
	"cmp"
	"context"
	"time"

	"skillcenter.io/hosting"
)

// ExtensionConfig is what an Extension puts together.
type ExtensionConfig struct {
	// Router has volumes, services and checks. It is never nil.
	Router *Router
	// AutoScaler has the policies; without one, all calls about them are
	// Unsupported. It is given whole ids, as the Router returns them.
	AutoScaler hosting.AutoScaler
	// Catalog has the skills; without one, CheckCompatibility is Unsupported.
	Catalog SkillCatalog
}

// Extension implements [hosting.HostingExtensionSdkAdapter] over the providers
// of a [Router]. Make it with [NewExtension]. All methods may be called
// concurrently.
//
// Ids are as the Router has them. So the policy of a bare instance id is that
// of the default provider's instance, and is kept under the whole id.
type Extension struct {
	hosting.VolumeManager
	hosting.ServiceDiscovery
	router   *Router
	policies hosting.AutoScaler
	catalog  SkillCatalog
}

var (
	_ hosting.HostingExtensionSdkAdapter = (*Extension)(nil)
	_ hosting.PolicyReplacer             = (*Extension)(nil)
)

// NewExtension returns the extension of the Router's providers.
func NewExtension(config ExtensionConfig) *Extension {
	e := &Extension{VolumeManager: config.Router, ServiceDiscovery: config.Router, router: config.Router,
		policies: config.AutoScaler, catalog: config.Catalog}
	if e.policies == nil {
		e.policies = hosting.UnimplementedAdapter{}
	}
	return e
}

// availableWithin is how long the default provider may take to answer.
const availableWithin = 5 * time.Second

// IsAvailable tells whether the default provider answers within 5 seconds. It
// asks for one instance, which need not exist.
func (e *Extension) IsAvailable(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, availableWithin)
	defer cancel()
	p := e.router.backends[0].Provider
	regions, types := p.SupportedRegions(), p.SupportedInstanceTypes()
	if len(regions) == 0 || len(types) == 0 {
		return false
	}
	_, err := p.GetInstance(ctx, hosting.ID{Region: regions[0], Type: types[0], Name: "is-available"}.String())
	return err == nil || hosting.ReasonOf(err) == hosting.NotFound
}

// GetAutoScalePolicy returns the policy of an instance.
func (e *Extension) GetAutoScalePolicy(ctx context.Context, instanceID string) (hosting.AutoScalePolicy, error) {
	id, err := e.wholeID(ctx, instanceID)
	if err != nil {
		return hosting.AutoScalePolicy{}, err
	}
	policy, err := e.policies.GetAutoScalePolicy(ctx, id)
	return e.qualifyPolicy(policy), e.policyFailure(err)
}

// GetAutoScalePolicyByID returns a policy by its own id.
func (e *Extension) GetAutoScalePolicyByID(ctx context.Context, policyID string) (hosting.AutoScalePolicy, error) {
	id, err := e.wholeID(ctx, policyID)
	if err != nil {
		return hosting.AutoScalePolicy{}, err
	}
	policy, err := e.policies.GetAutoScalePolicyByID(ctx, id)
	return e.qualifyPolicy(policy), e.policyFailure(err)
}

// ListAutoScalePolicies returns all policies, sorted by id.
func (e *Extension) ListAutoScalePolicies(ctx context.Context) ([]hosting.AutoScalePolicy, error) {
	policies, err := e.policies.ListAutoScalePolicies(ctx)
	return each(policies, e.qualifyPolicy), e.policyFailure(err)
}

// CreateAutoScalePolicy returns the policy with its id.
func (e *Extension) CreateAutoScalePolicy(ctx context.Context, policy hosting.AutoScalePolicy) (hosting.AutoScalePolicy, error) {
	policy, err := e.wholePolicy(ctx, policy)
	if err != nil {
		return hosting.AutoScalePolicy{}, err
	}
	created, err := e.policies.CreateAutoScalePolicy(ctx, policy)
	return e.qualifyPolicy(created), e.policyFailure(err)
}

// UpdateAutoScalePolicy replaces a policy and returns it.
func (e *Extension) UpdateAutoScalePolicy(ctx context.Context, policyID string, policy hosting.AutoScalePolicy) (hosting.AutoScalePolicy, error) {
	id, err := e.wholeID(ctx, policyID)
	if err != nil {
		return hosting.AutoScalePolicy{}, err
	}
	updated, err := e.policies.UpdateAutoScalePolicy(ctx, id, e.qualifyPolicy(policy))
	return e.qualifyPolicy(updated), e.policyFailure(err)
}

// ReplaceAutoScalePolicy replaces a policy that still is what was seen, if the
// AutoScaler can do that.
func (e *Extension) ReplaceAutoScalePolicy(ctx context.Context, policyID string, seen, policy hosting.AutoScalePolicy) (hosting.AutoScalePolicy, error) {
	id, err := e.wholeID(ctx, policyID)
	if err != nil {
		return hosting.AutoScalePolicy{}, err
	}
	replaced, err := hosting.ReplaceAutoScalePolicy(ctx, e.policies, id, e.qualifyPolicy(seen), e.qualifyPolicy(policy))
	return e.qualifyPolicy(replaced), e.policyFailure(err)
}

// DeleteAutoScalePolicy removes a policy; the replicas stay as they are.
func (e *Extension) DeleteAutoScalePolicy(ctx context.Context, policyID string) error {
	return e.onPolicy(ctx, policyID, e.policies.DeleteAutoScalePolicy)
}

// EnableAutoScalePolicy makes a policy act.
func (e *Extension) EnableAutoScalePolicy(ctx context.Context, policyID string) error {
	return e.onPolicy(ctx, policyID, e.policies.EnableAutoScalePolicy)
}

// DisableAutoScalePolicy stops a policy from acting; it is kept.
func (e *Extension) DisableAutoScalePolicy(ctx context.Context, policyID string) error {
	return e.onPolicy(ctx, policyID, e.policies.DisableAutoScalePolicy)
}

func (e *Extension) onPolicy(ctx context.Context, policyID string, act func(context.Context, string) error) error {
	id, err := e.wholeID(ctx, policyID)
	if err != nil {
		return err
	}
	return e.policyFailure(act(ctx, id))
}

// wholeID returns the whole id of a policy, or of its instance. That its
// provider is there is not asked for: policies outlive a provider that is
// removed from the configuration or renamed, and must be seen and removed.
func (e *Extension) wholeID(ctx context.Context, text string) (string, error) {
	err := ctx.Err()
	if err != nil {
		return "", hosting.Errorf(e.router.ProviderName(), hosting.PolicyFailed, hosting.ReasonOf(err), "%w", err)
	}
	if _, err = hosting.ParseID(text); err != nil {
		return "", hosting.Errorf(e.router.ProviderName(), hosting.PolicyFailed, hosting.InvalidArgument, "%w", err)
	}
	return e.whole(text), nil
}

// wholePolicy returns a new policy with whole ids. What is empty or no id is the
// AutoScaler's to judge, together with all else that is wrong.
func (e *Extension) wholePolicy(ctx context.Context, policy hosting.AutoScalePolicy) (hosting.AutoScalePolicy, error) {
	if _, err := hosting.ParseID(policy.InstanceID); err == nil {
		at, err := e.router.instance(ctx, hosting.PolicyFailed, policy.InstanceID)
		if err != nil {
			return policy, err
		}
		policy.InstanceID = at.qualified(at.id)
	}
	policy.PolicyID = e.whole(policy.PolicyID)
	return policy, nil
}

// qualifyPolicy returns a policy with whole ids, also if the AutoScaler leaves
// the default provider out.
func (e *Extension) qualifyPolicy(policy hosting.AutoScalePolicy) hosting.AutoScalePolicy {
	policy.PolicyID, policy.InstanceID = e.whole(policy.PolicyID), e.whole(policy.InstanceID)
	return policy
}

// whole returns an id with the default provider if it names none. What is no id
// is returned as it is.
func (e *Extension) whole(text string) string {
	id, err := hosting.ParseID(text)
	if err != nil {
		return text
	}
	id.Provider = cmp.Or(id.Provider, e.router.ProviderName())
	return id.String()
}

// policyFailure fills in what an AutoScaler cannot know.
func (e *Extension) policyFailure(err error) error {
	if err == nil {
		return nil
	}
	failed, ok := err.(*hosting.Error)
	if !ok {
		return hosting.Errorf(e.router.ProviderName(), hosting.PolicyFailed, hosting.ReasonOf(err), "%w", err)
	}
	changed := *failed
	changed.InstanceID = e.whole(failed.InstanceID)
	if id, err := hosting.ParseID(changed.InstanceID); err == nil {
		changed.Provider = id.Provider
	}
	changed.Provider = cmp.Or(changed.Provider, e.router.ProviderName())
	return &changed
}
