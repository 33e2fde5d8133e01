package provider

import (
	"context"

	"skillcenter.io/hosting"
)

// volume finds the backend of a volume id.
func (r *Router) volume(ctx context.Context, volumeID string) (target, error) {
	at, err := r.find(ctx, aVolume, hosting.VolumeFailed, volumeID)
	if err == nil && at.Volumes == nil {
		err = at.lacks(hosting.VolumeFailed, "volumes")
	}
	return at, err
}

func (n Named) lacks(code hosting.Code, what string) error {
	return hosting.Errorf(n.Name, code, hosting.Unsupported, "provider %s has no %s", n.Name, what)
}

// CreateVolume creates a volume on the provider that it names; else on the
// default one if that has the region, else on the only one that has.
func (r *Router) CreateVolume(ctx context.Context, volume hosting.Volume) (hosting.Volume, error) {
	n, err := r.choose(ctx, hosting.VolumeFailed, volume.Provider, volume.Region, "", func() hosting.FieldErrors {
		wrong, _ := volume.Validate().(hosting.FieldErrors)
		return wrong
	})
	switch {
	case err != nil:
		return hosting.Volume{}, err
	case n.Volumes == nil:
		return hosting.Volume{}, n.lacks(hosting.VolumeFailed, "volumes")
	}
	volume.Provider = ""
	volume.VolumeID, volume.InstanceID, volume.Mounts = "", "", nil // the backend's to set
	created, err := n.Volumes.CreateVolume(ctx, volume)
	return n.qualifyVolume(created), n.failure(hosting.VolumeFailed, err)
}

// GetVolume returns one volume.
func (r *Router) GetVolume(ctx context.Context, volumeID string) (hosting.Volume, error) {
	at, err := r.volume(ctx, volumeID)
	if err != nil {
		return hosting.Volume{}, err
	}
	volume, err := at.Volumes.GetVolume(ctx, at.id)
	return at.qualifyVolume(volume), at.failure(hosting.VolumeFailed, err)
}

// ListVolumes returns the volumes of all providers, sorted by id, together with
// an error that names the providers that failed.
func (r *Router) ListVolumes(ctx context.Context) ([]hosting.Volume, error) {
	return merge(ctx, r, hosting.VolumeFailed, "listing volumes", func(v hosting.Volume) string { return v.VolumeID },
		func(ctx context.Context, n Named) ([]hosting.Volume, error) {
			if n.Volumes == nil {
				return nil, errAbsent
			}
			list, err := n.Volumes.ListVolumes(ctx)
			return each(list, n.qualifyVolume), err
		})
}

// DeleteVolume deletes a volume and its data.
func (r *Router) DeleteVolume(ctx context.Context, volumeID string) error {
	at, err := r.volume(ctx, volumeID)
	if err != nil {
		return err
	}
	return at.failure(hosting.VolumeFailed, at.Volumes.DeleteVolume(ctx, at.id))
}

// MountVolume makes a volume visible in an instance of the same provider.
func (r *Router) MountVolume(ctx context.Context, volumeID, instanceID, mountPath string, readOnly bool) error {
	volume, instance, err := r.volumeAndInstance(ctx, volumeID, instanceID)
	if err != nil {
		return err
	}
	return volume.failure(hosting.VolumeFailed, volume.Volumes.MountVolume(ctx, volume.id, instance, mountPath, readOnly))
}

// UnmountVolume ends all mounts of a volume in an instance.
func (r *Router) UnmountVolume(ctx context.Context, volumeID, instanceID string) error {
	volume, instance, err := r.volumeAndInstance(ctx, volumeID, instanceID)
	if err != nil {
		return err
	}
	return volume.failure(hosting.VolumeFailed, volume.Volumes.UnmountVolume(ctx, volume.id, instance))
}

// volumeAndInstance finds the one backend that two ids are of.
func (r *Router) volumeAndInstance(ctx context.Context, volumeID, instanceID string) (volume target, instance string, err error) {
	volume, err = r.volume(ctx, volumeID)
	if err != nil {
		return volume, "", err
	}
	at, err := r.instance(ctx, hosting.VolumeFailed, instanceID)
	if err == nil && at.Name != volume.Name {
		failed := hosting.Errorf(at.Name, hosting.VolumeFailed, hosting.InvalidArgument,
			"volume %s is on provider %s and instance %s on %s: allowed: a volume and an instance of one provider",
			volumeID, volume.Name, instanceID, at.Name)
		failed.InstanceID = at.qualified(at.id)
		err = failed
	}
	return volume, at.id, err
}
