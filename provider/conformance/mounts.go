package conformance

import (
	"fmt"
	"slices"
	"testing"

	"skillcenter.io/hosting"
)

// mountCases are about what may be mounted where.
func mountCases() []testCase {
	return storage.cases(
		once("a mount stands in the volume until it is unmounted", mountShown, hosting.CanMountVolumes),
		once("a mount needs an instance and a path that are there", mountBad, hosting.CanMountVolumes),
		once("one path has one mount", mountTwice, hosting.CanMountVolumes),
		once("unmounting leaves what else is mounted", unmountLeaves, hosting.CanMountVolumes),
		once("a mounted volume cannot be deleted", mountedKept, hosting.CanMountVolumes),
		once("a volume for one replica is refused to more", mountExclusive, hosting.CanMountVolumes, hosting.CanScale),
		once("a volume for one instance is refused to another", mountTaken, hosting.CanMountVolumes),
		once("a volume for many readers is mounted to be read", mountReaders, hosting.CanMountVolumes),
		once("a volume for many writers is for any number of replicas", mountWriters, hosting.CanMountVolumes, hosting.CanScale),
		once("a volume for one replica is refused to an autoscaler", mountAutoscaled, hosting.CanMountVolumes, hosting.CanAutoscale),
		only(hosting.TypeJob, "a job that runs gets no volume", mountJob, hosting.CanMountVolumes).waiting(),
		once("deleting an instance frees its volumes, and keeps them", mountFreed, hosting.CanMountVolumes),
		once("a volume cannot be deleted before its instance is gone", mountedUntilGone, hosting.CanMountVolumes),
	)
}

// alone creates an instance of one replica.
func (e *env) alone(t *testing.T) hosting.CloudInstance {
	t.Helper()
	config, _ := e.replicated(t, Serve, 1)
	return e.create(t, config)
}

func (e *env) mount(t *testing.T, v hosting.Volume, instanceID, path string, readOnly bool) hosting.Mount {
	t.Helper()
	must(t, "MountVolume", v.VolumeID, e.volumes.MountVolume(e.ctx, v.VolumeID, instanceID, path, readOnly))
	return hosting.Mount{InstanceID: instanceID, MountPath: path, ReadOnly: readOnly}
}

func (e *env) unmount(t *testing.T, v hosting.Volume, instanceID string) {
	t.Helper()
	must(t, "UnmountVolume", v.VolumeID, e.volumes.UnmountVolume(e.ctx, v.VolumeID, instanceID))
}

// wantMounts checks all that a volume says of its mounts.
func (e *env) wantMounts(t *testing.T, what, id string, want ...hosting.Mount) {
	t.Helper()
	if problem := mountProblem(e.getVolume(t, id), want); problem != "" {
		t.Errorf("%s: %s", what, problem)
	}
	list := e.listVolumes(t)
	if i := slices.Index(volumeIDs(list), id); i < 0 {
		t.Errorf("%s: ListVolumes does not have %s", what, id)
	} else if problem := mountProblem(list[i], want); problem != "" {
		t.Errorf("%s: in ListVolumes %s", what, problem)
	}
}

func mountProblem(v hosting.Volume, want []hosting.Mount) string {
	first := hosting.Mount{}
	if len(want) > 0 {
		first = want[0]
	}
	switch {
	case !slices.Equal(v.Mounts, want):
		return fmt.Sprintf("volume %s has mounts %s, want %s", v.VolumeID, toJSON(v.Mounts), toJSON(want))
	case v.InstanceID != first.InstanceID || v.MountPath != first.MountPath || v.ReadOnly != first.ReadOnly:
		return fmt.Sprintf("volume %s has instanceId %q, mountPath %q, readOnly %t; want those of its first mount, %s",
			v.VolumeID, v.InstanceID, v.MountPath, v.ReadOnly, toJSON(first))
	case (v.Status == hosting.VolumeStatusInUse) != (len(want) > 0):
		return fmt.Sprintf("volume %s is %s with %d mounts", v.VolumeID, v.Status, len(want))
	}
	return ""
}

