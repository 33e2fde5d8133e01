package provider

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sync/errgroup"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/provider/store"
)

// Host is what a configuration describes: providers as one, and what the
// protocol offers beyond running instances. Get one from [Open]. All methods may
// be called concurrently.
type Host struct {
	router     *Router
	provider   hosting.CloudHostingProvider
	extension  hosting.HostingExtensionSdkAdapter
	controller *autoscale.Controller // nil if nothing acts on policies here
	documents  store.Store
	logger     *slog.Logger

	mu      sync.Mutex
	closed  bool
	cancel  context.CancelFunc // of the Run that is going on, else nil
	running chan struct{}      // closed when that Run has returned

	close    sync.Once
	closeErr error
}

// assemble makes a host of what was opened.
func assemble(config Config, router *Router, documents store.Store, elector autoscale.Elector, set settingsOfProgram) (*Host, error) {
	h := &Host{router: router, documents: documents, logger: set.logger, provider: router}
	if config.Monitoring.LogRetention > 0 {
		h.provider = retained{Router: router, keep: config.Monitoring.LogRetention}
	}
	if set.observe {
		h.provider = Observe(h.provider, set.logger)
	}
	controller, err := autoscale.New(autoscale.Config{
		Provider: router, Backend: router, Store: documents, Elector: elector, Metrics: set.metrics,
		Interval: cmp.Or(config.Monitoring.MetricsInterval, defaultMetricsInterval), Logger: set.logger,
	})
	if err != nil {
		return nil, err
	}
	if config.Monitoring.Enabled {
		h.controller = controller
	}
	h.extension = NewExtension(ExtensionConfig{Router: router, AutoScaler: controller, Catalog: set.catalog})
	return h, nil
}

// Provider returns all providers as one: a [Router], behind what the
// configuration and the options ask for. Ids begin with the configured name of
// the provider ("kubernetes:default.deployment.web"); one without it means the
// default provider.
func (h *Host) Provider() hosting.CloudHostingProvider { return h.provider }

// Extension returns auto-scaling policies, service discovery, volumes and
// compatibility over all providers. Policies act while Run runs.
func (h *Host) Extension() hosting.HostingExtensionSdkAdapter { return h.extension }

// Run does what happens in the background until ctx ends or the host is closed,
// and returns nil then: it keeps the providers' caches, and acts on policies if
// monitoring is enabled. The first failure ends it all, and is logged and
// returned: the host can still be used then, without them. When it returns, nothing runs any more. It may be called again, but not while it runs
// or after Close: that is a Conflict.
func (h *Host) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done, err := h.begin(cancel)
	if err != nil {
		return err
	}
	defer done()
	group, ctx := errgroup.WithContext(ctx)
	for _, n := range h.router.Backends() {
		if n.Run != nil {
			group.Go(func() error { return ran("provider "+n.Name, n.Run(ctx)) })
		}
	}
	if h.controller != nil {
		group.Go(func() error { return ran("the autoscaler", h.controller.Run(ctx)) })
	}
	// A part that has nothing to do may be done; the host is not.
	group.Go(func() error {
		<-ctx.Done()
		return nil
	})
	err = group.Wait()
	if err != nil {
		h.logger.ErrorContext(ctx, "hosting: the host runs no longer", "error", err)
	}
	return err
}

func ran(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("running %s: %w", what, err)
}

// begin notes that Run runs, until the function that it returns is called.
func (h *Host) begin(cancel context.CancelFunc) (done func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, hosting.Errorf("", hosting.InvalidConfig, hosting.Conflict, "the host is closed")
	case h.cancel != nil:
		return nil, hosting.Errorf("", hosting.InvalidConfig, hosting.Conflict, "Run is running already")
	}
	running := make(chan struct{})
	h.cancel, h.running = cancel, running
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.cancel = nil
		close(running)
	}, nil
}

// Close ends Run, waits for it, and closes the store and the providers, the
// last one opened first. Doing it again returns what the first time did.
func (h *Host) Close() error {
	h.mu.Lock()
	h.closed = true
	cancel, running := h.cancel, h.running
	h.mu.Unlock()
	if cancel != nil {
		cancel()
		<-running
	}
	h.close.Do(func() {
		var failed *multierror.Error
		if err := closeStore(h.documents); err != nil {
			failed = multierror.Append(failed, err)
		}
		if err := h.router.Close(); err != nil {
			failed = multierror.Append(failed, err)
		}
		h.closeErr = failed.ErrorOrNil()
	})
	return h.closeErr
}

func closeStore(documents store.Store) error {
	if c, ok := documents.(io.Closer); ok {
		if err := c.Close(); err != nil {
			return fmt.Errorf("closing the store: %w", err)
		}
	}
	return nil
}
