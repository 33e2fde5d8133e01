package hosting

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
)

// Instance types of the protocol. A provider may have others.
const (
	TypeDeployment  = "deployment"  // a stateless application
	TypeStatefulSet = "statefulset" // a stateful application
	TypeDaemonSet   = "daemonset"   // one replica on each node
	TypeJob         = "job"         // runs to completion once
	TypeCronJob     = "cronjob"     // a job on a schedule
)

// CloudHostingConfig is what an instance should be.
//
// Sub-configs that are nil or empty, and fields that are zero, take the
// provider's defaults. All text is UTF-8 without NUL. The fields after Env are additions to the protocol, see
// docs/protocol.md.
type CloudHostingConfig struct {
	// InstanceName is a DNS-1035 label of at most MaxNameLength characters,
	// unique in its region over all instance types.
	InstanceName string `json:"instanceName"`
	// Region defaults to the first of SupportedRegions.
	Region string `json:"region,omitempty"`
	// InstanceType is one of SupportedInstanceTypes.
	InstanceType string           `json:"instanceType"`
	Container    *ContainerConfig `json:"container"`
	Resources    *ResourceConfig  `json:"resources,omitempty"`
	Network      *NetworkConfig   `json:"network,omitempty"`
	Scaling      *ScaleConfig     `json:"scaling,omitempty"`
	// Labels have the syntax of Kubernetes labels. "app", "managed-by" and
	// "skillcenter.io/*" are the provider's.
	Labels map[string]string `json:"labels,omitempty"`
	// Annotations have the syntax of Kubernetes annotations.
	// "skillcenter.io/*" are the provider's.
	Annotations map[string]string `json:"annotations,omitempty"`
	// Env is set in the container; Container.Env wins where both name a
	// variable.
	Env map[string]string `json:"env,omitempty"`

	// SkillID and Version say what is hosted. They are informational.
	SkillID string `json:"skillId,omitempty"`
	Version string `json:"version,omitempty"`
	// Provider names the provider to create the instance on, where there are
	// several.
	Provider string `json:"provider,omitempty"`
	// Schedule is when a cronjob runs, in UTC: five cron fields, or @hourly
	// and the like. It is required for a cronjob and not allowed otherwise.
	Schedule string `json:"schedule,omitempty"`
	// SecretEnv is set in the container like Env, and wins over it. It is
	// write-only: no call returns it, and nothing in this module logs it.
	SecretEnv SecretMap `json:"secretEnv,omitempty"`
}

// LogValue logs the configuration as a group with the protocol's names, and of
// SecretEnv the names only: a handler that writes JSON would not call
// [SecretMap.LogValue].
func (config CloudHostingConfig) LogValue() slog.Value {
	type withoutMethods CloudHostingConfig
	names := make(SecretMap, len(config.SecretEnv))
	for name := range config.SecretEnv {
		names[name] = "(hidden)"
	}
	config.SecretEnv = names
	return logGroup(withoutMethods(config))
}

