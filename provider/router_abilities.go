package provider

import (
	"context"
	"iter"

	"skillcenter.io/hosting"
)

// StreamLogs follows the logs of an instance.
func (r *Router) StreamLogs(ctx context.Context, instanceID string, options hosting.LogQueryOptions) iter.Seq2[hosting.LogEntry, error] {
	return func(yield func(hosting.LogEntry, error) bool) {
		if ctx.Err() != nil {
			return
		}
		at, err := r.instance(ctx, hosting.LogsFailed, instanceID)
		if err != nil {
			yield(hosting.LogEntry{}, err)
			return
		}
		for entry, err := range hosting.StreamLogs(ctx, at.Provider, at.id, options) {
			if !yield(entry, at.failure(hosting.LogsFailed, err)) {
				return
			}
		}
	}
}

// ApplyInstance creates or changes an instance where its configuration says,
// see [Router].
func (r *Router) ApplyInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	at, err := r.place(ctx, hosting.UpdateFailed, config)
	if err != nil {
		return hosting.CloudInstance{}, err
	}
	instance, err := hosting.ApplyInstance(ctx, at.Provider, at.config)
	return at.qualifyInstance(instance), at.failure(hosting.UpdateFailed, err)
}

// PlanInstance tells what ApplyInstance would do.
func (r *Router) PlanInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.InstancePlan, error) {
	at, err := r.place(ctx, hosting.UpdateFailed, config)
	if err != nil {
		return hosting.InstancePlan{}, err
	}
	plan, err := hosting.PlanInstance(ctx, at.Provider, at.config)
	return plan, at.failure(hosting.UpdateFailed, err)
}

// ListRevisions returns the earlier configurations of an instance. They name
// the provider, so that applying one reaches the same.
func (r *Router) ListRevisions(ctx context.Context, instanceID string) ([]hosting.InstanceRevision, error) {
	at, err := r.instance(ctx, hosting.GetFailed, instanceID)
	if err != nil {
		return nil, err
	}
	revisions, err := hosting.ListRevisions(ctx, at.Provider, at.id)
	return each(revisions, at.qualifyRevision), at.failure(hosting.GetFailed, err)
}

// RollbackInstance applies an earlier configuration.
func (r *Router) RollbackInstance(ctx context.Context, instanceID string, revision int) (hosting.CloudInstance, error) {
	at, err := r.instance(ctx, hosting.UpdateFailed, instanceID)
	if err != nil {
		return hosting.CloudInstance{}, err
	}
	instance, err := hosting.RollbackInstance(ctx, at.Provider, at.id, revision)
	return at.qualifyInstance(instance), at.failure(hosting.UpdateFailed, err)
}

// RunNow starts a run of a cronjob at once.
func (r *Router) RunNow(ctx context.Context, instanceID string) error {
	return r.act(ctx, hosting.StartFailed, instanceID, func(p hosting.CloudHostingProvider, id string) error {
		return hosting.RunNow(ctx, p, id)
	})
}

// RecordEvent adds an event to an instance.
func (r *Router) RecordEvent(ctx context.Context, instanceID string, event hosting.InstanceEvent) error {
	return r.act(ctx, hosting.EventsFailed, instanceID, func(p hosting.CloudHostingProvider, id string) error {
		return hosting.RecordEvent(ctx, p, id, event)
	})
}

// Capabilities returns what can be done with instances of a type in a region,
// on the provider where CreateInstance would create one that names none. Of an
// instance that exists, ask InstanceCapabilities.
func (r *Router) Capabilities(ctx context.Context, region, instanceType string) (hosting.CapabilitySet, error) {
	n, err := r.choose(ctx, hosting.GetFailed, "", region, instanceType, func() hosting.FieldErrors { return nil })
	if err != nil {
		return nil, err
	}
	set, err := hosting.Capabilities(ctx, n.Provider, region, instanceType)
	return set, n.failure(hosting.GetFailed, err)
}

// InstanceCapabilities returns what can be done with an instance, on the
// provider that its id names.
func (r *Router) InstanceCapabilities(ctx context.Context, instanceID string) (hosting.CapabilitySet, error) {
	at, err := r.instance(ctx, hosting.GetFailed, instanceID)
	if err != nil {
		return nil, err
	}
	set, err := hosting.InstanceCapabilities(ctx, at.Provider, at.id)
	return set, at.failure(hosting.GetFailed, err)
}
