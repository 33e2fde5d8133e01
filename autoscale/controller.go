package autoscale

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/store"
)

// DefaultInterval is the time between two looks at an instance, as on
// Kubernetes.
const DefaultInterval = 15 * time.Second

// Config is what a [Controller] works with. Provider and Store are required.
type Config struct {
	// Name is the provider's name in errors; that of Provider if empty.
	Name string
	// Provider has the instances.
	Provider hosting.CloudHostingProvider
	// Backend scales them. Nil means Provider.ScaleInstance after a look at the
	// instance: what somebody else does between the two is overwritten.
	Backend Backend
	// Store keeps the policies, as documents of the kind "policy".
	Store store.Store
	// Elector says which of several processes acts; nil if this is the only one.
	Elector Elector
	// Metrics has the metrics of type custom and external. Without it they are
	// not known.
	Metrics MetricSource
	// Interval is the time between two looks; DefaultInterval if zero.
	Interval time.Duration
	// Logger is told what happens; nil for slog.Default.
	Logger *slog.Logger
	// Now is the clock; nil for time.Now. A simulation has one of its own, and
	// calls [Controller.Tick].
	Now func() time.Time
}

// Controller keeps policies and acts on them. All its methods may be called
// concurrently, in several processes that share a store. The calls of
// [hosting.AutoScaler] change what the store has; the platform is asked for
// nothing more than whether an instance exists. What the policies say is done by
// Run, in the one process that leads.
type Controller struct {
	config    Config
	log       *slog.Logger
	wake      chan struct{} // has an element when a call has left something to do
	notStored sync.Once     // the warning that policies are not kept

	mu   sync.Mutex // held while this process acts
	pass *pass      // what it remembers while it does

	taken takenOver // what a store that forgets does not tell the next process
}

var (
	_ hosting.AutoScaler     = (*Controller)(nil)
	_ hosting.PolicyReplacer = (*Controller)(nil)
)

// New returns a controller. It does no I/O; the error, with reason
// InvalidArgument, names what is missing.
func New(config Config) (*Controller, error) {
	missing := func(field, allowed string) error {
		return hosting.Errorf(config.Name, hosting.InvalidConfig, hosting.InvalidArgument, "%w",
			hosting.FieldErrors{{Field: field, Value: "nil", Allowed: allowed}})
	}
	if config.Provider == nil {
		return nil, missing("Provider", "the provider of the instances")
	}
	if config.Store == nil {
		return nil, missing("Store", "a store, such as store.NewMemory()")
	}
	if config.Interval < 0 {
		return nil, hosting.Errorf(config.Name, hosting.InvalidConfig, hosting.InvalidArgument, "%w",
			hosting.FieldErrors{{Field: "Interval", Value: config.Interval, Allowed: "0 for 15s, or more"}})
	}
	config.Name = cmp.Or(config.Name, config.Provider.ProviderName())
	config.Interval = cmp.Or(config.Interval, DefaultInterval)
	if config.Backend == nil {
		config.Backend = plain{config.Provider}
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Controller{config: config, log: config.Logger, wake: make(chan struct{}, 1)}, nil
}

// now returns the time with the precision of everything that is stored.
func (c *Controller) now() hosting.Time { return hosting.NewTime(c.config.Now()) }

// Run acts on the policies until ctx ends, and returns nil then. It looks every
// interval, while this process leads. Calling it again while it runs is a
// Conflict.
//
// If the store forgets the policies when the process ends, Run gives the
// instances that it has taken over back to the platform's autoscalers before it
// returns, which takes up to 10 s.
func (c *Controller) Run(ctx context.Context) error {
	if c.config.Elector == nil {
		if err := c.lead(ctx); err != nil {
			return err
		}
		c.handBack(ctx)
		return nil
	}
	for ctx.Err() == nil {
		var failed error
		err := c.config.Elector.Lead(ctx, func(leading context.Context) { failed = c.lead(leading) })
		if failed != nil {
			return failed
		}
		if err != nil {
			c.log.WarnContext(ctx, "autoscale: the lead was lost", "error", err)
			wait(ctx, nil, time.Second)
		}
	}
	c.handBack(ctx)
	return nil
}

// lead acts until ctx ends.
func (c *Controller) lead(ctx context.Context) error {
	if !c.mu.TryLock() {
		return hosting.Errorf(c.config.Name, hosting.PolicyFailed, hosting.Conflict, "the autoscaler runs already")
	}
	defer c.mu.Unlock()
	c.pass = nil // another process may have led meanwhile
	next := time.Now()
	for ctx.Err() == nil {
		if !time.Now().Before(next) {
			next = time.Now().Add(c.config.Interval)
			c.tick(ctx)
		} else {
			c.settle(ctx)
		}
		wait(ctx, c.wake, time.Until(next))
	}
	return nil
}

// Tick looks once at all policies and acts, as Run does each interval, whether
// or not this process leads. It is for programs with a clock of their own. While
// Run acts it is a Conflict. Other errors are of the store; what goes wrong with
// one instance is logged.
func (c *Controller) Tick(ctx context.Context) error {
	if !c.mu.TryLock() {
		return hosting.Errorf(c.config.Name, hosting.PolicyFailed, hosting.Conflict, "the autoscaler runs already")
	}
	defer c.mu.Unlock()
	return c.tick(ctx)
}

// wait returns after d, when ctx ends or when there is something in wake.
func wait(ctx context.Context, wake <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(max(0, d))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
}

// fail returns err as an error of a call about a policy. An error of a provider
// keeps its reason, and its code if an instance does not exist.
func (c *Controller) fail(instanceID, doing string, err error) error {
	if err == nil {
		return nil
	}
	code := hosting.PolicyFailed
	if hosting.CodeOf(err) == hosting.InstanceNotFound {
		code = hosting.InstanceNotFound
	}
	failed := hosting.Errorf(c.config.Name, code, reasonOf(err), "%s: %w", doing, err)
	failed.InstanceID = instanceID
	return failed
}

// reasonOf returns the reason that an error of a provider or a store has.
func reasonOf(err error) hosting.Reason {
	var e *hosting.Error
	var reason hosting.Reason
	if !errors.As(err, &e) && errors.As(err, &reason) {
		return reason
	}
	return hosting.ReasonOf(err)
}
