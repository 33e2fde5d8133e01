package provider_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang/mock/gomock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/internal/mocks"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
	"skillcenter.io/hosting/provider/store"
)

func TestTheExtensionIsAvailableWhenTheDefaultProviderAnswersInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, other := fake.New(), fake.New()
		e := provider.NewExtension(provider.ExtensionConfig{Router: newRouter(t, backend("a", f), backend("b", other))})
		require.NoError(t, other.Close())
		assert.True(t, e.IsAvailable(t.Context()), "that another one is down does not matter")
		f.InjectCall(fake.CallFault{Delay: time.Hour})
		began := time.Now()
		assert.False(t, e.IsAvailable(t.Context()))
		assert.Equal(t, 5*time.Second, time.Since(began))
		f.ClearFaults()
		f.InjectCall(fake.CallFault{Reason: hosting.PermissionDenied})
		assert.False(t, e.IsAvailable(t.Context()))
		f.ClearFaults()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		assert.False(t, e.IsAvailable(ctx))
		assert.True(t, e.IsAvailable(t.Context()))
	})
}

func TestPoliciesAreKeptUnderWholeIDs(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	policies := mocks.NewMockHostingExtensionSdkAdapter(gomock.NewController(t))
	e := provider.NewExtension(provider.ExtensionConfig{Router: newRouter(t, backend("a", fake.New()), backend("b", fake.New())), AutoScaler: policies})
	whole := hosting.AutoScalePolicy{PolicyID: "a:default.policy.web", InstanceID: "a:default.deployment.web", Name: "web"}
	other := hosting.AutoScalePolicy{PolicyID: "b:default.policy.web", InstanceID: "b:default.deployment.web", Name: "web"}

	policies.EXPECT().CreateAutoScalePolicy(gomock.Any(), hosting.AutoScalePolicy{InstanceID: whole.InstanceID, Name: "web"}).Return(whole, nil)
	created, err := e.CreateAutoScalePolicy(ctx, hosting.AutoScalePolicy{InstanceID: "default.deployment.web", Name: "web"})
	require.NoError(t, err)
	assert.Equal(t, whole, created)
	policies.EXPECT().GetAutoScalePolicy(gomock.Any(), whole.InstanceID).Return(whole, nil)
	_, err = e.GetAutoScalePolicy(ctx, "default.deployment.web")
	require.NoError(t, err)
	policies.EXPECT().GetAutoScalePolicyByID(gomock.Any(), other.PolicyID).Return(other, nil)
	_, err = e.GetAutoScalePolicyByID(ctx, other.PolicyID)
	require.NoError(t, err)
	policies.EXPECT().UpdateAutoScalePolicy(gomock.Any(), whole.PolicyID, whole).Return(whole, nil)
	_, err = e.UpdateAutoScalePolicy(ctx, "default.policy.web", hosting.AutoScalePolicy{PolicyID: "default.policy.web", InstanceID: "default.deployment.web", Name: "web"})
	require.NoError(t, err)
	policies.EXPECT().DeleteAutoScalePolicy(gomock.Any(), whole.PolicyID)
	require.NoError(t, e.DeleteAutoScalePolicy(ctx, "default.policy.web"))
	policies.EXPECT().EnableAutoScalePolicy(gomock.Any(), other.PolicyID)
	require.NoError(t, e.EnableAutoScalePolicy(ctx, other.PolicyID))
	policies.EXPECT().DisableAutoScalePolicy(gomock.Any(), whole.PolicyID).Return(&hosting.Error{Code: hosting.PolicyFailed,
		Reason: hosting.Conflict, Message: "because", InstanceID: "default.deployment.web"})
	failure := failed(t, e.DisableAutoScalePolicy(ctx, "default.policy.web"))
	assert.Equal(t, "a", failure.Provider)
	assert.Equal(t, whole.InstanceID, failure.InstanceID)
	policies.EXPECT().ListAutoScalePolicies(gomock.Any()).Return([]hosting.AutoScalePolicy{
		{PolicyID: "default.policy.web", InstanceID: "default.deployment.web", Name: "web"}, other}, assert.AnError)
	list, err := e.ListAutoScalePolicies(ctx)
	assert.Equal(t, []hosting.AutoScalePolicy{whole, other}, list)
	assert.ErrorIs(t, err, assert.AnError)
	assert.Equal(t, hosting.PolicyFailed, failed(t, err).Code)

	// Policies may be left of a provider that is no longer there; none is made.
	policies.EXPECT().EnableAutoScalePolicy(gomock.Any(), "c:default.policy.web")
	require.NoError(t, e.EnableAutoScalePolicy(ctx, "c:default.policy.web"))
	_, err = e.CreateAutoScalePolicy(ctx, hosting.AutoScalePolicy{InstanceID: "c:default.deployment.web"})
	assert.Equal(t, hosting.InstanceNotFound, failed(t, err).Code)
	_, err = e.UpdateAutoScalePolicy(ctx, "no id", hosting.AutoScalePolicy{})
	assert.ErrorIs(t, err, hosting.InvalidArgument)
	_, err = e.GetAutoScalePolicy(ctx, "no id")
	assert.ErrorIs(t, err, hosting.InvalidArgument)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	assert.ErrorIs(t, e.EnableAutoScalePolicy(ended, "no id"), hosting.Canceled)
	// What is no id is refused with all else that is wrong.
	policies.EXPECT().CreateAutoScalePolicy(gomock.Any(), hosting.AutoScalePolicy{InstanceID: "no id"}).Return(hosting.AutoScalePolicy{}, hosting.InvalidArgument)
	_, err = e.CreateAutoScalePolicy(ctx, hosting.AutoScalePolicy{InstanceID: "no id"})
	assert.Error(t, err)
}

