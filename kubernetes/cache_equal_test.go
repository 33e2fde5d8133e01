//go:build linux

package kubernetes_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
)

// TestTheCacheSaysWhatALiveReadSays brings instances into as many states as a
// control plane has, and compares what two providers say, one with a cache.
func TestTheCacheSaysWhatALiveReadSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, tap := w.cachedProvider(t) // before there is anything: it sees all as changes
	for _, instanceType := range w.SupportedInstanceTypes() {
		w.mustCreate(t, everything("new-"+instanceType, instanceType))
		require.NoError(t, w.StopInstance(t.Context(), w.mustCreate(t, simple("stopped-"+instanceType, instanceType)).ID))
		w.holdDeletion(t, w.mustCreate(t, simple("deleted-"+instanceType, instanceType)))
		w.removeWorkload(t, w.mustCreate(t, simple("incomplete-"+instanceType, instanceType)), instanceType)
	}
	for _, service := range []string{hosting.ServiceClusterIP, hosting.ServiceNodePort, hosting.ServiceLoadBalancer} {
		config := everything("", hosting.TypeDeployment)
		config.InstanceName = map[string]string{"C": "cluster", "N": "node", "L": "balancer"}[service[:1]]
		config.Network = &hosting.NetworkConfig{ServiceType: service}
		w.mustCreate(t, config)
	}
	w.patch(t, "deployments", w.mustCreate(t, simple("zero", hosting.TypeDeployment)).Name, `{"spec":{"replicas":0}}`)
	lost := w.mustCreate(t, everything("no-service", hosting.TypeDeployment))
	require.NoError(t, w.client.CoreV1().Services(w.namespace).Delete(t.Context(), lost.Name, metav1.DeleteOptions{}))
	spoilt := w.mustCreate(t, simple("spoilt", hosting.TypeDeployment))
	w.patch(t, "configmaps", "skill-"+spoilt.Name, `{"data":{"desired":"{"}}`)
	w.breakPods(t, w.mustCreate(t, simple("crashes", hosting.TypeDeployment)).Name)
	w.breakPods(t, w.mustCreate(t, simple("crashing-job", hosting.TypeJob)).Name)

	// What comes now is refused by the quota: only events say so.
	_, err := w.client.CoreV1().ResourceQuotas(w.namespace).Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "none"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		quota, err := w.client.CoreV1().ResourceQuotas(w.namespace).Get(t.Context(), "none", metav1.GetOptions{})
		return err == nil && len(quota.Status.Hard) > 0
	}, waitTime, 50*time.Millisecond)
	for _, instanceType := range []string{hosting.TypeDeployment, hosting.TypeStatefulSet, hosting.TypeJob} {
		refused := w.mustCreate(t, simple("refused-"+instanceType, instanceType))
		require.Eventually(t, func() bool {
			instance, err := w.GetInstance(t.Context(), refused.ID)
			return err == nil && instance.Status == hosting.StatusFailed
		}, waitTime, 200*time.Millisecond, refused.ID)
	}
	f := watchAll(t, p)

	require.EventuallyWithT(t, func(c *assert.CollectT) {
		live, liveErr := w.ListInstances(t.Context())
		requests := tap.requests.Load()
		cached, cachedErr := p.ListInstances(t.Context())
		assert.Equal(c, live, cached)
		assert.Equal(c, fmt.Sprint(liveErr), fmt.Sprint(cachedErr))
		assert.Contains(c, fmt.Sprint(cachedErr), "spoilt")
		// An instance without its workload is read live, a cronjob in 5 requests.
		assert.LessOrEqual(c, tap.requests.Load()-requests, int64(5*5), "the list came from memory")
		told := map[string]hosting.CloudInstance{}
		f.mu.Lock()
		for id, change := range f.newest {
			told[id] = change.Instance
		}
		f.mu.Unlock()
		for _, instance := range live {
			id := instance.ID
			for what, ask := range map[string]func(hosting.CloudHostingProvider) (any, error){
				"GetInstance": func(p hosting.CloudHostingProvider) (any, error) { return p.GetInstance(t.Context(), id) },
				"HealthCheck": func(p hosting.CloudHostingProvider) (any, error) {
					health, err := p.HealthCheck(t.Context(), id)
					health.CheckedAt = hosting.Time{}
					return health, err
				},
				"GetServiceEndpoint": func(p hosting.CloudHostingProvider) (any, error) { return p.GetServiceEndpoint(t.Context(), id) },
			} {
				want, wantErr := ask(w)
				have, haveErr := ask(p)
				assert.Equal(c, want, have, "%s of %s", what, id)
				assert.Equal(c, fmt.Sprint(wantErr), fmt.Sprint(haveErr), "%s of %s", what, id)
			}
			assert.Equal(c, instance, told[id], "what a watcher was told of %s", id)
		}
		_, wantErr := w.GetInstance(t.Context(), spoilt.ID)
		_, haveErr := p.GetInstance(t.Context(), spoilt.ID)
		assert.Equal(c, fmt.Sprint(wantErr), fmt.Sprint(haveErr))
	}, 3*waitTime, time.Second)
}

