package conformance_test

import (
	"context"
	"iter"
	"sync"

	"skillcenter.io/hosting"
)

type (
	ctx      = context.Context
	config   = hosting.CloudHostingConfig
	instance = hosting.CloudInstance
	stream   = iter.Seq2[hosting.LogEntry, error]
	changes  = iter.Seq2[hosting.InstanceChange, error]
)

// broken is the reference with hooks, each of which may spoil one method. A
// hook calls the sound method through b.good.
type broken struct {
	full
	good full

	mu    sync.Mutex
	notes map[string]any // what a defect remembers

	context  func(ctx) ctx // applied to every call but streams
	fail     func(error) error
	show     func(instance) instance // applied to every instance that is returned
	regions  func([]string) []string
	caps     func(region, typ string, set hosting.CapabilitySet, err error) (hosting.CapabilitySet, error)
	create   func(ctx, config) (instance, error)
	list     func([]instance) []instance
	delete   func(ctx, string) error
	start    func(ctx, string) error
	stop     func(ctx, string) error
	restart  func(ctx, string) error
	scale    func(ctx, string, int) error
	update   func(ctx, string, hosting.ResourceConfig) error
	metrics  func(hosting.InstanceMetrics) hosting.InstanceMetrics
	logs     func(ctx, string, hosting.LogQueryOptions) ([]hosting.LogEntry, error)
	stream   func(ctx, string, hosting.LogQueryOptions) stream
	events   func([]hosting.InstanceEvent) []hosting.InstanceEvent
	record   func(ctx, string, hosting.InstanceEvent) error
	endpoint func(hosting.ServiceEndpoint, error) (hosting.ServiceEndpoint, error)
	health   func(hosting.Health) hosting.Health
	estimate func(config, hosting.CostEstimate) hosting.CostEstimate
	actual   func(hosting.CostActual, error) (hosting.CostActual, error)
	run      func(ctx, string) error
	watch    func(changes) changes
	apply    func(ctx, config) (instance, error)
	plan     func(ctx, config) (hosting.InstancePlan, error)
	rollback func(ctx, string, int) (instance, error)

	revisions func([]hosting.InstanceRevision) []hosting.InstanceRevision
	registry  *registry
}

func newBroken(defect func(*broken)) *broken {
	sound := newFull()
	b := &broken{full: sound, good: sound, notes: map[string]any{}}
	b.registry = b.newRegistry()
	defect(b)
	return b
}

func (b *broken) ctx(c ctx) ctx {
	if b.context != nil {
		return b.context(c)
	}
	return c
}

func (b *broken) err(err error) error {
	if b.fail != nil && err != nil {
		return b.fail(err)
	}
	return err
}

func (b *broken) shown(in instance, err error) (instance, error) {
	if b.show != nil && err == nil {
		in = b.show(in)
	}
	return in, b.err(err)
}

func (b *broken) SupportedRegions() []string {
	if b.regions != nil {
		return b.regions(b.full.SupportedRegions())
	}
	return b.full.SupportedRegions()
}

func (b *broken) Capabilities(c ctx, region, typ string) (hosting.CapabilitySet, error) {
	set, err := b.full.Capabilities(b.ctx(c), region, typ)
	if b.caps != nil {
		set, err = b.caps(region, typ, set, err)
	}
	return set, b.err(err)
}

func (b *broken) CreateInstance(c ctx, config config) (instance, error) {
	if b.create != nil {
		return b.shown(b.create(b.ctx(c), config))
	}
	return b.shown(b.full.CreateInstance(b.ctx(c), config))
}

func (b *broken) GetInstance(c ctx, id string) (instance, error) {
	return b.shown(b.full.GetInstance(b.ctx(c), id))
}

func (b *broken) ListInstances(c ctx) ([]instance, error) {
	list, err := b.full.ListInstances(b.ctx(c))
	for i := range list {
		list[i], _ = b.shown(list[i], nil)
	}
	if b.list != nil {
		list = b.list(list)
	}
	return list, b.err(err)
}

// simple calls a hook, or the sound method, that returns only an error.
func (b *broken) simple(hook, sound func(ctx, string) error, c ctx, id string) error {
	if hook != nil {
		sound = hook
	}
	return b.err(sound(b.ctx(c), id))
}

func (b *broken) DeleteInstance(c ctx, id string) error {
	return b.simple(b.delete, b.full.DeleteInstance, c, id)
}

func (b *broken) StartInstance(c ctx, id string) error {
	return b.simple(b.start, b.full.StartInstance, c, id)
}

func (b *broken) StopInstance(c ctx, id string) error {
	return b.simple(b.stop, b.full.StopInstance, c, id)
}

func (b *broken) RestartInstance(c ctx, id string) error {
	return b.simple(b.restart, b.full.RestartInstance, c, id)
}