func TestWhatAnExtensionLacksIsUnsupported(t *testing.T) {
	t.Parallel()
	e := provider.NewExtension(provider.ExtensionConfig{Router: newRouter(t, backend("a", fake.New()))})
	_, err := e.ListAutoScalePolicies(t.Context())
	assert.ErrorIs(t, err, hosting.Unsupported)
	assert.Equal(t, "a", failed(t, err).Provider)
	_, err = e.CheckCompatibility(t.Context(), "skill")
	assert.ErrorIs(t, err, hosting.Unsupported)
	assert.ErrorContains(t, err, "ExtensionConfig.Catalog")
	_, err = e.ListServices(t.Context())
	assert.ErrorIs(t, err, hosting.Unsupported)
	volume, err := e.CreateVolume(t.Context(), hosting.Volume{Name: "data", Size: 1 << 30})
	require.NoError(t, err)
	assert.Equal(t, "a:default.volume.data", volume.VolumeID)
}

// skills is a catalog.
type skills map[string]provider.Skill

func (s skills) Skill(_ context.Context, skillID string) (provider.Skill, error) {
	if skillID == "broken" {
		return provider.Skill{}, assert.AnError
	}
	skill, ok := s[skillID]
	if !ok {
		return provider.Skill{}, hosting.NotFound
	}
	return skill, nil
}

// checker is a platform's own view.
type checker struct {
	checks []hosting.CompatibilityCheck
	err    error
	seen   *hosting.CloudHostingConfig
}

func (c checker) CheckConfig(_ context.Context, config hosting.CloudHostingConfig) ([]hosting.CompatibilityCheck, error) {
	if c.seen != nil {
		*c.seen = config
	}
	return c.checks, c.err
}

