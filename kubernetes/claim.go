package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/volume"
)

// claim is the PersistentVolumeClaim that a volume is. No instance owns it: the
// data outlives them.
type claim struct {
	*corev1.PersistentVolumeClaim
	// volume is what it is made from, without status and mounts.
	volume hosting.Volume
	// reservations say who has it, or is about to, in the order they were made.
	reservations []reservation
}

// claimSpec is what a claim does not say itself of the volume that was asked
// for: the class that the configuration mapped the type to may be another by
// now.
type claimSpec struct {
	Type         string `json:"type"`
	StorageClass string `json:"storageClass,omitempty"`
}

// claimName has a prefix of ours, so that it seldom meets a claim of somebody
// else. The names of volumes leave room for it.
func claimName(volumeName string) string { return "skill-" + volumeName }

// newClaim returns the claim of a volume, not yet created.
func (p *Provider) newClaim(v hosting.Volume) *corev1.PersistentVolumeClaim {
	spec, err := json.Marshal(claimSpec{Type: v.Type, StorageClass: v.StorageClass})
	if err != nil {
		panic("a pair of strings has a JSON form: " + err.Error())
	}
	result := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Name:   claimName(v.Name),
			Labels: map[string]string{labelManagedBy: managedBy, labelOwner: p.config.Owner, labelName: v.Name, labelType: volume.Type},
			Annotations: map[string]string{
				annotationID: v.VolumeID, annotationCreatedAt: v.CreatedAt.String(), annotationVolume: string(spec),
			},
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.PersistentVolumeAccessMode(v.AccessMode)},
			Resources:   corev1.VolumeResourceRequirements{Requests: storage(v.Size)},
		},
	}
	if class := cmp.Or(v.StorageClass, p.config.StorageClasses[v.Type]); class != "" {
		result.Spec.StorageClassName = &class
	}
	return result
}

func storage(size int64) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceStorage: *apiresource.NewQuantity(size, apiresource.BinarySI)}
}

// isVolume tells whether a claim is a volume of this provider.
func (p *Provider) isVolume(o *corev1.PersistentVolumeClaim) bool {
	return p.isOurs(o) && o.Labels[labelType] == volume.Type && o.Name == claimName(o.Labels[labelName])
}

// decodeClaim reads a claim of ours.
func (p *Provider) decodeClaim(at *region, o *corev1.PersistentVolumeClaim) (*claim, error) {
	c := &claim{PersistentVolumeClaim: o}
	var spec claimSpec
	if err := json.Unmarshal([]byte(o.Annotations[annotationVolume]), &spec); err != nil {
		return nil, fmt.Errorf("PersistentVolumeClaim %s, annotation %s: %w", o.Name, annotationVolume, err)
	}
	if text := o.Annotations[annotationMounts]; text != "" {
		if err := json.Unmarshal([]byte(text), &c.reservations); err != nil {
			return nil, fmt.Errorf("PersistentVolumeClaim %s, annotation %s: %w", o.Name, annotationMounts, err)
		}
	}
	size := o.Spec.Resources.Requests[corev1.ResourceStorage]
	mode := ""
	if len(o.Spec.AccessModes) > 0 {
		mode = string(o.Spec.AccessModes[0])
	}
	c.volume = volume.New(hosting.Volume{Name: o.Labels[labelName], Type: spec.Type, StorageClass: spec.StorageClass,
		Size: size.Value(), AccessMode: mode}, p.config.Name, at.name)
	c.volume.CreatedAt = hosting.NewTime(o.CreationTimestamp.Time)
	return c, nil
}

// findVolume resolves the id of a volume. It does no I/O: an id of a region that
// this provider does not have names nothing.
func (p *Provider) findVolume(volumeID string) (*region, hosting.ID, error) {
	id, err := hosting.ParseID(volumeID)
	if err != nil {
		return nil, hosting.ID{}, hosting.Errorf(p.config.Name, hosting.VolumeFailed, hosting.InvalidArgument, "%w", err)
	}
	at := p.regions[id.Region]
	if at == nil || id.Type != volume.Type || id.Provider != "" && id.Provider != p.config.Name {
		return nil, hosting.ID{}, p.noVolume(volumeID)
	}
	id.Provider = ""
	return at, id, nil
}

func (p *Provider) noVolume(volumeID string) error {
	return hosting.Errorf(p.config.Name, hosting.VolumeNotFound, hosting.NotFound, "volume %s does not exist", volumeID)
}

