package fake

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"skillcenter.io/hosting"
)

// volumeType is the type in the ids of volumes.
const volumeType = "volume"

func onVolume(method, volumeID, instanceID string) operation {
	id, _ := hosting.ParseID(volumeID)
	return operation{method: method, code: hosting.VolumeFailed, id: instanceID, name: id.Name}
}

// CreateVolume creates a volume, which is available at once. Its id is
// "<region>.volume.<name>"; an empty region is the default one, an empty type
// "standard" and an empty access mode ReadWriteOnce. Its status and mounts are
// not the caller's to set, and are ignored.
func (p *Provider) CreateVolume(ctx context.Context, volume hosting.Volume) (hosting.Volume, error) {
	o := operation{method: "CreateVolume", code: hosting.VolumeFailed, name: volume.Name}
	return call(ctx, p, o, func(now time.Time) (hosting.Volume, error) {
		if err := volume.Validate(); err != nil {
			return hosting.Volume{}, fail(hosting.InvalidArgument, "%w", err)
		}
		if volume.Provider != "" && volume.Provider != p.name {
			return hosting.Volume{}, notAllowed("provider", volume.Provider, []string{p.name})
		}
		region := cmp.Or(volume.Region, p.regions[0])
		if !slices.Contains(p.regions, region) {
			return hosting.Volume{}, notAllowed("region", region, p.regions)
		}
		created := hosting.Volume{
			VolumeID: hosting.ID{Region: region, Type: volumeType, Name: volume.Name}.String(),
			Name:     volume.Name, Type: cmp.Or(volume.Type, hosting.VolumeStandard), StorageClass: volume.StorageClass, Size: volume.Size,
			AccessMode: cmp.Or(volume.AccessMode, hosting.ReadWriteOnce), CreatedAt: hosting.NewTime(now),
			Provider: p.name, Region: region,
		}
		if existing := p.volumes[created.VolumeID]; existing != nil {
			if !sameVolume(*existing, created) {
				return hosting.Volume{}, fail(hosting.AlreadyExists, "volume %s exists and is not like this", existing.VolumeID)
			}
			return viewVolume(existing), nil
		}
		p.volumes[created.VolumeID] = &created
		return viewVolume(&created), nil
	})
}

func sameVolume(a, b hosting.Volume) bool {
	return a.Type == b.Type && a.StorageClass == b.StorageClass && a.Size == b.Size && a.AccessMode == b.AccessMode
}

// viewVolume returns a volume as callers see it.
func viewVolume(v *hosting.Volume) hosting.Volume {
	view := *v
	view.Status = hosting.VolumeStatusAvailable
	view.Mounts = slices.Clone(v.Mounts)
	if len(v.Mounts) > 0 {
		first := v.Mounts[0]
		view.Status = hosting.VolumeStatusInUse
		view.InstanceID, view.MountPath, view.ReadOnly = first.InstanceID, first.MountPath, first.ReadOnly
	}
	return view
}

// GetVolume returns one volume.
func (p *Provider) GetVolume(ctx context.Context, volumeID string) (hosting.Volume, error) {
	return call(ctx, p, onVolume("GetVolume", volumeID, ""), func(time.Time) (hosting.Volume, error) {
		volume, err := p.findVolume(volumeID)
		if err != nil {
			return hosting.Volume{}, err
		}
		return viewVolume(volume), nil
	})
}

// ListVolumes returns all volumes, sorted by id.
func (p *Provider) ListVolumes(ctx context.Context) ([]hosting.Volume, error) {
	return call(ctx, p, onVolume("ListVolumes", "", ""), func(time.Time) ([]hosting.Volume, error) {
		list := make([]hosting.Volume, 0, len(p.volumes))
		for _, id := range slices.Sorted(maps.Keys(p.volumes)) {
			list = append(list, viewVolume(p.volumes[id]))
		}
		return list, nil
	})
}

