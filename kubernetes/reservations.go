package kubernetes

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/volume"
)

// A mount stands in two objects: the claim has a reservation, and the anchor of
// the instance lists the mount, which the pods are made from. Both count, and
// they are written in this order:
//
//   - mounting reads the anchor, writes the reservation into the claim, and then
//     writes the anchor in the version that it has read. From then on the volume
//     is mounted, and whoever looks after the instance carries it out;
//   - unmounting writes the anchor, carries it out, and then takes the
//     reservation away;
//   - a new instance lists its mounts in its anchor from the beginning, and
//     writes the reservations before it makes the workload.
//
// So what an anchor lists is reserved before a pod can use it, and a reservation
// that its anchor does not list is of a call that is under way, or has died. To
// tell which is not possible, and not necessary: who needs the reservation to be
// gone changes the anchor first. A call that is under way then cannot write the
// anchor any more and begins anew, with a new reservation, which it always
// writes; and that makes the write or the deletion of the claim, in the version
// that was read before, fail in turn.

// reservation says on a claim that an instance has it, or is about to.
type reservation struct {
	hosting.Mount
	// Anchor is the UID of the instance's anchor: another instance may get its
	// name.
	Anchor types.UID `json:"anchor"`
	// Token is the call's that wrote it, the same in all that it wrote.
	Token string `json:"token"`
}

// listedIn tells whether an anchor lists what is reserved.
func (r reservation) listedIn(a *anchor, volumeID string) bool {
	return a != nil && a.UID == r.Anchor && slices.ContainsFunc(a.record.Desired.Mounts, func(m mount) bool {
		return m.VolumeID == volumeID && volume.In(r.InstanceID, m.VolumeMount) == r.Mount
	})
}

// standing is what a reservation is worth.
type standing int

const (
	void     standing = iota // its instance is gone
	doubtful                 // nothing came of it yet
	held                     // the instance has the volume
)

// judge tells what a reservation is worth. The anchor is that of its instance,
// nil if void.
func (p *Provider) judge(ctx context.Context, at *region, c *claim, r reservation) (standing, *anchor, error) {
	t, err := p.find(hosting.VolumeFailed, r.InstanceID)
	if err != nil || t.region != at {
		return void, nil, nil // nothing that is here
	}
	a, err := p.getAnchor(ctx, hosting.VolumeFailed, t)
	switch {
	case hosting.CodeOf(err) == hosting.InstanceNotFound:
		return void, nil, nil
	case err != nil:
		return held, nil, err
	case a.UID != r.Anchor:
		return void, nil, nil
	case r.listedIn(a, c.volume.VolumeID):
		return held, a, nil
	}
	used, err := p.usesClaim(ctx, t, a, c.Name)
	if err != nil || used {
		return held, a, err
	}
	return doubtful, a, nil
}

// usesClaim tells whether pods of an instance may still be made that use a
// claim: it is being unmounted then.
func (p *Provider) usesClaim(ctx context.Context, t target, a *anchor, name string) (bool, error) {
	workload, err := p.workload(ctx, hosting.VolumeFailed, t, a)
	if err != nil || workload == nil {
		return false, err
	}
	if t.kind.observe(workload).finished != "" {
		return false, nil // a job makes no more
	}
	if mountsClaim(t.kind.template(workload), name) {
		return true, nil
	}
	if t.kind.instanceType != hosting.TypeCronJob {
		return false, nil
	}
	runs, err := p.runs(ctx, t, workload)
	if err != nil {
		return false, p.fail(ctx, hosting.VolumeFailed, t.id, "listing the runs of CronJob "+t.name, err)
	}
	for i := range runs {
		if observeJob(&runs[i]).finished == "" && mountsClaim(&runs[i].Spec.Template, name) {
			return true, nil
		}
	}
	return false, nil
}

func mountsClaim(template *corev1.PodTemplateSpec, name string) bool {
	return slices.ContainsFunc(template.Spec.Volumes, func(v corev1.Volume) bool {
		return v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == name
	})
}

// holders judges the reservations of a claim that are of others than an
// instance. It returns those that hold, and the anchors to change before the
// rest may be dropped.
func (p *Provider) holders(ctx context.Context, at *region, c *claim, instance string) (holding []reservation, doubts []*anchor, err error) {
	for _, r := range c.reservations {
		if r.InstanceID == instance {
			continue
		}
		worth, a, err := p.judge(ctx, at, c, r)
		if err != nil {
			return nil, nil, err
		}
		switch worth {
		case held:
			holding = append(holding, r)
		case doubtful:
			doubts = append(doubts, a)
		}
	}
	return holding, doubts, nil
}

// fence keeps calls that have read an anchor before from writing it.
func (p *Provider) fence(ctx context.Context, at *region, a *anchor) error {
	patch := mergePatch(map[string]any{"metadata": map[string]any{
		"resourceVersion": a.ResourceVersion, "annotations": map[string]any{annotationUnreserved: rand.String(8)},
	}})
	_, err := configMaps.patch(ctx, at, a.Name, types.MergePatchType, patch)
	return lookAgain(configMaps, a, err)
}