// getClaim reads the claim of a volume. What is not ours does not exist.
func (p *Provider) getClaim(ctx context.Context, at *region, id hosting.ID) (*claim, error) {
	o, err := claims.get(ctx, at, claimName(id.Name))
	if apierrors.IsNotFound(err) {
		return nil, p.noVolume(id.String())
	}
	if err != nil {
		return nil, p.failVolume(ctx, at, "reading PersistentVolumeClaim "+claimName(id.Name), err)
	}
	found := o.(*corev1.PersistentVolumeClaim)
	if !p.isVolume(found) {
		return nil, p.noVolume(id.String())
	}
	c, err := p.decodeClaim(at, found)
	if err != nil {
		return nil, hosting.Errorf(p.config.Name, hosting.VolumeFailed, hosting.Internal, "reading volume %s: %w", id, err)
	}
	return c, nil
}

// failVolume is fail for calls about a volume, which may have no instance.
func (p *Provider) failVolume(ctx context.Context, at *region, what string, err error) error {
	if reason := reasonOf(ctx, err); isAboutRegion(reason, err) {
		err = inRegion(at.name, err)
	}
	return p.fail(ctx, hosting.VolumeFailed, "", what, err)
}

// writeReservations says on the claim who has it, if it is as it was read.
func (c *claim) writeReservations(ctx context.Context, at *region, reservations []reservation) error {
	var value any // null removes the annotation
	if len(reservations) > 0 {
		text, err := json.Marshal(reservations)
		if err != nil {
			return err
		}
		value = string(text)
	}
	return c.patch(ctx, at, map[string]any{"metadata": map[string]any{
		"resourceVersion": c.ResourceVersion, "annotations": map[string]any{annotationMounts: value},
	}})
}

func (c *claim) patch(ctx context.Context, at *region, change map[string]any) error {
	o, err := claims.patch(ctx, at, c.Name, types.MergePatchType, mergePatch(change))
	if err != nil {
		return lookAgain(claims, c, err)
	}
	c.PersistentVolumeClaim = o.(*corev1.PersistentVolumeClaim)
	return nil
}

const (
	// The annotations by which a provisioner says that it is at work, now and
	// before Kubernetes 1.23.
	annotationProvisioner     = "volume.kubernetes.io/storage-provisioner"
	annotationProvisionerBeta = "volume.beta.kubernetes.io/storage-provisioner"
	// provisioningGrace is how long it may take until that is said.
	provisioningGrace = 5 * time.Second
)

// status is that of a volume that is not mounted. A claim whose class waits for
// the first pod is pending until then, and so is one without a provisioner: it
// is there to be used all the same, so it is available. Classes cannot be read
// with the permissions for one namespace, so what tells is whether a
// provisioner has begun. The warnings are those about this claim.
func (c *claim) status(warnings []corev1.Event, now time.Time) string {
	switch {
	case c.DeletionTimestamp != nil:
		return hosting.VolumeStatusDeleting
	case c.Status.Phase == corev1.ClaimLost:
		return hosting.VolumeStatusFailed
	case c.Status.Phase == corev1.ClaimBound:
		return hosting.VolumeStatusAvailable
	case slices.ContainsFunc(warnings, func(e corev1.Event) bool { return c.isFailure(e, now) }):
		return hosting.VolumeStatusFailed
	case c.Annotations[annotationProvisioner] != "", c.Annotations[annotationProvisionerBeta] != "",
		now.Sub(c.CreationTimestamp.Time) < provisioningGrace:
		return hosting.VolumeStatusCreating
	}
	return hosting.VolumeStatusAvailable
}

// isFailure recognises that a claim could not be provisioned. That is tried,
// and told, again and again.
func (c *claim) isFailure(e corev1.Event, now time.Time) bool {
	return e.InvolvedObject.UID == c.UID && e.Reason == "ProvisioningFailed" && now.Sub(eventTime(&e)) < staleWarning
}

// isPending tells that warnings may matter for the status.
func (c *claim) isPending() bool {
	return c.DeletionTimestamp == nil && c.Status.Phase == corev1.ClaimPending
}

// view is the volume as callers see it.
func (c *claim) view(mounts []hosting.Mount, warnings []corev1.Event, now time.Time) hosting.Volume {
	v := c.volume
	if class := c.Spec.StorageClassName; class != nil {
		v.StorageClass = *class
	}
	v.Status = c.status(warnings, now)
	return volume.Mounted(v, mounts)
}
