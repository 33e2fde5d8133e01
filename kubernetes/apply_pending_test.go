//go:build linux

package kubernetes_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

// acceptOnly has a configuration accepted by a call that loses the cluster
// before it can carry anything out.
func (w *world) acceptOnly(t *testing.T, config hosting.CloudHostingConfig) {
	t.Helper()
	var accepted atomic.Bool
	p := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				if accepted.Load() {
					return nil, errors.New("the cluster is away")
				}
				response, err := next.RoundTrip(r)
				if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/configmaps/skill-"+config.InstanceName) {
					accepted.Store(true)
				}
				return response, err
			})
		}
	})
	_, err := p.ApplyInstance(t.Context(), config)
	require.ErrorIs(t, err, hosting.Unavailable)
}

// age has an instance look as if its last change had been two minutes ago.
func (w *world) age(t *testing.T, name string) {
	t.Helper()
	configMaps := w.client.CoreV1().ConfigMaps(w.namespace)
	anchor, err := configMaps.Get(t.Context(), "skill-"+name, metav1.GetOptions{})
	require.NoError(t, err)
	var desired map[string]any
	require.NoError(t, json.Unmarshal([]byte(anchor.Data["desired"]), &desired))
	desired["updatedAt"] = time.Now().Add(-2 * time.Minute).UnixMilli()
	data, err := json.Marshal(desired)
	require.NoError(t, err)
	anchor.Data["desired"] = string(data)
	_, err = configMaps.Update(t.Context(), anchor, metav1.UpdateOptions{})
	require.NoError(t, err)
}

func TestAChangeThatIsNotCarriedOutShowsAsIncomplete(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		on      string
		prepare func(t *testing.T, w *world, id string)
		stays   hosting.Status // whatever is to be carried out
	}{
		"that runs without replicas": {on: hosting.TypeDeployment, prepare: func(t *testing.T, w *world, id string) {
			require.NoError(t, w.ScaleInstance(t.Context(), id, 0))
		}},
		"with a schedule": {on: hosting.TypeCronJob, prepare: func(*testing.T, *world, string) {}},
		"that is stopped": {on: hosting.TypeCronJob, stays: hosting.StatusStopped, prepare: func(t *testing.T, w *world, id string) {
			require.NoError(t, w.StopInstance(t.Context(), id))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			config := simple("web", test.on)
			created := w.mustCreate(t, config)
			test.prepare(t, w, created.ID)
			p, tap := w.cachedProvider(t)
			requireInSync(t, p, tap)
			requireStatus := func(want hosting.Status, reason string) {
				t.Helper()
				if test.stays != "" {
					want, reason = test.stays, ""
				}
				got, err := w.GetInstance(t.Context(), created.ID)
				require.NoError(t, err)
				assert.Equal(t, want, got.Status)
				assert.Equal(t, reason, got.Metadata[hosting.MetadataReason])
				list, err := w.ListInstances(t.Context())
				require.NoError(t, err)
				assert.Equal(t, want, list[0].Status)
				require.EventuallyWithT(t, func(c *assert.CollectT) {
					list, err := p.ListInstances(t.Context())
					if assert.NoError(c, err) && assert.Len(c, list, 1) {
						assert.Equal(c, want, list[0].Status)
						assert.Equal(c, reason, list[0].Metadata[hosting.MetadataReason])
					}
				}, waitTime, 50*time.Millisecond, "from memory")
				if reason == "Incomplete" {
					assert.Contains(t, got.Metadata[hosting.MetadataMessage], "apply it again or start the instance")
				}
			}
			idle := ""
			if test.on == hosting.TypeDeployment {
				idle = "ScaledToZero"
			}
			requireStatus(hosting.StatusRunning, idle)
			config.Env = map[string]string{"A": "1"}
			w.acceptOnly(t, config)
			requireStatus(hosting.StatusUpdating, idle)
			w.age(t, "web")
			requireStatus(hosting.StatusDegraded, "Incomplete")

			plan, err := w.PlanInstance(t.Context(), config)
			require.NoError(t, err)
			assert.Equal(t, []string{"the last change was not carried out in full"}, plan.Changes)
			require.NoError(t, w.StartInstance(t.Context(), created.ID))
			assert.Equal(t, "1", variable(w.podTemplate(t, test.on, "web").Spec.Containers[0], "A"))
			test.stays = ""
			requireStatus(hosting.StatusRunning, idle)
		})
	}
}
