package discovery_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/discovery"
)

func pick(t testing.TB, b *discovery.Balancer, except ...string) *discovery.Target {
	t.Helper()
	target, err := b.Pick(t.Context(), except...)
	require.NoError(t, err)
	return target
}

// spread picks and counts.
func spread(t testing.TB, b *discovery.Balancer, n int) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for range n {
		target := pick(t, b)
		counts[target.HostPort()]++
		target.Done()
	}
	return counts
}

func TestRoundRobinIsEven(t *testing.T) {
	t.Parallel()
	for _, strategy := range []string{"", hosting.StrategyRoundRobin, hosting.StrategyLeastConnections} {
		b := discovery.NewBalancer(&directory{services: []hosting.ServiceRegistration{with(service("s", "a", "b", "c"), strategy)}}, "orders", discovery.Options{})
		assert.Equal(t, map[string]int{"a:80": 100, "b:80": 100, "c:80": 100}, spread(t, b, 300), strategy)
	}
}

func TestRandomReachesAllAboutEqually(t *testing.T) {
	t.Parallel()
	b := discovery.NewBalancer(&directory{services: []hosting.ServiceRegistration{with(service("s", "a", "b", "c"), hosting.StrategyRandom)}}, "orders", discovery.Options{})
	for at, n := range spread(t, b, 3000) {
		assert.InDelta(t, 1000, n, 200, at) // 7 standard deviations
	}
}

func TestLeastConnectionsCountsWhatIsInUse(t *testing.T) {
	t.Parallel()
	finder := &directory{services: []hosting.ServiceRegistration{service("s", "a", "b")}}
	b := discovery.NewBalancer(finder, "orders", discovery.Options{Strategy: hosting.StrategyLeastConnections})
	slow := pick(t, b)
	for range 10 {
		quick := pick(t, b)
		assert.NotEqual(t, slow.HostPort(), quick.HostPort())
		quick.Done()
		quick.Done() // counts once
	}
	slow.Done()
	assert.Len(t, spread(t, b, 2), 2)
}

func TestOnlyReadyAddressesAreChosen(t *testing.T) {
	t.Parallel()
	s := service("s", "a", "b")
	s.Addresses[0].Ready = false
	finder := &directory{services: []hosting.ServiceRegistration{s}}
	b := discovery.NewBalancer(finder, "orders", discovery.Options{})
	assert.Equal(t, map[string]int{"b:80": 5}, spread(t, b, 5))
	_, err := b.Pick(t.Context(), "b:80")
	requireFailed(t, err, hosting.ServiceFailed, hosting.Unavailable)
	assert.ErrorContains(t, err, "no address of service orders is ready")

	nobody := discovery.NewBalancer(finder, "nobody", discovery.Options{})
	_, err = nobody.Pick(t.Context())
	requireFailed(t, err, hosting.ServiceNotFound, hosting.NotFound)
}

func TestAllServicesOfANameAreUsedUnlessSomeAreSelected(t *testing.T) {
	t.Parallel()
	finder := &directory{services: []hosting.ServiceRegistration{service("eu.service.orders", "a", "b"), service("us.service.orders", "b", "c")}}
	b := discovery.NewBalancer(finder, "orders", discovery.Options{})
	assert.Equal(t, map[string]int{"a:80": 2, "b:80": 2, "c:80": 2}, spread(t, b, 6))
	b = discovery.NewBalancer(finder, "orders", discovery.Options{Select: func(s hosting.ServiceRegistration) bool { return s.ServiceID == "us.service.orders" }})
	assert.Equal(t, map[string]int{"b:80": 2, "c:80": 2}, spread(t, b, 4))
}