func TestACompatibilityHasTheChecksOfTheConfigurationAndOfThePlatform(t *testing.T) {
	t.Parallel()
	check := func(name, status string, required bool) hosting.CompatibilityCheck {
		return hosting.CompatibilityCheck{Name: name, Status: status, Message: "about " + name, Required: required}
	}
	good, elsewhere, nowhere, invalid := sound(), sound(), sound(), sound()
	elsewhere.Provider = "b"
	nowhere.Region = "moon"
	invalid.InstanceName = "Web"
	latest := sound()
	latest.Provider = "b"
	latest.Container.Image = "web:latest"
	catalog := skills{}
	for id, config := range map[string]hosting.CloudHostingConfig{"good": good, "elsewhere": elsewhere, "nowhere": nowhere, "invalid": invalid, "latest": latest} {
		catalog[id] = provider.Skill{ID: id, Name: "Skill " + id, Type: "demo", Config: config}
	}
	a := backend("a", fake.New())
	var seen hosting.CloudHostingConfig
	a.Checker = checker{seen: &seen, checks: []hosting.CompatibilityCheck{check(driver.CheckAdmission, hosting.CheckPass, true), check("odd", hosting.CheckPass, false)}}
	r := newRouter(t, a, backend("b", fake.New()))
	e := provider.NewExtension(provider.ExtensionConfig{Router: r, Catalog: catalog})
	look := func(id string) hosting.HostingCompatibility {
		t.Helper()
		result, err := e.CheckCompatibility(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, provider.Score(result.Checks), result.CompatibilityScore)
		require.Equal(t, len(result.Issues), len(result.Suggestions))
		return result
	}

	result := look("good")
	assert.Equal(t, hosting.HostingCompatibility{SkillID: "good", SkillName: "Skill good", SkillType: "demo", CompatibilityScore: 100,
		Recommendation: "recommended", Checks: result.Checks}, result)
	assert.Len(t, result.Checks, 7+1+2)
	assert.Equal(t, "web", seen.InstanceName)

	result = look("latest")
	assert.Equal(t, "recommended, after a look at: image, platform", result.Recommendation)
	assert.Contains(t, result.Issues[0], "image: ")
	assert.Contains(t, result.Issues[1], "provider b has no checks of its own")
	assert.Less(t, result.CompatibilityScore, 100)

	result = look("nowhere")
	assert.Equal(t, "not recommended: failed: placement", result.Recommendation)
	assert.Contains(t, result.Issues[0], `region "moon"`)
	assert.LessOrEqual(t, result.CompatibilityScore, 49)

	result = look("invalid")
	assert.Equal(t, "not recommended: failed: configuration", result.Recommendation)
	assert.Len(t, result.Checks, 7+1, "the platform is not asked about it")

	a.Checker = checker{checks: []hosting.CompatibilityCheck{check(driver.CheckQuota, hosting.CheckFail, true), check(driver.CheckNodes, hosting.CheckWarning, false), check("odd", hosting.CheckWarning, false)}}
	e = provider.NewExtension(provider.ExtensionConfig{Router: newRouter(t, a), Catalog: catalog})
	result = look("good")
	assert.Equal(t, "not recommended: failed: quota", result.Recommendation)
	assert.Equal(t, []string{"quota: about quota", "nodes: about nodes", "odd: about odd"}, result.Issues)
	assert.Contains(t, result.Suggestions[0], "ask for a larger quota")
	assert.Contains(t, result.Suggestions[1], "larger node")
}

