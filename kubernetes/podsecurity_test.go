//go:build linux

package kubernetes_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

// enforce makes the namespace refuse pods below a Pod Security Standard.
func (w *world) enforce(t *testing.T, level string) {
	t.Helper()
	patch := []byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"` + level + `"}}}`)
	_, err := w.client.CoreV1().Namespaces().Patch(t.Context(), w.namespace, types.MergePatchType, patch, metav1.PatchOptions{})
	require.NoError(t, err)
	// The API server learns of it a moment later.
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, err := w.client.CoreV1().Pods(w.namespace).Create(t.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "below"},
			Spec:       corev1.PodSpec{HostNetwork: true, Containers: []corev1.Container{{Name: "main", Image: "x"}}},
		}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		assert.ErrorContains(c, err, "violates PodSecurity")
	}, waitTime, 50*time.Millisecond)
}

func podSecurity(level string) func(*kubernetes.Config) {
	return func(c *kubernetes.Config) { c.Defaults.PodSecurity = level }
}

// template reads the pod template of a workload.
func (w *world) template(t *testing.T, instanceType, name string) corev1.PodTemplateSpec {
	t.Helper()
	ctx, options := t.Context(), metav1.GetOptions{}
	var template corev1.PodTemplateSpec
	var err error
	switch instanceType {
	case hosting.TypeDeployment:
		o, getErr := w.client.AppsV1().Deployments(w.namespace).Get(ctx, name, options)
		template, err = o.Spec.Template, getErr
	case hosting.TypeStatefulSet:
		o, getErr := w.client.AppsV1().StatefulSets(w.namespace).Get(ctx, name, options)
		template, err = o.Spec.Template, getErr
	case hosting.TypeDaemonSet:
		o, getErr := w.client.AppsV1().DaemonSets(w.namespace).Get(ctx, name, options)
		template, err = o.Spec.Template, getErr
	case hosting.TypeJob:
		o, getErr := w.client.BatchV1().Jobs(w.namespace).Get(ctx, name, options)
		template, err = o.Spec.Template, getErr
	case hosting.TypeCronJob:
		o, getErr := w.client.BatchV1().CronJobs(w.namespace).Get(ctx, name, options)
		template, err = o.Spec.JobTemplate.Spec.Template, getErr
	}
	require.NoError(t, err)
	return template
}

func TestPodsOfEveryTypeMeetTheConfiguredPodSecurityStandard(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"baseline", "restricted"} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, podSecurity(level))
			w.enforce(t, level)
			for _, instanceType := range instanceTypes {
				t.Run(instanceType, func(t *testing.T) {
					name := "a-" + instanceType
					config := everything(name, instanceType)
					if instanceType == hosting.TypeCronJob {
						config.Schedule = "0 0 1 1 *"
					}
					instance, err := w.CreateInstance(t.Context(), config)
					require.NoError(t, err)
					// A daemonset makes no pods without nodes; the API server
					// judges them all the same.
					template := w.template(t, instanceType, name)
					template.Name = "judged-" + name
					_, err = w.client.CoreV1().Pods(w.namespace).Create(t.Context(),
						&corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
					require.NoError(t, err)
					if instanceType == hosting.TypeDaemonSet {
						return
					}
					if instanceType == hosting.TypeCronJob {
						require.NoError(t, w.RunNow(t.Context(), instance.ID))
					}
					require.EventuallyWithT(t, func(c *assert.CollectT) {
						pods, err := w.client.CoreV1().Pods(w.namespace).List(t.Context(),
							metav1.ListOptions{LabelSelector: "skillcenter.io/name=" + name})
						assert.NoError(c, err)
						assert.NotEmpty(c, pods.Items)
					}, waitTime, 50*time.Millisecond)
				})
			}
		})
	}
}

func TestAPodThatTheNamespaceDoesNotAllowIsTheReasonOfTheFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t, podSecurity("baseline"))
	w.enforce(t, "restricted")
	for _, instanceType := range []string{hosting.TypeDeployment, hosting.TypeStatefulSet, hosting.TypeJob} {
		t.Run(instanceType, func(t *testing.T) {
			t.Parallel()
			config := everything("web-"+instanceType, instanceType)
			instance, err := w.CreateInstance(t.Context(), config)
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), waitTime)
			defer cancel()
			last, err := hosting.WaitForStatus(ctx, w, instance.ID, hosting.WaitOptions{Interval: 100 * time.Millisecond}, hosting.StatusRunning)
			require.Error(t, err)
			assert.Contains(t, err.Error(), `violates PodSecurity "restricted`)
			assert.Equal(t, hosting.StatusFailed, last.Status)
			assert.Equal(t, "FailedCreate", last.Metadata[hosting.MetadataReason])
			assert.Contains(t, last.Metadata[hosting.MetadataMessage], "runAsNonRoot != true", "it says what to change")
		})
	}
}
