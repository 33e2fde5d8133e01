package provider

import (
	"context"

	"skillcenter.io/hosting"
)

// service finds the backend of a service or instance id, which must have
// services.
func (r *Router) service(ctx context.Context, what subject, id string) (target, error) {
	at, err := r.find(ctx, what, hosting.ServiceFailed, id)
	if err == nil && at.Services == nil {
		err = at.lacks(hosting.ServiceFailed, "services")
	}
	return at, err
}

// RegisterService registers a service of an instance.
func (r *Router) RegisterService(ctx context.Context, instanceID string, service hosting.ServiceRegistration) (hosting.ServiceRegistration, error) {
	at, err := r.service(ctx, anInstance, instanceID)
	if err != nil {
		return hosting.ServiceRegistration{}, err
	}
	// What the registration says of ids must fit, in whatever form it stands there.
	for _, field := range []struct{ name, id string }{{"serviceId", service.ServiceID}, {"instanceId", service.InstanceID}} {
		if id, err := hosting.ParseID(field.id); err == nil && id.Provider != "" && id.Provider != at.Name {
			failed := hosting.Errorf(at.Name, hosting.ServiceFailed, hosting.InvalidArgument, "%w",
				hosting.FieldError{Field: field.name, Value: field.id, Allowed: "an id of provider " + at.Name + ", where the instance is"})
			failed.InstanceID = at.qualified(at.id)
			return hosting.ServiceRegistration{}, failed
		}
	}
	service.ServiceID, service.InstanceID = bare(service.ServiceID), bare(service.InstanceID)
	registered, err := at.Services.RegisterService(ctx, at.id, service)
	return at.qualifyService(registered), at.failure(hosting.ServiceFailed, err)
}

// UnregisterService removes a registration.
func (r *Router) UnregisterService(ctx context.Context, serviceID string) error {
	at, err := r.service(ctx, aService, serviceID)
	if err != nil {
		return err
	}
	return at.failure(hosting.ServiceFailed, at.Services.UnregisterService(ctx, at.id))
}

// GetService returns one service.
func (r *Router) GetService(ctx context.Context, serviceID string) (hosting.ServiceRegistration, error) {
	at, err := r.service(ctx, aService, serviceID)
	if err != nil {
		return hosting.ServiceRegistration{}, err
	}
	service, err := at.Services.GetService(ctx, at.id)
	return at.qualifyService(service), at.failure(hosting.ServiceFailed, err)
}

// GetServicesByInstance returns the services of an instance, sorted by id.
func (r *Router) GetServicesByInstance(ctx context.Context, instanceID string) ([]hosting.ServiceRegistration, error) {
	at, err := r.service(ctx, anInstance, instanceID)
	if err != nil {
		return nil, err
	}
	services, err := at.Services.GetServicesByInstance(ctx, at.id)
	return each(services, at.qualifyService), at.failure(hosting.ServiceFailed, err)
}

// DiscoverService returns the services of all providers with this name or
// alias, sorted by id, together with an error that names the providers that
// failed.
func (r *Router) DiscoverService(ctx context.Context, serviceName string) ([]hosting.ServiceRegistration, error) {
	return r.mergeServices(ctx, "discovering services", func(ctx context.Context, n Named) ([]hosting.ServiceRegistration, error) {
		return n.Services.DiscoverService(ctx, serviceName)
	})
}

// ListServices returns the services of all providers, sorted by id, together
// with an error that names the providers that failed.
func (r *Router) ListServices(ctx context.Context) ([]hosting.ServiceRegistration, error) {
	return r.mergeServices(ctx, "listing services", func(ctx context.Context, n Named) ([]hosting.ServiceRegistration, error) {
		return n.Services.ListServices(ctx)
	})
}

func (r *Router) mergeServices(ctx context.Context, what string, get func(context.Context, Named) ([]hosting.ServiceRegistration, error)) ([]hosting.ServiceRegistration, error) {
	return merge(ctx, r, hosting.ServiceFailed, what, func(s hosting.ServiceRegistration) string { return s.ServiceID },
		func(ctx context.Context, n Named) ([]hosting.ServiceRegistration, error) {
			if n.Services == nil {
				return nil, errAbsent
			}
			list, err := get(ctx, n)
			return each(list, n.qualifyService), err
		})
}
