package autoscale_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider/store"
)

func TestAPolicyIsFoundAsItWasCreated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.controller()
	want := cpuPolicy()
	want.CooldownPeriod = hosting.Duration(90*time.Second + 500*time.Microsecond)
	created := w.create(c, want)
	want.PolicyID, want.CooldownPeriod = webPolicyID, hosting.Duration(90*time.Second)
	assert.Equal(t, want, created, "what is below a millisecond is not kept")
	for name, get := range map[string]func() (hosting.AutoScalePolicy, error){
		"by instance":                 func() (hosting.AutoScalePolicy, error) { return c.GetAutoScalePolicy(w.ctx, webID) },
		"by instance, with prefix":    func() (hosting.AutoScalePolicy, error) { return c.GetAutoScalePolicy(w.ctx, "fake:"+webID) },
		"by id":                       func() (hosting.AutoScalePolicy, error) { return c.GetAutoScalePolicyByID(w.ctx, webPolicyID) },
		"by id, with prefix":          func() (hosting.AutoScalePolicy, error) { return c.GetAutoScalePolicyByID(w.ctx, "fake:"+webPolicyID) },
		"by another process, as well": func() (hosting.AutoScalePolicy, error) { return w.controller().GetAutoScalePolicy(w.ctx, webID) },
		"in the list": func() (hosting.AutoScalePolicy, error) {
			list, err := c.ListAutoScalePolicies(w.ctx)
			require.Len(t, list, 1)
			return list[0], err
		},
	} {
		found, err := get()
		require.NoError(t, err, name)
		assert.Equal(t, want, found, name)
	}
	document, err := w.store.Get(w.ctx, "policy/"+webPolicyID)
	require.NoError(t, err)
	assert.Equal(t, webID, document.Owner, "it can go with its instance")
}

func TestCreatingTheSamePolicyAgainReturnsItAndAnotherOneIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.controller()
	created := w.create(c, cpuPolicy())
	again := cpuPolicy()
	again.InstanceID, again.PolicyID = "fake:"+webID, created.PolicyID
	assert.Equal(t, created, w.create(c, again))

	require.NoError(t, c.DisableAutoScalePolicy(w.ctx, created.PolicyID))
	assert.False(t, w.create(c, cpuPolicy()).Enabled, "a create that is repeated does not undo what came after it")

	other := cpuPolicy()
	other.MaxReplicas++
	_, err := c.CreateAutoScalePolicy(w.ctx, other)
	w.fails(err, hosting.PolicyFailed, hosting.AlreadyExists, `has another policy, "by-cpu"`)
}

func TestManyCreatesAtOnceMakeOnePolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var creating sync.WaitGroup
	var mu sync.Mutex
	made := map[int]int{}
	for i := range 20 {
		creating.Go(func() {
			policy := cpuPolicy()
			policy.MaxReplicas = 5 + i%4
			created, err := w.controller().CreateAutoScalePolicy(w.ctx, policy)
			if err != nil {
				assert.ErrorIs(t, err, hosting.AlreadyExists)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			made[created.MaxReplicas]++
		})
	}
	creating.Wait()
	require.Len(t, made, 1)
	for _, n := range made {
		assert.Equal(t, 5, n, "all that asked for the same")
	}
}

func TestWhatCannotBeAPolicyIsRefusedAndNothingIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, instanceType := range []string{hosting.TypeJob, hosting.TypeCronJob, hosting.TypeDaemonSet} {
		config := web(1)
		config.InstanceName, config.InstanceType, config.Scaling = instanceType, instanceType, nil
		if instanceType == hosting.TypeCronJob {
			config.Schedule = "@hourly"
		}
		_, err := w.platform.CreateInstance(w.ctx, config)
		require.NoError(t, err)
	}
	c := w.controller()
	for name, one := range map[string]struct {
		change func(*hosting.AutoScalePolicy)
		code   hosting.Code
		reason hosting.Reason
		says   string
	}{
		"no bounds":           {func(p *hosting.AutoScalePolicy) { p.MaxReplicas = 0 }, "PolicyFailed", "InvalidArgument", "maxReplicas"},
		"no rules":            {func(p *hosting.AutoScalePolicy) { p.ScaleUpRules, p.ScaleDownRules = nil, nil }, "PolicyFailed", "InvalidArgument", "scaleUpRules"},
		"an unknown instance": {func(p *hosting.AutoScalePolicy) { p.InstanceID = "default.deployment.other" }, "InstanceNotFound", "NotFound", "default.deployment.other"},
		"another type":        {func(p *hosting.AutoScalePolicy) { p.InstanceID = "default.statefulset.web" }, "InstanceNotFound", "NotFound", "default.statefulset.web"},
		"a job":               {func(p *hosting.AutoScalePolicy) { p.InstanceID = "default.job.job" }, "PolicyFailed", "Unsupported", "is a job"},
		"a cronjob":           {func(p *hosting.AutoScalePolicy) { p.InstanceID = "default.cronjob.cronjob" }, "PolicyFailed", "Unsupported", "is a cronjob"},
		"a daemonset":         {func(p *hosting.AutoScalePolicy) { p.InstanceID = "default.daemonset.daemonset" }, "PolicyFailed", "Unsupported", "is a daemonset"},
		"an id of its own":    {func(p *hosting.AutoScalePolicy) { p.PolicyID = "default.policy.mine" }, "PolicyFailed", "InvalidArgument", `policyId "default.policy.mine"`},
	} {
		policy := cpuPolicy()
		one.change(&policy)
		_, err := c.CreateAutoScalePolicy(w.ctx, policy)
		t.Log(name)
		w.fails(err, one.code, one.reason, one.says)
	}
	list, err := c.ListAutoScalePolicies(w.ctx)
	require.NoError(t, err)
	assert.Empty(t, list)
}

func TestAnUpdateKeepsIdAndInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.controller()
	w.create(c, cpuPolicy())
	changed := cpuPolicy()
	changed.InstanceID, changed.MaxReplicas, changed.Enabled = "", 9, false
	updated, err := c.UpdateAutoScalePolicy(w.ctx, webPolicyID, changed)
	require.NoError(t, err)
	changed.InstanceID, changed.PolicyID = webID, webPolicyID
	assert.Equal(t, changed, updated)
	found, err := c.GetAutoScalePolicy(w.ctx, webID)
	require.NoError(t, err)
	assert.Equal(t, changed, found)

	for says, change := range map[string]func(*hosting.AutoScalePolicy){
		`instanceId "default.deployment.other"`: func(p *hosting.AutoScalePolicy) { p.InstanceID = "default.deployment.other" },
		`policyId "default.policy.other"`:       func(p *hosting.AutoScalePolicy) { p.PolicyID = "default.policy.other" },
		"minReplicas":                           func(p *hosting.AutoScalePolicy) { p.MinReplicas = 0 },
	} {
		wrong := changed
		change(&wrong)
		_, err := c.UpdateAutoScalePolicy(w.ctx, webPolicyID, wrong)
		w.fails(err, hosting.PolicyFailed, hosting.InvalidArgument, says)
	}
	found, err = c.GetAutoScalePolicy(w.ctx, webID)
	require.NoError(t, err)
	assert.Equal(t, changed, found)
}

func TestAPolicyThatDoesNotExistIsNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.controller()
	calls := map[string]func(string) error{
		"get":     func(id string) error { _, err := c.GetAutoScalePolicyByID(w.ctx, id); return err },
		"update":  func(id string) error { _, err := c.UpdateAutoScalePolicy(w.ctx, id, cpuPolicy()); return err },
		"delete":  func(id string) error { return c.DeleteAutoScalePolicy(w.ctx, id) },
		"enable":  func(id string) error { return c.EnableAutoScalePolicy(w.ctx, id) },
		"disable": func(id string) error { return c.DisableAutoScalePolicy(w.ctx, id) },
	}
	check := func(name string) {
		for call, do := range calls {
			t.Log(name, call)
			w.fails(do(webPolicyID), hosting.PolicyNotFound, hosting.NotFound, webPolicyID)
			w.fails(do("nonsense"), hosting.PolicyFailed, hosting.InvalidArgument, "nonsense")
			w.fails(do(webID), hosting.PolicyFailed, hosting.InvalidArgument, "policyId")
		}
		_, err := c.GetAutoScalePolicy(w.ctx, webID)
		w.fails(err, hosting.PolicyNotFound, hosting.NotFound, "has no policy")
	}
	check("never created")
	w.create(c, cpuPolicy())
	require.NoError(t, c.DeleteAutoScalePolicy(w.ctx, webPolicyID))
	check("deleted, and Run has not removed it yet")
	_, err := c.GetAutoScalePolicy(w.ctx, "default.deployment.other")
	w.fails(err, hosting.InstanceNotFound, hosting.NotFound, "default.deployment.other")
	_, err = c.GetAutoScalePolicy(w.ctx, "nonsense")
	w.fails(err, hosting.PolicyFailed, hosting.InvalidArgument, "nonsense")

	w.create(c, cpuPolicy())
	_, err = c.GetAutoScalePolicyByID(w.ctx, webPolicyID)
	require.NoError(t, err, "the name is free again")
}

