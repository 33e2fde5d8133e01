//go:build linux && e2e

package kubernetes_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
)

// newVolumeWorld is newNodeWorld with an image of this very program: a cluster
// that is shared may have been started with an older one.
func newVolumeWorld(t *testing.T) *world {
	t.Helper()
	w := newNodeWorld(t)
	w.cluster.LoadImage(t, keeperImage, "../internal/testcluster/images/skill")
	return w
}

const keeperImage = "skillcenter.io/test/keeper:v1"

// keeping is the configuration of an instance that reads and writes files.
func keeping(name string) hosting.CloudHostingConfig {
	config := serving(name)
	config.Container.Image = keeperImage
	return config
}

// onlyPod waits until an instance has one pod, other than those that are named,
// which is ready, and returns it.
func (w *world) onlyPod(t *testing.T, instance string, other ...string) corev1.Pod {
	t.Helper()
	var result corev1.Pod
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		pods, err := w.client.CoreV1().Pods(w.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "skillcenter.io/name=" + instance})
		if !assert.NoError(c, err) || !assert.Len(c, pods.Items, 1) {
			return
		}
		result = pods.Items[0]
		assert.NotContains(c, other, result.Name)
		assert.NotEmpty(c, result.Status.ContainerStatuses)
		for _, s := range result.Status.ContainerStatuses {
			assert.True(c, s.Ready)
		}
	}, waitTime, 200*time.Millisecond)
	return result
}

// file asks a pod itself for a file, or appends to it if there is text.
func file(t *testing.T, pod corev1.Pod, path, text string) (content string, status int) {
	t.Helper()
	method := http.MethodGet
	if text != "" {
		method = http.MethodPut
	}
	address := "http://" + pod.Status.PodIP + ":8080/file?path=" + url.QueryEscape(path)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(text))
		if !assert.NoError(c, err) {
			return
		}
		response, err := http.DefaultClient.Do(request)
		if !assert.NoError(c, err) { // it may just have started
			return
		}
		defer response.Body.Close()
		data, err := io.ReadAll(response.Body)
		assert.NoError(c, err)
		content, status = string(data), response.StatusCode
	}, waitTime, 200*time.Millisecond)
	return content, status
}

// requireFile requires that a file holds a text.
func requireFile(t *testing.T, pod corev1.Pod, path, want string) {
	t.Helper()
	content, status := file(t, pod, path, "")
	require.Equal(t, http.StatusOK, status, content)
	assert.Equal(t, want, content)
}

func write(t *testing.T, pod corev1.Pod, path, text string) {
	t.Helper()
	content, status := file(t, pod, path, text)
	require.Equal(t, http.StatusOK, status, content)
}

// provisioned makes a class whose volumes the cluster makes when they are used
// first, or at once.
func (w *world) provisioned(t *testing.T, mode storagev1.VolumeBindingMode, expansion bool) string {
	t.Helper()
	class, err := w.client.StorageV1().StorageClasses().Create(t.Context(), &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{GenerateName: w.namespace + "-"}, Provisioner: "kubernetes.io/host-path",
		VolumeBindingMode: &mode, AllowVolumeExpansion: &expansion,
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		options := metav1.DeleteOptions{}
		assert.NoError(t, w.client.StorageV1().StorageClasses().Delete(context.WithoutCancel(t.Context()), class.Name, options))
	})
	return class.Name
}

func (w *world) awaitVolume(t *testing.T, id, status string) hosting.Volume {
	t.Helper()
	var v hosting.Volume
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var err error
		v, err = w.GetVolume(t.Context(), id)
		assert.NoError(c, err)
		assert.Equal(c, status, v.Status)
	}, waitTime, 200*time.Millisecond)
	return v
}

