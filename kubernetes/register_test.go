//go:build linux

package kubernetes_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/discovery"
)

func TestARegisteredServiceIsAServiceOfTheInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t, withPorts("web"))
	host := "orders." + w.namespace + ".svc"
	want := hosting.ServiceRegistration{
		ServiceID: "default.service.orders", InstanceID: id, ServiceName: "orders", Port: 8080, Protocol: "http",
		Host: host, Endpoint: "http://" + host + ":8080", Status: hosting.ServiceStatusPending, Aliases: []string{"a", "b"},
		LoadBalancer: &hosting.LoadBalancerConfig{Strategy: hosting.StrategyRoundRobin}, Addresses: []hosting.ServiceAddress{},
	}
	assert.Equal(t, want, w.register(t, id, orders("b", "a")))
	got, err := w.GetService(t.Context(), want.ServiceID)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	got, err = w.GetService(t.Context(), "kubernetes:"+want.ServiceID)
	require.NoError(t, err)
	assert.Equal(t, want, got)

	o := w.serviceObject(t, "orders")
	assert.Equal(t, map[string]string{"skillcenter.io/name": "web", "skillcenter.io/type": "deployment"}, o.Spec.Selector)
	require.Len(t, o.OwnerReferences, 1)
	assert.Equal(t, "skill-web", o.OwnerReferences[0].Name)
	assert.NotEmpty(t, o.Spec.ClusterIP)
	assert.Equal(t, 8080, o.Spec.Ports[0].TargetPort.IntValue())
}

func TestWhatTheCallerSaysOfAServiceIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t, withPorts("web"))
	service := hosting.ServiceRegistration{
		ServiceName: "orders", Port: 9090, Protocol: hosting.ProtocolGRPC, Host: "orders.example.com", Endpoint: "https://orders.example.com/v1",
		LoadBalancer: &hosting.LoadBalancerConfig{Strategy: hosting.StrategyLeastConnections, HealthCheckPath: "/ok",
			HealthCheckInterval: hosting.Duration(5 * time.Second), HealthCheckTimeout: hosting.Duration(time.Second)},
		// What is the platform's to say.
		ServiceID: "x", Status: "ready", Addresses: []hosting.ServiceAddress{{Host: "1.2.3.4", Port: 1, Ready: true}}, InstanceID: "kubernetes:" + id,
	}
	got := w.register(t, id, service)
	service.ServiceID, service.InstanceID, service.Status, service.Addresses = "default.service.orders", id, "pending", []hosting.ServiceAddress{}
	assert.Equal(t, service.LoadBalancer, got.LoadBalancer)
	got.Aliases = nil
	assert.Equal(t, service, got)
}

func TestTheSameRegistrationAgainIsReturnedAndAnotherIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, other := w.create(t, withPorts("web")), w.create(t, withPorts("other"))
	first := w.register(t, id, orders("a", "b"))
	uid := w.serviceObject(t, "orders").UID
	// What was returned is the same registration, too.
	for _, service := range []hosting.ServiceRegistration{orders("a", "b"), orders("b", "a"), first} {
		assert.Equal(t, first, w.register(t, id, service))
	}
	assert.Equal(t, uid, w.serviceObject(t, "orders").UID)

	for name, test := range map[string]struct {
		id      string
		service hosting.ServiceRegistration
		says    string
	}{
		"another instance": {other, orders("a", "b"), "service orders is registered for instance default.deployment.web"},
		"other aliases":    {id, orders("a"), "it differs in aliases"},
		"another port":     {id, hosting.ServiceRegistration{ServiceName: "orders", Port: 9090, Aliases: []string{"a", "b"}}, "it differs in port"},
	} {
		_, err := w.RegisterService(t.Context(), test.id, test.service)
		require.ErrorIs(t, err, hosting.AlreadyExists, name)
		assert.Equal(t, hosting.ServiceFailed, hosting.CodeOf(err))
		assert.ErrorContains(t, err, test.says)
	}
}

func TestAServiceNeverTakesWhatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t, withPorts("web"))
	config := withPorts("db")
	config.InstanceType = hosting.TypeStatefulSet
	w.create(t, config)
	foreign := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "theirs"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
	_, err := w.client.CoreV1().Services(w.namespace).Create(t.Context(), foreign, metav1.CreateOptions{})
	require.NoError(t, err)
	before := w.shape(t)
	for name, says := range map[string]string{
		"theirs": "Service theirs exists and is not a service that was registered",
		"db":     "Service db exists and is not a service that was registered",
		"db-hl":  "Service db-hl exists and is not a service that was registered",
		"web":    "Service web is for the instance's own endpoint: choose another name",
		"web-hl": "Service web-hl is for the instance's own endpoint: choose another name",
	} {
		_, err := w.RegisterService(t.Context(), id, hosting.ServiceRegistration{ServiceName: name, Port: 8080})
		require.ErrorIs(t, err, hosting.AlreadyExists, name)
		assert.ErrorContains(t, err, says)
		_, err = w.GetService(t.Context(), "default.service."+name)
		assert.ErrorIs(t, err, hosting.NotFound, name)
		assert.Equal(t, hosting.ServiceNotFound, hosting.CodeOf(w.UnregisterService(t.Context(), "default.service."+name)), name)
	}
	assert.Equal(t, before, w.shape(t))
	list, err := w.ListServices(t.Context())
	require.NoError(t, err)
	assert.Empty(t, list)
}

func TestAnInstanceWithPortsCannotHaveTheNameOfAService(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t, withPorts("web"))
	w.register(t, id, orders())
	before := w.shape(t)
	_, err := w.CreateInstance(t.Context(), withPorts("orders"))
	require.ErrorIs(t, err, hosting.AlreadyExists)
	assert.ErrorContains(t, err, "Service orders exists and does not belong to this instance")
	require.EventuallyWithT(t, func(c *assert.CollectT) { assert.Equal(c, before, w.shape(t)) }, waitTime, 100*time.Millisecond)

	// Without ports it can, and then it does not get any.
	config := withPorts("orders")
	config.Container.Ports = nil
	w.create(t, config)
	config.Container.Ports = []int{8080}
	_, err = w.ApplyInstance(t.Context(), config)
	require.ErrorIs(t, err, hosting.AlreadyExists)
	got, err := w.GetService(t.Context(), "default.service.orders")
	require.NoError(t, err)
	assert.Equal(t, id, got.InstanceID)
}

func TestBadServicesAreRefusedWithTheFieldAndNothingIsMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t, withPorts("web"))
	config := withPorts("quiet")
	config.Container.Ports = nil
	quiet := w.create(t, config)
	before := w.shape(t)
	for name, test := range map[string]struct {
		id      string
		service hosting.ServiceRegistration
		code    hosting.Code
		reason  hosting.Reason
		says    string
	}{
		"name":             {id, hosting.ServiceRegistration{ServiceName: "A", Port: 8080}, hosting.ServiceFailed, hosting.InvalidArgument, `serviceName "A"`},
		"port":             {id, hosting.ServiceRegistration{ServiceName: "orders", Port: 80}, hosting.ServiceFailed, hosting.InvalidArgument, "port 80: allowed: a port of the instance: 8080 9090"},
		"no ports":         {quiet, orders(), hosting.ServiceFailed, hosting.InvalidArgument, "port 8080: allowed: a port of the instance, which has none"},
		"another instance": {id, hosting.ServiceRegistration{ServiceName: "orders", Port: 8080, InstanceID: quiet}, hosting.ServiceFailed, hosting.InvalidArgument, `instanceId "default.deployment.quiet"`},
		"unknown instance": {"default.deployment.nobody", orders(), hosting.InstanceNotFound, hosting.NotFound, "default.deployment.nobody"},
		"another type":     {"default.job.web", orders(), hosting.InstanceNotFound, hosting.NotFound, "default.job.web"},
		"not an id":        {"web", orders(), hosting.ServiceFailed, hosting.InvalidArgument, `id "web"`},
		"a service's id":   {"default.service.web", orders(), hosting.InstanceNotFound, hosting.NotFound, "default.service.web"},
	} {
		_, err := w.RegisterService(t.Context(), test.id, test.service)
		require.ErrorIs(t, err, test.reason, name)
		assert.Equal(t, test.code, hosting.CodeOf(err), name)
		assert.ErrorContains(t, err, test.says, name)
	}
	_, err := w.GetService(t.Context(), "nonsense")
	assert.ErrorIs(t, err, hosting.InvalidArgument)
	_, err = w.GetService(t.Context(), id)
	assert.Equal(t, hosting.ServiceNotFound, hosting.CodeOf(err))
	_, err = w.DiscoverService(t.Context(), "Not a name")
	assert.ErrorIs(t, err, hosting.InvalidArgument)
	_, err = w.GetServicesByInstance(t.Context(), "default.deployment.nobody")
	assert.Equal(t, hosting.InstanceNotFound, hosting.CodeOf(err))
	assert.Equal(t, before, w.shape(t))
}

func TestUnregisteringRemovesTheRegistrationAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t, withPorts("web"))
	before := w.shape(t)
	w.register(t, id, orders())
	require.NoError(t, w.UnregisterService(t.Context(), "default.service.orders"))
	assert.Equal(t, before, w.shape(t))
	err := w.UnregisterService(t.Context(), "default.service.orders")
	require.ErrorIs(t, err, hosting.NotFound)
	assert.Equal(t, hosting.ServiceNotFound, hosting.CodeOf(err))
	w.register(t, id, orders("new")) // the name is free
}

func TestDeletingAnInstanceRemovesItsServices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.create(t, withPorts("other"))
	w.register(t, other, hosting.ServiceRegistration{ServiceName: "bills", Port: 8080})
	before := w.shape(t)
	id := w.create(t, withPorts("web"))
	w.register(t, id, orders())
	w.register(t, id, hosting.ServiceRegistration{ServiceName: "returns", Port: 9090})
	w.delete(t, id)
	require.EventuallyWithT(t, func(c *assert.CollectT) { assert.Equal(c, before, w.shape(t)) }, waitTime, 100*time.Millisecond)
	list, err := w.ListServices(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"default.service.bills"}, ids(list))
}

func TestTwentyCallersWhoRegisterTheSameGetTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t, withPorts("web"))
	results := make(chan error, 20)
	for range cap(results) {
		go func() {
			got, err := w.RegisterService(t.Context(), id, orders("shop"))
			if err == nil && got.ServiceID != discovery.ID("default", "orders") {
				err = fmt.Errorf("got %s", got.ServiceID)
			}
			results <- err
		}()
	}
	for range cap(results) {
		assert.NoError(t, <-results)
	}
}

func TestAServiceOfAnInstanceThatIsBeingDeletedDoesNotStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.shape(t)
	id := w.create(t, withPorts("web"))
	p := w.interrupted(t, moment{1, http.MethodPost, "/services", func() { w.delete(t, id) }})
	_, err := p.RegisterService(t.Context(), id, orders())
	require.NoError(t, err, "the instance was there when the call began")
	require.EventuallyWithT(t, func(c *assert.CollectT) { assert.Equal(c, before, w.shape(t)) }, waitTime, 100*time.Millisecond)

	id = w.create(t, withPorts("web"))
	require.NoError(t, w.DeleteInstance(t.Context(), id))
	_, err = w.RegisterService(t.Context(), id, orders())
	assert.Contains(t, []hosting.Reason{hosting.Conflict, hosting.NotFound}, hosting.ReasonOf(err))
}

func TestAServiceThatIsRemovedAndMadeAgainMeanwhileIsNeverLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t, withPorts("web"))
	w.register(t, id, orders())
	// It is in the way, and gone when it is looked at.
	p := w.interrupted(t, moment{1, http.MethodGet, "/services/orders", func() {
		require.NoError(t, w.UnregisterService(t.Context(), "default.service.orders"))
	}})
	_, err := p.RegisterService(t.Context(), id, orders())
	require.NoError(t, err)
	uid := w.serviceObject(t, "orders").UID

	// Another one has the name by now: it is not this call's to remove.
	p = w.interrupted(t, moment{1, http.MethodDelete, "/services/orders", func() {
		require.NoError(t, w.UnregisterService(t.Context(), "default.service.orders"))
		w.register(t, id, orders("another"))
	}})
	require.ErrorIs(t, p.UnregisterService(t.Context(), "default.service.orders"), hosting.Conflict)
	assert.NotEqual(t, uid, w.serviceObject(t, "orders").UID)
}
