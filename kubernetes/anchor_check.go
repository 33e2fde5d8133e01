package kubernetes

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/volume"
)

// check tells whether the record can be that of this anchor. Anchors can be
// edited by others who may change ConfigMaps: what they write must lead to an
// error about this instance, not to objects under another's name, nor to a
// panic that takes the whole program down.
func (r record) check(o *corev1.ConfigMap) error {
	name, instanceType := o.Labels[labelName], o.Labels[labelType]
	switch {
	case o.Name != anchorName(name):
		return fmt.Errorf("it is labelled as the anchor of an instance %q", name)
	case r.Config.InstanceName != name:
		return fmt.Errorf("it holds the configuration of an instance %q", r.Config.InstanceName)
	case r.Config.InstanceType != instanceType:
		return fmt.Errorf("it is labelled as a %q and holds the configuration of a %q", instanceType, r.Config.InstanceType)
	case kinds[instanceType] == nil:
		return fmt.Errorf("there is no instance type %q", instanceType)
	case r.Config.Container == nil:
		return errors.New("its configuration has no container")
	case r.Desired.Spec.Ingress != nil && len(r.Desired.Spec.Ports) == 0:
		return errors.New("it has an ingress and no ports")
	}
	for _, m := range r.Desired.Mounts {
		if id, err := hosting.ParseID(m.VolumeID); err != nil || id.Type != volume.Type || id.Provider != "" || id.Region != r.Config.Region {
			return fmt.Errorf("it mounts a volume %q", m.VolumeID)
		}
	}
	return nil
}
