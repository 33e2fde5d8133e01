//go:build linux

package kubernetes_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
	"skillcenter.io/hosting/provider/driver"
)

// verdicts checks a configuration, and returns what was found by name.
func verdicts(t *testing.T, p *kubernetes.Provider, config hosting.CloudHostingConfig) map[string]hosting.CompatibilityCheck {
	t.Helper()
	checks, err := p.CheckConfig(t.Context(), config)
	require.NoError(t, err)
	found := map[string]hosting.CompatibilityCheck{}
	for _, check := range checks {
		assert.True(t, check.Required, check.Name)
		assert.NotContains(t, found, check.Name)
		found[check.Name] = check
	}
	return found
}

// quota puts a quota into force.
func (w *world) quota(t *testing.T, name string, hard corev1.ResourceList, scopes ...corev1.ResourceQuotaScope) {
	t.Helper()
	_, err := w.client.CoreV1().ResourceQuotas(w.namespace).Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ResourceQuotaSpec{Hard: hard, Scopes: scopes},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	w.awaitUsed(t, name, func(corev1.ResourceList) bool { return true })
}

func (w *world) awaitUsed(t *testing.T, name string, good func(corev1.ResourceList) bool) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		quota, err := w.client.CoreV1().ResourceQuotas(w.namespace).Get(t.Context(), name, metav1.GetOptions{})
		if assert.NoError(c, err) {
			assert.NotEmpty(c, quota.Status.Hard)
			assert.True(c, good(quota.Status.Used), quota.Status.Used)
		}
	}, waitTime, 100*time.Millisecond)
}

// sized is a deployment of n replicas that request half a core each.
func sized(name string, n int) hosting.CloudHostingConfig {
	return hosting.CloudHostingConfig{
		InstanceName: name, InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "registry.example.com/web:1", Ports: []int{8080}},
		Resources: &hosting.ResourceConfig{CPURequest: 0.5, CPULimit: 1, MemoryRequest: 64 << 20, MemoryLimit: 128 << 20},
		Scaling:   &hosting.ScaleConfig{MinReplicas: n},
		SecretEnv: hosting.SecretMap{"TOKEN": "s3cr3t-value"},
	}
}

func TestACheckOfEveryTypePassesAndCreatesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.quota(t, "plenty", corev1.ResourceList{"requests.cpu": resource.MustParse("100"), "pods": resource.MustParse("100")})
	before := w.objects(t)
	for _, instanceType := range instanceTypes {
		found := verdicts(t, w.Provider, everything("web", instanceType))
		require.Len(t, found, 4)
		for name, check := range found {
			if name == driver.CheckNodes { // this cluster has none
				assert.Equal(t, hosting.CheckWarning, check.Status)
				assert.Contains(t, check.Message, "there is no node")
				continue
			}
			assert.Equal(t, hosting.CheckPass, check.Status, "%s %s: %s", instanceType, name, check.Message)
		}
	}
	assert.Equal(t, before, w.objects(t))
}

func TestACheckFindsThatTheNamespaceDoesNotAllowThePods(t *testing.T) {
	t.Parallel()
	w := newWorld(t, podSecurity("baseline"))
	w.enforce(t, "restricted")
	before := w.objects(t)
	for _, instanceType := range instanceTypes {
		found := verdicts(t, w.Provider, everything("web", instanceType))
		assert.Equal(t, hosting.CheckPass, found[driver.CheckAccepted].Status, "the API server takes the workload itself: %s", found[driver.CheckAccepted].Message)
		assert.Equal(t, hosting.CheckFail, found[driver.CheckAdmission].Status)
		assert.Contains(t, found[driver.CheckAdmission].Message, `violates PodSecurity "restricted`)
		assert.Contains(t, found[driver.CheckAdmission].Message, "runAsNonRoot != true")
		assert.NotContains(t, found[driver.CheckAdmission].Message, "s3cr3t-value")
	}
	allowed := w.provider(t, w.cluster.Config(), podSecurity("restricted"))
	assert.Equal(t, hosting.CheckPass, verdicts(t, allowed, sized("web", 1))[driver.CheckAdmission].Status)
	account := w.provider(t, w.cluster.Config(), podSecurity("restricted"), func(c *kubernetes.Config) { c.Defaults.ServiceAccount = "nobody" })
	check := verdicts(t, account, sized("web", 1))[driver.CheckAdmission]
	assert.Equal(t, hosting.CheckFail, check.Status)
	assert.Contains(t, check.Message, `serviceaccount "nobody" not found`)
	assert.Equal(t, before, w.objects(t))
}