// logGroup returns what is in the JSON of value as a group, so that handlers
// that write text show what is behind a pointer too.
func logGroup(value any) slog.Value {
	data, err := json.Marshal(value)
	if err != nil { // such as a number that is none
		return slog.StringValue(fmt.Sprintf("%+v", value))
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var decoded any
	if err := decoder.Decode(&decoded); err != nil {
		return slog.StringValue(err.Error())
	}
	return toGroups(decoded)
}

func toGroups(decoded any) slog.Value {
	object, ok := decoded.(map[string]any)
	if !ok {
		return slog.AnyValue(decoded)
	}
	attrs := make([]slog.Attr, 0, len(object))
	for _, name := range slices.Sorted(maps.Keys(object)) {
		attrs = append(attrs, slog.Attr{Key: name, Value: toGroups(object[name])})
	}
	return slog.GroupValue(attrs...)
}

// ContainerConfig is the container that each replica runs.
type ContainerConfig struct {
	// Image is an image reference, such as "nginx:1.29" or
	// "registry.example.com/team/skill@sha256:...".
	Image string `json:"image"`
	// Ports that the container listens on, 1 to 65535 (TCP).
	Ports []int `json:"ports,omitempty"`
	// Commands replaces the entrypoint of the image.
	Commands []string `json:"commands,omitempty"`
	// Args replaces the arguments of the image.
	Args         []string          `json:"args,omitempty"`
	Env          map[string]string `json:"env,omitempty"`
	VolumeMounts []VolumeMount     `json:"volumeMounts,omitempty"`

	// HealthCheck decides when a replica is ready. Without it a replica is
	// ready as soon as it runs.
	HealthCheck *HealthCheck `json:"healthCheck,omitempty"`
	// ImagePullSecret names a secret of the platform with the registry's
	// credentials.
	ImagePullSecret string `json:"imagePullSecret,omitempty"`
	// TerminationGracePeriod is how long a replica may take to end by itself
	// when it is stopped; the platform's default is 30 s. Whole seconds.
	TerminationGracePeriod *Duration `json:"terminationGracePeriod,omitempty"`
	// PreStop, if not nil, is what happens before a replica is told to end.
	PreStop *PreStop `json:"preStop,omitempty"`
}

// VolumeMount makes a volume visible in the container.
type VolumeMount struct {
	VolumeID  string `json:"volumeId"`
	MountPath string `json:"mountPath"`
	ReadOnly  bool   `json:"readOnly,omitempty"`
	// SubPath is the part of the volume to mount; all of it if empty.
	SubPath string `json:"subPath,omitempty"`
}

// HealthCheck asks a container whether it is ready, and decides nothing else: a
// container that does not pass is never restarted for it. Exactly one of HTTP,
// TCP and Command is set. The times have whole seconds.
type HealthCheck struct {
	HTTP    *HTTPCheck `json:"http,omitempty"`
	TCP     *TCPCheck  `json:"tcp,omitempty"`
	Command []string   `json:"command,omitempty"`

	// InitialDelay is how long to wait before the first check.
	InitialDelay Duration `json:"initialDelay,omitzero"`
	// Period is the time between checks; 10 s if zero.
	Period Duration `json:"period,omitzero"`
	// Timeout is how long one check may take; 1 s if zero.
	Timeout Duration `json:"timeout,omitzero"`
	// FailureThreshold is how many checks in a row must fail; 3 if zero.
	FailureThreshold int `json:"failureThreshold,omitempty"`
	// SuccessThreshold is how many checks in a row must succeed; 1 if zero.
	SuccessThreshold int `json:"successThreshold,omitempty"`
}

// PreStop is what happens before a container is told to end: time for callers
// to learn that it goes, or a command that hands its work over. Exactly one of
// its fields is set. Its time counts towards the termination grace period.
type PreStop struct {
	// Delay is how long to wait, in whole seconds.
	Delay Duration `json:"delay,omitzero"`
	// Command runs inside the container.
	Command []string `json:"command,omitempty"`
}

// HTTPCheck succeeds when a GET answers with a status from 200 to 399.
type HTTPCheck struct {
	Path string `json:"path"`
	Port int    `json:"port"`
}

// TCPCheck succeeds when a connection opens.
type TCPCheck struct {
	Port int `json:"port"`
}

// SecretMap holds secret values by name. Printed with fmt, or logged with slog
// as it is or in a [CloudHostingConfig] or [InstanceRevision], it shows its
// names only. JSON carries the values, for the one call that hands them over.
//
// Two ways to the values are beyond its reach, and are the program's to avoid:
// fmt calls no methods of what is in an unexported field, and a handler of slog
// that writes JSON encodes a list, map or other struct with a configuration in
// it as any JSON. Log the configuration itself.
type SecretMap map[string]string

// String returns the names, not the values.
func (m SecretMap) String() string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return fmt.Sprintf("secrets%v", names)
}

// Format prints what String returns, whatever the verb.
func (m SecretMap) Format(f fmt.State, _ rune) { fmt.Fprint(f, m.String()) }

// LogValue logs what String returns.
func (m SecretMap) LogValue() slog.Value { return slog.StringValue(m.String()) }