// DeleteVolume deletes a volume at once. While it is mounted, also by an
// instance that is stopped or being deleted, that is a Conflict.
func (p *Provider) DeleteVolume(ctx context.Context, volumeID string) error {
	return p.do(ctx, onVolume("DeleteVolume", volumeID, ""), func(time.Time) error {
		volume, err := p.findVolume(volumeID)
		if err != nil {
			return err
		}
		if len(volume.Mounts) > 0 {
			user := volume.Mounts[0].InstanceID
			failed := fail(hosting.Conflict, "volume %s is mounted by %s", volume.VolumeID, user)
			failed.InstanceID = user
			return failed
		}
		delete(p.volumes, volume.VolumeID)
		return nil
	})
}

// MountVolume makes a volume visible in an instance of the same region, whose
// replicas are replaced for it. Mounting again what is mounted changes nothing.
//
// It is a Conflict if something else is mounted at the path, if only one
// replica may use the volume (ReadWriteOnce, ReadWriteOncePod) and the instance
// has more, an autoscaler or another instance has it, or if the instance is a
// job that runs. A ReadOnlyMany volume can be mounted read-only only.
func (p *Provider) MountVolume(ctx context.Context, volumeID, instanceID, mountPath string, readOnly bool) error {
	return p.changeMounts(ctx, onVolume("MountVolume", volumeID, instanceID), volumeID, func(volume *hosting.Volume, in *instance, now time.Time) error {
		if err := hosting.ValidateMountPath(mountPath); err != nil {
			return fail(hosting.InvalidArgument, "%w", err)
		}
		wanted := hosting.Mount{InstanceID: in.key, MountPath: mountPath, ReadOnly: readOnly}
		if slices.Contains(volume.Mounts, wanted) {
			return nil
		}
		for _, other := range p.volumes {
			if slices.ContainsFunc(other.Mounts, func(m hosting.Mount) bool { return m.InstanceID == in.key && m.MountPath == mountPath }) {
				return fail(hosting.Conflict, "volume %s is mounted at %s already", other.VolumeID, mountPath)
			}
		}
		mount := hosting.VolumeMount{VolumeID: volume.VolumeID, MountPath: mountPath, ReadOnly: readOnly}
		if _, err := p.mountable(mount, in.id, p.defaults.atOnce(in.config, in.desired), hasTarget(in.config.Scaling)); err != nil {
			return err
		}
		if err := in.mayRemount(); err != nil {
			return err
		}
		volume.Mounts = append(volume.Mounts, wanted)
		p.mountsChanged(in, now, "VolumeMounted", "volume "+volume.VolumeID+" is mounted at "+mountPath)
		return nil
	})
}

// UnmountVolume ends all mounts of a volume in an instance, whose replicas are
// replaced for it. If there are none, nothing changes.
func (p *Provider) UnmountVolume(ctx context.Context, volumeID, instanceID string) error {
	return p.changeMounts(ctx, onVolume("UnmountVolume", volumeID, instanceID), volumeID, func(volume *hosting.Volume, in *instance, now time.Time) error {
		isHere := func(m hosting.Mount) bool { return m.InstanceID == in.key }
		if !slices.ContainsFunc(volume.Mounts, isHere) {
			return nil
		}
		if err := in.mayRemount(); err != nil {
			return err
		}
		volume.Mounts = slices.DeleteFunc(volume.Mounts, isHere)
		p.mountsChanged(in, now, "VolumeUnmounted", "volume "+volume.VolumeID+" is no longer mounted")
		return nil
	})
}

// changeMounts is change for methods that are about a volume, too.
func (p *Provider) changeMounts(ctx context.Context, o operation, volumeID string, effect func(*hosting.Volume, *instance, time.Time) error) error {
	return p.change(ctx, o, func(in *instance, now time.Time) error {
		volume, err := p.findVolume(volumeID)
		if err != nil {
			return err
		}
		return effect(volume, in, now)
	})
}

// mayRemount tells whether the replicas may be replaced for a mount: those of
// a job would lose what they have done.
func (in *instance) mayRemount() *hosting.Error {
	if in.isJob() && !in.stopped && !in.finished() {
		return fail(hosting.Conflict, "job %s runs; stop it first", in.key)
	}
	return nil
}

