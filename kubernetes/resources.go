package kubernetes

import (
	"context"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/configs"
)

// UpdateResources implements [hosting.CloudHostingProvider]. A job can change
// only while it is stopped.
func (p *Provider) UpdateResources(ctx context.Context, instanceID string, resources hosting.ResourceConfig) error {
	t, err := p.find(hosting.UpdateFailed, instanceID)
	if err != nil {
		return err
	}
	invalid := func(err error) error {
		failed := hosting.Errorf(p.config.Name, hosting.UpdateFailed, hosting.InvalidArgument, "%w", err)
		failed.InstanceID = t.id
		return failed
	}
	if err := resources.Validate(); err != nil {
		return invalid(err)
	}
	a, err := p.anchorForChange(ctx, hosting.UpdateFailed, t)
	if err != nil {
		return err
	}
	if resources == (hosting.ResourceConfig{}) {
		return nil
	}
	workload, err := p.ownWorkload(ctx, hosting.UpdateFailed, t, a)
	if err != nil {
		return err
	}
	if err := p.mayUpdateResources(t, workload); err != nil {
		return err
	}
	if _, err := configs.UpdateResources(resourcesOf(t.kind.template(workload)), resources); err != nil {
		return invalid(err)
	}
	// Only what the caller has given is in the patch: what another caller
	// changes at the same time stays.
	patch := t.kind.inTemplate(map[string]any{"spec": map[string]any{"containers": []any{
		map[string]any{"name": containerName, "resources": resourceRequirements(resources)},
	}}})
	patch["metadata"] = map[string]any{"uid": workload.GetUID()}
	_, err = t.kind.patch(ctx, t.region, t.name, types.StrategicMergePatchType, mergePatch(patch))
	if t.kind.isJob() && isImmutable(err) {
		return p.remakeResized(ctx, t, a, resources)
	}
	if err != nil {
		return p.fail(ctx, hosting.UpdateFailed, t.id, "updating "+t.kind.kind+" "+t.name, err)
	}
	return p.follow(ctx, hosting.UpdateFailed, t, a, hosting.StatusUpdating)
}

func (p *Provider) mayUpdateResources(t target, workload object) error {
	if seen := t.kind.observe(workload); t.kind.isJob() && (!seen.stopped || seen.finished != "") {
		return p.conflict(hosting.UpdateFailed, t.id, "the resources of a job can change only while it is stopped")
	}
	return nil
}

// remakeResized changes a stopped Job on API servers that do not let a Job
// change, not even while it is suspended. It has no running replicas, so a new
// one is as good.
func (p *Provider) remakeResized(ctx context.Context, t target, a *anchor, resources hosting.ResourceConfig) error {
	return p.remake(ctx, hosting.UpdateFailed, t, a, func(d *desired, old object) (err error) {
		if old != nil {
			if err := p.mayUpdateResources(t, old); err != nil {
				return err
			}
			d.take(t.kind, old)
			d.Spec.Resources = resourcesOf(t.kind.template(old))
		}
		d.Operation = hosting.StatusUpdating
		d.Spec.Resources, err = configs.UpdateResources(d.Spec.Resources, resources)
		return err
	})
}

// isImmutable recognises the refusal to change a field that is fixed.
func isImmutable(err error) bool {
	return apierrors.IsInvalid(err) && strings.Contains(err.Error(), "field is immutable")
}

// inTemplate returns a patch of a workload that changes its pod template.
func (k *kind) inTemplate(change map[string]any) map[string]any {
	patch := map[string]any{"template": change}
	if k.instanceType == hosting.TypeCronJob {
		patch = map[string]any{"jobTemplate": map[string]any{"spec": patch}}
	}
	return map[string]any{"spec": patch}
}
