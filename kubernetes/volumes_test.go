//go:build linux

package kubernetes_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

const gib = 1 << 30

// storageClass makes a class, whose volumes nobody provisions. It returns its
// name.
func (w *world) storageClass(t testing.TB, mode storagev1.VolumeBindingMode) string {
	t.Helper()
	class, err := w.client.StorageV1().StorageClasses().Create(t.Context(), &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{GenerateName: w.namespace + "-"}, Provisioner: "kubernetes.io/no-provisioner",
		VolumeBindingMode: &mode, AllowVolumeExpansion: new(true),
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, w.client.StorageV1().StorageClasses().Delete(context.Background(), class.Name, metav1.DeleteOptions{}))
	})
	return class.Name
}

// newVolume creates a volume that waits for its first use.
func (w *world) newVolume(t testing.TB, name, accessMode string) string {
	t.Helper()
	class := w.storageClass(t, storagev1.VolumeBindingWaitForFirstConsumer)
	v, err := w.CreateVolume(t.Context(), hosting.Volume{Name: name, Size: gib, AccessMode: accessMode, StorageClass: class})
	require.NoError(t, err)
	return v.VolumeID
}

func (w *world) volume(t testing.TB, id string) hosting.Volume {
	t.Helper()
	v, err := w.GetVolume(t.Context(), id)
	require.NoError(t, err)
	return v
}

func (w *world) claim(t testing.TB, name string) *corev1.PersistentVolumeClaim {
	t.Helper()
	o, err := w.client.CoreV1().PersistentVolumeClaims(w.namespace).Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	return o
}

// single is a configuration with one replica and no more than it needs.
func single(name, instanceType string) hosting.CloudHostingConfig {
	config := everything(name, instanceType)
	config.Scaling = nil
	return config
}

// requireFailed requires an error with a code, a reason and a text.
func requireFailed(t testing.TB, err error, code hosting.Code, reason hosting.Reason, says string) {
	t.Helper()
	require.ErrorIs(t, err, reason)
	assert.Equal(t, code, hosting.CodeOf(err), err.Error())
	assert.Contains(t, err.Error(), says)
}

func TestAVolumeIsAClaimThatNobodyOwns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *kubernetes.Config) { c.StorageClasses = map[string]string{"ssd": "fast"} })
	v, err := w.CreateVolume(t.Context(), hosting.Volume{Name: "data", Type: hosting.VolumeSSD, Size: 3 * gib, AccessMode: hosting.ReadWriteMany})
	require.NoError(t, err)
	assert.Equal(t, hosting.Volume{VolumeID: "default.volume.data", Name: "data", Type: "ssd", StorageClass: "fast", Size: 3 * gib,
		AccessMode: hosting.ReadWriteMany, Status: v.Status, CreatedAt: v.CreatedAt, Provider: "kubernetes", Region: "default"}, v)
	assert.WithinDuration(t, time.Now(), v.CreatedAt.Std(), time.Minute)
	assert.Contains(t, []string{hosting.VolumeStatusCreating, hosting.VolumeStatusFailed}, v.Status, "there is no such class")
	claim := w.claim(t, "skill-data")
	assert.Empty(t, claim.OwnerReferences)
	assert.Equal(t, "default.volume.data", claim.Annotations["skillcenter.io/id"])
	assert.Equal(t, map[string]string{"managed-by": "skillcenter", "skillcenter.io/owner": "default",
		"skillcenter.io/name": "data", "skillcenter.io/type": "volume"}, claim.Labels)
	assert.Equal(t, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}, claim.Spec.AccessModes)
	assert.Equal(t, "3Gi", claim.Spec.Resources.Requests.Storage().String())

	class := w.storageClass(t, storagev1.VolumeBindingWaitForFirstConsumer)
	own, err := w.CreateVolume(t.Context(), hosting.Volume{Name: "own", Type: hosting.VolumeSSD, StorageClass: class, Size: 1})
	require.NoError(t, err)
	assert.Equal(t, class, own.StorageClass, "the platform's own class wins")
	plain, err := w.CreateVolume(t.Context(), hosting.Volume{Name: "plain", Size: 1})
	require.NoError(t, err)
	assert.Empty(t, plain.StorageClass, "the cluster has no default")
	assert.Equal(t, hosting.ReadWriteOnce, plain.AccessMode)
	list, err := w.ListVolumes(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 3)
	assert.Equal(t, []string{v.VolumeID, own.VolumeID, plain.VolumeID}, []string{list[0].VolumeID, list[1].VolumeID, list[2].VolumeID})

	// One that waits for its first use is available, one whose class does not
	// exist has failed.
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Equal(c, hosting.VolumeStatusAvailable, w.volume(t, own.VolumeID).Status)
		assert.Equal(c, hosting.VolumeStatusFailed, w.volume(t, v.VolumeID).Status)
	}, waitTime, 200*time.Millisecond)
	list, err = w.ListVolumes(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []hosting.Volume{w.volume(t, v.VolumeID), w.volume(t, own.VolumeID), w.volume(t, "kubernetes:"+plain.VolumeID)}, list)
	require.NoError(t, w.DeleteVolume(t.Context(), own.VolumeID))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, err := w.GetVolume(t.Context(), own.VolumeID)
		assert.ErrorIs(c, err, hosting.NotFound)
	}, waitTime, 100*time.Millisecond)
	requireFailed(t, w.DeleteVolume(t.Context(), own.VolumeID), hosting.VolumeNotFound, hosting.NotFound, own.VolumeID)
}

