package fake_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

func (w world) volume(name, accessMode string) string {
	w.Helper()
	volume, err := w.CreateVolume(w.ctx, hosting.Volume{Name: name, Size: gib, AccessMode: accessMode})
	require.NoError(w, err)
	return volume.VolumeID
}

func (w world) getVolume(id string) hosting.Volume {
	w.Helper()
	volume, err := w.GetVolume(w.ctx, id)
	require.NoError(w, err)
	return volume
}

func TestVolumeIsAvailableWithDefaultsFilledIn(t *testing.T) {
	inBubble(t, func(w world) {
		volume, err := w.CreateVolume(w.ctx, hosting.Volume{Name: "data", Size: gib})
		require.NoError(w, err)
		assert.Equal(w, hosting.Volume{
			VolumeID: "default.volume.data", Name: "data", Type: "standard", Size: gib, AccessMode: hosting.ReadWriteOnce,
			Status: hosting.VolumeStatusAvailable, CreatedAt: hosting.NewTime(time.Now()), Provider: "fake", Region: "default",
		}, volume)
		again, err := w.CreateVolume(w.ctx, hosting.Volume{Name: "data", Size: gib, Region: "default", Type: "standard"})
		require.NoError(w, err)
		assert.Equal(w, volume, again)
		for field, other := range map[string]hosting.Volume{
			"size": {Name: "data", Size: gib - 1}, "type": {Name: "data", Size: gib, Type: hosting.VolumeSSD},
			"accessMode": {Name: "data", Size: gib, AccessMode: hosting.ReadWriteMany}, "storageClass": {Name: "data", Size: gib, StorageClass: "fast"},
		} {
			_, err = w.CreateVolume(w.ctx, other)
			w.failed(err, hosting.VolumeFailed, hosting.AlreadyExists)
			assert.ErrorContains(w, err, field+" ")
		}
		for _, bad := range []hosting.Volume{{Name: "x"}, {Name: "x", Size: 1, Region: "moon"}, {Name: "x", Size: 1, Provider: "other"}} {
			_, err = w.CreateVolume(w.ctx, bad)
			w.failed(err, hosting.VolumeFailed, hosting.InvalidArgument)
		}
		w.volume("a", "")
		list, err := w.ListVolumes(w.ctx)
		require.NoError(w, err)
		require.Len(w, list, 2)
		assert.Equal(w, "default.volume.a", list[0].VolumeID)
	})
}

func TestVolumeThatIsCreatedLargerGrowsAndCostsMore(t *testing.T) {
	inBubble(t, func(w world) {
		id, data := w.running(web(1)), w.volume("data", "")
		require.NoError(w, w.MountVolume(w.ctx, data, id, "/data", false))
		w.wait(id, hosting.StatusRunning)
		cost := func() float64 {
			begin := time.Now()
			time.Sleep(time.Hour)
			actual, err := w.GetActualCost(w.ctx, id, hosting.NewTime(begin), hosting.NewTime(time.Now()))
			require.NoError(w, err)
			return actual.Breakdown.Storage
		}
		before := cost()
		grown, err := w.CreateVolume(w.ctx, hosting.Volume{Name: "data", Size: 4 * gib})
		require.NoError(w, err)
		assert.Equal(w, int64(4*gib), grown.Size)
		assert.Equal(w, grown, w.getVolume(data))
		w.at(0, id, hosting.StatusRunning) // nothing restarts
		assert.InEpsilon(w, 4*before, cost(), 1e-9)
	})
}

