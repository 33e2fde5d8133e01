package fake

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/volume"
)

func onVolume(method, volumeID, instanceID string) operation {
	id, _ := hosting.ParseID(volumeID)
	return operation{method: method, code: hosting.VolumeFailed, id: instanceID, name: id.Name}
}

// CreateVolume creates a volume, which is available at once. Its id is
// "<region>.volume.<name>"; an empty region is the default one, an empty type
// "standard" and an empty access mode ReadWriteOnce. Its status and mounts are
// not the caller's to set, and are ignored. One that exists and is smaller
// grows, also while it is mounted.
func (p *Provider) CreateVolume(ctx context.Context, wanted hosting.Volume) (hosting.Volume, error) {
	o := operation{method: "CreateVolume", code: hosting.VolumeFailed, name: wanted.Name}
	return call(ctx, p, o, func(now time.Time) (hosting.Volume, error) {
		if err := wanted.Validate(); err != nil {
			return hosting.Volume{}, fail(hosting.InvalidArgument, "%w", err)
		}
		if wanted.Provider != "" && wanted.Provider != p.name {
			return hosting.Volume{}, notAllowed("provider", wanted.Provider, []string{p.name})
		}
		region := cmp.Or(wanted.Region, p.regions[0])
		if !slices.Contains(p.regions, region) {
			return hosting.Volume{}, notAllowed("region", region, p.regions)
		}
		created := volume.New(wanted, p.name, region)
		if existing := p.volumes[created.VolumeID]; existing != nil {
			size, err := volume.Again(*existing, created)
			if err != nil {
				return hosting.Volume{}, err
			}
			p.resize(existing, size, now)
			return viewVolume(existing), nil
		}
		created.CreatedAt = hosting.NewTime(now)
		p.volumes[created.VolumeID] = &created
		return viewVolume(&created), nil
	})
}

// resize makes a volume larger, which from now on costs more.
func (p *Provider) resize(v *hosting.Volume, size int64, now time.Time) {
	if size == v.Size {
		return
	}
	v.Size = size
	for _, in := range p.instances {
		if isMountedIn(v, in.key) {
			p.refreshMounts(in)
			in.changedBy(now, "VolumeResized", fmt.Sprintf("volume %s has %d bytes", v.VolumeID, size))
		}
	}
}

// viewVolume returns a volume as callers see it.
func viewVolume(v *hosting.Volume) hosting.Volume {
	view := *v
	view.Status = hosting.VolumeStatusAvailable
	return volume.Mounted(view, slices.Clone(v.Mounts))
}

// GetVolume returns one volume.
func (p *Provider) GetVolume(ctx context.Context, volumeID string) (hosting.Volume, error) {
	return call(ctx, p, onVolume("GetVolume", volumeID, ""), func(time.Time) (hosting.Volume, error) {
		v, err := p.findVolume(volumeID)
		if err != nil {
			return hosting.Volume{}, err
		}
		return viewVolume(v), nil
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
		v, err := p.findVolume(volumeID)
		if err != nil {
			return err
		}
		if err := volume.Deletable(*v); err != nil {
			return err
		}
		delete(p.volumes, v.VolumeID)
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
	return p.changeMounts(ctx, onVolume("MountVolume", volumeID, instanceID), volumeID, func(v *hosting.Volume, in *instance, now time.Time) error {
		if err := hosting.ValidateMountPath(mountPath); err != nil {
			return fail(hosting.InvalidArgument, "%w", err)
		}
		mount := hosting.VolumeMount{VolumeID: v.VolumeID, MountPath: mountPath, ReadOnly: readOnly}
		before := p.mountsIn(in.key)
		after, err := volume.Add(before, mount)
		if err != nil || len(after) == len(before) {
			return err
		}
		if err := volume.Check(*v, mount, p.userOf(in.id, in.config, in.desired)); err != nil {
			return err
		}
		return p.remount(in, after, now, "VolumeMounted", "volume "+v.VolumeID+" is mounted at "+mountPath)
	})
}

// UnmountVolume ends all mounts of a volume in an instance, whose replicas are
// replaced for it. If there are none, nothing changes.
func (p *Provider) UnmountVolume(ctx context.Context, volumeID, instanceID string) error {
	return p.changeMounts(ctx, onVolume("UnmountVolume", volumeID, instanceID), volumeID, func(v *hosting.Volume, in *instance, now time.Time) error {
		if !isMountedIn(v, in.key) {
			return nil
		}
		after := volume.Remove(p.mountsIn(in.key), v.VolumeID)
		return p.remount(in, after, now, "VolumeUnmounted", "volume "+v.VolumeID+" is no longer mounted")
	})
}

// changeMounts is change for methods that are about a volume, too.
func (p *Provider) changeMounts(ctx context.Context, o operation, volumeID string, effect func(*hosting.Volume, *instance, time.Time) error) error {
	return p.change(ctx, o, func(in *instance, now time.Time) error {
		v, err := p.findVolume(volumeID)
		if err != nil {
			return err
		}
		return effect(v, in, now)
	})
}

// remount replaces the replicas of an instance for other mounts.
func (p *Provider) remount(in *instance, mounts []hosting.VolumeMount, now time.Time, reason, message string) error {
	if err := in.mayRemount(); err != nil {
		return err
	}
	p.attach(in, mounts)
	in.rollOut(hosting.StatusUpdating)
	in.changedBy(now, reason, message)
	return nil
}

// mayRemount tells whether the replicas may be replaced for a mount: those of
// a job would lose what they have done.
func (in *instance) mayRemount() *hosting.Error {
	if in.isJob() && !in.stopped && !in.finished() {
		return fail(hosting.Conflict, "job %s runs; stop it first", in.key)
	}
	return nil
}

// findVolume returns the volume that an id names.
func (p *Provider) findVolume(volumeID string) (*hosting.Volume, error) {
	id, err := hosting.ParseID(volumeID)
	if err != nil {
		return nil, fail(hosting.InvalidArgument, "%w", err)
	}
	mine := p.isMine(id)
	id.Provider = ""
	v := p.volumes[id.String()]
	if v == nil || !mine {
		return nil, hosting.Errorf("", hosting.VolumeNotFound, hosting.NotFound, "volume %s does not exist", volumeID)
	}
	return v, nil
}
