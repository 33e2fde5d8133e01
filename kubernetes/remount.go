package kubernetes

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/volume"
)

// MountVolume implements [hosting.VolumeManager]. It returns on acceptance: the
// pods are replaced by and by, those of a Deployment with a volume for one
// replica only after the old one is gone. Mounting again what is mounted
// changes nothing.
//
// It is a Conflict if something else is mounted at the path, if only one replica
// may use the volume and the instance has more, an autoscaler or a replica on
// each node, if another instance has it, and if the instance is a job that runs.
// Of a cronjob the runs that are active go on as they are.
func (p *Provider) MountVolume(ctx context.Context, volumeID, instanceID, mountPath string, readOnly bool) error {
	if err := hosting.ValidateMountPath(mountPath); err != nil {
		failed := hosting.Errorf(p.config.Name, hosting.VolumeFailed, hosting.InvalidArgument, "%w", err)
		failed.InstanceID = instanceID
		return failed
	}
	return p.remount(ctx, "mounting", volumeID, instanceID, func(id string, have []hosting.VolumeMount) ([]hosting.VolumeMount, error) {
		return volume.Add(have, hosting.VolumeMount{VolumeID: id, MountPath: mountPath, ReadOnly: readOnly})
	})
}

// UnmountVolume implements [hosting.VolumeManager]. It returns on acceptance, as
// MountVolume does; other mounts stay as they are. If there is none of this
// volume, nothing changes.
func (p *Provider) UnmountVolume(ctx context.Context, volumeID, instanceID string) error {
	return p.remount(ctx, "unmounting", volumeID, instanceID, func(id string, have []hosting.VolumeMount) ([]hosting.VolumeMount, error) {
		return volume.Remove(have, id), nil
	})
}

// remount gives an instance other mounts. It is an apply of the configuration
// that the instance has: it is carried out, and repaired, as one.
func (p *Provider) remount(ctx context.Context, what, volumeID, instanceID string, change func(id string, have []hosting.VolumeMount) ([]hosting.VolumeMount, error)) error {
	t, err := p.find(hosting.VolumeFailed, instanceID)
	if err != nil {
		return err
	}
	at, id, err := p.findVolume(volumeID)
	if err != nil {
		return p.completeRefusal(hosting.VolumeFailed, t.id, err)
	}
	if err := ctx.Err(); err != nil {
		return p.fail(ctx, hosting.VolumeFailed, t.id, what+" volume "+id.String(), err)
	}
	a, err := p.anchorForChange(ctx, hosting.VolumeFailed, t)
	if err != nil {
		return err
	}
	_, err = p.getClaim(ctx, at, id)
	isMounted := slices.ContainsFunc(a.record.Desired.Mounts, func(m mount) bool { return m.VolumeID == id.String() })
	if err != nil && !(isMounted && hosting.CodeOf(err) == hosting.VolumeNotFound) { // what is gone can be unmounted
		return p.completeRefusal(hosting.VolumeFailed, t.id, err)
	}
	if err := p.requireSecret(ctx, hosting.VolumeFailed, t, a); err != nil {
		return err
	}
	ap := &application{p: p, t: t, anchor: a, remount: func(have []hosting.VolumeMount) ([]hosting.VolumeMount, error) {
		return change(id.String(), have)
	}}
	if err := ap.apply(ctx, record{}); err != nil {
		if hosting.CodeOf(err) == hosting.InstanceNotFound {
			err = p.deletedMeanwhile(hosting.VolumeFailed, t)
		}
		return asVolumeError(p.fail(ctx, hosting.VolumeFailed, t.id, what+" volume "+id.String(), err))
	}
	return nil
}

// asVolumeError gives an error of an apply the code of the call that it is part
// of.
func asVolumeError(err error) error {
	var failed *hosting.Error
	if errors.As(err, &failed) && failed.Code != hosting.InstanceNotFound && failed.Code != hosting.VolumeNotFound {
		failed.Code = hosting.VolumeFailed
	}
	return err
}

