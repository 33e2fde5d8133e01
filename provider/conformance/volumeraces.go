package conformance

import (
	"fmt"
	"testing"

	"skillcenter.io/hosting"
)

// volumeRaceCases are about calls at once.
func volumeRaceCases() []testCase {
	return storage.cases(
		once("identical volumes at once are one", volumesTogether),
		once("of different volumes of a name at once exactly one wins", volumesRace),
		once("of instances at once one gets a volume for one", mountsRace, hosting.CanMountVolumes),
		once("of a mount and a deletion at once one is refused", mountAgainstDelete, hosting.CanMountVolumes),
		once("of a mount for one replica and a scale to two at once one is refused", mountAgainstScale, hosting.CanMountVolumes, hosting.CanScale),
	)
}

// rounds is how often a race between two calls is run.
const rounds = 4

func volumesTogether(t *testing.T, e *env) {
	wanted := e.volume("")
	created := make([]hosting.Volume, crowd)
	for i, err := range together(crowd, func(i int) (err error) {
		created[i], err = e.tryVolume(t, wanted)
		return err
	}) {
		must(t, "CreateVolume at once with others", wanted.Name, err)
		wantSameVolume(t, fmt.Sprintf("%d CreateVolume at once", crowd), created[i], created[0])
	}
}

func volumesRace(t *testing.T, e *env) {
	modes := []string{hosting.ReadWriteOnce, hosting.ReadOnlyMany, hosting.ReadWriteMany, hosting.ReadWriteOncePod}
	wanted := e.volume("")
	created := make([]hosting.Volume, len(modes))
	errs := together(len(modes), func(i int) (err error) {
		mine := wanted
		mine.AccessMode = modes[i]
		created[i], err = e.tryVolume(t, mine)
		return err
	})
	winners := 0
	for i, err := range errs {
		if err != nil {
			e.wantError(t, "CreateVolume that lost", err, hosting.VolumeFailed, hosting.AlreadyExists)
			continue
		}
		winners++
		if created[i].AccessMode != modes[i] {
			t.Errorf("CreateVolume(%s) with %s returned one that is %s", wanted.Name, modes[i], created[i].AccessMode)
		}
		wantSameVolume(t, "GetVolume after a race", e.getVolume(t, created[i].VolumeID), created[i])
	}
	if winners != 1 {
		t.Errorf("%d of %d different CreateVolume(%s) at once succeeded, want 1", winners, len(modes), wanted.Name)
	}
}

func mountsRace(t *testing.T, e *env) {
	const several = 4
	v := e.createVolume(t, e.volume(""))
	ids := make([]string, several)
	for i := range ids {
		ids[i] = e.scaled(t, 1)
	}
	errs := together(several, func(i int) error { return e.volumes.MountVolume(e.ctx, v.VolumeID, ids[i], "/data", false) })
	var won []hosting.Mount
	for i, err := range errs {
		if err != nil {
			e.wantError(t, "MountVolume that lost", err, hosting.VolumeFailed, hosting.Conflict)
			continue
		}
		won = append(won, hosting.Mount{InstanceID: ids[i], MountPath: "/data"})
	}
	if len(won) > 1 {
		t.Errorf("%d instances at once have mounted volume %s, which is %s: %s", len(won), v.VolumeID, v.AccessMode, toJSON(won))
	}
	e.wantMounts(t, "MountVolume in several instances at once", v.VolumeID, won...)
}

func mountAgainstDelete(t *testing.T, e *env) {
	id := e.scaled(t, 1)
	for round := range rounds {
		v := e.createVolume(t, e.volume(""))
		errs := together(2, func(i int) error {
			if i == round%2 {
				return e.volumes.MountVolume(e.ctx, v.VolumeID, id, "/data", false)
			}
			return e.volumes.DeleteVolume(e.ctx, v.VolumeID)
		})
		mounted, deleted := errs[round%2], errs[1-round%2]
		switch {
		case mounted == nil && deleted == nil:
			t.Errorf("MountVolume and DeleteVolume(%s) at once have both succeeded", v.VolumeID)
		case mounted == nil:
			e.wantError(t, "DeleteVolume that lost", deleted, hosting.VolumeFailed, hosting.Conflict)
			e.wantMounts(t, "MountVolume that won", v.VolumeID, hosting.Mount{InstanceID: id, MountPath: "/data"})
			e.unmount(t, v, id)
		case deleted == nil:
			wantReason(t, "MountVolume that lost", mounted, hosting.NotFound, hosting.Conflict)
			e.awaitNoVolume(t, v.VolumeID)
		default:
			wantReason(t, "MountVolume that lost", mounted, hosting.Conflict)
			wantReason(t, "DeleteVolume that lost", deleted, hosting.Conflict)
		}
	}
}

func mountAgainstScale(t *testing.T, e *env) {
	id, v := e.scaled(t, 1), e.createVolume(t, e.volume(""))
	for round := range rounds {
		errs := together(2, func(i int) error {
			if i == round%2 {
				return e.volumes.MountVolume(e.ctx, v.VolumeID, id, "/data", false)
			}
			return e.p.ScaleInstance(e.ctx, id, 2)
		})
		mounted, scaled := errs[round%2], errs[1-round%2]
		wantReason(t, "MountVolume against ScaleInstance", mounted, hosting.Conflict)
		wantReason(t, "ScaleInstance against MountVolume", scaled, hosting.Conflict)
		mounts := len(e.getVolume(t, v.VolumeID).Mounts)
		replicas := e.get(t, id).Replicas
		if mounts > 0 && replicas > 1 {
			t.Errorf("instance %s has %d replicas and volume %s, which is %s", id, replicas, v.VolumeID, v.AccessMode)
		}
		if (mounted == nil) != (mounts > 0) || (scaled == nil) != (replicas == 2) {
			t.Errorf("MountVolume returned %v and ScaleInstance %v; there are %d mounts and %d replicas", mounted, scaled, mounts, replicas)
		}
		e.unmount(t, v, id)
		must(t, "ScaleInstance", id, e.p.ScaleInstance(e.ctx, id, 1))
	}
}
