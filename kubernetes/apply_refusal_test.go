//go:build linux

package kubernetes_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

func TestARefusedApplyLeavesTheOldConfigurationInForce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		prepare func(t *testing.T, w *world)
		change  func(*hosting.CloudHostingConfig)
		reason  hosting.Reason
		says    string
	}{
		{
			name: "a quota of node ports", prepare: func(t *testing.T, w *world) { w.setQuota(t, "services.nodeports") },
			change: func(c *hosting.CloudHostingConfig) { c.Network.ServiceType = hosting.ServiceNodePort },
			reason: hosting.QuotaExceeded, says: "Service web",
		},
		{
			name: "a quota of autoscalers", prepare: func(t *testing.T, w *world) { w.setQuota(t, "count/horizontalpodautoscalers.autoscaling") },
			change: func(c *hosting.CloudHostingConfig) { c.Scaling = &hosting.ScaleConfig{TargetCPUUtilization: 50} },
			reason: hosting.QuotaExceeded, says: "HorizontalPodAutoscaler web",
		},
		{
			name: "a quota of secrets", prepare: func(t *testing.T, w *world) { w.setQuota(t, "secrets") },
			change: func(c *hosting.CloudHostingConfig) { c.SecretEnv = hosting.SecretMap{"TOKEN": "new"} },
			reason: hosting.QuotaExceeded, says: "Secret web-",
		},
		{
			name: "a field that the API server does not accept",
			change: func(c *hosting.CloudHostingConfig) {
				c.Annotations = map[string]string{"a": strings.Repeat("x", 256<<10-1)}
			},
			reason: hosting.InvalidArgument, says: "annotations",
		},
		{
			name: "a configuration that is too large to keep",
			change: func(c *hosting.CloudHostingConfig) {
				c.Env = map[string]string{"LARGE": strings.Repeat("<", 200<<10)} // six bytes each in JSON
			},
			reason: hosting.InvalidArgument, says: "ConfigMap",
		},
		{
			name: "a part that somebody else has made", prepare: func(t *testing.T, w *world) { w.createAutoscaler(t, "web") },
			change: func(c *hosting.CloudHostingConfig) { c.Scaling = &hosting.ScaleConfig{TargetCPUUtilization: 50} },
			reason: hosting.AlreadyExists, says: "does not belong to this instance",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			config := everything("web", hosting.TypeDeployment)
			config.Scaling = nil
			instance, err := w.CreateInstance(t.Context(), config)
			require.NoError(t, err)
			if test.prepare != nil {
				test.prepare(t, w)
			}
			objects, before := w.shape(t), w.deployment(t, "web")
			wanted := config
			wanted.Container = &hosting.ContainerConfig{Image: "other:v2", Ports: config.Container.Ports}
			network := *config.Network
			wanted.Network = &network
			test.change(&wanted)

			plan, err := w.PlanInstance(t.Context(), wanted)
			require.NoError(t, err)
			assert.Contains(t, strings.Join(plan.Objections, "\n"), test.says)
			_, err = w.ApplyInstance(t.Context(), wanted)
			require.ErrorIs(t, err, test.reason)
			assert.Equal(t, hosting.UpdateFailed, hosting.CodeOf(err))
			assert.Contains(t, err.Error(), test.says)

			after := w.deployment(t, "web")
			assert.Equal(t, before.Generation, after.Generation)
			assert.Equal(t, before.Annotations["skillcenter.io/generation"], after.Annotations["skillcenter.io/generation"])
			assert.Equal(t, objects, w.shape(t))
			_, err = w.CreateInstance(t.Context(), config)
			require.NoError(t, err, "the old configuration is in force")
			revisions, err := w.ListRevisions(t.Context(), instance.ID)
			require.NoError(t, err)
			assert.Len(t, revisions, 1)
		})
	}
}

func TestAnApplyThatMayNotChangeTheWorkloadChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	_, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	limited := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
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
	_, err = limited.ApplyInstance(t.Context(), changed("web", hosting.TypeDeployment))
	require.ErrorIs(t, err, hosting.PermissionDenied)
	_, err = w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
}

func TestAnotherTypeOfThatNameAndADeletedInstanceCannotBeApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeJob))
	require.NoError(t, err)
	_, err = w.ApplyInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.ErrorIs(t, err, hosting.AlreadyExists)
	assert.Equal(t, hosting.UpdateFailed, hosting.CodeOf(err))
	plan, err := w.PlanInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.NoError(t, err)
	assert.Len(t, plan.Objections, 1)
}

func TestARunningJobRefusesAnotherContainerAndAStoppedOneTakesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("once", hosting.TypeJob)
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	labelled := config
	labelled.Labels = map[string]string{"team": "red"}
	_, err = w.ApplyInstance(t.Context(), labelled)
	require.NoError(t, err, "its labels are no part of what runs")

	wanted := labelled
	wanted.Container = &hosting.ContainerConfig{Image: "other:v2", Ports: config.Container.Ports}
	plan, err := w.PlanInstance(t.Context(), wanted)
	require.NoError(t, err)
	require.Len(t, plan.Objections, 1)
	assert.Contains(t, plan.Objections[0], "container.image")
	_, err = w.ApplyInstance(t.Context(), wanted)
	require.ErrorIs(t, err, hosting.Unsupported)
	assert.Contains(t, err.Error(), "container.image")

	rotated := labelled
	rotated.SecretEnv = hosting.SecretMap{"TOKEN": "another-value"}
	_, err = w.ApplyInstance(t.Context(), rotated)
	require.ErrorIs(t, err, hosting.Unsupported)
	assert.Contains(t, err.Error(), "secretEnv")
	others := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) { c.Defaults.ImagePullPolicy = "Always" })
	_, err = others.ApplyInstance(t.Context(), labelled)
	require.ErrorIs(t, err, hosting.Conflict)
	assert.NotContains(t, err.Error(), "secretEnv", "that is the same")

	require.NoError(t, w.StopInstance(t.Context(), instance.ID))
	plan, err = w.PlanInstance(t.Context(), wanted)
	require.NoError(t, err)
	assert.Empty(t, plan.Objections)
	assert.Equal(t, hosting.PlanReplace, actions(plan)["Job once"])
	_, err = w.ApplyInstance(t.Context(), wanted)
	require.NoError(t, err)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		job, err := w.client.BatchV1().Jobs(w.namespace).Get(t.Context(), "once", metav1.GetOptions{})
		if assert.NoError(c, err) {
			assert.Equal(c, "other:v2", job.Spec.Template.Spec.Containers[0].Image)
			assert.True(c, *job.Spec.Suspend, "it stays stopped")
		}
	}, waitTime, 100*time.Millisecond)
}

// actions returns what a plan does, by object.
func actions(plan hosting.InstancePlan) map[string]string {
	result := map[string]string{}
	for _, object := range plan.Objects {
		result[object.Kind+" "+object.Name] = object.Action
	}
	return result
}

func (w *world) createAutoscaler(t *testing.T, name string) {
	t.Helper()
	_, err := w.client.AutoscalingV2().HorizontalPodAutoscalers(w.namespace).Create(t.Context(), &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "somebody-elses"},
			MaxReplicas:    2,
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
}
