//go:build linux

package testcluster_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"skillcenter.io/hosting/internal/testcluster"
)

// sharedNamespace tells a second process of this test which namespace the
// first one made.
const sharedNamespace = "TESTCLUSTER_SHARED_NAMESPACE"

func clientOf(t *testing.T, config *rest.Config) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return client
}

func TestStartGivesTheVersionOfTheBinaries(t *testing.T) {
	t.Parallel()
	version, err := clientOf(t, testcluster.Start(t).Config()).Discovery().ServerVersion()
	require.NoError(t, err)
	require.Equal(t, "v1.37.2", version.GitVersion)
	require.Equal(t, "1", version.Major)
	require.Equal(t, "37", version.Minor)
}

func TestStartTwiceInOneProcessSharesTheCluster(t *testing.T) {
	t.Parallel()
	require.Same(t, testcluster.Start(t), testcluster.Start(t))
}

func TestStartInASecondProcessSharesTheCluster(t *testing.T) {
	t.Parallel()
	cluster := testcluster.Start(t)
	if name, second := os.LookupEnv(sharedNamespace); second {
		_, err := clientOf(t, cluster.Config()).CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{})
		require.NoError(t, err, "the namespace of the first process")
		return
	}
	program, err := os.Executable()
	require.NoError(t, err)
	second := exec.CommandContext(t.Context(), program, "-test.v", "-test.run", "^"+t.Name()+"$")
	second.Env = append(os.Environ(), sharedNamespace+"="+cluster.Namespace(t, "shared"))
	output, err := second.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Contains(t, string(output), "--- PASS: "+t.Name())
}

func TestNamespacesAreSeparateAndReadyForPods(t *testing.T) {
	t.Parallel()
	cluster := testcluster.Start(t)
	pods := clientOf(t, cluster.Config()).CoreV1()
	first, second := cluster.Namespace(t, "pods"), cluster.Namespace(t, "pods")
	require.NotEqual(t, first, second)
	require.True(t, strings.HasPrefix(first, "pods-"), first)

	for _, namespace := range []string{first, second} {
		_, err := pods.Pods(namespace).Create(t.Context(), skillPod(), metav1.CreateOptions{})
		require.NoError(t, err)
		list, err := pods.Pods(namespace).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		require.Len(t, list.Items, 1)
	}
}

func TestANamespaceGoesWithItsTest(t *testing.T) {
	t.Parallel()
	cluster := testcluster.Start(t)
	var name string
	t.Run("test", func(t *testing.T) { name = cluster.Namespace(t, "short") })

	namespace, err := clientOf(t, cluster.Config()).CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		require.NoError(t, err)
		require.NotNil(t, namespace.DeletionTimestamp)
	}
}

func TestAUserMayDoWhatItsRulesSayInItsNamespace(t *testing.T) {
	t.Parallel()
	cluster := testcluster.Start(t)
	mine, other := cluster.Namespace(t, "mine"), cluster.Namespace(t, "other")
	reader := cluster.User(t, "reader", mine, rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"configmaps", "pods/log"}, Verbs: []string{"list"},
	})
	core := clientOf(t, reader).CoreV1()

	_, err := core.ConfigMaps(mine).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	_, err = core.ConfigMaps(other).List(t.Context(), metav1.ListOptions{})
	require.True(t, apierrors.IsForbidden(err), "%v", err)
	_, err = core.Secrets(mine).List(t.Context(), metav1.ListOptions{})
	require.True(t, apierrors.IsForbidden(err), "%v", err)
	require.ErrorContains(t, err, `User "reader"`)
}

func TestAUserWithoutANamespaceMayDoItEverywhere(t *testing.T) {
	t.Parallel()
	cluster := testcluster.Start(t)
	reader := cluster.User(t, "overseer", "", rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"list"},
	})
	_, err := clientOf(t, reader).CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
}

func TestAKubeconfigFileLeadsToTheSameUser(t *testing.T) {
	t.Parallel()
	cluster := testcluster.Start(t)
	namespace := cluster.Namespace(t, "file")
	user := cluster.User(t, "filer", namespace, rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list"},
	})
	config, err := clientcmd.BuildConfigFromFlags("", cluster.KubeconfigFile(t, user))
	require.NoError(t, err)

	core := clientOf(t, config).CoreV1()
	_, err = core.ConfigMaps(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	_, err = core.Secrets(namespace).List(t.Context(), metav1.ListOptions{})
	require.ErrorContains(t, err, `User "filer"`)
}

func TestTheLogsOfTheComponentsAreInDir(t *testing.T) {
	t.Parallel()
	cluster := testcluster.Start(t)
	for _, component := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		require.FileExists(t, cluster.Dir+"/"+component+".log")
	}
}

// skillPod runs the test workload.
func skillPod(args ...string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "skill", Labels: map[string]string{"app": "skill"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "skill", Image: testcluster.SkillImage, Args: args,
		}}},
	}
}