func mountShown(t *testing.T, e *env) {
	v, id := e.createVolume(t, e.volume("")), e.scaled(t, 1)
	first := e.mount(t, v, id, "/data", false)
	e.wantMounts(t, "MountVolume", v.VolumeID, first)
	e.mount(t, v, id, "/data", false)
	e.wantMounts(t, "MountVolume again", v.VolumeID, first)
	second := e.mount(t, v, id, "/a/second/place", true)
	e.wantMounts(t, "MountVolume at a second path", v.VolumeID, first, second)
	e.unmount(t, v, id)
	e.wantMounts(t, "UnmountVolume", v.VolumeID)
	e.unmount(t, v, id)
	e.wantMounts(t, "UnmountVolume of what is not mounted", v.VolumeID)
	e.wantMounts(t, "MountVolume after that", v.VolumeID, e.mount(t, v, id, "/data", true))
}

func mountBad(t *testing.T, e *env) {
	v, id := e.createVolume(t, e.volume("")), e.scaled(t, 1)
	other, err := hosting.ParseID(id)
	must(t, "ParseID", id, err)
	other.Name = e.name() // on the same provider
	unknown := other.String()
	err = e.volumes.MountVolume(e.ctx, v.VolumeID, unknown, "/data", false)
	e.wantIDError(t, "MountVolume in an unknown instance", unknown, err, hosting.InstanceNotFound, hosting.NotFound)
	err = e.volumes.UnmountVolume(e.ctx, v.VolumeID, unknown)
	e.wantIDError(t, "UnmountVolume from an unknown instance", unknown, err, hosting.InstanceNotFound, hosting.NotFound)
	err = e.volumes.MountVolume(e.ctx, v.VolumeID, "nonsense", "/data", false)
	e.wantError(t, "MountVolume in what is no id", err, hosting.VolumeFailed, hosting.InvalidArgument, "nonsense")
	for _, path := range []string{"", "/", "data", "/a/../b", "/a//b", "/a:b", "/a\nb"} {
		err := e.volumes.MountVolume(e.ctx, v.VolumeID, id, path, false)
		e.wantError(t, fmt.Sprintf("MountVolume at %q", path), err, hosting.VolumeFailed, hosting.InvalidArgument, "mountPath")
	}
	e.wantMounts(t, "MountVolume with bad arguments", v.VolumeID)
}

func mountTwice(t *testing.T, e *env) {
	v, other, id := e.createVolume(t, e.volume("")), e.createVolume(t, e.volume("")), e.scaled(t, 1)
	first := e.mount(t, v, id, "/data", false)
	err := e.volumes.MountVolume(e.ctx, other.VolumeID, id, "/data", false)
	e.wantError(t, "MountVolume where another volume is", err, hosting.VolumeFailed, hosting.Conflict, "/data")
	err = e.volumes.MountVolume(e.ctx, v.VolumeID, id, "/data", true)
	e.wantError(t, "MountVolume where it is mounted otherwise", err, hosting.VolumeFailed, hosting.Conflict, "/data")
	e.wantMounts(t, "MountVolume that was refused", v.VolumeID, first)
	e.wantMounts(t, "MountVolume that was refused", other.VolumeID)
}

func unmountLeaves(t *testing.T, e *env) {
	one, two := e.scaled(t, 1), e.scaled(t, 1)
	shared, own := e.createVolume(t, e.volume(hosting.ReadWriteMany)), e.createVolume(t, e.volume(""))
	ofOne, mine := e.mount(t, shared, one, "/shared", false), e.mount(t, own, one, "/own", false)
	ofTwo := e.mount(t, shared, two, "/elsewhere", true)
	e.wantMounts(t, "MountVolume in two instances", shared.VolumeID, ofOne, ofTwo)
	e.unmount(t, shared, one)
	e.wantMounts(t, "UnmountVolume from the first of two instances", shared.VolumeID, ofTwo)
	e.wantMounts(t, "UnmountVolume of another volume", own.VolumeID, mine)
	e.unmount(t, own, two)
	e.wantMounts(t, "UnmountVolume from an instance that does not have it", own.VolumeID, mine)
}

