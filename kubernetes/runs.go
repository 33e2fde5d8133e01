package kubernetes

import (
	"context"
	"fmt"
	"maps"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
)

// RunNow implements [hosting.JobRunner]. It is a Conflict while the cronjob is
// stopped or a run is active. Kubernetes does not take such a run into account
// when the schedule is due: the scheduled run may then overlap with it.
func (p *Provider) RunNow(ctx context.Context, instanceID string) error {
	t, a, err := p.begin(ctx, hosting.StartFailed, instanceID)
	if err != nil {
		return err
	}
	if t.kind.instanceType != hosting.TypeCronJob {
		return p.unsupported(hosting.StartFailed, t, notes[hosting.CanRunNow])
	}
	workload, err := p.ownWorkload(ctx, hosting.StartFailed, t, a)
	if err != nil {
		return err
	}
	if observeCronJob(workload).stopped {
		return p.conflict(hosting.StartFailed, t.id, "the instance is stopped: start it first")
	}
	runs, err := p.runs(ctx, t, workload)
	if err != nil {
		return p.fail(ctx, hosting.StartFailed, t.id, "listing the runs of CronJob "+t.name, err)
	}
	taken := map[string]bool{}
	for i := range runs {
		if observeJob(&runs[i]).finished == "" {
			return p.conflict(hosting.StartFailed, t.id, "run %s is active", runs[i].Name)
		}
		taken[runs[i].Name] = true
	}
	// The name is taken by the first of several callers.
	number := a.record.Desired.RunsNow + 1
	for taken[runName(t.name, number)] {
		number++ // its caller died before it could count it
	}
	job := runOf(workload.(*batchv1.CronJob), runName(t.name, number))
	_, err = kinds[hosting.TypeJob].create(ctx, t.region, job)
	if apierrors.IsAlreadyExists(err) {
		return p.conflict(hosting.StartFailed, t.id, "run %s is active", job.Name)
	}
	if err != nil {
		return p.fail(ctx, hosting.StartFailed, t.id, "creating "+describe(kinds[hosting.TypeJob].resource, job), err)
	}
	// It may have been stopped before there was this run to stop.
	if err := p.followSchedule(ctx, hosting.StartFailed, t, a); err != nil {
		return p.fail(ctx, hosting.StartFailed, t.id, "looking after "+describe(kinds[hosting.TypeJob].resource, job), err)
	}
	_, err = p.change(ctx, hosting.StartFailed, t, a, func(d *desired) error {
		d.RunsNow = max(d.RunsNow, number)
		return nil
	})
	return err
}

func runName(instance string, number int) string { return fmt.Sprintf("%s-now-%d", instance, number) }

// runOf makes a run of a cronjob, as kubectl create job --from does.
func runOf(cronJob *batchv1.CronJob, name string) *batchv1.Job {
	template := cronJob.Spec.JobTemplate.DeepCopy()
	annotations := map[string]string{"cronjob.kubernetes.io/instantiate": "manual"}
	maps.Copy(annotations, template.Annotations)
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: template.Labels, Annotations: annotations,
			OwnerReferences: []metav1.OwnerReference{
				*metav1.NewControllerRef(cronJob, batchv1.SchemeGroupVersion.WithKind("CronJob")),
			},
		},
		Spec: template.Spec,
	}
}

// runs lists the Jobs of a cronjob, those that have ended included.
func (p *Provider) runs(ctx context.Context, t target, cronJob object) ([]batchv1.Job, error) {
	var list, own batchv1.JobList
	if err := kinds[hosting.TypeJob].list(ctx, t.region, p.podSelector(t), &list); err != nil {
		return nil, err
	}
	for i := range list.Items {
		if metav1.IsControlledBy(&list.Items[i], cronJob) {
			own.Items = append(own.Items, list.Items[i])
		}
	}
	return own.Items, nil
}

// suspendRuns stops or resumes the runs that have not ended.
func (p *Provider) suspendRuns(ctx context.Context, t target, cronJob object, suspend bool) error {
	runs, err := p.runs(ctx, t, cronJob)
	if err != nil {
		return err
	}
	for i := range runs {
		seen := observeJob(&runs[i])
		if seen.finished != "" || seen.stopped == suspend {
			continue
		}
		patch := mergePatch(map[string]any{"metadata": map[string]any{"uid": runs[i].UID}, "spec": map[string]any{"suspend": suspend}})
		_, err := kinds[hosting.TypeJob].patch(ctx, t.region, runs[i].Name, types.MergePatchType, patch)
		if ignoreNotFound(err) != nil {
			return fmtError("Job "+runs[i].Name, err)
		}
	}
	return nil
}

// followSchedule suspends or resumes the runs of a cronjob as its schedule is,
// until both agree: the instance may be stopped and started at the same time.
func (p *Provider) followSchedule(ctx context.Context, code hosting.Code, t target, a *anchor) error {
	workload, err := p.ownWorkload(ctx, code, t, a)
	for err == nil {
		stopped := observeCronJob(workload).stopped
		if err := p.suspendRuns(ctx, t, workload, stopped); err != nil {
			return err
		}
		if workload, err = p.ownWorkload(ctx, code, t, a); err == nil && observeCronJob(workload).stopped == stopped {
			return nil
		}
	}
	return err
}

// stopRuns stops the runs of a cronjob that has been stopped. The controller
// may not have seen that yet and start one more, so it looks twice.
func (p *Provider) stopRuns(ctx context.Context, t target, a *anchor) error {
	if err := p.followSchedule(ctx, hosting.StopFailed, t, a); err != nil {
		return err
	}
	if err := sleep(ctx, settleTime); err != nil {
		return err
	}
	return p.followSchedule(ctx, hosting.StopFailed, t, a)
}
