package kubernetes

import (
	"context"
	"strconv"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"

	"skillcenter.io/hosting"
)

// settleTime is how long after a stop the count is looked at again: an
// autoscaler that had read the old count may write it back.
const settleTime = 250 * time.Millisecond

// ScaleInstance implements [hosting.CloudHostingProvider].
func (p *Provider) ScaleInstance(ctx context.Context, instanceID string, replicas int) error {
	t, err := p.find(hosting.ScaleFailed, instanceID)
	if err != nil {
		return err
	}
	if err := hosting.ValidateReplicas(replicas); err != nil {
		failed := hosting.Errorf(p.config.Name, hosting.ScaleFailed, hosting.InvalidArgument, "%w", err)
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
	// The anchor keeps the new count, should the workload be lost. Each retry
	// looks at the workload anew: it may have been stopped meanwhile.
	err = retryOnConflict(ctx, func() error { return p.setReplicas(ctx, t, a, replicas) })
	if err != nil {
		return p.fail(ctx, hosting.ScaleFailed, t.id, "scaling "+t.kind.kind+" "+t.name, err)
	}
	_, err = p.change(ctx, hosting.ScaleFailed, t, a, func(d *desired) error {
		if d.Replicas != replicas {
			d.Replicas, d.Operation = replicas, hosting.StatusStarting
		}
		return nil
	})
	return err
}

// setReplicas writes the count into the workload as it is now.
func (p *Provider) setReplicas(ctx context.Context, t target, a *anchor, replicas int) error {
	workload, err := p.ownWorkload(ctx, hosting.ScaleFailed, t, a)
	if err != nil {
		return err
	}
	seen := t.kind.observe(workload)
	switch {
	case seen.finished != "":
		return p.conflict(hosting.ScaleFailed, t.id, "the job has ended: it is %s", seen.finished)
	case t.kind.isJob():
		// Both at once, so that the job stays one that can be resized. While
		// it is suspended the count applies when it is resumed.
		return t.patchVersion(ctx, workload, map[string]any{"parallelism": replicas, "completions": replicas})
	case seen.stopped:
		return p.remember(ctx, t, workload, replicas)
	case a.record.Desired.Spec.Autoscaler != nil:
		return p.conflict(hosting.ScaleFailed, t.id, "%s %s sets the number of replicas", autoscalers.kind, t.name)
	case seen.want == replicas:
		return nil
	}
	// The version makes it fail if a stop came between.
	scale := &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: t.name, Namespace: t.region.namespace, ResourceVersion: workload.GetResourceVersion()},
		Spec:       autoscalingv1.ScaleSpec{Replicas: int32(replicas)},
	}
	return t.kind.rest(t.client).Put().Namespace(t.namespace).Resource(t.kind.plural).Name(t.name).SubResource("scale").
		VersionedParams(&metav1.UpdateOptions{FieldManager: fieldManager}, scheme.ParameterCodec).
		Body(scale).Do(ctx).Error()
}

// remember changes how many replicas a stopped workload starts with.
func (p *Provider) remember(ctx context.Context, t target, workload object, replicas int) error {
	return t.patchTested(ctx,
		operation{"test", annotationPath(annotationStoppedReplicas), workload.GetAnnotations()[annotationStoppedReplicas]},
		operation{"replace", annotationPath(annotationStoppedReplicas), strconv.Itoa(replicas)})
}

// stopReplicas sets the count to 0 and remembers the old one, in one write. It
// returns when the 0 holds.
func (p *Provider) stopReplicas(ctx context.Context, t target, a *anchor) error {
	hasAutoscaler := a.record.Desired.Spec.Autoscaler != nil
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
			if !seen.stopped {
				steps = append(steps, operation{"add", annotationPath(annotationStoppedReplicas), strconv.Itoa(seen.want)})
			}
			if err := t.patchTested(ctx, steps...); err != nil {
				return err
			}
			if !hasAutoscaler {
				return nil
			}
			if err := sleep(ctx, settleTime); err != nil {
				return err
			}
		}
	})
}

// startReplicas gives a stopped workload its replicas back.
func (p *Provider) startReplicas(ctx context.Context, t target, a *anchor) error {
	return retryOnConflict(ctx, func() error {
		workload, err := p.ownWorkload(ctx, hosting.StartFailed, t, a)
		if err != nil {
			return err
		}
		seen := t.kind.observe(workload)
		if !seen.stopped {
			return nil
		}
		replicas := a.record.Desired.Replicas
		if seen.remembered != nil {
			replicas = *seen.remembered
		}
		return t.patchTested(ctx,
			operation{"test", annotationPath(annotationStoppedReplicas), workload.GetAnnotations()[annotationStoppedReplicas]},
			operation{"remove", annotationPath(annotationStoppedReplicas), nil},
			operation{"replace", "/spec/replicas", replicas})
	})
}

// patchTested applies a JSON patch whose tests say what the workload must
// still be like. If it no longer is, the error is a conflict.
func (t target) patchTested(ctx context.Context, operations ...operation) error {
	_, err := t.kind.patch(ctx, t.region, t.name, types.JSONPatchType, jsonPatch(operations...))
	if isFailedTest(err) {
		return apierrors.NewConflict(groupResource(t.kind.resource), t.name, err)
	}
	return err
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

// ownWorkload reads the workload for a call that changes it.
func (p *Provider) ownWorkload(ctx context.Context, code hosting.Code, t target, a *anchor) (object, error) {
	workload, err := t.kind.get(ctx, t.region, t.name)
	if apierrors.IsNotFound(err) || err == nil && !a.owns(workload) {
		return nil, p.conflict(code, t.id, "%s %s is missing: create the instance again with the same configuration, or start it", t.kind.kind, t.name)
	}
	return workload, err
}

func (p *Provider) unsupported(code hosting.Code, t target, why string) error {
	failed := hosting.Errorf(p.config.Name, code, hosting.Unsupported, "%s", why)
	failed.InstanceID = t.id
	return failed
}