func TestMountingReplacesTheReplicasAndShowsOnTheVolume(t *testing.T) {
	inBubble(t, func(w world) {
		id, data, shared := w.running(web(1)), w.volume("data", ""), w.volume("shared", hosting.ReadWriteMany)
		require.NoError(w, w.MountVolume(w.ctx, "fake:"+data, id, "/data", false))
		w.at(0, id, hosting.StatusUpdating)
		w.wait(id, hosting.StatusRunning)
		require.NoError(w, w.MountVolume(w.ctx, data, id, "/data", false))
		w.at(0, id, hosting.StatusRunning) // nothing had to be done
		require.NoError(w, w.MountVolume(w.ctx, shared, id, "/shared", true))
		require.NoError(w, w.MountVolume(w.ctx, data, id, "/more", true))

		volume := w.getVolume(data)
		assert.Equal(w, hosting.VolumeStatusInUse, volume.Status)
		assert.Equal(w, id, volume.InstanceID)
		assert.Equal(w, "/data", volume.MountPath)
		assert.Equal(w, []hosting.Mount{{InstanceID: id, MountPath: "/data"}, {InstanceID: id, MountPath: "/more", ReadOnly: true}}, volume.Mounts)
		w.failed(w.DeleteVolume(w.ctx, data), hosting.VolumeFailed, hosting.Conflict)
		w.failed(w.MountVolume(w.ctx, shared, id, "/data", true), hosting.VolumeFailed, hosting.Conflict)
		w.failed(w.MountVolume(w.ctx, shared, id, "data", true), hosting.VolumeFailed, hosting.InvalidArgument)
		err := w.ScaleInstance(w.ctx, id, 2)
		w.failed(err, hosting.ScaleFailed, hosting.Conflict)
		assert.ErrorContains(w, err, data)

		require.NoError(w, w.UnmountVolume(w.ctx, data, id))
		require.NoError(w, w.UnmountVolume(w.ctx, data, id))
		assert.Equal(w, hosting.VolumeStatusAvailable, w.getVolume(data).Status)
		assert.Len(w, w.getVolume(shared).Mounts, 1)
		require.NoError(w, w.ScaleInstance(w.ctx, id, 2))
		require.NoError(w, w.DeleteVolume(w.ctx, data))
		_, err = w.GetVolume(w.ctx, data)
		w.failed(err, hosting.VolumeNotFound, hosting.NotFound)
	})
}

func TestExclusiveVolumeServesOneReplicaOfOneInstance(t *testing.T) {
	inBubble(t, func(w world) {
		data := w.volume("data", hosting.ReadWriteOncePod)
		id := w.running(web(2))
		w.failed(w.MountVolume(w.ctx, data, id, "/data", false), hosting.VolumeFailed, hosting.Conflict)
		one, two := web(1), web(1)
		one.InstanceName, two.InstanceName = "one", "two"
		first := w.running(one)
		require.NoError(w, w.MountVolume(w.ctx, data, first, "/data", false))
		w.failed(w.MountVolume(w.ctx, data, w.create(two), "/data", false), hosting.VolumeFailed, hosting.Conflict)

		// The old replica must be gone before the new one starts.
		time.Sleep(time.Minute)
		require.NoError(w, w.RestartInstance(w.ctx, first))
		assert.Zero(w, w.metrics(first).ReadyReplicas)
		w.at(3*time.Second-ms, first, hosting.StatusRestarting)
		w.at(ms, first, hosting.StatusRunning)
	})
}

func TestAVolumeForOneReplicaAndAPolicyExcludeEachOther(t *testing.T) {
	inBubble(t, func(w world) {
		data, shared := w.volume("data", hosting.ReadWriteOnce), w.volume("shared", hosting.ReadWriteMany)
		id := w.running(web(1))
		require.NoError(w, w.MountVolume(w.ctx, data, id, "/data", false))
		err := w.TakeOver(w.ctx, id)
		w.failed(err, hosting.ScaleFailed, hosting.Conflict)
		assert.ErrorContains(w, err, data)
		require.NoError(w, w.UnmountVolume(w.ctx, data, id))
		require.NoError(w, w.TakeOver(w.ctx, id))
		w.failed(w.MountVolume(w.ctx, data, id, "/data", false), hosting.VolumeFailed, hosting.Conflict)
		config := web(1)
		config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: data, MountPath: "/data"}}
		_, err = w.ApplyInstance(w.ctx, config)
		w.failed(err, hosting.UpdateFailed, hosting.Conflict)
		require.NoError(w, w.MountVolume(w.ctx, shared, id, "/shared", false))
		require.NoError(w, w.GiveBack(w.ctx, id))
		require.NoError(w, w.MountVolume(w.ctx, data, id, "/data", false))
	})
}

func TestMountsOfTheConfigurationEndWithTheInstance(t *testing.T) {
	inBubble(t, func(w world) {
		config := web(1)
		config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: "default.volume.data", MountPath: "/data", SubPath: "a"}}
		_, err := w.CreateInstance(w.ctx, config)
		w.failed(err, hosting.CreateFailed, hosting.NotFound)
		assert.ErrorContains(w, err, "default.volume.data")

		data := w.volume("data", "")
		tooMany := config
		tooMany.Scaling = &hosting.ScaleConfig{MinReplicas: 2}
		_, err = w.CreateInstance(w.ctx, tooMany)
		w.failed(err, hosting.CreateFailed, hosting.Conflict)

		id := w.running(config)
		assert.Equal(w, []hosting.Mount{{InstanceID: id, MountPath: "/data", SubPath: "a"}}, w.getVolume(data).Mounts)
		assert.Equal(w, id, w.create(config))
		require.NoError(w, w.DeleteInstance(w.ctx, id))
		w.failed(w.DeleteVolume(w.ctx, data), hosting.VolumeFailed, hosting.Conflict)
		time.Sleep(time.Second)
		require.NoError(w, w.DeleteVolume(w.ctx, data))
	})
}

