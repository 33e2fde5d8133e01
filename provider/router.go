package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/provider/driver"
)

// Named is a backend under the name that it has in the configuration. That
// name stands before the ids of everything on it.
type Named struct {
	Name string
	driver.Backend
}

// Router is one provider over several backends. Make it with [NewRouter].
//
// # Ids
//
// Ids that it returns, also in errors, begin with the name of the backend, as
// in "kubernetes:default.deployment.web". Ids that it takes may do without it;
// then they mean the default provider. A name that no backend has is
// [hosting.NotFound], since nothing can be there; the message says which names
// there are. Only in a configuration a volume's id without a name means the
// provider of the instance.
//
// # Where things are created
//
// On the provider that is named. If none is, on the default provider if it has
// the region and the instance type; otherwise on the one that has both. If
// several do, the error asks for a name.
//
// # When a provider fails
//
// Lists ask all providers at the same time, and each for 30 seconds at most if
// there are several. One that fails hides nothing of the others: their items
// are returned together with an error that names it. A watch cannot tell of a
// part that is missing, so it ends with an error that names the provider; watch
// the others through [Router.Backend].
//
// All methods may be called concurrently. A Router starts no goroutine that
// outlives a call.
type Router struct {
	backends    []Named // the default one is the first
	listTimeout time.Duration

	close    sync.Once
	closeErr error
}

// listTimeout is how long one of several backends may take for a list.
const listTimeout = 30 * time.Second

var (
	_ hosting.CloudHostingProvider       = (*Router)(nil)
	_ hosting.LogStreamer                = (*Router)(nil)
	_ hosting.InstanceWatcher            = (*Router)(nil)
	_ hosting.InstanceApplier            = (*Router)(nil)
	_ hosting.InstancePlanner            = (*Router)(nil)
	_ hosting.Rollbacker                 = (*Router)(nil)
	_ hosting.JobRunner                  = (*Router)(nil)
	_ hosting.EventRecorder              = (*Router)(nil)
	_ hosting.CapabilityReporter         = (*Router)(nil)
	_ hosting.InstanceCapabilityReporter = (*Router)(nil)
	_ hosting.ProviderLister             = (*Router)(nil)
	_ hosting.VolumeManager              = (*Router)(nil)
	_ hosting.ServiceDiscovery           = (*Router)(nil)
	_ autoscale.Backend                  = (*Router)(nil)
	_ driver.Checker                     = (*Router)(nil)
	_ io.Closer                          = (*Router)(nil)
)

// NewRouter returns a provider over backends, whose names are DNS labels. The
// error is an InvalidConfig.
func NewRouter(defaultProvider string, backends []Named) (*Router, error) {
	r := &Router{backends: slices.Clone(backends), listTimeout: listTimeout}
	if len(r.backends) == 0 {
		return nil, hosting.Errorf(defaultProvider, hosting.InvalidConfig, hosting.InvalidArgument, "there is no provider")
	}
	for i, n := range r.backends {
		probe := hosting.ID{Provider: n.Name, Region: "r", Type: "t", Name: "n"}
		switch id, err := hosting.ParseID(probe.String()); {
		case err != nil || id != probe || n.Name == "":
			return nil, hosting.Errorf(n.Name, hosting.InvalidConfig, hosting.InvalidArgument,
				"the name of provider %q: allowed: lower-case letters, digits and '-' inside, at most 63 characters", n.Name)
		case n.Provider == nil:
			return nil, hosting.Errorf(n.Name, hosting.InvalidConfig, hosting.InvalidArgument, "provider %q is nil", n.Name)
		case slices.ContainsFunc(r.backends[:i], func(other Named) bool { return other.Name == n.Name }):
			return nil, hosting.Errorf(n.Name, hosting.InvalidConfig, hosting.InvalidArgument, "two providers have the name %q", n.Name)
		}
	}
	i := slices.IndexFunc(r.backends, func(n Named) bool { return n.Name == defaultProvider })
	if i < 0 {
		return nil, hosting.Errorf(defaultProvider, hosting.InvalidConfig, hosting.InvalidArgument,
			"defaultProvider %q: allowed: %s", defaultProvider, r.names())
	}
	first := r.backends[i]
	r.backends = slices.Insert(slices.Delete(r.backends, i, i+1), 0, first)
	return r, nil
}

// ProviderName returns the name of the default provider.
func (r *Router) ProviderName() string { return r.backends[0].Name }

// Backends returns the backends, the default one first and the others as they
// were given.
func (r *Router) Backends() []Named { return slices.Clone(r.backends) }

