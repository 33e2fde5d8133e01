package kubernetes

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"

	"skillcenter.io/hosting"
)

// Several calls, in several processes, may create one instance at once, and
// some may be refused while others succeed: a quota may change in between. The
// one that made the anchor must not remove what a call that succeeded relies
// on, and when all are refused nothing may stay. So they leave marks on the
// anchor:
//
//   - a call that finds an anchor which is not known to be complete joins: it
//     sets a mark of its own before it looks at anything else;
//   - a call that joined and succeeded replaces its mark by "complete", after
//     which nobody removes the anchor any more, and nobody needs to join;
//   - one that was refused takes its mark away, and the call that made the
//     anchor sets "refused";
//   - whoever then sees "refused" and no mark of another call was the last one,
//     and deletes the anchor in the version it saw.
//
// A call whose process has died leaves its mark, and the anchor stays for a
// repair. A creation that is alone and succeeds writes no mark at all.

// cleanupTimeout bounds the clean-up after a refusal. It has time of its own,
// because the caller's context may be what ended.
const cleanupTimeout = 15 * time.Second

// participate joins the creation of the anchor that this call has found.
func (c *creation) participate(ctx context.Context) error {
	if c.anchor.Annotations[annotationComplete] != "" {
		return nil
	}
	c.token = rand.String(8)
	if err := c.mark(ctx, map[string]any{annotationJoined + c.token: hosting.NewTime(time.Now()).String()}); err != nil {
		return c.p.fail(ctx, hosting.CreateFailed, c.t.id, "marking "+describe(configMaps, c.anchor), err)
	}
	if c.anchor.deleting() {
		return c.p.conflict(hosting.CreateFailed, c.t.id, "the instance is being deleted")
	}
	return nil
}

// succeed says that the instance is complete.
func (c *creation) succeed(ctx context.Context) error {
	if err := c.mark(ctx, map[string]any{annotationComplete: "true", annotationJoined + c.token: nil}); err != nil {
		return c.p.fail(ctx, hosting.CreateFailed, c.t.id, "marking "+describe(configMaps, c.anchor), err)
	}
	return nil
}

// mark changes annotations of the anchor, if it is still the same one.
func (c *creation) mark(ctx context.Context, annotations map[string]any) error {
	patch := mergePatch(map[string]any{"metadata": map[string]any{"uid": c.anchor.UID, "annotations": annotations}})
	o, err := configMaps.patch(ctx, c.t.region, c.anchor.Name, types.MergePatchType, patch)
	if err == nil {
		c.anchor.ConfigMap = o.(*corev1.ConfigMap)
	}
	return err
}

// isRefusal tells that the create has failed for good: after a time-out or a
// lost connection what was made stays, for the same call to complete.
func (c *creation) isRefusal(failed *hosting.Error) bool {
	switch failed.Reason {
	case hosting.AlreadyExists, hosting.Conflict, hosting.NotFound, hosting.InvalidArgument: // ours, too
		return true
	}
	return isDefiniteRefusal(failed)
}

// withdraw ends the part that this call, which was refused, has in the
// creation. If it was the last one, it deletes the anchor, and with it all
// parts. It waits until they are gone.
func (c *creation) withdraw(ctx context.Context) error {
	if c.anchor == nil || !c.mine && c.token == "" {
		return nil // it made nothing, or repaired an instance that is complete
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	last := c.mine // as far as this call knows
	for {
		if last {
			err := c.deleteAnchor(ctx)
			if !apierrors.IsConflict(err) {
				return cleanupError("removing "+describe(configMaps, c.anchor), err)
			}
		}
		// Somebody else has written to it.
		leave := map[string]any{annotationRefused: "true"}
		if !c.mine {
			leave = map[string]any{annotationJoined + c.token: nil}
		}
		if err := c.mark(ctx, leave); err != nil {
			return cleanupError("marking "+describe(configMaps, c.anchor), err)
		}
		if last = c.isLast(); !last {
			return nil
		}
	}
}

// cleanupError is nil if what was to be cleaned up is gone, or another one has
// its name by now.
func cleanupError(what string, err error) error {
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return multierror.Append(nil, fmtError(what, err))
}

// isLast tells, by the marks, that every call that took part was refused.
func (c *creation) isLast() bool {
	marks := c.anchor.Annotations
	return marks[annotationRefused] != "" && marks[annotationComplete] == "" &&
		!slices.ContainsFunc(slices.Collect(maps.Keys(marks)), func(name string) bool { return strings.HasPrefix(name, annotationJoined) })
}

// deleteAnchor deletes the anchor in the version that this call knows, and
// waits until it is gone.
func (c *creation) deleteAnchor(ctx context.Context) error {
	propagation := metav1.DeletePropagationForeground
	err := configMaps.delete(ctx, c.t.region, c.anchor.Name, metav1.DeleteOptions{
		Preconditions:     &metav1.Preconditions{UID: &c.anchor.UID, ResourceVersion: &c.anchor.ResourceVersion},
		PropagationPolicy: &propagation,
	})
	for err == nil {
		var o object
		if o, err = configMaps.get(ctx, c.t.region, c.anchor.Name); err == nil && o.GetUID() != c.anchor.UID {
			return nil
		}
		if err == nil {
			err = sleep(ctx, 50*time.Millisecond)
		}
	}
	return err
}
