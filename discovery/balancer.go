package discovery

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"skillcenter.io/hosting"
)

// Options change how a Balancer or a Transport works. The zero value is good.
type Options struct {
	// MaxAge is how old the addresses of a service may be: a second if zero.
	// They are asked for again when they are needed and older, once for all who
	// need them.
	MaxAge time.Duration
	// MaxStale is for how long the last known addresses serve while discovery
	// fails, or has not answered yet: a minute if zero. [Balancer.State] and
	// Logger say that it fails.
	MaxStale time.Duration
	// RefreshTimeout bounds one call of discovery: 5 s if zero. Meanwhile the
	// others who need an address use the last known ones, within MaxStale.
	RefreshTimeout time.Duration
	// Strategy is one of [hosting.StrategyRoundRobin] and so on; that of the
	// service if empty.
	Strategy string
	// Select, if not nil, tells which of the services that have the name or
	// alias to use, such as those of one region. What it leaves out does not
	// count: an alias is used if no service that is left bears the name.
	Select func(hosting.ServiceRegistration) bool
	// Logger is told when discovery begins to fail and when it works again, and
	// of addresses that fail their health checks; nobody is if nil.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	o.MaxAge = cmp.Or(o.MaxAge, time.Second)
	o.MaxStale = cmp.Or(o.MaxStale, time.Minute)
	o.RefreshTimeout = cmp.Or(o.RefreshTimeout, 5*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Balancer chooses among the ready addresses of a service. All its methods may
// be called concurrently. Make it with [NewBalancer].
//
// If several services have the name, as in several regions, it chooses among the
// addresses of all, by the strategy of the first by id. Those that have it as an
// alias only are used if no service bears it itself.
type Balancer struct {
	finder  hosting.ServiceDiscovery
	name    string
	options Options

	mu    sync.Mutex
	known knowledge
	// asking is closed when the call of discovery that is under way ends; nil
	// if there is none.
	asking    chan struct{}
	next      int             // for round-robin
	open      map[string]int  // targets in use by address
	avoid     map[string]bool // addresses that have failed since the services were read
	unhealthy map[string]bool // addresses that fail their health checks
}

// NewBalancer returns a balancer for the services that have this name or alias.
// It asks for nothing yet.
func NewBalancer(finder hosting.ServiceDiscovery, serviceName string, options Options) *Balancer {
	return &Balancer{
		finder: finder, name: serviceName, options: options.withDefaults(), known: knowledge{name: serviceName},
		open: map[string]int{}, avoid: map[string]bool{}, unhealthy: map[string]bool{},
	}
}

// Target is an address that was chosen. Call Done when it is no longer in use.
type Target struct {
	Address hosting.ServiceAddress
	// Service is the one that the address belongs to, without its addresses.
	Service hosting.ServiceRegistration

	at       string
	balancer *Balancer
	once     sync.Once
}

// HostPort is where to connect to, as net.Dial wants it.
func (t *Target) HostPort() string { return t.at }

// Done says that the address is no longer in use, which least-connections
// counts. It may be called several times.
func (t *Target) Done() {
	t.once.Do(func() {
		b := t.balancer
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.open[t.at]--; b.open[t.at] <= 0 {
			delete(b.open, t.at)
		}
	})
}

// Failed says that nobody answers at the address. It is chosen again only if
// there is no other, or once the addresses have been read again.
func (t *Target) Failed() {
	t.balancer.mu.Lock()
	defer t.balancer.mu.Unlock()
	t.balancer.avoid[t.at] = true
}

// Pick chooses a ready address, other than those to leave out, which are as
// [Target.HostPort] returns them. It blocks while the addresses are asked for.
//
// The error is of type [*hosting.Error]: ServiceNotFound if there is no such
// service, ServiceFailed with reason Unavailable if it has no such address, or
// that of discovery if nothing is known.
func (b *Balancer) Pick(ctx context.Context, except ...string) (*Target, error) {
	if err := b.refresh(ctx, b.options.MaxAge); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.known.services) == 0 {
		return nil, hosting.Errorf("", hosting.ServiceNotFound, hosting.NotFound, "there is no service %s", b.name)
	}
	candidates := b.candidates(except)
	if len(candidates) == 0 {
		return nil, hosting.Errorf("", hosting.ServiceFailed, hosting.Unavailable, "no address of service %s is ready", b.name)
	}
	chosen := b.choose(candidates)
	b.open[chosen.at]++
	service := *chosen.service
	service.Addresses = nil
	return &Target{Address: chosen.address, Service: service, at: chosen.at, balancer: b}, nil
}

// candidate is an address that may be chosen. It is shared and never changed.
type candidate struct {
	at      string // as net.Dial wants it
	address hosting.ServiceAddress
	service *hosting.ServiceRegistration
}

// candidatesOf are the ready addresses of services, each once.
func candidatesOf(services []hosting.ServiceRegistration) []candidate {
	var result []candidate
	seen := map[string]bool{}
	for i := range services {
		for _, address := range services[i].Addresses {
			if at := hostPort(address); address.Ready && !seen[at] {
				seen[at] = true
				result = append(result, candidate{at, address, &services[i]})
			}
		}
	}
	return result
}

// candidates are the addresses to choose from. One that fails its health checks
// or was refused is better than none: the platform says that it is ready.
func (b *Balancer) candidates(except []string) []candidate {
	if len(except)+len(b.avoid)+len(b.unhealthy) == 0 {
		return b.known.ready
	}
	var good, doubtful []candidate
	for _, c := range b.known.ready {
		switch {
		case slices.Contains(except, c.at):
		case b.avoid[c.at] || b.unhealthy[c.at]:
			doubtful = append(doubtful, c)
		default:
			good = append(good, c)
		}
	}
	if len(good) == 0 {
		return doubtful
	}
	return good
}

func (b *Balancer) choose(from []candidate) candidate {
	turn := b.next % len(from)
	b.next++
	switch b.strategy() {
	case hosting.StrategyRandom:
		return from[rand.IntN(len(from))]
	case hosting.StrategyLeastConnections:
		// Of those with equally few, another one each time.
		least := from[turn]
		for i := range from {
			if c := from[(turn+i)%len(from)]; b.open[c.at] < b.open[least.at] {
				least = c
			}
		}
		return least
	}
	return from[turn]
}

func (b *Balancer) strategy() string {
	if b.options.Strategy != "" {
		return b.options.Strategy
	}
	if balancing := b.known.used[0].LoadBalancer; balancing != nil {
		return balancing.Strategy
	}
	return hosting.StrategyRoundRobin
}

// State is what a Balancer knows.
type State struct {
	// Services are those whose addresses are used, as last known.
	Services []hosting.ServiceRegistration
	// Refreshed is when they were known in full; zero if they never were.
	Refreshed time.Time
	// Err is why they are not now; nil if the last call of discovery succeeded.
	Err error
}

// State returns what the balancer knows. It asks for nothing.
func (b *Balancer) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return State{Services: slices.Clone(b.known.used), Refreshed: b.known.complete, Err: b.known.err}
}
