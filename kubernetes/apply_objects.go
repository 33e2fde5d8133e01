package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/csaupgrade"

	"skillcenter.io/hosting"
)

// errSuperseded tells that another call has written a newer configuration.
var errSuperseded = errors.New("the configuration has been changed again")

// converge carries out what the anchor says, until that has not changed
// meanwhile.
func (ap *application) converge(ctx context.Context) error {
	const rounds = 50 // each is another call's change
	uid := ap.anchor.UID
	for range rounds {
		err := ap.carryOut(ctx)
		if err == nil {
			err = ap.finish(ctx)
		}
		if !errors.Is(err, errSuperseded) {
			return err
		}
		if ap.anchor, err = ap.p.anchorAgain(ctx, hosting.UpdateFailed, ap.t, uid); err != nil {
			return err
		}
	}
	return ap.p.conflict(hosting.UpdateFailed, ap.t.id, "the configuration is being changed again and again at this moment")
}

// finish says in the anchor that its generation has been carried out, and how
// many replicas the workload has. The workload is read after the anchor: what
// another call makes of it later, that call writes into a newer anchor.
func (ap *application) finish(ctx context.Context) error {
	generation, takenOver := ap.anchor.record.Desired.Generation, ap.anchor.record.Desired.TakenOver
	newest, err := ap.p.anchorAgain(ctx, hosting.UpdateFailed, ap.t, ap.anchor.UID)
	if err != nil {
		return err
	}
	ap.anchor, err = ap.p.change(ctx, hosting.UpdateFailed, ap.t, newest, func(d *desired) error {
		if d.Generation != generation || d.TakenOver != takenOver {
			return errSuperseded
		}
		workload, err := ap.p.ownWorkload(ctx, hosting.UpdateFailed, ap.t, newest)
		if err != nil {
			return err
		}
		if d.pending() {
			d.Applied = generation
			d.take(ap.t.kind, workload)
			if generationOf(workload) == generation {
				// UpdateResources may have come before, see likeLive.
				d.Spec.Resources = resourcesOf(ap.t.kind.template(workload))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return ap.p.removeOldSecrets(ctx, hosting.UpdateFailed, ap.t, ap.anchor)
}

// carryOut gives every part what the anchor says, and removes those that it
// does not name any more.
func (ap *application) carryOut(ctx context.Context) error {
	parts := ap.p.parts(ap.anchor.record, nil)
	// An autoscaler goes before the workload gets its count: it would set
	// another one afterwards.
	if err := ap.removeUnwanted(ctx, parts, autoscalers); err != nil {
		return err
	}
	for _, part := range parts {
		if err := ap.give(ctx, part); err != nil {
			return fmtError("changing "+describe(part.resource, part.object), err)
		}
	}
	return ap.removeUnwanted(ctx, parts, optionalParts...)
}

// optionalParts are what an instance has or has not, by its configuration, and
// then under its own name. They are removed in this order: nothing refers to
// what is gone.
var optionalParts = []*resource{autoscalers, ingresses, services}

// unwanted returns those of the optional parts that the instance should not
// have.
func (ap *application) unwanted(parts []part, optional []*resource) []*resource {
	return slices.DeleteFunc(slices.Clone(optional), func(r *resource) bool {
		return slices.ContainsFunc(parts, func(p part) bool { return p.resource == r && p.object.GetName() == ap.t.name })
	})
}

func (ap *application) removeUnwanted(ctx context.Context, parts []part, optional ...*resource) error {
	for _, r := range ap.unwanted(parts, optional) {
		if err := ap.p.remove(ctx, ap.t, ap.anchor, r, ap.t.name); err != nil {
			return fmtError("removing "+r.kind+" "+ap.t.name, err)
		}
	}
	return nil
}

// give makes a part what the anchor says.
func (ap *application) give(ctx context.Context, part part) error {
	return retryOnConflict(ctx, func() error {
		live, err := part.get(ctx, ap.t.region, part.object.GetName())
		if apierrors.IsNotFound(err) {
			return ap.make(ctx, part)
		}
		if err != nil {
			return err
		}
		if err := ap.mayWrite(part.resource, live); err != nil {
			return err
		}
		if part.resource == autoscalers {
			if live, err = ap.p.settle(ctx, ap.t, ap.anchor, live); err != nil {
				return lookAgain(part.resource, part.object, err)
			}
		}
		if live, err = ap.ownFields(ctx, part.resource, live); err != nil {
			return lookAgain(part.resource, part.object, err)
		}
		err = lookAgain(part.resource, part.object, ap.serverSideApply(ctx, part.resource, ap.follow(part, ap.anchor.record, live), live))
		if ap.t.kind.isJob() && part.resource == ap.t.kind.resource && isImmutable(err) {
			if !ap.anchor.record.Desired.pending() && ap.t.kind.observe(live).finished != "" {
				return nil // its mounts have changed since it has ended
			}
			return ap.replaceJob(ctx)
		}
		return err
	})
}

// make creates a part that is missing, unless that is so because another call
// has written a newer configuration, which has no such part.
func (ap *application) make(ctx context.Context, part part) error {
	newest, err := ap.p.anchorAgain(ctx, hosting.UpdateFailed, ap.t, ap.anchor.UID)
	if err != nil {
		return err
	}
	if newest.record.Desired.Generation != ap.anchor.record.Desired.Generation {
		return errSuperseded
	}
	if part.resource == secrets {
		return ap.p.conflict(hosting.UpdateFailed, ap.t.id, "%s is gone, and only its creator knows its values: apply the configuration again", describe(part.resource, part.object))
	}
	if part.resource == ap.t.kind.resource {
		if err := ap.p.reserveAll(ctx, hosting.UpdateFailed, ap.t, ap.anchor); err != nil {
			return err
		}
	}
	part.object.SetOwnerReferences([]metav1.OwnerReference{ap.anchor.ownerReference()})
	_, err = part.create(ctx, ap.t.region, part.object)
	return lookAgain(part.resource, part.object, err)
}

// lookAgain makes a conflict of the answer that an object is gone, or is there
// by now: other calls make and remove parts too.
func lookAgain(r *resource, o object, err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsAlreadyExists(err) {
		return apierrors.NewConflict(groupResource(r), o.GetName(), err)
	}
	return err
}

// mayWrite checks that a part is this instance's, and that this call has
// something newer for it.
func (ap *application) mayWrite(r *resource, live object) error {
	if ap.anchor.owns(live) && live.GetDeletionTimestamp() != nil {
		// The anchor is written already: what goes in a moment is worth waiting for.
		return apierrors.NewConflict(groupResource(r), live.GetName(), errors.New("it is still being removed"))
	}
	c := &creation{p: ap.p, t: ap.t, anchor: ap.anchor} // whose secret values it has does not matter
	if err := c.accept(r, live); err != nil {
		return err
	}
	if generationOf(live) > ap.anchor.record.Desired.Generation {
		return errSuperseded
	}
	return nil
}

// ownFields turns what this provider has written so far, by whichever call,
// into fields of a server-side apply: those that the next one does not name are
// then removed.
func (ap *application) ownFields(ctx context.Context, r *resource, live object) (object, error) {
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(live, sets.New(fieldManager, operationsManager), fieldManager)
	if err != nil {
		return nil, fmt.Errorf("reading its managed fields: %w", err)
	}
	if patch == nil {
		return live, nil
	}
	return r.patch(ctx, ap.t.region, live.GetName(), types.JSONPatchType, patch)
}

// serverSideApply writes all fields of an object that this provider says, over
// the version of it that was read.
func (ap *application) serverSideApply(ctx context.Context, r *resource, o, live object) error {
	o.SetOwnerReferences([]metav1.OwnerReference{ap.anchor.ownerReference()})
	o.SetUID(live.GetUID())
	o.SetResourceVersion(live.GetResourceVersion())
	manifest, err := manifestOf(o)
	if err != nil {
		return err
	}
	body, err := json.Marshal(manifest)
	if err != nil {
		return err
	}
	_, err = r.patchWith(ctx, ap.t.region, o.GetName(), types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: fieldManager, Force: new(true)})
	return err
}

// manifestOf returns an object as people write it: with its kind, and without
// its status.
func manifestOf(o object) (map[string]any, error) {
	kinds, _, err := scheme.Scheme.ObjectKinds(o)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	manifest := map[string]any{}
	if err := json.Unmarshal(data, &manifest); err != nil {
		return nil, err
	}
	manifest["apiVersion"], manifest["kind"] = kinds[0].GroupVersion().String(), kinds[0].Kind
	delete(manifest, "status")
	return manifest, nil
}

// remove deletes a part of an instance, unless it is of a later generation.
func (p *Provider) remove(ctx context.Context, t target, a *anchor, r *resource, name string) error {
	return retryOnConflict(ctx, func() error {
		live, err := r.get(ctx, t.region, name)
		if err != nil || !a.owns(live) || live.GetDeletionTimestamp() != nil {
			return ignoreNotFound(err)
		}
		if generationOf(live) > a.record.Desired.Generation {
			return errSuperseded
		}
		return ignoreNotFound(r.delete(ctx, t.region, name, metav1.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: new(live.GetUID()), ResourceVersion: new(live.GetResourceVersion())},
		}))
	})
}