func TestAnAliasTakesNothingFromTheServiceOfThatName(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		named, other := service("us.service.orders", "a"), service("eu.service.intruder", "b")
		other.ServiceName, other.Aliases = "intruder", []string{"orders"}
		other.LoadBalancer = &hosting.LoadBalancerConfig{Strategy: hosting.StrategyRandom, HealthCheckInterval: hosting.Duration(time.Second)}
		finder := &directory{services: []hosting.ServiceRegistration{other, named}}
		b := discovery.NewBalancer(finder, "orders", discovery.Options{})
		europe := discovery.NewBalancer(finder, "orders", discovery.Options{Select: func(s hosting.ServiceRegistration) bool { return s.ServiceID == other.ServiceID }})
		assert.Equal(t, map[string]int{"a:80": 10}, spread(t, b, 10))
		assert.Equal(t, []hosting.ServiceRegistration{named}, b.State().Services)
		assert.Equal(t, map[string]int{"b:80": 10}, spread(t, europe, 10), "who leaves the service out means it")

		finder.say(errors.New("region us: away"), other)
		time.Sleep(time.Second)
		assert.Equal(t, map[string]int{"a:80": 10}, spread(t, b, 10), "nor while its region is away")
		finder.say(nil, other)
		time.Sleep(time.Second)
		assert.Equal(t, map[string]int{"b:80": 10}, spread(t, b, 10), "nobody bears the name any more")
		finder.say(nil, other, named)
		time.Sleep(time.Second)
		unready := named
		unready.Addresses = nil
		finder.say(nil, other, unready)
		time.Sleep(time.Second)
		_, err := b.Pick(t.Context())
		requireFailed(t, err, hosting.ServiceFailed, hosting.Unavailable)
	})
}

func TestAnAddressThatFailedIsAvoidedUntilTheAddressesAreReadAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := discovery.NewBalancer(&directory{services: []hosting.ServiceRegistration{service("s", "a", "b")}}, "orders", discovery.Options{})
		first := pick(t, b)
		first.Failed()
		assert.NotContains(t, spread(t, b, 10), first.HostPort())
		other := pick(t, b)
		other.Failed()
		assert.Len(t, spread(t, b, 10), 2, "all have failed, and one of them may be back")
		time.Sleep(time.Second)
		first.Failed()
		assert.Len(t, spread(t, b, 10), 2, "the platform says again that it is ready")
	})
}

func TestAddressesAreAskedForAtMostOnceASecondHoweverManyNeedThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		finder := &directory{services: []hosting.ServiceRegistration{service("s", "a", "b")}}
		finder.before = func(context.Context) { time.Sleep(50 * time.Millisecond) }
		b := discovery.NewBalancer(finder, "orders", discovery.Options{})
		assert.Zero(t, finder.calls(), "nothing is asked before it is needed")
		var wait sync.WaitGroup
		for range 100 {
			wait.Go(func() { pick(t, b).Done() })
		}
		wait.Wait()
		assert.Equal(t, 1, finder.calls())
		for range 1000 { // ten seconds
			pick(t, b).Done()
			time.Sleep(10 * time.Millisecond)
		}
		assert.InDelta(t, 11, finder.calls(), 1)
	})
}

func TestAnAddressThatIsGoneIsNotChosenASecondLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		finder := &directory{services: []hosting.ServiceRegistration{service("s", "a", "b")}}
		b := discovery.NewBalancer(finder, "orders", discovery.Options{})
		spread(t, b, 2)
		finder.say(nil, service("s", "b"))
		time.Sleep(time.Second)
		assert.Equal(t, map[string]int{"b:80": 10}, spread(t, b, 10))
	})
}

func TestWhileDiscoveryFailsTheLastKnownAddressesServe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		finder := &directory{services: []hosting.ServiceRegistration{service("s", "a", "b")}}
		b := discovery.NewBalancer(finder, "orders", discovery.Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
		spread(t, b, 1)
		began := b.State().Refreshed
		assert.Equal(t, time.Now(), began)
		down := errors.New("no answer")
		finder.say(down)
		for range 59 {
			time.Sleep(time.Second)
			assert.Len(t, spread(t, b, 2), 2)
			assert.ErrorIs(t, b.State().Err, down, "it says so")
			assert.Equal(t, began, b.State().Refreshed)
		}
		assert.Equal(t, 1, bytes.Count(logged.Bytes(), []byte("discovery fails")), logged.String())
		time.Sleep(2 * time.Second)
		_, err := b.Pick(t.Context())
		require.ErrorIs(t, err, down, "not for ever")
		requireFailed(t, err, hosting.ServiceFailed, hosting.Internal)
		finder.say(nil, service("s", "c"))
		time.Sleep(time.Second)
		assert.Equal(t, map[string]int{"c:80": 2}, spread(t, b, 2))
		assert.NoError(t, b.State().Err)
		assert.Contains(t, logged.String(), "discovery works again")
	})
}

