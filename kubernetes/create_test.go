//go:build linux

package kubernetes_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/testcluster"
	"skillcenter.io/hosting/kubernetes"
)

func TestCreateMakesEveryPartOfEachType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// Beside the anchor, the Service, the Ingress and the Secret.
	extra := map[string]map[string]int{
		hosting.TypeDeployment:  {"deployments.apps": 1, "horizontalpodautoscalers.autoscaling": 1, "poddisruptionbudgets.policy": 1},
		hosting.TypeStatefulSet: {"statefulsets.apps": 1, "horizontalpodautoscalers.autoscaling": 1, "poddisruptionbudgets.policy": 1, "services": 1},
		hosting.TypeDaemonSet:   {"daemonsets.apps": 1},
		hosting.TypeJob:         {"jobs.batch": 1},
		hosting.TypeCronJob:     {"cronjobs.batch": 1},
	}
	for _, instanceType := range w.SupportedInstanceTypes() {
		t.Run(instanceType, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			before := w.shape(t)
			instance, err := w.CreateInstance(t.Context(), everything("web", instanceType))
			require.NoError(t, err)
			assert.Equal(t, "default."+instanceType+".web", instance.ID)
			assert.Equal(t, map[string]string{"team": "blue"}, instance.Labels)
			require.NotNil(t, instance.Endpoint)
			assert.Equal(t, "http://web.example.com/", instance.Endpoint.URL)

			want := before
			for kind, n := range extra[instanceType] {
				want[kind] += n
			}
			for _, kind := range []string{"configmaps", "secrets", "services", "ingresses.networking.k8s.io"} {
				want[kind]++
			}
			assert.Equal(t, want, w.shape(t))
			w.requireMetadata(t, instanceType)
		})
	}
}

// requireMetadata checks what every object of the instance web carries.
func (w *world) requireMetadata(t *testing.T, instanceType string) {
	t.Helper()
	anchor, err := w.client.CoreV1().ConfigMaps(w.namespace).Get(t.Context(), "skill-web", metav1.GetOptions{})
	require.NoError(t, err)
	service, err := w.client.CoreV1().Services(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	ingress, err := w.client.NetworkingV1().Ingresses(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	for _, o := range []metav1.Object{anchor, service, ingress} {
		assert.Equal(t, map[string]string{
			"app": "web", "managed-by": "skillcenter", "team": "blue", "skillcenter.io/owner": "default",
			"skillcenter.io/name": "web", "skillcenter.io/type": instanceType,
		}, o.GetLabels(), o.GetName())
		assert.Equal(t, "skill-1", o.GetAnnotations()["skillcenter.io/skill-id"])
		assert.Equal(t, "1.2.3", o.GetAnnotations()["skillcenter.io/version"])
		assert.NotEmpty(t, o.GetAnnotations()["skillcenter.io/created-at"])
		if o != anchor {
			require.Len(t, o.GetOwnerReferences(), 1)
			assert.Equal(t, anchor.UID, o.GetOwnerReferences()[0].UID)
		}
	}
	assert.NotContains(t, anchor.Data["config"]+anchor.Data["desired"], "s3cr3t", "secret values stand in the Secret alone")
}

func TestPodsGetTheDefaultsOfTheProtocolAndNoToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := hosting.CloudHostingConfig{
		InstanceName: "web", InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{
			Image: testcluster.SkillImage, Ports: []int{8080}, Commands: []string{"/skill"}, Args: []string{"$(HOME) $$x"},
			Env: map[string]string{"B": "container", "C": "$(B)"},
		},
		Env:       map[string]string{"A": "instance", "B": "instance"},
		SecretEnv: hosting.SecretMap{"A": "secret"},
	}
	_, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	deployment, err := w.client.AppsV1().Deployments(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	pod := deployment.Spec.Template.Spec
	container := pod.Containers[0]
	assert.Equal(t, corev1.PullIfNotPresent, container.ImagePullPolicy)
	assert.Equal(t, "250m", container.Resources.Requests.Cpu().String())
	assert.Equal(t, "256Mi", container.Resources.Requests.Memory().String())
	assert.Equal(t, "500m", container.Resources.Limits.Cpu().String())
	assert.Equal(t, "512Mi", container.Resources.Limits.Memory().String())
	assert.False(t, *pod.AutomountServiceAccountToken)
	assert.False(t, *pod.EnableServiceLinks)
	assert.False(t, *container.SecurityContext.AllowPrivilegeEscalation)
	assert.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, pod.SecurityContext.SeccompProfile.Type)
	assert.Equal(t, []string{"$$(HOME) $$$$x"}, container.Args, "Kubernetes would replace $(HOME)")

	require.Len(t, container.Env, 3)
	assert.NotNil(t, container.Env[0].ValueFrom, "the secret value of A wins")
	assert.Equal(t, corev1.EnvVar{Name: "B", Value: "container"}, container.Env[1])
	assert.Equal(t, corev1.EnvVar{Name: "C", Value: "$$(B)"}, container.Env[2])
	service, err := w.client.CoreV1().Services(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, corev1.ServiceTypeClusterIP, service.Spec.Type)
	_, err = w.client.NetworkingV1().Ingresses(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	assert.Error(t, err, "an ingress that is on by default needs a host")
}

func TestJobsNeverRestartAndCronjobsForbidOverlap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.CreateInstance(t.Context(), everything("once", hosting.TypeJob))
	require.NoError(t, err)
	_, err = w.CreateInstance(t.Context(), everything("often", hosting.TypeCronJob))
	require.NoError(t, err)

	job, err := w.client.BatchV1().Jobs(w.namespace).Get(t.Context(), "once", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, corev1.RestartPolicyNever, job.Spec.Template.Spec.RestartPolicy)
	assert.Equal(t, batchv1.IndexedCompletion, *job.Spec.CompletionMode)
	cronJob, err := w.client.BatchV1().CronJobs(w.namespace).Get(t.Context(), "often", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, batchv1.ForbidConcurrent, cronJob.Spec.ConcurrencyPolicy)
	assert.Equal(t, "Etc/UTC", *cronJob.Spec.TimeZone)
	assert.Equal(t, "often", cronJob.Spec.JobTemplate.Labels["skillcenter.io/name"])
	assert.NotNil(t, cronJob.Spec.StartingDeadlineSeconds)
}

func TestCreateAfterChangesRestoresLostPartsWithoutRevertingThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	config.Scaling = nil
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	require.NoError(t, w.ScaleInstance(t.Context(), instance.ID, 3))
	require.NoError(t, w.UpdateResources(t.Context(), instance.ID, hosting.ResourceConfig{CPULimit: 0.75}))
	require.NoError(t, w.StopInstance(t.Context(), instance.ID))

	require.NoError(t, w.client.AppsV1().Deployments(w.namespace).Delete(t.Context(), "web", metav1.DeleteOptions{}))
	require.NoError(t, w.client.CoreV1().Services(w.namespace).Delete(t.Context(), "web", metav1.DeleteOptions{}))
	again, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	assert.Equal(t, "3", again.Metadata[hosting.MetadataStoppedReplicas])
	assert.InDelta(t, 0.75, again.Resources.CPULimit, 0)

	deployment, err := w.client.AppsV1().Deployments(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Zero(t, *deployment.Spec.Replicas, "it is still stopped")
	assert.Equal(t, "750m", deployment.Spec.Template.Spec.Containers[0].Resources.Limits.Cpu().String())
	_, err = w.client.CoreV1().Services(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)

	require.NoError(t, w.StartInstance(t.Context(), instance.ID))
	deployment, err = w.client.AppsV1().Deployments(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	assert.EqualValues(t, 3, *deployment.Spec.Replicas)
}

func TestConcurrentCreatesMakeOneInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.shape(t)
	config := everything("web", hosting.TypeStatefulSet)
	errs := make([]error, 16)
	var wait sync.WaitGroup
	for i := range errs {
		wait.Go(func() {
			// Each is another process as far as the API server can tell.
			_, errs[i] = w.provider(t, w.cluster.Config()).CreateInstance(t.Context(), config)
		})
	}
	wait.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	before["configmaps"]++
	before["secrets"]++
	before["services"] += 2
	before["ingresses.networking.k8s.io"]++
	before["statefulsets.apps"]++
	before["horizontalpodautoscalers.autoscaling"]++
	before["poddisruptionbudgets.policy"]++
	assert.Equal(t, before, w.shape(t))
}

func TestAnotherSecretValueIsAnotherConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	_, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	config.SecretEnv = hosting.SecretMap{"TOKEN": "another-v4lue"}
	_, err = w.CreateInstance(t.Context(), config)
	require.ErrorIs(t, err, hosting.AlreadyExists)
	assert.Contains(t, err.Error(), "secretEnv")
	data, jsonErr := json.Marshal(err)
	require.NoError(t, jsonErr)
	assert.False(t, strings.Contains(err.Error()+string(data), "v4lue"), "no secret value in an error")
}