// nextMounts is what the anchor becomes when the mounts change and nothing
// else.
func (ap *application) nextMounts(ctx context.Context) (record, error) {
	ap.recordOnly = false
	have := ap.anchor.record
	before := plainMounts(have.Desired.Mounts)
	after, err := ap.remount(before)
	if err != nil {
		return record{}, ap.p.completeRefusal(hosting.VolumeFailed, ap.t.id, err)
	}
	if slices.Equal(before, after) {
		return have, nil
	}
	workload, err := ap.p.workload(ctx, hosting.VolumeFailed, ap.t, ap.anchor)
	if err != nil {
		return record{}, err
	}
	next := have
	d := &next.Desired
	user := have // with what runs
	ended := false
	if workload != nil {
		user.Desired.take(ap.t.kind, workload)
		ended = ap.t.kind.observe(workload).finished != ""
	}
	var added []hosting.VolumeMount
	for _, m := range after {
		if !slices.Contains(before, m) {
			added = append(added, m)
		}
	}
	ap.volumes = newExamination()
	for _, m := range added {
		v, err := ap.volumes.read(ctx, ap.p, m.VolumeID, ap.t.id, have.Desired.Mounts)
		if err == nil {
			err = volume.Check(v, m, userOf(user))
		}
		if err != nil {
			return record{}, ap.p.completeRefusal(hosting.VolumeFailed, ap.t.id, err)
		}
	}
	d.Mounts = ap.volumes.mounts(after, have.Desired.Mounts)
	d.Generation++
	d.Operation = hosting.StatusUpdating
	if ended && !have.Desired.pending() {
		// A job that has ended does not run again for it: the next run has it.
		d.Operation, d.Applied, ap.recordOnly = have.Desired.Operation, d.Generation, true
	}
	return next, nil
}

// withMounts gives the next record the mounts that its configuration leads to.
// The error is a refusal, of code UpdateFailed.
func (ap *application) withMounts(ctx context.Context, next *record) error {
	have := ap.anchor.record
	after := volume.Merge(plainMounts(have.Desired.Mounts), have.Config.Container.VolumeMounts, next.Config.Container.VolumeMounts)
	ap.volumes = nil
	if len(after) == 0 {
		next.Desired.Mounts = nil
		return nil
	}
	user := *next
	if workload, err := ap.p.workload(ctx, hosting.UpdateFailed, ap.t, ap.anchor); err != nil {
		return err
	} else if workload != nil && ap.t.kind.instanceType != hosting.TypeCronJob {
		user.Desired.take(ap.t.kind, workload)
	}
	if !reflect.DeepEqual(have.Config.Scaling, next.Config.Scaling) {
		// What it will be brought to counts, not what it is.
		user.Desired.Limits = limitsOf(user.Desired.Generation+1, *next)
	}
	e, refusals, err := ap.p.examine(ctx, after, next.Config.Container.VolumeMounts, have.Desired.Mounts, userOf(user))
	if err != nil {
		return err
	}
	if err := ap.p.mountRefusal(hosting.UpdateFailed, ap.t.id, refusals); err != nil {
		return err
	}
	ap.volumes = e
	next.Desired.Mounts = e.mounts(after, have.Desired.Mounts)
	return nil
}

// reserve writes the reservations that the next record needs.
func (ap *application) reserve(ctx context.Context, next record) error {
	if ap.volumes == nil {
		return nil
	}
	have := ap.anchor.record.Desired.Mounts
	for _, m := range next.Desired.Mounts {
		if !slices.Contains(have, m) {
			ap.reserved = append(ap.reserved, m.VolumeID)
		}
	}
	return ap.volumes.reserve(ctx, ap.p, ap.t, ap.anchor.UID, have, next.Desired.Mounts)
}

// giveBack takes away what was reserved for a change that did not come to pass.
// Whether it did is read anew: the answer may have been lost.
func (ap *application) giveBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	ap.unmounted = ap.reserved
	ap.forgetMounts(ctx)
}

// forgetMounts takes away what the claims say of mounts that are no more. It is
// done already: what cannot be taken away now, the next call will that needs
// the volume.
func (ap *application) forgetMounts(ctx context.Context) {
	for _, volumeID := range ap.unmounted {
		if at, id, err := ap.p.findVolume(volumeID); err == nil {
			_ = ap.p.discard(ctx, at, id, ap.t.id)
		}
	}
}
