package discovery_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/discovery"
)

func TestWhatIsReturnedIsTheSameRegistration(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]hosting.ServiceRegistration{
		"the least":   {ServiceName: "orders", Port: 80},
		"a host":      {ServiceName: "orders", Port: 80, Host: "orders.example.com"},
		"an endpoint": {ServiceName: "orders", Port: 80, Endpoint: "https://example.com/orders"},
		"both":        {ServiceName: "orders", Port: 80, Endpoint: "https://example.com/orders", Host: "fd00::1"},
		"the rest":    {ServiceName: "orders", Port: 80, Protocol: "tcp", Aliases: []string{"b", "a"}, LoadBalancer: &hosting.LoadBalancerConfig{Strategy: "random"}},
	} {
		const host = "orders.default.svc"
		canonical := discovery.Canonical(said, host)
		shown := discovery.Complete(canonical, host, []hosting.ServiceAddress{{Host: "10.0.0.1", Port: 80}}, false)
		require.NoError(t, shown.Validate(), name)
		assert.NotEmpty(t, shown.Endpoint)
		assert.NotEmpty(t, shown.Host)
		assert.Equal(t, canonical, discovery.Canonical(shown, host), name)
		assert.Empty(t, discovery.Differences(canonical, discovery.Canonical(shown, host)), name)
	}
}

func TestACanonicalRegistrationSharesNothing(t *testing.T) {
	t.Parallel()
	said := hosting.ServiceRegistration{ServiceName: "orders", Port: 80, Aliases: []string{"b", "a"}, LoadBalancer: &hosting.LoadBalancerConfig{}}
	canonical := discovery.Canonical(said, "")
	said.Aliases[0], said.LoadBalancer.Strategy = "x", "random"
	assert.Equal(t, []string{"a", "b"}, canonical.Aliases)
	assert.Equal(t, hosting.StrategyRoundRobin, canonical.LoadBalancer.Strategy)
}

func TestDifferencesNameTheFields(t *testing.T) {
	t.Parallel()
	a := discovery.Canonical(hosting.ServiceRegistration{ServiceName: "a", Port: 1}, "")
	b := discovery.Canonical(hosting.ServiceRegistration{ServiceName: "b", Port: 2, Endpoint: "x://y", Protocol: "tcp", Host: "h", Aliases: []string{"c"},
		LoadBalancer: &hosting.LoadBalancerConfig{HealthCheckInterval: 1}}, "")
	assert.Equal(t, []string{"serviceName", "endpoint", "protocol", "host", "port", "aliases", "loadBalancer"}, discovery.Differences(a, b))
}

func TestAddressesAreSortedAndEachIsThereOnce(t *testing.T) {
	t.Parallel()
	type address = hosting.ServiceAddress
	at := func(host string, port int, ready bool) address { return address{Host: host, Port: port, Ready: ready} }
	got := discovery.Complete(hosting.ServiceRegistration{Protocol: "http", Port: 80}, "h", []address{
		at("web-2", 80, false), at("10.0.0.10", 80, true), at("10.0.0.9", 80, false), at("10.0.0.9", 81, false), at("10.0.0.9", 80, true), at("10.0.0.9", 80, false), at("web-1", 80, true), at("fd00::1", 80, true),
	}, false)
	assert.Equal(t, []address{at("10.0.0.9", 80, true), at("10.0.0.9", 81, false), at("10.0.0.10", 80, true), at("fd00::1", 80, true), at("web-1", 80, true), at("web-2", 80, false)}, got.Addresses)
}

func TestTheStatusFollowsTheAddresses(t *testing.T) {
	t.Parallel()
	ready, not := hosting.ServiceAddress{Host: "a", Ready: true}, hosting.ServiceAddress{Host: "b"}
	for want, got := range map[string]hosting.ServiceRegistration{
		hosting.ServiceStatusReady:       discovery.Complete(hosting.ServiceRegistration{}, "h", []hosting.ServiceAddress{not, ready}, false),
		hosting.ServiceStatusPending:     discovery.Complete(hosting.ServiceRegistration{}, "h", []hosting.ServiceAddress{not}, false),
		hosting.ServiceStatusTerminating: discovery.Complete(hosting.ServiceRegistration{}, "h", []hosting.ServiceAddress{ready}, true),
	} {
		assert.Equal(t, want, got.Status)
	}
}
