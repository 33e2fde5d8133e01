package intercept

import (
	"context"
	"iter"

	"skillcenter.io/hosting"
)

// CreateInstance implements [hosting.CloudHostingProvider], as the methods
// below do.
func (p *Provider) CreateInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	return askInstance(ctx, p, with("CreateInstance", config).changing(), func(ctx context.Context) (hosting.CloudInstance, error) {
		return p.Forward.CreateInstance(ctx, config)
	})
}

// ListInstances lists instances.
func (p *Provider) ListInstances(ctx context.Context) ([]hosting.CloudInstance, error) {
	return askList(ctx, p, Call{Method: "ListInstances"}, p.Forward.ListInstances)
}

// GetInstance returns an instance.
func (p *Provider) GetInstance(ctx context.Context, instanceID string) (hosting.CloudInstance, error) {
	return askInstance(ctx, p, on("GetInstance", instanceID), func(ctx context.Context) (hosting.CloudInstance, error) {
		return p.Forward.GetInstance(ctx, instanceID)
	})
}

// DeleteInstance deletes an instance.
func (p *Provider) DeleteInstance(ctx context.Context, instanceID string) error {
	return act(ctx, p, on("DeleteInstance", instanceID), func(ctx context.Context) error {
		return p.Forward.DeleteInstance(ctx, instanceID)
	})
}

// StartInstance starts an instance.
func (p *Provider) StartInstance(ctx context.Context, instanceID string) error {
	return act(ctx, p, on("StartInstance", instanceID), func(ctx context.Context) error {
		return p.Forward.StartInstance(ctx, instanceID)
	})
}

// StopInstance stops an instance.
func (p *Provider) StopInstance(ctx context.Context, instanceID string) error {
	return act(ctx, p, on("StopInstance", instanceID), func(ctx context.Context) error {
		return p.Forward.StopInstance(ctx, instanceID)
	})
}

// RestartInstance restarts an instance.
func (p *Provider) RestartInstance(ctx context.Context, instanceID string) error {
	return act(ctx, p, on("RestartInstance", instanceID), func(ctx context.Context) error {
		return p.Forward.RestartInstance(ctx, instanceID)
	})
}

// ScaleInstance scales an instance.
func (p *Provider) ScaleInstance(ctx context.Context, instanceID string, replicas int) error {
	return act(ctx, p, on("ScaleInstance", instanceID), func(ctx context.Context) error {
		return p.Forward.ScaleInstance(ctx, instanceID, replicas)
	})
}

// UpdateResources changes the resources of an instance.
func (p *Provider) UpdateResources(ctx context.Context, instanceID string, resources hosting.ResourceConfig) error {
	return act(ctx, p, on("UpdateResources", instanceID), func(ctx context.Context) error {
		return p.Forward.UpdateResources(ctx, instanceID, resources)
	})
}

// GetMetrics returns metrics.
func (p *Provider) GetMetrics(ctx context.Context, instanceID string) (hosting.InstanceMetrics, error) {
	return ask(ctx, p, on("GetMetrics", instanceID), func(ctx context.Context) (hosting.InstanceMetrics, error) {
		return p.Forward.GetMetrics(ctx, instanceID)
	})
}

// GetLogs returns logs.
func (p *Provider) GetLogs(ctx context.Context, instanceID string, options hosting.LogQueryOptions) ([]hosting.LogEntry, error) {
	return askList(ctx, p, on("GetLogs", instanceID), func(ctx context.Context) ([]hosting.LogEntry, error) {
		return p.Forward.GetLogs(ctx, instanceID, options)
	})
}

// GetEvents returns events.
func (p *Provider) GetEvents(ctx context.Context, instanceID string) ([]hosting.InstanceEvent, error) {
	return askList(ctx, p, on("GetEvents", instanceID), func(ctx context.Context) ([]hosting.InstanceEvent, error) {
		return p.Forward.GetEvents(ctx, instanceID)
	})
}

// GetServiceEndpoint returns an endpoint.
func (p *Provider) GetServiceEndpoint(ctx context.Context, instanceID string) (hosting.ServiceEndpoint, error) {
	return ask(ctx, p, on("GetServiceEndpoint", instanceID), func(ctx context.Context) (hosting.ServiceEndpoint, error) {
		return p.Forward.GetServiceEndpoint(ctx, instanceID)
	})
}

// HealthCheck checks an instance.
func (p *Provider) HealthCheck(ctx context.Context, instanceID string) (hosting.Health, error) {
	return ask(ctx, p, on("HealthCheck", instanceID), func(ctx context.Context) (hosting.Health, error) {
		return p.Forward.HealthCheck(ctx, instanceID)
	})
}

