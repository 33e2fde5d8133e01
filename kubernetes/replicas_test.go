//go:build linux

package kubernetes_test

import (
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

func TestScalingUnderAnAutoscalerIsAConflictThatNamesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	instance, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.NoError(t, err)
	err = w.ScaleInstance(t.Context(), instance.ID, 3)
	require.ErrorIs(t, err, hosting.Conflict)
	assert.Contains(t, err.Error(), "HorizontalPodAutoscaler web")

	require.NoError(t, w.StopInstance(t.Context(), instance.ID))
	require.NoError(t, w.ScaleInstance(t.Context(), instance.ID, 3), "a stopped instance has no autoscaler at work")
	require.NoError(t, w.StartInstance(t.Context(), instance.ID))
	assert.EqualValues(t, 3, w.replicas(t, "web"))
}

func TestAStopHoldsAgainstAWriterOfTheOldCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	instance, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.NoError(t, err)
	var once sync.Once
	// As an autoscaler does that has read the count before the stop: it writes
	// the old one right after the 0.
	p := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
			return &writes{RoundTripper: next, after: func(int) {
				once.Do(func() {
					assert.EqualValues(t, 0, w.replicas(t, "web"), "the stop has been written")
					_, err := w.client.AppsV1().Deployments(w.namespace).Patch(t.Context(), "web", types.MergePatchType, []byte(`{"spec":{"replicas":4}}`), metav1.PatchOptions{})
					assert.NoError(t, err)
				})
			}}
		}
	})
	require.NoError(t, p.StopInstance(t.Context(), instance.ID))
	require.EqualValues(t, 0, w.replicas(t, "web"))
	require.NoError(t, p.StopInstance(t.Context(), instance.ID), "stopping what is stopped")
	require.NoError(t, p.StartInstance(t.Context(), instance.ID))
	require.EqualValues(t, 2, w.replicas(t, "web"), "the count that it had")
}

func TestConcurrentScalesEndInOneOfTheCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeStatefulSet)
	config.Scaling = nil
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	var wait sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wait.Go(func() { errs[i] = w.ScaleInstance(t.Context(), instance.ID, i+1) })
	}
	wait.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	got, err := w.GetInstance(t.Context(), instance.ID)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, got.Replicas, 1)
	assert.LessOrEqual(t, got.Replicas, 8)

	require.NoError(t, w.StopInstance(t.Context(), instance.ID))
	stopped, err := w.GetInstance(t.Context(), instance.ID)
	require.NoError(t, err)
	assert.Equal(t, strconv.Itoa(got.Replicas), stopped.Metadata[hosting.MetadataStoppedReplicas])
}

func TestRestartKeepsTheAnnotationsOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	config.Annotations = map[string]string{"prometheus.io/scrape": "true"}
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	require.NoError(t, w.RestartInstance(t.Context(), instance.ID))
	deployment, err := w.client.AppsV1().Deployments(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, "true", deployment.Spec.Template.Annotations["prometheus.io/scrape"])
	assert.NotEmpty(t, deployment.Spec.Template.Annotations["skillcenter.io/restarted-at"])
}

func (w *world) replicas(t *testing.T, name string) int32 {
	t.Helper()
	deployment, err := w.client.AppsV1().Deployments(w.namespace).Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	return *deployment.Spec.Replicas
}

func TestAStopRacingWithScalesAndStartsIsNeverRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	config.Scaling = nil
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	var wait sync.WaitGroup
	for i := range 6 {
		wait.Go(func() {
			for round := range 5 {
				var err error
				switch (i + round) % 3 {
				case 0:
					err = w.StopInstance(t.Context(), instance.ID)
				case 1:
					err = w.StartInstance(t.Context(), instance.ID)
				default:
					err = w.ScaleInstance(t.Context(), instance.ID, 1+i)
				}
				assert.NoError(t, err)
			}
		})
	}
	wait.Wait()
	require.NoError(t, w.StopInstance(t.Context(), instance.ID))
	assert.EqualValues(t, 0, w.replicas(t, "web"))
}
