package httpapi

import (
	"context"
	"net/http"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// metaRoutes tell about the server, its providers and what they can do.
func (a *API) metaRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "/instances/{id}/capabilities", action: GetInstanceCapabilities, code: hosting.GetFailed, prepare: (*request).getInstanceCapabilities},
		{method: http.MethodGet, path: "/capabilities", action: GetCapabilities, code: hosting.GetFailed, prepare: (*request).getCapabilities},
		{method: http.MethodGet, path: "/providers", action: GetProviders, code: hosting.GetFailed, prepare: (*request).getProviders},
		{method: http.MethodGet, path: "/skills/{id}/compatibility", action: CheckCompatibility, code: hosting.CompatibilityFailed, prepare: (*request).checkCompatibility},
		{method: http.MethodGet, path: "/status", action: GetStatus, code: hosting.GetFailed, public: true, prepare: (*request).getStatus},
		{method: http.MethodGet, path: "/openapi.yaml", action: GetDocument, code: hosting.GetFailed, public: true, prepare: (*request).getDocument},
	}
}

// getCapabilities is about the provider that an instance of a type in a region
// would be created on.
func (q *request) getCapabilities() (Access, do) {
	region, instanceType := q.param("region"), q.param("type")
	provider, at := q.api.place("", region, instanceType)
	return Access{Provider: provider, Region: at, Type: instanceType}, func(ctx context.Context) (*reply, error) {
		return capabilities(hosting.Capabilities(ctx, q.api.provider, region, instanceType))
	}
}

func (q *request) getInstanceCapabilities() (Access, do) {
	id, access := q.id()
	return access, func(ctx context.Context) (*reply, error) {
		return capabilities(hosting.InstanceCapabilities(ctx, q.api.provider, id))
	}
}

func capabilities(set hosting.CapabilitySet, err error) (*reply, error) {
	if err != nil {
		return nil, err
	}
	if set == nil {
		set = hosting.CapabilitySet{}
	}
	return ok(set), nil
}

// getProviders lists the providers that the Authorizer lets the caller know of,
// the default one first.
func (q *request) getProviders() (Access, do) {
	return Access{}, func(ctx context.Context) (*reply, error) {
		var infos []hosting.ProviderInfo
		for _, info := range hosting.Providers(q.api.provider) {
			visible, err := q.visible(ctx, Access{Action: GetProviders, Provider: info.Name})
			if err != nil {
				return nil, err
			}
			if visible {
				info.Regions, info.InstanceTypes = append([]string{}, info.Regions...), append([]string{}, info.InstanceTypes...) // never null
				infos = append(infos, info)
			}
		}
		return plain(infos, nil)
	}
}

// checkCompatibility is about a skill, whose id is any text.
func (q *request) checkCompatibility() (Access, do) {
	id := q.r.PathValue("id")
	return Access{ID: id}, func(ctx context.Context) (*reply, error) {
		compatibility, err := q.api.extension.CheckCompatibility(ctx, id)
		if err != nil {
			return nil, err
		}
		return ok(compatibility), nil
	}
}

// getStatus tells whether the extension can be used now. The status code says
// the same as the body.
func (q *request) getStatus() (Access, do) {
	return Access{}, func(ctx context.Context) (*reply, error) {
		status := wire.Status{Available: q.api.status.ask(ctx, q.api.extension.IsAvailable), Protocol: wire.ProtocolVersion}
		answer := ok(status)
		if !status.Available {
			answer.status = http.StatusServiceUnavailable
		}
		return answer, nil
	}
}
