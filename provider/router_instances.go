package provider

import (
	"context"

	"skillcenter.io/hosting"
)

// CreateInstance creates an instance where its configuration says, see
// [Router].
func (r *Router) CreateInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	at, err := r.place(ctx, hosting.CreateFailed, config)
	if err != nil {
		return hosting.CloudInstance{}, err
	}
	instance, err := at.Provider.CreateInstance(ctx, at.config)
	return at.qualifyInstance(instance), at.failure(hosting.CreateFailed, err)
}

// ListInstances returns the instances of all providers, sorted by id, together
// with an error that names the providers that failed.
func (r *Router) ListInstances(ctx context.Context) ([]hosting.CloudInstance, error) {
	return merge(ctx, r, hosting.ListFailed, "listing instances", func(i hosting.CloudInstance) string { return i.ID },
		func(ctx context.Context, n Named) ([]hosting.CloudInstance, error) {
			list, err := n.Provider.ListInstances(ctx)
			return each(list, n.qualifyInstance), err
		})
}

// GetInstance returns one instance as it is now.
func (r *Router) GetInstance(ctx context.Context, instanceID string) (hosting.CloudInstance, error) {
	at, err := r.instance(ctx, hosting.GetFailed, instanceID)
	if err != nil {
		return hosting.CloudInstance{}, err
	}
	instance, err := at.Provider.GetInstance(ctx, at.id)
	return at.qualifyInstance(instance), at.failure(hosting.GetFailed, err)
}

// act calls what returns nothing but an error.
func (r *Router) act(ctx context.Context, code hosting.Code, instanceID string, call func(p hosting.CloudHostingProvider, id string) error) error {
	at, err := r.instance(ctx, code, instanceID)
	if err != nil {
		return err
	}
	return at.failure(code, call(at.Provider, at.id))
}

// DeleteInstance starts to delete an instance.
func (r *Router) DeleteInstance(ctx context.Context, instanceID string) error {
	return r.act(ctx, hosting.DeleteFailed, instanceID, func(p hosting.CloudHostingProvider, id string) error {
		return p.DeleteInstance(ctx, id)
	})
}

// StartInstance starts a stopped instance.
func (r *Router) StartInstance(ctx context.Context, instanceID string) error {
	return r.act(ctx, hosting.StartFailed, instanceID, func(p hosting.CloudHostingProvider, id string) error {
		return p.StartInstance(ctx, id)
	})
}

// StopInstance stops an instance.
func (r *Router) StopInstance(ctx context.Context, instanceID string) error {
	return r.act(ctx, hosting.StopFailed, instanceID, func(p hosting.CloudHostingProvider, id string) error {
		return p.StopInstance(ctx, id)
	})
}

// RestartInstance replaces the containers of an instance.
func (r *Router) RestartInstance(ctx context.Context, instanceID string) error {
	return r.act(ctx, hosting.RestartFailed, instanceID, func(p hosting.CloudHostingProvider, id string) error {
		return p.RestartInstance(ctx, id)
	})
}

// ScaleInstance sets the number of replicas.
func (r *Router) ScaleInstance(ctx context.Context, instanceID string, replicas int) error {
	return r.act(ctx, hosting.ScaleFailed, instanceID, func(p hosting.CloudHostingProvider, id string) error {
		return p.ScaleInstance(ctx, id, replicas)
	})
}

// UpdateResources changes CPU, memory and storage.
func (r *Router) UpdateResources(ctx context.Context, instanceID string, resources hosting.ResourceConfig) error {
	return r.act(ctx, hosting.UpdateFailed, instanceID, func(p hosting.CloudHostingProvider, id string) error {
		return p.UpdateResources(ctx, id, resources)
	})
}

// GetMetrics returns what an instance uses now.
func (r *Router) GetMetrics(ctx context.Context, instanceID string) (hosting.InstanceMetrics, error) {
	at, err := r.instance(ctx, hosting.MetricsFailed, instanceID)
	if err != nil {
		return hosting.InstanceMetrics{}, err
	}
	metrics, err := at.Provider.GetMetrics(ctx, at.id)
	return at.qualifyMetrics(metrics), at.failure(hosting.MetricsFailed, err)
}

// GetLogs returns the newest log entries of an instance.
func (r *Router) GetLogs(ctx context.Context, instanceID string, options hosting.LogQueryOptions) ([]hosting.LogEntry, error) {
	at, err := r.instance(ctx, hosting.LogsFailed, instanceID)
	if err != nil {
		return nil, err
	}
	entries, err := at.Provider.GetLogs(ctx, at.id, options)
	return entries, at.failure(hosting.LogsFailed, err)
}

// GetEvents returns what has happened to an instance.
func (r *Router) GetEvents(ctx context.Context, instanceID string) ([]hosting.InstanceEvent, error) {
	at, err := r.instance(ctx, hosting.EventsFailed, instanceID)
	if err != nil {
		return nil, err
	}
	events, err := at.Provider.GetEvents(ctx, at.id)
	return events, at.failure(hosting.EventsFailed, err)
}

// GetServiceEndpoint returns where an instance is reached.
func (r *Router) GetServiceEndpoint(ctx context.Context, instanceID string) (hosting.ServiceEndpoint, error) {
	at, err := r.instance(ctx, hosting.EndpointFailed, instanceID)
	if err != nil {
		return hosting.ServiceEndpoint{}, err
	}
	endpoint, err := at.Provider.GetServiceEndpoint(ctx, at.id)
	return at.qualifyEndpoint(endpoint), at.failure(hosting.EndpointFailed, err)
}

// HealthCheck tells whether an instance can do its work now.
func (r *Router) HealthCheck(ctx context.Context, instanceID string) (hosting.Health, error) {
	at, err := r.instance(ctx, hosting.HealthFailed, instanceID)
	if err != nil {
		return hosting.Health{}, err
	}
	health, err := at.Provider.HealthCheck(ctx, at.id)
	return health, at.failure(hosting.HealthFailed, err)
}

// EstimateCost returns what an instance would cost where CreateInstance would
// create it.
func (r *Router) EstimateCost(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CostEstimate, error) {
	at, err := r.place(ctx, hosting.CostFailed, config)
	if err != nil {
		return hosting.CostEstimate{}, err
	}
	estimate, err := at.Provider.EstimateCost(ctx, at.config)
	return estimate, at.failure(hosting.CostFailed, err)
}

// GetActualCost returns what an instance did cost.
func (r *Router) GetActualCost(ctx context.Context, instanceID string, start, end hosting.Time) (hosting.CostActual, error) {
	at, err := r.instance(ctx, hosting.CostFailed, instanceID)
	if err != nil {
		return hosting.CostActual{}, err
	}
	cost, err := at.Provider.GetActualCost(ctx, at.id, start, end)
	return at.qualifyCost(cost), at.failure(hosting.CostFailed, err)
}