func (p *Provider) mountsChanged(in *instance, now time.Time, reason, message string) {
	p.refreshMounts(in)
	in.rollOut(hosting.StatusUpdating)
	in.changedBy(now, reason, message)
}

// refreshMounts works out what an instance must know of its volumes.
func (p *Provider) refreshMounts(in *instance) {
	in.exclusive, in.storage = false, 0
	for _, volume := range p.volumes {
		if slices.ContainsFunc(volume.Mounts, func(m hosting.Mount) bool { return m.InstanceID == in.key }) {
			in.exclusive = in.exclusive || isExclusive(volume)
			in.storage += float64(volume.Size)
		}
	}
}

func isExclusive(volume *hosting.Volume) bool {
	return volume.AccessMode == hosting.ReadWriteOnce || volume.AccessMode == hosting.ReadWriteOncePod
}

// freeMounts ends all mounts in an instance.
func (p *Provider) freeMounts(instance string) {
	for _, volume := range p.volumes {
		volume.Mounts = slices.DeleteFunc(volume.Mounts, func(m hosting.Mount) bool { return m.InstanceID == instance })
	}
}

// volumesOf returns the volumes that a configuration mounts, each once, if its
// instance may have them.
func (p *Provider) volumesOf(r request) ([]*hosting.Volume, *hosting.Error) {
	var volumes []*hosting.Volume
	for i, mount := range r.config.Container.VolumeMounts {
		volume, err := p.mountable(mount, r.id(), p.defaults.atOnce(r.config, p.initialReplicas(r.config)), hasTarget(r.config.Scaling))
		if err != nil {
			// The code is that of the call.
			return nil, fail(err.Reason, "container.volumeMounts[%d]: %s", i, err.Message)
		}
		if !slices.Contains(volumes, volume) {
			volumes = append(volumes, volume)
		}
	}
	return volumes, nil
}

// mountable returns the volume of a mount, if an instance with so many
// replicas may have it.
func (p *Provider) mountable(mount hosting.VolumeMount, instance hosting.ID, replicas int, autoscaled bool) (*hosting.Volume, *hosting.Error) {
	volume, err := p.lookUpVolume(mount.VolumeID)
	if err != nil {
		return nil, err
	}
	key := instance.String()
	switch {
	case volume.Region != instance.Region:
		return nil, fail(hosting.InvalidArgument, "volume %s is in another region than instance %s", volume.VolumeID, key)
	case volume.AccessMode == hosting.ReadOnlyMany && !mount.ReadOnly:
		return nil, fail(hosting.InvalidArgument, "readOnly false: volume %s is %s", volume.VolumeID, volume.AccessMode)
	case !isExclusive(volume):
		return volume, nil
	case replicas > 1:
		return nil, fail(hosting.Conflict, "volume %s is %s: instance %s has %d replicas, and only one can use it", volume.VolumeID, volume.AccessMode, key, replicas)
	case autoscaled:
		return nil, fail(hosting.Conflict, "volume %s is %s: an instance with an autoscaler cannot use it", volume.VolumeID, volume.AccessMode)
	}
	for _, other := range volume.Mounts {
		if other.InstanceID != key {
			return nil, fail(hosting.Conflict, "volume %s is %s, and instance %s has it", volume.VolumeID, volume.AccessMode, other.InstanceID)
		}
	}
	return volume, nil
}

// findVolume returns the volume that an id names.
func (p *Provider) findVolume(volumeID string) (*hosting.Volume, error) {
	volume, err := p.lookUpVolume(volumeID)
	if err != nil {
		return nil, err // not a nil *hosting.Error, which would be an error
	}
	return volume, nil
}

func (p *Provider) lookUpVolume(volumeID string) (*hosting.Volume, *hosting.Error) {
	id, err := hosting.ParseID(volumeID)
	if err != nil {
		return nil, fail(hosting.InvalidArgument, "%w", err)
	}
	mine := p.isMine(id)
	id.Provider = ""
	volume := p.volumes[id.String()]
	if volume == nil || !mine {
		return nil, hosting.Errorf("", hosting.VolumeNotFound, hosting.NotFound, "volume %s does not exist", volumeID)
	}
	return volume, nil
}
