// Package hosting is the Cloud Hosting Protocol v0.7.3 in Go: one interface to
// run containers ("skills") on Kubernetes, on a cloud, on a provider of your
// own, or in memory for tests.
//
// The package holds what every part of a program can share: the two
// interfaces ([CloudHostingProvider] and [HostingExtensionSdkAdapter]), the
// data models with the protocol's JSON names, ids, errors and validation. It
// imports the standard library only. Providers live in packages of their own,
// such as fake and kubernetes.
//
// What only some providers can do is an optional ability: call the helper of
// the same name, such as [StreamLogs] or [ApplyInstance], with any provider.
// It returns an error with reason [Unsupported] where the ability is missing.
package hosting

import "context"

// CloudHostingProvider runs instances on one platform.
//
// All methods may be called concurrently. They copy what they are given, so a
// caller may change its arguments afterwards, and what they return belongs to
// the caller. They honour their context: a cancelled call returns soon, with
// an error that has reason [Canceled] or [DeadlineExceeded].
//
// Calls that change an instance return once the platform has accepted the
// change, not when it is done; [WaitForStatus] waits for the result. Repeating
// a call is safe: starting what runs, stopping what is stopped and creating
// what exists with the same configuration all succeed. Changes that overlap,
// made by several callers at once, all succeed and the last one wins: that
// others change the instance too is never a [Conflict], only the state it is in
// can be.
//
// Errors are of type [*Error]. An id that names nothing gives code
// [InstanceNotFound] and reason [NotFound], whatever the operation.
type CloudHostingProvider interface {
	// ProviderName returns the name this provider was configured with.
	// It does no I/O.
	ProviderName() string

	// SupportedRegions returns the regions an instance can be created in.
	// The first is the default. It does no I/O.
	SupportedRegions() []string

	// SupportedInstanceTypes returns the instance types that can be created,
	// such as "deployment" or "job". It does no I/O.
	SupportedInstanceTypes() []string

	// CreateInstance creates an instance and returns it as accepted, usually
	// with status [StatusCreating].
	//
	// If an instance with this name exists in the region with the same
	// configuration, it is returned, and parts of it that are missing are made
	// again. If its configuration differs, the reason is [AlreadyExists]; while
	// it is being deleted, [Conflict]. A configuration that is not valid gives
	// [InvalidArgument], naming the field, and nothing is created.
	CreateInstance(ctx context.Context, config CloudHostingConfig) (CloudInstance, error)

	// ListInstances returns all instances, sorted by id. When some regions
	// could not be read it returns the instances of the others together with
	// an error that names each region that failed.
	ListInstances(ctx context.Context) ([]CloudInstance, error)

	// GetInstance returns one instance as it is now.
	GetInstance(ctx context.Context, instanceID string) (CloudInstance, error)

	// DeleteInstance starts to delete an instance with everything that was
	// made for it. Volumes and their data stay. Deleting an instance that is
	// being deleted succeeds.
	DeleteInstance(ctx context.Context, instanceID string) error

	// StartInstance starts a stopped instance with the replicas it had.
	StartInstance(ctx context.Context, instanceID string) error

	// StopInstance stops an instance: nothing of it runs or is paid for as
	// running, and [CloudHostingProvider.StartInstance] brings it back.
	StopInstance(ctx context.Context, instanceID string) error

	// RestartInstance replaces the running containers by fresh ones, rolling
	// where the platform can. Restarting a stopped instance is a [Conflict].
	RestartInstance(ctx context.Context, instanceID string) error

	// ScaleInstance sets the number of replicas, 0 or more. On a stopped
	// instance it sets the number that it will start with. While an
	// autoscaler owns the instance it is a [Conflict] that names it.
	// ScaleConfig.MaxReplicas bounds that autoscaler, not this call.
	ScaleInstance(ctx context.Context, instanceID string, replicas int) error

	// GetMetrics returns what the instance uses now, summed over its replicas.
	// What could not be measured is listed in InstanceMetrics.Unavailable.
	GetMetrics(ctx context.Context, instanceID string) (InstanceMetrics, error)

	// GetLogs returns the newest log entries that match the options, oldest
	// first. It does not follow: options.Follow is an [InvalidArgument], use
	// [StreamLogs].
	GetLogs(ctx context.Context, instanceID string, options LogQueryOptions) ([]LogEntry, error)

	// GetEvents returns what the platform reports to have happened to the
	// instance, oldest first, as far back as the platform keeps it.
	GetEvents(ctx context.Context, instanceID string) ([]InstanceEvent, error)

	// UpdateResources changes CPU, memory and storage. Fields that are zero
	// keep their value. Running containers are replaced, rolling, where the
	// platform cannot resize them.
	UpdateResources(ctx context.Context, instanceID string, resources ResourceConfig) error

	// GetServiceEndpoint returns where the instance is reached. An instance
	// without ports has none: the reason is [NotFound], the code
	// [EndpointFailed].
	GetServiceEndpoint(ctx context.Context, instanceID string) (ServiceEndpoint, error)

	// HealthCheck tells whether the instance can do its work now, and if not,
	// why. An error means that this could not be found out.
	HealthCheck(ctx context.Context, instanceID string) (Health, error)

	// EstimateCost returns what an instance with this configuration would
	// cost. Nothing is created.
	EstimateCost(ctx context.Context, config CloudHostingConfig) (CostEstimate, error)

	// GetActualCost returns what the instance did cost from start (inclusive)
	// to end (exclusive). An end that is zero or before the start is an
	// [InvalidArgument]. CostActual.Coverage says how much of the period is
	// known.
	GetActualCost(ctx context.Context, instanceID string, start, end Time) (CostActual, error)
}