// ResourceConfig is what each replica may use. Zero means the provider's
// default, and in UpdateResources "keep what it is".
type ResourceConfig struct {
	// CPULimit and CPURequest are in cores, such as 0.5.
	CPULimit   float64 `json:"cpuLimit,omitempty"`
	CPURequest float64 `json:"cpuRequest,omitempty"`
	// MemoryLimit and MemoryRequest are in bytes.
	MemoryLimit   int64 `json:"memoryLimit,omitempty"`
	MemoryRequest int64 `json:"memoryRequest,omitempty"`
	// StorageLimit is the ephemeral storage in bytes; no limit if zero.
	StorageLimit int64 `json:"storageLimit,omitempty"`
}

// The service types of NetworkConfig.
const (
	ServiceClusterIP    = "ClusterIP"
	ServiceNodePort     = "NodePort"
	ServiceLoadBalancer = "LoadBalancer"
)

// NetworkConfig is how an instance is reached.
type NetworkConfig struct {
	// ServiceType is "ClusterIP", "NodePort" or "LoadBalancer".
	ServiceType string `json:"serviceType,omitempty"`
	// Ports to expose. They win over the container's ports.
	Ports []int `json:"ports,omitempty"`
	// IngressEnabled asks for (true) or forbids (false) an ingress. It needs
	// a host and a port when asked for.
	IngressEnabled *bool `json:"ingressEnabled,omitempty"`
	// IngressHost is the DNS name to serve.
	IngressHost string `json:"ingressHost,omitempty"`
	// IngressPath is the path prefix to serve; "/" if empty.
	IngressPath string `json:"ingressPath,omitempty"`
}

// ScaleConfig is how many replicas an instance has. It starts with
// MinReplicas, which for a cronjob is the parallelism of each run, and which a
// daemonset cannot have. With a target set, an autoscaler keeps the average use
// of the replicas near it, and between MinReplicas and MaxReplicas; without,
// MaxReplicas bounds nothing until ApplyInstance changes the scaling.
type ScaleConfig struct {
	MinReplicas int `json:"minReplicas,omitempty"`
	MaxReplicas int `json:"maxReplicas,omitempty"`
	// TargetCPUUtilization and TargetMemoryUtilization are in percent of the
	// request.
	TargetCPUUtilization    int `json:"targetCPUUtilization,omitempty"`
	TargetMemoryUtilization int `json:"targetMemoryUtilization,omitempty"`
}

// Status is what an instance is doing.
type Status string

// The statuses of an instance.
const (
	StatusCreating    Status = "creating"    // it has never been ready yet
	StatusRunning     Status = "running"     // all its replicas are ready; for a cronjob: its schedule is active
	StatusUpdating    Status = "updating"    // its configuration is being rolled out
	StatusStarting    Status = "starting"    // replicas are on their way after a start or a scale
	StatusStopping    Status = "stopping"    // stopped, but some replicas have not ended yet
	StatusStopped     Status = "stopped"     // nothing runs; StartInstance brings it back
	StatusRestarting  Status = "restarting"  // its replicas are being replaced
	StatusDegraded    Status = "degraded"    // some replicas are ready and some are not able to be
	StatusFailed      Status = "failed"      // nothing is ready and the platform says why, or nothing is ready any more
	StatusCompleted   Status = "completed"   // a job that has ended with success
	StatusTerminating Status = "terminating" // it is being deleted
	StatusUnknown     Status = "unknown"     // the platform does not tell
)

// Statuses are all statuses of an instance.
func Statuses() []Status {
	return []Status{
		StatusCreating, StatusRunning, StatusUpdating, StatusStarting, StatusStopping, StatusStopped,
		StatusRestarting, StatusDegraded, StatusFailed, StatusCompleted, StatusTerminating, StatusUnknown,
	}
}

