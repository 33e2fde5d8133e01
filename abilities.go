package hosting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
)

// Optional abilities: what only some providers can do. Programs do not assert
// for these interfaces; they call the function of the same name, which works
// with any provider and returns reason Unsupported where the ability is
// missing (a context that has ended goes first). Providers and decorators
// implement the interfaces.

// LogStreamer is the ability to follow logs.
type LogStreamer interface {
	// StreamLogs yields log entries as they come, beginning with what
	// GetLogs would return for the same options. Nothing happens until the
	// result is ranged over. An error that is not nil comes last, and once. It
	// ends without one when ctx is cancelled, or when nothing can follow.
	StreamLogs(ctx context.Context, instanceID string, options LogQueryOptions) iter.Seq2[LogEntry, error]
}

// StreamLogs follows the logs of an instance, see [LogStreamer].
func StreamLogs(ctx context.Context, p CloudHostingProvider, instanceID string, options LogQueryOptions) iter.Seq2[LogEntry, error] {
	if s, ok := p.(LogStreamer); ok {
		return s.StreamLogs(ctx, instanceID, options)
	}
	return func(yield func(LogEntry, error) bool) {
		if err := missing(ctx, p, LogsFailed, instanceID, "following logs"); !errors.Is(err, Canceled) {
			yield(LogEntry{}, err)
		}
	}
}

// ChangeType says what an InstanceChange tells.
type ChangeType string

// The types of InstanceChange.
const (
	ChangeState   ChangeType = "state"   // an instance as it is; sent for each at first, and on each change
	ChangeSynced  ChangeType = "synced"  // all instances that existed at first have been sent; once
	ChangeDeleted ChangeType = "deleted" // an instance is gone; Instance is what was last known
)

// InstanceChange is one message of a watch.
type InstanceChange struct {
	Type     ChangeType    `json:"type"`
	Instance CloudInstance `json:"instance,omitzero"`
}

// InstanceWatcher is the ability to tell what changes.
type InstanceWatcher interface {
	// WatchInstances yields all instances, then ChangeSynced, then what
	// changes. It is level-triggered: states in between may be left out, the
	// last one never is. It cannot resume; watch again instead. Errors and the
	// end are as for StreamLogs; what is wrong with one instance is no error of
	// the watch, but its StatusUnknown and metadata.
	WatchInstances(ctx context.Context) iter.Seq2[InstanceChange, error]
}

// WatchInstances watches the instances of p, see [InstanceWatcher].
func WatchInstances(ctx context.Context, p CloudHostingProvider) iter.Seq2[InstanceChange, error] {
	if w, ok := p.(InstanceWatcher); ok {
		return w.WatchInstances(ctx)
	}
	return func(yield func(InstanceChange, error) bool) {
		if err := missing(ctx, p, ListFailed, "", "watching instances"); !errors.Is(err, Canceled) {
			yield(InstanceChange{}, err)
		}
	}
}

// InstanceApplier is the ability to change the configuration of an instance.
type InstanceApplier interface {
	// ApplyInstance creates the instance, or changes it to the configuration.
	// What cannot be changed is Unsupported, naming the field.
	ApplyInstance(ctx context.Context, config CloudHostingConfig) (CloudInstance, error)
}

// ApplyInstance creates or changes an instance, see [InstanceApplier].
func ApplyInstance(ctx context.Context, p CloudHostingProvider, config CloudHostingConfig) (CloudInstance, error) {
	if a, ok := p.(InstanceApplier); ok {
		return a.ApplyInstance(ctx, config)
	}
	return CloudInstance{}, missing(ctx, p, UpdateFailed, "", "applying a configuration")
}

// InstancePlan is what ApplyInstance would do.
type InstancePlan struct {
	// Changes are the differences to what runs, for people, one per line. In
	// JSON they are never null.
	Changes []string `json:"changes"`
	// Restarts tells that running replicas would be replaced.
	Restarts bool `json:"restarts"`
	// Detaches tells that running replicas would lose a volume.
	Detaches bool `json:"detaches"`
	// Objects is what the instance would consist of on the platform, and what
	// would be removed; nil if the platform has no such thing.
	Objects []PlannedObject `json:"objects,omitempty"`
	// Objections are the platform's reasons to refuse it.
	Objections []string `json:"objections,omitempty"`
	// Cost is what it would cost; nil if that is not known.
	Cost *CostEstimate `json:"cost,omitempty"`
}