func TestAVolumeThatIsCreatedAgainIsTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *kubernetes.Config) { c.StorageClasses = map[string]string{"ssd": "fast"} })
	wanted := hosting.Volume{Name: "data", Type: hosting.VolumeSSD, Size: gib}
	v, err := w.CreateVolume(t.Context(), wanted)
	require.NoError(t, err)
	// Another mapping of types changes no volume that exists.
	other := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) { c.StorageClasses = map[string]string{"ssd": "faster"} })
	for _, again := range []hosting.Volume{wanted, v} {
		same, err := other.CreateVolume(t.Context(), again)
		require.NoError(t, err)
		assert.Equal(t, v.VolumeID, same.VolumeID)
		assert.Equal(t, "fast", same.StorageClass)
	}
	for field, different := range map[string]hosting.Volume{
		"type":         {Name: "data", Size: gib},
		"storageClass": {Name: "data", Type: hosting.VolumeSSD, StorageClass: "slow", Size: gib},
		"accessMode":   {Name: "data", Type: hosting.VolumeSSD, AccessMode: hosting.ReadOnlyMany, Size: gib},
		"size":         {Name: "data", Type: hosting.VolumeSSD, Size: gib - 1},
	} {
		_, err := w.CreateVolume(t.Context(), different)
		requireFailed(t, err, hosting.VolumeFailed, hosting.AlreadyExists, field+" ")
	}
	for field, bad := range map[string]hosting.Volume{
		"size": {Name: "x"}, "region": {Name: "x", Size: 1, Region: "moon"}, "provider": {Name: "x", Size: 1, Provider: "other"},
	} {
		_, err := w.CreateVolume(t.Context(), bad)
		requireFailed(t, err, hosting.VolumeFailed, hosting.InvalidArgument, field+" ")
	}
}

func TestAClaimOfSomebodyElseIsNeverTouched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	make := func(name string, labels map[string]string) {
		_, err := w.client.CoreV1().PersistentVolumeClaims(w.namespace).Create(t.Context(), &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
			Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: apiresource.MustParse("1Gi")}}},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	make("skill-data", nil)
	make("skill-theirs", map[string]string{"managed-by": "skillcenter", "skillcenter.io/owner": "other", "skillcenter.io/type": "volume", "skillcenter.io/name": "theirs"})
	instance, err := w.CreateInstance(t.Context(), single("web", hosting.TypeDeployment))
	require.NoError(t, err)
	for _, name := range []string{"data", "theirs"} {
		id := "default.volume." + name
		_, err := w.CreateVolume(t.Context(), hosting.Volume{Name: name, Size: gib})
		requireFailed(t, err, hosting.VolumeFailed, hosting.AlreadyExists, "PersistentVolumeClaim skill-"+name+" exists and is not managed")
		_, err = w.GetVolume(t.Context(), id)
		requireFailed(t, err, hosting.VolumeNotFound, hosting.NotFound, id)
		requireFailed(t, w.DeleteVolume(t.Context(), id), hosting.VolumeNotFound, hosting.NotFound, id)
		requireFailed(t, w.MountVolume(t.Context(), id, instance.ID, "/data", false), hosting.VolumeNotFound, hosting.NotFound, id)
		assert.Nil(t, w.claim(t, "skill-"+name).DeletionTimestamp)
	}
	list, err := w.ListVolumes(t.Context())
	require.NoError(t, err)
	assert.Empty(t, list)
}

