package fake

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/discovery"
)

// registration is a service that somebody has registered.
type registration struct {
	region string
	uid    int                         // of its instance
	said   hosting.ServiceRegistration // by the caller, in canonical form
}

func onService(method, serviceID string) operation {
	id, _ := hosting.ParseID(serviceID)
	return operation{method: method, code: hosting.ServiceFailed, name: id.Name}
}

// RegisterService registers a service of an instance. Its host is
// "<serviceName>.<region>.fake.local" unless given, and those of its addresses
// are "<replica>.<region>.fake.local"; nothing listens there. A replica is ready
// while its container runs. The service goes when its instance is gone.
func (p *Provider) RegisterService(ctx context.Context, instanceID string, service hosting.ServiceRegistration) (hosting.ServiceRegistration, error) {
	service.Aliases = slices.Clone(service.Aliases)
	if service.LoadBalancer != nil {
		service.LoadBalancer = new(*service.LoadBalancer)
	}
	o := onInstance("RegisterService", hosting.ServiceFailed, instanceID)
	return call(ctx, p, o, func(time.Time) (hosting.ServiceRegistration, error) {
		in, err := p.find(instanceID)
		if err != nil {
			return hosting.ServiceRegistration{}, err
		}
		if in.terminating() {
			return hosting.ServiceRegistration{}, fail(hosting.Conflict, "instance %s is being deleted", in.key)
		}
		if err := discovery.Check(in.id, portsOf(in.config), service); err != nil {
			return hosting.ServiceRegistration{}, fail(hosting.InvalidArgument, "%w", err)
		}
		at := place{in.id.Region, service.ServiceName}
		if other := p.instances[at]; other != nil && (other == in || len(portsOf(other.config)) > 0) {
			return hosting.ServiceRegistration{}, fail(hosting.AlreadyExists, "%s is the name of instance %s: choose another name", service.ServiceName, other.key)
		}
		made := &registration{region: in.id.Region, uid: in.uid, said: discovery.Canonical(service, serviceHost(at))}
		if existing := p.services[at]; existing != nil {
			if existing.uid != in.uid {
				return hosting.ServiceRegistration{}, fail(hosting.AlreadyExists, "service %s is registered for instance %s", service.ServiceName, p.ownerOf(existing).key)
			}
			if fields := discovery.Differences(existing.said, made.said); len(fields) > 0 {
				return hosting.ServiceRegistration{}, fail(hosting.AlreadyExists, "service %s is registered otherwise: it differs in %s", service.ServiceName, strings.Join(fields, ", "))
			}
			made = existing
		}
		p.services[at] = made
		return p.viewService(made), nil
	})
}

func serviceHost(at place) string { return at.name + "." + at.region + ".fake.local" }

// ownerOf returns the instance of a service, which lives as long as that.
func (p *Provider) ownerOf(r *registration) *instance {
	for _, in := range p.instances {
		if in.uid == r.uid {
			return in
		}
	}
	panic("fake: service " + r.said.ServiceName + " has outlived its instance")
}

// viewService returns a service as callers see it.
func (p *Provider) viewService(r *registration) hosting.ServiceRegistration {
	in := p.ownerOf(r)
	var addresses []hosting.ServiceAddress
	for _, replica := range in.replicas {
		addresses = append(addresses, hosting.ServiceAddress{
			Host: serviceHost(place{r.region, replica.name}), Port: r.said.Port, Ready: replica.phase == ready})
	}
	at := place{r.region, r.said.ServiceName}
	// Canonical copies, so the result is the caller's own.
	view := discovery.Complete(discovery.Canonical(r.said, serviceHost(at)), serviceHost(at), addresses, in.terminating())
	view.ServiceID, view.InstanceID = discovery.ID(at.region, at.name), in.key
	return view
}

// UnregisterService removes a registration at once.
func (p *Provider) UnregisterService(ctx context.Context, serviceID string) error {
	return p.do(ctx, onService("UnregisterService", serviceID), func(time.Time) error {
		r, err := p.findService(serviceID)
		if err != nil {
			return err
		}
		delete(p.services, place{r.region, r.said.ServiceName})
		return nil
	})
}

// GetService returns one service as it is now.
func (p *Provider) GetService(ctx context.Context, serviceID string) (hosting.ServiceRegistration, error) {
	return call(ctx, p, onService("GetService", serviceID), func(time.Time) (hosting.ServiceRegistration, error) {
		r, err := p.findService(serviceID)
		if err != nil {
			return hosting.ServiceRegistration{}, err
		}
		return p.viewService(r), nil
	})
}

// GetServicesByInstance returns the services of an instance, sorted by id.
func (p *Provider) GetServicesByInstance(ctx context.Context, instanceID string) ([]hosting.ServiceRegistration, error) {
	return call(ctx, p, onInstance("GetServicesByInstance", hosting.ServiceFailed, instanceID), func(time.Time) ([]hosting.ServiceRegistration, error) {
		in, err := p.find(instanceID)
		if err != nil {
			return nil, err
		}
		return p.servicesThat(func(r *registration) bool { return r.uid == in.uid }), nil
	})
}

// DiscoverService returns the services with this name or alias in all regions,
// sorted by id.
func (p *Provider) DiscoverService(ctx context.Context, serviceName string) ([]hosting.ServiceRegistration, error) {
	o := operation{method: "DiscoverService", code: hosting.ServiceFailed, name: serviceName}
	return call(ctx, p, o, func(time.Time) ([]hosting.ServiceRegistration, error) {
		if err := discovery.CheckName(serviceName); err != nil {
			return nil, fail(hosting.InvalidArgument, "%w", err)
		}
		return p.servicesThat(func(r *registration) bool { return discovery.Answers(r.said, serviceName) }), nil
	})
}

// ListServices returns all services, sorted by id.
func (p *Provider) ListServices(ctx context.Context) ([]hosting.ServiceRegistration, error) {
	return call(ctx, p, onService("ListServices", ""), func(time.Time) ([]hosting.ServiceRegistration, error) {
		return p.servicesThat(func(*registration) bool { return true }), nil
	})
}

// servicesThat returns the services to be kept, sorted by id.
func (p *Provider) servicesThat(keep func(*registration) bool) []hosting.ServiceRegistration {
	byID := map[string]*registration{}
	for at, r := range p.services {
		if keep(r) {
			byID[discovery.ID(at.region, at.name)] = r
		}
	}
	list := make([]hosting.ServiceRegistration, 0, len(byID))
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		list = append(list, p.viewService(byID[id]))
	}
	return list
}

// findService returns the service that an id names.
func (p *Provider) findService(serviceID string) (*registration, error) {
	id, err := hosting.ParseID(serviceID)
	if err != nil {
		return nil, fail(hosting.InvalidArgument, "%w", err)
	}
	r := p.services[place{id.Region, id.Name}]
	if r == nil || id.Type != discovery.IDType || !p.isMine(id) {
		return nil, hosting.Errorf("", hosting.ServiceNotFound, hosting.NotFound, "service %s does not exist", serviceID)
	}
	return r, nil
}

// nameIsFree tells that no service has the name of an instance with ports,
// which would be found under it too.
func (p *Provider) nameIsFree(r request) *hosting.Error {
	if len(portsOf(r.config)) > 0 && p.services[r.place()] != nil {
		return fail(hosting.AlreadyExists, "a service is registered under the name %s", r.config.InstanceName)
	}
	return nil
}

// forgetServices removes the services of an instance that is gone.
func (p *Provider) forgetServices(in *instance) {
	maps.DeleteFunc(p.services, func(_ place, r *registration) bool { return r.uid == in.uid })
}
