//go:build linux

package kubernetes_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
)

func (w *world) deployment(t *testing.T, name string) *appsv1.Deployment {
	t.Helper()
	deployment, err := w.client.AppsV1().Deployments(w.namespace).Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	return deployment
}

func TestAppliedRemovalsDisappearAndTheMarksOfOthersStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	config.Annotations = map[string]string{"example.com/note": "old"}
	config.Env = map[string]string{"GONE": "1", "SECRET": "plain"}
	config.Container.Ports = []int{8080, 9090}
	config.Resources = &hosting.ResourceConfig{StorageLimit: 1 << 30}
	config.Scaling = nil
	instance, err := w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	require.NoError(t, w.UpdateResources(t.Context(), instance.ID, hosting.ResourceConfig{StorageLimit: 2 << 30}))
	require.NoError(t, w.RestartInstance(t.Context(), instance.ID))
	restarted := w.deployment(t, "web").Spec.Template.Annotations["skillcenter.io/restarted-at"]
	require.NotEmpty(t, restarted)
	_, err = w.client.AppsV1().Deployments(w.namespace).Patch(t.Context(), "web", types.MergePatchType,
		[]byte(`{"metadata":{"labels":{"other":"tool"}},"spec":{"template":{"metadata":{"annotations":{"other/tool":"x"}}}}}`), metav1.PatchOptions{})
	require.NoError(t, err)

	config = everything("web", hosting.TypeDeployment)
	config.Labels = map[string]string{"tier": "front"}
	config.Scaling = nil
	config.SecretEnv = hosting.SecretMap{"SECRET": "now a secret"}
	config.Network = nil
	changed, err := w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	assert.Equal(t, config.Labels, changed.Labels)
	d := w.deployment(t, "web")
	assert.NotContains(t, d.Labels, "team")
	assert.Equal(t, "front", d.Labels["tier"])
	assert.Equal(t, "tool", d.Labels["other"])
	assert.NotContains(t, d.Annotations, "example.com/note")
	template := d.Spec.Template
	assert.NotContains(t, template.Annotations, "example.com/note")
	assert.NotContains(t, template.Annotations, "skillcenter.io/generation", "a generation alone replaces no pod")
	assert.Equal(t, "x", template.Annotations["other/tool"])
	assert.Equal(t, restarted, template.Annotations["skillcenter.io/restarted-at"])
	container := template.Spec.Containers[0]
	assert.Len(t, container.Ports, 1)
	assert.Empty(t, container.Resources.Limits.StorageEphemeral().Value(), "also what UpdateResources has set")
	require.Len(t, container.Env, 2)
	assert.Equal(t, "A", container.Env[0].Name)
	require.NotNil(t, container.Env[1].ValueFrom)
	assert.Empty(t, container.Env[1].Value)
	service, err := w.client.CoreV1().Services(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Len(t, service.Spec.Ports, 1)
	_, err = w.client.NetworkingV1().Ingresses(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	assert.Error(t, err, "it is not asked for any more")

	config.Container.Ports = nil
	_, err = w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	_, err = w.client.CoreV1().Services(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	assert.Error(t, err, "without ports there is no Service")
}

func TestWhatHappensBeforeAReplicaEndsFollowsTheConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seconds := func(n int64) *corev1.LifecycleHandler {
		return &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: n}}
	}
	grace := func(n int) *hosting.Duration { return new(hosting.Duration(time.Duration(n) * time.Second)) }
	for _, instanceType := range []string{hosting.TypeDeployment, hosting.TypeStatefulSet, hosting.TypeDaemonSet, hosting.TypeCronJob} {
		t.Run(instanceType, func(t *testing.T) {
			t.Parallel()
			for i, test := range []struct {
				ports   []int
				preStop *hosting.PreStop
				grace   *hosting.Duration
				want    *corev1.LifecycleHandler
				within  int64
			}{
				{nil, nil, nil, nil, 30},
				{[]int{8080}, nil, nil, seconds(5), 30}, // time for callers to learn that it goes
				{[]int{8080}, &hosting.PreStop{Command: []string{"/bye", "$HOME"}}, grace(60),
					&corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"/bye", "$$HOME"}}}, 60},
				{[]int{8080}, &hosting.PreStop{Delay: hosting.Duration(7 * time.Second)}, grace(60), seconds(7), 60},
				{nil, &hosting.PreStop{Delay: hosting.Duration(7 * time.Second)}, nil, seconds(7), 30},
				{[]int{8080}, nil, grace(6), seconds(3), 6}, // half of the time is left to the replica itself
				{nil, &hosting.PreStop{Command: []string{"/bye"}}, nil, &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"/bye"}}}, 30},
				{nil, nil, nil, nil, 30},
			} {
				config := simple("web-"+instanceType, instanceType)
				config.Container.Ports, config.Container.PreStop, config.Container.TerminationGracePeriod = test.ports, test.preStop, test.grace
				plan, err := w.PlanInstance(t.Context(), config)
				require.NoError(t, err)
				require.Empty(t, plan.Objections, "step %d", i)
				_, err = w.ApplyInstance(t.Context(), config)
				require.NoError(t, err)
				pod := w.podTemplate(t, instanceType, config.InstanceName).Spec
				var got *corev1.LifecycleHandler
				if lifecycle := pod.Containers[0].Lifecycle; lifecycle != nil {
					got = lifecycle.PreStop
				}
				assert.Equal(t, test.want, got, "step %d", i)
				assert.Equal(t, test.within, *pod.TerminationGracePeriodSeconds, "step %d", i)
			}
		})
	}
}
