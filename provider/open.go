package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/provider/driver"
	"skillcenter.io/hosting/provider/store"
)

// ErrDisabled is in the error of [Open] for a configuration with
// hosting.enabled: false; find it with [errors.Is].
var ErrDisabled = errors.New("hosting is disabled")

// OpenFile is [LoadConfig] and [Open], and tells the problems of both at once.
func OpenFile(ctx context.Context, path string, openers map[string]driver.Opener, options ...Option) (*Host, error) {
	config, err := LoadConfig(path)
	if err != nil && config.source == nil {
		return nil, err // there is nothing to go on with
	}
	return Open(ctx, config, openers, options...)
}

// Open opens a host with the enabled providers of a configuration. Openers are
// by the type of the provider, such as {"kubernetes": kubernetes.Open}. It asks
// no network: what is away is seen at the first call that needs it. Nothing runs
// in the background until [Host.Run]. Close the host when it is done.
//
// If anything is wrong, nothing stays open. The error has reason
// InvalidArgument and all [Problems] of the configuration in it, also those of
// LoadConfig if it came from there. Errors of another kind, such as a file that
// another process has open (Unavailable), have their own reason.
func Open(ctx context.Context, config Config, openers map[string]driver.Opener, options ...Option) (*Host, error) {
	set := settingsOf(options)
	errs := []error{config.check()}
	if config.source != nil {
		errs = append(errs, config.source.problems)
	}
	if !config.Enabled {
		if err := failure(errs...); err != nil {
			return nil, err
		}
		return nil, failure(config.problem("hosting.enabled", "%w: allowed: true, to open a host", ErrDisabled))
	}
	backends, failures := config.open(ctx, openers, set)
	errs = append(errs, failures...)
	defaultProvider, err := config.defaultName()
	errs = append(errs, err)
	if err := failure(errs...); err != nil {
		return nil, abandon(err, backends, nil)
	}
	router, err := NewRouter(defaultProvider, backends)
	if err != nil {
		return nil, abandon(err, backends, nil)
	}
	documents, elector, err := config.openStore(ctx, router.Backends()[0], set)
	if err != nil {
		return nil, abandon(failure(err), backends, nil)
	}
	host, err := assemble(config, router, documents, elector, set)
	if err != nil {
		return nil, abandon(err, backends, documents)
	}
	return host, nil
}

// abandon closes what was opened before something failed.
func abandon(err error, backends []Named, documents store.Store) error {
	var failed *multierror.Error
	if e := closeStore(documents); e != nil {
		failed = multierror.Append(failed, e)
	}
	for _, n := range slices.Backward(backends) {
		if e := n.closeBackend(); e != nil {
			failed = multierror.Append(failed, fmt.Errorf("closing provider %s: %w", n.Name, e))
		}
	}
	if failed == nil {
		return err
	}
	with := hosting.Error{Code: hosting.InvalidConfig, Reason: hosting.ReasonOf(err), Message: err.Error(), Err: err}
	if opening, ok := err.(*hosting.Error); ok {
		with = *opening
	}
	with.Cleanup = failed
	return &with
}

// open opens the enabled providers. All are tried, so that all that is wrong is
// told.
func (c Config) open(ctx context.Context, openers map[string]driver.Opener, set settingsOfProgram) (backends []Named, errs []error) {
	for i, p := range c.Providers {
		if !p.Enabled || c.misnamed(i) != "" {
			continue
		}
		s := c.section(p)
		opener := openers[cmp.Or(p.Type, p.Name)]
		if opener == nil {
			errs = append(errs, c.noOpener(s, p, openers))
			continue
		}
		backend, err := opener(ctx, driver.Env{Name: p.Name, Logger: set.logger.With("provider", p.Name), Defaults: c.Defaults}, s)
		if err == nil && backend.Provider == nil {
			err = hosting.Errorf(p.Name, hosting.InvalidConfig, hosting.Internal, "the opener of provider %s returned none", p.Name)
		}
		if err != nil {
			errs = append(errs, openFailure(p.Name, err)...)
			continue
		}
		backends = append(backends, Named{Name: p.Name, Backend: backend})
	}
	return backends, errs
}

// openFailure returns the problems of an opener's error as they are, and
// everything else as the error of the provider.
func openFailure(name string, err error) []error {
	problems, errs := sift([]error{err})
	for i, e := range errs {
		if of, ok := e.(*hosting.Error); !ok || of.Provider != name {
			errs[i] = hosting.Errorf(name, hosting.InvalidConfig, hosting.ReasonOf(e), "opening the provider: %w", e)
		}
	}
	if len(problems) > 0 {
		errs = append(errs, problems)
	}
	return errs
}

// section returns the section of a provider; that of one which has none, since
// a program made the configuration, is empty.
func (c Config) section(p ProviderConfig) driver.Section {
	if p.Section != nil {
		return p.Section
	}
	return section{doc: &document{}, node: &node{kind: aMapping}, path: join(hostingKey, p.Name)}
}

func (c Config) noOpener(s driver.Section, p ProviderConfig, openers map[string]driver.Opener) error {
	types := slices.Sorted(maps.Keys(openers))
	key, given := "", p.Name
	if p.Type != "" && p.Type != p.Name {
		key, given = "type", p.Type
	}
	return s.Errorf(key, "this program has no provider of type %.80q%s: allowed: %s, or enabled: false",
		given, didYouMean(given, types), strings.Join(types, ", "))
}

