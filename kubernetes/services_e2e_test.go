//go:build linux && e2e

package kubernetes_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/discovery"
)

// serviceOfTwo runs an instance of two replicas that are checked every second,
// and registers a service of it.
func (w *world) serviceOfTwo(t *testing.T) (hosting.CloudHostingConfig, hosting.ServiceRegistration) {
	t.Helper()
	config := serving("web")
	checked(&config)
	config.Container.HealthCheck.FailureThreshold = 1
	config.Container.TerminationGracePeriod = nil // that of the defaults
	config.Scaling = &hosting.ScaleConfig{MinReplicas: 2}
	instance := w.run(t, config)
	service := w.register(t, instance.ID, orders("sales", "shop"))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		now, err := w.GetService(t.Context(), service.ServiceID)
		assert.NoError(c, err)
		assert.Len(c, readyOf(now), 2)
		service = now
	}, waitTime, 50*time.Millisecond)
	return config, service
}

// readyOf are the addresses that are ready.
func readyOf(service hosting.ServiceRegistration) []string {
	var result []string
	for _, a := range service.Addresses {
		if a.Ready {
			result = append(result, net.JoinHostPort(a.Host, strconv.Itoa(a.Port)))
		}
	}
	return result
}

// caller sends requests to services by their names.
func (w *world) caller(t *testing.T) *http.Client {
	t.Helper()
	client := &http.Client{Transport: &discovery.Transport{Discovery: w}, Timeout: 20 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// ask sends a request and returns who has answered.
func ask(ctx context.Context, client *http.Client, method, url, body string, last bool) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Close = last
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", response.StatusCode, answer)
	}
	return string(answer), err
}

func TestAServiceIsFoundAndCalledByItsNameAndBothAliases(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	_, service := w.serviceOfTwo(t)
	assert.Equal(t, hosting.ServiceStatusReady, service.Status)
	client := w.caller(t)
	for _, name := range []string{"orders", "sales", "shop"} {
		found, err := w.DiscoverService(t.Context(), name)
		require.NoError(t, err)
		assert.Equal(t, []hosting.ServiceRegistration{service}, found)
		answered := map[string]bool{}
		for range 4 {
			answer, err := ask(t.Context(), client, http.MethodGet, "http://"+name+"/", "", false)
			require.NoError(t, err)
			answered[answer] = true
		}
		assert.Len(t, answered, 2, "both replicas answer")
	}
	// It has an address of its own, too, which the node knows in a moment.
	o := w.serviceObject(t, "orders")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		answer, err := ask(t.Context(), http.DefaultClient, http.MethodGet, "http://"+o.Spec.ClusterIP+":8080/", "", true)
		assert.NoError(c, err)
		assert.Contains(c, answer, "hello from web-")
	}, waitTime, 100*time.Millisecond)
}

func TestAnUnreadyReplicaGetsNoRequestsWithinSeconds(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	_, service := w.serviceOfTwo(t)
	b := discovery.NewBalancer(w, "orders", discovery.Options{})
	sick := readyOf(service)[0]
	told := func() bool {
		now, err := w.GetService(t.Context(), service.ServiceID)
		return err == nil && !slices.Contains(readyOf(now), sick)
	}
	balanced := func() bool {
		for range 4 {
			target, err := b.Pick(t.Context())
			if err != nil || target.HostPort() == sick {
				return false
			}
			target.Done()
		}
		return true
	}
	require.False(t, balanced())
	_, err := ask(t.Context(), http.DefaultClient, http.MethodPut, "http://"+sick+"/unhealthy", "", true)
	require.NoError(t, err)
	began := time.Now()
	require.Eventually(t, told, waitTime, 20*time.Millisecond)
	known := time.Since(began)
	require.Eventually(t, balanced, waitTime, 20*time.Millisecond)
	t.Logf("unhealthy, checked every second: the address is not ready after %v, the balancer leaves it out after %v", known, time.Since(began))
	assert.Less(t, time.Since(began), 15*time.Second)

	_, err = ask(t.Context(), http.DefaultClient, http.MethodDelete, "http://"+sick+"/unhealthy", "", true)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return !told() && !balanced() }, waitTime, 20*time.Millisecond, "and it comes back")
}

func TestNoRequestToAServiceFailsDuringARollingUpdate(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	config, service := w.serviceOfTwo(t)
	client := w.caller(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wait sync.WaitGroup
	var sent, failed atomic.Int32
	var answered sync.Map
	for _, caller := range []struct {
		method, body, name string
		last               bool // each request on a connection of its own
	}{
		{http.MethodGet, "", "orders", false}, {http.MethodGet, "", "sales", true},
		{http.MethodPost, "hello", "shop", false}, {http.MethodPost, "hello", "orders", true},
	} {
		wait.Go(func() {
			for ctx.Err() == nil {
				answer, err := ask(t.Context(), client, caller.method, "http://"+caller.name+"/", caller.body, caller.last)
				if sent.Add(1); err != nil {
					failed.Add(1)
					t.Errorf("request %d: %s %s: %v", sent.Load(), caller.method, caller.name, err)
				}
				answered.Store(answer, true)
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	const updates = 2
	for version := range updates {
		before := w.podNames(t, "web")
		config.Env = map[string]string{"VERSION": strconv.Itoa(version)}
		_, err := hosting.ApplyInstance(t.Context(), w, config)
		require.NoError(t, err)
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			now := w.podNames(t, "web")
			assert.Len(c, now, 2)
			for _, name := range before {
				assert.NotContains(c, now, name)
			}
			found, err := w.GetService(t.Context(), service.ServiceID)
			assert.NoError(c, err)
			assert.Len(c, found.Addresses, 2, "the old replicas are gone")
			assert.Len(c, readyOf(found), 2)
		}, waitTime, 200*time.Millisecond)
	}
	stop()
	wait.Wait()
	replicas := 0
	answered.Range(func(any, any) bool { replicas++; return true })
	t.Logf("%d of %d requests failed during %d rolling updates; %d replicas answered", failed.Load(), sent.Load(), updates, replicas)
	assert.Zero(t, failed.Load())
	assert.Greater(t, sent.Load(), int32(500))
	assert.Equal(t, 2*(updates+1), replicas)
}
