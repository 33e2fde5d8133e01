// Package fake is a hosting provider that lives in memory, for tests and for
// demonstrations. It needs no cluster and no network, and behaves like a
// platform: replicas take time to start and to stop, jobs end, cronjobs run on
// their schedule, logs grow, load is shared by the replicas, and money is
// spent.
//
// All of it is computed from the time that has passed, when somebody asks.
// There are no goroutines and nothing sleeps, so in a testing/synctest bubble
// forty days go by at once. Only streams of logs and watches wait, in the
// goroutine that ranges over them.
//
// What goes wrong is scripted: [Provider.InjectStart] lets replicas fail to
// start, [Provider.InjectCall] lets calls fail or take long.
//
// # What is kept
//
// Memory is bounded however long an instance lives: the newest 1000 events and
// 10 configurations of an instance; of each container that runs the newest 10 000 log lines, also
// of the newest 200 containers that have ended; the newest 5000 changes or more
// of what it costs, and what came before by the hour, for more than a year; and
// the costs of the newest 256 deleted instances, at least 40 days of each.
// Where more was forgotten, the coverage of the actual cost says so.
package fake

import (
	"context"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"skillcenter.io/hosting"
)

// providerType is CloudInstance.ProviderType.
const providerType = "fake"

// Provider is an in-memory hosting provider; make it with [New]. All its
// methods may be called concurrently.
//
// Functions that it was given ([Workload].LogLine and loads) are also called
// concurrently.
type Provider struct {
	name      string
	regions   []string
	types     []string
	nodes     int
	rates     Rates
	defaults  defaults
	now       func() time.Time
	workloads func(hosting.CloudHostingConfig) Workload

	mu        sync.Mutex
	closed    bool
	latest    time.Time // what clock returned last
	uids      int
	instances map[place]*instance
	graves    []grave // of deleted instances, the newest last
	forgotten period  // in which those lived that are no longer among them
	volumes   map[string]*hosting.Volume
	services  map[place]*registration // by region and service name
	faults    faults
	changed   chan struct{} // closed when somebody changes any instance
}

// place is where an instance is: names are unique over all types.
type place struct{ region, name string }

var (
	_ hosting.CloudHostingProvider = (*Provider)(nil)
	_ hosting.LogStreamer          = (*Provider)(nil)
	_ hosting.InstanceWatcher      = (*Provider)(nil)
	_ hosting.InstanceApplier      = (*Provider)(nil)
	_ hosting.InstancePlanner      = (*Provider)(nil)
	_ hosting.Rollbacker           = (*Provider)(nil)
	_ hosting.EventRecorder        = (*Provider)(nil)
	_ hosting.JobRunner            = (*Provider)(nil)
	_ hosting.CapabilityReporter   = (*Provider)(nil)
	_ hosting.VolumeManager        = (*Provider)(nil)
	_ hosting.ServiceDiscovery     = (*Provider)(nil)
	_ io.Closer                    = (*Provider)(nil)
)

// ProviderName returns the name that [WithName] gave, or "fake".
func (p *Provider) ProviderName() string { return p.name }

// SupportedRegions returns the regions of [WithRegions]. The first is the
// default.
func (p *Provider) SupportedRegions() []string { return slices.Clone(p.regions) }

// SupportedInstanceTypes returns the types of [WithInstanceTypes].
func (p *Provider) SupportedInstanceTypes() []string { return slices.Clone(p.types) }

// GetInstance returns one instance as it is now.
func (p *Provider) GetInstance(ctx context.Context, instanceID string) (hosting.CloudInstance, error) {
	return call(ctx, p, onInstance("GetInstance", hosting.GetFailed, instanceID), func(time.Time) (hosting.CloudInstance, error) {
		in, err := p.find(instanceID)
		if err != nil {
			return hosting.CloudInstance{}, err
		}
		return in.view(), nil
	})
}

// ListInstances returns all instances, sorted by id.
func (p *Provider) ListInstances(ctx context.Context) ([]hosting.CloudInstance, error) {
	o := operation{method: "ListInstances", code: hosting.ListFailed}
	return call(ctx, p, o, func(time.Time) ([]hosting.CloudInstance, error) {
		list := make([]hosting.CloudInstance, 0, len(p.instances))
		for _, in := range p.sorted() {
			list = append(list, in.view())
		}
		return list, nil
	})
}

// sorted returns the instances by id.
func (p *Provider) sorted() []*instance {
	byID := make(map[string]*instance, len(p.instances))
	for _, in := range p.instances {
		byID[in.key] = in
	}
	list := make([]*instance, 0, len(byID))
	for _, key := range slices.Sorted(maps.Keys(byID)) {
		list = append(list, byID[key])
	}
	return list
}

// HealthCheck tells whether the instance can do its work now. The checks of
// ContainerConfig.HealthCheck are taken to succeed as soon as a replica runs.
func (p *Provider) HealthCheck(ctx context.Context, instanceID string) (hosting.Health, error) {
	return call(ctx, p, onInstance("HealthCheck", hosting.HealthFailed, instanceID), func(now time.Time) (hosting.Health, error) {
		in, err := p.find(instanceID)
		if err != nil {
			return hosting.Health{}, err
		}
		reason := in.unhealthyBecause()
		return hosting.Health{Healthy: reason == "", Reason: reason, CheckedAt: hosting.NewTime(now)}, nil
	})
}

// notify wakes those who wait for a change.
func (p *Provider) notify() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// Close ends the provider: log streams and watches end with an error, and calls fail with
// reason Unavailable from now on. It never fails, and may be repeated.
func (p *Provider) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.notify()
	for _, in := range p.instances {
		in.notify()
	}
	return nil
}