// What a plan does to an object.
const (
	PlanCreate  = "create"
	PlanUpdate  = "update"
	PlanKeep    = "keep" // it is there, and stays as it is
	PlanReplace = "replace"
	PlanDelete  = "delete"
)

// PlannedObject is an object of the platform in a plan.
type PlannedObject struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Action is one of PlanCreate, PlanUpdate, PlanKeep, PlanReplace and
	// PlanDelete.
	Action string `json:"action"`
	// Manifest is the object in the platform's own form, without the values of
	// secrets; empty if it would be deleted.
	Manifest json.RawMessage `json:"manifest,omitempty"`
}

// MarshalJSON writes changes that are nil as an empty list, not as null.
func (plan InstancePlan) MarshalJSON() ([]byte, error) {
	type withoutMethods InstancePlan
	plan.Changes = orEmpty(plan.Changes)
	return json.Marshal(withoutMethods(plan))
}

// InstancePlanner is the ability to tell beforehand.
type InstancePlanner interface {
	// PlanInstance tells what ApplyInstance would do. It changes nothing.
	PlanInstance(ctx context.Context, config CloudHostingConfig) (InstancePlan, error)
}

// PlanInstance tells what ApplyInstance would do, see [InstancePlanner].
func PlanInstance(ctx context.Context, p CloudHostingProvider, config CloudHostingConfig) (InstancePlan, error) {
	if a, ok := p.(InstancePlanner); ok {
		return a.PlanInstance(ctx, config)
	}
	return InstancePlan{}, missing(ctx, p, UpdateFailed, "", "planning")
}

// InstanceRevision is a configuration that an instance had.
type InstanceRevision struct {
	// Revision counts from 1.
	Revision  int                `json:"revision"`
	CreatedAt Time               `json:"createdAt"`
	Config    CloudHostingConfig `json:"config"`
}

// LogValue logs the revision as a group, with its configuration as
// [CloudHostingConfig.LogValue] has it.
func (revision InstanceRevision) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("revision", revision.Revision), slog.String("createdAt", revision.CreatedAt.String()),
		slog.Any("config", revision.Config))
}

// Rollbacker is the ability to go back to an earlier configuration.
type Rollbacker interface {
	// ListRevisions returns the configurations that are kept, newest first.
	ListRevisions(ctx context.Context, instanceID string) ([]InstanceRevision, error)
	// RollbackInstance applies an earlier configuration; revision 0 is the one
	// before the current.
	RollbackInstance(ctx context.Context, instanceID string, revision int) (CloudInstance, error)
}

// ListRevisions returns earlier configurations, see [Rollbacker].
func ListRevisions(ctx context.Context, p CloudHostingProvider, instanceID string) ([]InstanceRevision, error) {
	if r, ok := p.(Rollbacker); ok {
		return r.ListRevisions(ctx, instanceID)
	}
	return nil, missing(ctx, p, GetFailed, instanceID, "listing revisions")
}

// RollbackInstance goes back to an earlier configuration, see [Rollbacker].
func RollbackInstance(ctx context.Context, p CloudHostingProvider, instanceID string, revision int) (CloudInstance, error) {
	if r, ok := p.(Rollbacker); ok {
		return r.RollbackInstance(ctx, instanceID, revision)
	}
	return CloudInstance{}, missing(ctx, p, UpdateFailed, instanceID, "rolling back")
}

// JobRunner is the ability to run a cronjob outside its schedule.
type JobRunner interface {
	// RunNow starts a run of a cronjob at once. It is a Conflict while a run is
	// active, and while the cronjob is stopped.
	RunNow(ctx context.Context, instanceID string) error
}

// RunNow runs a cronjob at once, see [JobRunner].
func RunNow(ctx context.Context, p CloudHostingProvider, instanceID string) error {
	if r, ok := p.(JobRunner); ok {
		return r.RunNow(ctx, instanceID)
	}
	return missing(ctx, p, StartFailed, instanceID, "running a cronjob now")
}

