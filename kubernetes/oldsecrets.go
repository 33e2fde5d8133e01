package kubernetes

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"skillcenter.io/hosting"
)

// oldSecret is a Secret that no pod of a generation later than Generation uses.
type oldSecret struct {
	Name       string `json:"name"`
	Generation int    `json:"generation"`
}

// removeOldSecrets removes the Secrets of earlier generations that no pod may
// need any more, also to start again. It is for the end of every call that
// changes the instance: a rollout ends after the call that began it, and nobody
// waits for that. Without old Secrets it takes no request.
func (p *Provider) removeOldSecrets(ctx context.Context, code hosting.Code, t target, a *anchor) error {
	if len(a.record.Desired.OldSecrets) == 0 {
		return nil
	}
	unused, err := p.unusedSecrets(ctx, code, t, a)
	if err != nil || len(unused) == 0 {
		return err
	}
	for _, s := range unused {
		if err := p.remove(ctx, t, a, secrets, s.Name); err != nil {
			return p.fail(ctx, code, t.id, "removing Secret "+s.Name, err)
		}
	}
	_, err = p.change(ctx, code, t, a, func(d *desired) error {
		d.OldSecrets = slices.DeleteFunc(d.OldSecrets, func(s oldSecret) bool { return slices.Contains(unused, s) })
		return nil
	})
	return err
}

// unusedSecrets are the old Secrets that no pod may need any more. Those of the
// generation that the workload has been given are not: a call may just be about
// to put one of them into the next.
func (p *Provider) unusedSecrets(ctx context.Context, code hosting.Code, t target, a *anchor) ([]oldSecret, error) {
	workload, err := p.ownWorkload(ctx, code, t, a)
	if err != nil {
		return nil, err
	}
	seen := t.kind.observe(workload)
	if !(seen.rolledOut && seen.settled) && !(seen.stopped && seen.gone) {
		return nil, nil
	}
	used, err := p.secretsOfRuns(ctx, t, workload)
	if err != nil {
		return nil, p.fail(ctx, code, t.id, "listing the runs of CronJob "+t.name, err)
	}
	var unused []oldSecret
	for _, s := range a.record.Desired.OldSecrets {
		if s.Generation < generationOf(workload) && !slices.Contains(used, s.Name) {
			unused = append(unused, s)
		}
	}
	return unused, nil
}

// secretsOfRuns names the Secrets that the active runs of a cronjob use: each
// keeps what it began with. The controller may not have seen the newest
// configuration yet and start one more with the old one, so it waits a moment.
func (p *Provider) secretsOfRuns(ctx context.Context, t target, workload object) ([]string, error) {
	if t.kind.instanceType != hosting.TypeCronJob {
		return nil, nil
	}
	if err := sleep(ctx, settleTime); err != nil {
		return nil, err
	}
	runs, err := p.runs(ctx, t, workload)
	var names []string
	for i := range runs {
		if observeJob(&runs[i]).finished == "" {
			names = append(names, secretsIn(&runs[i].Spec.Template)...)
		}
	}
	return names, err
}

// secretsIn names the Secrets whose values a pod gets.
func secretsIn(template *corev1.PodTemplateSpec) []string {
	var names []string
	for _, container := range template.Spec.Containers {
		for _, variable := range container.Env {
			if from := variable.ValueFrom; from != nil && from.SecretKeyRef != nil {
				names = append(names, from.SecretKeyRef.Name)
			}
		}
	}
	return names
}
