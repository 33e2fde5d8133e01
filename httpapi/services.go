package httpapi

import (
	"context"
	"net/http"

	"skillcenter.io/hosting"
)

// serviceRoutes register, find and remove services.
func (a *API) serviceRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "/services", action: ListServices, code: hosting.ServiceFailed, prepare: (*request).listServices},
		{method: http.MethodPost, path: "/services", action: RegisterService, code: hosting.ServiceFailed, changes: true, prepare: (*request).registerService},
		{method: http.MethodGet, path: "/services/discover", action: DiscoverService, code: hosting.ServiceFailed, prepare: (*request).discoverService},
		{method: http.MethodGet, path: "/services/{id}", action: GetService, code: hosting.ServiceFailed, prepare: (*request).getService},
		{method: http.MethodDelete, path: "/services/{id}", action: UnregisterService, code: hosting.ServiceFailed, changes: true, prepare: (*request).unregisterService},
	}
}

func (q *request) listServices() (Access, do) {
	instanceID, instance := q.ofInstance()
	p := q.page()
	return Access{Instance: instance}, func(ctx context.Context) (*reply, error) {
		if instanceID == "" {
			services, err := q.api.extension.ListServices(ctx)
			return q.services(ctx, p, services, err)
		}
		services, err := q.api.extension.GetServicesByInstance(ctx, instanceID)
		return q.services(ctx, p, services, err)
	}
}

// discoverService answers with the services that have a name or alias.
func (q *request) discoverService() (Access, do) {
	name := q.param("name")
	if name == "" {
		q.mistake("query parameter name: it is missing: allowed: the name or alias of a service")
	}
	p := q.page()
	return Access{}, func(ctx context.Context) (*reply, error) {
		services, err := q.api.extension.DiscoverService(ctx, name)
		return q.services(ctx, p, services, err)
	}
}

func (q *request) services(ctx context.Context, p page, services []hosting.ServiceRegistration, err error) (*reply, error) {
	return list(ctx, q, p, services, err, func(s hosting.ServiceRegistration) string { return s.ServiceID }, all,
		func(s hosting.ServiceRegistration) Access {
			return q.api.itemAccess(GetService, s.ServiceID, s.InstanceID)
		})
}

// registerService registers the service of the body, which names its instance:
// the service is where that is.
func (q *request) registerService() (Access, do) {
	var service hosting.ServiceRegistration
	q.body(&service)
	instance := q.instance("instanceId", service.InstanceID)
	access := Access{Provider: instance.Provider, Region: instance.Region, Type: "service", Name: service.ServiceName, Instance: instance}
	if given := service.ServiceID; given != "" {
		made := hosting.ID{Provider: access.Provider, Region: access.Region, Type: access.Type, Name: access.Name}
		if q.api.wholeID(given) != made.String() {
			q.mistake("%w", hosting.FieldError{Field: "serviceId", Value: given, Allowed: "none, or that of a service with this name where the instance is"})
		}
	}
	return access, func(ctx context.Context) (*reply, error) {
		existed := q.existed(access, func(id string) error {
			_, err := q.api.extension.GetService(ctx, id)
			return err
		})
		registered, err := q.api.extension.RegisterService(ctx, service.InstanceID, service)
		if err != nil {
			return nil, err
		}
		return q.created("services", registered.ServiceID, registered, existed)
	}
}

func (q *request) getService() (Access, do) {
	id, access := q.id()
	return access, func(ctx context.Context) (*reply, error) {
		service, err := q.api.extension.GetService(ctx, id)
		if err != nil {
			return nil, err
		}
		return q.tagged(service)
	}
}

func (q *request) unregisterService() (Access, do) {
	id, access := q.id()
	ifMatch := q.ifMatch()
	seen := current{key: "services/" + q.api.wholeID(id), read: func(ctx context.Context) (any, error) { return q.api.extension.GetService(ctx, id) }}
	return access, func(ctx context.Context) (*reply, error) {
		return guarded(ctx, q, ifMatch, seen, func() (*reply, error) {
			if err := q.api.extension.UnregisterService(ctx, id); err != nil {
				return nil, err
			}
			return &reply{status: http.StatusNoContent}, nil
		})
	}
}