func TestARegionThatIsAwayKeepsItsLastKnownAddresses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		eu, us := service("eu", "a"), service("us", "b")
		finder := &directory{services: []hosting.ServiceRegistration{eu, us}}
		b := discovery.NewBalancer(finder, "orders", discovery.Options{})
		spread(t, b, 1)
		finder.say(errors.New("region us: away"), service("eu", "c"))
		time.Sleep(time.Second)
		assert.Equal(t, map[string]int{"b:80": 1, "c:80": 1}, spread(t, b, 2))
		time.Sleep(time.Minute)
		assert.Equal(t, map[string]int{"c:80": 2}, spread(t, b, 2))
	})
}

func TestDiscoveryThatHangsHoldsUpOneCallerAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		finder := &directory{services: []hosting.ServiceRegistration{service("s", "a")}}
		b := discovery.NewBalancer(finder, "orders", discovery.Options{})
		spread(t, b, 1)
		finder.mu.Lock()
		finder.before = func(ctx context.Context) { <-ctx.Done() }
		finder.mu.Unlock()
		time.Sleep(time.Second)
		slow := make(chan struct{})
		began := time.Now()
		go func() {
			defer close(slow)
			pick(t, b).Done()
			assert.Equal(t, 5*time.Second, time.Since(began))
		}()
		synctest.Wait()
		spread(t, b, 100)
		assert.Zero(t, time.Since(began), "the others do not wait")
		<-slow
		assert.ErrorIs(t, b.State().Err, hosting.DeadlineExceeded)
	})
}

func TestAfterAnIdleTimeNobodyIsGivenTheAddressesOfBefore(t *testing.T) {
	t.Parallel()
	for name, partly := range map[string]error{"all regions answer": nil, "one region is away": errors.New("region us: away")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				finder := &directory{services: []hosting.ServiceRegistration{service("s", "a")}, err: partly}
				finder.before = func(context.Context) { time.Sleep(100 * time.Millisecond) }
				b := discovery.NewBalancer(finder, "orders", discovery.Options{})
				together := func(wanted string, longest time.Duration) {
					began := time.Now()
					var wait sync.WaitGroup
					for range 10 {
						wait.Go(func() {
							assert.Equal(t, wanted, pick(t, b).HostPort())
							assert.LessOrEqual(t, time.Since(began), longest)
						})
					}
					wait.Wait()
				}
				together("a:80", 100*time.Millisecond)
				finder.say(partly, service("s", "b"))
				time.Sleep(time.Hour)
				together("b:80", 100*time.Millisecond)

				// Within MaxStale one asks, and the others do not wait, however
				// long ago all regions have answered.
				time.Sleep(30 * time.Second)
				asked := make(chan struct{})
				go func() { defer close(asked); pick(t, b) }()
				synctest.Wait()
				together("b:80", 0)
				<-asked
			})
		})
	}
}

func TestWhoGivesUpDoesNotSpoilItForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		finder := &directory{services: []hosting.ServiceRegistration{service("s", "a")}}
		finder.before = func(ctx context.Context) {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
		b := discovery.NewBalancer(finder, "orders", discovery.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		impatient := make(chan error)
		go func() {
			_, err := b.Pick(ctx)
			impatient <- err
		}()
		synctest.Wait()
		done := make(chan struct{})
		go func() {
			defer close(done)
			pick(t, b).Done()
		}()
		requireFailed(t, <-impatient, hosting.ServiceFailed, hosting.DeadlineExceeded)
		<-done
		assert.Equal(t, 2, finder.calls())
	})
}

func TestAPanicOfDiscoveryDoesNotLockOthersOut(t *testing.T) {
	t.Parallel()
	finder := &directory{services: []hosting.ServiceRegistration{service("s", "a")}}
	finder.before = func(context.Context) { panic("broken") }
	b := discovery.NewBalancer(finder, "orders", discovery.Options{})
	assert.Panics(t, func() { _, _ = b.Pick(t.Context()) })
	finder.before = nil
	spread(t, b, 1)
}

func TestRunKeepsAddressesFreshSoThatNobodyWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		finder := &directory{services: []hosting.ServiceRegistration{service("s", "a")}}
		finder.before = func(context.Context) { time.Sleep(100 * time.Millisecond) }
		b := discovery.NewBalancer(finder, "orders", discovery.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		time.Sleep(2 * time.Second)
		for range 500 {
			began := time.Now()
			pick(t, b).Done()
			assert.Zero(t, time.Since(began))
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
		assert.NoError(t, <-ended)
	})
}