func mountedKept(t *testing.T, e *env) {
	v, id := e.createVolume(t, e.volume("")), e.scaled(t, 1)
	mount := e.mount(t, v, id, "/data", false)
	refused := func(what string) {
		t.Helper()
		err := e.volumes.DeleteVolume(e.ctx, v.VolumeID)
		e.wantError(t, "DeleteVolume of one that is mounted"+what, err, hosting.VolumeFailed, hosting.Conflict, v.VolumeID, id)
		e.wantMounts(t, "DeleteVolume that was refused", v.VolumeID, mount)
	}
	refused("")
	if e.has(t, hosting.CanStop) {
		must(t, "StopInstance", id, e.p.StopInstance(e.ctx, id))
		refused(" in an instance that is stopped")
	}
	e.unmount(t, v, id)
	must(t, "DeleteVolume after UnmountVolume", v.VolumeID, e.volumes.DeleteVolume(e.ctx, v.VolumeID))
	e.awaitNoVolume(t, v.VolumeID)
}

func mountExclusive(t *testing.T, e *env) {
	one := e.alone(t)
	config, _ := e.replicated(t, Serve, 2)
	two := e.create(t, config)
	for _, mode := range []string{hosting.ReadWriteOnce, hosting.ReadWriteOncePod} {
		v := e.createVolume(t, e.volume(mode))
		err := e.volumes.MountVolume(e.ctx, v.VolumeID, two.ID, "/data", false)
		e.wantError(t, "MountVolume of one that is "+mode+" for two replicas", err, hosting.VolumeFailed, hosting.Conflict, v.VolumeID)
		e.wantMounts(t, "MountVolume that was refused", v.VolumeID)

		mounting, _ := e.replicated(t, Serve, 2)
		mounting.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: v.VolumeID, MountPath: "/data"}}
		_, err = e.tryCreate(t, mounting)
		e.wantError(t, "CreateInstance with two replicas and a volume that is "+mode, err, hosting.CreateFailed, hosting.Conflict, v.VolumeID)

		mount := e.mount(t, v, one.ID, "/data", false)
		err = e.p.ScaleInstance(e.ctx, one.ID, 2)
		e.wantIDError(t, "ScaleInstance to two with a volume that is "+mode, one.ID, err, hosting.ScaleFailed, hosting.Conflict, v.VolumeID)
		if now := e.get(t, one.ID); now.Replicas != 1 {
			t.Errorf("instance %s has %d replicas after ScaleInstance was refused, want 1", one.ID, now.Replicas)
		}
		e.wantMounts(t, "ScaleInstance that was refused", v.VolumeID, mount)
		e.unmount(t, v, one.ID)
	}
	must(t, "ScaleInstance after UnmountVolume", one.ID, e.p.ScaleInstance(e.ctx, one.ID, 2))
}

func mountTaken(t *testing.T, e *env) {
	one, two := e.scaled(t, 1), e.scaled(t, 1)
	v := e.createVolume(t, e.volume(""))
	mount := e.mount(t, v, one, "/data", false)
	err := e.volumes.MountVolume(e.ctx, v.VolumeID, two, "/data", true)
	e.wantError(t, "MountVolume of what another instance has", err, hosting.VolumeFailed, hosting.Conflict, v.VolumeID, one)
	config, _ := e.replicated(t, Serve, 1)
	config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: v.VolumeID, MountPath: "/data"}}
	_, err = e.tryCreate(t, config)
	e.wantError(t, "CreateInstance with what another instance has", err, hosting.CreateFailed, hosting.Conflict, v.VolumeID)
	if left := e.named(t, config.InstanceName); len(left) > 0 {
		t.Errorf("CreateInstance that was refused has left %s", left[0].ID)
	}
	e.wantMounts(t, "MountVolume that was refused", v.VolumeID, mount)
	e.unmount(t, v, one)
	e.wantMounts(t, "MountVolume after the other's UnmountVolume", v.VolumeID, e.mount(t, v, two, "/data", false))
}

func mountReaders(t *testing.T, e *env) {
	one, two := e.scaled(t, 1), e.scaled(t, 1)
	v := e.createVolume(t, e.volume(hosting.ReadOnlyMany))
	err := e.volumes.MountVolume(e.ctx, v.VolumeID, one, "/data", false)
	e.wantError(t, "MountVolume to write what can be read only", err, hosting.VolumeFailed, hosting.InvalidArgument, "readOnly")
	e.wantMounts(t, "MountVolume that was refused", v.VolumeID)
	first, second := e.mount(t, v, one, "/data", true), e.mount(t, v, two, "/data", true)
	e.wantMounts(t, "MountVolume in two instances to be read", v.VolumeID, first, second)
}