func TestACheckFindsThatTheQuotaDoesNotSufficeForAllReplicas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.quota(t, "compute", corev1.ResourceList{"requests.cpu": resource.MustParse("1200m"), "limits.memory": resource.MustParse("1Gi"), "pods": resource.MustParse("10")})
	w.quota(t, "elsewhere", corev1.ResourceList{"pods": resource.MustParse("0")}, corev1.ResourceQuotaScopeBestEffort)
	before := w.objects(t)

	check := verdicts(t, w.Provider, sized("web", 3))[driver.CheckQuota]
	assert.Equal(t, hosting.CheckFail, check.Status)
	assert.Equal(t, "quota compute: 3 replicas need 1500m requests.cpu, 1200m of 1200m are left", check.Message)
	check = verdicts(t, w.Provider, sized("web", 2))[driver.CheckQuota]
	assert.Equal(t, hosting.CheckPass, check.Status, check.Message)

	growing := sized("web", 2)
	growing.Scaling.MaxReplicas, growing.Scaling.TargetCPUUtilization = 5, 50
	check = verdicts(t, w.Provider, growing)[driver.CheckQuota]
	assert.Equal(t, hosting.CheckWarning, check.Status)
	assert.Contains(t, check.Message, "5 replicas need 2500m requests.cpu")

	huge := sized("web", 1)
	huge.Resources.CPURequest, huge.Resources.CPULimit = 2, 2
	found := verdicts(t, w.Provider, huge)
	assert.Equal(t, hosting.CheckPass, found[driver.CheckAdmission].Status, "the quota is what is wrong: %s", found[driver.CheckAdmission].Message)
	assert.Equal(t, hosting.CheckFail, found[driver.CheckQuota].Status)
	assert.Equal(t, before, w.objects(t))

	// What the instance itself uses is there for it, and not for another one.
	_, err := w.CreateInstance(t.Context(), sized("web", 2))
	require.NoError(t, err)
	w.awaitUsed(t, "compute", func(used corev1.ResourceList) bool {
		return used.Name("requests.cpu", resource.DecimalSI).String() == "1"
	})
	check = verdicts(t, w.Provider, sized("web", 2))[driver.CheckQuota]
	assert.Equal(t, hosting.CheckPass, check.Status, check.Message)
	check = verdicts(t, w.Provider, sized("other", 1))[driver.CheckQuota]
	assert.Equal(t, hosting.CheckFail, check.Status)
	assert.Contains(t, check.Message, "200m of 1200m are left")
}

func TestACheckSaysWhatTheClusterDoesNotAccept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.CreateInstance(t.Context(), sized("web", 1))
	require.NoError(t, err)
	taken, invalid := sized("web", 1), sized("Web", 1)
	taken.InstanceType, taken.Scaling = hosting.TypeDaemonSet, nil
	noHost := sized("new", 1)
	noHost.Network = &hosting.NetworkConfig{IngressEnabled: new(true)}
	for message, config := range map[string]hosting.CloudHostingConfig{"taken in region default by a deployment": taken, `instanceName "Web"`: invalid, "ingressHost": noHost} {
		check := verdicts(t, w.Provider, config)[driver.CheckAccepted]
		assert.Equal(t, hosting.CheckFail, check.Status)
		assert.Contains(t, check.Message, message)
	}
}