func TestWhatIsWrittenToAVolumeStays(t *testing.T) {
	t.Parallel()
	w := newVolumeWorld(t)
	created, err := w.CreateVolume(t.Context(), hosting.Volume{Name: "data", Size: gib})
	require.NoError(t, err)
	data := created.VolumeID
	assert.Equal(t, "standard", w.awaitVolume(t, data, hosting.VolumeStatusAvailable).StorageClass, "the cluster's default")
	lazy, err := w.CreateVolume(t.Context(), hosting.Volume{Name: "lazy", Size: gib, AccessMode: hosting.ReadWriteMany,
		StorageClass: w.provisioned(t, storagev1.VolumeBindingWaitForFirstConsumer, false)})
	require.NoError(t, err)
	w.awaitVolume(t, lazy.VolumeID, hosting.VolumeStatusAvailable)

	config := keeping("web")
	config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: lazy.VolumeID, MountPath: "/lazy", SubPath: "of-web"}}
	instance := w.run(t, config)
	require.NoError(t, w.MountVolume(t.Context(), data, instance.ID, "/data", false))
	w.await(t, instance.ID, hosting.StatusRunning)
	pod := w.onlyPod(t, "web")
	write(t, pod, "/data/file", "one\n")
	write(t, pod, "/lazy/file", "lazy\n")

	t.Log("a restart")
	require.NoError(t, w.RestartInstance(t.Context(), instance.ID))
	pod = w.onlyPod(t, "web", pod.Name)
	requireFile(t, pod, "/data/file", "one\n")
	requireFile(t, pod, "/lazy/file", "lazy\n")
	write(t, pod, "/data/file", "two\n")

	t.Log("an unmount and a mount")
	require.NoError(t, w.UnmountVolume(t.Context(), data, instance.ID))
	pod = w.onlyPod(t, "web", pod.Name)
	content, status := file(t, pod, "/data/file", "")
	assert.Equal(t, http.StatusInternalServerError, status, content)
	assert.Contains(t, content, "no such file")
	requireFile(t, pod, "/lazy/file", "lazy\n")
	require.NoError(t, w.MountVolume(t.Context(), data, instance.ID, "/again", true))
	pod = w.onlyPod(t, "web", pod.Name)
	requireFile(t, pod, "/again/file", "one\ntwo\n")
	content, status = file(t, pod, "/again/file", "refused")
	assert.Equal(t, http.StatusInternalServerError, status)
	assert.Contains(t, content, "read-only file system")

	t.Log("a reschedule")
	require.NoError(t, w.client.CoreV1().Pods(w.namespace).Delete(t.Context(), pod.Name, metav1.DeleteOptions{}))
	pod = w.onlyPod(t, "web", pod.Name)
	requireFile(t, pod, "/again/file", "one\ntwo\n")
	requireFile(t, pod, "/lazy/file", "lazy\n")

	t.Log("a delete is refused")
	for _, id := range []string{data, lazy.VolumeID} {
		requireFailed(t, w.DeleteVolume(t.Context(), id), hosting.VolumeFailed, hosting.Conflict, instance.ID)
		assert.Equal(t, hosting.VolumeStatusInUse, w.volume(t, id).Status)
	}
	requireFile(t, pod, "/again/file", "one\ntwo\n")

	t.Log("another instance, after the first is gone")
	w.delete(t, instance.ID)
	next := keeping("next")
	next.InstanceType = hosting.TypeStatefulSet
	next.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: data, MountPath: "/data"}, {VolumeID: lazy.VolumeID, MountPath: "/lazy"}}
	w.run(t, next)
	pod = w.onlyPod(t, "next")
	requireFile(t, pod, "/data/file", "one\ntwo\n")
	requireFile(t, pod, "/lazy/of-web/file", "lazy\n")
	w.delete(t, instanceID(hosting.CloudHostingConfig{InstanceName: "next", InstanceType: hosting.TypeStatefulSet}))
	for _, id := range []string{data, lazy.VolumeID} {
		require.NoError(t, w.DeleteVolume(t.Context(), id))
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			_, err := w.GetVolume(t.Context(), id)
			assert.ErrorIs(c, err, hosting.NotFound)
		}, waitTime, 200*time.Millisecond)
	}
}

func TestAVolumeForManyIsSharedAndKeptUntilNobodyUsesIt(t *testing.T) {
	t.Parallel()
	w := newVolumeWorld(t)
	shared, err := w.CreateVolume(t.Context(), hosting.Volume{Name: "shared", Size: gib, AccessMode: hosting.ReadWriteMany})
	require.NoError(t, err)
	var ids []string
	for _, name := range []string{"one", "two"} {
		config := keeping(name)
		config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: shared.VolumeID, MountPath: "/shared"}}
		ids = append(ids, w.run(t, config).ID)
	}
	one, two := w.onlyPod(t, "one"), w.onlyPod(t, "two")
	write(t, one, "/shared/file", "from one")
	requireFile(t, two, "/shared/file", "from one")
	assert.Len(t, w.volume(t, shared.VolumeID).Mounts, 2)

	require.NoError(t, w.UnmountVolume(t.Context(), shared.VolumeID, ids[0]))
	w.onlyPod(t, "one", one.Name)
	assert.Equal(t, []hosting.Mount{{InstanceID: ids[1], MountPath: "/shared"}}, w.volume(t, shared.VolumeID).Mounts)
	assert.Equal(t, two.UID, w.onlyPod(t, "two").UID, "the other one does not even restart")
	requireFile(t, two, "/shared/file", "from one")
	requireFailed(t, w.DeleteVolume(t.Context(), shared.VolumeID), hosting.VolumeFailed, hosting.Conflict, ids[1])

	require.NoError(t, w.UnmountVolume(t.Context(), shared.VolumeID, ids[1]))
	require.NoError(t, w.DeleteVolume(t.Context(), shared.VolumeID))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, err := w.GetVolume(t.Context(), shared.VolumeID)
		assert.ErrorIs(c, err, hosting.NotFound)
	}, waitTime, 200*time.Millisecond)
	for _, id := range ids {
		w.await(t, id, hosting.StatusRunning)
	}
}

func TestAVolumeGrowsWhereItsClassAllows(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	for name, allowed := range map[string]bool{"grows": true, "stays": false} {
		wanted := hosting.Volume{Name: name, Size: gib, StorageClass: w.provisioned(t, storagev1.VolumeBindingImmediate, allowed)}
		created, err := w.CreateVolume(t.Context(), wanted)
		require.NoError(t, err)
		w.awaitVolume(t, created.VolumeID, hosting.VolumeStatusAvailable)
		wanted.Size = 2 * gib
		grown, err := w.CreateVolume(t.Context(), wanted)
		if !allowed {
			requireFailed(t, err, hosting.VolumeFailed, hosting.Unsupported, "size ")
			assert.EqualValues(t, gib, w.volume(t, created.VolumeID).Size)
			continue
		}
		require.NoError(t, err)
		assert.EqualValues(t, 2*gib, grown.Size)
		assert.EqualValues(t, 2*gib, w.volume(t, created.VolumeID).Size)
		wanted.Size = gib
		_, err = w.CreateVolume(t.Context(), wanted)
		requireFailed(t, err, hosting.VolumeFailed, hosting.AlreadyExists, "does not shrink")
	}
	waiting, err := w.CreateVolume(t.Context(), hosting.Volume{Name: "waiting", Size: gib,
		StorageClass: w.provisioned(t, storagev1.VolumeBindingWaitForFirstConsumer, true)})
	require.NoError(t, err)
	waiting.Size = 2 * gib
	_, err = w.CreateVolume(t.Context(), waiting)
	requireFailed(t, err, hosting.VolumeFailed, hosting.Unsupported, "until it has been provisioned")
}