func TestMountIsFoundWithTheProvidersName(t *testing.T) {
	inBubble(t, func(w world) {
		data := w.volume("data", "")
		config := web(1)
		config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: "fake:" + data, MountPath: "/data"}}
		id := w.create(config)
		assert.Equal(w, []hosting.Mount{{InstanceID: id, MountPath: "/data"}}, w.getVolume(data).Mounts)
		config.Container.VolumeMounts[0].VolumeID = data
		assert.Equal(w, id, w.create(config))
		config.InstanceName = "other"
		config.Container.VolumeMounts[0].VolumeID = "elsewhere:" + data
		_, err := w.CreateInstance(w.ctx, config)
		w.failed(err, hosting.CreateFailed, hosting.NotFound)
	})
}

func TestMountsAreJudgedAlikeByCreateAndEstimate(t *testing.T) {
	inBubble(t, func(w world) {
		w.volume("once", "")
		w.volume("read", hosting.ReadOnlyMany)
		far, err := w.CreateVolume(w.ctx, hosting.Volume{Name: "far", Size: 1, Region: "us-east-1"})
		require.NoError(w, err)
		for volume, reason := range map[string]hosting.Reason{
			"default.volume.once": hosting.Conflict, "default.volume.read": hosting.InvalidArgument,
			far.VolumeID: hosting.InvalidArgument, "default.volume.none": hosting.NotFound,
		} {
			config := web(2)
			config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: volume, MountPath: "/data"}}
			_, err := w.CreateInstance(w.ctx, config)
			w.failed(err, hosting.CreateFailed, reason)
			var created *hosting.Error
			require.ErrorAs(w, err, &created)
			assert.Equal(w, "default.deployment.web", created.InstanceID)
			assert.Regexp(w, `^container\.volumeMounts\[0\]: .*`+volume, created.Message)
			assert.NotContains(w, created.Message, "("+string(reason)+")")
			_, err = w.EstimateCost(w.ctx, config)
			w.failed(err, hosting.CostFailed, reason)
			var estimated *hosting.Error
			require.ErrorAs(w, err, &estimated)
			assert.Equal(w, created.Message, estimated.Message)
		}
	})
}

func TestVolumeOfAJobChangesOnlyWhileItDoesNotRun(t *testing.T) {
	inBubble(t, func(w world) {
		id, data := w.create(ofType(hosting.TypeJob)), w.volume("data", hosting.ReadOnlyMany)
		w.failed(w.MountVolume(w.ctx, data, id, "/data", true), hosting.VolumeFailed, hosting.Conflict)
		require.NoError(w, w.StopInstance(w.ctx, id))
		w.failed(w.MountVolume(w.ctx, data, id, "/data", false), hosting.VolumeFailed, hosting.InvalidArgument)
		require.NoError(w, w.MountVolume(w.ctx, data, id, "/data", true))
		require.NoError(w, w.StartInstance(w.ctx, id))
		w.failed(w.UnmountVolume(w.ctx, data, id), hosting.VolumeFailed, hosting.Conflict)
		w.wait(id, hosting.StatusCompleted)
		require.NoError(w, w.UnmountVolume(w.ctx, data, id))
	})
}

func TestVolumeAndInstanceOfAMountMustExist(t *testing.T) {
	inBubble(t, func(w world) {
		id, data := w.running(web(1)), w.volume("data", "")
		w.failed(w.MountVolume(w.ctx, "default.volume.none", id, "/d", false), hosting.VolumeNotFound, hosting.NotFound)
		w.failed(w.MountVolume(w.ctx, data, "default.job.none", "/d", false), hosting.InstanceNotFound, hosting.NotFound)
		w.failed(w.MountVolume(w.ctx, "bad", id, "/d", false), hosting.VolumeFailed, hosting.InvalidArgument)
		w.failed(w.DeleteVolume(w.ctx, "bad"), hosting.VolumeFailed, hosting.InvalidArgument)
		_, err := w.CreateVolume(w.ctx, hosting.Volume{Name: "far", Size: 1, Region: "us-east-1"})
		require.NoError(w, err)
		w.failed(w.MountVolume(w.ctx, "us-east-1.volume.far", id, "/d", false), hosting.VolumeFailed, hosting.InvalidArgument)
	})
}
