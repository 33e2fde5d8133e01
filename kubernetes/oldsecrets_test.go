//go:build linux

package kubernetes_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
)

// secretNames names the Secrets of the namespace.
func (w *world) secretNames(t *testing.T) []string {
	t.Helper()
	list, err := w.client.CoreV1().Secrets(w.namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	var names []string
	for _, secret := range list.Items {
		names = append(names, secret.Name)
	}
	return names
}

// rotate gives an instance another secret value.
func (w *world) rotate(t *testing.T, config hosting.CloudHostingConfig) hosting.CloudHostingConfig {
	t.Helper()
	config.SecretEnv = hosting.SecretMap{"TOKEN": "rotated-value"}
	_, err := w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	return config
}

func TestAReplacedSecretGoesWithTheNextCallThatChangesTheInstance(t *testing.T) {
	t.Parallel()
	none := func(*testing.T, *world, string) {}
	stop := func(t *testing.T, w *world, id string) { require.NoError(t, w.StopInstance(t.Context(), id)) }
	for name, test := range map[string]struct {
		on      string
		prepare func(t *testing.T, w *world, id string)
		call    func(t *testing.T, w *world, id string, config hosting.CloudHostingConfig) error
	}{
		"start": {hosting.TypeDaemonSet, none, func(t *testing.T, w *world, id string, _ hosting.CloudHostingConfig) error {
			return w.StartInstance(t.Context(), id)
		}},
		"stop": {hosting.TypeDaemonSet, none, func(t *testing.T, w *world, id string, _ hosting.CloudHostingConfig) error {
			return w.StopInstance(t.Context(), id)
		}},
		"scale": {hosting.TypeStatefulSet, stop, func(t *testing.T, w *world, id string, _ hosting.CloudHostingConfig) error {
			return w.ScaleInstance(t.Context(), id, 2)
		}},
		"resources": {hosting.TypeDeployment, stop, func(t *testing.T, w *world, id string, _ hosting.CloudHostingConfig) error {
			return w.UpdateResources(t.Context(), id, hosting.ResourceConfig{CPULimit: 1})
		}},
		"create again": {hosting.TypeDaemonSet, none, func(t *testing.T, w *world, _ string, config hosting.CloudHostingConfig) error {
			_, err := w.CreateInstance(t.Context(), config)
			return err
		}},
		"apply again": {hosting.TypeDaemonSet, none, func(t *testing.T, w *world, _ string, config hosting.CloudHostingConfig) error {
			_, err := w.ApplyInstance(t.Context(), config)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			config := everything("web", test.on)
			created := w.mustCreate(t, config)
			first := w.secretNames(t)
			require.Len(t, first, 1)
			test.prepare(t, w, created.ID)
			config = w.rotate(t, config)
			require.Eventually(t, func() bool {
				require.NoError(t, test.call(t, w, created.ID, config))
				return len(w.secretNames(t)) == 1
			}, waitTime, 100*time.Millisecond, "the old one stays")
			assert.NotEqual(t, first, w.secretNames(t))
			anchor, err := w.client.CoreV1().ConfigMaps(w.namespace).Get(t.Context(), "skill-web", metav1.GetOptions{})
			require.NoError(t, err)
			assert.NotContains(t, anchor.Data["desired"], "oldSecrets")
		})
	}
}

// TestAReplacedSecretStaysForTheRunsThatBeganWithIt for those, too, that the
// cronjob's controller has not started.
func TestAReplacedSecretStaysForTheRunsThatBeganWithIt(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, w *world, id string){
		"active":  func(*testing.T, *world, string) {},
		"stopped": func(t *testing.T, w *world, id string) { require.NoError(t, w.StopInstance(t.Context(), id)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			config := everything("often", hosting.TypeCronJob)
			config.Schedule = "0 0 1 1 *"
			created := w.mustCreate(t, config)
			first := w.secretNames(t)
			require.NoError(t, w.RunNow(t.Context(), created.ID))
			prepare(t, w, created.ID)
			w.rotate(t, config)
			require.Len(t, w.secretNames(t), 2)
			require.NoError(t, w.StartInstance(t.Context(), created.ID))
			require.True(t, slices.Contains(w.secretNames(t), first[0]), "the run cannot go on")

			require.NoError(t, w.client.BatchV1().Jobs(w.namespace).Delete(t.Context(), "often-now-1",
				metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}))
			require.NoError(t, w.StartInstance(t.Context(), created.ID))
			assert.NotContains(t, w.secretNames(t), first[0])
		})
	}
}
