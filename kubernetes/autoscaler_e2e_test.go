//go:build linux && e2e

package kubernetes_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
)

func TestARealAutoscalerScalesAndAStopHoldsAgainstIt(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	config := serving("web")
	config.Resources = &hosting.ResourceConfig{CPURequest: 0.01, CPULimit: 0.1}
	config.Scaling = &hosting.ScaleConfig{MinReplicas: 1, MaxReplicas: 3, TargetCPUUtilization: 50, TargetMemoryUtilization: 90}
	instance := w.run(t, config)
	s := newScaler(w, hosting.TypeDeployment)

	endBurn := w.burn(t, instance)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Greater(c, s.replicas(t), 1)
	}, 5*time.Minute, time.Second, "the autoscaler has seen the load")
	autoscaler, err := w.client.AutoscalingV2().HorizontalPodAutoscalers(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	var measured []corev1.ResourceName
	for _, metric := range autoscaler.Status.CurrentMetrics {
		if metric.Type == autoscalingv2.ResourceMetricSourceType {
			measured = append(measured, metric.Resource.Name)
		}
	}
	assert.ElementsMatch(t, []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory}, measured, "both targets are in force")
	require.ErrorIs(t, w.ScaleInstance(t.Context(), instance.ID, 1), hosting.Conflict)
	require.NoError(t, w.RestartInstance(t.Context(), instance.ID))
	require.Greater(t, s.replicas(t), 1, "a restart is no scaling")
	require.NoError(t, w.UpdateResources(t.Context(), instance.ID, hosting.ResourceConfig{CPULimit: 0.2}))
	require.Greater(t, s.replicas(t), 1, "nor is a change of resources")

	// Stopped under load: that is when the autoscaler wants more.
	require.NoError(t, w.StopInstance(t.Context(), instance.ID))
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		require.Zero(t, s.replicas(t), "the stop does not hold")
	}
	endBurn()
	w.await(t, instance.ID, hosting.StatusStopped)
	start := w.stoppedReplicas(t, instance.ID)
	require.Greater(t, start, 1, "the count that the autoscaler had set")
	require.NoError(t, w.StartInstance(t.Context(), instance.ID))
	require.Equal(t, start, s.replicas(t))
	w.await(t, instance.ID, hosting.StatusRunning)
}

// burn keeps the instance busy until the function that it returns is called.
func (w *world) burn(t *testing.T, instance hosting.CloudInstance) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+instance.Endpoint.Metadata["clusterIP"]+":8080/burn?ms=500", nil)
	require.NoError(t, err)
	var wait sync.WaitGroup
	wait.Go(func() {
		for ctx.Err() == nil {
			if response, err := http.DefaultClient.Do(request); err == nil {
				response.Body.Close()
			} else {
				time.Sleep(100 * time.Millisecond) // nothing answers while it is stopped
			}
		}
	})
	end = sync.OnceFunc(func() { cancel(); wait.Wait() })
	t.Cleanup(end)
	return end
}
