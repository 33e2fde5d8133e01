package fake_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
)

func api(aliases ...string) hosting.ServiceRegistration {
	return hosting.ServiceRegistration{ServiceName: "api", Port: 80, Aliases: aliases}
}

func (w world) register(id string, service hosting.ServiceRegistration) hosting.ServiceRegistration {
	w.Helper()
	got, err := w.RegisterService(w.ctx, id, service)
	require.NoError(w, err)
	return got
}

func (w world) service(id string) hosting.ServiceRegistration {
	w.Helper()
	got, err := w.GetService(w.ctx, id)
	require.NoError(w, err)
	return got
}

// readyHosts are the hosts that would take a request now.
func (w world) readyHosts() []string {
	w.Helper()
	hosts := []string{}
	for _, a := range w.service("default.service.api").Addresses {
		if a.Ready {
			hosts = append(hosts, a.Host)
		}
	}
	return hosts
}

func TestAServiceFollowsTheReplicasOfItsInstance(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w world) {
		id := w.create(web(2))
		got := w.register(id, api("b", "a"))
		assert.Equal(w, hosting.ServiceRegistration{
			ServiceID: "default.service.api", InstanceID: id, ServiceName: "api", Port: 80, Protocol: "http",
			Host: "api.default.fake.local", Endpoint: "http://api.default.fake.local:80", Status: hosting.ServiceStatusPending, Aliases: []string{"a", "b"},
			LoadBalancer: &hosting.LoadBalancerConfig{Strategy: "round-robin"},
			Addresses:    []hosting.ServiceAddress{{Host: "web-1.default.fake.local", Port: 80}, {Host: "web-2.default.fake.local", Port: 80}},
		}, got)
		w.wait(id, hosting.StatusRunning)
		assert.Equal(w, hosting.ServiceStatusReady, w.service(got.ServiceID).Status)
		assert.Equal(w, []string{"web-1.default.fake.local", "web-2.default.fake.local"}, w.readyHosts())
		require.NoError(w, w.ScaleInstance(w.ctx, id, 3))
		w.wait(id, hosting.StatusRunning)
		assert.Len(w, w.readyHosts(), 3)
		require.NoError(w, w.StopInstance(w.ctx, id))
		assert.Empty(w, w.readyHosts(), "who is being stopped takes no requests")
		w.wait(id, hosting.StatusStopped)
		assert.Equal(w, []hosting.ServiceAddress{}, w.service(got.ServiceID).Addresses)
		require.NoError(w, w.StartInstance(w.ctx, id))
		w.wait(id, hosting.StatusRunning)
		require.NoError(w, w.RestartInstance(w.ctx, id))
		for w.get(id).Status != hosting.StatusRunning {
			assert.GreaterOrEqual(w, len(w.readyHosts()), 2, "while it is being replaced, others serve")
			time.Sleep(100 * time.Millisecond)
		}
	})
}

func TestAServiceGoesWithItsInstance(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w world) {
		id := w.running(web(1))
		got := w.register(id, api())
		require.NoError(w, w.DeleteInstance(w.ctx, id))
		assert.Equal(w, hosting.ServiceStatusTerminating, w.service(got.ServiceID).Status)
		_, err := w.RegisterService(w.ctx, id, hosting.ServiceRegistration{ServiceName: "late", Port: 80})
		w.failed(err, hosting.ServiceFailed, hosting.Conflict)
		time.Sleep(time.Minute)
		_, err = w.GetService(w.ctx, got.ServiceID)
		w.failed(err, hosting.ServiceNotFound, hosting.NotFound)
		w.register(w.create(web(1)), api())
	})
}

func TestServicesAreFoundByNameAliasAndInstance(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w world) {
		one := w.create(web(1))
		config := web(1)
		config.InstanceName, config.Region = "far", "eu-west-1"
		far := w.create(config)
		w.register(one, api("shop", "sales"))
		w.register(one, hosting.ServiceRegistration{ServiceName: "bills", Port: 80})
		w.register(far, api("shop"))
		ids := func(list []hosting.ServiceRegistration, err error) []string {
			require.NoError(w, err)
			assert.NotNil(w, list)
			result := []string{}
			for _, service := range list {
				result = append(result, service.ServiceID)
			}
			return result
		}
		both := []string{"default.service.api", "eu-west-1.service.api"}
		assert.Equal(w, both, ids(w.DiscoverService(w.ctx, "api")))
		assert.Equal(w, both, ids(w.DiscoverService(w.ctx, "shop")))
		assert.Equal(w, both[:1], ids(w.DiscoverService(w.ctx, "sales")))
		assert.Equal(w, []string{}, ids(w.DiscoverService(w.ctx, "nobody")))
		assert.Equal(w, []string{both[0], "default.service.bills", both[1]}, ids(w.ListServices(w.ctx)))
		assert.Equal(w, []string{both[0], "default.service.bills"}, ids(w.GetServicesByInstance(w.ctx, one)))
		require.NoError(w, w.UnregisterService(w.ctx, "fake:default.service.api"))
		assert.Equal(w, both[1:], ids(w.DiscoverService(w.ctx, "api")))
		w.failed(w.UnregisterService(w.ctx, "default.service.api"), hosting.ServiceNotFound, hosting.NotFound)
	})
}

