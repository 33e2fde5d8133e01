//go:build linux

package kubernetes_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

// changed is everything's successor: it changes, adds and removes parts.
func changed(name, instanceType string) hosting.CloudHostingConfig {
	config := everything(name, instanceType)
	config.Container.Env = map[string]string{"B": "2"}
	config.Network = nil // no ingress
	config.Labels = map[string]string{"team": "red"}
	config.SecretEnv = hosting.SecretMap{"TOKEN": "another-value"}
	config.Scaling = nil // no autoscaler
	return config
}

// essence is what the configuration says about the objects of an instance,
// without what differs from one instance to the next.
func (w *world) essence(t *testing.T, instanceType, name string) map[string]any {
	t.Helper()
	template := w.podTemplate(t, instanceType, name)
	container := template.Spec.Containers[0]
	maps.DeleteFunc(template.Labels, func(key, _ string) bool { return strings.HasSuffix(key, "controller-uid") }) // of each Job its own
	secret := ""
	for i := range container.Env {
		if source := container.Env[i].ValueFrom; source != nil {
			held, err := w.client.CoreV1().Secrets(w.namespace).Get(t.Context(), source.SecretKeyRef.Name, metav1.GetOptions{})
			require.NoError(t, err)
			secret = string(held.Data[source.SecretKeyRef.Key])
			source.SecretKeyRef.Name = ""
		}
	}
	service, err := w.client.CoreV1().Services(w.namespace).Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	return map[string]any{
		"env": container.Env, "secret": secret, "image": container.Image, "labels": template.Labels, "team": service.Labels["team"],
		"replicas": w.count(t, instanceType, name),
	}
}

// count is how many replicas a workload is to have, 0 if its type has none.
func (w *world) count(t *testing.T, instanceType, name string) int32 {
	t.Helper()
	switch instanceType {
	case hosting.TypeDeployment:
		return w.replicas(t, name)
	case hosting.TypeStatefulSet:
		set, err := w.client.AppsV1().StatefulSets(w.namespace).Get(t.Context(), name, metav1.GetOptions{})
		require.NoError(t, err)
		return *set.Spec.Replicas
	case hosting.TypeJob:
		return *w.job(t, name).Spec.Parallelism
	}
	return 0
}

func TestApplyKilledAfterAnyWriteIsCarriedOutByAnotherProcess(t *testing.T) {
	t.Parallel()
	for _, instanceType := range instanceTypes {
		t.Run(instanceType, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			empty := w.objects(t)
			before, after := everything("web", instanceType), changed("web", instanceType)
			create := func() hosting.CloudInstance {
				instance := w.mustCreate(t, before)
				if instanceType == hosting.TypeJob { // one that runs cannot change
					require.NoError(t, w.StopInstance(t.Context(), instance.ID))
				}
				return instance
			}
			instance := create()
			old := w.essence(t, instanceType, "web")
			counter := &writes{after: func(int) {}}
			whole := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
				c.WrapTransport = func(next http.RoundTripper) http.RoundTripper { counter.RoundTripper = next; return counter }
			})
			_, err := whole.ApplyInstance(t.Context(), after)
			require.NoError(t, err)
			total := int(counter.count.Load())
			require.Greater(t, total, 8, "every part is written, and the anchor three times")
			complete := w.essence(t, instanceType, "web")
			require.NotEqual(t, old["env"], complete["env"])
			assert.Equal(t, "another-value", complete["secret"])
			w.delete(t, instance.ID)

			for killed := 1; killed <= total; killed++ {
				create()
				w.createInProcessThatDies(t, after, killed, envApply+"=1")
				repair := "apply"
				if killed%2 == 0 && w.isPending(t) {
					repair = "start"
					require.NoError(t, w.StartInstance(t.Context(), instance.ID), "killed after write %d", killed)
				} else {
					_, err := w.ApplyInstance(t.Context(), after)
					require.NoError(t, err, "killed after write %d", killed)
				}
				assert.Equal(t, complete, w.essence(t, instanceType, "web"), "killed after write %d, repaired by %s", killed, repair)
				_, err := w.client.NetworkingV1().Ingresses(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
				require.Error(t, err, "killed after write %d", killed)
				_, err = w.client.AutoscalingV2().HorizontalPodAutoscalers(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
				require.Error(t, err, "killed after write %d", killed)
				_, err = w.CreateInstance(t.Context(), after)
				require.NoError(t, err, "it is what was applied")
				assert.False(t, w.isPending(t))
				w.delete(t, instance.ID)
				w.requireSameObjects(t, empty)
			}
		})
	}
}

// isPending tells whether the anchor says that a change is to be carried out.
func (w *world) isPending(t *testing.T) bool {
	t.Helper()
	anchor, err := w.client.CoreV1().ConfigMaps(w.namespace).Get(t.Context(), "skill-web", metav1.GetOptions{})
	require.NoError(t, err)
	desired := anchor.Data["desired"]
	return strings.Contains(desired, `"generation":1`) && !strings.Contains(desired, `"applied":1`)
}
