package kubernetes

import (
	"context"
	"errors"
	"slices"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/volume"
)

// mount is a volume that an instance has, as its anchor lists it. The pods are
// made from these, not from the configuration: MountVolume adds to them,
// UnmountVolume takes away.
type mount struct {
	hosting.VolumeMount
	// AccessMode is the volume's, which never changes.
	AccessMode string `json:"accessMode,omitempty"`
}

func plainMounts(mounts []mount) []hosting.VolumeMount {
	var result []hosting.VolumeMount
	for _, m := range mounts {
		result = append(result, m.VolumeMount)
	}
	return result
}

// exclusiveVolume returns the id of a volume that only one replica may use,
// empty if the instance has none.
func (d desired) exclusiveVolume() string {
	for _, m := range d.Mounts {
		if volume.Exclusive(m.AccessMode) {
			return m.VolumeID
		}
	}
	return ""
}

// allowed is how many of so many replicas there may be: a call that scales is
// refused when the instance has such a volume, but it may have begun before.
func (d desired) allowed(replicas int) int {
	if d.exclusiveVolume() != "" {
		return min(replicas, 1)
	}
	return replicas
}

// notWithVolume refuses more replicas than a volume of the instance allows.
func (p *Provider) notWithVolume(code hosting.Code, t target, d desired, replicas int) error {
	if id := d.exclusiveVolume(); id != "" && replicas > 1 {
		return p.conflict(code, t.id, "volume %s can be used by one replica only", id)
	}
	return nil
}

// userOf is an instance as a user of volumes.
func userOf(r record) volume.User {
	user := volume.User{
		Instance:   hosting.ID{Region: r.Config.Region, Type: r.Config.InstanceType, Name: r.Config.InstanceName},
		Replicas:   r.Desired.Limits.clamp(r.Desired.Replicas, r.Desired.Applied),
		Autoscaled: r.Desired.Spec.Autoscaler != nil || r.Desired.TakenOver,
	}
	if r.Config.InstanceType == hosting.TypeDaemonSet {
		user.Replicas = volume.Unlimited
	}
	return user
}

// pruneEvery is after how many reservations of a volume for many instances those
// of instances that are gone are looked for. An exclusive volume has few.
const pruneEvery = 32

// examination is what a call has found out about the volumes of an instance.
type examination struct {
	claims map[string]*claim // by the id of the volume
	// dropped are the reservations of others that do not hold, doubts the anchors
	// to change before they are dropped.
	dropped map[string][]reservation
	doubts  map[string][]*anchor
}

func newExamination() *examination {
	return &examination{claims: map[string]*claim{}, dropped: map[string][]reservation{}, doubts: map[string][]*anchor{}}
}

// examine reads the volumes of mounts and returns what speaks against an
// instance having them. known are those that it has: if their volume is being
// deleted, that is not for this call to complain of.
func (p *Provider) examine(ctx context.Context, mounts, configured []hosting.VolumeMount, known []mount, user volume.User) (*examination, []error, error) {
	e := newExamination()
	var failure error
	refusals := volume.CheckAll(mounts, configured, user, func(id string) (hosting.Volume, error) {
		v, err := e.read(ctx, p, id, user.Instance.String(), known)
		var refusal *hosting.Error
		if err != nil && (!errors.As(err, &refusal) || refusal.Reason != hosting.NotFound && refusal.Reason != hosting.Conflict) {
			failure = err
		}
		return v, err
	})
	if failure != nil {
		return nil, nil, failure
	}
	return e, refusals, nil
}

// read returns a volume with the mounts of other instances that count.
func (e *examination) read(ctx context.Context, p *Provider, volumeID, instance string, known []mount) (hosting.Volume, error) {
	at, id, err := p.findVolume(volumeID)
	if err != nil {
		return hosting.Volume{}, err
	}
	c := e.claims[volumeID]
	if c != nil {
		return c.volume, nil
	}
	if c, err = p.getClaim(ctx, at, id); err != nil {
		return hosting.Volume{}, err
	}
	isKnown := slices.ContainsFunc(known, func(m mount) bool { return m.VolumeID == volumeID })
	if c.DeletionTimestamp != nil && !isKnown {
		return hosting.Volume{}, hosting.Errorf(p.config.Name, hosting.VolumeFailed, hosting.Conflict, "volume %s is being deleted", volumeID)
	}
	if volume.Exclusive(c.volume.AccessMode) || len(c.reservations)%pruneEvery == pruneEvery-1 {
		holding, doubts, err := p.holders(ctx, at, c, instance)
		if err != nil {
			return hosting.Volume{}, err
		}
		for _, r := range c.reservations {
			if r.InstanceID != instance && !slices.Contains(holding, r) {
				e.dropped[volumeID] = append(e.dropped[volumeID], r)
			}
		}
		for _, r := range holding {
			c.volume.Mounts = append(c.volume.Mounts, r.Mount)
		}
		e.doubts[volumeID] = doubts
	}
	e.claims[volumeID] = c
	return c.volume, nil
}

