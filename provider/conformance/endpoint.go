package conformance

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"skillcenter.io/hosting"
)

func endpointCases() []testCase {
	return []testCase{
		each("an instance with ports has an endpoint", endpointOfPorts, hosting.CanEndpoint),
		each("an instance without ports has no endpoint", endpointWithoutPorts, hosting.CanEndpoint),
		once("the ports of the network win over those of the container", endpointNetworkPorts, hosting.CanEndpoint),
		once("an ingress host is the endpoint", endpointIngress, hosting.CanEndpoint, hosting.CanIngress),
		once("an instance with a health check becomes running", healthCheckRuns, hosting.CanHealthCheck).waiting(),
	}
}

// awaitEndpoint waits until the endpoint is known: some platforms have to
// allocate an address first.
func (e *env) awaitEndpoint(t *testing.T, id string) hosting.ServiceEndpoint {
	t.Helper()
	var endpoint hosting.ServiceEndpoint
	e.eventually(t, fmt.Sprintf("instance %s has an endpoint", id), func() error {
		var err error
		endpoint, err = e.p.GetServiceEndpoint(e.ctx, id)
		return err
	})
	types := []string{hosting.EndpointLoadBalancer, hosting.EndpointIngress, hosting.EndpointNodePort, hosting.EndpointCluster}
	if endpoint.InstanceID != id || !slices.Contains(types, endpoint.Type) || endpoint.Host == "" || endpoint.Port < 1 || endpoint.Port > 65535 {
		t.Errorf("GetServiceEndpoint(%s): got %s; want its id, a type among %q, a host and a port", id, toJSON(endpoint), types)
	}
	if address, err := url.Parse(endpoint.URL); err != nil || address.Scheme == "" || address.Hostname() != endpoint.Host {
		t.Errorf("GetServiceEndpoint(%s): URL %q is not one of host %q", id, endpoint.URL, endpoint.Host)
	}
	return endpoint
}

func endpointOfPorts(t *testing.T, e *env) {
	config := e.config(Serve)
	config.Container.Ports = []int{8080}
	id := e.create(t, config).ID
	endpoint := e.awaitEndpoint(t, id)
	if endpoint.Type == hosting.EndpointCluster && endpoint.Port != 8080 {
		t.Errorf("GetServiceEndpoint(%s): port %d, want the container's, 8080", id, endpoint.Port)
	}
	if shown := e.get(t, id).Endpoint; shown == nil || shown.URL != endpoint.URL {
		t.Errorf("GetInstance(%s) has endpoint %s, want what GetServiceEndpoint returns, %s", id, toJSON(shown), toJSON(endpoint))
	}
}

func endpointWithoutPorts(t *testing.T, e *env) {
	config := e.config(Serve)
	config.Container.Ports = nil
	created := e.create(t, config)
	_, err := e.p.GetServiceEndpoint(e.ctx, created.ID)
	e.wantIDError(t, fmt.Sprintf("GetServiceEndpoint(%s) without ports", created.ID), created.ID, err, hosting.EndpointFailed, hosting.NotFound)
	if created.Endpoint != nil {
		t.Errorf("instance %s without ports has endpoint %s", created.ID, toJSON(created.Endpoint))
	}
}

func endpointNetworkPorts(t *testing.T, e *env) {
	config := e.config(Serve)
	config.Container.Ports = []int{8080}
	config.Network = &hosting.NetworkConfig{ServiceType: hosting.ServiceClusterIP, Ports: []int{8081}}
	id := e.create(t, config).ID
	if endpoint := e.awaitEndpoint(t, id); endpoint.Type == hosting.EndpointCluster && endpoint.Port != 8081 {
		t.Errorf("GetServiceEndpoint(%s): port %d, want the network's, 8081", id, endpoint.Port)
	}
}

func endpointIngress(t *testing.T, e *env) {
	config := e.config(Serve)
	host := config.InstanceName + ".example.com"
	config.Container.Ports = []int{8080}
	config.Network = &hosting.NetworkConfig{IngressHost: host, IngressPath: "/skill"}
	id := e.create(t, config).ID
	endpoint := e.awaitEndpoint(t, id)
	if endpoint.Type != hosting.EndpointIngress || endpoint.Host != host {
		t.Errorf("GetServiceEndpoint(%s): got %s, want type %s and host %s", id, toJSON(endpoint), hosting.EndpointIngress, host)
	}
	if address, err := url.Parse(endpoint.URL); err != nil || address.Path != "/skill" {
		t.Errorf("GetServiceEndpoint(%s): URL %q, want path /skill", id, endpoint.URL)
	}
}

func healthCheckRuns(t *testing.T, e *env) {
	config := e.config(Serve)
	config.Container.Ports = []int{8080}
	asks(e)[hosting.CanHealthCheck](&config)
	config.Container.HealthCheck.Period = hosting.Duration(1e9)
	e.wantHealth(t, e.running(t, config).ID, "")
}
