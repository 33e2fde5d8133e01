package conformance_test

import (
	"slices"
	"sync"

	"skillcenter.io/hosting"
)

type (
	service  = hosting.ServiceRegistration
	services = []hosting.ServiceRegistration
)

// registry is the services of a broken provider, with hooks.
type registry struct {
	good hosting.ServiceDiscovery

	context    func(ctx) ctx
	show       func(service) service // applied to every service that is returned
	fail       func(error) error
	register   func(ctx, string, service) (service, error)
	unregister func(ctx, string) error
	discover   func(ctx, string) (services, error)
	byInstance func(ctx, string) (services, error)
	list       func(services) services
}

// newRegistry is the sound one of the reference.
func (b *broken) newRegistry() *registry {
	return &registry{
		good:    b.good,
		context: func(c ctx) ctx { return c }, show: func(s service) service { return s }, fail: func(err error) error { return err },
		register: b.good.RegisterService, unregister: b.good.UnregisterService, discover: b.good.DiscoverService,
		byInstance: b.good.GetServicesByInstance, list: func(list services) services { return list },
	}
}

func (r *registry) shown(s service, err error) (service, error) {
	if err == nil {
		s = r.show(s)
	}
	return s, r.fail(err)
}

func (r *registry) shownAll(list services, err error) (services, error) {
	for i := range list {
		list[i] = r.show(list[i])
	}
	return list, r.fail(err)
}

func (b *broken) RegisterService(c ctx, id string, s service) (service, error) {
	return b.registry.shown(b.registry.register(b.registry.context(c), id, s))
}

func (b *broken) UnregisterService(c ctx, id string) error {
	return b.registry.fail(b.registry.unregister(b.registry.context(c), id))
}

func (b *broken) GetService(c ctx, id string) (service, error) {
	return b.registry.shown(b.registry.good.GetService(b.registry.context(c), id))
}

func (b *broken) GetServicesByInstance(c ctx, id string) (services, error) {
	return b.registry.shownAll(b.registry.byInstance(b.registry.context(c), id))
}

func (b *broken) DiscoverService(c ctx, name string) (services, error) {
	return b.registry.shownAll(b.registry.discover(b.registry.context(c), name))
}

func (b *broken) ListServices(c ctx) (services, error) {
	list, err := b.registry.shownAll(b.registry.good.ListServices(b.registry.context(c)))
	return b.registry.list(list), err
}

