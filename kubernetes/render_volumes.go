package kubernetes

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"skillcenter.io/hosting"
)

// addVolumes makes the volumes of an instance visible in its container. Several
// mounts of one volume are one volume of the pod.
func addVolumes(spec *corev1.PodSpec, mounts []mount) {
	main := &spec.Containers[0]
	for _, m := range mounts {
		id, err := hosting.ParseID(m.VolumeID)
		if err != nil {
			continue // an anchor is checked when it is read
		}
		i := slices.IndexFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == id.Name })
		if i < 0 {
			i = len(spec.Volumes)
			spec.Volumes = append(spec.Volumes, corev1.Volume{Name: id.Name, VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claimName(id.Name), ReadOnly: true},
			}})
		}
		if !m.ReadOnly {
			spec.Volumes[i].PersistentVolumeClaim.ReadOnly = false
		}
		main.VolumeMounts = append(main.VolumeMounts, corev1.VolumeMount{
			Name: id.Name, MountPath: m.MountPath, ReadOnly: m.ReadOnly, SubPath: m.SubPath,
		})
	}
}
