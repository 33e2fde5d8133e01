package hosting

import (
	"context"
	"encoding/json"
	"time"
)

// HostingExtensionSdkAdapter is what the protocol offers beyond running
// instances. All methods may be called concurrently; errors are of type
// [*Error].
type HostingExtensionSdkAdapter interface {
	AutoScaler
	ServiceDiscovery
	VolumeManager
	CompatibilityChecker

	// IsAvailable tells whether the extension can be used now.
	IsAvailable(ctx context.Context) bool
}

// AutoScaler manages the policies that change replicas by measured load. An
// instance has at most one policy. A policy that does not exist gives code
// [PolicyNotFound].
type AutoScaler interface {
	// GetAutoScalePolicy returns the policy of an instance.
	GetAutoScalePolicy(ctx context.Context, instanceID string) (AutoScalePolicy, error)
	// GetAutoScalePolicyByID returns a policy by its own id.
	GetAutoScalePolicyByID(ctx context.Context, policyID string) (AutoScalePolicy, error)
	// ListAutoScalePolicies returns all policies, sorted by id.
	ListAutoScalePolicies(ctx context.Context) ([]AutoScalePolicy, error)
	// CreateAutoScalePolicy returns the policy with its id. A second policy
	// for an instance is AlreadyExists.
	CreateAutoScalePolicy(ctx context.Context, policy AutoScalePolicy) (AutoScalePolicy, error)
	// UpdateAutoScalePolicy replaces a policy and returns it.
	UpdateAutoScalePolicy(ctx context.Context, policyID string, policy AutoScalePolicy) (AutoScalePolicy, error)
	// DeleteAutoScalePolicy removes a policy; the replicas stay as they are.
	DeleteAutoScalePolicy(ctx context.Context, policyID string) error
	// EnableAutoScalePolicy makes a policy act.
	EnableAutoScalePolicy(ctx context.Context, policyID string) error
	// DisableAutoScalePolicy stops a policy from acting; it is kept.
	DisableAutoScalePolicy(ctx context.Context, policyID string) error
}

// ServiceDiscovery makes instances findable by name. A service that does not
// exist gives code [ServiceNotFound].
type ServiceDiscovery interface {
	// RegisterService registers a service of an instance and returns it with
	// its id. The same service again is returned as it is; another of its name
	// in the region is AlreadyExists, as is the name of an instance that has
	// ports.
	RegisterService(ctx context.Context, instanceID string, service ServiceRegistration) (ServiceRegistration, error)
	// UnregisterService removes a registration; the instance stays.
	UnregisterService(ctx context.Context, serviceID string) error
	// GetService returns one service.
	GetService(ctx context.Context, serviceID string) (ServiceRegistration, error)
	// GetServicesByInstance returns the services of an instance, sorted by id.
	GetServicesByInstance(ctx context.Context, instanceID string) ([]ServiceRegistration, error)
	// DiscoverService returns the services with this name or alias, sorted by
	// id; none is an empty list.
	DiscoverService(ctx context.Context, serviceName string) ([]ServiceRegistration, error)
	// ListServices returns all services, sorted by id.
	ListServices(ctx context.Context) ([]ServiceRegistration, error)
}

