package kubernetes

import (
	"context"
	"errors"
	"strconv"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"

	"skillcenter.io/hosting"
)

// settleTime is how long after a stop the count is looked at again: somebody
// who had read the old count may write it back. It is longer if the API server
// is slow, since it is so for the others too.
const settleTime = 250 * time.Millisecond

// ScaleInstance implements [hosting.CloudHostingProvider].
func (p *Provider) ScaleInstance(ctx context.Context, instanceID string, replicas int) error {
	return p.scale(ctx, instanceID, scaling{to: replicas}, hosting.ValidateReplicas(replicas))
}

// ScaleFrom implements [autoscale.Backend]. A job that has ended, and an
// instance whose own autoscaler acts, are a Conflict too. The count that is
// compared is what was asked for last, not how many replicas run.
func (p *Provider) ScaleFrom(ctx context.Context, instanceID string, from, to int) error {
	var wrong hosting.FieldErrors
	for _, count := range []struct {
		field string
		value int
	}{{"from", from}, {"to", to}} {
		var found hosting.FieldErrors
		if errors.As(hosting.ValidateReplicas(count.value), &found) {
			found[0].Field = count.field
			wrong = append(wrong, found...)
		}
	}
	var invalid error
	if len(wrong) > 0 {
		invalid = wrong
	}
	return p.scale(ctx, instanceID, scaling{from: &from, to: to}, invalid)
}

// scaling is a change of the number of replicas.
type scaling struct {
	// from is what it must be now, nil if that does not matter.
	from *int
	to   int
}

// scale changes the number of replicas. What is wrong with the numbers is not
// said of an instance that this provider cannot have.
func (p *Provider) scale(ctx context.Context, instanceID string, change scaling, invalid error) error {
	t, err := p.find(hosting.ScaleFailed, instanceID)
	if err != nil {
		return err
	}
	if invalid != nil {
		failed := hosting.Errorf(p.config.Name, hosting.ScaleFailed, hosting.InvalidArgument, "%w", invalid)
		failed.InstanceID = t.id
		return failed
	}
	a, err := p.anchorForChange(ctx, hosting.ScaleFailed, t)
	if err != nil {
		return err
	}
	if why := t.kind.unsupported[hosting.CanScale]; why != "" {
		return p.unsupported(hosting.ScaleFailed, t, why)
	}
	var operation hosting.Status
	// Each retry looks anew: the workload may have been stopped meanwhile, or
	// been given an autoscaler.
	err = retryOnConflict(ctx, func() (err error) {
		operation, err = p.setReplicas(ctx, t, a, change)
		return err
	})
	if err != nil {
		return p.fail(ctx, hosting.ScaleFailed, t.id, "scaling "+t.kind.kind+" "+t.name, err)
	}
	a, err = p.following(ctx, hosting.ScaleFailed, t, a, operation)
	switch {
	case err == nil:
		// One that was mounted since the count was written goes before it.
		return p.notWithVolume(hosting.ScaleFailed, t, a.record.Desired, change.to)
	case change.from == nil:
		return err
	}
	return p.scaledNevertheless(t, err)
}

// scaledNevertheless is the answer of ScaleFrom if the anchor could not be
// written after the count was: no error may say that nothing has changed.
func (p *Provider) scaledNevertheless(t target, err error) error {
	switch reason := hosting.ReasonOf(err); reason {
	case hosting.Conflict, hosting.NotFound:
		return nil // the instance has been deleted since, or its workload lost
	case hosting.Canceled, hosting.DeadlineExceeded:
		return err
	}
	failed := hosting.Errorf(p.config.Name, hosting.ScaleFailed, hosting.Unavailable, "the replicas are changed, but the anchor does not say so: %w", err)
	failed.InstanceID = t.id
	return failed
}

// setReplicas writes the count into the workload as it is now. It returns the
// status to show until it is reached.
func (p *Provider) setReplicas(ctx context.Context, t target, a *anchor, change scaling) (hosting.Status, error) {
	a, workload, err := p.current(ctx, hosting.ScaleFailed, t, a)
	if err != nil {
		return "", err
	}
	seen, replicas := t.kind.observe(workload), change.to
	operation := hosting.StatusStarting
	if replicas < seen.want {
		operation = hosting.StatusUpdating
	}
	if err := p.notWithVolume(hosting.ScaleFailed, t, a.record.Desired, replicas); err != nil {
		return "", err
	}
	switch {
	case seen.finished != "":
		return "", p.conflict(hosting.ScaleFailed, t.id, "the job has ended: it is %s", seen.finished)
	case change.from != nil && seen.stopped:
		return "", p.conflict(hosting.ScaleFailed, t.id, "the instance is stopped")
	case change.from != nil && seen.want != *change.from:
		return "", p.conflict(hosting.ScaleFailed, t.id, "it has %d replicas, not %d", seen.want, *change.from)
	case t.kind.isJob() && replicas == 0:
		failed := hosting.Errorf(p.config.Name, hosting.ScaleFailed, hosting.InvalidArgument, "%w",
			hosting.FieldErrors{{Field: "replicas", Value: 0, Allowed: "1 or more for a job, which would be complete without any: stop it instead"}})
		failed.InstanceID = t.id
		return "", failed
	case t.kind.isJob():
		// Both at once, so that the job stays one that can be resized. While
		// it is suspended the count applies when it is resumed.
		return operation, t.patchVersion(ctx, workload, map[string]any{"parallelism": replicas, "completions": replicas})
	case seen.stopped:
		return "", p.remember(ctx, t, workload, replicas)
	case a.record.Desired.acting() != nil && seen.want > 0: // at 0 it does not act
		return "", p.conflict(hosting.ScaleFailed, t.id, "%s %s sets the number of replicas", autoscalers.kind, t.name)
	case seen.want == replicas:
		return "", nil
	}
	// The version makes it fail if a stop came between.
	scale := &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: t.name, Namespace: t.region.namespace, ResourceVersion: workload.GetResourceVersion()},
		Spec:       autoscalingv1.ScaleSpec{Replicas: int32(replicas)},
	}
	var scaled autoscalingv1.Scale
	err = t.kind.rest(t.client).Put().Namespace(t.namespace).Resource(t.kind.plural).Name(t.name).SubResource("scale").
		VersionedParams(&metav1.UpdateOptions{FieldManager: operationsManager}, scheme.ParameterCodec).
		Body(scale).Do(ctx).Into(&scaled)
	t.kind.wrote(t.region, &scaled, err)
	return operation, err
}