// EstimateCost estimates a cost.
func (p *Provider) EstimateCost(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CostEstimate, error) {
	return ask(ctx, p, with("EstimateCost", config), func(ctx context.Context) (hosting.CostEstimate, error) {
		return p.Forward.EstimateCost(ctx, config)
	})
}

// GetActualCost returns a cost.
func (p *Provider) GetActualCost(ctx context.Context, instanceID string, start, end hosting.Time) (hosting.CostActual, error) {
	return ask(ctx, p, on("GetActualCost", instanceID), func(ctx context.Context) (hosting.CostActual, error) {
		return p.Forward.GetActualCost(ctx, instanceID, start, end)
	})
}

// ApplyInstance applies a configuration.
func (p *Provider) ApplyInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	return askInstance(ctx, p, with("ApplyInstance", config).changing(), func(ctx context.Context) (hosting.CloudInstance, error) {
		return p.Forward.ApplyInstance(ctx, config)
	})
}

// PlanInstance plans a configuration.
func (p *Provider) PlanInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.InstancePlan, error) {
	return ask(ctx, p, with("PlanInstance", config), func(ctx context.Context) (hosting.InstancePlan, error) {
		return p.Forward.PlanInstance(ctx, config)
	})
}

// ListRevisions lists revisions.
func (p *Provider) ListRevisions(ctx context.Context, instanceID string) ([]hosting.InstanceRevision, error) {
	return askList(ctx, p, on("ListRevisions", instanceID), func(ctx context.Context) ([]hosting.InstanceRevision, error) {
		return p.Forward.ListRevisions(ctx, instanceID)
	})
}

// RollbackInstance rolls an instance back.
func (p *Provider) RollbackInstance(ctx context.Context, instanceID string, revision int) (hosting.CloudInstance, error) {
	return askInstance(ctx, p, on("RollbackInstance", instanceID).changing(), func(ctx context.Context) (hosting.CloudInstance, error) {
		return p.Forward.RollbackInstance(ctx, instanceID, revision)
	})
}

// RunNow runs a cronjob.
func (p *Provider) RunNow(ctx context.Context, instanceID string) error {
	return act(ctx, p, on("RunNow", instanceID), func(ctx context.Context) error {
		return p.Forward.RunNow(ctx, instanceID)
	})
}

// RecordEvent records an event.
func (p *Provider) RecordEvent(ctx context.Context, instanceID string, event hosting.InstanceEvent) error {
	return act(ctx, p, on("RecordEvent", instanceID), func(ctx context.Context) error {
		return p.Forward.RecordEvent(ctx, instanceID, event)
	})
}

// Capabilities returns capabilities.
func (p *Provider) Capabilities(ctx context.Context, region, instanceType string) (hosting.CapabilitySet, error) {
	c := Call{Method: "Capabilities", Region: region, Type: instanceType}
	return ask(ctx, p, c, func(ctx context.Context) (hosting.CapabilitySet, error) {
		return p.Forward.Capabilities(ctx, region, instanceType)
	})
}

// InstanceCapabilities returns the capabilities of an instance.
func (p *Provider) InstanceCapabilities(ctx context.Context, instanceID string) (hosting.CapabilitySet, error) {
	return ask(ctx, p, on("InstanceCapabilities", instanceID), func(ctx context.Context) (hosting.CapabilitySet, error) {
		return p.Forward.InstanceCapabilities(ctx, instanceID)
	})
}

// StreamLogs streams logs.
func (p *Provider) StreamLogs(ctx context.Context, instanceID string, options hosting.LogQueryOptions) iter.Seq2[hosting.LogEntry, error] {
	return stream(ctx, p, on("StreamLogs", instanceID), func(ctx context.Context) iter.Seq2[hosting.LogEntry, error] {
		return p.Forward.StreamLogs(ctx, instanceID, options)
	})
}

// WatchInstances watches instances.
func (p *Provider) WatchInstances(ctx context.Context) iter.Seq2[hosting.InstanceChange, error] {
	return stream(ctx, p, Call{Method: "WatchInstances"}, p.Forward.WatchInstances)
}

// stream tells of a stream when it is ranged over, and when that has ended.
func stream[T any](ctx context.Context, p *Provider, c Call, open func(context.Context) iter.Seq2[T, error]) iter.Seq2[T, error] {
	c.Stream = true
	return func(yield func(T, error) bool) {
		ctx, done := p.begin(ctx, c)
		result, called := Result{IsList: true}, true
		defer func() { // also when the provider or the consumer panics
			if called {
				result.Err = ErrPanicked
			}
			done(result)
		}()
		for item, err := range open(ctx) {
			called = false
			if result.Err = err; err == nil {
				result.Items++
			}
			if !yield(item, err) {
				return
			}
			called = true
		}
		called = false
	}
}
