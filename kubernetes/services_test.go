//go:build linux

package kubernetes_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/discovery"
	"skillcenter.io/hosting/internal/testcluster"
	"skillcenter.io/hosting/kubernetes"
)

// withPorts is an instance of which a service can be registered.
func withPorts(name string) hosting.CloudHostingConfig {
	return hosting.CloudHostingConfig{InstanceName: name, InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: testcluster.SkillImage, Ports: []int{8080, 9090}}}
}

func orders(aliases ...string) hosting.ServiceRegistration {
	return hosting.ServiceRegistration{ServiceName: "orders", Port: 8080, Aliases: aliases}
}

func (w *world) create(t *testing.T, config hosting.CloudHostingConfig) string {
	t.Helper()
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	return instance.ID
}

func (w *world) register(t *testing.T, id string, service hosting.ServiceRegistration) hosting.ServiceRegistration {
	t.Helper()
	registered, err := w.RegisterService(t.Context(), id, service)
	require.NoError(t, err)
	return registered
}

func (w *world) serviceObject(t *testing.T, name string) *corev1.Service {
	t.Helper()
	o, err := w.client.CoreV1().Services(w.namespace).Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	return o
}

func ids(list []hosting.ServiceRegistration) []string {
	result := []string{}
	for _, service := range list {
		result = append(result, service.ServiceID)
	}
	return result
}

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

func TestServicesAreFoundByNameAliasAndInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.create(t, withPorts("one")), w.create(t, withPorts("two"))
	w.register(t, two, hosting.ServiceRegistration{ServiceName: "orders", Port: 8080, Aliases: []string{"shop", "sales"}})
	w.register(t, one, hosting.ServiceRegistration{ServiceName: "bills", Port: 8080, Aliases: []string{"shop"}})
	w.register(t, two, hosting.ServiceRegistration{ServiceName: "api", Port: 9090, Aliases: []string{"bills"}})
	for name, want := range map[string][]string{
		"orders": {"default.service.orders"},
		"sales":  {"default.service.orders"},
		"shop":   {"default.service.bills", "default.service.orders"},
		"bills":  {"default.service.api", "default.service.bills"},
		"one":    {}, // an instance is not a service
	} {
		got, err := w.DiscoverService(t.Context(), name)
		require.NoError(t, err, name)
		assert.NotNil(t, got)
		assert.Equal(t, want, ids(got), name)
	}
	all, err := w.ListServices(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"default.service.api", "default.service.bills", "default.service.orders"}, ids(all))
	own, err := w.GetServicesByInstance(t.Context(), two)
	require.NoError(t, err)
	assert.Equal(t, []string{"default.service.api", "default.service.orders"}, ids(own))
	single, err := w.GetService(t.Context(), own[1].ServiceID)
	require.NoError(t, err)
	assert.Equal(t, own[1], single, "a list says what a get says")
}

func TestAddressesComeFromAllEndpointSlices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t, withPorts("web"))
	w.register(t, id, orders())
	slice := func(name string, kind discoveryv1.AddressType, endpoints ...discoveryv1.Endpoint) {
		_, err := w.client.DiscoveryV1().EndpointSlices(w.namespace).Create(t.Context(), &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: "orders", discoveryv1.LabelManagedBy: "test"}},
			AddressType: kind, Endpoints: endpoints, Ports: []discoveryv1.EndpointPort{{Name: new("p8080"), Port: new(int32(8080)), Protocol: new(corev1.ProtocolTCP)}},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	endpoint := func(address string, ready, terminating *bool) discoveryv1.Endpoint {
		return discoveryv1.Endpoint{Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: ready, Terminating: terminating}}
	}
	slice("first", discoveryv1.AddressTypeIPv4,
		endpoint("10.9.0.10", nil, nil), endpoint("10.9.0.2", new(true), new(false)), endpoint("10.9.0.3", new(false), nil),
		endpoint("10.9.0.4", new(true), new(true)), endpoint("10.9.0.5", new(false), new(true)))
	slice("second", discoveryv1.AddressTypeIPv4, endpoint("10.9.0.2", new(true), nil), endpoint("10.9.0.3", new(true), nil))
	slice("third", discoveryv1.AddressTypeIPv6, endpoint("fd00::9", nil, nil))
	slice("name", discoveryv1.AddressTypeFQDN, endpoint("example.com", nil, nil))
	want := []hosting.ServiceAddress{
		{Host: "10.9.0.2", Port: 8080, Ready: true}, {Host: "10.9.0.3", Port: 8080, Ready: true}, {Host: "10.9.0.4", Port: 8080},
		{Host: "10.9.0.5", Port: 8080}, {Host: "10.9.0.10", Port: 8080, Ready: true}, {Host: "fd00::9", Port: 8080, Ready: true},
	}
	got, err := w.GetService(t.Context(), "default.service.orders")
	require.NoError(t, err)
	assert.Equal(t, want, got.Addresses)
	assert.Equal(t, hosting.ServiceStatusReady, got.Status)
}