// mounts are those of the anchor, with what the volumes say.
func (e *examination) mounts(plain []hosting.VolumeMount, known []mount) []mount {
	var result []mount
	for _, m := range plain {
		i := slices.IndexFunc(known, func(k mount) bool { return k.VolumeMount == m })
		switch c := e.claims[m.VolumeID]; {
		case i >= 0:
			result = append(result, known[i])
		case c != nil:
			result = append(result, mount{m, c.volume.AccessMode})
		default:
			result = append(result, mount{VolumeMount: m})
		}
	}
	return result
}

// mountRefusal completes an error of a rule about volumes: nil if there is none.
func (p *Provider) mountRefusal(code hosting.Code, instance string, refusals []error) error {
	if len(refusals) == 0 {
		return nil
	}
	return p.completeRefusal(code, instance, refusals[0])
}

func (p *Provider) completeRefusal(code hosting.Code, instance string, err error) error {
	var refusal *hosting.Error
	if !errors.As(err, &refusal) {
		return err
	}
	refusal.Provider = p.config.Name
	if refusal.Code == "" {
		refusal.Code = code
	}
	if refusal.InstanceID == "" {
		refusal.InstanceID = instance
	}
	return refusal
}

// checkMounts looks for the volumes of an instance that is to be created, and
// notes in its record what they are like. If the instance exists, which of them
// there are is its own affair.
func (c *creation) checkMounts(ctx context.Context, r *record) error {
	if len(r.Desired.Mounts) == 0 {
		return nil
	}
	e, refusals, err := c.p.examine(ctx, plainMounts(r.Desired.Mounts), r.Config.Container.VolumeMounts, nil, userOf(*r))
	if err == nil {
		err = c.p.mountRefusal(hosting.CreateFailed, c.t.id, refusals)
	}
	if err != nil {
		if _, getErr := configMaps.get(ctx, c.t.region, anchorName(c.t.name)); getErr == nil {
			return nil
		}
		return recode(err, hosting.CreateFailed)
	}
	r.Desired.Mounts = e.mounts(plainMounts(r.Desired.Mounts), nil)
	return nil
}

// reserveAll writes the reservations that are missing for what the anchor
// lists: a new instance has none, and one whose creation was interrupted may
// not.
func (p *Provider) reserveAll(ctx context.Context, code hosting.Code, t target, a *anchor) error {
	have := a.record.Desired.Mounts
	if len(have) == 0 {
		return nil
	}
	err := retryOnConflict(ctx, func() error {
		missing, err := p.unreserved(ctx, t, a)
		if err != nil || len(missing) == 0 {
			return err
		}
		e, refusals, err := p.examine(ctx, plainMounts(missing), a.record.Config.Container.VolumeMounts, nil, userOf(a.record))
		if err != nil {
			return err
		}
		for _, m := range missing {
			if c := e.claims[m.VolumeID]; c != nil && c.volume.AccessMode != m.AccessMode {
				refusals = append(refusals, p.conflict(code, t.id, "volume %s is %s now, and was not when the instance was created", m.VolumeID, c.volume.AccessMode))
			}
		}
		if err := p.mountRefusal(code, t.id, refusals); err != nil {
			return err
		}
		return e.reserve(ctx, p, t, a.UID, have, missing)
	})
	if err != nil {
		return recode(p.fail(ctx, code, t.id, "reserving volumes", err), code)
	}
	return nil
}

// unreserved returns the mounts of an anchor that the claims do not know.
func (p *Provider) unreserved(ctx context.Context, t target, a *anchor) ([]mount, error) {
	claims := map[string]*claim{}
	var missing []mount
	for _, m := range a.record.Desired.Mounts {
		if claims[m.VolumeID] == nil {
			at, id, err := p.findVolume(m.VolumeID)
			if err != nil {
				return nil, err
			}
			if claims[m.VolumeID], err = p.getClaim(ctx, at, id); err != nil {
				return nil, err
			}
		}
		if !slices.ContainsFunc(claims[m.VolumeID].reservations, func(r reservation) bool {
			return r.Anchor == a.UID && r.Mount == volume.In(t.id, m.VolumeMount)
		}) {
			missing = append(missing, m)
		}
	}
	return missing, nil
}
