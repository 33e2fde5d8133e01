package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/discovery"
)

// A registered service is a Service of its own name, owned by the anchor of its
// instance. The label labelService tells it from the Services that an instance
// has by its configuration, which bear the name of the instance; so those two
// never meet: registering under that name is refused.

// serviceRef is a service that a call is about, whether or not it exists.
type serviceRef struct {
	*region
	id   string // canonical, without the provider's name
	name string
}

// findService resolves the id of a service. It does no I/O.
func (p *Provider) findService(serviceID string) (serviceRef, error) {
	id, err := hosting.ParseID(serviceID)
	if err != nil {
		return serviceRef{}, hosting.Errorf(p.config.Name, hosting.ServiceFailed, hosting.InvalidArgument, "%w", err)
	}
	at := p.regions[id.Region]
	if at == nil || id.Type != discovery.IDType || (id.Provider != "" && id.Provider != p.config.Name) {
		return serviceRef{}, p.serviceNotFound(serviceID)
	}
	return serviceRef{region: at, id: discovery.ID(id.Region, id.Name), name: id.Name}, nil
}

func (p *Provider) serviceNotFound(serviceID string) error {
	return hosting.Errorf(p.config.Name, hosting.ServiceNotFound, hosting.NotFound, "service %s does not exist", serviceID)
}

// GetService implements [hosting.ServiceDiscovery]. It takes two requests.
func (p *Provider) GetService(ctx context.Context, serviceID string) (hosting.ServiceRegistration, error) {
	ref, err := p.findService(serviceID)
	if err != nil {
		return hosting.ServiceRegistration{}, err
	}
	var found *corev1.Service
	var addresses map[string][]discoveryv1.EndpointSlice
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		found, err = p.registered(groupCtx, ref)
		return err
	})
	group.Go(func() (err error) {
		addresses, err = p.slicesOf(groupCtx, ref.region, []string{ref.name})
		return err
	})
	if err := group.Wait(); err != nil {
		return hosting.ServiceRegistration{}, p.serviceFailed(ctx, ref.region, "reading service "+ref.id, err)
	}
	registration, err := ref.registration(found, addresses[ref.name])
	if err != nil {
		return hosting.ServiceRegistration{}, p.serviceFailed(ctx, ref.region, "reading service "+ref.id, err)
	}
	return registration, nil
}

// GetServicesByInstance implements [hosting.ServiceDiscovery].
func (p *Provider) GetServicesByInstance(ctx context.Context, instanceID string) ([]hosting.ServiceRegistration, error) {
	t, err := p.find(hosting.ServiceFailed, instanceID)
	if err != nil {
		return nil, err
	}
	a, err := p.getAnchor(ctx, hosting.ServiceFailed, t)
	if err != nil {
		return nil, err
	}
	list, err := p.servicesIn(ctx, t.region, selectorFor(t.name, t.kind.instanceType), func(o object) bool { return a.owns(o) })
	if err != nil {
		return list, p.fail(ctx, hosting.ServiceFailed, t.id, "listing the services of the instance", err)
	}
	return list, nil
}

// DiscoverService implements [hosting.ServiceDiscovery]. It asks all regions at
// once, as ListInstances does, and like that returns what it has found with an
// error that names each region that failed.
func (p *Provider) DiscoverService(ctx context.Context, serviceName string) ([]hosting.ServiceRegistration, error) {
	if err := discovery.CheckName(serviceName); err != nil {
		return nil, hosting.Errorf(p.config.Name, hosting.ServiceFailed, hosting.InvalidArgument, "%w", err)
	}
	return p.allServices(ctx, "could not be searched", labels.Set{labelFoundBy + serviceName: ""})
}

// ListServices implements [hosting.ServiceDiscovery]. It takes two requests for
// each region, however many services there are; what fails is as for
// ListInstances.
func (p *Provider) ListServices(ctx context.Context) ([]hosting.ServiceRegistration, error) {
	return p.allServices(ctx, "could not be listed", nil)
}

func (p *Provider) allServices(ctx context.Context, what string, with labels.Set) ([]hosting.ServiceRegistration, error) {
	list, err := fromAllRegions(ctx, p, hosting.ServiceFailed, what, func(ctx context.Context, at *region) ([]hosting.ServiceRegistration, error) {
		found, err := p.servicesIn(ctx, at, with, func(object) bool { return true })
		if err != nil && !at.configured && isAbsent(err) {
			return nil, nil
		}
		if err == nil && len(found) == 0 {
			err = at.checkNamespace(ctx)
		}
		return found, err
	})
	sortServices(list)
	return list, err
}

func sortServices(list []hosting.ServiceRegistration) {
	slices.SortFunc(list, func(a, b hosting.ServiceRegistration) int { return cmp.Compare(a.ServiceID, b.ServiceID) })
}

// servicesIn returns the services of a region that have the labels and are to
// be kept, sorted by id. One whose registration cannot be read is left out, with
// an error.
func (p *Provider) servicesIn(ctx context.Context, at *region, with labels.Set, keep func(object) bool) ([]hosting.ServiceRegistration, error) {
	var found corev1.ServiceList
	if err := services.list(ctx, at, p.serviceSelector(with), &found); err != nil {
		return nil, fmtError("listing "+services.plural, err)
	}
	var kept []*corev1.Service
	var names []string
	var failures error
	for _, o := range pointers(found.Items) {
		if !keep(o) {
			continue
		}
		if _, err := decodeService(o); err != nil {
			failures = errors.Join(failures, err)
			continue
		}
		kept, names = append(kept, o), append(names, o.Name)
	}
	list := make([]hosting.ServiceRegistration, 0, len(kept))
	if len(kept) == 0 {
		return list, failures
	}
	addresses, err := p.slicesOf(ctx, at, names)
	if err != nil {
		return nil, err
	}
	for _, o := range kept {
		ref := serviceRef{region: at, id: discovery.ID(at.name, o.Name), name: o.Name}
		registration, err := ref.registration(o, addresses[o.Name])
		if err != nil {
			return nil, err // it was read a moment ago
		}
		list = append(list, registration)
	}
	sortServices(list)
	return list, failures
}

