package kubernetes

import (
	"context"
	"errors"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
)

// attempt is a write that was tried without effect.
type attempt struct {
	*resource
	// live is the object as it is, nil if there is none; wanted as this
	// provider would write it, nil if it would be removed; and result as it
	// would become, nil if the API server refuses.
	live, wanted, result object
	// replaced tells that a new object takes the place of the old one.
	replaced bool
	err      error
}

func (a attempt) name() string {
	switch {
	case a.wanted != nil:
		return describe(a.resource, a.wanted)
	case a.live != nil:
		return describe(a.resource, a.live)
	}
	return a.kind
}

// tryAll asks the API server whether it would accept all parts of a record, in
// the order in which they are written. The anchor is nil for an instance that
// does not exist.
func (ap *application) tryAll(ctx context.Context, next record) []attempt {
	var result []attempt
	parts := ap.p.parts(next, ap.secretEnv)
	for _, part := range parts {
		var a attempt
		// By itself: what others write all the time, such as the status of a
		// disruption budget, would have all parts tried again.
		_ = retryOnConflict(ctx, func() error {
			a = ap.try(ctx, part, next)
			return a.err
		})
		result = append(result, a)
	}
	if ap.anchor == nil {
		return result
	}
	for _, r := range ap.unwanted(parts, optionalParts) {
		if a := ap.tryRemove(ctx, r); a.live != nil || a.err != nil {
			result = append(result, a)
		}
	}
	return result
}

// try tries to write one part.
func (ap *application) try(ctx context.Context, part part, next record) attempt {
	a := attempt{resource: part.resource, wanted: part.object}
	live, err := part.get(ctx, ap.t.region, part.object.GetName())
	if apierrors.IsNotFound(err) {
		a.result, a.err = ap.tryCreate(ctx, part.resource, part.object)
		return a
	}
	if err != nil {
		a.err = err
		return a
	}
	if a.err = ap.notOurs(part.resource, live); a.err != nil {
		return a
	}
	a.live = live
	a.wanted = ap.follow(part, next, live)
	a.result, a.err = ap.tryChange(ctx, part.resource, a.wanted, live)
	if ap.t.kind.isJob() && part.resource == ap.t.kind.resource && isImmutable(a.err) {
		if seen := ap.t.kind.observe(live); !seen.stopped && seen.finished == "" {
			a.err = ap.jobIsRunning(next)
			return a
		}
		a.replaced = true
		a.wanted = ap.likeLive(next, live)
		anew := a.wanted.DeepCopyObject().(object)
		anew.SetName("") // its own is still taken
		anew.SetGenerateName(part.object.GetName() + "-")
		a.result, a.err = ap.tryCreate(ctx, part.resource, anew)
	}
	return a
}

// notOurs tells that an object that is in the way belongs to somebody else.
func (ap *application) notOurs(r *resource, live object) error {
	c := &creation{p: ap.p, t: ap.t, anchor: ap.anchor}
	if c.anchor == nil {
		c.anchor = &anchor{ConfigMap: &corev1.ConfigMap{}} // owns nothing
	}
	return recode(c.accept(r, live), hosting.UpdateFailed)
}

func (ap *application) tryCreate(ctx context.Context, r *resource, o object) (object, error) {
	var owners []metav1.OwnerReference
	if ap.anchor != nil {
		owners = []metav1.OwnerReference{ap.anchor.ownerReference()}
	}
	o.SetOwnerReferences(owners)
	result, err := tolerateNoDryRun(o)(r.create(ctx, ap.t.region, o, metav1.DryRunAll))
	return result, lookAgain(r, o, err)
}

// tryChange tries what a server-side apply will make of an object.
func (ap *application) tryChange(ctx context.Context, r *resource, o, live object) (object, error) {
	o.SetOwnerReferences([]metav1.OwnerReference{ap.anchor.ownerReference()})
	patch, err := ap.previewPatch(r, o, live)
	if err != nil {
		return nil, err
	}
	options := metav1.PatchOptions{FieldManager: fieldManager, DryRun: []string{metav1.DryRunAll}}
	result, err := tolerateNoDryRun(o)(r.patchWith(ctx, ap.t.region, o.GetName(), types.StrategicMergePatchType, patch, options))
	return result, lookAgain(r, o, err)
}

func (ap *application) tryRemove(ctx context.Context, r *resource) attempt {
	live, err := r.get(ctx, ap.t.region, ap.t.name)
	if err != nil || !ap.anchor.owns(live) {
		return attempt{resource: r, err: ignoreNotFound(err)}
	}
	err = r.delete(ctx, ap.t.region, ap.t.name, metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}})
	return attempt{resource: r, live: live, err: ignoreNotFound(err)}
}

// tolerateNoDryRun takes the object as it was sent where an admission webhook
// of the cluster refuses to be tried: that says nothing about the object.
func tolerateNoDryRun(sent object) func(object, error) (object, error) {
	return func(result object, err error) (object, error) {
		if isNoDryRun(err) {
			return sent, nil
		}
		return result, err
	}
}

// isNoDryRun recognises the refusal of a request that a webhook cannot try.
func isNoDryRun(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && strings.Contains(status.Status().Message, "does not support dry run")
}
