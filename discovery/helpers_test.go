package discovery_test

import (
	"context"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/discovery"
)

// directory is a ServiceDiscovery that says what a test wants.
type directory struct {
	hosting.UnimplementedAdapter
	mu       sync.Mutex
	services []hosting.ServiceRegistration
	err      error
	asked    int
	// before, if not nil, is called before each answer.
	before func(ctx context.Context)
}

func (d *directory) DiscoverService(ctx context.Context, name string) ([]hosting.ServiceRegistration, error) {
	d.mu.Lock()
	d.asked++
	before := d.before
	d.mu.Unlock()
	if before != nil {
		before(ctx)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var found []hosting.ServiceRegistration
	for _, service := range d.services {
		if discovery.Answers(service, name) {
			found = append(found, service)
		}
	}
	return found, d.err
}

// say sets what is answered from now on.
func (d *directory) say(err error, services ...hosting.ServiceRegistration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.services, d.err = services, err
}

func (d *directory) calls() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

// service is one with ready addresses.
func service(id string, addresses ...string) hosting.ServiceRegistration {
	result := hosting.ServiceRegistration{ServiceID: id, ServiceName: "orders", Port: 80, Protocol: "http"}
	for _, at := range addresses {
		host, port, err := net.SplitHostPort(at)
		if err != nil {
			host, port = at, "80"
		}
		number, _ := strconv.Atoi(port)
		result.Addresses = append(result.Addresses, hosting.ServiceAddress{Host: host, Port: number, Ready: true})
	}
	return result
}

func with(s hosting.ServiceRegistration, strategy string) hosting.ServiceRegistration {
	s.LoadBalancer = &hosting.LoadBalancerConfig{Strategy: strategy}
	return s
}

func requireFailed(t testing.TB, err error, code hosting.Code, reason hosting.Reason) {
	t.Helper()
	var failed *hosting.Error
	require.ErrorAs(t, err, &failed)
	require.Equal(t, code, failed.Code, err)
	require.Equal(t, reason, failed.Reason, err)
}
