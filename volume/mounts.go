package volume

import (
	"fmt"
	"slices"

	"skillcenter.io/hosting"
)

// Unlimited is the number of replicas of an instance that has as many as there
// are nodes.
const Unlimited = -1

// User is an instance that is to have volumes.
type User struct {
	Instance hosting.ID
	// Replicas is how many may run at once, or [Unlimited]. An instance that is
	// stopped counts with those that it starts with.
	Replicas int
	// Autoscaled tells that an autoscaler changes the number, or a policy.
	Autoscaled bool
}

// Check tells whether a user may have a mount of a volume. It may not be in
// another region, nor write to what can only be read (InvalidArgument). An
// exclusive volume is a Conflict if more than one replica would use it, or if
// another instance has it by v.Mounts.
func Check(v hosting.Volume, mount hosting.VolumeMount, user User) error {
	instance := user.Instance.String()
	switch {
	case v.Region != user.Instance.Region:
		return refuse(hosting.InvalidArgument, "volume %s is in another region than instance %s", v.VolumeID, instance)
	case v.AccessMode == hosting.ReadOnlyMany && !mount.ReadOnly:
		return refuse(hosting.InvalidArgument, "readOnly false: volume %s is %s", v.VolumeID, v.AccessMode)
	case !Exclusive(v.AccessMode):
		return nil
	case user.Replicas == Unlimited:
		return refuse(hosting.Conflict, "volume %s is %s: instance %s has a replica on each node, and only one can use it", v.VolumeID, v.AccessMode, instance)
	case user.Replicas > 1:
		return refuse(hosting.Conflict, "volume %s is %s: instance %s has %d replicas, and only one can use it", v.VolumeID, v.AccessMode, instance, user.Replicas)
	case user.Autoscaled:
		return refuse(hosting.Conflict, "volume %s is %s: an instance that an autoscaler or a policy scales cannot use it", v.VolumeID, v.AccessMode)
	}
	for _, other := range v.Mounts {
		if other.InstanceID != instance {
			return refuse(hosting.Conflict, "volume %s is %s, and instance %s has it", v.VolumeID, v.AccessMode, other.InstanceID)
		}
	}
	return nil
}

// CheckAll checks the mounts that an instance is to have, and returns all that
// speaks against them. Errors name where a mount comes from: its place in the
// configuration, or that MountVolume made it. find returns a volume by its id.
func CheckAll(mounts, configured []hosting.VolumeMount, user User, find func(volumeID string) (hosting.Volume, error)) []error {
	var refusals []error
	paths := map[string]string{}
	for _, mount := range mounts {
		field := "a volume that MountVolume mounted"
		if i := slices.Index(configured, mount); i >= 0 {
			field = fmt.Sprintf("container.volumeMounts[%d]", i)
		}
		if other, taken := paths[mount.MountPath]; taken {
			refusals = append(refusals, at(field, pathTaken(other, mount.MountPath)))
		}
		paths[mount.MountPath] = mount.VolumeID
		v, err := find(mount.VolumeID)
		if err == nil {
			err = Check(v, mount, user)
		}
		if err != nil {
			refusals = append(refusals, at(field, err))
		}
	}
	return refusals
}

// Merge returns what is mounted in an instance after its configuration has
// changed from before to after: all that the new one says, and what was mounted
// without being in the one before, by MountVolume. The order is kept.
func Merge(mounted, before, after []hosting.VolumeMount) []hosting.VolumeMount {
	var result []hosting.VolumeMount
	for _, m := range mounted {
		if !slices.Contains(before, m) || slices.Contains(after, m) {
			result = append(result, m)
		}
	}
	for _, m := range after {
		if !slices.Contains(result, m) {
			result = append(result, m)
		}
	}
	return result
}

// Add returns the mounts of an instance with one more. One that is there
// already changes nothing; another one at its path is a Conflict.
func Add(mounts []hosting.VolumeMount, mount hosting.VolumeMount) ([]hosting.VolumeMount, error) {
	for _, m := range mounts {
		if m == mount {
			return mounts, nil
		}
		if m.MountPath == mount.MountPath {
			return nil, pathTaken(m.VolumeID, m.MountPath)
		}
	}
	return append(slices.Clone(mounts), mount), nil
}

// Remove returns the mounts of an instance without those of a volume.
func Remove(mounts []hosting.VolumeMount, volumeID string) []hosting.VolumeMount {
	return slices.DeleteFunc(slices.Clone(mounts), func(m hosting.VolumeMount) bool { return m.VolumeID == volumeID })
}

// Detaches tells that a volume is in before and no longer in after.
func Detaches(before, after []hosting.VolumeMount) bool {
	return slices.ContainsFunc(before, func(b hosting.VolumeMount) bool {
		return !slices.ContainsFunc(after, func(a hosting.VolumeMount) bool { return a.VolumeID == b.VolumeID })
	})
}

// Changes tells people in what two lists of mounts differ, one per line.
func Changes(before, after []hosting.VolumeMount) []string {
	var lines []string
	for _, m := range before {
		if !slices.Contains(after, m) {
			lines = append(lines, fmt.Sprintf("volume %s is no longer mounted at %s", m.VolumeID, m.MountPath))
		}
	}
	for _, m := range after {
		if !slices.Contains(before, m) {
			lines = append(lines, fmt.Sprintf("volume %s is mounted at %s", m.VolumeID, m.MountPath))
		}
	}
	return lines
}

// In returns the mount as the volume shows it.
func In(instance string, m hosting.VolumeMount) hosting.Mount {
	return hosting.Mount{InstanceID: instance, MountPath: m.MountPath, ReadOnly: m.ReadOnly, SubPath: m.SubPath}
}

func pathTaken(volumeID, path string) error {
	return refuse(hosting.Conflict, "volume %s is mounted at %s already", volumeID, path)
}
