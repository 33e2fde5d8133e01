//go:build linux

package kubernetes_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
)

func TestRefusedCreateNamesTheCauseAndLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		prepare func(t *testing.T, w *world)
		change  func(*hosting.CloudHostingConfig)
		reason  hosting.Reason
		says    []string
	}{
		{
			name:    "the name of the Service is taken",
			prepare: func(t *testing.T, w *world) { w.createService(t, "web") },
			reason:  hosting.AlreadyExists, says: []string{"Service web", "does not belong"},
		},
		{
			name: "the workload's name is taken",
			prepare: func(t *testing.T, w *world) {
				_, err := w.CreateInstance(t.Context(), everything("other", hosting.TypeDeployment))
				require.NoError(t, err)
				d, err := w.client.AppsV1().Deployments(w.namespace).Get(t.Context(), "other", metav1.GetOptions{})
				require.NoError(t, err)
				d.ObjectMeta = metav1.ObjectMeta{Name: "web"}
				_, err = w.client.AppsV1().Deployments(w.namespace).Create(t.Context(), d, metav1.CreateOptions{})
				require.NoError(t, err)
				w.delete(t, "default.deployment.other")
			},
			reason: hosting.AlreadyExists, says: []string{"Deployment web", "does not belong"},
		},
		{
			name: "the anchor's name is taken",
			prepare: func(t *testing.T, w *world) {
				_, err := w.client.CoreV1().ConfigMaps(w.namespace).Create(t.Context(),
					&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "skill-web"}}, metav1.CreateOptions{})
				require.NoError(t, err)
			},
			reason: hosting.AlreadyExists, says: []string{"ConfigMap skill-web", "not managed"},
		},
		{
			name:    "the quota of workloads is used up",
			prepare: func(t *testing.T, w *world) { w.setQuota(t, "count/deployments.apps") },
			reason:  hosting.QuotaExceeded, says: []string{"Deployment web", "exceeded quota"},
		},
		{
			name:    "the quota of autoscalers is used up, after the workload was made",
			prepare: func(t *testing.T, w *world) { w.setQuota(t, "count/horizontalpodautoscalers.autoscaling") },
			reason:  hosting.QuotaExceeded, says: []string{"HorizontalPodAutoscaler web", "exceeded quota"},
		},
		{
			name:    "the quota of node ports is used up",
			prepare: func(t *testing.T, w *world) { w.setQuota(t, "services.nodeports") },
			change:  func(c *hosting.CloudHostingConfig) { c.Network.ServiceType = hosting.ServiceNodePort },
			reason:  hosting.QuotaExceeded, says: []string{"Service web", "exceeded quota"},
		},
		{
			name:   "the image reference is not one",
			change: func(c *hosting.CloudHostingConfig) { c.Container.Image = "Not An Image!" },
			reason: hosting.InvalidArgument, says: []string{"container.image", "Not An Image!"},
		},
		{
			name: "the API server finds it too large, together with our own annotations",
			change: func(c *hosting.CloudHostingConfig) {
				c.Annotations = map[string]string{"a": strings.Repeat("x", 256<<10-1)}
			},
			reason: hosting.InvalidArgument, says: []string{"Service web", "annotations"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if test.prepare != nil {
				test.prepare(t, w)
			}
			before := w.objects(t)
			config := everything("web", hosting.TypeDeployment)
			if test.change != nil {
				test.change(&config)
			}
			_, err := w.CreateInstance(t.Context(), config)
			w.requireRefusal(t, err, test.reason, test.says...)
			w.requireSameObjects(t, before)
		})
	}
}

func TestForbiddenCreateNamesThePermissionAndLeavesNothing(t *testing.T) {
	t.Parallel()
	all := []string{"get", "list", "create", "update", "patch", "delete"}
	rules := map[string]rbacv1.PolicyRule{
		"configmaps":               {APIGroups: []string{""}, Resources: []string{"configmaps", "configmaps/finalizers"}, Verbs: all},
		"secrets":                  {APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: all},
		"services":                 {APIGroups: []string{""}, Resources: []string{"services"}, Verbs: all},
		"ingresses":                {APIGroups: []string{"networking.k8s.io"}, Resources: []string{"ingresses"}, Verbs: all},
		"deployments":              {APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: all},
		"horizontalpodautoscalers": {APIGroups: []string{"autoscaling"}, Resources: []string{"horizontalpodautoscalers"}, Verbs: all},
	}
	for missing := range rules {
		t.Run("without "+missing, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var granted []rbacv1.PolicyRule
			for name, rule := range rules {
				if name != missing {
					granted = append(granted, rule)
				}
			}
			limited := w.provider(t, w.cluster.User(t, "limited-"+missing, w.namespace, granted...))
			before := w.objects(t)
			_, err := limited.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
			w.requireRefusal(t, err, hosting.PermissionDenied, missing, "forbidden")
			w.requireSameObjects(t, before)
		})
	}
}

func (w *world) requireRefusal(t *testing.T, err error, reason hosting.Reason, says ...string) {
	t.Helper()
	var failed *hosting.Error
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, hosting.CreateFailed, failed.Code)
	assert.Equal(t, reason, failed.Reason, failed.Error())
	assert.NoError(t, failed.Cleanup)
	for _, text := range says {
		assert.Contains(t, failed.Message, text)
	}
}

// setQuota allows none of a kind of object.
func (w *world) setQuota(t *testing.T, kind corev1.ResourceName) {
	t.Helper()
	quota, err := w.client.CoreV1().ResourceQuotas(w.namespace).Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "none"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{kind: resource.MustParse("0")}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		quota, err = w.client.CoreV1().ResourceQuotas(w.namespace).Get(t.Context(), "none", metav1.GetOptions{})
		assert.NoError(c, err)
		assert.NotEmpty(c, quota.Status.Hard, "the quota is in force")
	}, waitTime, 100*time.Millisecond)
}

func (w *world) createService(t *testing.T, name string) {
	t.Helper()
	_, err := w.client.CoreV1().Services(w.namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
}
