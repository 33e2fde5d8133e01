package fake

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/configs"
)

// CreateInstance creates an instance. It returns at once, with status
// creating; the replicas start as their [Workload] says.
func (p *Provider) CreateInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	o := operation{method: "CreateInstance", code: hosting.CreateFailed, name: config.InstanceName}
	r, workload, err := p.prepare(config)
	if err == nil {
		o.id = r.id().String()
	}
	return call(ctx, p, o, func(now time.Time) (hosting.CloudInstance, error) {
		if err != nil {
			return hosting.CloudInstance{}, err
		}
		in, err := p.create(r, workload, now)
		if err != nil {
			return hosting.CloudInstance{}, err
		}
		return in.view(), nil
	})
}

// prepare checks a configuration by itself, and asks how its containers
// behave. The lock is not held, since the caller's function may take its time.
func (p *Provider) prepare(config hosting.CloudHostingConfig) (request, Workload, error) {
	r, err := p.admit(config)
	if err != nil {
		return request{}, Workload{}, err
	}
	return r, p.workloads(r.copy()).withDefaults(r.config), nil
}

// request is what a caller asked for, in the form in which requests are
// compared: the region and nothing else is filled in. It is never changed.
type request struct {
	config  hosting.CloudHostingConfig // canonical
	secrets hosting.SecretMap
}

func (r request) id() hosting.ID {
	return hosting.ID{Region: r.config.Region, Type: r.config.InstanceType, Name: r.config.InstanceName}
}

func (r request) place() place { return place{r.config.Region, r.config.InstanceName} }

// copy returns the configuration for somebody who may change it.
func (r request) copy() hosting.CloudHostingConfig {
	config := configs.Canonical(r.config, r.config.Region)
	config.SecretEnv = maps.Clone(r.secrets)
	return config
}

// differences names the fields in which two requests differ.
func (r request) differences(other request) []string {
	names := configs.Differences(r.config, other.config)
	if !maps.Equal(r.secrets, other.secrets) {
		names = append(names, "secretEnv")
	}
	return names
}

// admit checks a configuration by itself, and copies it.
func (p *Provider) admit(config hosting.CloudHostingConfig) (request, error) {
	if err := config.Validate(); err != nil {
		return request{}, fail(hosting.InvalidArgument, "%w", err)
	}
	if config.Provider != "" && config.Provider != p.name {
		return request{}, notAllowed("provider", config.Provider, []string{p.name})
	}
	region := cmp.Or(config.Region, p.regions[0])
	if !slices.Contains(p.regions, region) {
		return request{}, notAllowed("region", region, p.regions)
	}
	if !slices.Contains(p.types, config.InstanceType) {
		return request{}, notAllowed("instanceType", config.InstanceType, p.types)
	}
	if s := config.Scaling; s != nil && s.MinReplicas != 0 && config.InstanceType == hosting.TypeDaemonSet {
		return request{}, fail(hosting.Unsupported, "%w", hosting.FieldErrors{{Field: "scaling.minReplicas", Value: s.MinReplicas,
			Allowed: "none: a daemonset has one replica on each node"}})
	}
	if hasTarget(config.Scaling) && !autoscales(config.InstanceType) {
		return request{}, fail(hosting.Unsupported, "scaling.targetCPUUtilization and targetMemoryUtilization: a %s cannot be autoscaled", config.InstanceType)
	}
	if err := checkIngress(config); err != nil {
		return request{}, err
	}
	if err := p.defaults.fillResources(config.Resources).Validate(); err != nil {
		return request{}, fail(hosting.InvalidArgument, "%w", err)
	}
	r := request{config: configs.Canonical(config, region), secrets: maps.Clone(config.SecretEnv)}
	mounts := r.config.Container.VolumeMounts
	for i := range mounts {
		mounts[i].VolumeID = strings.TrimPrefix(mounts[i].VolumeID, p.name+":")
	}
	return r, nil
}

// checkIngress refuses an ingress that is asked for and could lead nowhere.
func checkIngress(config hosting.CloudHostingConfig) error {
	n := config.Network
	if n == nil || n.IngressEnabled != nil && !*n.IngressEnabled || n.IngressEnabled == nil && n.IngressHost == "" {
		return nil
	}
	if n.IngressHost == "" {
		return notAllowed("network.ingressHost", "", []string{"a DNS name: an ingress is asked for"})
	}
	if len(portsOf(config)) == 0 {
		return notAllowed("network.ports", "empty", []string{"at least one port: an ingress is asked for"})
	}
	return nil
}

func notAllowed(field, value string, allowed []string) error {
	return fail(hosting.InvalidArgument, "%w",
		hosting.FieldErrors{{Field: field, Value: value, Allowed: strings.Join(allowed, ", ")}})
}

func (p *Provider) create(r request, workload Workload, now time.Time) (*instance, error) {
	config, id := r.config, r.id()
	if existing := p.instances[r.place()]; existing != nil {
		if existing.terminating() {
			return nil, fail(hosting.Conflict, "instance %s is being deleted", existing.key)
		}
		if names := existing.request.differences(r); len(names) > 0 {
			return nil, fail(hosting.AlreadyExists, "instance %s exists with another %s", existing.key, strings.Join(names, ", "))
		}
		return existing, nil
	}
	if err := p.nameIsFree(r); err != nil {
		return nil, err
	}
	if _, err := p.volumesOf(r); err != nil {
		return nil, err
	}
	replicas := p.initialReplicas(config)
	p.uids++
	in := &instance{
		provider: p, uid: p.uids, id: id, key: id.String(), config: config, request: r, workload: workload,
		resources: p.defaults.fillResources(config.Resources), desired: replicas,
		created: now, updated: now, activity: hosting.StatusCreating, changed: make(chan struct{}), workloads: map[int]Workload{},
	}
	if in.isCronJob() {
		if err := in.setSchedule(now); err != nil {
			return nil, err
		}
	}
	in.keepRevision(now)
	if hasTarget(config.Scaling) {
		in.nextTick = now.Add(autoscaleInterval)
	}
	p.instances[r.place()] = in
	p.attach(in, config.Container.VolumeMounts)
	in.event(now, hosting.EventNormal, "Created", fmt.Sprintf("created with %d replicas of %s", in.desired, config.Container.Image))
	in.refresh(now)
	in.notify()
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
	return p.defaults.minReplicas(config)
}