// remember changes how many replicas a stopped workload starts with. It waits
// a moment for the controller to see that: until then it is not sure that the
// workload is still stopped.
func (p *Provider) remember(ctx context.Context, t target, workload object, replicas int) error {
	changed, err := t.patchTested(ctx,
		operation{"test", annotationPath(annotationStoppedReplicas), workload.GetAnnotations()[annotationStoppedReplicas]},
		operation{"replace", annotationPath(annotationStoppedReplicas), strconv.Itoa(replicas)})
	for range 40 {
		if err != nil || t.kind.observe(changed).seen {
			return err
		}
		if err := sleep(ctx, 25*time.Millisecond); err != nil {
			return nil // the change has been made
		}
		changed, err = t.kind.get(ctx, t.region, t.name)
	}
	return ignoreNotFound(err)
}

// stopReplicas sets the count to 0 and remembers the old one, in one write. It
// returns when the 0 holds.
func (p *Provider) stopReplicas(ctx context.Context, t target, a *anchor) error {
	written := false // by this call, so that what it remembers is the count before it
	return retryOnConflict(ctx, func() error {
		for {
			workload, err := p.ownWorkload(ctx, hosting.StopFailed, t, a)
			if err != nil {
				return err
			}
			seen := t.kind.observe(workload)
			if seen.stopped && seen.want == 0 {
				return nil
			}
			steps := []operation{
				{"test", "/spec/replicas", seen.want},
				{"replace", "/spec/replicas", 0},
			}
			if seen.remembered == nil || !written {
				// A mark that is there is of a stop that somebody has undone.
				steps = append(steps, operation{"add", annotationPath(annotationStoppedReplicas), strconv.Itoa(seen.want)})
			}
			began := time.Now()
			if _, err := t.patchTested(ctx, steps...); err != nil {
				return err
			}
			written = true
			// Another call may have added an autoscaler before the write.
			now, err := p.anchorAgain(ctx, hosting.StopFailed, t, a.UID)
			if err != nil || now.record.Desired.Spec.Autoscaler == nil {
				return err
			}
			if err := sleep(ctx, max(settleTime, 3*time.Since(began))); err != nil {
				return err
			}
		}
	})
}

// startReplicas gives a stopped workload its replicas back.
func (p *Provider) startReplicas(ctx context.Context, t target, a *anchor) error {
	return retryOnConflict(ctx, func() error {
		now, workload, err := p.current(ctx, hosting.StartFailed, t, a)
		if err != nil {
			return err
		}
		seen := t.kind.observe(workload)
		if seen.remembered == nil {
			return nil
		}
		steps := []operation{
			{"test", annotationPath(annotationStoppedReplicas), workload.GetAnnotations()[annotationStoppedReplicas]},
			{"remove", annotationPath(annotationStoppedReplicas), nil},
		}
		if seen.stopped {
			replicas := *seen.remembered
			if limits := now.record.Desired.acting(); limits != nil {
				// An autoscaler does nothing at 0, and scaling is its alone.
				replicas = min(max(replicas, limits.MinReplicas), limits.MaxReplicas)
			}
			steps = append(steps, operation{"replace", "/spec/replicas", replicas})
		}
		_, err = t.patchTested(ctx, steps...)
		return err
	})
}

// patchTested applies a JSON patch whose tests say what the workload must
// still be like. If it no longer is, the error is a conflict.
func (t target) patchTested(ctx context.Context, operations ...operation) (object, error) {
	changed, err := t.kind.patch(ctx, t.region, t.name, types.JSONPatchType, jsonPatch(operations...))
	if isFailedTest(err) {
		return nil, apierrors.NewConflict(groupResource(t.kind.resource), t.name, err)
	}
	return changed, err
}

// patchVersion changes fields of a workload's spec unless it has changed since
// it was read.
func (t target) patchVersion(ctx context.Context, workload object, spec map[string]any) error {
	patch := mergePatch(map[string]any{
		"metadata": map[string]any{"resourceVersion": workload.GetResourceVersion()},
		"spec":     spec,
	})
	_, err := t.kind.patch(ctx, t.region, t.name, types.MergePatchType, patch)
	return err
}

func (p *Provider) unsupported(code hosting.Code, t target, why string) error {
	failed := hosting.Errorf(p.config.Name, code, hosting.Unsupported, "%s", why)
	failed.InstanceID = t.id
	return failed
}
