package client

import (
	"context"
	"net/http"

	"skillcenter.io/hosting"
)

// onService is a call about the service that an id names.
func onService(method, serviceID string) request {
	return onID(hosting.ServiceFailed, method, "/services/", serviceID, "")
}

// RegisterService registers a service of an instance and returns it with its id.
func (c *Client) RegisterService(ctx context.Context, instanceID string, service hosting.ServiceRegistration) (hosting.ServiceRegistration, error) {
	said := service.InstanceID
	service.InstanceID = instanceID // of which a request has one only
	r := request{code: hosting.ServiceFailed, instanceID: instanceID, method: http.MethodPost, path: "/services", body: service}
	if _, r.invalid = hosting.ParseID(instanceID); r.invalid == nil {
		r.invalid = checked(service)
	}
	if r.invalid == nil && said != "" && c.whole(said) != c.whole(instanceID) {
		r.invalid = hosting.FieldErrors{{Field: "instanceId", Value: said, Allowed: "the instance that the service is registered for"}}
	}
	return send[hosting.ServiceRegistration](ctx, c, r)
}

// UnregisterService removes a registration; the instance stays.
func (c *Client) UnregisterService(ctx context.Context, serviceID string) error {
	return c.do(ctx, onService(http.MethodDelete, serviceID).minimal())
}

// GetService returns one service.
func (c *Client) GetService(ctx context.Context, serviceID string) (hosting.ServiceRegistration, error) {
	return send[hosting.ServiceRegistration](ctx, c, onService(http.MethodGet, serviceID))
}

// GetServicesByInstance returns the services of an instance, sorted by id.
func (c *Client) GetServicesByInstance(ctx context.Context, instanceID string) ([]hosting.ServiceRegistration, error) {
	r := request{code: hosting.ServiceFailed, instanceID: instanceID, path: "/services"}
	_, r.invalid = hosting.ParseID(instanceID)
	return list[hosting.ServiceRegistration](ctx, c, r.with("instanceId", instanceID))
}

// DiscoverService returns the services with this name or alias, sorted by id.
func (c *Client) DiscoverService(ctx context.Context, serviceName string) ([]hosting.ServiceRegistration, error) {
	r := request{code: hosting.ServiceFailed, path: "/services/discover"}
	if serviceName == "" {
		r.invalid = hosting.FieldErrors{{Field: "serviceName", Value: serviceName, Allowed: "the name or an alias of a service"}}
	}
	return list[hosting.ServiceRegistration](ctx, c, r.with("name", serviceName))
}

// ListServices returns all services, sorted by id.
func (c *Client) ListServices(ctx context.Context) ([]hosting.ServiceRegistration, error) {
	return list[hosting.ServiceRegistration](ctx, c, request{code: hosting.ServiceFailed, path: "/services"})
}
