package discovery

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"skillcenter.io/hosting"
)

// Run keeps the addresses fresh before they are asked for, and checks their
// health if the service wants that ([hosting.LoadBalancerConfig]), until ctx
// ends. It returns nil, after its goroutines have ended.
//
// With protocol http or https an address is healthy if it answers a GET of the
// path with a status below 400; the certificate does not matter. With the
// others it is if it takes a connection. The timeout is a second unless given.
//
// However short MaxAge is, Run asks ten times a second at most. It checks no
// more often than [hosting.MinHealthCheckInterval], and gives up on an address
// after [hosting.MaxHealthCheckTimeout], whatever a registration says.
func (b *Balancer) Run(ctx context.Context) error {
	var wait sync.WaitGroup
	defer wait.Wait()
	wait.Go(func() {
		every := max(b.options.MaxAge*3/4, minPause)
		for sleep(ctx, every) {
			_ = b.refresh(ctx, every) // State has the error
		}
	})
	wait.Go(func() {
		for sleep(ctx, b.checkInterval()) {
			b.checkHealth(ctx)
		}
	})
	return nil
}

// minPause is how long Run waits at least before it does something again.
const minPause = 100 * time.Millisecond

// sleep waits, and tells whether to go on.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// checkInterval is when to look next. Without checks it is when there may be
// some.
func (b *Balancer) checkInterval() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	shortest := time.Duration(0)
	for _, service := range b.known.used {
		if every := healthOf(service).HealthCheckInterval.Std(); every > 0 && (shortest == 0 || every < shortest) {
			shortest = every
		}
	}
	return cmp.Or(shortest, max(b.options.MaxAge, minPause))
}

// healthOf is how to check a service, within the limits: not every provider
// keeps those who register to them.
func healthOf(service hosting.ServiceRegistration) hosting.LoadBalancerConfig {
	var config hosting.LoadBalancerConfig
	if service.LoadBalancer != nil {
		config = *service.LoadBalancer
	}
	if config.HealthCheckInterval > 0 {
		config.HealthCheckInterval = max(config.HealthCheckInterval, hosting.MinHealthCheckInterval)
	}
	if config.HealthCheckTimeout <= 0 {
		config.HealthCheckTimeout = hosting.Duration(time.Second)
	}
	config.HealthCheckTimeout = min(config.HealthCheckTimeout, hosting.MaxHealthCheckTimeout)
	return config
}

// maxChecks is how many addresses are checked at a time.
const maxChecks = 16

// checkHealth checks all ready addresses of the services that want it.
func (b *Balancer) checkHealth(ctx context.Context) {
	services := b.State().Services
	var mu sync.Mutex
	failing := map[string]bool{}
	var group errgroup.Group
	group.SetLimit(maxChecks)
	for _, service := range services {
		if healthOf(service).HealthCheckInterval <= 0 {
			continue
		}
		for _, address := range service.Addresses {
			if !address.Ready {
				continue
			}
			group.Go(func() error {
				err := check(ctx, service, hostPort(address))
				if err == nil || ctx.Err() != nil {
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				failing[hostPort(address)] = true
				b.noteFailing(hostPort(address), err)
				return nil
			})
		}
	}
	_ = group.Wait()
	if ctx.Err() != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unhealthy = failing
}

func (b *Balancer) noteFailing(address string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.unhealthy[address] {
		b.options.Logger.Warn("an address fails its health check", "service", b.name, "address", address, "error", err)
	}
}

// check tells what is wrong with an address.
func check(ctx context.Context, service hosting.ServiceRegistration, address string) error {
	config := healthOf(service)
	ctx, cancel := context.WithTimeout(ctx, config.HealthCheckTimeout.Std())
	defer cancel()
	if service.Protocol != hosting.ProtocolHTTP && service.Protocol != hosting.ProtocolHTTPS {
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			err = connection.Close()
		}
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, service.Protocol+"://"+address+cmp.Or(config.HealthCheckPath, "/"), nil)
	if err != nil {
		return err
	}
	// Nothing secret is sent, and a certificate is rarely made for an address.
	// Whoever pretends to be it gets no request by that: those verify it.
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, 4096)
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}