func TestWhatCannotBeFoundOutIsAnError(t *testing.T) {
	t.Parallel()
	a := backend("a", fake.New())
	a.Checker = checker{err: &hosting.Error{Code: hosting.CompatibilityFailed, Reason: hosting.Unavailable, Message: "nobody answers"}}
	e := provider.NewExtension(provider.ExtensionConfig{Router: newRouter(t, a), Catalog: skills{"good": {ID: "good", Config: sound()}}})
	for skillID, reason := range map[string]hosting.Reason{"good": hosting.Unavailable, "none": hosting.NotFound, "broken": hosting.Internal, "": hosting.InvalidArgument} {
		_, err := e.CheckCompatibility(t.Context(), skillID)
		failure := failed(t, err)
		assert.Equal(t, hosting.CompatibilityFailed, failure.Code, skillID)
		assert.Equal(t, reason, failure.Reason, skillID)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := e.CheckCompatibility(ctx, "good")
	assert.ErrorIs(t, err, hosting.Canceled)
}

func TestPoliciesOfAProviderThatWasRemovedAreSeenAndCanBeRemoved(t *testing.T) {
	t.Parallel()
	ctx, documents := t.Context(), store.NewMemory()
	host := open(t, two, fake.Open, provider.WithStore(documents))
	config := skill("web")
	config.Provider = "b"
	web, err := host.Provider().CreateInstance(ctx, config)
	require.NoError(t, err)
	policy, err := host.Extension().CreateAutoScalePolicy(ctx, policyOf(web.ID))
	require.NoError(t, err)
	require.NoError(t, host.Close())

	e := open(t, "hosting: {a: {type: fake}}", fake.Open, provider.WithStore(documents)).Extension()
	list, err := e.ListAutoScalePolicies(ctx)
	require.NoError(t, err)
	assert.Equal(t, []hosting.AutoScalePolicy{policy}, list)
	got, err := e.GetAutoScalePolicyByID(ctx, policy.PolicyID)
	require.NoError(t, err)
	assert.Equal(t, policy, got)
	got, err = e.GetAutoScalePolicy(ctx, web.ID)
	require.NoError(t, err)
	assert.Equal(t, policy, got)
	require.NoError(t, e.DisableAutoScalePolicy(ctx, policy.PolicyID))
	policy.Name = "left"
	_, err = e.UpdateAutoScalePolicy(ctx, policy.PolicyID, policy)
	require.NoError(t, err)
	require.NoError(t, e.DeleteAutoScalePolicy(ctx, policy.PolicyID))
	list, err = e.ListAutoScalePolicies(ctx)
	require.NoError(t, err)
	assert.Empty(t, list)
	_, err = e.GetAutoScalePolicyByID(ctx, policy.PolicyID)
	assert.Equal(t, hosting.PolicyNotFound, failed(t, err).Code)
	_, err = e.GetAutoScalePolicy(ctx, web.ID)
	assert.Equal(t, hosting.InstanceNotFound, failed(t, err).Code)
	assert.ErrorContains(t, err, `there is no provider "b"`)
}

// cannotScale says so of everything that it has.
type cannotScale struct{ *fake.Provider }

func (p cannotScale) Capabilities(ctx context.Context, region, instanceType string) (hosting.CapabilitySet, error) {
	set, err := p.Provider.Capabilities(ctx, region, instanceType)
	set[hosting.CanScale] = hosting.Support{Note: "not here"}
	return set, err
}

func TestWhetherAPolicyIsPossibleIsForTheInstancesProviderToSay(t *testing.T) {
	t.Parallel()
	stiff := func() provider.Named {
		return provider.Named{Name: "stiff", Backend: driver.Backend{Provider: cannotScale{fake.New(fake.WithRegions("edge"))}}}
	}
	edge := func(name string) provider.Named { return backend(name, fake.New(fake.WithRegions("edge"))) }
	for name, c := range map[string]struct {
		backends []provider.Named
		on       string
		allowed  bool
	}{
		"two others have the region":  {[]provider.Named{backend("a", fake.New()), edge("b"), edge("c")}, "b", true},
		"the default one cannot":      {[]provider.Named{stiff(), edge("b")}, "b", true},
		"the default one, which does": {[]provider.Named{edge("a"), stiff()}, "a", true},
		"one that cannot":             {[]provider.Named{edge("a"), stiff()}, "stiff", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRouter(t, c.backends...)
			config := deployment("web")
			config.Region, config.Provider = "edge", c.on
			web, err := r.CreateInstance(t.Context(), config)
			require.NoError(t, err)
			controller, err := autoscale.New(autoscale.Config{Provider: provider.Observe(r, slog.New(slog.DiscardHandler)), Store: store.NewMemory()})
			require.NoError(t, err)
			e := provider.NewExtension(provider.ExtensionConfig{Router: r, AutoScaler: controller})
			_, err = e.CreateAutoScalePolicy(t.Context(), policyOf(web.ID))
			if c.allowed {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, hosting.Unsupported)
			assert.ErrorContains(t, err, "not here")
		})
	}
	r := newRouter(t, backend("a", fake.New()))
	_, err := r.InstanceCapabilities(t.Context(), "b:default.deployment.web")
	assert.Equal(t, hosting.InstanceNotFound, failed(t, err).Code)
	_, err = r.InstanceCapabilities(t.Context(), "default.lambda.web")
	assert.ErrorIs(t, err, hosting.InvalidArgument)
}

// policyOf returns a policy of an instance.
func policyOf(instanceID string) hosting.AutoScalePolicy {
	return hosting.AutoScalePolicy{InstanceID: instanceID, Name: "web", Enabled: true, MinReplicas: 1, MaxReplicas: 5,
		ScaleUpRules: []hosting.ScaleRule{{MetricType: hosting.MetricResource, MetricName: hosting.MetricCPUUsage, Threshold: 1, Comparison: ">=", StepSize: 1}}}
}