// EventRecorder is the ability to add events of one's own.
type EventRecorder interface {
	// RecordEvent adds an event, so that GetEvents returns it. The platform
	// gives it an EventID, whatever is in event. A zero Timestamp is filled in.
	RecordEvent(ctx context.Context, instanceID string, event InstanceEvent) error
}

// RecordEvent adds an event to an instance, see [EventRecorder].
func RecordEvent(ctx context.Context, p CloudHostingProvider, instanceID string, event InstanceEvent) error {
	if r, ok := p.(EventRecorder); ok {
		return r.RecordEvent(ctx, instanceID, event)
	}
	return missing(ctx, p, EventsFailed, instanceID, "recording events")
}

// Capability is something that a provider may or may not be able to do.
type Capability string

// The capabilities. Creating, listing, reading and deleting instances is what
// every provider can do.
const (
	CanStop            Capability = "stop" // StopInstance and StartInstance
	CanRestart         Capability = "restart"
	CanScale           Capability = "scale"
	CanAutoscale       Capability = "autoscale" // ScaleConfig with a target
	CanUpdateResources Capability = "updateResources"
	CanMetrics         Capability = "metrics" // CPU and memory
	CanNetworkMetrics  Capability = "networkMetrics"
	CanDiskMetrics     Capability = "diskMetrics"
	CanLogs            Capability = "logs"
	CanStreamLogs      Capability = "streamLogs"
	CanEvents          Capability = "events"
	CanRecordEvent     Capability = "recordEvent"
	CanEndpoint        Capability = "endpoint"
	CanIngress         Capability = "ingress"
	CanHealthCheck     Capability = "healthCheck" // ContainerConfig.HealthCheck
	CanSecretEnv       Capability = "secretEnv"
	CanMountVolumes    Capability = "volumeMounts" // ContainerConfig.VolumeMounts
	CanEstimateCost    Capability = "estimateCost"
	CanActualCost      Capability = "actualCost"
	CanWatch           Capability = "watch"
	CanApply           Capability = "apply"
	CanPlan            Capability = "plan"
	CanRollback        Capability = "rollback"
	CanRunNow          Capability = "runNow"
)

// AllCapabilities returns every capability, in the order of documentation.
func AllCapabilities() []Capability {
	return []Capability{
		CanStop, CanRestart, CanScale, CanAutoscale, CanUpdateResources,
		CanMetrics, CanNetworkMetrics, CanDiskMetrics, CanLogs, CanStreamLogs, CanEvents, CanRecordEvent,
		CanEndpoint, CanIngress, CanHealthCheck, CanSecretEnv, CanMountVolumes,
		CanEstimateCost, CanActualCost, CanWatch, CanApply, CanPlan, CanRollback, CanRunNow,
	}
}

// Support says whether something is supported.
type Support struct {
	Supported bool `json:"supported"`
	// Note says why not, or under which condition.
	Note string `json:"note,omitempty"`
}

// CapabilitySet says what is supported. What is not in it is not.
type CapabilitySet map[Capability]Support

// Has tells whether c is supported.
func (s CapabilitySet) Has(c Capability) bool { return s[c].Supported }

// CapabilityReporter is the ability to tell what is possible.
type CapabilityReporter interface {
	// Capabilities returns what can be done with instances of a type in a
	// region, the default one if it is empty. An unknown region or type is an
	// InvalidArgument.
	Capabilities(ctx context.Context, region, instanceType string) (CapabilitySet, error)
}

// Capabilities returns what p can do, see [CapabilityReporter].
func Capabilities(ctx context.Context, p CloudHostingProvider, region, instanceType string) (CapabilitySet, error) {
	if r, ok := p.(CapabilityReporter); ok {
		return r.Capabilities(ctx, region, instanceType)
	}
	return nil, missing(ctx, p, GetFailed, "", "reporting capabilities")
}

// InstanceCapabilityReporter is the ability to tell what is possible for an
// instance, which a provider needs only if its region and type do not decide
// that: one that is several providers, such as a Router or a decorator of one.
type InstanceCapabilityReporter interface {
	// InstanceCapabilities returns what can be done with an instance. Whether
	// the instance exists need not be looked at.
	InstanceCapabilities(ctx context.Context, instanceID string) (CapabilitySet, error)
}