// Keys of CloudInstance.Metadata that every provider uses.
const (
	// MetadataReason is a short word for why the status is what it is, such
	// as "ImagePullBackOff".
	MetadataReason = "reason"
	// MetadataMessage is the platform's explanation for people.
	MetadataMessage = "message"
	// MetadataReadyReplicas is how many replicas are ready.
	MetadataReadyReplicas = "readyReplicas"
	// MetadataStoppedReplicas is how many replicas a stopped instance will
	// start with.
	MetadataStoppedReplicas = "stoppedReplicas"
	// MetadataTakenOver is "true" while a policy scales the instance, and an
	// autoscaler that the platform has for it does not act. Otherwise it is
	// absent.
	MetadataTakenOver = "takenOver"
)

// CloudInstance is an instance as it is now.
type CloudInstance struct {
	// ID is what the other calls take, see [ID].
	ID   string `json:"id"`
	Name string `json:"name"`
	// Provider is the configured name of the provider, ProviderType its kind.
	Provider     string `json:"provider"`
	ProviderType string `json:"providerType"`
	Region       string `json:"region"`
	Status       Status `json:"status"`
	// Replicas is how many should run now: 0 when stopped. For a daemonset it
	// is the number of nodes chosen, for a cronjob the number of active runs.
	Replicas  int               `json:"replicas"`
	CreatedAt Time              `json:"createdAt"`
	UpdatedAt Time              `json:"updatedAt"`
	Labels    map[string]string `json:"labels,omitempty"`
	// Metadata is further information, see [MetadataReason] and the
	// provider's documentation.
	Metadata map[string]string `json:"metadata,omitempty"`

	// InstanceType, Resources and Endpoint are additions to the protocol.
	// Resources are those in force, defaults filled in; Endpoint is nil while
	// there is none.
	InstanceType string           `json:"instanceType"`
	Resources    *ResourceConfig  `json:"resources,omitempty"`
	Endpoint     *ServiceEndpoint `json:"endpoint,omitempty"`
}

// InstanceMetrics is what an instance uses, summed over its replicas.
type InstanceMetrics struct {
	InstanceID string `json:"instanceId"`
	// Timestamp is when the oldest of the figures was measured.
	Timestamp Time `json:"timestamp"`
	// CPUUsage is in cores, MemoryUsage and DiskUsage in bytes.
	CPUUsage    float64 `json:"cpuUsage"`
	MemoryUsage int64   `json:"memoryUsage"`
	// Replicas is how many should run, ReadyReplicas how many are ready.
	Replicas      int `json:"replicas"`
	ReadyReplicas int `json:"readyReplicas"`
	// MeasuredReplicas is how many replicas the figures are the sums of, which
	// may be other ones than those that are ready: one that starts uses
	// something, too. 0 if the provider does not tell, or none is measured.
	MeasuredReplicas int `json:"measuredReplicas,omitempty"`
	// NetworkIn and NetworkOut are in bytes per second.
	NetworkIn  float64 `json:"networkIn"`
	NetworkOut float64 `json:"networkOut"`
	DiskUsage  int64   `json:"diskUsage"`
	// Unavailable lists the JSON names of the fields that could not be
	// measured, sorted. Their value is 0 and means nothing.
	Unavailable []string `json:"unavailable,omitempty"`
}

// MetadataGap is the key of LogEntry.Metadata that makes an entry a gap, see
// [LogEntry.Gap].
const MetadataGap = "gap"

// LogEntry is one line that an instance printed.
type LogEntry struct {
	// Timestamp is when the platform received the line.
	Timestamp Time `json:"timestamp"`
	// Level is one of LogLevels, or "" if the line does not tell.
	Level string `json:"level,omitempty"`
	// Message is the whole line, without its line break.
	Message string `json:"message"`
	// Source is the replica that printed it.
	Source   string            `json:"source"`
	Metadata map[string]string `json:"metadata,omitempty"`
	// Cursor marks the place after this entry, for LogQueryOptions.After.
	// It is empty where the provider cannot resume.
	Cursor string `json:"cursor,omitempty"`
}

// Gap returns why lines may be missing at this place of the log, "" if the
// entry is a line. An entry with a gap is not a line: a provider puts it where
// the platform may no longer have what Source printed, between the entries of
// that source before and after. Its message says so in words; level and pattern
// do not leave it out.
func (entry LogEntry) Gap() string { return entry.Metadata[MetadataGap] }

