//go:build linux

package kubernetes_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/testcluster"
	"skillcenter.io/hosting/kubernetes"
)

// world is a namespace of a real cluster, the provider under test that uses it
// as its only region, and a client that looks behind the provider's back.
type world struct {
	*kubernetes.Provider
	cluster   *testcluster.Cluster
	namespace string
	client    clientset.Interface
}

// waitTime is how long a test waits for something that the cluster does.
const waitTime = 2 * time.Minute

// newWorld starts on a control plane: objects are real, but no pod runs.
func newWorld(t testing.TB, options ...func(*kubernetes.Config)) *world {
	t.Helper()
	return newWorldOn(t, testcluster.Start(t), options...)
}

func newWorldOn(t testing.TB, cluster *testcluster.Cluster, options ...func(*kubernetes.Config)) *world {
	t.Helper()
	w := &world{cluster: cluster, namespace: cluster.Namespace(t, "hosting")}
	quiet := cluster.Config()
	quiet.WarningHandler = rest.NoWarnings{}
	var err error
	w.client, err = clientset.NewForConfig(quiet)
	require.NoError(t, err)
	w.Provider = w.provider(t, cluster.Config(), options...)
	return w
}

// provider returns a provider for the same namespace with other credentials or
// another configuration.
func (w *world) provider(t testing.TB, config *rest.Config, options ...func(*kubernetes.Config)) *kubernetes.Provider {
	t.Helper()
	c := kubernetes.DefaultConfig()
	c.RESTConfig = config
	c.Regions = []kubernetes.Region{{Name: "default", Namespace: w.namespace}}
	for _, option := range options {
		option(&c)
	}
	p, err := kubernetes.New(t.Context(), c)
	require.NoError(t, err)
	return p
}

// moment is just before the nth request of a method to a path that ends like
// this. Tries without effect do not count.
type moment struct {
	nth          int
	method, path string
	do           func()
}

// interrupted returns another provider of the namespace, during whose requests
// other things happen.
func (w *world) interrupted(t *testing.T, moments ...moment) *kubernetes.Provider {
	t.Helper()
	counts := make([]atomic.Int32, len(moments))
	t.Cleanup(func() {
		for i, m := range moments {
			assert.GreaterOrEqual(t, int(counts[i].Load()), m.nth, "%s %s", m.method, m.path)
		}
	})
	return w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				for i, m := range moments {
					if r.Method == m.method && strings.HasSuffix(r.URL.Path, m.path) && !r.URL.Query().Has("dryRun") && int(counts[i].Add(1)) == m.nth {
						m.do()
					}
				}
				return next.RoundTrip(r)
			})
		}
	})
}

// everything is a configuration that asks for every part the type can have.
func everything(name, instanceType string) hosting.CloudHostingConfig {
	config := hosting.CloudHostingConfig{
		InstanceName: name,
		InstanceType: instanceType,
		Container:    &hosting.ContainerConfig{Image: testcluster.SkillImage, Ports: []int{8080}, Env: map[string]string{"A": "1"}},
		Network:      &hosting.NetworkConfig{IngressHost: name + ".example.com"},
		Labels:       map[string]string{"team": "blue"},
		SecretEnv:    hosting.SecretMap{"TOKEN": "s3cr3t-value"},
		SkillID:      "skill-1",
		Version:      "1.2.3",
	}
	switch instanceType {
	case hosting.TypeCronJob:
		config.Schedule = "*/5 * * * *"
	case hosting.TypeDeployment, hosting.TypeStatefulSet:
		config.Scaling = &hosting.ScaleConfig{MinReplicas: 2, MaxReplicas: 4, TargetCPUUtilization: 80}
	}
	return config
}

// objects names everything in the namespace but events, whatever its kind.
func (w *world) objects(t *testing.T) []string {
	t.Helper()
	lists, err := w.client.Discovery().ServerPreferredNamespacedResources()
	require.NoError(t, err)
	quiet := w.cluster.Config()
	quiet.WarningHandler = rest.NoWarnings{} // some kinds are deprecated
	client, err := metadata.NewForConfig(quiet)
	require.NoError(t, err)
	names := []string{}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		require.NoError(t, err)
		for _, r := range list.APIResources {
			if r.Name == "events" || !slices.Contains(r.Verbs, "list") || version.Group == "metrics.k8s.io" {
				continue
			}
			found, err := client.Resource(version.WithResource(r.Name)).Namespace(w.namespace).List(t.Context(), metav1.ListOptions{})
			require.NoError(t, err, r.Name)
			for _, item := range found.Items {
				names = append(names, version.WithResource(r.Name).GroupResource().String()+"/"+item.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// requireSameObjects waits until the namespace holds what it held before.
func (w *world) requireSameObjects(t *testing.T, before []string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Equal(c, before, w.objects(t))
	}, waitTime, 200*time.Millisecond, "something is left behind")
}

// delete deletes an instance and waits until it is gone.
func (w *world) delete(t *testing.T, id string) {
	t.Helper()
	require.NoError(t, w.DeleteInstance(t.Context(), id))
	ctx, cancel := context.WithTimeout(t.Context(), waitTime)
	defer cancel()
	require.NoError(t, hosting.WaitForDeletion(ctx, w, id, hosting.WaitOptions{Interval: 50 * time.Millisecond}))
}

// shape counts the objects in the namespace by kind, without those that
// controllers make in their own time.
func (w *world) shape(t *testing.T) map[string]int {
	t.Helper()
	result := map[string]int{}
	for _, name := range w.objects(t) {
		kind, _, _ := strings.Cut(name, "/")
		switch kind {
		// What controllers make comes when it comes.
		case "pods", "replicasets.apps", "endpoints", "endpointslices.discovery.k8s.io", "controllerrevisions.apps":
		default:
			result[kind]++
		}
	}
	return result
}