func TestListsTakeTwoRequestsHoweverManyServicesThereAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t, withPorts("web"))
	const many = 25
	for i := range many {
		w.register(t, id, hosting.ServiceRegistration{ServiceName: fmt.Sprintf("s%02d", i), Port: 8080, Aliases: []string{"all"}})
	}
	// A long list relies on the labels that EndpointSlices have of their Service.
	selector := "managed-by=skillcenter,skillcenter.io/service"
	var made *discoveryv1.EndpointSliceList
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var err error
		made, err = w.client.DiscoveryV1().EndpointSlices(w.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: selector})
		assert.NoError(c, err)
		assert.Len(c, made.Items, many)
	}, waitTime, 100*time.Millisecond)
	for _, slice := range made.Items {
		slice.ObjectMeta = metav1.ObjectMeta{Name: "test-" + slice.Name, Labels: slice.Labels}
		slice.Labels[discoveryv1.LabelManagedBy] = "test"
		slice.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{"10.9.1.1"}}}
		slice.Ports = []discoveryv1.EndpointPort{{Name: new("p8080"), Port: new(int32(8080)), Protocol: new(corev1.ProtocolTCP)}}
		_, err := w.client.DiscoveryV1().EndpointSlices(w.namespace).Create(t.Context(), &slice, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	var requests atomic.Int32
	p := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				if strings.Contains(r.URL.Path, "/namespaces/") {
					requests.Add(1)
				}
				return next.RoundTrip(r)
			})
		}
	})
	for name, list := range map[string]func() ([]hosting.ServiceRegistration, error){
		"ListServices":    func() ([]hosting.ServiceRegistration, error) { return p.ListServices(t.Context()) },
		"DiscoverService": func() ([]hosting.ServiceRegistration, error) { return p.DiscoverService(t.Context(), "all") },
		"one":             func() ([]hosting.ServiceRegistration, error) { return p.DiscoverService(t.Context(), "s03") },
	} {
		want := many
		if name == "one" {
			want = 1
		}
		requests.Store(0)
		got, err := list()
		require.NoError(t, err)
		require.Len(t, got, want)
		assert.EqualValues(t, 2, requests.Load(), name)
		for _, service := range got {
			assert.Equal(t, []hosting.ServiceAddress{{Host: "10.9.1.1", Port: 8080, Ready: true}}, service.Addresses)
		}
	}
}

func TestChangesOfAnInstanceLeaveItsServicesAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t, everything("web", hosting.TypeStatefulSet))
	w.register(t, id, orders("shop"))
	before := w.serviceObject(t, "orders")
	config := everything("web", hosting.TypeStatefulSet)
	config.Network, config.Container.Ports, config.SecretEnv, config.Labels = nil, nil, nil, nil
	plan, err := w.PlanInstance(t.Context(), config)
	require.NoError(t, err)
	for _, o := range plan.Objects {
		assert.NotEqual(t, "orders", o.Name)
	}
	_, err = w.ApplyInstance(t.Context(), config) // removes the endpoint
	require.NoError(t, err)
	_, err = w.RollbackInstance(t.Context(), id, 0)
	require.Error(t, err, "secret values are not kept")
	_, err = w.ApplyInstance(t.Context(), everything("web", hosting.TypeStatefulSet))
	require.NoError(t, err)
	require.NoError(t, w.StopInstance(t.Context(), id))
	require.NoError(t, w.StartInstance(t.Context(), id))
	require.NoError(t, w.RestartInstance(t.Context(), id))
	w.create(t, everything("web", hosting.TypeStatefulSet))
	assert.Equal(t, before, w.serviceObject(t, "orders"), "nobody has written to it")
}