// VolumeManager manages storage that outlives instances. A volume that does
// not exist gives code [VolumeNotFound].
type VolumeManager interface {
	// CreateVolume creates a volume and returns it with its id. The same
	// volume again is returned as it is. If only Size is larger, the volume
	// grows to it; where that is not possible it is Unsupported, naming size.
	// Any other volume of its name, a smaller one too, is AlreadyExists.
	CreateVolume(ctx context.Context, volume Volume) (Volume, error)
	// GetVolume returns one volume.
	GetVolume(ctx context.Context, volumeID string) (Volume, error)
	// DeleteVolume deletes a volume and its data. A mounted one is a Conflict,
	// also if the instance is stopped or being deleted.
	DeleteVolume(ctx context.Context, volumeID string) error
	// MountVolume makes a volume visible in an instance of its region, whose
	// replicas are replaced for it. What is mounted already stays as it is.
	// The mount stays when the instance is changed in any other way, a new
	// configuration included, until UnmountVolume or its deletion.
	//
	// It is a Conflict if something else is mounted at the path, and if the
	// instance is a job that runs. A volume that is ReadWriteOnce or
	// ReadWriteOncePod is for one replica: it is a Conflict if another instance
	// has it, or if this one has more replicas or an autoscaler, neither of
	// which it can get while it has the volume, or a policy that acts. One that is ReadOnlyMany can
	// only be mounted read-only.
	MountVolume(ctx context.Context, volumeID, instanceID, mountPath string, readOnly bool) error
	// UnmountVolume ends all mounts of a volume in an instance, those of its
	// configuration too, and no other. If there are none it succeeds.
	UnmountVolume(ctx context.Context, volumeID, instanceID string) error
	// ListVolumes returns all volumes, sorted by id.
	ListVolumes(ctx context.Context) ([]Volume, error)
}

// CompatibilityChecker tells whether a skill can be hosted.
type CompatibilityChecker interface {
	// CheckCompatibility checks the skill against the platform.
	CheckCompatibility(ctx context.Context, skillID string) (HostingCompatibility, error)
}

// AutoScalePolicy says when an instance gets more or fewer replicas.
type AutoScalePolicy struct {
	PolicyID   string `json:"policyId"`
	InstanceID string `json:"instanceId"`
	Name       string `json:"name"`
	Enabled    bool   `json:"enabled"`

	MinReplicas int `json:"minReplicas"`
	MaxReplicas int `json:"maxReplicas"`

	// There are at most 50 rules each way, and at least one.
	ScaleUpRules   []ScaleRule `json:"scaleUpRules,omitempty"`
	ScaleDownRules []ScaleRule `json:"scaleDownRules,omitempty"`

	// CooldownPeriod is how long nothing changes after a change.
	CooldownPeriod Duration `json:"cooldownPeriod"`
	// StabilizationWindow is how far back the highest recommendation counts
	// when scaling down.
	StabilizationWindow Duration `json:"stabilizationWindow"`
}

// The types of metric of a ScaleRule, and the names of those of type
// MetricResource.
const (
	MetricResource = "resource" // what the platform measures of every instance
	MetricCustom   = "custom"   // what the instance itself publishes
	MetricExternal = "external" // what something else publishes

	MetricCPUUsage    = "cpu_usage"
	MetricMemoryUsage = "memory_usage"
	MetricNetworkIn   = "network_in"
	MetricNetworkOut  = "network_out"
)

// ScaleRule is one condition of a policy.
type ScaleRule struct {
	// MetricType is MetricResource, MetricCustom or MetricExternal.
	MetricType string `json:"metricType"`
	// MetricName is, for MetricResource, one of MetricCPUUsage,
	// MetricMemoryUsage, MetricNetworkIn and MetricNetworkOut; else any, of at
	// most 256 bytes.
	MetricName string  `json:"metricName"`
	Threshold  float64 `json:"threshold"`
	// Comparison is ">", ">=", "<" or "<=".
	Comparison string `json:"comparison"`
	// StepSize is how many replicas to add or remove.
	StepSize int `json:"stepSize"`
	// EvaluationPeriod is how long the condition must hold.
	EvaluationPeriod Duration `json:"evaluationPeriod"`
}

// The protocols of a ServiceRegistration.
const (
	ProtocolHTTP  = "http"
	ProtocolHTTPS = "https"
	ProtocolGRPC  = "grpc"
	ProtocolTCP   = "tcp"
)

// The statuses of a ServiceRegistration.
const (
	ServiceStatusReady   = "ready"   // at least one address is ready
	ServiceStatusPending = "pending" // no address is ready now
	// It is being removed, or its instance is being deleted. Where a platform
	// removes services at once it is not seen.
	ServiceStatusTerminating = "terminating"
)