func TestAnotherOwnersInstancesDoNotExist(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) { c.Owner = "other" })
	instance, err := other.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.NoError(t, err)

	_, err = w.GetInstance(t.Context(), instance.ID)
	assert.Equal(t, hosting.InstanceNotFound, hosting.CodeOf(err))
	assert.Equal(t, hosting.InstanceNotFound, hosting.CodeOf(w.DeleteInstance(t.Context(), instance.ID)))
	list, err := w.ListInstances(t.Context())
	require.NoError(t, err)
	assert.Empty(t, list)
	_, err = w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.ErrorIs(t, err, hosting.AlreadyExists)
	assert.Contains(t, err.Error(), "not managed by this provider")
}

func TestAnAnchorThatCannotBeReadHidesNoOtherInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good, err := w.CreateInstance(t.Context(), everything("good", hosting.TypeDeployment))
	require.NoError(t, err)
	newer, err := w.CreateInstance(t.Context(), everything("newer", hosting.TypeJob))
	require.NoError(t, err)
	anchor, err := w.client.CoreV1().ConfigMaps(w.namespace).Get(t.Context(), "skill-newer", metav1.GetOptions{})
	require.NoError(t, err)
	anchor.Data["desired"] = strings.Replace(anchor.Data["desired"], `"schema":1`, `"schema":2`, 1)
	_, err = w.client.CoreV1().ConfigMaps(w.namespace).Update(t.Context(), anchor, metav1.UpdateOptions{})
	require.NoError(t, err)

	list, err := w.ListInstances(t.Context())
	require.ErrorIs(t, err, hosting.Internal)
	assert.Contains(t, err.Error(), "skill-newer")
	assert.Contains(t, err.Error(), "newer version")
	require.Len(t, list, 1)
	assert.Equal(t, good.ID, list[0].ID)
	_, err = w.GetInstance(t.Context(), newer.ID)
	require.ErrorIs(t, err, hosting.Internal)
	require.Error(t, w.DeleteInstance(t.Context(), newer.ID), "what a newer version made is not deleted by accident")
}
