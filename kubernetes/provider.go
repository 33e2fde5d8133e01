// Package kubernetes hosts instances on Kubernetes 1.31 and newer.
//
// Each instance is a ConfigMap, its anchor, that owns a workload (Deployment,
// StatefulSet, DaemonSet, Job or CronJob) and, where its configuration asks
// for them, a Secret, Services, an Ingress and a HorizontalPodAutoscaler; a
// Deployment or StatefulSet also has a PodDisruptionBudget. The anchor is created first, so its name makes the instance unique, and holds
// what the instance should be, so that any process can finish, repair or
// delete it. Deleting the anchor deletes everything. A volume is a
// PersistentVolumeClaim, which no instance owns.
//
// Reads are live, unless Config.Cache is set and Run runs. Nothing runs in the
// background but Run, and the watches of WatchInstances while it is ranged over.
package kubernetes

import (
	"context"
	"slices"

	"skillcenter.io/hosting"
)

// ProviderType is the value of CloudInstance.ProviderType.
const ProviderType = "kubernetes"

// Provider implements [hosting.CloudHostingProvider] on Kubernetes. All its
// methods may be called concurrently.
type Provider struct {
	config   Config
	regions  map[string]*region
	logSlots *logSlots
	mirrors  mirrors
}

var (
	_ hosting.CloudHostingProvider = (*Provider)(nil)
	_ hosting.CapabilityReporter   = (*Provider)(nil)
	_ hosting.JobRunner            = (*Provider)(nil)
	_ hosting.InstanceApplier      = (*Provider)(nil)
	_ hosting.InstancePlanner      = (*Provider)(nil)
	_ hosting.Rollbacker           = (*Provider)(nil)
	_ hosting.InstanceWatcher      = (*Provider)(nil)
	_ hosting.ServiceDiscovery     = (*Provider)(nil)
	_ hosting.VolumeManager        = (*Provider)(nil)
	_ hosting.EventRecorder        = (*Provider)(nil)
)

// New returns a Provider for the configuration. It reads kubeconfigs and the
// files that they name; one that cannot be read is an InvalidArgument that
// names the region. It talks to no cluster, so a program can start while one is
// away: [Provider.Check] tells whether all can be used. A cluster is asked for
// its version when it is used first; while that fails, calls about its regions
// are Unavailable, or Unsupported if it is older than 1.31.
func New(ctx context.Context, config Config) (*Provider, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Provider{config: config, logSlots: newLogSlots(config.LogStreams)}
	if err := ctx.Err(); err != nil {
		return nil, p.fail(ctx, hosting.InvalidConfig, "", "connecting", err)
	}
	if p.regions, err = connect(config); err != nil {
		return nil, err
	}
	return p, nil
}

// ProviderName returns the configured name.
func (p *Provider) ProviderName() string { return p.config.Name }

// SupportedRegions returns the configured regions, the default one first.
func (p *Provider) SupportedRegions() []string {
	names := make([]string, len(p.config.Regions))
	for i, region := range p.config.Regions {
		names[i] = region.Name
	}
	return names
}

// SupportedInstanceTypes returns the five types of the protocol.
func (p *Provider) SupportedInstanceTypes() []string { return slices.Clone(instanceTypes) }

var instanceTypes = []string{
	hosting.TypeDeployment, hosting.TypeStatefulSet, hosting.TypeDaemonSet, hosting.TypeJob, hosting.TypeCronJob,
}

// target is an instance that a call is about: where it is, whether or not it
// exists.
type target struct {
	*region
	kind *kind
	id   string // canonical, without the provider's name
	name string
}

// find resolves an id. It does no I/O: an id of a region or type that this
// provider does not have names nothing.
func (p *Provider) find(code hosting.Code, instanceID string) (target, error) {
	id, err := hosting.ParseID(instanceID)
	if err != nil {
		failed := hosting.Errorf(p.config.Name, code, hosting.InvalidArgument, "%w", err)
		failed.InstanceID = instanceID
		return target{}, failed
	}
	region, kind := p.regions[id.Region], kinds[id.Type]
	if region == nil || kind == nil || (id.Provider != "" && id.Provider != p.config.Name) {
		return target{}, p.notFound(instanceID)
	}
	id.Provider = ""
	return target{region: region, kind: kind, id: id.String(), name: id.Name}, nil
}

func (p *Provider) notFound(instanceID string) error {
	return &hosting.Error{Provider: p.config.Name, Code: hosting.InstanceNotFound, Reason: hosting.NotFound,
		InstanceID: instanceID, Message: "instance " + instanceID + " does not exist"}
}
