package conformance

import (
	"context"

	"skillcenter.io/hosting"
)

// call is a method of a provider that takes a context.
type call struct {
	name string
	code hosting.Code
	// needs is the capability without which the call is refused, if any.
	needs hosting.Capability
	// changes tells that it changes an existing instance.
	changes bool
	do      func(ctx context.Context, p hosting.CloudHostingProvider, id string) error
}

// idCalls are the methods that take an instance id.
func idCalls() []call {
	type ctx = context.Context
	type provider = hosting.CloudHostingProvider
	return []call{
		{name: "GetInstance", code: hosting.GetFailed, do: func(ctx ctx, p provider, id string) error {
			_, err := p.GetInstance(ctx, id)
			return err
		}},
		{name: "DeleteInstance", code: hosting.DeleteFailed, do: func(ctx ctx, p provider, id string) error {
			return p.DeleteInstance(ctx, id)
		}},
		{name: "StartInstance", code: hosting.StartFailed, needs: hosting.CanStop, changes: true, do: func(ctx ctx, p provider, id string) error {
			return p.StartInstance(ctx, id)
		}},
		{name: "StopInstance", code: hosting.StopFailed, needs: hosting.CanStop, changes: true, do: func(ctx ctx, p provider, id string) error {
			return p.StopInstance(ctx, id)
		}},
		{name: "RestartInstance", code: hosting.RestartFailed, needs: hosting.CanRestart, changes: true, do: func(ctx ctx, p provider, id string) error {
			return p.RestartInstance(ctx, id)
		}},
		{name: "ScaleInstance", code: hosting.ScaleFailed, needs: hosting.CanScale, changes: true, do: func(ctx ctx, p provider, id string) error {
			return p.ScaleInstance(ctx, id, 3)
		}},
		{name: "UpdateResources", code: hosting.UpdateFailed, needs: hosting.CanUpdateResources, changes: true, do: func(ctx ctx, p provider, id string) error {
			return p.UpdateResources(ctx, id, hosting.ResourceConfig{CPULimit: 0.75})
		}},
		{name: "GetMetrics", code: hosting.MetricsFailed, needs: hosting.CanMetrics, do: func(ctx ctx, p provider, id string) error {
			_, err := p.GetMetrics(ctx, id)
			return err
		}},
		{name: "GetLogs", code: hosting.LogsFailed, needs: hosting.CanLogs, do: func(ctx ctx, p provider, id string) error {
			_, err := p.GetLogs(ctx, id, hosting.LogQueryOptions{})
			return err
		}},
		{name: "GetEvents", code: hosting.EventsFailed, needs: hosting.CanEvents, do: func(ctx ctx, p provider, id string) error {
			_, err := p.GetEvents(ctx, id)
			return err
		}},
		{name: "GetServiceEndpoint", code: hosting.EndpointFailed, needs: hosting.CanEndpoint, do: func(ctx ctx, p provider, id string) error {
			_, err := p.GetServiceEndpoint(ctx, id)
			return err
		}},
		{name: "HealthCheck", code: hosting.HealthFailed, do: func(ctx ctx, p provider, id string) error {
			_, err := p.HealthCheck(ctx, id)
			return err
		}},
		{name: "GetActualCost", code: hosting.CostFailed, needs: hosting.CanActualCost, do: func(ctx ctx, p provider, id string) error {
			_, err := p.GetActualCost(ctx, id, hosting.TimeFromMillis(1), hosting.TimeFromMillis(2))
			return err
		}},
		{name: "RecordEvent", code: hosting.EventsFailed, needs: hosting.CanRecordEvent, do: func(ctx ctx, p provider, id string) error {
			return hosting.RecordEvent(ctx, p, id, hosting.InstanceEvent{Type: hosting.EventNormal, Reason: "Conformance", Message: "recorded"})
		}},
		{name: "ListRevisions", code: hosting.GetFailed, needs: hosting.CanRollback, do: func(ctx ctx, p provider, id string) error {
			_, err := hosting.ListRevisions(ctx, p, id)
			return err
		}},
		{name: "RollbackInstance", code: hosting.UpdateFailed, needs: hosting.CanRollback, do: func(ctx ctx, p provider, id string) error {
			_, err := hosting.RollbackInstance(ctx, p, id, 0)
			return err
		}},
		{name: "RunNow", code: hosting.StartFailed, needs: hosting.CanRunNow, do: func(ctx ctx, p provider, id string) error {
			return hosting.RunNow(ctx, p, id)
		}},
		{name: "StreamLogs", code: hosting.LogsFailed, needs: hosting.CanStreamLogs, do: streamError},
	}
}

// streamError ranges over a stream that is expected to fail at once.
func streamError(ctx context.Context, p hosting.CloudHostingProvider, id string) error {
	for _, err := range hosting.StreamLogs(ctx, p, id, hosting.LogQueryOptions{}) {
		return err
	}
	return nil
}

// configCalls are the methods that take a configuration.
func configCalls(config hosting.CloudHostingConfig) []call {
	type ctx = context.Context
	type provider = hosting.CloudHostingProvider
	return []call{
		{name: "CreateInstance", code: hosting.CreateFailed, do: func(ctx ctx, p provider, _ string) error {
			_, err := p.CreateInstance(ctx, config)
			return err
		}},
		{name: "EstimateCost", code: hosting.CostFailed, needs: hosting.CanEstimateCost, do: func(ctx ctx, p provider, _ string) error {
			_, err := p.EstimateCost(ctx, config)
			return err
		}},
		{name: "ApplyInstance", code: hosting.UpdateFailed, needs: hosting.CanApply, do: func(ctx ctx, p provider, _ string) error {
			_, err := hosting.ApplyInstance(ctx, p, config)
			return err
		}},
		{name: "PlanInstance", code: hosting.UpdateFailed, needs: hosting.CanPlan, do: func(ctx ctx, p provider, _ string) error {
			_, err := hosting.PlanInstance(ctx, p, config)
			return err
		}},
	}
}

// otherCalls are the methods that take neither an id nor a configuration.
func otherCalls(region, instanceType string) []call {
	type ctx = context.Context
	type provider = hosting.CloudHostingProvider
	return []call{
		{name: "ListInstances", code: hosting.ListFailed, do: func(ctx ctx, p provider, _ string) error {
			_, err := p.ListInstances(ctx)
			return err
		}},
		{name: "Capabilities", code: hosting.GetFailed, do: func(ctx ctx, p provider, _ string) error {
			_, err := hosting.Capabilities(ctx, p, region, instanceType)
			return err
		}},
	}
}