// DefaultLogLimit and MaxLogLimit bound LogQueryOptions.Limit.
const (
	DefaultLogLimit = 1000
	MaxLogLimit     = 100_000
)

// LogQueryOptions selects log entries. The zero value selects the newest
// DefaultLogLimit.
type LogQueryOptions struct {
	// Limit is how many entries to return at most, the newest: DefaultLogLimit
	// if zero, at most MaxLogLimit.
	Limit int `json:"limit,omitempty"`
	// StartTime (inclusive) and EndTime (exclusive) bound the time; zero is
	// open.
	StartTime Time `json:"startTime,omitzero"`
	EndTime   Time `json:"endTime,omitzero"`
	// Level selects entries of this level and the more severe ones. Entries
	// that do not tell their level are then left out.
	Level string `json:"level,omitempty"`
	// Pattern is a regular expression (RE2) that the message must match
	// somewhere.
	Pattern string `json:"pattern,omitempty"`
	// Follow is for StreamLogs: go on with what is printed from now on.
	Follow bool `json:"follow,omitempty"`
	// After is the cursor of an entry: return what comes behind it.
	After string `json:"after,omitempty"`
}

// LogLevels are the levels of a log entry, from the least to the most severe.
func LogLevels() []string {
	return []string{"trace", "debug", "info", "warn", "error", "fatal"}
}

// The types of InstanceEvent.
const (
	EventNormal  = "Normal"
	EventWarning = "Warning"
)

// InstanceEvent is something that happened to an instance.
type InstanceEvent struct {
	EventID   string `json:"eventId"`
	Timestamp Time   `json:"timestamp"`
	// Type is EventNormal or EventWarning.
	Type string `json:"type"`
	// Reason is a short word, such as "Scaled"; Message is for people.
	Reason   string            `json:"reason"`
	Message  string            `json:"message"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// The types of ServiceEndpoint.
const (
	EndpointLoadBalancer = "loadbalancer" // the address of a load balancer
	EndpointIngress      = "ingress"      // the URL of an ingress
	EndpointNodePort     = "nodeport"     // a port on a node
	EndpointCluster      = "cluster"      // a name that resolves inside the cluster only
)

// ServiceEndpoint is where an instance is reached.
type ServiceEndpoint struct {
	InstanceID string `json:"instanceId"`
	// Type tells how, and from where, it is reached, such as EndpointIngress.
	Type     string            `json:"type"`
	URL      string            `json:"url"`
	Host     string            `json:"host"`
	Port     int               `json:"port"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// Health is the answer of HealthCheck.
type Health struct {
	Healthy bool `json:"healthy"`
	// Reason says why not; it is empty when healthy.
	Reason    string `json:"reason,omitempty"`
	CheckedAt Time   `json:"checkedAt"`
}

// CostEstimate is what an instance would cost. A month has 730 hours.
type CostEstimate struct {
	// Currency is an ISO 4217 code, such as "CNY".
	Currency    string  `json:"currency"`
	HourlyCost  float64 `json:"hourlyCost"`
	DailyCost   float64 `json:"dailyCost"`
	MonthlyCost float64 `json:"monthlyCost"`
	// Breakdown is of the hourly cost, and sums to it.
	Breakdown CostBreakdown `json:"breakdown"`
}

// CostBreakdown divides a cost by what it was paid for.
type CostBreakdown struct {
	Compute float64 `json:"compute"`
	Memory  float64 `json:"memory"`
	Storage float64 `json:"storage"`
	Network float64 `json:"network"`
}

// CostActual is what an instance did cost in a period.
type CostActual struct {
	InstanceID string  `json:"instanceId"`
	Currency   string  `json:"currency"`
	StartTime  Time    `json:"startTime"`
	EndTime    Time    `json:"endTime"`
	TotalCost  float64 `json:"totalCost"`
	// Breakdown sums to TotalCost.
	Breakdown CostBreakdown `json:"breakdown"`
	// Coverage is the share of the period, 0 to 1, for which it is known what
	// ran. What ran in the rest is not in TotalCost.
	Coverage float64 `json:"coverage"`
}
