package discovery_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/discovery"
)

// running runs something until the test ends.
func running(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			assert.NoError(t, err)
		case <-time.After(time.Minute):
			t.Error("Run does not end")
		}
	})
	t.Cleanup(stop)
	return stop
}

func checked(s hosting.ServiceRegistration, protocol string) hosting.ServiceRegistration {
	s.Protocol = protocol
	s.LoadBalancer = &hosting.LoadBalancerConfig{HealthCheckInterval: hosting.MinHealthCheckInterval, HealthCheckPath: "/ok"}
	return s
}

func TestAnAddressThatFailsItsHealthChecksGetsNoRequests(t *testing.T) {
	t.Parallel()
	var sick atomic.Bool
	at, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		if sick.Load() && r.URL.Path == "/ok" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	well, _ := server(t, nil)
	var mu sync.Mutex
	var logged bytes.Buffer
	b := discovery.NewBalancer(&directory{services: []hosting.ServiceRegistration{checked(service("s", at, well), "http")}}, "orders", discovery.Options{
		MaxAge: 10 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(lockedWriter{&mu, &logged}, nil))})
	stop := running(t, b.Run)
	require.Eventually(t, func() bool { return len(spread(t, b, 2)) == 2 }, time.Minute, time.Millisecond)
	sick.Store(true)
	require.Eventually(t, func() bool { return len(spread(t, b, 10)) == 1 }, time.Minute, time.Millisecond)
	assert.Equal(t, map[string]int{well: 10}, spread(t, b, 10))
	assert.Equal(t, at, pick(t, b, well).HostPort(), "it is better than none")
	sick.Store(false)
	require.Eventually(t, func() bool { return len(spread(t, b, 10)) == 2 }, time.Minute, time.Millisecond)
	stop()
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, 1, bytes.Count(logged.Bytes(), []byte("fails its health check")), logged.String())
}

type lockedWriter struct {
	mu *sync.Mutex
	*bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Buffer.Write(p)
}

func TestAServiceWithoutHTTPIsHealthyIfItTakesAConnection(t *testing.T) {
	t.Parallel()
	at, _ := server(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	for _, protocol := range []string{hosting.ProtocolTCP, hosting.ProtocolGRPC} {
		b := discovery.NewBalancer(&directory{services: []hosting.ServiceRegistration{checked(service("s", at, refusing(t)), protocol)}}, "orders", discovery.Options{MaxAge: 10 * time.Millisecond})
		running(t, b.Run)
		require.Eventually(t, func() bool { return len(spread(t, b, 10)) == 1 }, time.Minute, time.Millisecond)
		assert.Equal(t, map[string]int{at: 10}, spread(t, b, 10))
	}
}

func TestATransportThatRunsChecksTheHealthOfWhatIsCalled(t *testing.T) {
	t.Parallel()
	bad, called := server(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	good, _ := server(t, nil)
	transport := &discovery.Transport{
		Discovery: &directory{services: []hosting.ServiceRegistration{checked(service("s", bad, good), "http")}},
		Options:   discovery.Options{MaxAge: 10 * time.Millisecond},
	}
	client := &http.Client{Transport: transport}
	get(t, client, "http://orders/") // before it runs
	stop := running(t, transport.Run)
	require.Eventually(t, func() bool {
		for range 4 {
			if get(t, client, "http://orders/") != good {
				return false
			}
		}
		return true
	}, time.Minute, time.Millisecond)
	stop()
	before := called.Load()
	for range 100 {
		get(t, client, "http://orders/")
	}
	assert.LessOrEqual(t, called.Load()-before, int32(100), "there are no more checks")
}

func TestARegistrationDoesNotDecideHowHardItsCallersWork(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ interval, timeout, wantInterval, wantTimeout time.Duration }{
		{0, 0, 0, time.Second},
		{-1, -1, -1, time.Second},
		{time.Millisecond, time.Hour, time.Second, time.Minute},
		{5 * time.Second, 2 * time.Second, 5 * time.Second, 2 * time.Second},
	} {
		got := discovery.HealthOf(hosting.ServiceRegistration{LoadBalancer: &hosting.LoadBalancerConfig{
			HealthCheckInterval: hosting.Duration(test.interval), HealthCheckTimeout: hosting.Duration(test.timeout)}})
		assert.Equal(t, test.wantInterval, got.HealthCheckInterval.Std(), test)
		assert.Equal(t, test.wantTimeout, got.HealthCheckTimeout.Std(), test)
	}
}

func TestRunPausesHoweverShortMaxAgeIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		finder := &directory{services: []hosting.ServiceRegistration{service("s", "a")}}
		b := discovery.NewBalancer(finder, "orders", discovery.Options{MaxAge: time.Millisecond})
		stop := running(t, b.Run)
		time.Sleep(10 * time.Second)
		stop()
		assert.InDelta(t, 100, finder.calls(), 2)
	})
}