// UnimplementedProvider answers every call with reason [Unsupported], also
// when the context has ended. Embed it in a provider of your own, so that it
// still compiles when the protocol grows a method.
type UnimplementedProvider struct{}

var _ CloudHostingProvider = UnimplementedProvider{}

// ProviderName returns "".
func (UnimplementedProvider) ProviderName() string { return "" }

// SupportedRegions returns nil.
func (UnimplementedProvider) SupportedRegions() []string { return nil }

// SupportedInstanceTypes returns nil.
func (UnimplementedProvider) SupportedInstanceTypes() []string { return nil }

// CreateInstance is not supported.
func (UnimplementedProvider) CreateInstance(context.Context, CloudHostingConfig) (CloudInstance, error) {
	return CloudInstance{}, unimplemented(CreateFailed, "", "CreateInstance")
}

// ListInstances is not supported.
func (UnimplementedProvider) ListInstances(context.Context) ([]CloudInstance, error) {
	return nil, unimplemented(ListFailed, "", "ListInstances")
}

// GetInstance is not supported.
func (UnimplementedProvider) GetInstance(_ context.Context, instanceID string) (CloudInstance, error) {
	return CloudInstance{}, unimplemented(GetFailed, instanceID, "GetInstance")
}

// DeleteInstance is not supported.
func (UnimplementedProvider) DeleteInstance(_ context.Context, instanceID string) error {
	return unimplemented(DeleteFailed, instanceID, "DeleteInstance")
}

// StartInstance is not supported.
func (UnimplementedProvider) StartInstance(_ context.Context, instanceID string) error {
	return unimplemented(StartFailed, instanceID, "StartInstance")
}

// StopInstance is not supported.
func (UnimplementedProvider) StopInstance(_ context.Context, instanceID string) error {
	return unimplemented(StopFailed, instanceID, "StopInstance")
}

// RestartInstance is not supported.
func (UnimplementedProvider) RestartInstance(_ context.Context, instanceID string) error {
	return unimplemented(RestartFailed, instanceID, "RestartInstance")
}

// ScaleInstance is not supported.
func (UnimplementedProvider) ScaleInstance(_ context.Context, instanceID string, _ int) error {
	return unimplemented(ScaleFailed, instanceID, "ScaleInstance")
}

// GetMetrics is not supported.
func (UnimplementedProvider) GetMetrics(_ context.Context, instanceID string) (InstanceMetrics, error) {
	return InstanceMetrics{}, unimplemented(MetricsFailed, instanceID, "GetMetrics")
}

// GetLogs is not supported.
func (UnimplementedProvider) GetLogs(_ context.Context, instanceID string, _ LogQueryOptions) ([]LogEntry, error) {
	return nil, unimplemented(LogsFailed, instanceID, "GetLogs")
}

// GetEvents is not supported.
func (UnimplementedProvider) GetEvents(_ context.Context, instanceID string) ([]InstanceEvent, error) {
	return nil, unimplemented(EventsFailed, instanceID, "GetEvents")
}

// UpdateResources is not supported.
func (UnimplementedProvider) UpdateResources(_ context.Context, instanceID string, _ ResourceConfig) error {
	return unimplemented(UpdateFailed, instanceID, "UpdateResources")
}

// GetServiceEndpoint is not supported.
func (UnimplementedProvider) GetServiceEndpoint(_ context.Context, instanceID string) (ServiceEndpoint, error) {
	return ServiceEndpoint{}, unimplemented(EndpointFailed, instanceID, "GetServiceEndpoint")
}

// HealthCheck is not supported.
func (UnimplementedProvider) HealthCheck(_ context.Context, instanceID string) (Health, error) {
	return Health{}, unimplemented(HealthFailed, instanceID, "HealthCheck")
}

// EstimateCost is not supported.
func (UnimplementedProvider) EstimateCost(context.Context, CloudHostingConfig) (CostEstimate, error) {
	return CostEstimate{}, unimplemented(CostFailed, "", "EstimateCost")
}

// GetActualCost is not supported.
func (UnimplementedProvider) GetActualCost(_ context.Context, instanceID string, _, _ Time) (CostActual, error) {
	return CostActual{}, unimplemented(CostFailed, instanceID, "GetActualCost")
}

func unimplemented(code Code, instanceID, method string) error {
	return &Error{Code: code, Reason: Unsupported, InstanceID: instanceID, Message: method + " is not implemented by this provider"}
}
