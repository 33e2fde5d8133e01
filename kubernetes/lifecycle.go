package kubernetes

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
)

// StartInstance implements [hosting.CloudHostingProvider]. Parts that were
// lost are made again, also of an instance that runs.
func (p *Provider) StartInstance(ctx context.Context, instanceID string) error {
	t, a, err := p.begin(ctx, hosting.StartFailed, instanceID)
	if err != nil {
		return err
	}
	if err := recode(p.repair(ctx, t, a), hosting.StartFailed); err != nil {
		return err
	}
	// The workload may be one that the repair has just made, as stopped as it
	// was, and the anchor may say something newer, which it has carried out.
	a, workload, err := p.current(ctx, hosting.StartFailed, t, a)
	if err != nil {
		return err
	}
	seen := t.kind.observe(workload)
	if seen.finished != "" {
		return nil
	}
	if t.kind.instanceType == hosting.TypeCronJob {
		// The runs go first: the schedule waits for one that is suspended, so
		// a start that dies in between must not look like a start.
		if err := p.suspendRuns(ctx, t, workload, false); err != nil {
			return p.fail(ctx, hosting.StartFailed, t.id, "resuming the runs of CronJob "+t.name, err)
		}
	}
	var operation hosting.Status
	if seen.stopped || seen.remembered != nil {
		operation = hosting.StatusStarting
		if t.kind.replicated() {
			err = p.startReplicas(ctx, t, a)
		} else {
			err = t.patchSpec(ctx, workload, t.kind.startSpec)
		}
		if err == nil && t.kind.instanceType == hosting.TypeCronJob {
			err = p.followSchedule(ctx, hosting.StartFailed, t, a) // a stop may have come between
		}
		if err != nil {
			return p.fail(ctx, hosting.StartFailed, t.id, "starting "+t.kind.kind+" "+t.name, err)
		}
	}
	return p.follow(ctx, hosting.StartFailed, t, a, operation)
}

// StopInstance implements [hosting.CloudHostingProvider].
func (p *Provider) StopInstance(ctx context.Context, instanceID string) error {
	t, a, err := p.begin(ctx, hosting.StopFailed, instanceID)
	if err != nil {
		return err
	}
	workload, err := p.ownWorkload(ctx, hosting.StopFailed, t, a)
	if err != nil {
		return err
	}
	if t.kind.observe(workload).finished != "" {
		return nil
	}
	if t.kind.replicated() {
		err = p.stopReplicas(ctx, t, a)
	} else {
		err = t.patchSpec(ctx, workload, t.kind.stopSpec)
	}
	if err == nil && t.kind.instanceType == hosting.TypeCronJob {
		err = p.stopRuns(ctx, t, a)
	}
	if err != nil {
		return p.fail(ctx, hosting.StopFailed, t.id, "stopping "+t.kind.kind+" "+t.name, err)
	}
	return p.follow(ctx, hosting.StopFailed, t, a, "")
}

// RestartInstance implements [hosting.CloudHostingProvider]. A job runs again
// from the start, whether it has ended or not.
func (p *Provider) RestartInstance(ctx context.Context, instanceID string) error {
	t, a, err := p.begin(ctx, hosting.RestartFailed, instanceID)
	if err != nil {
		return err
	}
	if why := t.kind.unsupported[hosting.CanRestart]; why != "" {
		return p.unsupported(hosting.RestartFailed, t, why)
	}
	workload, err := p.workload(ctx, hosting.RestartFailed, t, a)
	if err != nil {
		return err
	}
	if workload == nil || t.kind.isJob() {
		return p.remake(ctx, hosting.RestartFailed, t, a, func(d *desired, old object) error {
			if old != nil {
				d.take(t.kind, old)
			}
			if d.Stopped {
				return p.isStopped(t)
			}
			d.Operation, d.UpdatedAt = hosting.StatusRestarting, hosting.NewTime(time.Now())
			return nil
		})
	}
	if t.kind.observe(workload).stopped {
		return p.isStopped(t)
	}
	// A merge patch of one annotation leaves all others as they are.
	err = t.patchSpec(ctx, workload, map[string]any{"template": map[string]any{"metadata": map[string]any{
		"annotations": map[string]string{annotationRestartedAt: time.Now().UTC().Format(time.RFC3339Nano)},
	}}})
	if err != nil {
		return p.fail(ctx, hosting.RestartFailed, t.id, "restarting "+t.kind.kind+" "+t.name, err)
	}
	return p.follow(ctx, hosting.RestartFailed, t, a, hosting.StatusRestarting)
}

// isStopped refuses to restart an instance.
func (p *Provider) isStopped(t target) error {
	return p.conflict(hosting.RestartFailed, t.id, "the instance is stopped: start it instead")
}

// begin finds the instance for a call that changes it.
func (p *Provider) begin(ctx context.Context, code hosting.Code, instanceID string) (target, *anchor, error) {
	t, err := p.find(code, instanceID)
	if err != nil {
		return target{}, nil, err
	}
	a, err := p.anchorForChange(ctx, code, t)
	return t, a, err
}

// follow writes what the workload has become into the anchor, so that a repair
// makes it as it is. The workload goes first: it is what runs, and a change
// that was refused or never arrived leaves no trace in the anchor. Of callers
// that cross, the last one to get here writes what they have led to.
// The operation is the status to show until it is carried out, if not empty.
func (p *Provider) follow(ctx context.Context, code hosting.Code, t target, a *anchor, operation hosting.Status) error {
	_, err := p.following(ctx, code, t, a, operation)
	return err
}

// following is follow for a call that needs the anchor.
func (p *Provider) following(ctx context.Context, code hosting.Code, t target, a *anchor, operation hosting.Status) (*anchor, error) {
	now, err := p.change(ctx, code, t, a, func(d *desired) error {
		workload, err := p.ownWorkload(ctx, code, t, a)
		if err != nil {
			return err
		}
		d.take(t.kind, workload)
		if generationOf(workload) == d.Generation {
			// Else they are those of a configuration that is being replaced.
			d.Spec.Resources = resourcesOf(t.kind.template(workload))
		}
		if operation != "" {
			d.Operation, d.UpdatedAt = operation, hosting.NewTime(time.Now())
		}
		return nil
	})
	if err == nil {
		// What was asked for is done. What cannot be removed waits for the next call.
		_ = p.removeOldSecrets(ctx, code, t, now)
	}
	return now, err
}

// take follows how many replicas a workload has and whether it is stopped.
func (d *desired) take(k *kind, workload object) {
	seen := k.observe(workload)
	d.Stopped = seen.stopped && seen.finished == ""
	switch {
	case k.isJob():
		d.Replicas = seen.want
	case k.replicated() && d.Stopped:
		d.Replicas = *seen.remembered
	case k.replicated():
		d.Replicas = seen.want
	}
}

// recode gives an error of a repair the code of the call that it is part of.
func recode(err error, code hosting.Code) error {
	if failed, ok := err.(*hosting.Error); ok && failed.Code != hosting.InstanceNotFound {
		failed.Code = code
	}
	return err
}

// patchSpec changes fields of the spec of this very workload: should another
// one have its name by now, it is a conflict.
func (t target) patchSpec(ctx context.Context, workload object, spec map[string]any) error {
	patch := mergePatch(map[string]any{"metadata": map[string]any{"uid": workload.GetUID()}, "spec": spec})
	_, err := t.kind.patch(ctx, t.region, t.name, types.MergePatchType, patch)
	return err
}
