//go:build linux

package kubernetes_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

// TestRunNowPassesOverRunsThatWereNotCounted whose names are not in the order
// of their numbers: now-10 is listed before now-9.
func TestRunNowPassesOverRunsThatWereNotCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.mustCreate(t, simple("often", hosting.TypeCronJob))
	_, err := w.client.BatchV1().CronJobs(w.namespace).Patch(t.Context(), "often", types.MergePatchType,
		[]byte(`{"spec":{"failedJobsHistoryLimit":20}}`), metav1.PatchOptions{}) // else the controller removes some
	require.NoError(t, err)
	finish := func(name string) {
		jobs := w.client.BatchV1().Jobs(w.namespace)
		require.NoError(t, retry.RetryOnConflict(retry.DefaultBackoff, func() error {
			job, err := jobs.Get(t.Context(), name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			for _, condition := range []batchv1.JobConditionType{batchv1.JobFailureTarget, batchv1.JobFailed} {
				job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: condition, Status: corev1.ConditionTrue})
			}
			if job.Status.StartTime == nil {
				job.Status.StartTime = new(metav1.Now())
			}
			job.Status.Active, job.Status.Ready = 0, nil
			_, err = jobs.UpdateStatus(t.Context(), job, metav1.UpdateOptions{})
			return err
		}))
	}
	dies := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.Method == http.MethodPut {
					return nil, errors.New("it dies before it counts")
				}
				return next.RoundTrip(r)
			})
		}
	})
	for _, name := range []string{"often-now-1", "often-now-2", "often-now-3", "often-now-4", "often-now-5", "often-now-6", "often-now-7", "often-now-8"} {
		require.NoError(t, w.RunNow(t.Context(), created.ID))
		finish(name)
	}
	for _, name := range []string{"often-now-9", "often-now-10"} {
		require.ErrorIs(t, dies.RunNow(t.Context(), created.ID), hosting.Unavailable)
		finish(name)
	}
	require.NoError(t, w.RunNow(t.Context(), created.ID))
	_, err = w.client.BatchV1().Jobs(w.namespace).Get(t.Context(), "often-now-11", metav1.GetOptions{})
	require.NoError(t, err)
}