// InstanceCapabilities returns what p can do with an instance, see
// [InstanceCapabilityReporter]. Without that ability it is what p can do with
// the instance's type in its region.
func InstanceCapabilities(ctx context.Context, p CloudHostingProvider, instanceID string) (CapabilitySet, error) {
	if r, ok := p.(InstanceCapabilityReporter); ok {
		return r.InstanceCapabilities(ctx, instanceID)
	}
	if _, ok := p.(CapabilityReporter); !ok {
		return nil, missing(ctx, p, GetFailed, instanceID, "reporting capabilities")
	}
	id, err := ParseID(instanceID)
	if err != nil && ctx.Err() == nil {
		failed := Errorf(p.ProviderName(), GetFailed, InvalidArgument, "%w", err)
		failed.InstanceID = instanceID
		return nil, failed
	}
	return Capabilities(ctx, p, id.Region, id.Type)
}

// ProviderInfo describes a provider.
type ProviderInfo struct {
	// Name is the configured name, which stands in ids where there are several.
	Name string `json:"name"`
	// Regions and InstanceTypes are what can be created there; the first
	// region is the default.
	Regions       []string `json:"regions"`
	InstanceTypes []string `json:"instanceTypes"`
}

// ProviderLister is the ability to tell of which providers one consists.
type ProviderLister interface {
	// Providers returns the providers behind this one, the default one first.
	// It does no I/O.
	Providers() []ProviderInfo
}

// Providers returns the providers of which p consists, see [ProviderLister]. A
// provider without that ability consists of itself.
func Providers(p CloudHostingProvider) []ProviderInfo {
	if l, ok := p.(ProviderLister); ok {
		return l.Providers()
	}
	return []ProviderInfo{{Name: p.ProviderName(), Regions: p.SupportedRegions(), InstanceTypes: p.SupportedInstanceTypes()}}
}

// PolicyReplacer is the ability of an [AutoScaler] to change a policy only if
// nobody else has changed it meanwhile.
type PolicyReplacer interface {
	// ReplaceAutoScalePolicy is UpdateAutoScalePolicy, provided that the policy
	// still is what was seen, as a call returned it: else it is a Conflict, and
	// nothing changes. The two are compared as JSON documents; ids may have
	// their provider or not. Nothing comes between the comparison and the
	// change, from other processes neither: of several calls that have seen the
	// same and change it, one succeeds.
	ReplaceAutoScalePolicy(ctx context.Context, policyID string, seen, policy AutoScalePolicy) (AutoScalePolicy, error)
}

// ReplaceAutoScalePolicy replaces a policy that still is what was seen, see
// [PolicyReplacer].
func ReplaceAutoScalePolicy(ctx context.Context, a AutoScaler, policyID string, seen, policy AutoScalePolicy) (AutoScalePolicy, error) {
	if r, ok := a.(PolicyReplacer); ok {
		return r.ReplaceAutoScalePolicy(ctx, policyID, seen, policy)
	}
	what := "replacing a policy that was seen"
	if err := ctx.Err(); err != nil {
		return AutoScalePolicy{}, ended(err, "", PolicyFailed, policy.InstanceID, what)
	}
	return AutoScalePolicy{}, &Error{Code: PolicyFailed, Reason: Unsupported, InstanceID: policy.InstanceID, Message: what + " is not supported"}
}

// missing is the error for an ability that p does not have. As everywhere, a
// context that has ended goes first.
func missing(ctx context.Context, p CloudHostingProvider, code Code, instanceID, what string) error {
	if err := ctx.Err(); err != nil {
		return ended(err, p.ProviderName(), code, instanceID, what)
	}
	return &Error{Provider: p.ProviderName(), Code: code, Reason: Unsupported, InstanceID: instanceID,
		Message: fmt.Sprintf("%s is not supported by provider %q", what, p.ProviderName())}
}

// ended is the error for a context that has ended.
func ended(err error, provider string, code Code, instanceID, what string) error {
	return &Error{Provider: provider, Code: code, Reason: ReasonOf(err), InstanceID: instanceID, Message: fmt.Sprintf("%s: %v", what, err), Err: err}
}
