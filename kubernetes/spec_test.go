package kubernetes

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

// testProvider has no cluster: it serves what needs none.
func testProvider(t *testing.T, change func(*Config)) *Provider {
	t.Helper()
	config := DefaultConfig()
	if change != nil {
		change(&config)
	}
	config, err := config.withDefaults()
	require.NoError(t, err)
	p := &Provider{config: config, regions: map[string]*region{}}
	for _, r := range config.Regions {
		p.regions[r.Name] = &region{name: r.Name, namespace: r.Namespace}
	}
	return p
}

func testConfig(change func(*hosting.CloudHostingConfig)) hosting.CloudHostingConfig {
	config := hosting.CloudHostingConfig{
		InstanceName: "web", InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "nginx:1.29"},
	}
	if change != nil {
		change(&config)
	}
	return config
}

func TestIngressNeedsAHost(t *testing.T) {
	t.Parallel()
	network := func(n hosting.NetworkConfig, ports ...int) hosting.CloudHostingConfig {
		return testConfig(func(c *hosting.CloudHostingConfig) { c.Network, c.Container.Ports = &n, ports })
	}
	for _, test := range []struct {
		name   string
		config hosting.CloudHostingConfig
		domain string
		host   string
		fails  string
	}{
		{name: "on by default without a host is left out", config: network(hosting.NetworkConfig{}, 80)},
		{name: "on by default with a domain", config: network(hosting.NetworkConfig{}, 80), domain: "example.com", host: "web.example.com"},
		{name: "on by default without ports is left out", config: network(hosting.NetworkConfig{}), domain: "example.com"},
		{name: "a host asks for it", config: network(hosting.NetworkConfig{IngressHost: "a.example.org"}, 80), domain: "example.com", host: "a.example.org"},
		{name: "forbidden wins over the host", config: network(hosting.NetworkConfig{IngressHost: "a.example.org", IngressEnabled: new(false)}, 80)},
		{name: "asked for without a host", config: network(hosting.NetworkConfig{IngressEnabled: new(true)}, 80), fails: "network.ingressHost"},
		{name: "asked for without ports", config: network(hosting.NetworkConfig{IngressHost: "a.example.org"}), fails: "network.ports"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := testProvider(t, func(c *Config) { c.Defaults.IngressDomain = test.domain })
			r, err := p.resolve(test.config)
			if test.fails != "" {
				require.ErrorIs(t, err, hosting.InvalidArgument)
				assert.Contains(t, err.Error(), test.fails)
				return
			}
			require.NoError(t, err)
			if test.host == "" {
				assert.Nil(t, r.Desired.Spec.Ingress)
				return
			}
			require.NotNil(t, r.Desired.Spec.Ingress)
			assert.Equal(t, ingressSpec{Host: test.host, Path: "/"}, *r.Desired.Spec.Ingress)
		})
	}
}

func TestAnAutoscalerNeedsATargetOfTheInstanceItself(t *testing.T) {
	t.Parallel()
	p := testProvider(t, nil)
	r, err := p.resolve(testConfig(func(c *hosting.CloudHostingConfig) { c.Scaling = &hosting.ScaleConfig{MinReplicas: 2, MaxReplicas: 5} }))
	require.NoError(t, err)
	assert.Nil(t, r.Desired.Spec.Autoscaler, "the default target makes no autoscaler")
	assert.Equal(t, 2, r.Desired.Replicas)

	r, err = p.resolve(testConfig(func(c *hosting.CloudHostingConfig) { c.Scaling = &hosting.ScaleConfig{TargetMemoryUtilization: 60} }))
	require.NoError(t, err)
	assert.Equal(t, &hosting.ScaleConfig{MinReplicas: 1, MaxReplicas: 10, TargetCPUUtilization: 70, TargetMemoryUtilization: 60},
		r.Desired.Spec.Autoscaler, "but fills in what the instance's own leaves out")

	_, err = p.resolve(testConfig(func(c *hosting.CloudHostingConfig) {
		c.InstanceType, c.Scaling = hosting.TypeDaemonSet, &hosting.ScaleConfig{TargetCPUUtilization: 60}
	}))
	require.ErrorIs(t, err, hosting.Unsupported)
}

func TestMinReplicasOfADaemonSetIsRefused(t *testing.T) {
	t.Parallel()
	_, err := testProvider(t, nil).resolve(testConfig(func(c *hosting.CloudHostingConfig) {
		c.InstanceType, c.Scaling = hosting.TypeDaemonSet, &hosting.ScaleConfig{MinReplicas: 1}
	}))
	require.ErrorIs(t, err, hosting.Unsupported)
	assert.ErrorContains(t, err, "scaling.minReplicas 1")
}

func TestBadProviderConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(*Config){
		"name":                         func(c *Config) { c.Name = "No" },
		"owner":                        func(c *Config) { c.Owner = "not a label" },
		"regions[0].namespace":         func(c *Config) { c.Regions = []Region{{Name: "a", Namespace: "kube-system"}} },
		"regions[1].name":              func(c *Config) { c.Regions = []Region{{Name: "a"}, {Name: "a", Namespace: "b"}} },
		"regions[2].namespace":         func(c *Config) { c.Regions = []Region{{Name: "a"}, {Name: "b"}, {Name: "c", Namespace: "a"}} },
		"defaults.imagePullPolicy":     func(c *Config) { c.Defaults.ImagePullPolicy = "Sometimes" },
		"defaults.restartPolicy":       func(c *Config) { c.Defaults.RestartPolicy = "Sometimes" },
		"defaults.podSecurity":         func(c *Config) { c.Defaults.PodSecurity = "none" },
		"defaults.serviceType":         func(c *Config) { c.Defaults.ServiceType = "ExternalName" },
		"defaults.ingressDomain":       func(c *Config) { c.Defaults.IngressDomain = "*" },
		"defaults.scaling.minReplicas": func(c *Config) { c.Defaults.Scaling.MinReplicas = 11 },
		"resources.cpuRequest":         func(c *Config) { c.Defaults.Resources.CPURequest = 1 },
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			config := DefaultConfig()
			change(&config)
			_, err := New(t.Context(), config)
			require.ErrorIs(t, err, hosting.InvalidArgument)
			assert.Equal(t, hosting.InvalidConfig, hosting.CodeOf(err))
			assert.Contains(t, err.Error(), field)
		})
	}
}

func TestANamespaceIsOneRegionOnly(t *testing.T) {
	t.Parallel()
	p := testProvider(t, func(c *Config) { c.Namespace = "us-east-1" })
	assert.Equal(t, []string{"default", "us-west-1", "eu-west-1", "asia-east-1"}, p.SupportedRegions())
}

func TestOldClustersAreRefused(t *testing.T) {
	t.Parallel()
	require.NoError(t, checkVersion([]byte(`{"gitVersion":"v1.31.0-eks-a1b2"}`)))
	require.NoError(t, checkVersion([]byte(`{"gitVersion":"v1.37.2"}`)))
	require.ErrorContains(t, checkVersion([]byte(`{"gitVersion":"v1.30.9"}`)), "1.31")
	require.Error(t, checkVersion([]byte(`{"gitVersion":"$Format$"}`)))
}
