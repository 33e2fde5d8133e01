package kubernetes

import (
	"cmp"
	"context"
	"net"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"skillcenter.io/hosting"
)

// GetServiceEndpoint implements [hosting.CloudHostingProvider]. The address is
// the widest there is: a load balancer's, the ingress's, a node port's, or the
// name inside the cluster. A load balancer or node port that has no address
// yet is Unavailable.
func (p *Provider) GetServiceEndpoint(ctx context.Context, instanceID string) (hosting.ServiceEndpoint, error) {
	t, err := p.find(hosting.EndpointFailed, instanceID)
	if err != nil {
		return hosting.ServiceEndpoint{}, err
	}
	s, err := p.look(ctx, hosting.EndpointFailed, t)
	if err != nil {
		return hosting.ServiceEndpoint{}, err
	}
	endpoint, ok := s.endpoint()
	if ok {
		return endpoint, nil
	}
	failed := hosting.Errorf(p.config.Name, hosting.EndpointFailed, hosting.NotFound, "instance %s has no ports, so it has no endpoint", t.id)
	if len(s.anchor.record.Desired.Spec.Ports) > 0 {
		failed = hosting.Errorf(p.config.Name, hosting.EndpointFailed, hosting.Unavailable, "the address of instance %s is not known yet", t.id)
	}
	failed.InstanceID = t.id
	return hosting.ServiceEndpoint{}, failed
}

// endpoint returns where the instance is reached, if that is known.
func (s *snapshot) endpoint() (hosting.ServiceEndpoint, bool) {
	// A Service that the configuration has no more is about to be removed, and
	// may wait for somebody's finalizer.
	if s.service == nil || len(s.service.Spec.Ports) == 0 || len(s.anchor.record.Desired.Spec.Ports) == 0 {
		return hosting.ServiceEndpoint{}, false
	}
	port := s.service.Spec.Ports[0]
	internal := serviceHost(s.service.Namespace, s.service.Name)
	result := hosting.ServiceEndpoint{
		InstanceID: s.id,
		Metadata:   map[string]string{"service": s.service.Name, "namespace": s.service.Namespace, "internalHost": internal},
	}
	if s.service.Spec.ClusterIP != "" && s.service.Spec.ClusterIP != corev1.ClusterIPNone {
		result.Metadata["clusterIP"] = s.service.Spec.ClusterIP
	}
	set := func(kind, host string, port int) (hosting.ServiceEndpoint, bool) {
		result.Type, result.Host, result.Port = kind, host, port
		result.URL = "http://" + net.JoinHostPort(host, strconv.Itoa(port))
		return result, host != ""
	}
	// One that the configuration has no more is about to be removed.
	if spec := s.anchor.record.Desired.Spec.Ingress; s.ingress != nil && spec != nil {
		scheme, ingressPort := "http", 80
		if len(s.ingress.Spec.TLS) > 0 {
			scheme, ingressPort = "https", 443
		}
		result.Type, result.Host, result.Port = hosting.EndpointIngress, spec.Host, ingressPort
		result.URL = scheme + "://" + spec.Host + spec.Path
		return result, true
	}
	switch s.service.Spec.Type {
	case corev1.ServiceTypeLoadBalancer:
		var host string // a load balancer gets its address when it is ready
		if at := s.service.Status.LoadBalancer.Ingress; len(at) > 0 {
			host = cmp.Or(at[0].Hostname, at[0].IP)
		}
		return set(hosting.EndpointLoadBalancer, host, int(port.Port))
	case corev1.ServiceTypeNodePort:
		return set(hosting.EndpointNodePort, s.nodeAddress, int(port.NodePort))
	}
	return set(hosting.EndpointCluster, internal, int(port.Port))
}
