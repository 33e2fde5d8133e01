// Package volume has the rules of volumes that all providers follow: which
// instance may have a volume, what is mounted after a configuration has
// changed, and what creating a volume again means. Everything in it is pure: it
// does no I/O and keeps nothing. How a volume is kept is the provider's own.
//
// Errors are of type [*hosting.Error], with a reason and a message; provider
// and code are for the caller to fill in. Ids have no provider in them.
package volume

import (
	"cmp"

	"skillcenter.io/hosting"
)

// Type is the type in the ids of volumes.
const Type = "volume"

// New returns a volume as it is kept: with its id and with defaults filled in.
// What is not the caller's to set, such as its mounts, is left out.
func New(wanted hosting.Volume, provider, region string) hosting.Volume {
	return hosting.Volume{
		VolumeID:     hosting.ID{Region: region, Type: Type, Name: wanted.Name}.String(),
		Name:         wanted.Name,
		Type:         cmp.Or(wanted.Type, hosting.VolumeStandard),
		StorageClass: wanted.StorageClass,
		Size:         wanted.Size,
		AccessMode:   cmp.Or(wanted.AccessMode, hosting.ReadWriteOnce),
		Provider:     provider,
		Region:       region,
	}
}

// Again tells what creating a volume means that exists already, both as [New]
// returns them: it returns the size that it is to have, which is larger than
// the one it has, or that. Everything else must be the same, or it is
// AlreadyExists: a volume never shrinks.
func Again(existing, wanted hosting.Volume) (size int64, err error) {
	var differences hosting.FieldErrors
	fixed := func(field, have, want string) {
		if have != want {
			differences = append(differences, hosting.FieldError{Field: field, Value: want, Allowed: "the volume's own, " + quoted(have)})
		}
	}
	fixed("type", existing.Type, wanted.Type)
	fixed("storageClass", existing.StorageClass, wanted.StorageClass)
	fixed("accessMode", existing.AccessMode, wanted.AccessMode)
	if wanted.Size < existing.Size {
		differences = append(differences, hosting.FieldError{Field: "size", Value: wanted.Size, Allowed: atLeast(existing.Size)})
	}
	if len(differences) > 0 {
		return 0, refuse(hosting.AlreadyExists, "volume %s exists and is not like this: %w", existing.VolumeID, differences)
	}
	return wanted.Size, nil
}

// Exclusive tells whether volumes of an access mode are for one replica of one
// instance at a time.
func Exclusive(accessMode string) bool {
	return accessMode == hosting.ReadWriteOnce || accessMode == hosting.ReadWriteOncePod
}

// Deletable refuses to delete a volume that is mounted: a Conflict, about the
// instance that has it.
func Deletable(v hosting.Volume) error {
	if len(v.Mounts) == 0 {
		return nil
	}
	failed := refuse(hosting.Conflict, "volume %s is mounted by %s", v.VolumeID, v.Mounts[0].InstanceID)
	failed.InstanceID = v.Mounts[0].InstanceID
	return failed
}

// Mounted returns a volume with its mounts. The protocol's single fields are
// those of the first. It is in use then, also while it is still being made,
// unless it has failed or is being deleted.
func Mounted(v hosting.Volume, mounts []hosting.Mount) hosting.Volume {
	v.Mounts = mounts
	v.InstanceID, v.MountPath, v.ReadOnly = "", "", false
	if len(mounts) == 0 {
		return v
	}
	if v.Status == hosting.VolumeStatusAvailable || v.Status == hosting.VolumeStatusCreating {
		v.Status = hosting.VolumeStatusInUse
	}
	v.InstanceID, v.MountPath, v.ReadOnly = mounts[0].InstanceID, mounts[0].MountPath, mounts[0].ReadOnly
	return v
}
