package kubernetes

import (
	"context"
	"maps"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"

	"skillcenter.io/hosting"
)

// RunNow implements [hosting.JobRunner]. It is a Conflict while the cronjob is
// stopped or a run is active: runs never overlap.
func (p *Provider) RunNow(ctx context.Context, instanceID string) error {
	t, a, err := p.begin(ctx, hosting.StartFailed, instanceID)
	if err != nil {
		return err
	}
	if t.kind.instanceType != hosting.TypeCronJob {
		return p.unsupported(hosting.StartFailed, t, notes[hosting.CanRunNow])
	}
	o, err := p.ownWorkload(ctx, hosting.StartFailed, t, a)
	if err != nil {
		return p.fail(ctx, hosting.StartFailed, t.id, "reading CronJob "+t.name, err)
	}
	cronJob := o.(*batchv1.CronJob)
	if observeCronJob(cronJob).stopped {
		return p.conflict(hosting.StartFailed, t.id, "the instance is stopped: start it first")
	}
	var list batchv1.JobList
	if err := kinds[hosting.TypeJob].list(ctx, t.region, p.podSelector(t), &list); err != nil {
		return p.fail(ctx, hosting.StartFailed, t.id, "listing jobs", err)
	}
	for i := range list.Items {
		if metav1.IsControlledBy(&list.Items[i], cronJob) && observeJob(&list.Items[i]).finished == "" {
			return p.conflict(hosting.StartFailed, t.id, "run %s is active", list.Items[i].Name)
		}
	}
	template := cronJob.Spec.JobTemplate.DeepCopy()
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Name:        t.name + "-now-" + rand.String(5),
			Labels:      template.Labels,
			Annotations: maps.Clone(template.Annotations),
			OwnerReferences: []metav1.OwnerReference{
				*metav1.NewControllerRef(cronJob, batchv1.SchemeGroupVersion.WithKind("CronJob")),
			},
		},
		Spec: template.Spec,
	}
	if job.Annotations == nil {
		job.Annotations = map[string]string{}
	}
	// What kubectl create job --from sets, so that tools show where it is from.
	job.Annotations["cronjob.kubernetes.io/instantiate"] = "manual"
	if _, err := kinds[hosting.TypeJob].create(ctx, t.region, job); err != nil {
		return p.fail(ctx, hosting.StartFailed, t.id, "creating "+describe(kinds[hosting.TypeJob].resource, job), err)
	}
	return nil
}
