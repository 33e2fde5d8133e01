package discovery

import (
	"context"
	"slices"
	"time"

	"skillcenter.io/hosting"
)

// knowledge is what discovery has said of a name.
type knowledge struct {
	name     string
	services []hosting.ServiceRegistration // that answer to the name, those that have it as an alias too
	used     []hosting.ServiceRegistration // those of services whose addresses are used
	ready    []candidate                   // the addresses of used that are ready, each once
	complete time.Time                     // when services were all there are; zero if they never were
	learned  time.Time                     // when services were all there are, or some of them were read
	asked    time.Time                     // when discovery has answered last, or failed
	err      error                         // why it failed then
}

// failure is the error of discovery if nothing is known that can be used
// instead.
func (k *knowledge) failure() error {
	if len(k.services) > 0 {
		return nil
	}
	return k.err
}

// take notes an answer. With an error it may be a part of the whole: then
// services that are not in it stay, unless they are too old.
func (k *knowledge) take(services []hosting.ServiceRegistration, err error, now time.Time, maxStale time.Duration) {
	if err == nil || len(services) > 0 {
		k.learned = now
	}
	if err == nil {
		k.complete = now
	} else if now.Sub(k.complete) <= maxStale {
		services = slices.Clone(services)
		for _, old := range k.services {
			if !slices.ContainsFunc(services, func(s hosting.ServiceRegistration) bool { return s.ServiceID == old.ServiceID }) {
				services = append(services, old)
			}
		}
	}
	k.services, k.err, k.asked = services, err, now
	k.used = owners(services, k.name)
	k.ready = candidatesOf(k.used)
}

// owners are the services that bear a name themselves; all if none does. Who
// registers an alias so takes nothing from the service of that name.
func owners(services []hosting.ServiceRegistration, name string) []hosting.ServiceRegistration {
	var result []hosting.ServiceRegistration
	for _, service := range services {
		if service.ServiceName == name {
			result = append(result, service)
		}
	}
	if len(result) == 0 {
		return services
	}
	return result
}

// refresh asks for the services again if the last answer is older than that.
// While another asks, the last known ones serve, unless they are too old: then
// all wait. The error means that none are known.
func (b *Balancer) refresh(ctx context.Context, maxAge time.Duration) error {
	for {
		if ctx.Err() != nil {
			return b.explain(ctx.Err())
		}
		b.mu.Lock()
		fresh := !b.known.asked.IsZero() && time.Since(b.known.asked) < maxAge
		usable := len(b.known.services) > 0 && time.Since(b.known.learned) <= b.options.MaxStale
		if fresh || b.asking != nil && usable {
			defer b.mu.Unlock()
			return b.known.failure()
		}
		wait := b.asking
		if wait == nil {
			b.asking = make(chan struct{})
			b.mu.Unlock()
			return b.ask(ctx)
		}
		b.mu.Unlock()
		select {
		case <-wait: // its result is fresh, unless who asked has given up
		case <-ctx.Done():
		}
	}
}

// ask calls discovery.
func (b *Balancer) ask(ctx context.Context) error {
	defer func() { // also after a panic
		b.mu.Lock()
		defer b.mu.Unlock()
		close(b.asking)
		b.asking = nil
	}()
	limited, cancel := context.WithTimeout(ctx, b.options.RefreshTimeout)
	defer cancel()
	services, err := b.finder.DiscoverService(limited, b.name)
	if ctx.Err() != nil {
		return b.explain(ctx.Err()) // that says nothing about the service
	}
	if err != nil {
		err = b.explain(err)
	}
	if b.options.Select != nil {
		services = slices.DeleteFunc(slices.Clone(services), func(s hosting.ServiceRegistration) bool { return !b.options.Select(s) })
	}
	return b.learn(services, err)
}

func (b *Balancer) learn(services []hosting.ServiceRegistration, err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.known.err
	b.known.take(services, err, time.Now(), b.options.MaxStale)
	if err == nil || len(services) > 0 {
		clear(b.avoid)
	}
	switch {
	case before == nil && err != nil:
		b.options.Logger.Warn("discovery fails; the last known addresses serve", "service", b.name, "known", len(b.known.services), "error", err)
	case before != nil && err == nil:
		b.options.Logger.Info("discovery works again", "service", b.name)
	}
	return b.known.failure()
}

func (b *Balancer) explain(err error) error {
	return hosting.Errorf("", hosting.ServiceFailed, hosting.ReasonOf(err), "looking for service %s: %w", b.name, err)
}