func mountWriters(t *testing.T, e *env) {
	config, _ := e.replicated(t, Serve, 2)
	two, one := e.create(t, config).ID, e.scaled(t, 1)
	v := e.createVolume(t, e.volume(hosting.ReadWriteMany))
	mounts := []hosting.Mount{e.mount(t, v, two, "/data", false), e.mount(t, v, one, "/data", false)}
	must(t, "ScaleInstance with a volume for many", one, e.p.ScaleInstance(e.ctx, one, 3))
	e.wantMounts(t, "MountVolume in two instances of several replicas", v.VolumeID, mounts...)
}

func mountFreed(t *testing.T, e *env) {
	v, id, next := e.createVolume(t, e.volume("")), e.scaled(t, 1), e.scaled(t, 1)
	e.wantMounts(t, "MountVolume", v.VolumeID, e.mount(t, v, id, "/data", false))
	must(t, "DeleteInstance", id, e.p.DeleteInstance(e.ctx, id))
	e.awaitGone(t, id)
	e.eventually(t, "volume "+v.VolumeID+" is free", func() error {
		if problem := mountProblem(e.getVolume(t, v.VolumeID), nil); problem != "" {
			return fmt.Errorf("%s", problem)
		}
		return nil
	})
	wantSameVolume(t, "GetVolume after DeleteInstance", e.getVolume(t, v.VolumeID), v)
	e.wantMounts(t, "MountVolume after DeleteInstance of another", v.VolumeID, e.mount(t, v, next, "/data", false))
}

func mountAutoscaled(t *testing.T, e *env) {
	config := e.config(Serve)
	asks(e)[hosting.CanAutoscale](&config)
	id, v := e.create(t, config).ID, e.createVolume(t, e.volume(""))
	err := e.volumes.MountVolume(e.ctx, v.VolumeID, id, "/data", false)
	e.wantError(t, "MountVolume in an instance with an autoscaler", err, hosting.VolumeFailed, hosting.Conflict, v.VolumeID)
	config = clone(config)
	config.InstanceName = e.name()
	config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: v.VolumeID, MountPath: "/data"}}
	_, err = e.tryCreate(t, config)
	e.wantError(t, "CreateInstance with a volume for one and an autoscaler", err, hosting.CreateFailed, hosting.Conflict, v.VolumeID)
	e.wantMounts(t, "MountVolume that was refused", v.VolumeID)
}

func mountJob(t *testing.T, e *env) {
	id, v := e.running(t, e.config(Serve)).ID, e.createVolume(t, e.volume(""))
	err := e.volumes.MountVolume(e.ctx, v.VolumeID, id, "/data", false)
	e.wantIDError(t, "MountVolume in a job that runs", id, err, hosting.VolumeFailed, hosting.Conflict)
	e.wantMounts(t, "MountVolume that was refused", v.VolumeID)
	if e.has(t, hosting.CanStop) {
		must(t, "StopInstance", id, e.p.StopInstance(e.ctx, id))
		e.await(t, id, hosting.StatusStopped)
		e.wantMounts(t, "MountVolume in a job that is stopped", v.VolumeID, e.mount(t, v, id, "/data", false))
	}
}

func mountedUntilGone(t *testing.T, e *env) {
	v, id := e.createVolume(t, e.volume("")), e.scaled(t, 1)
	e.mount(t, v, id, "/data", false)
	must(t, "DeleteInstance", id, e.p.DeleteInstance(e.ctx, id))
	e.eventually(t, "volume "+v.VolumeID+" can be deleted", func() error {
		err := e.volumes.DeleteVolume(e.ctx, v.VolumeID)
		if err != nil {
			wantReason(t, "DeleteVolume while its instance is being deleted", err, hosting.Conflict, hosting.Unavailable, hosting.RateLimited)
			return err
		}
		if instance, err := e.p.GetInstance(e.ctx, id); hosting.CodeOf(err) != hosting.InstanceNotFound {
			t.Errorf("DeleteVolume(%s) has succeeded while instance %s, which has it, is %s: %v", v.VolumeID, id, instance.Status, err)
		}
		return nil
	})
	e.awaitNoVolume(t, v.VolumeID)
}
