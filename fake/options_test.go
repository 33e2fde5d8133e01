package fake_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
)

func TestOptionsThatMakeNoSensePanic(t *testing.T) {
	t.Parallel()
	for text, options := range map[string][]fake.Option{
		`name "No"`:      {fake.WithName("No")},
		`name ""`:        {fake.WithName("")},
		`name "a:b"`:     {fake.WithName("a:b")},
		`region "a.b"`:   {fake.WithRegions("default", "a.b")},
		`region ""`:      {fake.WithRegions("")},
		`type "my-type"`: {fake.WithInstanceTypes("deployment", "my-type")},
		`type "service"`: {fake.WithInstanceTypes("deployment", "service")},
		`type "volume"`:  {fake.WithInstanceTypes("deployment", "volume")},
		"WithNodes(-1)":  {fake.WithNodes(-1)},
		"WithNodes(0)":   {fake.WithNodes(0)},
	} {
		func() {
			defer func() { assert.Contains(t, recover(), text) }()
			fake.New(options...)
		}()
	}
	assert.NotPanics(t, func() {
		fake.New(fake.WithName("a-1"), fake.WithRegions(), fake.WithInstanceTypes("function"), fake.WithNodes(1), fake.WithWorkload(nil))
	})
}

func TestDefaultsAreForWhatAConfigurationDoesNotSay(t *testing.T) {
	t.Parallel()
	p := fake.New(fake.WithDefaults(hosting.ResourceConfig{CPULimit: 0.1, StorageLimit: 1 << 30}, hosting.ScaleConfig{MinReplicas: 20}))
	config := hosting.CloudHostingConfig{InstanceName: "web", InstanceType: hosting.TypeDeployment, Container: &hosting.ContainerConfig{Image: "x"}}
	web, err := p.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	assert.Equal(t, 20, web.Replicas)
	assert.Equal(t, hosting.ResourceConfig{CPULimit: 0.1, CPURequest: 0.1, MemoryRequest: 256 << 20, MemoryLimit: 512 << 20, StorageLimit: 1 << 30}, *web.Resources)
	config.InstanceName, config.Scaling = "own", &hosting.ScaleConfig{MinReplicas: 1}
	own, err := p.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	assert.Equal(t, 1, own.Replicas)
	config.InstanceName, config.Scaling = "bounded", &hosting.ScaleConfig{MaxReplicas: 5}
	bounded, err := p.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	assert.Equal(t, 5, bounded.Replicas, "a default gives way")
}
