package fake

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/cron"
)

// CreateInstance creates an instance. It returns at once, with status
// creating; the replicas start as their [Workload] says.
func (p *Provider) CreateInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	o := operation{method: "CreateInstance", code: hosting.CreateFailed, name: config.InstanceName}
	admitted, err := p.admit(config)
	var workload Workload
	if err == nil {
		// Here and not below, since the caller's function may take its time.
		workload = p.workloads(admitted.copy()).withDefaults(config.InstanceType)
	}
	return call(ctx, p, o, func(now time.Time) (hosting.CloudInstance, error) {
		if err != nil {
			return hosting.CloudInstance{}, err
		}
		in, err := p.create(admitted, workload, now)
		if err != nil {
			return hosting.CloudInstance{}, err
		}
		return in.view(), nil
	})
}

// canonical is a configuration as JSON, in the form that configurations are
// compared in: the region and nothing else is filled in.
type canonical string

// copy returns the configuration.
func (c canonical) copy() hosting.CloudHostingConfig {
	var config hosting.CloudHostingConfig
	if err := json.Unmarshal([]byte(c), &config); err != nil {
		panic(err) // it was made by json.Marshal of such a value
	}
	return config
}

// admit checks a configuration by itself, and copies it.
func (p *Provider) admit(config hosting.CloudHostingConfig) (canonical, error) {
	if err := config.Validate(); err != nil {
		return "", fail(hosting.InvalidArgument, "%w", err)
	}
	if config.Provider != "" && config.Provider != p.name {
		return "", notAllowed("provider", config.Provider, []string{p.name})
	}
	config.Provider = ""
	config.Region = cmp.Or(config.Region, p.regions[0])
	if !slices.Contains(p.regions, config.Region) {
		return "", notAllowed("region", config.Region, p.regions)
	}
	if !slices.Contains(p.types, config.InstanceType) {
		return "", notAllowed("instanceType", config.InstanceType, p.types)
	}
	if n := config.Network; n != nil && n.IngressEnabled != nil && *n.IngressEnabled && n.IngressHost == "" {
		return "", fail(hosting.InvalidArgument, `network.ingressHost "": an ingress needs a DNS name`)
	}
	if hasTarget(config.Scaling) && !autoscales(config.InstanceType) {
		return "", fail(hosting.Unsupported, "scaling.targetCPUUtilization and targetMemoryUtilization: a %s cannot be autoscaled", config.InstanceType)
	}
	if err := fillResources(config.Resources).Validate(); err != nil {
		return "", fail(hosting.InvalidArgument, "%w", err)
	}
	data, err := json.Marshal(config)
	if err != nil {
		return "", fail(hosting.Internal, "copying the configuration: %w", err)
	}
	return canonical(data), nil
}

func notAllowed(field, value string, allowed []string) error {
	return fail(hosting.InvalidArgument, "%w",
		hosting.FieldErrors{{Field: field, Value: value, Allowed: strings.Join(allowed, ", ")}})
}

func (p *Provider) create(admitted canonical, workload Workload, now time.Time) (*instance, error) {
	config := admitted.copy()
	id := hosting.ID{Region: config.Region, Type: config.InstanceType, Name: config.InstanceName}
	at := place{id.Region, id.Name}
	if existing := p.instances[at]; existing != nil {
		switch {
		case existing.terminating():
			return nil, fail(hosting.Conflict, "instance %s is being deleted", existing.key)
		case existing.admitted != admitted:
			return nil, fail(hosting.AlreadyExists, "instance %s exists with another configuration", existing.key)
		}
		return existing, nil
	}
	replicas := p.initialReplicas(config)
	mounts := config.Container.VolumeMounts
	for i, mount := range mounts {
		volume, err := p.mountable(mount, id, max(replicas, 1), hasTarget(config.Scaling))
		if err != nil {
			return nil, hosting.Errorf("", hosting.CreateFailed, hosting.ReasonOf(err), "container.volumeMounts[%d]: %w", i, err)
		}
		mounts[i].VolumeID = volume.VolumeID
	}
	p.uids++
	in := &instance{
		provider: p, uid: p.uids, id: id, key: id.String(), config: config, admitted: admitted, workload: workload,
		resources: fillResources(config.Resources), desired: replicas,
		created: now, updated: now, activity: hosting.StatusCreating, changed: make(chan struct{}),
	}
	if config.InstanceType == hosting.TypeCronJob {
		schedule, err := cron.Parse(config.Schedule)
		if err != nil {
			return nil, fail(hosting.InvalidArgument, "schedule: %w", err)
		}
		in.schedule, in.nextRun = schedule, schedule.Next(now)
	}
	if hasTarget(config.Scaling) {
		in.nextTick = now.Add(autoscaleInterval)
	}
	p.instances[at] = in
	for _, mount := range mounts {
		volume := p.volumes[mount.VolumeID]
		volume.Mounts = append(volume.Mounts, hosting.Mount{
			InstanceID: in.key, MountPath: mount.MountPath, ReadOnly: mount.ReadOnly, SubPath: mount.SubPath})
	}
	p.refreshMounts(in)
	in.event(now, hosting.EventNormal, "Created", fmt.Sprintf("created with %d replicas of %s", in.desired, config.Container.Image))
	in.refresh(now)
	return in, nil
}

// initialReplicas is how many replicas a new instance gets.
func (p *Provider) initialReplicas(config hosting.CloudHostingConfig) int {
	switch config.InstanceType {
	case hosting.TypeDaemonSet:
		return p.nodes
	case hosting.TypeCronJob:
		return 0 // until its schedule starts a run
	}
	if config.Scaling == nil {
		return 1
	}
	return max(config.Scaling.MinReplicas, 1)
}

// The defaults of protocol section 3.4.
const (
	defaultCPURequest    = 0.25
	defaultCPULimit      = 0.5
	defaultMemoryRequest = 256 << 20
	defaultMemoryLimit   = 512 << 20
)

// fillResources returns what is in force when the caller gave resources. A
// default gives way to what was given beside it.
func fillResources(resources *hosting.ResourceConfig) hosting.ResourceConfig {
	var r hosting.ResourceConfig
	if resources != nil {
		r = *resources
	}
	r.CPURequest, r.CPULimit = fillPair(r.CPURequest, r.CPULimit, defaultCPURequest, defaultCPULimit)
	r.MemoryRequest, r.MemoryLimit = fillPair(r.MemoryRequest, r.MemoryLimit, defaultMemoryRequest, defaultMemoryLimit)
	return r
}

func fillPair[N int64 | float64](request, limit, defaultRequest, defaultLimit N) (N, N) {
	if request == 0 {
		request = defaultRequest
		if limit > 0 {
			request = min(request, limit)
		}
	}
	if limit == 0 {
		limit = max(defaultLimit, request)
	}
	return request, limit
}

// merge returns resources with the fields of change that are not zero.
func merge(resources, change hosting.ResourceConfig) hosting.ResourceConfig {
	return hosting.ResourceConfig{
		CPULimit:      cmp.Or(change.CPULimit, resources.CPULimit),
		CPURequest:    cmp.Or(change.CPURequest, resources.CPURequest),
		MemoryLimit:   cmp.Or(change.MemoryLimit, resources.MemoryLimit),
		MemoryRequest: cmp.Or(change.MemoryRequest, resources.MemoryRequest),
		StorageLimit:  cmp.Or(change.StorageLimit, resources.StorageLimit),
	}
}

// microCores is how CPU is counted where it must not be a fraction.
func microCores(cores float64) int64 { return int64(math.Round(cores * 1e6)) }
