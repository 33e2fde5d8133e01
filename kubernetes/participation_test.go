//go:build linux

package kubernetes_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

func TestConcurrentCreatesThatAreAllRefusedLeaveNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setQuota(t, "count/deployments.apps")
	before := w.objects(t)
	for range 5 {
		errs := make([]error, 4)
		var wait sync.WaitGroup
		for i := range errs {
			wait.Go(func() {
				_, errs[i] = w.provider(t, w.cluster.Config()).CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
			})
		}
		wait.Wait()
		for _, err := range errs {
			// One that comes late finds the instance on its way out.
			assert.Contains(t, []hosting.Reason{hosting.QuotaExceeded, hosting.Conflict}, hosting.ReasonOf(err), "%v", err)
		}
		w.requireSameObjects(t, before)
	}
}

func TestARefusedCreateTakesNothingFromOneThatSucceeded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setQuota(t, "count/horizontalpodautoscalers.autoscaling")
	config := everything("web", hosting.TypeDeployment)
	var once sync.Once
	var second hosting.CloudInstance
	// The first create is refused at its last part; before it can clean up, the
	// quota is lifted and another create finds all the other parts.
	first := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				response, err := next.RoundTrip(r)
				if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "horizontalpodautoscalers") {
					once.Do(func() {
						assert.NoError(t, w.client.CoreV1().ResourceQuotas(w.namespace).Delete(t.Context(), "none", metav1.DeleteOptions{}))
						assert.EventuallyWithT(t, func(c *assert.CollectT) {
							var err error
							second, err = w.CreateInstance(t.Context(), config)
							assert.NoError(c, err)
						}, waitTime, 100*time.Millisecond)
					})
				}
				return response, err
			})
		}
	})
	_, err := first.CreateInstance(t.Context(), config)
	require.ErrorIs(t, err, hosting.QuotaExceeded)
	shape := w.shape(t)
	assert.Equal(t, 1, shape["deployments.apps"])
	assert.Equal(t, 1, shape["secrets"])
	assert.Equal(t, 1, shape["horizontalpodautoscalers.autoscaling"])
	_, err = w.GetInstance(t.Context(), second.ID)
	require.NoError(t, err)
}

func TestOfTwoCreatesWithOtherSecretsOneWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	other := config
	other.SecretEnv = hosting.SecretMap{"TOKEN": "another value"}
	var once sync.Once
	// The second create comes when the first has made the anchor and no Secret.
	first := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
			return &writes{RoundTripper: next, after: func(int) {
				once.Do(func() {
					_, err := w.CreateInstance(t.Context(), other)
					assert.NoError(t, err)
				})
			}}
		}
	})
	_, err := first.CreateInstance(t.Context(), config)
	require.ErrorIs(t, err, hosting.AlreadyExists)
	assert.Contains(t, err.Error(), "secretEnv")
	list, err := w.client.CoreV1().Secrets(w.namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	assert.Equal(t, "another value", string(list.Items[0].Data["TOKEN"]))
	_, err = w.CreateInstance(t.Context(), other)
	require.NoError(t, err, "the other one stands")
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
