//go:build linux

package kubernetes_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

// TestAnApplyMeetsPartsThatANewerOneHasRemoved has a newer apply run as a whole
// in the middle of an older one, just before a request of it.
func TestAnApplyMeetsPartsThatANewerOneHasRemoved(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*http.Request) bool{
		"tried":   func(r *http.Request) bool { return r.Method == http.MethodPatch && r.URL.Query().Has("dryRun") },
		"written": func(r *http.Request) bool { return r.Method == http.MethodPatch && !r.URL.Query().Has("dryRun") },
	} {
		for _, part := range []string{"/services/web", "/horizontalpodautoscalers/web", "/ingresses/web"} {
			t.Run(name+part, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				created, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
				require.NoError(t, err)
				newer := changed("web", hosting.TypeDeployment)
				newer.Container.Ports = nil // no service
				var once sync.Once
				older := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
					c.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
						return roundTrip(func(r *http.Request) (*http.Response, error) {
							if before(r) && strings.HasSuffix(r.URL.Path, part) {
								once.Do(func() {
									_, err := w.ApplyInstance(t.Context(), newer)
									assert.NoError(t, err)
								})
							}
							return next.RoundTrip(r)
						})
					}
				})
				config := everything("web", hosting.TypeDeployment)
				config.Labels = map[string]string{"team": "green"}
				_, err = older.ApplyInstance(t.Context(), config)
				require.NoError(t, err)
				instance, err := w.GetInstance(t.Context(), created.ID)
				require.NoError(t, err)
				_, err = w.CreateInstance(t.Context(), map[bool]hosting.CloudHostingConfig{true: newer, false: config}[instance.Labels["team"] == "red"])
				assert.NoError(t, err, "one of them is in force as a whole")
				count := map[bool]int{true: 0, false: 1}[instance.Labels["team"] == "red"]
				shape := w.shape(t)
				assert.Equal(t, count, shape["ingresses.networking.k8s.io"])
				assert.Equal(t, count, shape["horizontalpodautoscalers.autoscaling"])
				if name == "tried" {
					assert.Equal(t, "green", instance.Labels["team"], "the older one was not accepted yet: it comes last")
				} else {
					assert.Equal(t, "red", instance.Labels["team"])
				}
			})
		}
	}
}
