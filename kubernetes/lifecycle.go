package kubernetes

import (
	"context"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
)

// StartInstance implements [hosting.CloudHostingProvider]. Parts that were
// lost are made again.
func (p *Provider) StartInstance(ctx context.Context, instanceID string) error {
	t, a, err := p.begin(ctx, hosting.StartFailed, instanceID)
	if err != nil {
		return err
	}
	workload, err := t.kind.get(ctx, t.region, t.name)
	if ignoreNotFound(err) != nil {
		return p.fail(ctx, hosting.StartFailed, t.id, "reading "+t.kind.kind+" "+t.name, err)
	}
	missing := err != nil
	if !missing && (t.kind.observe(workload).finished != "" || !t.kind.observe(workload).stopped) {
		return p.rememberStopped(ctx, hosting.StartFailed, t, a, false)
	}
	// The intent goes first: a repair then makes the workload as it should be.
	if a, err = p.change(ctx, hosting.StartFailed, t, a, func(d *desired) error {
		d.Stopped, d.Operation = false, hosting.StatusStarting
		return nil
	}); err != nil {
		return err
	}
	if missing {
		return recode(p.repair(ctx, t, a), hosting.StartFailed)
	}
	if t.kind.replicated() {
		err = p.startReplicas(ctx, t, a)
	} else {
		err = p.patchStop(ctx, t, a, t.kind.startPatch)
	}
	if err == nil && t.kind.instanceType == hosting.TypeCronJob {
		err = p.suspendRuns(ctx, t, workload, false)
	}
	if err != nil {
		return p.fail(ctx, hosting.StartFailed, t.id, "starting "+t.kind.kind+" "+t.name, err)
	}
	return nil
}

// StopInstance implements [hosting.CloudHostingProvider].
func (p *Provider) StopInstance(ctx context.Context, instanceID string) error {
	t, a, err := p.begin(ctx, hosting.StopFailed, instanceID)
	if err != nil {
		return err
	}
	workload, err := p.ownWorkload(ctx, hosting.StopFailed, t, a)
	if err != nil {
		return p.fail(ctx, hosting.StopFailed, t.id, "reading "+t.kind.kind+" "+t.name, err)
	}
	if t.kind.observe(workload).finished != "" {
		return nil
	}
	if err := p.rememberStopped(ctx, hosting.StopFailed, t, a, true); err != nil {
		return err
	}
	if t.kind.replicated() {
		err = p.stopReplicas(ctx, t, a)
	} else {
		err = p.patchStop(ctx, t, a, t.kind.stopPatch)
	}
	if err == nil && t.kind.instanceType == hosting.TypeCronJob {
		err = p.suspendRuns(ctx, t, workload, true)
	}
	if err != nil {
		return p.fail(ctx, hosting.StopFailed, t.id, "stopping "+t.kind.kind+" "+t.name, err)
	}
	return nil
}

// rememberStopped writes into the anchor whether the instance is stopped, if
// that is not what it says already.
func (p *Provider) rememberStopped(ctx context.Context, code hosting.Code, t target, a *anchor, stopped bool) error {
	if a.record.Desired.Stopped == stopped {
		return nil
	}
	_, err := p.change(ctx, code, t, a, func(d *desired) error {
		d.Stopped = stopped
		return nil
	})
	return err
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
	workload, err := t.kind.get(ctx, t.region, t.name)
	if ignoreNotFound(err) != nil {
		return p.fail(ctx, hosting.RestartFailed, t.id, "reading "+t.kind.kind+" "+t.name, err)
	}
	missing := err != nil
	if a.record.Desired.Stopped || !missing && t.kind.observe(workload).stopped {
		return p.conflict(hosting.RestartFailed, t.id, "the instance is stopped: start it instead")
	}
	if a, err = p.change(ctx, hosting.RestartFailed, t, a, func(d *desired) error {
		d.Operation = hosting.StatusRestarting
		return nil
	}); err != nil {
		return err
	}
	switch {
	case missing:
		return recode(p.repair(ctx, t, a), hosting.RestartFailed)
	case t.kind.isJob():
		return p.rerun(ctx, hosting.RestartFailed, t, a, workload)
	}
	// A merge patch of one annotation leaves all others as they are.
	patch := mergePatch(map[string]any{"metadata": map[string]any{"uid": workload.GetUID()}, "spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
		"annotations": map[string]string{annotationRestartedAt: time.Now().UTC().Format(time.RFC3339Nano)},
	}}}})
	if _, err := t.kind.patch(ctx, t.region, t.name, types.MergePatchType, patch); err != nil {
		return p.fail(ctx, hosting.RestartFailed, t.id, "restarting "+t.kind.kind+" "+t.name, err)
	}
	return nil
}

