//go:build linux && e2e

package testcluster

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// ownNode starts a node while it keeps every other process from using it, with
// one pod that runs. It returns the settings of the kernel from before.
func ownNode(t *testing.T) (layout, map[string]string) {
	t.Helper()
	if testing.Short() {
		t.Skip("a real node takes too long for -short")
	}
	l, err := layoutOf(withNode)
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(l.state, keepFile)); err == nil {
		t.Skip("somebody keeps the node up")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	// Locked by us alone, the lease looks used to the supervisor and not free
	// to the rest.
	lease, err := lock(ctx, l.lease, unix.LOCK_EX)
	if errors.Is(err, context.DeadlineExceeded) {
		t.Skip("other tests use the node")
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, lease.Close()) })
	require.NoError(t, down(ctx, withNode)) // an idle one, which has changed the settings
	settings := currentSettings()
	t.Cleanup(func() { require.NoError(t, down(context.Background(), withNode)) })
	require.NoError(t, launch(ctx, withNode, l))

	client, err := kubernetes.NewForConfig(newCluster(l.state).Config())
	require.NoError(t, err)
	_, err = client.CoreV1().Pods(metav1.NamespaceDefault).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "skill"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "skill", Image: SkillImage, Args: []string{"-ignore-term"}}}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		pod, err := client.CoreV1().Pods(metav1.NamespaceDefault).Get(ctx, "skill", metav1.GetOptions{})
		return err == nil && pod.Status.Phase == corev1.PodRunning
	}, time.Minute, pollInterval)
	return l, settings
}

func TestDownRemovesEveryTraceOfANode(t *testing.T) {
	l, settings := ownNode(t)
	require.NoError(t, down(t.Context(), withNode))
	requireNoTrace(t, l, settings)
}

func TestDownRemovesWhatAKilledSupervisorOfANodeLeft(t *testing.T) {
	l, settings := ownNode(t)
	require.NoError(t, unix.Kill(supervisorOf(t, l), unix.SIGKILL))
	require.NoError(t, down(t.Context(), withNode))
	requireNoTrace(t, l, settings)
}

func requireNoTrace(t *testing.T, l layout, settings map[string]string) {
	t.Helper()
	require.Empty(t, processesOf(t, l))
	require.NoDirExists(t, l.state)

	mounts, err := mountPoints(func(path, _ string) bool { return strings.HasPrefix(path, l.state) })
	require.NoError(t, err)
	require.Empty(t, mounts)
	hierarchies, err := mountPoints(isCgroup)
	require.NoError(t, err)
	for _, hierarchy := range hierarchies {
		require.NoDirExists(t, filepath.Join(hierarchy, cgroupRoot))
	}
	interfaces, err := net.Interfaces()
	require.NoError(t, err)
	for _, i := range interfaces {
		require.NotEqual(t, bridge, i.Name)
		require.False(t, strings.HasPrefix(i.Name, "veth"), i.Name)
	}
	require.Error(t, runTool(t.Context(), "nft", "list", "table", "ip", proxyTable))
	for place, target := range links(l.state) {
		found, _ := os.Readlink(place)
		require.NotEqual(t, target, found)
	}
	require.Equal(t, settings, currentSettings())
}

// currentSettings are the kernel's, those that a node changes.
func currentSettings() map[string]string {
	settings := map[string]string{}
	for _, name := range sysctls {
		value, _ := os.ReadFile(filepath.Join("/proc/sys", name))
		settings[name] = string(value)
	}
	return settings
}
