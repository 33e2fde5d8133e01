//go:build linux && e2e

package testcluster_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"skillcenter.io/hosting/internal/testcluster"
)

// patience is for things that take a minute on a busy machine.
const patience = 3 * time.Minute

// eventually waits until check finds nothing wrong, and fails with what it
// found last.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			require.NoError(t, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// run creates the pod and waits until it runs.
func run(t *testing.T, client kubernetes.Interface, namespace string, pod *corev1.Pod) {
	t.Helper()
	pods := client.CoreV1().Pods(namespace)
	_, err := pods.Create(t.Context(), pod, metav1.CreateOptions{})
	require.NoError(t, err)
	eventually(t, func() error {
		found, err := pods.Get(t.Context(), pod.Name, metav1.GetOptions{})
		if err == nil && found.Status.Phase != corev1.PodRunning {
			err = fmt.Errorf("the pod is %s: %+v", found.Status.Phase, found.Status.ContainerStatuses)
		}
		return err
	})
}

func TestTheLogsOfAPodCanBeRead(t *testing.T) {
	t.Parallel()
	cluster := testcluster.StartWithNode(t)
	client, namespace := clientOf(t, cluster.Config()), cluster.Namespace(t, "logs")
	run(t, client, namespace, skillPod("-lines", "2"))

	eventually(t, func() error {
		log, err := client.CoreV1().Pods(namespace).GetLogs("skill", &corev1.PodLogOptions{}).DoRaw(t.Context())
		if err == nil && string(log) != "line 1\nline 2\n" {
			err = fmt.Errorf("the log is %q", log)
		}
		return err
	})
}

func TestAServiceAnswersOnItsClusterIP(t *testing.T) {
	t.Parallel()
	cluster := testcluster.StartWithNode(t)
	client, namespace := clientOf(t, cluster.Config()), cluster.Namespace(t, "service")
	run(t, client, namespace, skillPod())
	service, err := client.CoreV1().Services(namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "skill"},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "skill"},
			Ports:    []corev1.ServicePort{{Port: 8080}},
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)

	address := "http://" + service.Spec.ClusterIP + ":8080/"
	eventually(t, func() error {
		body, err := get(t, address)
		if err == nil && body != "hello from skill\n" {
			err = fmt.Errorf("the answer is %q", body)
		}
		return err
	})
}

func get(t *testing.T, address string) (string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	// No proxy stands between this machine and its pods.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func TestAClaimBindsAndItsVolumeIsMounted(t *testing.T) {
	t.Parallel()
	cluster := testcluster.StartWithNode(t)
	client, namespace := clientOf(t, cluster.Config()), cluster.Namespace(t, "volume")
	claims := client.CoreV1().PersistentVolumeClaims(namespace)
	_, err := claims.Create(t.Context(), &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "data"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Mi")},
			},
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)

	pod := skillPod()
	pod.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"},
	}}}
	pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
	run(t, client, namespace, pod)

	claim, err := claims.Get(t.Context(), "data", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, corev1.ClaimBound, claim.Status.Phase)
}

func TestThePodsHaveMetrics(t *testing.T) {
	t.Parallel()
	cluster := testcluster.StartWithNode(t)
	client, namespace := clientOf(t, cluster.Config()), cluster.Namespace(t, "metrics")
	run(t, client, namespace, skillPod())

	eventually(t, func() error {
		return client.Discovery().RESTClient().Get().
			AbsPath("/apis/metrics.k8s.io/v1beta1/namespaces", namespace, "pods", "skill").Do(t.Context()).Error()
	})
}

func TestAnImageOfAProgramCanBeLoaded(t *testing.T) {
	t.Parallel()
	const reference = "skillcenter.io/test/loaded:v1"
	cluster := testcluster.StartWithNode(t)
	cluster.LoadImage(t, reference, "images/pause")
	pod := skillPod()
	pod.Spec.Containers[0].Image = reference
	run(t, clientOf(t, cluster.Config()), cluster.Namespace(t, "image"), pod)
}

func TestTheClustersOfBothKindsRunSideBySide(t *testing.T) {
	t.Parallel()
	withNode, without := testcluster.StartWithNode(t), testcluster.Start(t)
	require.NotEqual(t, withNode.Config().Host, without.Config().Host)
	name := withNode.Namespace(t, "here")
	_, err := clientOf(t, without.Config()).CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{})
	require.Error(t, err)
}
