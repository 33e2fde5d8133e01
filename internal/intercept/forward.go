// Package intercept is what decorators of a provider have in common: [Forward]
// passes everything on, and [Provider] tells a hook of every call.
package intercept

import (
	"context"
	"io"
	"iter"

	"skillcenter.io/hosting"
)

// Forward passes every call and every ability on. Embed it in a decorator that
// changes a few of them.
type Forward struct {
	hosting.CloudHostingProvider
}

var (
	_ hosting.CloudHostingProvider       = Forward{}
	_ hosting.LogStreamer                = Forward{}
	_ hosting.InstanceWatcher            = Forward{}
	_ hosting.InstanceApplier            = Forward{}
	_ hosting.InstancePlanner            = Forward{}
	_ hosting.Rollbacker                 = Forward{}
	_ hosting.JobRunner                  = Forward{}
	_ hosting.EventRecorder              = Forward{}
	_ hosting.CapabilityReporter         = Forward{}
	_ hosting.InstanceCapabilityReporter = Forward{}
	_ hosting.ProviderLister             = Forward{}
	_ io.Closer                          = Forward{}
)

// StreamLogs implements [hosting.LogStreamer].
func (f Forward) StreamLogs(ctx context.Context, instanceID string, options hosting.LogQueryOptions) iter.Seq2[hosting.LogEntry, error] {
	return hosting.StreamLogs(ctx, f.CloudHostingProvider, instanceID, options)
}

// WatchInstances implements [hosting.InstanceWatcher].
func (f Forward) WatchInstances(ctx context.Context) iter.Seq2[hosting.InstanceChange, error] {
	return hosting.WatchInstances(ctx, f.CloudHostingProvider)
}

// ApplyInstance implements [hosting.InstanceApplier].
func (f Forward) ApplyInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	return hosting.ApplyInstance(ctx, f.CloudHostingProvider, config)
}

// PlanInstance implements [hosting.InstancePlanner].
func (f Forward) PlanInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.InstancePlan, error) {
	return hosting.PlanInstance(ctx, f.CloudHostingProvider, config)
}

// ListRevisions implements [hosting.Rollbacker].
func (f Forward) ListRevisions(ctx context.Context, instanceID string) ([]hosting.InstanceRevision, error) {
	return hosting.ListRevisions(ctx, f.CloudHostingProvider, instanceID)
}

// RollbackInstance implements [hosting.Rollbacker].
func (f Forward) RollbackInstance(ctx context.Context, instanceID string, revision int) (hosting.CloudInstance, error) {
	return hosting.RollbackInstance(ctx, f.CloudHostingProvider, instanceID, revision)
}

// RunNow implements [hosting.JobRunner].
func (f Forward) RunNow(ctx context.Context, instanceID string) error {
	return hosting.RunNow(ctx, f.CloudHostingProvider, instanceID)
}

// RecordEvent implements [hosting.EventRecorder].
func (f Forward) RecordEvent(ctx context.Context, instanceID string, event hosting.InstanceEvent) error {
	return hosting.RecordEvent(ctx, f.CloudHostingProvider, instanceID, event)
}

// Capabilities implements [hosting.CapabilityReporter].
func (f Forward) Capabilities(ctx context.Context, region, instanceType string) (hosting.CapabilitySet, error) {
	return hosting.Capabilities(ctx, f.CloudHostingProvider, region, instanceType)
}

// InstanceCapabilities implements [hosting.InstanceCapabilityReporter].
func (f Forward) InstanceCapabilities(ctx context.Context, instanceID string) (hosting.CapabilitySet, error) {
	return hosting.InstanceCapabilities(ctx, f.CloudHostingProvider, instanceID)
}

// Providers implements [hosting.ProviderLister].
func (f Forward) Providers() []hosting.ProviderInfo { return hosting.Providers(f.CloudHostingProvider) }

// Close closes the provider, if it can be closed.
func (f Forward) Close() error {
	if c, ok := f.CloudHostingProvider.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
