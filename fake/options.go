package fake

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/discovery"
	"skillcenter.io/hosting/volume"
)

// Option changes what New makes.
type Option func(*Provider)

// New returns an empty provider. Without options it is named "fake", has the
// regions default, us-west-1, us-east-1, eu-west-1 and asia-east-1, the five
// instance types of the protocol, and three nodes.
//
// Names that cannot stand in an id, the types "volume" and "service", which the
// ids of volumes and services have, and less than one node are mistakes of the
// program: New panics.
func New(opts ...Option) *Provider {
	p := &Provider{
		name:    "fake",
		regions: []string{"default", "us-west-1", "us-east-1", "eu-west-1", "asia-east-1"},
		types: []string{
			hosting.TypeDeployment, hosting.TypeStatefulSet, hosting.TypeDaemonSet, hosting.TypeJob, hosting.TypeCronJob,
		},
		nodes:     3,
		rates:     DefaultRates(),
		defaults:  protocolDefaults(),
		now:       time.Now,
		workloads: func(hosting.CloudHostingConfig) Workload { return Workload{} },
		instances: map[place]*instance{},
		volumes:   map[string]*hosting.Volume{},
		services:  map[place]*registration{},
		changed:   make(chan struct{}),
	}
	for _, opt := range opts {
		opt(p)
	}
	p.mustFitIDs()
	for _, taken := range takenTypes {
		if slices.Contains(p.types, taken) {
			panic(fmt.Sprintf("fake.New: type %q is what the ids of %ss have; instances need another one", taken, taken))
		}
	}
	return p
}

// takenTypes are what the ids of volumes, services and policies have for a type.
var takenTypes = []string{volume.Type, discovery.IDType, "policy"}

// mustFitIDs panics if there is something that cannot stand in an id.
func (p *Provider) mustFitIDs() {
	for _, region := range p.regions {
		for _, instanceType := range p.types {
			if p.name == "" || !fitsID(hosting.ID{Provider: p.name, Region: region, Type: instanceType}) {
				panic(fmt.Sprintf("fake.New: name %q, region %q and type %q cannot make an id: name and regions are DNS labels, types lower-case letters and digits",
					p.name, region, instanceType))
			}
		}
	}
}

// WithName sets the provider's name: a DNS label, since ids may have it as a
// prefix.
func WithName(name string) Option { return func(p *Provider) { p.name = name } }

// WithRegions replaces the regions, which are DNS labels. The first is the
// default; none at all keeps what is there.
func WithRegions(regions ...string) Option {
	return func(p *Provider) {
		if len(regions) > 0 {
			p.regions = slices.Clone(regions)
		}
	}
}

// WithInstanceTypes replaces the instance types, which are lower-case letters
// and digits, and not "volume" or "service"; none at all keeps what is there. A type that the
// protocol does not know behaves like a deployment.
func WithInstanceTypes(types ...string) Option {
	return func(p *Provider) {
		if len(types) > 0 {
			p.types = slices.Clone(types)
		}
	}
}

// WithNodes sets the number of nodes, which is how many replicas a daemonset
// has: at least 1.
func WithNodes(n int) Option {
	return func(p *Provider) {
		if n < 1 {
			panic(fmt.Sprintf("fake.WithNodes(%d): there is at least one node", n))
		}
		p.nodes = n
	}
}

// WithClock lets the provider read the time from now, which may be called
// concurrently: a simulation has a clock of its own. What waits goes by the
// computer's clock all the same: streams of logs, watches, and the delays of call
// faults. With another clock they are of no use.
func WithClock(now func() time.Time) Option {
	return func(p *Provider) {
		if now != nil {
			p.now = now
		}
	}
}

// WithRates sets the prices. An empty currency is CNY.
func WithRates(rates Rates) Option {
	return func(p *Provider) {
		rates.Currency = cmp.Or(rates.Currency, "CNY")
		p.rates = rates
	}
}

// WithWorkload lets f say how the containers of each instance behave; nil
// keeps what is there. It is called once for each CreateInstance and
// ApplyInstance with a valid configuration, which f owns. That includes calls
// that repeat an earlier one, or fail because of what exists or of their
// context; then the answer is not used. After a change, containers that run go
// on as they did. f may be called concurrently.
func WithWorkload(f func(hosting.CloudHostingConfig) Workload) Option {
	return func(p *Provider) {
		if f != nil {
			p.workloads = f
		}
	}
}

// Workload is how the containers of an instance behave. The zero value is a
// program that is up after two seconds, prints a line each second and, as a
// job, is done after ten.
type Workload struct {
	// StartTime is how long a replica takes until it is ready: it is
	// scheduled, its image is pulled and its container starts. 2 s if zero; a
	// negative time means none.
	StartTime time.Duration
	// StopTime is how long a replica takes to end when it is stopped. 1 s if
	// zero; a negative time means none. The delay of ContainerConfig.PreStop
	// comes on top of it, its command takes no time, and no grace period cuts
	// it short.
	StopTime time.Duration
	// RunTime is how long the container runs before it ends by itself. Zero
	// is 10 s for a job or a run of a cronjob, and until it is stopped
	// otherwise; a negative time is that for all types. A
	// container of another type that ends is started again as a real platform
	// does it, with growing pauses (reason CrashLoopBackOff).
	RunTime time.Duration
	// ExitCode is how the container ends by itself. Other than 0, a job has
	// failed; the fake does not try it again.
	ExitCode int
	// LogInterval is the time between two lines. 1 s if zero; with a negative
	// time nothing is printed.
	LogInterval time.Duration
	// LogLine returns line n of a container, from 0, which is printed as the
	// container starts. It must return the same line for the same n, since
	// lines are made when they are read. What comes behind a line break is
	// dropped. Nil prints "started", "line 1", "line 2" and so on.
	LogLine func(n int) string
}

// withDefaults fills in what the zero values stand for, and what the
// configuration has to say.
func (w Workload) withDefaults(config hosting.CloudHostingConfig) Workload {
	w.StartTime = max(0, cmp.Or(w.StartTime, 2*time.Second))
	w.StopTime = max(0, cmp.Or(w.StopTime, time.Second))
	if preStop := config.Container.PreStop; preStop != nil {
		w.StopTime += preStop.Delay.Std()
	}
	if w.RunTime == 0 && endsByItself(config.InstanceType) {
		w.RunTime = 10 * time.Second
	}
	w.LogInterval = cmp.Or(w.LogInterval, time.Second)
	if w.LogLine == nil {
		w.LogLine = defaultLine
	}
	return w
}

func defaultLine(n int) string {
	if n == 0 {
		return "started"
	}
	return fmt.Sprintf("line %d", n)
}

// endsByItself tells whether containers of a type are meant to end.
func endsByItself(instanceType string) bool {
	return instanceType == hosting.TypeJob || instanceType == hosting.TypeCronJob
}