// serviceSelector selects the services that are registered, with more labels.
func (p *Provider) serviceSelector(with labels.Set) string {
	return labels.Merge(p.ours(), with).String() + "," + labelService
}

// registered reads the Service of a registration. What is not one of ours is
// ServiceNotFound, also if it is the endpoint of an instance.
func (p *Provider) registered(ctx context.Context, ref serviceRef) (*corev1.Service, error) {
	o, err := services.get(ctx, ref.region, ref.name)
	if apierrors.IsNotFound(err) {
		return nil, p.serviceNotFound(ref.id)
	}
	if err != nil {
		return nil, err
	}
	if !p.isRegistration(o) {
		return nil, p.serviceNotFound(ref.id)
	}
	return o.(*corev1.Service), nil
}

func (p *Provider) isRegistration(o object) bool {
	_, registered := o.GetLabels()[labelService]
	return registered && p.isOurs(o)
}

// serviceFailed is fail for what is about no instance.
func (p *Provider) serviceFailed(ctx context.Context, at *region, what string, err error) error {
	if reason := reasonOf(ctx, err); isAboutRegion(reason, err) {
		err = inRegion(at.name, err)
	}
	return p.fail(ctx, hosting.ServiceFailed, "", what, err)
}

// decodeService reads what the caller has said of a service.
func decodeService(o *corev1.Service) (hosting.ServiceRegistration, error) {
	var service hosting.ServiceRegistration
	err := json.Unmarshal([]byte(o.Annotations[annotationRegistration]), &service)
	if err == nil && service.ServiceName != o.Name {
		err = fmt.Errorf("it is of service %q", service.ServiceName)
	}
	if err == nil {
		err = service.Validate()
	}
	if err != nil {
		return hosting.ServiceRegistration{}, &unreadableError{fmt.Errorf("annotation %s of Service %s: %w", annotationRegistration, o.Name, err)}
	}
	return discovery.Canonical(service, serviceHost(o.Namespace, o.Name)), nil
}

// registration is a service as callers see it.
func (ref serviceRef) registration(o *corev1.Service, from []discoveryv1.EndpointSlice) (hosting.ServiceRegistration, error) {
	service, err := decodeService(o)
	if err != nil {
		return hosting.ServiceRegistration{}, err
	}
	service = discovery.Complete(service, serviceHost(o.Namespace, o.Name), addressesOf(from), o.DeletionTimestamp != nil)
	service.ServiceID, service.InstanceID = ref.id, ref.region.id(keyOf(o))
	return service, nil
}

// serviceHost is the DNS name of a Service.
func serviceHost(namespace, name string) string { return name + "." + namespace + ".svc" }

// addressesOf are the replicas that EndpointSlices tell of. One that is on its
// way out is not ready, and one of which nothing is known is.
func addressesOf(from []discoveryv1.EndpointSlice) []hosting.ServiceAddress {
	var result []hosting.ServiceAddress
	for _, slice := range from {
		if slice.AddressType == discoveryv1.AddressTypeFQDN {
			continue // nothing that Kubernetes makes of pods
		}
		for _, port := range slice.Ports {
			if port.Port == nil {
				continue
			}
			for _, endpoint := range slice.Endpoints {
				if len(endpoint.Addresses) == 0 {
					continue
				}
				c := endpoint.Conditions
				ready := (c.Ready == nil || *c.Ready) && (c.Terminating == nil || !*c.Terminating)
				// All addresses of an endpoint are the same replica.
				result = append(result, hosting.ServiceAddress{Host: endpoint.Addresses[0], Port: int(*port.Port), Ready: ready})
			}
		}
	}
	return result
}

// maxNamesInSelector is how many services are named in one request. With more
// of them it asks for all there are: EndpointSlices have the labels of their
// Service.
const maxNamesInSelector = 20

// slicesOf lists the EndpointSlices of services, in one request.
func (p *Provider) slicesOf(ctx context.Context, at *region, names []string) (map[string][]discoveryv1.EndpointSlice, error) {
	selector := p.serviceSelector(nil)
	if len(names) <= maxNamesInSelector {
		names = slices.Sorted(slices.Values(names))
		requirement, err := labels.NewRequirement(discoveryv1.LabelServiceName, selection.In, names)
		if err != nil {
			return nil, fmtError("selecting "+strings.Join(names, ", "), err)
		}
		selector = requirement.String()
	}
	var list discoveryv1.EndpointSliceList
	if err := endpointSlices.list(ctx, at, selector, &list); err != nil {
		return nil, fmtError("listing "+endpointSlices.plural, err)
	}
	result := map[string][]discoveryv1.EndpointSlice{}
	for _, slice := range list.Items {
		name := slice.Labels[discoveryv1.LabelServiceName]
		result[name] = append(result[name], slice)
	}
	return result, nil
}
