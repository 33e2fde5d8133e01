//go:build linux

package kubernetes_test

import (
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
func (w *world) essence(t *testing.T, name string) map[string]any {
	t.Helper()
	d := w.deployment(t, name)
	container := d.Spec.Template.Spec.Containers[0]
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
		"env": container.Env, "secret": secret, "image": container.Image, "labels": d.Spec.Template.Labels,
		"team": []string{d.Labels["team"], service.Labels["team"]}, "shape": w.shape(t), "replicas": *d.Spec.Replicas,
	}
}

func TestApplyKilledAfterAnyWriteIsCarriedOutByAnotherProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before, after := everything("web", hosting.TypeDeployment), changed("web", hosting.TypeDeployment)
	create := func() hosting.CloudInstance {
		instance, err := w.CreateInstance(t.Context(), before)
		require.NoError(t, err)
		return instance
	}
	instance := create()
	old := w.essence(t, "web")
	counter := &writes{after: func(int) {}}
	whole := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
			counter.RoundTripper = next
			return roundTrip(func(r *http.Request) (*http.Response, error) { return counter.RoundTrip(r) })
		}
	})
	_, err := whole.ApplyInstance(t.Context(), after)
	require.NoError(t, err)
	total := int(counter.count.Load())
	complete := w.essence(t, "web")
	delete(complete, "shape")
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
		now := w.essence(t, "web")
		delete(now, "shape")
		assert.Equal(t, complete, now, "killed after write %d, repaired by %s", killed, repair)
		_, err := w.client.NetworkingV1().Ingresses(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
		require.Error(t, err, "killed after write %d", killed)
		_, err = w.client.AutoscalingV2().HorizontalPodAutoscalers(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
		require.Error(t, err, "killed after write %d", killed)
		_, err = w.CreateInstance(t.Context(), after)
		require.NoError(t, err, "it is what was applied")
		assert.False(t, w.isPending(t))
		w.delete(t, instance.ID)
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
