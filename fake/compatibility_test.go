package fake_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider/driver"
)

func TestACheckTellsWhatWouldKeepAnInstanceFromRunning(t *testing.T) {
	t.Parallel()
	config := hosting.CloudHostingConfig{InstanceName: "web", InstanceType: hosting.TypeDeployment, Container: &hosting.ContainerConfig{Image: "web:1"}}
	with := func(change func(*hosting.CloudHostingConfig)) hosting.CloudHostingConfig {
		changed := config
		change(&changed)
		return changed
	}
	for what, c := range map[string]struct {
		config  hosting.CloudHostingConfig
		fault   *fake.StartFault
		failed  string
		message string
	}{
		"nothing":           {config, nil, "", ""},
		"an unknown type":   {with(func(c *hosting.CloudHostingConfig) { c.InstanceType = "vm" }), nil, driver.CheckAccepted, `instanceType "vm"`},
		"an unknown region": {with(func(c *hosting.CloudHostingConfig) { c.Region = "moon" }), nil, driver.CheckAccepted, `region "moon"`},
		"a missing volume": {with(func(c *hosting.CloudHostingConfig) {
			c.Container = &hosting.ContainerConfig{Image: "web:1", VolumeMounts: []hosting.VolumeMount{{VolumeID: "default.volume.none", MountPath: "/data"}}}
		}), nil, driver.CheckAccepted, "volume default.volume.none does not exist"},
		"another instance": {with(func(c *hosting.CloudHostingConfig) { c.InstanceName, c.InstanceType = "taken", hosting.TypeJob }), nil, driver.CheckAccepted, "taken"},
		"a quota":          {config, &fake.StartFault{Failure: fake.QuotaExceeded}, driver.CheckQuota, "quota"},
		"no room":          {config, &fake.StartFault{Instance: "web", Failure: fake.Unschedulable, Message: "too large"}, driver.CheckNodes, "too large"},
		"another's fault":  {config, &fake.StartFault{Instance: "other", Failure: fake.Unschedulable}, "", ""},
	} {
		p := fake.New()
		_, err := p.CreateInstance(t.Context(), with(func(c *hosting.CloudHostingConfig) { c.InstanceName = "taken" }))
		require.NoError(t, err)
		if c.fault != nil {
			p.InjectStart(*c.fault)
		}
		checks, err := p.CheckConfig(t.Context(), c.config)
		require.NoError(t, err, what)
		failed := ""
		for _, check := range checks {
			assert.True(t, check.Required)
			if check.Status != hosting.CheckPass {
				failed += check.Name
				assert.Contains(t, check.Message, c.message, what)
			}
		}
		assert.Equal(t, c.failed, failed, what)
		list, err := p.ListInstances(t.Context())
		require.NoError(t, err)
		assert.Len(t, list, 1, "%s: it changes nothing", what)
	}
	p := fake.New()
	p.InjectCall(fake.CallFault{Method: "CheckConfig", Reason: hosting.Unavailable})
	_, err := p.CheckConfig(t.Context(), config)
	assert.ErrorIs(t, err, hosting.Unavailable)
}