// fenceAll changes each anchor once.
func (p *Provider) fenceAll(ctx context.Context, at *region, anchors []*anchor) error {
	done := map[types.UID]bool{}
	for _, a := range anchors {
		if done[a.UID] {
			continue
		}
		done[a.UID] = true
		if err := p.fence(ctx, at, a); err != nil {
			return fmtError("marking "+describe(configMaps, a), err)
		}
	}
	return nil
}

// discard takes the reservations of an instance away that hold no longer. What
// it cannot take away now, whoever needs the volume will.
func (p *Provider) discard(ctx context.Context, at *region, id hosting.ID, instance string) error {
	return retryOnConflict(ctx, func() error {
		c, err := p.getClaim(ctx, at, id)
		if err != nil {
			return err
		}
		var keep []reservation
		var doubts []*anchor
		for _, r := range c.reservations {
			worth := held
			if r.InstanceID == instance {
				var a *anchor
				if worth, a, err = p.judge(ctx, at, c, r); err != nil {
					return err
				}
				if worth == doubtful {
					doubts = append(doubts, a)
				}
			}
			if worth == held {
				keep = append(keep, r)
			}
		}
		if len(keep) == len(c.reservations) {
			return nil
		}
		if err := p.fenceAll(ctx, at, doubts); err != nil {
			return err
		}
		return c.writeReservations(ctx, at, keep)
	})
}

// confirmed returns the mounts of a claim that the anchors list. find returns
// the anchor of an instance, nil if there is none.
func (c *claim) confirmed(find func(instance string) (*anchor, error)) ([]hosting.Mount, error) {
	var mounts []hosting.Mount
	for _, r := range c.reservations {
		a, err := find(r.InstanceID)
		if err != nil {
			return nil, err
		}
		if r.listedIn(a, c.volume.VolumeID) {
			mounts = append(mounts, r.Mount)
		}
	}
	return mounts, nil
}

// reserve writes reservations for the mounts of an instance, which the claims
// were read for. known are those that the anchor lists already: for them a
// reservation that is there is enough.
func (e *examination) reserve(ctx context.Context, p *Provider, t target, anchor types.UID, known []mount, mounts []mount) error {
	token := rand.String(8)
	for _, id := range volumesIn(mounts) {
		c := e.claims[id]
		if c == nil {
			continue // it was refused, or is one that stays
		}
		next := slices.DeleteFunc(slices.Clone(c.reservations), func(r reservation) bool {
			return r.InstanceID == t.id && r.Anchor != anchor || slices.Contains(e.dropped[id], r)
		})
		write := false
		for _, m := range mounts {
			if m.VolumeID != id {
				continue
			}
			wanted := reservation{Mount: volume.In(t.id, m.VolumeMount), Anchor: anchor, Token: token}
			i := slices.IndexFunc(next, func(r reservation) bool { return r.Anchor == anchor && r.Mount == wanted.Mount })
			switch {
			case i < 0:
				next, write = append(next, wanted), true
			case !slices.Contains(known, m):
				next[i], write = wanted, true
			}
		}
		if !write {
			continue
		}
		if err := p.fenceAll(ctx, t.region, e.doubts[id]); err != nil {
			return err
		}
		if err := c.writeReservations(ctx, t.region, next); err != nil {
			return fmtError("reserving volume "+id, err)
		}
		c.reservations = next
	}
	return nil
}

// volumesIn names the volumes of mounts, each once.
func volumesIn(mounts []mount) []string {
	var ids []string
	for _, m := range mounts {
		if !slices.Contains(ids, m.VolumeID) {
			ids = append(ids, m.VolumeID)
		}
	}
	return ids
}

// anchorsByName finds anchors for confirmed, each once.
func (p *Provider) anchorsByName(ctx context.Context, at *region) func(instance string) (*anchor, error) {
	found := map[string]*anchor{}
	return func(instance string) (*anchor, error) {
		if a, known := found[instance]; known {
			return a, nil
		}
		t, err := p.find(hosting.VolumeFailed, instance)
		if err != nil || t.region != at {
			return nil, nil
		}
		a, err := p.getAnchor(ctx, hosting.VolumeFailed, t)
		if hosting.CodeOf(err) == hosting.InstanceNotFound {
			a, err = nil, nil
		}
		if err == nil {
			found[instance] = a
		}
		return a, err
	}
}

// listedAnchors finds anchors for confirmed with one request.
func (p *Provider) listedAnchors(ctx context.Context, at *region) (func(instance string) (*anchor, error), error) {
	var list corev1.ConfigMapList
	if err := configMaps.list(ctx, at, p.anchorSelector(), &list); err != nil {
		return nil, fmtError("listing "+configMaps.plural, err)
	}
	byName := map[string]*corev1.ConfigMap{}
	for i := range list.Items {
		byName[list.Items[i].Name] = &list.Items[i]
	}
	return func(instance string) (*anchor, error) {
		t, err := p.find(hosting.VolumeFailed, instance)
		if err != nil || t.region != at {
			return nil, nil
		}
		a, err := p.asAnchor(hosting.VolumeFailed, t, byName[anchorName(t.name)])
		if hosting.CodeOf(err) == hosting.InstanceNotFound {
			return nil, nil
		}
		return a, err
	}, nil
}

// isResizeRefusal recognises that a claim's class does not let it grow.
func isResizeRefusal(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "must support resize")
}
