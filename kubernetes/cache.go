package kubernetes

import (
	"context"
	"sync"
	"sync/atomic"

	"skillcenter.io/hosting"
)

// mirror is the state of all regions in memory. Reads use it while Run runs
// with Config.Cache, and watchers always: all share one.
type mirror struct {
	regions map[*region]*regionMirror
	cancel  context.CancelFunc
	wait    sync.WaitGroup
}

// mirrors hands out the one mirror of a provider, which runs while somebody
// holds it. The zero value is ready to use.
type mirrors struct {
	mu      sync.Mutex
	current *mirror
	holders int
	running bool                   // Run is running
	memory  atomic.Pointer[mirror] // what reads may use; nil without Run
}

// Run serves the provider from memory until ctx ends, if Config.Cache is set:
// GetInstance, ListInstances, HealthCheck and GetServiceEndpoint then take no
// request. It lists and watches the objects of all instances; until a region
// is in sync, and while its watches are interrupted, its reads are live, as are
// those of every call that changes something. A read always sees what this
// provider has written before. Without Config.Cache, Run does nothing but keep
// the watches for [Provider.WatchInstances] open between two watchers.
//
// Run returns nil when ctx ends and its goroutines have ended: should somebody
// still watch, the watches are theirs. A second Run at the same time is a
// Conflict.
func (p *Provider) Run(ctx context.Context) error {
	if !p.mirrors.begin() {
		return hosting.Errorf(p.config.Name, hosting.InvalidConfig, hosting.Conflict, "Run is running already")
	}
	defer p.mirrors.end()
	if ctx.Err() != nil {
		return nil
	}
	m := p.hold(ctx)
	defer p.release(m)
	if p.config.Cache {
		p.mirrors.memory.Store(m)
		defer p.mirrors.memory.Store(nil)
	}
	<-ctx.Done()
	return nil
}

func (m *mirrors) begin() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running {
		return false
	}
	m.running = true
	return true
}

func (m *mirrors) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running = false
}

// hold returns the mirror and starts it if it does not run. It needs release.
func (p *Provider) hold(ctx context.Context) *mirror {
	p.mirrors.mu.Lock()
	defer p.mirrors.mu.Unlock()
	p.mirrors.holders++
	if p.mirrors.current == nil {
		// It may outlive who starts it.
		p.mirrors.current = p.startMirror(context.WithoutCancel(ctx))
	}
	return p.mirrors.current
}

// release gives the mirror back. The last one stops it, and waits until it has
// ended.
func (p *Provider) release(m *mirror) {
	p.mirrors.mu.Lock()
	p.mirrors.holders--
	last := p.mirrors.holders == 0
	if last {
		p.mirrors.current = nil
	}
	p.mirrors.mu.Unlock()
	if last {
		m.cancel()
		m.wait.Wait()
	}
}

func (p *Provider) startMirror(ctx context.Context) *mirror {
	m := &mirror{regions: map[*region]*regionMirror{}}
	ctx, m.cancel = context.WithCancel(ctx)
	for _, at := range p.regions {
		r := newRegionMirror(p, at)
		m.regions[at] = r
		m.wait.Go(func() { r.run(ctx) })
	}
	return m
}
