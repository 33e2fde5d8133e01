//go:build linux

package kubernetes_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

// leaveIncomplete makes instances that have an anchor and nothing else, as
// creates that died leave them.
func (w *world) leaveIncomplete(t *testing.T, n int) {
	t.Helper()
	w.mustCreate(t, simple("original", hosting.TypeDeployment))
	configMaps := w.client.CoreV1().ConfigMaps(w.namespace)
	original, err := configMaps.Get(t.Context(), "skill-original", metav1.GetOptions{})
	require.NoError(t, err)
	w.delete(t, "default.deployment.original")
	for i := range n {
		name := fmt.Sprintf("left-%d", i)
		anchor := original.DeepCopy()
		anchor.ObjectMeta = metav1.ObjectMeta{Name: "skill-" + name, Labels: anchor.Labels, Annotations: anchor.Annotations}
		for _, texts := range []map[string]string{anchor.Labels, anchor.Annotations, anchor.Data} {
			for key, text := range texts {
				texts[key] = strings.ReplaceAll(text, "original", name)
			}
		}
		_, err := configMaps.Create(t.Context(), anchor, metav1.CreateOptions{})
		require.NoError(t, err)
	}
}

func TestAListOfManyIncompleteInstancesTakesFewRequests(t *testing.T) {
	t.Parallel()
	const many = 120
	for name, cached := range map[string]bool{"live": false, "cached": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.leaveIncomplete(t, many)
			tap := newTap()
			p := w.provider(t, w.cluster.Config(), tap.into, func(c *kubernetes.Config) { c.Cache = cached })
			list := func(want int) int64 {
				before := tap.requests.Load()
				found, err := p.ListInstances(t.Context())
				require.NoError(t, err)
				require.Len(t, found, want)
				return tap.requests.Load() - before
			}
			if !cached {
				list(many) // asks for the version of the cluster
				assert.LessOrEqual(t, list(many), int64(12))
				return
			}
			run(t, p)
			// Until their workloads have been missed for a while, and when more come.
			for end := time.Now().Add(4 * time.Second); time.Now().Before(end); {
				require.LessOrEqual(t, list(many), int64(12))
			}
			require.Eventually(t, func() bool { return list(many) == 0 }, waitTime, 100*time.Millisecond, "it is never believed")
			w.mustCreate(t, simple("one-more", hosting.TypeDeployment))
			w.mustCreate(t, simple("last", hosting.TypeDeployment))
			w.delete(t, "default.deployment.last")
			require.Eventually(t, func() bool {
				found, err := p.ListInstances(t.Context())
				return err == nil && len(found) == many+1
			}, waitTime, 20*time.Millisecond)
		})
	}
}

func TestAListOfAFewIncompleteInstancesHasThemAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.leaveIncomplete(t, 3)
	for range 3 {
		found, err := w.ListInstances(t.Context())
		require.NoError(t, err)
		require.Len(t, found, 3)
		assert.Equal(t, hosting.StatusCreating, found[0].Status)
	}
}