// patch changes an object behind the provider's back.
func (w *world) patch(t *testing.T, plural, name, patch string) {
	t.Helper()
	var err error
	switch plural {
	case "configmaps":
		_, err = w.client.CoreV1().ConfigMaps(w.namespace).Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	case "services":
		_, err = w.client.CoreV1().Services(w.namespace).Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	case "deployments":
		_, err = w.client.AppsV1().Deployments(w.namespace).Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	case "jobs":
		_, err = w.client.BatchV1().Jobs(w.namespace).Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	default:
		t.Fatal("patching " + plural)
	}
	require.NoError(t, err)
}

// holdDeletion deletes an instance that cannot go while the test runs.
func (w *world) holdDeletion(t *testing.T, instance hosting.CloudInstance) {
	t.Helper()
	w.patch(t, "configmaps", "skill-"+instance.Name, `{"metadata":{"finalizers":["skillcenter.io/test"]}}`)
	require.NoError(t, w.DeleteInstance(t.Context(), instance.ID))
	t.Cleanup(func() {
		_, err := w.client.CoreV1().ConfigMaps(w.namespace).Patch(context.Background(), "skill-"+instance.Name,
			types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		assert.NoError(t, err)
	})
}

// removeWorkload removes the workload of an instance.
func (w *world) removeWorkload(t *testing.T, instance hosting.CloudInstance, instanceType string) {
	t.Helper()
	apps, batch, name, options := w.client.AppsV1(), w.client.BatchV1(), instance.Name, metav1.DeleteOptions{}
	var err error
	switch instanceType {
	case hosting.TypeDeployment:
		err = apps.Deployments(w.namespace).Delete(t.Context(), name, options)
	case hosting.TypeStatefulSet:
		err = apps.StatefulSets(w.namespace).Delete(t.Context(), name, options)
	case hosting.TypeDaemonSet:
		err = apps.DaemonSets(w.namespace).Delete(t.Context(), name, options)
	case hosting.TypeJob:
		background := metav1.DeletePropagationBackground
		err = batch.Jobs(w.namespace).Delete(t.Context(), name, metav1.DeleteOptions{PropagationPolicy: &background})
	case hosting.TypeCronJob:
		err = batch.CronJobs(w.namespace).Delete(t.Context(), name, options)
	}
	require.NoError(t, err)
}

// breakPods has the pods of an instance report a crash, as a kubelet would.
func (w *world) breakPods(t *testing.T, name string) {
	t.Helper()
	pods := w.client.CoreV1().Pods(w.namespace)
	require.Eventually(t, func() bool {
		list, err := pods.List(t.Context(), metav1.ListOptions{LabelSelector: "skillcenter.io/name=" + name})
		if err != nil || len(list.Items) == 0 {
			return false
		}
		for i := range list.Items {
			pod := &list.Items[i]
			pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", RestartCount: 2,
				State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off"}},
				LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3, Reason: "OOMKilled"}}}}
			if _, err := pods.UpdateStatus(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
				return false
			}
		}
		return true
	}, waitTime, 200*time.Millisecond)
}
