//go:build linux

package kubernetes_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

func TestAnApplyDoesNotForgetACountThatIsSetWhileItEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	config.Scaling = nil
	created := w.mustCreate(t, config)
	config.Labels = map[string]string{"team": "red"}
	// The first update of the anchor accepts the configuration, the second says
	// that it has been carried out.
	p := w.interrupted(t, moment{2, http.MethodPut, "/configmaps/skill-web", func() {
		assert.NoError(t, w.ScaleInstance(t.Context(), created.ID, 3))
	}})
	_, err := p.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	require.EqualValues(t, 3, w.replicas(t, "web"))
	w.loseWorkload(t, config)
	require.NoError(t, w.StartInstance(t.Context(), created.ID))
	assert.EqualValues(t, 3, w.replicas(t, "web"), "it is made again as it was")
}

func TestAnApplyThatAnotherInstanceOfItsNameOvertakesLeavesThatAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	created := w.mustCreate(t, config)
	other := config
	other.Env = map[string]string{"OTHER": "1"}
	older := config
	older.Env = map[string]string{"OLDER": "1"}
	// It has carried everything out, and is about to say so.
	p := w.interrupted(t, moment{2, http.MethodPut, "/configmaps/skill-web", func() {
		w.delete(t, created.ID)
		w.mustCreate(t, config)
		_, err := w.ApplyInstance(t.Context(), other)
		assert.NoError(t, err)
	}})
	_, err := p.ApplyInstance(t.Context(), older)
	require.ErrorIs(t, err, hosting.Conflict)
	assert.Equal(t, hosting.UpdateFailed, hosting.CodeOf(err))
	_, err = w.CreateInstance(t.Context(), other)
	assert.NoError(t, err, "the other one is as it was")
}

func TestAScaleThatMeetsANewAutoscalerIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	config.Scaling = nil
	created := w.mustCreate(t, config)
	p := w.interrupted(t, moment{1, http.MethodPut, "/deployments/web/scale", func() {
		_, err := w.ApplyInstance(t.Context(), everything("web", hosting.TypeDeployment))
		assert.NoError(t, err)
	}})
	err := p.ScaleInstance(t.Context(), created.ID, 3)
	require.ErrorIs(t, err, hosting.Conflict)
	assert.Contains(t, err.Error(), "HorizontalPodAutoscaler web")
	assert.EqualValues(t, 2, w.replicas(t, "web"))
}

func TestAStopThatMeetsANewAutoscalerHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	config.Scaling = nil
	created := w.mustCreate(t, config)
	s := newScaler(w, hosting.TypeDeployment)
	p := w.interrupted(t,
		moment{1, http.MethodPatch, "/deployments/web", func() {
			_, err := w.ApplyInstance(t.Context(), everything("web", hosting.TypeDeployment))
			assert.NoError(t, err)
		}},
		// The stop has been written, in its second attempt.
		moment{4, http.MethodGet, "/deployments/web", func() {
			assert.EqualValues(t, 0, w.replicas(t, "web"))
			assert.NoError(t, s.patch(t.Context(), 4))
		}})
	require.NoError(t, p.StopInstance(t.Context(), created.ID))
	assert.EqualValues(t, 0, w.replicas(t, "web"))
	assert.Equal(t, 2, w.stoppedReplicas(t, created.ID))
}

func TestAStartThatMeetsAChangeOfAStoppedJobStartsTheNewOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("once", hosting.TypeJob)
	created := w.mustCreate(t, config)
	require.NoError(t, w.StopInstance(t.Context(), created.ID))
	config.Container.Image = "other:v2"
	p := w.interrupted(t, moment{2, http.MethodGet, "/jobs/once", func() {
		_, err := w.ApplyInstance(t.Context(), config)
		assert.NoError(t, err)
	}})
	require.NoError(t, p.StartInstance(t.Context(), created.ID))
	job := w.job(t, "once")
	assert.Equal(t, "other:v2", job.Spec.Template.Spec.Containers[0].Image)
	assert.False(t, *job.Spec.Suspend)
}

