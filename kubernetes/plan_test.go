//go:build linux

package kubernetes_test

import (
	"encoding/json"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"skillcenter.io/hosting"
)

// TestAPlanKeepsWhatOthersHaveAdded as the apply does.
func TestAPlanKeepsWhatOthersHaveAdded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	config.Network.ServiceType = hosting.ServiceLoadBalancer
	w.mustCreate(t, config)
	patch := types.StrategicMergePatchType
	_, err := w.client.AppsV1().Deployments(w.namespace).Patch(t.Context(), "web", patch, []byte(
		`{"spec":{"template":{"spec":{"tolerations":[{"key":"spot","operator":"Exists"}],"containers":[{"name":"main","env":[{"name":"OTHER","value":"x"}]},{"name":"proxy","image":"proxy:v1"}]}}}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	_, err = w.client.CoreV1().Services(w.namespace).Patch(t.Context(), "web", patch,
		[]byte(`{"spec":{"externalTrafficPolicy":"Local","loadBalancerSourceRanges":["10.0.0.0/8"]}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	before := w.deployment(t, "web")

	plan, err := w.PlanInstance(t.Context(), config)
	require.NoError(t, err)
	assert.Empty(t, plan.Objections)
	assert.False(t, plan.Restarts)
	assert.Equal(t, hosting.PlanKeep, actions(plan)["Deployment web"])
	assert.Equal(t, hosting.PlanKeep, actions(plan)["Service web"])
	_, err = w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	assert.Equal(t, before.Generation, w.deployment(t, "web").Generation)

	config.Container.Env = map[string]string{"B": "2"}
	config.Labels = map[string]string{"team": "red"}
	plan, err = w.PlanInstance(t.Context(), config)
	require.NoError(t, err)
	assert.True(t, plan.Restarts)
	_, err = w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	w.requireAsPlanned(t, plan)
}

// TestAnApplyIsNotRefusedForAFieldOfAnother that may not be changed any more.
func TestAnApplyIsNotRefusedForAFieldOfAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	w.mustCreate(t, config)
	_, err := w.client.CoreV1().Services(w.namespace).Patch(t.Context(), "web", types.MergePatchType,
		[]byte(`{"spec":{"type":"LoadBalancer","loadBalancerClass":"example.com/lb"}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	config.Network.ServiceType = hosting.ServiceLoadBalancer
	config.Labels = map[string]string{"team": "red"}
	plan, err := w.PlanInstance(t.Context(), config)
	require.NoError(t, err)
	assert.Empty(t, plan.Objections)
	_, err = w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	w.requireAsPlanned(t, plan)
}

func TestEveryPartBecomesWhatThePlanShows(t *testing.T) {
	t.Parallel()
	for _, instanceType := range instanceTypes {
		for name, prepare := range map[string]func(t *testing.T, w *world, id string){
			"new": func(*testing.T, *world, string) {},
			"operated": func(t *testing.T, w *world, id string) {
				require.NoError(t, w.StopInstance(t.Context(), id))
				require.NoError(t, w.UpdateResources(t.Context(), id, hosting.ResourceConfig{CPULimit: 2, StorageLimit: 1 << 30}))
				if instanceType != hosting.TypeJob { // one that runs cannot change
					require.NoError(t, w.StartInstance(t.Context(), id))
				}
				if instanceType != hosting.TypeCronJob && instanceType != hosting.TypeJob {
					require.NoError(t, w.RestartInstance(t.Context(), id))
				}
			},
			"unfinished": func(t *testing.T, w *world, id string) {
				require.NoError(t, w.StopInstance(t.Context(), id))
				config := everything("web", instanceType)
				config.Container.Env = map[string]string{"C": "3"}
				config.Annotations = map[string]string{"example.com/note": "x"}
				w.acceptOnly(t, config)
			},
		} {
			t.Run(name+" "+instanceType, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				created := w.mustCreate(t, everything("web", instanceType))
				if name == "new" && instanceType == hosting.TypeJob {
					require.NoError(t, w.StopInstance(t.Context(), created.ID))
				}
				prepare(t, w, created.ID)
				wanted := changed("web", instanceType)
				plan, err := w.PlanInstance(t.Context(), wanted)
				require.NoError(t, err)
				require.Empty(t, plan.Objections)
				_, err = w.ApplyInstance(t.Context(), wanted)
				require.NoError(t, err)
				w.requireAsPlanned(t, plan)
			})
		}
	}
}

// requireAsPlanned requires that each object is what a plan shows. The anchor
// also says when it was changed; and each Secret has another name, which the
// pods have, too.
func (w *world) requireAsPlanned(t *testing.T, plan hosting.InstancePlan) {
	t.Helper()
	client, err := dynamic.NewForConfig(w.cluster.Config())
	require.NoError(t, err)
	plurals := map[string]string{
		"Service": "services", "Ingress": "ingresses", "PodDisruptionBudget": "poddisruptionbudgets", "HorizontalPodAutoscaler": "horizontalpodautoscalers",
		"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets", "Job": "jobs", "CronJob": "cronjobs",
	}
	for _, planned := range plan.Objects {
		if planned.Kind == "ConfigMap" || planned.Kind == "Secret" {
			continue
		}
		manifest := unstructured.Unstructured{}
		if planned.Manifest != nil {
			require.NoError(t, manifest.UnmarshalJSON(planned.Manifest))
		} else {
			version, err := schema.ParseGroupVersion(map[string]string{"Ingress": "networking.k8s.io/v1", "HorizontalPodAutoscaler": "autoscaling/v2", "Service": "v1"}[planned.Kind])
			require.NoError(t, err)
			manifest.SetGroupVersionKind(version.WithKind(planned.Kind))
		}
		kind := manifest.GroupVersionKind()
		live, err := client.Resource(kind.GroupVersion().WithResource(plurals[kind.Kind])).Namespace(w.namespace).Get(t.Context(), planned.Name, metav1.GetOptions{})
		if planned.Action == hosting.PlanDelete {
			require.Error(t, err, "%s %s", planned.Kind, planned.Name)
			continue
		}
		require.NoError(t, err, "%s %s", planned.Kind, planned.Name)
		for _, o := range []*unstructured.Unstructured{live, &manifest} {
			text, err := json.Marshal(o.Object["spec"])
			require.NoError(t, err)
			o.Object["spec"] = someSecret.ReplaceAllString(string(text), `"name":"web-secret"`)
		}
		if planned.Action == hosting.PlanReplace {
			continue // what is generated differs
		}
		assert.Equal(t, manifest.Object["spec"], live.Object["spec"], "%s %s", planned.Kind, planned.Name)
		assert.Equal(t, manifest.GetLabels(), live.GetLabels(), "%s %s", planned.Kind, planned.Name)
		live.SetAnnotations(leftOut(live.GetAnnotations(), "deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation"))
		manifest.SetAnnotations(leftOut(manifest.GetAnnotations(), "deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation"))
		assert.Equal(t, manifest.GetAnnotations(), live.GetAnnotations(), "%s %s", planned.Kind, planned.Name)
	}
}

// someSecret is the reference to a Secret of the instance web.
var someSecret = regexp.MustCompile(`"name":"web-[a-z0-9]{10}"`)

// leftOut returns a map without what controllers set in their own time.
func leftOut(m map[string]string, names ...string) map[string]string {
	for _, name := range names {
		delete(m, name)
	}
	return m
}