func TestACheckOfAClusterThatIsAwayIsAnError(t *testing.T) {
	t.Parallel()
	config := kubernetes.DefaultConfig()
	config.RESTConfig = &rest.Config{Host: "https://127.0.0.1:1"}
	p, err := kubernetes.New(t.Context(), config)
	require.NoError(t, err)
	_, err = p.CheckConfig(t.Context(), sized("web", 1))
	require.ErrorIs(t, err, hosting.Unavailable)
	assert.Equal(t, hosting.CompatibilityFailed, hosting.CodeOf(err))
}

// What a check needs beyond the shipped Role is in manifests of its own. Each of
// their permissions is needed for one check, which is a warning without it.
func TestACheckThatMayNotLookSaysWhichPermissionIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := permissions(shippedRules(t, namespacedFile))
	own := permissions(shippedRules(t, compatibilityFile))
	checkOf := map[permission]string{{"", "pods", "create"}: driver.CheckAdmission, {"", "resourcequotas", "list"}: driver.CheckQuota}
	require.Len(t, own, len(checkOf))
	assert.Equal(t, []permission{{"", "nodes", "list"}}, permissions(shippedRules(t, compatibilityNodesFile)))
	for i, removed := range append(own, permission{"", "nothing", "removed"}) {
		t.Run("without "+removed.String(), func(t *testing.T) {
			t.Parallel()
			limited := w.provider(t, w.as(t, w.namespace+"-"+string(rune('a'+i)), without(slices.Concat(own, base), removed)))
			found := verdicts(t, limited, sized("web", 1))
			assert.Equal(t, hosting.CheckPass, found[driver.CheckAccepted].Status, found[driver.CheckAccepted].Message)
			for p, name := range checkOf {
				if p != removed {
					assert.Equal(t, hosting.CheckPass, found[name].Status, found[name].Message)
					continue
				}
				assert.Equal(t, hosting.CheckWarning, found[name].Status)
				assert.Contains(t, found[name].Message, "may not "+p.verb+" "+p.resource)
				assert.Contains(t, found[name].Message, "kubernetes/deploy/"+compatibilityFile)
			}
			// No Role can grant what belongs to no namespace.
			assert.Equal(t, hosting.CheckWarning, found[driver.CheckNodes].Status)
			assert.Contains(t, found[driver.CheckNodes].Message, "kubernetes/deploy/"+compatibilityNodesFile)
		})
	}
	t.Run("a pod that is refused is told from a caller that is", func(t *testing.T) {
		t.Parallel()
		strict := newWorld(t, podSecurity("baseline"))
		strict.enforce(t, "restricted")
		base := strict.provider(t, strict.as(t, strict.namespace, shippedRules(t, namespacedFile)), podSecurity("baseline"))
		assert.Equal(t, hosting.CheckWarning, verdicts(t, base, sized("web", 1))[driver.CheckAdmission].Status)
		full := strict.provider(t, strict.as(t, strict.namespace+"-full", slices.Concat(shippedRules(t, compatibilityFile), shippedRules(t, namespacedFile))), podSecurity("baseline"))
		assert.Equal(t, hosting.CheckFail, verdicts(t, full, sized("web", 1))[driver.CheckAdmission].Status)
	})
}

func TestTheManifestsForChecksBindTheShippedAccount(t *testing.T) {
	t.Parallel()
	account := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: "skillcenter-hosting", Namespace: "skillcenter"}
	for _, file := range []string{compatibilityFile, compatibilityNodesFile} {
		objects := manifest(t, file)
		require.Len(t, objects, 2)
		switch binding := objects[1].(type) {
		case *rbacv1.RoleBinding:
			assert.Equal(t, []rbacv1.Subject{account}, binding.Subjects)
			assert.Equal(t, objects[0].(*rbacv1.Role).Name, binding.RoleRef.Name)
		case *rbacv1.ClusterRoleBinding:
			assert.Equal(t, []rbacv1.Subject{account}, binding.Subjects)
			assert.Equal(t, objects[0].(*rbacv1.ClusterRole).Name, binding.RoleRef.Name)
		default:
			assert.Fail(t, "no binding", file)
		}
	}
}