// ServiceRegistration is a service that can be found by name.
type ServiceRegistration struct {
	// ServiceID is <region>.service.<serviceName>. The platform sets it, as
	// well as Status and Addresses: what a caller says of them is ignored.
	ServiceID   string `json:"serviceId"`
	InstanceID  string `json:"instanceId"`
	ServiceName string `json:"serviceName"`
	// Endpoint is a URL that reaches the service from inside the platform; one
	// made from Protocol, Host and Port if empty.
	Endpoint string `json:"endpoint"`
	// Protocol is one of ProtocolHTTP and so on; ProtocolHTTP if empty.
	Protocol string `json:"protocol"`
	// Host is a DNS name or an IP address; the name that the platform gives to
	// the service if empty.
	Host string `json:"host"`
	// Port is one of the instance's.
	Port int `json:"port"`
	// Status is ServiceStatusReady and so on.
	Status string `json:"status"`
	// Aliases are more names that DiscoverService finds the service by. Several
	// services may have the same.
	Aliases []string `json:"aliases,omitempty"`

	LoadBalancer *LoadBalancerConfig `json:"loadBalancer,omitempty"`
	// Addresses are the replicas behind the service.
	Addresses []ServiceAddress `json:"addresses,omitempty"`
}

// The strategies of a LoadBalancerConfig.
const (
	StrategyRoundRobin       = "round-robin"
	StrategyRandom           = "random"
	StrategyLeastConnections = "least-connections"
)

// The limits of health checks: whoever registers a service decides how often
// its callers check it.
const (
	MinHealthCheckInterval = Duration(time.Second)
	MaxHealthCheckTimeout  = Duration(time.Minute)
)

// LoadBalancerConfig is how a caller spreads requests over the addresses.
type LoadBalancerConfig struct {
	// Strategy is one of StrategyRoundRobin and so on; StrategyRoundRobin if
	// empty.
	Strategy string `json:"strategy"`
	// HealthCheckInterval is at least MinHealthCheckInterval; without it there
	// are no checks.
	HealthCheckInterval Duration `json:"healthCheckInterval,omitzero"`
	// HealthCheckTimeout is at most MaxHealthCheckTimeout; a second if zero.
	HealthCheckTimeout Duration `json:"healthCheckTimeout,omitzero"`
	HealthCheckPath    string   `json:"healthCheckPath,omitempty"`
}

// ServiceAddress is one replica behind a service.
type ServiceAddress struct {
	Host  string `json:"host"`
	Port  int    `json:"port"`
	Ready bool   `json:"ready"`
}

// The portable types of a volume.
const (
	VolumeStandard = "standard"
	VolumeSSD      = "ssd"
	VolumeShared   = "shared" // several nodes may use it at once
)

// The access modes of a volume.
const (
	ReadWriteOnce    = "ReadWriteOnce"    // read and written by one node
	ReadOnlyMany     = "ReadOnlyMany"     // read by many nodes
	ReadWriteMany    = "ReadWriteMany"    // read and written by many nodes
	ReadWriteOncePod = "ReadWriteOncePod" // read and written by one replica
)

// The statuses of a volume.
const (
	VolumeStatusCreating  = "creating"
	VolumeStatusAvailable = "available"
	VolumeStatusInUse     = "in-use"
	VolumeStatusDeleting  = "deleting"
	VolumeStatusFailed    = "failed"
)

