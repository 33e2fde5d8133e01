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

// Who registers for an instance that is deleted at this moment leaves nothing
// behind: what has no owner any more is collected.