func TestMountsAreOnTheVolumeAndInThePods(t *testing.T) {
	t.Parallel()
	for _, instanceType := range instanceTypes {
		t.Run(instanceType, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			shared, logs := w.newVolume(t, "shared", hosting.ReadWriteMany), w.newVolume(t, "logs", hosting.ReadWriteMany)
			config := single("web", instanceType)
			config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: "kubernetes:" + logs, MountPath: "/logs", SubPath: "web", ReadOnly: true}}
			instance, err := w.CreateInstance(t.Context(), config)
			require.NoError(t, err)
			if instanceType == hosting.TypeJob {
				requireFailed(t, w.MountVolume(t.Context(), shared, instance.ID, "/data", false), hosting.VolumeFailed, hosting.Conflict, "the job runs")
				assert.Empty(t, w.volume(t, shared).Mounts)
				require.NoError(t, w.StopInstance(t.Context(), instance.ID))
			}
			require.NoError(t, w.MountVolume(t.Context(), shared, instance.ID, "/data", false))
			require.NoError(t, w.MountVolume(t.Context(), shared, instance.ID, "/more", true))
			require.NoError(t, w.MountVolume(t.Context(), shared, instance.ID, "/data", false), "again")

			v := w.volume(t, shared)
			assert.Equal(t, hosting.VolumeStatusInUse, v.Status)
			assert.Equal(t, []hosting.Mount{{InstanceID: instance.ID, MountPath: "/data"}, {InstanceID: instance.ID, MountPath: "/more", ReadOnly: true}}, v.Mounts)
			assert.Equal(t, []any{instance.ID, "/data", false}, []any{v.InstanceID, v.MountPath, v.ReadOnly})
			assert.Equal(t, []hosting.Mount{{InstanceID: instance.ID, MountPath: "/logs", ReadOnly: true, SubPath: "web"}}, w.volume(t, logs).Mounts)
			list, err := w.ListVolumes(t.Context())
			require.NoError(t, err)
			assert.Equal(t, []hosting.Volume{w.volume(t, logs), v}, list)
			mounts := func() []corev1.VolumeMount {
				return w.podTemplate(t, instanceType, "web").Spec.Containers[0].VolumeMounts
			}
			logsMount := corev1.VolumeMount{Name: "logs", MountPath: "/logs", SubPath: "web", ReadOnly: true}
			assert.Equal(t, []corev1.VolumeMount{logsMount, {Name: "shared", MountPath: "/data"}, {Name: "shared", MountPath: "/more", ReadOnly: true}}, mounts())
			volumes := w.podTemplate(t, instanceType, "web").Spec.Volumes
			require.Len(t, volumes, 2)
			assert.Equal(t, corev1.PersistentVolumeClaimVolumeSource{ClaimName: "skill-logs", ReadOnly: true}, *volumes[0].PersistentVolumeClaim)
			assert.Equal(t, corev1.PersistentVolumeClaimVolumeSource{ClaimName: "skill-shared"}, *volumes[1].PersistentVolumeClaim)

			requireFailed(t, w.DeleteVolume(t.Context(), shared), hosting.VolumeFailed, hosting.Conflict, instance.ID)
			requireFailed(t, w.MountVolume(t.Context(), logs, instance.ID, "/data", false), hosting.VolumeFailed, hosting.Conflict, shared+" is mounted at /data")

			require.NoError(t, w.UnmountVolume(t.Context(), shared, instance.ID))
			require.NoError(t, w.UnmountVolume(t.Context(), shared, instance.ID), "again")
			assert.Equal(t, []corev1.VolumeMount{logsMount}, mounts(), "the other mount stays")
			assert.Empty(t, w.volume(t, shared).Mounts)
			assert.NotContains(t, w.claim(t, "skill-shared").Annotations, "skillcenter.io/mounts")
			assert.Len(t, w.volume(t, logs).Mounts, 1)
			require.NoError(t, w.DeleteVolume(t.Context(), shared))

			// The data outlives the instance.
			w.delete(t, instance.ID)
			assert.Empty(t, w.volume(t, logs).Mounts)
			assert.NotEqual(t, hosting.VolumeStatusInUse, w.volume(t, logs).Status)
			require.NoError(t, w.DeleteVolume(t.Context(), logs))
		})
	}
}