func TestTheSameServiceAgainIsReturnedAndAnotherIsRefused(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w world) {
		id := w.create(web(1))
		config := web(1)
		config.InstanceName = "other"
		other := w.create(config)
		service := api("a", "b")
		first := w.register(id, service)
		service.Aliases[0] = "changed" // the provider has its own copy
		for _, again := range []hosting.ServiceRegistration{api("a", "b"), api("b", "a"), first} {
			assert.Equal(w, first, w.register(id, again))
		}
		for says, err := range map[string]error{
			"differs in aliases":                second(w.RegisterService(w.ctx, id, api("a"))),
			"registered for instance":           second(w.RegisterService(w.ctx, other, api("a", "b"))),
			"name of instance":                  second(w.RegisterService(w.ctx, id, hosting.ServiceRegistration{ServiceName: "web", Port: 80})),
			"instance default.deployment.other": second(w.RegisterService(w.ctx, id, hosting.ServiceRegistration{ServiceName: "other", Port: 80})),
		} {
			w.failed(err, hosting.ServiceFailed, hosting.AlreadyExists)
			assert.ErrorContains(w, err, says)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestAnInstanceWithPortsCannotHaveTheNameOfAService(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w world) {
		w.register(w.create(web(1)), api())
		config := web(1)
		config.InstanceName = "api"
		w.failed(second(w.CreateInstance(w.ctx, config)), hosting.CreateFailed, hosting.AlreadyExists)
		plan, err := w.PlanInstance(w.ctx, config)
		require.NoError(w, err)
		assert.Equal(w, []string{"a service is registered under the name api"}, plan.Objections)
		config.Container.Ports = nil
		w.create(config)
		config.Container.Ports = []int{80}
		w.failed(second(w.ApplyInstance(w.ctx, config)), hosting.UpdateFailed, hosting.AlreadyExists)
	})
}

func TestServicesThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w world) {
		id := w.create(web(1))
		for says, err := range map[string]error{
			`serviceName "A"`: second(w.RegisterService(w.ctx, id, hosting.ServiceRegistration{ServiceName: "A", Port: 80})),
			`port 81: allowed: a port of the instance: 80`: second(w.RegisterService(w.ctx, id, hosting.ServiceRegistration{ServiceName: "api", Port: 81})),
			`instanceId "default.job.web"`:                 second(w.RegisterService(w.ctx, id, hosting.ServiceRegistration{ServiceName: "api", Port: 80, InstanceID: "default.job.web"})),
			`id "x"`:                                       second(w.GetService(w.ctx, "x")),
			`serviceName "A b"`:                            second(w.DiscoverService(w.ctx, "A b")),
		} {
			w.failed(err, hosting.ServiceFailed, hosting.InvalidArgument)
			assert.ErrorContains(w, err, says)
		}
		w.failed(second(w.RegisterService(w.ctx, "default.deployment.x", api())), hosting.InstanceNotFound, hosting.NotFound)
		w.failed(second(w.GetServicesByInstance(w.ctx, "default.deployment.x")), hosting.InstanceNotFound, hosting.NotFound)
		w.failed(second(w.GetService(w.ctx, id)), hosting.ServiceNotFound, hosting.NotFound)
	})
}

func TestCallsOfServicesFailAsTheyAreTold(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w world) {
		w.register(w.create(web(1)), api())
		w.InjectCall(fake.CallFault{Method: "DiscoverService", Instance: "api", Calls: 1, Reason: hosting.Unavailable})
		w.failed(second(w.DiscoverService(w.ctx, "api")), hosting.ServiceFailed, hosting.Unavailable)
		_, err := w.DiscoverService(w.ctx, "api")
		require.NoError(w, err)
	})
}