// Volume is storage that outlives instances.
type Volume struct {
	VolumeID string `json:"volumeId"`
	// Name follows the rules of instance names.
	Name string `json:"name"`
	// Type is a portable class: VolumeStandard (if empty), VolumeSSD or
	// VolumeShared. StorageClass is the platform's own, and wins.
	Type         string `json:"type,omitempty"`
	StorageClass string `json:"storageClass,omitempty"`
	// Size is in bytes.
	Size int64 `json:"size"`
	// AccessMode is ReadWriteOnce and so on; ReadWriteOnce if empty.
	AccessMode string `json:"accessMode,omitempty"`
	Status     string `json:"status,omitempty"`
	// InstanceID, MountPath and ReadOnly are those of the first mount.
	InstanceID string `json:"instanceId,omitempty"`
	MountPath  string `json:"mountPath,omitempty"`
	ReadOnly   bool   `json:"readOnly,omitempty"`
	CreatedAt  Time   `json:"createdAt,omitzero"`

	// Provider, Region and Mounts are additions to the protocol.
	Provider string `json:"provider,omitempty"`
	Region   string `json:"region,omitempty"`
	// Mounts are all mounts, in the order they were made.
	Mounts []Mount `json:"mounts,omitempty"`
}

// Mount is one mount of a volume.
type Mount struct {
	InstanceID string `json:"instanceId"`
	MountPath  string `json:"mountPath"`
	ReadOnly   bool   `json:"readOnly,omitempty"`
	SubPath    string `json:"subPath,omitempty"`
}

// HostingCompatibility is the answer of CheckCompatibility. In JSON its lists
// are never null.
type HostingCompatibility struct {
	SkillID   string `json:"skillId"`
	SkillName string `json:"skillName"`
	SkillType string `json:"skillType"`
	// CompatibilityScore is 0 to 100, computed from the checks.
	CompatibilityScore int                  `json:"compatibilityScore"`
	Recommendation     string               `json:"recommendation"`
	Checks             []CompatibilityCheck `json:"checks"`
	Issues             []string             `json:"issues"`
	Suggestions        []string             `json:"suggestions"`
}

