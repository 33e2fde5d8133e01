package conformance

import (
	"testing"

	"skillcenter.io/hosting"
)

// keptMountCases are about what ends a mount, and what does not.
func keptMountCases() []testCase {
	return storage.cases(
		once("the mounts of a configuration are made with the instance", mountsConfigured, hosting.CanMountVolumes),
		once("creating again leaves the mounts as they are", mountsCreatedAgain, hosting.CanMountVolumes),
		once("a change of the configuration leaves other mounts alone", mountsApplied, hosting.CanMountVolumes, hosting.CanApply),
		once("a rollback keeps what MountVolume made", mountsRolledBack, hosting.CanMountVolumes, hosting.CanApply, hosting.CanRollback),
		once("a restart keeps the mounts", func(t *testing.T, e *env) {
			e.keepsMounts(t, "RestartInstance", func(id string) {
				must(t, "RestartInstance", id, e.p.RestartInstance(e.ctx, id))
			})
		}, hosting.CanMountVolumes, hosting.CanRestart).waiting(),
		once("stop and start keep the mounts", func(t *testing.T, e *env) {
			e.keepsMounts(t, "StopInstance and StartInstance", func(id string) {
				must(t, "StopInstance", id, e.p.StopInstance(e.ctx, id))
				e.await(t, id, hosting.StatusStopped)
				must(t, "StartInstance", id, e.p.StartInstance(e.ctx, id))
			})
		}, hosting.CanMountVolumes, hosting.CanStop).waiting(),
		once("scaling keeps the mounts", func(t *testing.T, e *env) {
			e.keepsMounts(t, "ScaleInstance", func(id string) { must(t, "ScaleInstance", id, e.p.ScaleInstance(e.ctx, id, 2)) })
		}, hosting.CanMountVolumes, hosting.CanScale).waiting(),
	)
}

// mounted is an instance with a volume of its configuration and one that
// MountVolume mounted.
type mounted struct {
	config      hosting.CloudHostingConfig
	id          string
	said, made  hosting.Volume
	ofSaid, own hosting.Mount
}

func (e *env) mounted(t *testing.T) mounted {
	t.Helper()
	m := mounted{said: e.createVolume(t, e.volume(hosting.ReadWriteMany)), made: e.createVolume(t, e.volume(hosting.ReadWriteMany))}
	m.config, _ = e.replicated(t, Serve, 1)
	m.config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: m.said.VolumeID, MountPath: "/said"}}
	m.id = e.create(t, m.config).ID
	m.ofSaid = hosting.Mount{InstanceID: m.id, MountPath: "/said"}
	m.own = e.mount(t, m.made, m.id, "/made", true)
	e.wantBoth(t, "MountVolume", m)
	return m
}

func (e *env) wantBoth(t *testing.T, what string, m mounted) {
	t.Helper()
	e.wantMounts(t, what, m.said.VolumeID, m.ofSaid)
	e.wantMounts(t, what, m.made.VolumeID, m.own)
}

// keepsMounts checks that a change leaves the mounts of an instance that runs.
func (e *env) keepsMounts(t *testing.T, what string, change func(id string)) {
	m := e.mounted(t)
	e.await(t, m.id, hosting.StatusRunning)
	change(m.id)
	e.wantBoth(t, what, m)
	e.await(t, m.id, hosting.StatusRunning)
	e.wantBoth(t, what+", when it runs", m)
}

func mountsConfigured(t *testing.T, e *env) {
	m := e.mounted(t)
	sub := clone(m.config)
	sub.InstanceName = e.name()
	sub.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: m.said.VolumeID, MountPath: "/sub", ReadOnly: true, SubPath: "a/b"}}
	id := e.create(t, sub).ID
	e.wantMounts(t, "CreateInstance with a part of a volume", m.said.VolumeID, m.ofSaid,
		hosting.Mount{InstanceID: id, MountPath: "/sub", ReadOnly: true, SubPath: "a/b"})

	bad := clone(m.config)
	bad.InstanceName = e.name()
	bad.Container.VolumeMounts = append(bad.Container.VolumeMounts, hosting.VolumeMount{VolumeID: e.Region + ".volume." + e.name(), MountPath: "/x"})
	_, err := e.tryCreate(t, bad)
	e.wantError(t, "CreateInstance with one volume that exists and one that does not", err, hosting.CreateFailed, hosting.NotFound)
	if v := e.getVolume(t, m.said.VolumeID); len(v.Mounts) != 2 {
		t.Errorf("CreateInstance that was refused has mounted volume %s: %s", v.VolumeID, toJSON(v.Mounts))
	}
}

func mountsCreatedAgain(t *testing.T, e *env) {
	m := e.mounted(t)
	_, err := e.tryCreate(t, m.config)
	must(t, "CreateInstance again", m.id, err)
	e.wantBoth(t, "CreateInstance again", m)
	e.unmount(t, m.said, m.id)
	_, err = e.tryCreate(t, m.config)
	must(t, "CreateInstance again", m.id, err)
	e.wantMounts(t, "CreateInstance again after UnmountVolume", m.said.VolumeID)
}

func mountsApplied(t *testing.T, e *env) {
	m := e.mounted(t)
	e.apply(t, withEnv(m.config, "two"))
	e.wantBoth(t, "ApplyInstance", m)

	e.unmount(t, m.said, m.id)
	e.apply(t, withEnv(m.config, "three"))
	e.wantBoth(t, "ApplyInstance of a mount that was unmounted", m)

	without := withEnv(m.config, "four")
	without.Container.VolumeMounts = nil
	e.apply(t, without)
	e.wantMounts(t, "ApplyInstance without the mount", m.said.VolumeID)
	e.wantMounts(t, "ApplyInstance without another mount", m.made.VolumeID, m.own)
}

func mountsRolledBack(t *testing.T, e *env) {
	m := e.mounted(t)
	without := withEnv(m.config, "two")
	without.Container.VolumeMounts = nil
	e.apply(t, without)
	e.rollback(t, m.id, 0)
	e.wantBoth(t, "RollbackInstance to a configuration with a mount", m)
}