// TestTheRunsOfACronjobAgreeWithItsSchedule whichever of two calls comes last: a
// schedule waits for a run that is suspended.
func TestTheRunsOfACronjobAgreeWithItsSchedule(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T, p *kubernetes.Provider, id string) error { return p.StartInstance(t.Context(), id) }
	stop := func(t *testing.T, p *kubernetes.Provider, id string) error { return p.StopInstance(t.Context(), id) }
	for name, test := range map[string]struct {
		stopped      bool // before
		call         func(t *testing.T, p *kubernetes.Provider, id string) error
		method, path string
		meanwhile    func(t *testing.T, p *kubernetes.Provider, id string) error
	}{
		"start and stop":   {true, start, http.MethodPatch, "/cronjobs/often", stop},
		"stop and start":   {false, stop, http.MethodPatch, "/jobs/often-now-1", start},
		"run now and stop": {false, func(t *testing.T, p *kubernetes.Provider, id string) error { return p.RunNow(t.Context(), id) }, http.MethodPost, "/jobs", stop},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			created := w.mustCreate(t, simple("often", hosting.TypeCronJob))
			if name != "run now and stop" {
				require.NoError(t, w.RunNow(t.Context(), created.ID))
			}
			if test.stopped {
				require.NoError(t, w.StopInstance(t.Context(), created.ID))
			}
			p := w.interrupted(t, moment{1, test.method, test.path, func() { assert.NoError(t, test.meanwhile(t, w.Provider, created.ID)) }})
			require.NoError(t, test.call(t, p, created.ID))
			cronJob, err := w.client.BatchV1().CronJobs(w.namespace).Get(t.Context(), "often", metav1.GetOptions{})
			require.NoError(t, err)
			assert.Equal(t, *cronJob.Spec.Suspend, *w.job(t, "often-now-1").Spec.Suspend)
		})
	}
}

func (w *world) job(t *testing.T, name string) *batchv1.Job {
	t.Helper()
	job, err := w.client.BatchV1().Jobs(w.namespace).Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	return job
}

func TestARestartOfAJobKeepsACountThatIsSetMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.mustCreate(t, everything("once", hosting.TypeJob))
	first := w.job(t, "once").UID
	p := w.interrupted(t, moment{1, http.MethodDelete, "/jobs/once", func() {
		assert.NoError(t, w.ScaleInstance(t.Context(), created.ID, 3))
	}})
	require.NoError(t, p.RestartInstance(t.Context(), created.ID))
	job := w.job(t, "once")
	assert.NotEqual(t, first, job.UID)
	assert.EqualValues(t, 3, *job.Spec.Parallelism)
}

// TestAJobThatIsMadeAnewIsAsItWas also if the call that made it so died before
// it could say so in the anchor.
func TestAJobThatIsMadeAnewIsAsItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("once", hosting.TypeJob)
	created := w.mustCreate(t, config)
	w.patch(t, "jobs", "once", `{"spec":{"parallelism":2,"completions":2,"suspend":true}}`)
	config.Container.Image = "other:v2"
	plan, err := w.PlanInstance(t.Context(), config)
	require.NoError(t, err)
	assert.Empty(t, plan.Objections)
	planned := plannedManifest(t, plan, "Job once")
	assert.Equal(t, true, planned["spec"].(map[string]any)["suspend"])
	assert.EqualValues(t, 2, planned["spec"].(map[string]any)["parallelism"])

	_, err = w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	job := w.job(t, "once")
	assert.Equal(t, "other:v2", job.Spec.Template.Spec.Containers[0].Image)
	assert.True(t, *job.Spec.Suspend, "it stays stopped")
	assert.EqualValues(t, 2, *job.Spec.Parallelism)

	w.patch(t, "jobs", "once", `{"spec":{"parallelism":4,"completions":4,"suspend":false}}`)
	require.NoError(t, w.RestartInstance(t.Context(), created.ID))
	assert.EqualValues(t, 4, *w.job(t, "once").Spec.Parallelism)
	w.patch(t, "jobs", "once", `{"spec":{"suspend":true}}`)
	require.ErrorIs(t, w.RestartInstance(t.Context(), created.ID), hosting.Conflict)
}

// plannedManifest returns an object of a plan.
func plannedManifest(t *testing.T, plan hosting.InstancePlan, name string) map[string]any {
	t.Helper()
	for _, object := range plan.Objects {
		if object.Kind+" "+object.Name == name {
			result := map[string]any{}
			require.NoError(t, json.Unmarshal(object.Manifest, &result))
			return result
		}
	}
	require.Fail(t, "it is not in the plan", name)
	return nil
}