// rerun replaces a Job by a new one made from the anchor: a Job cannot run
// twice. If the process dies in between, a repair makes the new one.
func (p *Provider) rerun(ctx context.Context, code hosting.Code, t target, a *anchor, old object) error {
	background := metav1.DeletePropagationBackground
	err := t.kind.delete(ctx, t.region, t.name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: new(old.GetUID())}, PropagationPolicy: &background,
	})
	if ignoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return p.fail(ctx, code, t.id, "removing the old Job "+t.name, err)
	}
	return recode(p.repair(ctx, t, a), code)
}

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
	workload, err := p.ownWorkload(ctx, hosting.UpdateFailed, t, a)
	if err != nil {
		return p.fail(ctx, hosting.UpdateFailed, t.id, "reading "+t.kind.kind+" "+t.name, err)
	}
	if seen := t.kind.observe(workload); t.kind.isJob() && (!seen.stopped || seen.finished != "") {
		return p.conflict(hosting.UpdateFailed, t.id, "the resources of a job can change only while it is stopped")
	}
	if resources == (hosting.ResourceConfig{}) {
		return nil
	}
	a, err = p.change(ctx, hosting.UpdateFailed, t, a, func(d *desired) error {
		merged, err := updateResources(d.Spec.Resources, resources)
		if err != nil {
			return invalid(err)
		}
		d.Spec.Resources, d.Operation = merged, hosting.StatusUpdating
		return nil
	})
	if err != nil {
		return err
	}
	path := t.kind.templatePath + "/spec/containers/0"
	_, err = t.kind.patch(ctx, t.region, t.name, types.JSONPatchType, jsonPatch(
		operation{"test", "/metadata/uid", workload.GetUID()},
		operation{"test", path + "/name", containerName},
		operation{"add", path + "/resources", resourceRequirements(a.record.Desired.Spec.Resources)},
	))
	if t.kind.isJob() && apierrors.IsInvalid(err) && !isFailedTest(err) {
		// Older API servers do not let a Job change, not even while it is
		// suspended. It has no running replicas, so a new one is as good.
		return p.rerun(ctx, hosting.UpdateFailed, t, a, workload)
	}
	if err != nil {
		return p.fail(ctx, hosting.UpdateFailed, t.id, "updating "+t.kind.kind+" "+t.name, err)
	}
	return nil
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

// recode gives an error of a repair the code of the call that it is part of.
func recode(err error, code hosting.Code) error {
	if failed, ok := err.(*hosting.Error); ok {
		failed.Code = code
	}
	return err
}

// patchStop applies the patch that stops or starts a workload without
// replicas.
func (p *Provider) patchStop(ctx context.Context, t target, a *anchor, patch string) error {
	_, err := t.kind.patch(ctx, t.region, t.name, types.MergePatchType, []byte(patch))
	if apierrors.IsNotFound(err) {
		return p.conflict(hosting.StopFailed, t.id, "%s %s is missing", t.kind.kind, t.name)
	}
	return err
}

// suspendRuns stops or resumes the Jobs that a cronjob has started and that
// have not ended.
func (p *Provider) suspendRuns(ctx context.Context, t target, cronJob object, suspend bool) error {
	var list batchv1.JobList
	if err := kinds[hosting.TypeJob].list(ctx, t.region, p.podSelector(t), &list); err != nil {
		return err
	}
	patch := mergePatch(map[string]any{"spec": map[string]any{"suspend": suspend}})
	for i := range list.Items {
		job := &list.Items[i]
		if !metav1.IsControlledBy(job, cronJob) || observeJob(job).finished != "" || observeJob(job).stopped == suspend {
			continue
		}
		_, err := kinds[hosting.TypeJob].patch(ctx, t.region, job.Name, types.MergePatchType, patch)
		if ignoreNotFound(err) != nil {
			return fmtError("Job "+job.Name, err)
		}
	}
	return nil
}
