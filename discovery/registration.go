package discovery

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"skillcenter.io/hosting"
)

// IDType is the type in the ids of services.
const IDType = "service"

// ID returns the id of a service.
func ID(region, serviceName string) string {
	return hosting.ID{Region: region, Type: IDType, Name: serviceName}.String()
}

// Canonical returns what a caller says of a service, in the form in which
// registrations are kept and compared: without what the platform finds out,
// with the default protocol and strategy, and with aliases sorted. A host and an
// endpoint that [Complete] would fill in are left out, so that what a provider
// returned is the same registration as what it was given. It shares no memory
// with the argument.
func Canonical(service hosting.ServiceRegistration, host string) hosting.ServiceRegistration {
	balancer := hosting.LoadBalancerConfig{}
	if service.LoadBalancer != nil {
		balancer = *service.LoadBalancer
	}
	balancer.Strategy = cmp.Or(balancer.Strategy, hosting.StrategyRoundRobin)
	result := hosting.ServiceRegistration{
		ServiceName: service.ServiceName, Endpoint: service.Endpoint,
		Protocol: cmp.Or(service.Protocol, hosting.ProtocolHTTP),
		Host:     service.Host, Port: service.Port,
		Aliases:      slices.Sorted(slices.Values(service.Aliases)),
		LoadBalancer: &balancer,
	}
	if result.Host == host {
		result.Host = ""
	}
	if result.Endpoint == endpointOf(result, host) {
		result.Endpoint = ""
	}
	return result
}

// endpointOf is the endpoint of a service that was given none.
func endpointOf(service hosting.ServiceRegistration, host string) string {
	return service.Protocol + "://" + net.JoinHostPort(cmp.Or(service.Host, host), strconv.Itoa(service.Port))
}

// Check tells what is wrong with a service to be registered for an instance that
// has these ports, as [hosting.FieldErrors].
func Check(instance hosting.ID, ports []int, service hosting.ServiceRegistration) error {
	if err := service.Validate(); err != nil {
		return err
	}
	if service.InstanceID != "" {
		named, err := hosting.ParseID(service.InstanceID)
		if err != nil || named.Region != instance.Region || named.Type != instance.Type || named.Name != instance.Name {
			return hosting.FieldErrors{{Field: "instanceId", Value: service.InstanceID, Allowed: "the instance that the service is registered for"}}
		}
	}
	if !slices.Contains(ports, service.Port) {
		allowed := "a port of the instance, which has none"
		if len(ports) > 0 {
			allowed = fmt.Sprintf("a port of the instance: %s", strings.Trim(fmt.Sprint(ports), "[]"))
		}
		return hosting.FieldErrors{{Field: "port", Value: service.Port, Allowed: allowed}}
	}
	return nil
}

// Differences names the fields in which two canonical registrations differ.
func Differences(a, b hosting.ServiceRegistration) []string {
	var fields []string
	add := func(field string, same bool) {
		if !same {
			fields = append(fields, field)
		}
	}
	add("serviceName", a.ServiceName == b.ServiceName)
	add("endpoint", a.Endpoint == b.Endpoint)
	add("protocol", a.Protocol == b.Protocol)
	add("host", a.Host == b.Host)
	add("port", a.Port == b.Port)
	add("aliases", slices.Equal(a.Aliases, b.Aliases))
	add("loadBalancer", reflect.DeepEqual(a.LoadBalancer, b.LoadBalancer))
	return fields
}

// CheckName tells what is wrong with a name to be looked for, as
// [hosting.FieldErrors].
func CheckName(serviceName string) error {
	return hosting.ServiceRegistration{ServiceName: serviceName, Port: 1}.Validate()
}

// Answers tells whether a service has this name or alias.
func Answers(service hosting.ServiceRegistration, name string) bool {
	return service.ServiceName == name || slices.Contains(service.Aliases, name)
}

// Complete fills in what a canonical registration leaves to the platform: host
// is the name that the platform gives to the service, addresses are its
// replicas, in any order and repeated at will, and terminating tells that it is
// being removed.
func Complete(service hosting.ServiceRegistration, host string, addresses []hosting.ServiceAddress, terminating bool) hosting.ServiceRegistration {
	service.Endpoint = cmp.Or(service.Endpoint, endpointOf(service, host))
	service.Host = cmp.Or(service.Host, host)
	service.Addresses = merge(addresses)
	service.Status = hosting.ServiceStatusPending
	switch {
	case terminating:
		service.Status = hosting.ServiceStatusTerminating
	case slices.ContainsFunc(service.Addresses, isReady):
		service.Status = hosting.ServiceStatusReady
	}
	return service
}

func isReady(a hosting.ServiceAddress) bool { return a.Ready }

// merge sorts addresses. One that is there several times, as while a platform
// moves it from one of its lists to another, is ready if any of them says so.
func merge(addresses []hosting.ServiceAddress) []hosting.ServiceAddress {
	type place struct {
		host string
		port int
	}
	seen := map[place]int{}
	result := make([]hosting.ServiceAddress, 0, len(addresses))
	for _, a := range addresses {
		at := place{a.Host, a.Port}
		if i, known := seen[at]; known {
			result[i].Ready = result[i].Ready || a.Ready
			continue
		}
		seen[at] = len(result)
		result = append(result, a)
	}
	slices.SortFunc(result, compareAddresses)
	return result
}

// compareAddresses orders IP addresses by number, and other hosts by name after
// them.
func compareAddresses(a, b hosting.ServiceAddress) int {
	ipA, errA := netip.ParseAddr(a.Host)
	ipB, errB := netip.ParseAddr(b.Host)
	switch {
	case errA == nil && errB == nil:
		return cmp.Or(ipA.Compare(ipB), cmp.Compare(a.Port, b.Port))
	case errA == nil:
		return -1
	case errB == nil:
		return 1
	}
	return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Port, b.Port))
}

// hostPort is where to connect to.
func hostPort(a hosting.ServiceAddress) string {
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
}