// MarshalJSON writes lists that are nil as empty ones, never as null.
func (compatibility HostingCompatibility) MarshalJSON() ([]byte, error) {
	type withoutMethods HostingCompatibility
	compatibility.Checks = orEmpty(compatibility.Checks)
	compatibility.Issues = orEmpty(compatibility.Issues)
	compatibility.Suggestions = orEmpty(compatibility.Suggestions)
	return json.Marshal(withoutMethods(compatibility))
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// The statuses of a CompatibilityCheck.
const (
	CheckPass    = "pass"
	CheckWarning = "warning"
	CheckFail    = "fail"
)

// CompatibilityCheck is one thing that was looked at.
type CompatibilityCheck struct {
	Name string `json:"name"`
	// Status is CheckPass, CheckWarning or CheckFail.
	Status   string `json:"status"`
	Message  string `json:"message"`
	Required bool   `json:"required"`
}

// UnimplementedAdapter answers every call with reason [Unsupported], also when
// the context has ended. Embed it in an adapter of your own, so that it still
// compiles when the protocol grows a method.
type UnimplementedAdapter struct{}

var _ HostingExtensionSdkAdapter = UnimplementedAdapter{}

// IsAvailable returns false.
func (UnimplementedAdapter) IsAvailable(context.Context) bool { return false }

// GetAutoScalePolicy is not supported.
func (UnimplementedAdapter) GetAutoScalePolicy(_ context.Context, instanceID string) (AutoScalePolicy, error) {
	return AutoScalePolicy{}, unimplemented(PolicyFailed, instanceID, "GetAutoScalePolicy")
}

// GetAutoScalePolicyByID is not supported.
func (UnimplementedAdapter) GetAutoScalePolicyByID(context.Context, string) (AutoScalePolicy, error) {
	return AutoScalePolicy{}, unimplemented(PolicyFailed, "", "GetAutoScalePolicyByID")
}

// ListAutoScalePolicies is not supported.
func (UnimplementedAdapter) ListAutoScalePolicies(context.Context) ([]AutoScalePolicy, error) {
	return nil, unimplemented(PolicyFailed, "", "ListAutoScalePolicies")
}

// CreateAutoScalePolicy is not supported.
func (UnimplementedAdapter) CreateAutoScalePolicy(_ context.Context, policy AutoScalePolicy) (AutoScalePolicy, error) {
	return AutoScalePolicy{}, unimplemented(PolicyFailed, policy.InstanceID, "CreateAutoScalePolicy")
}

// UpdateAutoScalePolicy is not supported.
func (UnimplementedAdapter) UpdateAutoScalePolicy(_ context.Context, _ string, policy AutoScalePolicy) (AutoScalePolicy, error) {
	return AutoScalePolicy{}, unimplemented(PolicyFailed, policy.InstanceID, "UpdateAutoScalePolicy")
}

// DeleteAutoScalePolicy is not supported.
func (UnimplementedAdapter) DeleteAutoScalePolicy(context.Context, string) error {
	return unimplemented(PolicyFailed, "", "DeleteAutoScalePolicy")
}

// EnableAutoScalePolicy is not supported.
func (UnimplementedAdapter) EnableAutoScalePolicy(context.Context, string) error {
	return unimplemented(PolicyFailed, "", "EnableAutoScalePolicy")
}

// DisableAutoScalePolicy is not supported.
func (UnimplementedAdapter) DisableAutoScalePolicy(context.Context, string) error {
	return unimplemented(PolicyFailed, "", "DisableAutoScalePolicy")
}

// RegisterService is not supported.
func (UnimplementedAdapter) RegisterService(_ context.Context, instanceID string, _ ServiceRegistration) (ServiceRegistration, error) {
	return ServiceRegistration{}, unimplemented(ServiceFailed, instanceID, "RegisterService")
}

// UnregisterService is not supported.
func (UnimplementedAdapter) UnregisterService(context.Context, string) error {
	return unimplemented(ServiceFailed, "", "UnregisterService")
}

// GetService is not supported.
func (UnimplementedAdapter) GetService(context.Context, string) (ServiceRegistration, error) {
	return ServiceRegistration{}, unimplemented(ServiceFailed, "", "GetService")
}

// GetServicesByInstance is not supported.
func (UnimplementedAdapter) GetServicesByInstance(_ context.Context, instanceID string) ([]ServiceRegistration, error) {
	return nil, unimplemented(ServiceFailed, instanceID, "GetServicesByInstance")
}

// DiscoverService is not supported.
func (UnimplementedAdapter) DiscoverService(context.Context, string) ([]ServiceRegistration, error) {
	return nil, unimplemented(ServiceFailed, "", "DiscoverService")
}

// ListServices is not supported.
func (UnimplementedAdapter) ListServices(context.Context) ([]ServiceRegistration, error) {
	return nil, unimplemented(ServiceFailed, "", "ListServices")
}

// CreateVolume is not supported.
func (UnimplementedAdapter) CreateVolume(context.Context, Volume) (Volume, error) {
	return Volume{}, unimplemented(VolumeFailed, "", "CreateVolume")
}

// GetVolume is not supported.
func (UnimplementedAdapter) GetVolume(context.Context, string) (Volume, error) {
	return Volume{}, unimplemented(VolumeFailed, "", "GetVolume")
}

// DeleteVolume is not supported.
func (UnimplementedAdapter) DeleteVolume(context.Context, string) error {
	return unimplemented(VolumeFailed, "", "DeleteVolume")
}

// MountVolume is not supported.
func (UnimplementedAdapter) MountVolume(_ context.Context, _, instanceID, _ string, _ bool) error {
	return unimplemented(VolumeFailed, instanceID, "MountVolume")
}

// UnmountVolume is not supported.
func (UnimplementedAdapter) UnmountVolume(_ context.Context, _, instanceID string) error {
	return unimplemented(VolumeFailed, instanceID, "UnmountVolume")
}

// ListVolumes is not supported.
func (UnimplementedAdapter) ListVolumes(context.Context) ([]Volume, error) {
	return nil, unimplemented(VolumeFailed, "", "ListVolumes")
}

// CheckCompatibility is not supported.
func (UnimplementedAdapter) CheckCompatibility(context.Context, string) (HostingCompatibility, error) {
	return HostingCompatibility{}, unimplemented(CompatibilityFailed, "", "CheckCompatibility")
}