func serviceDefects() []defect {
	const (
		completed = "a service that is registered is completed by the platform"
		found     = "a service is found by its name and by each alias"
		listed    = "services are listed sorted, and as a get shows them"
		again     = "the same service again is returned as it is"
		taken     = "another service of a taken name already exists"
		bad       = "a bad service is invalid, and is not registered"
		removed   = "unregistering removes the service alone"
		addresses = "the addresses of a service are its replicas, ready when they are"
	)
	shows := func(what, found string, show func(service) service) defect {
		return defect{what, found, func(b *broken) { b.registry.show = show }}
	}
	return []defect{
		shows("a service has another id", completed, func(s service) service { s.ServiceID = "default.service.x"; return s }),
		shows("a service has no host", completed, func(s service) service { s.Host = ""; return s }),
		shows("a service has no status", completed, func(s service) service { s.Status = ""; return s }),
		shows("a service loses its aliases", completed, func(s service) service { s.Aliases = nil; return s }),
		{"aliases are not searched", found, func(b *broken) {
			b.registry.discover = func(c ctx, name string) (services, error) {
				list, err := b.good.DiscoverService(c, name)
				return slices.DeleteFunc(list, func(s service) bool { return s.ServiceName != name }), err
			}
		}},
		{"one service is found where two are", found, func(b *broken) {
			b.registry.discover = func(c ctx, name string) (services, error) {
				list, err := b.good.DiscoverService(c, name)
				return list[:min(1, len(list))], err
			}
		}},
		{"no service is nil", found, func(b *broken) {
			b.registry.discover = func(c ctx, name string) (services, error) {
				list, err := b.good.DiscoverService(c, name)
				if len(list) == 0 {
					list = nil
				}
				return list, err
			}
		}},
		{"services are listed backwards", listed, func(b *broken) {
			b.registry.list = func(list services) services { slices.Reverse(list); return list }
		}},
		{"the last service is not listed", listed, func(b *broken) {
			b.registry.list = func(list services) services { return list[:max(0, len(list)-1)] }
		}},
		{"an instance has the services of others", listed, func(b *broken) {
			b.registry.byInstance = func(c ctx, id string) (services, error) {
				if _, err := b.good.GetServicesByInstance(c, id); err != nil {
					return nil, err
				}
				return b.good.ListServices(c)
			}
		}},
		{"a service cannot be registered again", again, func(b *broken) {
			b.registry.register = func(c ctx, id string, s service) (service, error) {
				region := b.SupportedRegions()[0]
				if _, err := b.good.GetService(c, region+".service."+s.ServiceName); err == nil {
					return service{}, b.good.failure(hosting.ServiceFailed, hosting.AlreadyExists, "service "+s.ServiceName+" exists")
				}
				return b.good.RegisterService(c, id, s)
			}
		}},
		{"the last registration wins", taken, func(b *broken) {
			b.registry.register = func(c ctx, id string, s service) (service, error) {
				got, err := b.good.RegisterService(c, id, s)
				if isReason(err, hosting.AlreadyExists) && b.good.UnregisterService(c, b.SupportedRegions()[0]+".service."+s.ServiceName) == nil {
					return b.good.RegisterService(c, id, s)
				}
				return got, err
			}
		}},
		{"a port that the instance has not is another's", bad, func(b *broken) {
			b.registry.register = func(c ctx, id string, s service) (service, error) {
				if s.Port == 8081 {
					s.Port = 8080
				}
				return b.good.RegisterService(c, id, s)
			}
		}},
		{"a service is not unregistered", removed, func(b *broken) {
			b.registry.unregister = func(c ctx, id string) error {
				_, err := b.good.GetService(c, id)
				return err
			}
		}},
		{"unregistering deletes the instance", removed, func(b *broken) {
			b.registry.unregister = func(c ctx, id string) error {
				s, err := b.good.GetService(c, id)
				if err != nil {
					return err
				}
				_ = b.good.UnregisterService(c, id)
				return b.good.DeleteInstance(c, s.InstanceID)
			}
		}},
		{"a service that is unknown is a service that failed", "a service that does not exist is not found", func(b *broken) {
			b.registry.fail = func(err error) error { return as(err, hosting.ServiceFailed) }
		}},
		{"an unknown instance has no services", "a service of an instance that does not exist is not found", func(b *broken) {
			b.registry.byInstance = func(c ctx, id string) (services, error) {
				list, err := b.good.GetServicesByInstance(c, id)
				if isReason(err, hosting.NotFound) {
					return services{}, nil
				}
				return list, err
			}
		}},
		{"calls about services ignore their context", "calls about services end with their context", func(b *broken) {
			b.registry.context = withoutCancel
		}},
		{"services outlive their instance", "services go with their instance", func(b *broken) {
			var mu sync.Mutex
			known := services{}
			b.registry.register = func(c ctx, id string, s service) (service, error) {
				got, err := b.good.RegisterService(c, id, s)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					known = append(known, got)
				}
				return got, err
			}
			b.registry.discover = func(c ctx, name string) (services, error) {
				mu.Lock()
				defer mu.Unlock()
				return slices.DeleteFunc(slices.Clone(known), func(s service) bool { return s.ServiceName != name }), nil
			}
		}},
		{"a change of an instance removes its services", "a change of an instance leaves its services alone", func(b *broken) {
			b.apply = func(c ctx, config config) (instance, error) {
				in, err := b.good.ApplyInstance(c, config)
				list, _ := b.good.GetServicesByInstance(c, in.ID)
				for _, s := range list {
					_ = b.good.UnregisterService(c, s.ServiceID)
				}
				return in, err
			}
		}},
		shows("every replica is ready", addresses, func(s service) service {
			s.Addresses = append(s.Addresses, hosting.ServiceAddress{Host: "always", Port: 8080, Ready: true})
			s.Status = hosting.ServiceStatusReady
			return s
		}),
		shows("a service has no addresses", addresses, func(s service) service { s.Addresses = nil; return s }),
	}
}
