package fake

import (
	"errors"
	"maps"
	"slices"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/volume"
)

// mountsIn returns what is mounted in an instance, by volume.
func (p *Provider) mountsIn(instance string) []hosting.VolumeMount {
	var list []hosting.VolumeMount
	for _, id := range slices.Sorted(maps.Keys(p.volumes)) {
		for _, m := range p.volumes[id].Mounts {
			if m.InstanceID == instance {
				list = append(list, hosting.VolumeMount{VolumeID: id, MountPath: m.MountPath, ReadOnly: m.ReadOnly, SubPath: m.SubPath})
			}
		}
	}
	return list
}

// userOf is an instance as a user of volumes, when there should be so many
// replicas.
func (p *Provider) userOf(id hosting.ID, config hosting.CloudHostingConfig, replicas int) volume.User {
	user := volume.User{Instance: id, Replicas: p.defaults.atOnce(config, replicas), Autoscaled: hasTarget(config.Scaling)}
	if in := p.instances[place{id.Region, id.Name}]; in != nil && in.takenOver {
		user.Autoscaled = true
	}
	return user
}

// checkMounts says what speaks against the mounts of an instance.
func (p *Provider) checkMounts(mounts []hosting.VolumeMount, config hosting.CloudHostingConfig, user volume.User) []*hosting.Error {
	find := func(id string) (hosting.Volume, error) {
		v, err := p.findVolume(id)
		if err != nil {
			return hosting.Volume{}, err
		}
		return *v, nil
	}
	var refusals []*hosting.Error
	for _, err := range volume.CheckAll(mounts, config.Container.VolumeMounts, user, find) {
		var refusal *hosting.Error
		if !errors.As(err, &refusal) {
			refusal = fail(hosting.Internal, "%w", err)
		}
		refusals = append(refusals, refusal)
	}
	return refusals
}

// volumesOf returns the volumes that a configuration mounts, each once, if a
// new instance may have them.
func (p *Provider) volumesOf(r request) ([]*hosting.Volume, *hosting.Error) {
	mounts := r.config.Container.VolumeMounts
	if refusals := p.checkMounts(mounts, r.config, p.userOf(r.id(), r.config, p.initialReplicas(r.config))); len(refusals) > 0 {
		return nil, refusals[0]
	}
	return p.volumesIn(mounts), nil
}

// volumesIn returns the volumes of mounts, each once.
func (p *Provider) volumesIn(mounts []hosting.VolumeMount) []*hosting.Volume {
	var volumes []*hosting.Volume
	for _, m := range mounts {
		if v := p.volumes[m.VolumeID]; !slices.Contains(volumes, v) {
			volumes = append(volumes, v)
		}
	}
	return volumes
}

// attach makes mounts those of an instance. What stays keeps its place.
func (p *Provider) attach(in *instance, mounts []hosting.VolumeMount) {
	for id, v := range p.volumes {
		v.Mounts = slices.DeleteFunc(v.Mounts, func(m hosting.Mount) bool {
			return m.InstanceID == in.key && !slices.ContainsFunc(mounts, func(wanted hosting.VolumeMount) bool {
				return wanted.VolumeID == id && volume.In(in.key, wanted) == m
			})
		})
	}
	for _, m := range mounts {
		if v, wanted := p.volumes[m.VolumeID], volume.In(in.key, m); !slices.Contains(v.Mounts, wanted) {
			v.Mounts = append(v.Mounts, wanted)
		}
	}
	p.refreshMounts(in)
}

// refreshMounts works out what an instance must know of its volumes.
func (p *Provider) refreshMounts(in *instance) {
	in.exclusive, in.storage = "", 0
	for _, id := range slices.Sorted(maps.Keys(p.volumes)) {
		if v := p.volumes[id]; isMountedIn(v, in.key) {
			if volume.Exclusive(v.AccessMode) && in.exclusive == "" {
				in.exclusive = id
			}
			in.storage += float64(v.Size)
		}
	}
}

func isMountedIn(v *hosting.Volume, instance string) bool {
	return slices.ContainsFunc(v.Mounts, func(m hosting.Mount) bool { return m.InstanceID == instance })
}

// freeMounts ends all mounts in an instance.
func (p *Provider) freeMounts(instance string) {
	for _, v := range p.volumes {
		v.Mounts = slices.DeleteFunc(v.Mounts, func(m hosting.Mount) bool { return m.InstanceID == instance })
	}
}
