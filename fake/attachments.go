package fake

import (
	"fmt"
	"maps"
	"slices"

	"skillcenter.io/hosting"
)

// attachment is a volume that is mounted in an instance.
type attachment struct {
	volume string // its id
	mount  hosting.Mount
}

// attachments returns what is mounted in an instance, by volume.
func (p *Provider) attachments(instance string) []attachment {
	var list []attachment
	for _, id := range slices.Sorted(maps.Keys(p.volumes)) {
		for _, mount := range p.volumes[id].Mounts {
			if mount.InstanceID == instance {
				list = append(list, attachment{id, mount})
			}
		}
	}
	return list
}

// attachmentsOf returns what a configuration mounts.
func attachmentsOf(config hosting.CloudHostingConfig, instance string) []attachment {
	var list []attachment
	for _, mount := range config.Container.VolumeMounts {
		list = append(list, attachment{mount.VolumeID, hosting.Mount{
			InstanceID: instance, MountPath: mount.MountPath, ReadOnly: mount.ReadOnly, SubPath: mount.SubPath}})
	}
	return list
}

// mountsFor returns what is mounted in an instance after a change: what its
// configuration says, and what was there without being in the one before. The
// errors say what cannot be mounted.
func (p *Provider) mountsFor(in *instance, m modification) (mounts []attachment, refusals []*hosting.Error) {
	config := m.request.config
	old, wanted := attachmentsOf(in.config, in.key), attachmentsOf(config, in.key)
	for _, a := range m.before {
		if !slices.Contains(old, a) || slices.Contains(wanted, a) {
			mounts = append(mounts, a)
		}
	}
	for _, a := range wanted {
		if !slices.Contains(mounts, a) {
			mounts = append(mounts, a)
		}
	}
	paths := map[string]string{}
	for _, a := range mounts {
		field := "a volume that MountVolume mounted"
		if i := slices.Index(wanted, a); i >= 0 {
			field = fmt.Sprintf("container.volumeMounts[%d]", i)
		}
		if other, taken := paths[a.mount.MountPath]; taken {
			refusals = append(refusals, fail(hosting.Conflict, "%s: volume %s is mounted at %s already", field, other, a.mount.MountPath))
		}
		paths[a.mount.MountPath] = a.volume
		mount := hosting.VolumeMount{VolumeID: a.volume, MountPath: a.mount.MountPath, ReadOnly: a.mount.ReadOnly, SubPath: a.mount.SubPath}
		if _, err := p.mountable(mount, in.id, p.defaults.atOnce(config, m.replicas), hasTarget(config.Scaling)); err != nil {
			refusals = append(refusals, fail(err.Reason, "%s: %s", field, err.Message))
		}
	}
	return mounts, refusals
}

// attach makes mounts those of an instance. What stays keeps its place.
func (p *Provider) attach(in *instance, mounts []attachment) {
	for id, volume := range p.volumes {
		volume.Mounts = slices.DeleteFunc(volume.Mounts, func(m hosting.Mount) bool {
			return m.InstanceID == in.key && !slices.Contains(mounts, attachment{id, m})
		})
	}
	for _, a := range mounts {
		if volume := p.volumes[a.volume]; !slices.Contains(volume.Mounts, a.mount) {
			volume.Mounts = append(volume.Mounts, a.mount)
		}
	}
	p.refreshMounts(in)
}
