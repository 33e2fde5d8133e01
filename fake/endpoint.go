package fake

import (
	"context"
	"fmt"
	"hash/fnv"
	"net"
	"strconv"
	"strings"
	"time"

	"skillcenter.io/hosting"
)

// GetServiceEndpoint returns where the instance would be reached. Nothing
// listens there. The hosts are "<name>.<region>.fake.local" inside the
// cluster, "<name>.lb.<region>.fake.local" for a load balancer,
// "node-1.<region>.fake.local" for a node port, and an ingress' own host.
func (p *Provider) GetServiceEndpoint(ctx context.Context, instanceID string) (hosting.ServiceEndpoint, error) {
	return call(ctx, p, onInstance("GetServiceEndpoint", hosting.EndpointFailed, instanceID), func(time.Time) (hosting.ServiceEndpoint, error) {
		in, err := p.find(instanceID)
		if err != nil {
			return hosting.ServiceEndpoint{}, err
		}
		endpoint := in.endpoint()
		if endpoint == nil {
			return hosting.ServiceEndpoint{}, fail(hosting.NotFound, "instance %s has no ports", in.key)
		}
		return *endpoint, nil
	})
}

// endpoint returns where the instance is reached, or nil if it has no ports.
func (in *instance) endpoint() *hosting.ServiceEndpoint {
	network := hosting.NetworkConfig{}
	if in.config.Network != nil {
		network = *in.config.Network
	}
	ports := portsOf(in.config)
	if len(ports) == 0 {
		return nil
	}
	endpoint := &hosting.ServiceEndpoint{InstanceID: in.key, Port: ports[0], Metadata: map[string]string{"ports": joinPorts(ports)}}
	if network.IngressHost != "" && (network.IngressEnabled == nil || *network.IngressEnabled) {
		endpoint.Type, endpoint.Host, endpoint.Port = hosting.EndpointIngress, network.IngressHost, 80
		endpoint.URL = "http://" + endpoint.Host + "/" + strings.TrimPrefix(network.IngressPath, "/")
		return endpoint
	}
	domain := in.id.Region + ".fake.local"
	switch network.ServiceType {
	case hosting.ServiceLoadBalancer:
		endpoint.Type, endpoint.Host = hosting.EndpointLoadBalancer, in.id.Name+".lb."+domain
	case hosting.ServiceNodePort:
		endpoint.Type, endpoint.Host, endpoint.Port = hosting.EndpointNodePort, "node-1."+domain, nodePort(in.key)
	default:
		endpoint.Type, endpoint.Host = hosting.EndpointCluster, in.id.Name+"."+domain
	}
	endpoint.URL = "http://" + net.JoinHostPort(endpoint.Host, strconv.Itoa(endpoint.Port))
	return endpoint
}

// portsOf returns the ports of an instance: those of the network win.
func portsOf(config hosting.CloudHostingConfig) []int {
	if n := config.Network; n != nil && len(n.Ports) > 0 {
		return n.Ports
	}
	return config.Container.Ports
}

// nodePort returns a port from the range of Kubernetes, always the same one
// for an id.
func nodePort(id string) int {
	hash := fnv.New32a()
	fmt.Fprint(hash, id)
	return 30000 + int(hash.Sum32()%2768)
}

func joinPorts(ports []int) string {
	texts := make([]string, len(ports))
	for i, port := range ports {
		texts[i] = strconv.Itoa(port)
	}
	return strings.Join(texts, ",")
}
