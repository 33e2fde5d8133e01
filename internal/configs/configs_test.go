package configs_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/configs"
)

func web(change func(*hosting.CloudHostingConfig)) hosting.CloudHostingConfig {
	config := hosting.CloudHostingConfig{
		InstanceName: "web", InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "nginx:1.29"},
	}
	if change != nil {
		change(&config)
	}
	return config
}

func TestConfigurationsThatMeanTheSameAreEqual(t *testing.T) {
	t.Parallel()
	plain := configs.Canonical(web(nil), "default")
	for name, change := range map[string]func(*hosting.CloudHostingConfig){
		"the region by name": func(c *hosting.CloudHostingConfig) { c.Region = "default" },
		"empty maps and lists": func(c *hosting.CloudHostingConfig) {
			c.Labels, c.Env, c.Container.Ports = map[string]string{}, map[string]string{}, []int{}
			c.Annotations, c.SecretEnv, c.Container.VolumeMounts = map[string]string{}, hosting.SecretMap{}, []hosting.VolumeMount{}
		},
		"empty parts": func(c *hosting.CloudHostingConfig) {
			c.Resources, c.Network, c.Scaling = &hosting.ResourceConfig{}, &hosting.NetworkConfig{}, &hosting.ScaleConfig{}
		},
		"a network with an empty list": func(c *hosting.CloudHostingConfig) { c.Network = &hosting.NetworkConfig{Ports: []int{}} },
		"the provider by name":         func(c *hosting.CloudHostingConfig) { c.Provider = "fake" },
		"secret values":                func(c *hosting.CloudHostingConfig) { c.SecretEnv = hosting.SecretMap{"A": "b"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := configs.Canonical(web(change), "default")
			assert.Equal(t, plain, other)
			assert.Empty(t, configs.Differences(plain, other))
		})
	}
}

func TestDifferencesAreNamed(t *testing.T) {
	t.Parallel()
	plain := configs.Canonical(web(nil), "default")
	for name, change := range map[string]func(*hosting.CloudHostingConfig){
		"container": func(c *hosting.CloudHostingConfig) { c.Container.Image = "nginx:1.30" },
		"env":       func(c *hosting.CloudHostingConfig) { c.Env = map[string]string{"A": "1"} },
		"network":   func(c *hosting.CloudHostingConfig) { c.Network = &hosting.NetworkConfig{IngressEnabled: new(false)} },
		"resources": func(c *hosting.CloudHostingConfig) { c.Resources = &hosting.ResourceConfig{CPULimit: 1} },
		"scaling":   func(c *hosting.CloudHostingConfig) { c.Scaling = &hosting.ScaleConfig{MinReplicas: 1} },
	} {
		other := configs.Canonical(web(change), "default")
		assert.Equal(t, []string{name}, configs.Differences(plain, other))
		assert.Equal(t, []string{name}, configs.Differences(other, plain))
	}
	assert.Equal(t, []string{"region"}, configs.Differences(plain, configs.Canonical(web(nil), "east")))
	both := web(func(c *hosting.CloudHostingConfig) { c.SkillID, c.InstanceType = "a", hosting.TypeJob })
	assert.Equal(t, []string{"instanceType", "skillId"}, configs.Differences(plain, configs.Canonical(both, "default")))
}

func TestCanonicalSharesNothing(t *testing.T) {
	t.Parallel()
	config := web(func(c *hosting.CloudHostingConfig) {
		c.Labels, c.Container.Ports = map[string]string{"a": "b"}, []int{80}
		c.Resources = &hosting.ResourceConfig{CPULimit: 1}
	})
	canonical := configs.Canonical(config, "default")
	config.Labels["a"], config.Container.Ports[0], config.Container.Image, config.Resources.CPULimit = "c", 81, "busybox", 2
	assert.Equal(t, "b", canonical.Labels["a"])
	assert.Equal(t, []int{80}, canonical.Container.Ports)
	assert.Equal(t, "nginx:1.29", canonical.Container.Image)
	assert.Equal(t, 1.0, canonical.Resources.CPULimit)
	assert.Empty(t, config.Region, "the argument stays as it was")
}

func TestDefaultsGiveWayToWhatTheInstanceSays(t *testing.T) {
	t.Parallel()
	defaults := hosting.ResourceConfig{CPURequest: 0.25, CPULimit: 0.5, MemoryRequest: 256, MemoryLimit: 512}
	for _, test := range []struct {
		name     string
		own      *hosting.ResourceConfig
		defaults hosting.ResourceConfig
		want     hosting.ResourceConfig
	}{
		{name: "nothing said", defaults: defaults, want: defaults},
		{name: "nothing in it", own: &hosting.ResourceConfig{}, defaults: defaults, want: defaults},
		{name: "a small limit lowers the default request", own: &hosting.ResourceConfig{CPULimit: 0.1}, defaults: defaults,
			want: hosting.ResourceConfig{CPURequest: 0.1, CPULimit: 0.1, MemoryRequest: 256, MemoryLimit: 512}},
		{name: "a large request raises the default limit", own: &hosting.ResourceConfig{MemoryRequest: 1024}, defaults: defaults,
			want: hosting.ResourceConfig{CPURequest: 0.25, CPULimit: 0.5, MemoryRequest: 1024, MemoryLimit: 1024}},
		{name: "no default limit stays no limit", own: &hosting.ResourceConfig{CPURequest: 2},
			want: hosting.ResourceConfig{CPURequest: 2}},
		{name: "a default storage limit", own: &hosting.ResourceConfig{}, defaults: hosting.ResourceConfig{StorageLimit: 7},
			want: hosting.ResourceConfig{StorageLimit: 7}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, configs.FillResources(test.own, test.defaults))
		})
	}
}

func TestUpdateKeepsWhatItDoesNotName(t *testing.T) {
	t.Parallel()
	current := hosting.ResourceConfig{CPURequest: 0.25, CPULimit: 0.5, MemoryRequest: 256, MemoryLimit: 512, StorageLimit: 1}
	merged, err := configs.UpdateResources(current, hosting.ResourceConfig{CPULimit: 2, MemoryRequest: 300})
	require.NoError(t, err)
	assert.Equal(t, hosting.ResourceConfig{CPURequest: 0.25, CPULimit: 2, MemoryRequest: 300, MemoryLimit: 512, StorageLimit: 1}, merged)
	merged, err = configs.UpdateResources(current, hosting.ResourceConfig{CPURequest: 1})
	require.ErrorContains(t, err, "together with what the instance has")
	assert.Equal(t, current, merged)
	_, err = configs.UpdateResources(current, hosting.ResourceConfig{CPURequest: -1})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "together", "it is wrong by itself")
}