func (b *broken) RunNow(c ctx, id string) error {
	return b.simple(b.run, b.full.RunNow, c, id)
}

func (b *broken) ScaleInstance(c ctx, id string, replicas int) error {
	if b.scale != nil {
		return b.err(b.scale(b.ctx(c), id, replicas))
	}
	return b.err(b.full.ScaleInstance(b.ctx(c), id, replicas))
}

func (b *broken) UpdateResources(c ctx, id string, resources hosting.ResourceConfig) error {
	if b.update != nil {
		return b.err(b.update(b.ctx(c), id, resources))
	}
	return b.err(b.full.UpdateResources(b.ctx(c), id, resources))
}

func (b *broken) GetMetrics(c ctx, id string) (hosting.InstanceMetrics, error) {
	metrics, err := b.full.GetMetrics(b.ctx(c), id)
	if b.metrics != nil && err == nil {
		metrics = b.metrics(metrics)
	}
	return metrics, b.err(err)
}

func (b *broken) GetLogs(c ctx, id string, options hosting.LogQueryOptions) ([]hosting.LogEntry, error) {
	if b.logs != nil {
		entries, err := b.logs(b.ctx(c), id, options)
		return entries, b.err(err)
	}
	entries, err := b.full.GetLogs(b.ctx(c), id, options)
	return entries, b.err(err)
}

func (b *broken) StreamLogs(c ctx, id string, options hosting.LogQueryOptions) stream {
	entries := b.full.StreamLogs(c, id, options)
	if b.stream != nil {
		entries = b.stream(c, id, options)
	}
	return func(yield func(hosting.LogEntry, error) bool) {
		for entry, err := range entries {
			if !yield(entry, b.err(err)) {
				return
			}
		}
	}
}

func (b *broken) GetEvents(c ctx, id string) ([]hosting.InstanceEvent, error) {
	events, err := b.full.GetEvents(b.ctx(c), id)
	if b.events != nil {
		events = b.events(events)
	}
	return events, b.err(err)
}

func (b *broken) RecordEvent(c ctx, id string, event hosting.InstanceEvent) error {
	if b.record != nil {
		return b.err(b.record(b.ctx(c), id, event))
	}
	return b.err(b.full.RecordEvent(b.ctx(c), id, event))
}

func (b *broken) GetServiceEndpoint(c ctx, id string) (hosting.ServiceEndpoint, error) {
	endpoint, err := b.full.GetServiceEndpoint(b.ctx(c), id)
	if b.endpoint != nil {
		endpoint, err = b.endpoint(endpoint, err)
	}
	return endpoint, b.err(err)
}

func (b *broken) HealthCheck(c ctx, id string) (hosting.Health, error) {
	health, err := b.full.HealthCheck(b.ctx(c), id)
	if b.health != nil && err == nil {
		health = b.health(health)
	}
	return health, b.err(err)
}

func (b *broken) EstimateCost(c ctx, config config) (hosting.CostEstimate, error) {
	estimate, err := b.full.EstimateCost(b.ctx(c), config)
	if b.estimate != nil && err == nil {
		estimate = b.estimate(config, estimate)
	}
	return estimate, b.err(err)
}

func (b *broken) GetActualCost(c ctx, id string, start, end hosting.Time) (hosting.CostActual, error) {
	actual, err := b.full.GetActualCost(b.ctx(c), id, start, end)
	if b.actual != nil {
		actual, err = b.actual(actual, err)
	}
	return actual, b.err(err)
}

func (b *broken) WatchInstances(c ctx) changes {
	if b.watch != nil {
		return b.watch(b.full.WatchInstances(c))
	}
	return b.full.WatchInstances(c)
}

func (b *broken) ApplyInstance(c ctx, config config) (instance, error) {
	if b.apply != nil {
		return b.shown(b.apply(b.ctx(c), config))
	}
	return b.shown(b.full.ApplyInstance(b.ctx(c), config))
}

func (b *broken) PlanInstance(c ctx, config config) (hosting.InstancePlan, error) {
	if b.plan != nil {
		plan, err := b.plan(b.ctx(c), config)
		return plan, b.err(err)
	}
	plan, err := b.full.PlanInstance(b.ctx(c), config)
	return plan, b.err(err)
}

func (b *broken) ListRevisions(c ctx, id string) ([]hosting.InstanceRevision, error) {
	revisions, err := b.full.ListRevisions(b.ctx(c), id)
	if b.revisions != nil {
		revisions = b.revisions(revisions)
	}
	return revisions, b.err(err)
}

func (b *broken) RollbackInstance(c ctx, id string, revision int) (instance, error) {
	if b.rollback != nil {
		return b.shown(b.rollback(b.ctx(c), id, revision))
	}
	return b.shown(b.full.RollbackInstance(b.ctx(c), id, revision))
}