func TestEnablingAndDisablingAtOnceLosesNoOtherChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(w.controller(), cpuPolicy())
	var changing sync.WaitGroup
	for i := range 8 {
		changing.Go(func() {
			c := w.controller()
			if i%2 == 0 {
				assert.NoError(t, c.EnableAutoScalePolicy(w.ctx, webPolicyID))
			} else {
				assert.NoError(t, c.DisableAutoScalePolicy(w.ctx, webPolicyID))
			}
		})
	}
	changed := cpuPolicy()
	changed.MaxReplicas = 77
	_, err := w.controller().UpdateAutoScalePolicy(w.ctx, webPolicyID, changed)
	require.NoError(t, err)
	changing.Wait()
	found, err := w.controller().GetAutoScalePolicy(w.ctx, webID)
	require.NoError(t, err)
	assert.Equal(t, 77, found.MaxReplicas)

	c := w.controller()
	for _, enabled := range []bool{true, true, false, false} {
		if enabled {
			require.NoError(t, c.EnableAutoScalePolicy(w.ctx, webPolicyID))
		} else {
			require.NoError(t, c.DisableAutoScalePolicy(w.ctx, webPolicyID))
		}
		found, err := c.GetAutoScalePolicy(w.ctx, webID)
		require.NoError(t, err)
		assert.Equal(t, enabled, found.Enabled)
	}
}

func TestAStoreThatForgetsIsWarnedOfOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.controller()
	off := cpuPolicy()
	off.Enabled = false
	w.create(c, off)
	assert.NotContains(t, w.log.String(), "in memory only", "nothing acts yet")
	for range 3 {
		require.NoError(t, c.EnableAutoScalePolicy(w.ctx, webPolicyID))
		require.NoError(t, c.DisableAutoScalePolicy(w.ctx, webPolicyID))
	}
	assert.Equal(t, 1, strings.Count(w.log.String(), "in memory only"))
}

// brokenStore fails, or has a document that is none of ours.
type brokenStore struct {
	store.Store
	err error
	bad json.RawMessage
}

func (s brokenStore) Get(ctx context.Context, key string) (store.Document, error) {
	if s.err != nil {
		return store.Document{}, s.err
	}
	return s.Store.Get(ctx, key)
}

func (s brokenStore) List(ctx context.Context, kind string) ([]store.Document, error) {
	list, err := s.Store.List(ctx, kind)
	if s.bad != nil {
		list = append(list, store.Document{Key: "policy/default.policy.zzz", Data: s.bad, Version: "1"})
	}
	return list, errors.Join(err, s.err)
}

func TestErrorsOfTheStoreKeepTheirReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(w.controller(), cpuPolicy())
	over := func(s brokenStore) *autoscale.Controller {
		s.Store = w.store
		return w.controller(func(c *autoscale.Config) { c.Store = s })
	}
	c := over(brokenStore{err: hosting.Errorf("", "", hosting.Unavailable, "the disk is full")})
	_, err := c.GetAutoScalePolicy(w.ctx, webID)
	w.fails(err, hosting.PolicyFailed, hosting.Unavailable, "the disk is full")
	list, err := c.ListAutoScalePolicies(w.ctx)
	w.fails(err, hosting.PolicyFailed, hosting.Unavailable, "the disk is full")
	assert.Len(t, list, 1, "what could be read")

	c = over(brokenStore{bad: json.RawMessage(`{"policy": 7}`)})
	list, err = c.ListAutoScalePolicies(w.ctx)
	w.fails(err, hosting.PolicyFailed, hosting.Internal, "policy/default.policy.zzz")
	assert.Len(t, list, 1)
	require.NoError(t, c.Tick(w.ctx), "and the others are attended to")
	assert.Contains(t, w.log.String(), "policy/default.policy.zzz")

	ended, cancel := context.WithCancel(w.ctx)
	cancel()
	_, err = w.controller().GetAutoScalePolicy(ended, webID)
	w.fails(err, hosting.PolicyFailed, hosting.Canceled, "canceled")
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := autoscale.New(autoscale.Config{Name: "fake", Store: store.NewMemory()})
	w := &world{t: t}
	w.fails(err, hosting.InvalidConfig, hosting.InvalidArgument, "Provider")
	_, err = autoscale.New(autoscale.Config{Name: "fake", Provider: fake.New()})
	w.fails(err, hosting.InvalidConfig, hosting.InvalidArgument, "Store")
	_, err = autoscale.New(autoscale.Config{Name: "fake", Provider: fake.New(), Store: store.NewMemory(), Interval: -1})
	w.fails(err, hosting.InvalidConfig, hosting.InvalidArgument, "Interval")
}
