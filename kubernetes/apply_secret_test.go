//go:build linux

package kubernetes_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
)

func TestChangedSecretsAreNewObjectsAndARollbackKeepsTheValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	require.NoError(t, w.StopInstance(t.Context(), instance.ID)) // no pod may need an old one
	second := config
	second.SecretEnv = hosting.SecretMap{"TOKEN": "second-value"}
	second.Labels = map[string]string{"team": "red"}
	plan, err := w.PlanInstance(t.Context(), second)
	require.NoError(t, err)
	assert.Contains(t, plan.Changes, "secretEnv[TOKEN]: has another value")
	assert.NotContains(t, fmt.Sprint(plan), "second-value")
	assert.NotContains(t, fmt.Sprint(plan), "s3cr3t")
	assert.False(t, plan.Restarts, "it is stopped")
	_, err = w.ApplyInstance(t.Context(), second)
	require.NoError(t, err)
	assert.Equal(t, "second-value", w.essence(t, hosting.TypeDeployment, "web")["secret"])

	_, err = w.RollbackInstance(t.Context(), instance.ID, 0)
	require.NoError(t, err)
	assert.Equal(t, "second-value", w.essence(t, hosting.TypeDeployment, "web")["secret"], "values are never kept in a revision")
	assert.Equal(t, "blue", w.deployment(t, "web").Labels["team"])

	none := config
	none.SecretEnv = nil
	_, err = w.ApplyInstance(t.Context(), none)
	require.NoError(t, err)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, err := w.ApplyInstance(t.Context(), none) // collects what the last one had to leave
		assert.NoError(c, err)
		list, err := w.client.CoreV1().Secrets(w.namespace).List(t.Context(), metav1.ListOptions{})
		assert.NoError(c, err)
		assert.Empty(c, list.Items)
	}, waitTime, 500*time.Millisecond)
	_, err = w.RollbackInstance(t.Context(), instance.ID, 0)
	require.ErrorIs(t, err, hosting.Conflict)
	assert.Contains(t, err.Error(), "secretEnv")
	_, err = w.RollbackInstance(t.Context(), instance.ID, 42)
	require.ErrorIs(t, err, hosting.NotFound)
}

func TestAScalingThatChangesClampsTheCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	config.Scaling = nil
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	require.NoError(t, w.ScaleInstance(t.Context(), instance.ID, 6))
	config.Scaling = &hosting.ScaleConfig{MinReplicas: 2, MaxReplicas: 4, TargetCPUUtilization: 80}
	_, err = w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	require.EqualValues(t, 4, w.replicas(t, "web"))
	config.Scaling = nil
	_, err = w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	require.EqualValues(t, 4, w.replicas(t, "web"))
	require.NoError(t, w.ScaleInstance(t.Context(), instance.ID, 1))
	config.Scaling = &hosting.ScaleConfig{MinReplicas: 3}
	_, err = w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	require.EqualValues(t, 3, w.replicas(t, "web"))
	require.NoError(t, w.ScaleInstance(t.Context(), instance.ID, 1))
	config.Labels = map[string]string{"team": "red"}
	_, err = w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	require.EqualValues(t, 1, w.replicas(t, "web"), "limits bind once")
}

func TestNewLimitsBindAWorkloadThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	config.Scaling = nil
	created := w.mustCreate(t, config)
	require.NoError(t, w.ScaleInstance(t.Context(), created.ID, 6))
	w.loseWorkload(t, config)
	config.Scaling = &hosting.ScaleConfig{MinReplicas: 2, MaxReplicas: 4}
	plan, err := w.PlanInstance(t.Context(), config)
	require.NoError(t, err)
	assert.EqualValues(t, 4, plannedManifest(t, plan, "Deployment web")["spec"].(map[string]any)["replicas"])
	_, err = w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	require.EqualValues(t, 4, w.replicas(t, "web"))
	require.NoError(t, w.ScaleInstance(t.Context(), created.ID, 6))
	w.loseWorkload(t, config)
	require.NoError(t, w.StartInstance(t.Context(), created.ID))
	assert.EqualValues(t, 6, w.replicas(t, "web"), "limits bind once")
}