// defaultName returns the name of the default provider.
func (c Config) defaultName() (string, error) {
	var enabled []string
	for _, p := range c.Providers {
		if p.Enabled {
			enabled = append(enabled, p.Name)
		}
	}
	name := c.DefaultProvider
	switch {
	case len(enabled) == 0 && c.source != nil && len(c.source.problems) > 0:
		return "", nil // that may be why
	case len(enabled) == 0:
		return "", c.problem(hostingKey, "no provider is enabled: allowed: at least one, such as kubernetes: {enabled: true}")
	case name == "" && len(enabled) == 1:
		return enabled[0], nil
	case name == "":
		return "", c.problem("hosting.defaultProvider", "missing: allowed: one of the enabled providers: %s", strings.Join(enabled, ", "))
	case !slices.Contains(enabled, name):
		return "", c.problem("hosting.defaultProvider", "%.80q%s: allowed: one of the enabled providers: %s",
			name, didYouMean(name, enabled), strings.Join(enabled, ", "))
	}
	return name, nil
}

// openStore returns where documents are kept, and who may act on them: the
// processes that share a store choose one of them, those that do not must not.
func (c Config) openStore(ctx context.Context, first Named, set settingsOfProgram) (store.Store, autoscale.Elector, error) {
	if set.store != nil {
		if c.Store.Type != "" && c.Store.Type != StoreMemory {
			return nil, nil, c.problem("hosting.store.type", "%q, but the program brings a store of its own (WithStore): allowed: no store here", c.Store.Type)
		}
		return unclosed{set.store}, set.elector, nil
	}
	switch c.Store.Type {
	case StoreFile:
		if set.openFile == nil {
			return nil, nil, c.problem("hosting.store.type", `"file": this program opens no files (WithFileStore): allowed: %s, %s`, StoreMemory, StoreProvider)
		}
		documents, err := set.openFile(ctx, c.Store.Path)
		if err != nil {
			return nil, nil, c.notOpened(err)
		}
		return documents, set.elector, nil
	case StoreProvider:
		if first.Store == nil {
			return nil, nil, c.problem("hosting.store.type", `"provider": the default provider %s keeps no documents: allowed: %s, %s`, first.Name, StoreMemory, StoreFile)
		}
		if set.elector != nil {
			return unclosed{first.Store}, set.elector, nil
		}
		return unclosed{first.Store}, first.Elector, nil
	}
	return store.NewMemory(), set.elector, nil
}

// notOpened returns why the file of the store could not be opened. It is a
// problem of the configuration if another path would help.
func (c Config) notOpened(err error) error {
	reason := hosting.ReasonOf(err)
	if of, ok := err.(*hosting.Error); ok {
		err = told{of.Message, err} // code and reason are told once
	}
	problem := c.problem("hosting.store.path", "%w", err)
	switch reason {
	case hosting.InvalidArgument, hosting.NotFound:
		return problem
	}
	return hosting.Errorf("", hosting.InvalidConfig, reason, "%w", problem)
}

// unclosed is a store that somebody else closes.
type unclosed struct{ store.Store }

// Option is what a program adds to a configuration.
type Option func(*settingsOfProgram)

type settingsOfProgram struct {
	logger   *slog.Logger
	observe  bool
	store    store.Store
	openFile func(ctx context.Context, path string) (store.Store, error)
	elector  autoscale.Elector
	metrics  autoscale.MetricSource
	catalog  SkillCatalog
}

func settingsOf(options []Option) settingsOfProgram {
	set := settingsOfProgram{logger: slog.Default()}
	for _, option := range options {
		option(&set)
	}
	return set
}

// WithLogger tells logger every call of [Host.Provider], as [Observe] does, and
// what happens in the background. Without it, slog.Default is told the latter.
func WithLogger(logger *slog.Logger) Option {
	return func(set *settingsOfProgram) {
		if logger != nil {
			set.logger, set.observe = logger, true
		}
	}
}

// WithStore keeps policies in a store of the program's own, which the host does
// not close. The configuration then names no other.
func WithStore(documents store.Store) Option {
	return func(set *settingsOfProgram) { set.store = documents }
}

// WithFileStore says how the file of hosting.store.path is opened: by
// boltstore.Open. If the store is an io.Closer, the host closes it.
func WithFileStore[S store.Store](open func(ctx context.Context, path string) (S, error)) Option {
	return func(set *settingsOfProgram) {
		set.openFile = func(ctx context.Context, path string) (store.Store, error) {
			documents, err := open(ctx, path)
			if err != nil {
				return nil, err
			}
			return documents, nil
		}
	}
}

// WithElector chooses which of the processes that share a store acts on
// policies. Without it, it is that of the default provider if the store is on it
// too; else this process acts.
func WithElector(elector autoscale.Elector) Option {
	return func(set *settingsOfProgram) { set.elector = elector }
}

// WithMetrics measures what the rules of policies name and the platform does
// not have.
func WithMetrics(source autoscale.MetricSource) Option {
	return func(set *settingsOfProgram) { set.metrics = source }
}

// WithCatalog has the skills that CheckCompatibility is asked about; without
// it, that is Unsupported.
func WithCatalog(catalog SkillCatalog) Option {
	return func(set *settingsOfProgram) { set.catalog = catalog }
}
