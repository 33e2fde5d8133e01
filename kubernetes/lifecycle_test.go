//go:build linux

package kubernetes_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

func TestAStrangersWorkloadOfTheSameNameIsNotTouched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	instance, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeJob))
	require.NoError(t, err)
	jobs := w.client.BatchV1().Jobs(w.namespace)
	job, err := jobs.Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	require.NoError(t, jobs.Delete(t.Context(), "web", metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}))
	foreign := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: *job.Spec.DeepCopy()}
	foreign.Spec.Selector = nil
	foreign.Spec.Template.Labels = nil
	foreign.Spec.Suspend = new(true)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, err := jobs.Create(t.Context(), foreign, metav1.CreateOptions{})
		assert.NoError(c, err)
	}, waitTime, 100*time.Millisecond)
	before, err := jobs.Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)

	for name, call := range map[string]func() error{
		"start":           func() error { return w.StartInstance(t.Context(), instance.ID) },
		"stop":            func() error { return w.StopInstance(t.Context(), instance.ID) },
		"restart":         func() error { return w.RestartInstance(t.Context(), instance.ID) },
		"scale":           func() error { return w.ScaleInstance(t.Context(), instance.ID, 2) },
		"updateResources": func() error { return w.UpdateResources(t.Context(), instance.ID, hosting.ResourceConfig{CPULimit: 1}) },
	} {
		err := call()
		assert.Contains(t, []hosting.Reason{hosting.Conflict, hosting.AlreadyExists}, hosting.ReasonOf(err), "%s: %v", name, err)
	}
	require.NoError(t, w.DeleteInstance(t.Context(), instance.ID))
	require.NoError(t, hosting.WaitForDeletion(t.Context(), w, instance.ID, hosting.WaitOptions{Interval: 50 * time.Millisecond}))
	after, err := jobs.Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, before.UID, after.UID)
	assert.Equal(t, before.Spec, after.Spec)
}

func TestStartMakesLostPartsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	instance, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.NoError(t, err)
	whole := w.shape(t)
	require.NoError(t, w.client.CoreV1().Services(w.namespace).Delete(t.Context(), "web", metav1.DeleteOptions{}))
	require.NoError(t, w.client.NetworkingV1().Ingresses(w.namespace).Delete(t.Context(), "web", metav1.DeleteOptions{}))
	require.NoError(t, w.StartInstance(t.Context(), instance.ID))
	assert.Equal(t, whole, w.shape(t))
	require.NoError(t, w.client.AppsV1().Deployments(w.namespace).Delete(t.Context(), "web", metav1.DeleteOptions{}))
	require.NoError(t, w.StartInstance(t.Context(), instance.ID))
	assert.Equal(t, whole, w.shape(t))
}

func TestARefusedChangeLeavesNoTrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	config.Scaling = nil
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	before, err := w.GetInstance(t.Context(), instance.ID)
	require.NoError(t, err)
	// The workload cannot be changed, everything else can.
	reader := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.Method != http.MethodGet && strings.Contains(r.URL.Path, "/deployments/") {
					r = r.Clone(r.Context())
					r.Header.Set("Impersonate-User", "nobody")
				}
				return next.RoundTrip(r)
			})
		}
	})
	require.ErrorIs(t, reader.StopInstance(t.Context(), instance.ID), hosting.PermissionDenied)
	require.ErrorIs(t, reader.ScaleInstance(t.Context(), instance.ID, 3), hosting.PermissionDenied)
	require.ErrorIs(t, reader.RestartInstance(t.Context(), instance.ID), hosting.PermissionDenied)
	require.ErrorIs(t, reader.UpdateResources(t.Context(), instance.ID, hosting.ResourceConfig{CPULimit: 1}), hosting.PermissionDenied)
	after, err := w.GetInstance(t.Context(), instance.ID)
	require.NoError(t, err)
	assert.Equal(t, before.Resources, after.Resources)
	assert.Equal(t, before.Replicas, after.Replicas)
	assert.Equal(t, before.UpdatedAt, after.UpdatedAt)
}

func TestAStartedCronjobResumesRunsThatAnUnfinishedStartLeftSuspended(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("often", hosting.TypeCronJob)
	config.Schedule = "0 0 1 1 *"
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	require.NoError(t, w.RunNow(t.Context(), instance.ID))
	require.ErrorIs(t, w.RunNow(t.Context(), instance.ID), hosting.Conflict)
	require.NoError(t, w.StopInstance(t.Context(), instance.ID))
	run := func() *batchv1.Job {
		job, err := w.client.BatchV1().Jobs(w.namespace).Get(t.Context(), "often-now-1", metav1.GetOptions{})
		require.NoError(t, err)
		return job
	}
	assert.True(t, *run().Spec.Suspend)
	require.ErrorIs(t, w.RunNow(t.Context(), instance.ID), hosting.Conflict, "it is stopped")

	// As a start that died after the schedule.
	cronJobs := w.client.BatchV1().CronJobs(w.namespace)
	cronJob, err := cronJobs.Get(t.Context(), "often", metav1.GetOptions{})
	require.NoError(t, err)
	cronJob.Spec.Suspend = new(false)
	_, err = cronJobs.Update(t.Context(), cronJob, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.NoError(t, w.StartInstance(t.Context(), instance.ID))
	assert.False(t, *run().Spec.Suspend)
}

func TestOneOfSeveralRunNowsWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("often", hosting.TypeCronJob)
	config.Schedule = "0 0 1 1 *"
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	var won atomic.Int32
	done := make(chan error, 6)
	for range cap(done) {
		go func() { done <- w.RunNow(t.Context(), instance.ID) }()
	}
	for range cap(done) {
		if err := <-done; err == nil {
			won.Add(1)
		} else {
			assert.ErrorIs(t, err, hosting.Conflict)
		}
	}
	assert.EqualValues(t, 1, won.Load())
	list, err := w.client.BatchV1().Jobs(w.namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	assert.Len(t, list.Items, 1)
}

func TestAJobIsNotScaledToZero(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	instance, err := w.CreateInstance(t.Context(), everything("once", hosting.TypeJob))
	require.NoError(t, err)
	err = w.ScaleInstance(t.Context(), instance.ID, 0)
	require.ErrorIs(t, err, hosting.InvalidArgument)
	assert.Contains(t, err.Error(), "stop it instead")
	require.NoError(t, w.ScaleInstance(t.Context(), instance.ID, 3))
	job, err := w.client.BatchV1().Jobs(w.namespace).Get(t.Context(), "once", metav1.GetOptions{})
	require.NoError(t, err)
	assert.EqualValues(t, 3, *job.Spec.Parallelism)
	assert.EqualValues(t, 3, *job.Spec.Completions)
}

func TestListTakesAsManyRequestsForManyInstancesAsForOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var reads atomic.Int32
	p := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				reads.Add(1)
				return next.RoundTrip(r)
			})
		}
	})
	count := func(instances int) int32 {
		reads.Store(0)
		list, err := p.ListInstances(t.Context())
		require.NoError(t, err)
		require.Len(t, list, instances)
		return reads.Load()
	}
	create := func(name, instanceType string) {
		_, err := w.CreateInstance(t.Context(), everything(name, instanceType))
		require.NoError(t, err)
	}
	create("first", hosting.TypeDeployment)
	one := count(1)
	for _, instanceType := range w.SupportedInstanceTypes() {
		for _, letter := range []string{"a", "b", "c"} {
			create(instanceType+"-"+letter, instanceType)
		}
	}
	// The events of the namespace may be one request more.
	assert.InDelta(t, one, count(16), 1)
}
