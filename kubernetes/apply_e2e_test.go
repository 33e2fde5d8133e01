//go:build linux && e2e

package kubernetes_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/testcluster"
	"skillcenter.io/hosting/provider/conformance"
)

func TestABrokenImageNeverRunsAndTheOldReplicasServeUntilARollback(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, testcluster.StartWithNode(t), smallPods)
	for _, instanceType := range []string{hosting.TypeDeployment, hosting.TypeStatefulSet} {
		t.Run(instanceType, func(t *testing.T) {
			t.Parallel()
			container := skill(conformance.Serve)
			config := hosting.CloudHostingConfig{InstanceName: "web-" + instanceType, InstanceType: instanceType, Container: &container,
				Scaling: &hosting.ScaleConfig{MinReplicas: 2}, SecretEnv: hosting.SecretMap{"TOKEN": "old-value"}}
			instance, err := w.ApplyInstance(t.Context(), config)
			require.NoError(t, err)
			w.running(t, instance.ID)

			broken := config
			broken.Container = new(skill(conformance.MissingImage))
			broken.SecretEnv = hosting.SecretMap{"TOKEN": "new-value"}
			_, err = w.ApplyInstance(t.Context(), broken)
			require.NoError(t, err)
			until := time.Now().Add(15 * time.Second)
			for explained := false; time.Now().Before(until) || !explained; {
				now, err := w.GetInstance(t.Context(), instance.ID)
				require.NoError(t, err)
				require.NotEqual(t, hosting.StatusRunning, now.Status, "the new pods are never ready")
				explained = explained || now.Metadata[hosting.MetadataReason] != ""
				if instanceType == hosting.TypeDeployment {
					require.Equal(t, "2", now.Metadata[hosting.MetadataReadyReplicas], "no replica goes before another is ready")
				}
				require.Less(t, time.Since(until), waitTime, "no reason is told")
				time.Sleep(100 * time.Millisecond)
			}
			require.NoError(t, w.StartInstance(t.Context(), instance.ID))
			require.Equal(t, []string{"new-value", "old-value"}, w.tokens(t, config.InstanceName), "old replicas may have to start again")
			_, err = w.RollbackInstance(t.Context(), instance.ID, 0)
			require.NoError(t, err)
			w.running(t, instance.ID)
			require.NoError(t, w.StartInstance(t.Context(), instance.ID))
			require.Equal(t, []string{"new-value"}, w.tokens(t, config.InstanceName), "nothing has the old one any more")
			after, err := w.GetInstance(t.Context(), instance.ID)
			require.NoError(t, err)
			assert.Equal(t, 2, after.Replicas)
		})
	}
}

func TestARollingUpdateReplacesPodsWithoutAMomentWithoutOneReady(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, testcluster.StartWithNode(t), smallPods)
	container := skill(conformance.Serve)
	config := hosting.CloudHostingConfig{InstanceName: "roll", InstanceType: hosting.TypeDeployment, Container: &container}
	instance, err := w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	w.running(t, instance.ID)
	before := w.podNames(t, "roll")
	config.Env = map[string]string{"VERSION": "2"}
	plan, err := w.PlanInstance(t.Context(), config)
	require.NoError(t, err)
	assert.True(t, plan.Restarts)
	_, err = w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	deadline := time.Now().Add(waitTime)
	for {
		now, err := w.GetInstance(t.Context(), instance.ID)
		require.NoError(t, err)
		require.NotEqual(t, "0", now.Metadata[hosting.MetadataReadyReplicas])
		if now.Status == hosting.StatusRunning {
			break
		}
		require.True(t, time.Now().Before(deadline), "still %s", now.Status)
		time.Sleep(50 * time.Millisecond)
	}
	for _, name := range w.podNames(t, "roll") {
		assert.NotContains(t, before, name)
	}
}

// running waits until an instance runs.
func (w *world) running(t *testing.T, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitTime)
	defer cancel()
	_, err := hosting.WaitForStatus(ctx, w, id, hosting.WaitOptions{Interval: 100 * time.Millisecond}, hosting.StatusRunning)
	require.NoError(t, err)
}

// tokens are the values of the Secrets that an instance has, sorted.
func (w *world) tokens(t *testing.T, name string) []string {
	t.Helper()
	list, err := w.client.CoreV1().Secrets(w.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "skillcenter.io/name=" + name})
	require.NoError(t, err)
	var values []string
	for _, secret := range list.Items {
		values = append(values, string(secret.Data["TOKEN"]))
	}
	slices.Sort(values)
	return values
}

// podNames names the live pods of an instance.
func (w *world) podNames(t *testing.T, name string) []string {
	t.Helper()
	list, err := w.client.CoreV1().Pods(w.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "skillcenter.io/name=" + name})
	require.NoError(t, err)
	var names []string
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			names = append(names, pod.Name)
		}
	}
	require.NotEmpty(t, names)
	return names
}