// Backend returns the backend of a name.
func (r *Router) Backend(name string) (Named, bool) {
	i := slices.IndexFunc(r.backends, func(n Named) bool { return n.Name == name })
	if i < 0 {
		return Named{}, false
	}
	return r.backends[i], true
}

// Providers returns what the backends are and can do, the default one first.
func (r *Router) Providers() []hosting.ProviderInfo {
	infos := make([]hosting.ProviderInfo, len(r.backends))
	for i, n := range r.backends {
		infos[i] = hosting.ProviderInfo{Name: n.Name, Regions: n.Provider.SupportedRegions(), InstanceTypes: n.Provider.SupportedInstanceTypes()}
	}
	return infos
}

// SupportedRegions returns the regions of all providers, those of the default
// one first.
func (r *Router) SupportedRegions() []string {
	return r.union(func(n Named) []string { return n.Provider.SupportedRegions() })
}

// SupportedInstanceTypes returns the instance types of all providers, those of
// the default one first. Not every type is there in every region.
func (r *Router) SupportedInstanceTypes() []string {
	return r.union(func(n Named) []string { return n.Provider.SupportedInstanceTypes() })
}

func (r *Router) union(of func(Named) []string) []string {
	var all []string
	for _, n := range r.backends {
		for _, item := range of(n) {
			if !slices.Contains(all, item) {
				all = append(all, item)
			}
		}
	}
	return all
}

// Close closes every backend, the last one first: by its own Close, or that of
// its provider if it has one. Doing it again returns what the first time did.
func (r *Router) Close() error {
	r.close.Do(func() {
		var failed *multierror.Error
		for _, n := range slices.Backward(r.backends) {
			if err := n.closeBackend(); err != nil {
				failed = multierror.Append(failed, fmt.Errorf("closing provider %s: %w", n.Name, err))
			}
		}
		r.closeErr = failed.ErrorOrNil()
	})
	return r.closeErr
}

func (n Named) closeBackend() error {
	if n.Close != nil {
		return n.Close()
	}
	if c, ok := n.Provider.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// names lists the providers for a message.
func (r *Router) names() string {
	names := make([]string, len(r.backends))
	for i, n := range r.backends {
		names[i] = n.Name
	}
	return strings.Join(names, ", ")
}

// target is what an id names: the backend, and the id as the backend has it.
type target struct {
	Named
	id string
}

// subject is a kind of thing that has ids.
type subject struct {
	kind     string
	notFound hosting.Code
}

var (
	anInstance = subject{"instance", hosting.InstanceNotFound}
	aVolume    = subject{"volume", hosting.VolumeNotFound}
	aService   = subject{"service", hosting.ServiceNotFound}
)

// instance finds the backend of an instance id.
func (r *Router) instance(ctx context.Context, code hosting.Code, id string) (target, error) {
	return r.find(ctx, anInstance, code, id)
}

// find finds the backend of an id. As everywhere, a context that has ended
// goes first.
func (r *Router) find(ctx context.Context, what subject, code hosting.Code, text string) (target, error) {
	fail := func(code hosting.Code, reason hosting.Reason, format string, args ...any) (target, error) {
		e := hosting.Errorf(r.ProviderName(), code, reason, format, args...)
		if what == anInstance {
			e.InstanceID = text
		}
		return target{}, e
	}
	if err := ctx.Err(); err != nil {
		return fail(code, hosting.ReasonOf(err), "%w", err)
	}
	id, err := hosting.ParseID(text)
	if err != nil {
		return fail(code, hosting.InvalidArgument, "%w", err)
	}
	n, ok := r.Backend(cmp.Or(id.Provider, r.ProviderName()))
	if !ok {
		return fail(what.notFound, hosting.NotFound, "%s %s does not exist: there is no provider %q, there are: %s", what.kind, text, id.Provider, r.names())
	}
	id.Provider = ""
	return target{n, id.String()}, nil
}

// failure returns an error of a backend as one of the Router: with the
// configured name, and with the instance's whole id.
func (n Named) failure(code hosting.Code, err error) error {
	if err == nil {
		return nil
	}
	inner, ok := errors.AsType[*hosting.Error](err)
	if !ok {
		return hosting.Errorf(n.Name, code, hosting.ReasonOf(err), "%w", err)
	}
	failed := *inner
	if error(inner) != err { // somebody wrapped it, with words that count
		failed.Message, failed.Err = err.Error(), err
	}
	failed.Provider = n.Name
	failed.InstanceID = n.qualified(inner.InstanceID)
	return &failed
}