func TestTheEndpointOfAnInstanceIsItsOwnServiceAlsoInMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *kubernetes.Config) { c.Cache = true })
	run(t, w.Provider)
	id := w.create(t, withPorts("web"))
	before, err := w.GetInstance(t.Context(), id)
	require.NoError(t, err)
	w.register(t, id, hosting.ServiceRegistration{ServiceName: "a", Port: 9090})
	w.register(t, id, hosting.ServiceRegistration{ServiceName: "z", Port: 9090})
	for range 2 {
		// Own writes are seen at once, so these tell whether the memory waits in vain.
		began := time.Now()
		now, err := w.GetInstance(t.Context(), id)
		require.NoError(t, err)
		assert.Less(t, time.Since(began), 900*time.Millisecond, "it does not wait for what will not come")
		assert.Equal(t, before.Endpoint, now.Endpoint)
		assert.Equal(t, "web", now.Endpoint.Metadata["service"])
		list, err := w.ListInstances(t.Context())
		require.NoError(t, err)
		require.Len(t, list, 1)
		assert.Equal(t, before.Endpoint, list[0].Endpoint)
		require.NoError(t, ignoreServiceNotFound(w.UnregisterService(t.Context(), "default.service.a")))
	}
}

func ignoreServiceNotFound(err error) error {
	if hosting.CodeOf(err) == hosting.ServiceNotFound {
		return nil
	}
	return err
}

func TestARegistrationThatWasTamperedWithIsAnErrorOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t, withPorts("web"))
	w.register(t, id, orders())
	w.register(t, id, hosting.ServiceRegistration{ServiceName: "bills", Port: 8080})
	for _, value := range []string{`"{"`, `"{}"`, `null`, `"{\"serviceName\":\"bills\",\"port\":8080}"`} {
		patch := `{"metadata":{"annotations":{"skillcenter.io/service-registration":` + value + `}}}`
		_, err := w.client.CoreV1().Services(w.namespace).Patch(t.Context(), "orders", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		require.NoError(t, err)
		_, err = w.GetService(t.Context(), "default.service.orders")
		require.ErrorIs(t, err, hosting.Internal, value)
		list, err := w.ListServices(t.Context())
		require.ErrorIs(t, err, hosting.Internal, value)
		assert.ErrorContains(t, err, "annotation skillcenter.io/service-registration of Service orders")
		assert.Equal(t, []string{"default.service.bills"}, ids(list))
		list, err = w.GetServicesByInstance(t.Context(), id)
		require.ErrorIs(t, err, hosting.Internal, value)
		var failed *hosting.Error
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, []string{"default.service.bills"}, ids(list))
	}
	require.NoError(t, w.UnregisterService(t.Context(), "default.service.orders"))
}

func TestARegionThatIsAwayDoesNotHideTheServicesOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t, withPorts("web"))
	w.register(t, id, orders())
	p := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.Regions = append(c.Regions, kubernetes.Region{Name: "away", Namespace: "no-such-namespace"})
	})
	for name, list := range map[string]func() ([]hosting.ServiceRegistration, error){
		"ListServices":    func() ([]hosting.ServiceRegistration, error) { return p.ListServices(t.Context()) },
		"DiscoverService": func() ([]hosting.ServiceRegistration, error) { return p.DiscoverService(t.Context(), "orders") },
	} {
		got, err := list()
		var failed *hosting.Error
		require.ErrorAs(t, err, &failed, name)
		assert.Equal(t, hosting.ServiceFailed, failed.Code)
		assert.ErrorContains(t, err, "region away")
		assert.Equal(t, []string{"default.service.orders"}, ids(got), name)
	}
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

// Who registers for an instance that is deleted at this moment leaves nothing
// behind: what has no owner any more is collected.
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
