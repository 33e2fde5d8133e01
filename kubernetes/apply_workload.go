package kubernetes

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/configs"
)

// follow returns a part as it should be, given what is live: what others than
// the configuration decide stays as it is.
func (ap *application) follow(part part, r record, live object) object {
	switch part.resource {
	case secrets:
		// It is immutable: only its labels can change.
		part.object.(*corev1.Secret).Data = live.(*corev1.Secret).Data
		return part.object
	case autoscalers:
		return followTakeOver(part.object, live)
	case ap.t.kind.resource:
		return ap.followWorkload(r, live)
	}
	return part.object
}

// followWorkload keeps the number of replicas, within limits that have just
// been set, whether the workload is stopped, and when it was restarted.
func (ap *application) followWorkload(r record, live object) object {
	kind := ap.t.kind
	o := ap.likeLive(r, live)
	if at, ok := kind.template(live).Annotations[annotationRestartedAt]; ok {
		kind.template(o).Annotations[annotationRestartedAt] = at
	}
	if kind.isJob() {
		// Its pods have the labels that they were made with.
		kind.template(o).ObjectMeta = *kind.template(live).ObjectMeta.DeepCopy()
	}
	return o
}

// likeLive builds a workload that has as many replicas as the one that is live,
// within limits that have just been set, and is as stopped.
func (ap *application) likeLive(r record, live object) object {
	r.Desired.take(ap.t.kind, live)
	r.Desired.Replicas = r.Desired.allowed(r.Desired.Limits.clamp(r.Desired.Replicas, generationOf(live)))
	if d := &r.Desired; d.ResourcesOf < d.Generation && d.ResourcesOf <= generationOf(live) {
		// They are not what has changed, and may be newer than the anchor's.
		d.Spec.Resources = resourcesOf(ap.t.kind.template(live))
	}
	o := ap.t.kind.build(ap.p, r)
	stamp(o, r.Desired.Generation)
	return o
}

// replaceJob makes a Job anew whose template has to change. One that is running
// stays.
func (ap *application) replaceJob(ctx context.Context) error {
	generation := ap.anchor.record.Desired.Generation
	return ap.p.remake(ctx, hosting.UpdateFailed, ap.t, ap.anchor, func(d *desired, old object) error {
		if d.Generation != generation {
			return errSuperseded
		}
		if old == nil {
			return nil
		}
		if seen := ap.t.kind.observe(old); !seen.stopped && seen.finished == "" {
			return ap.jobIsRunning(ap.anchor.record)
		}
		d.take(ap.t.kind, old)
		return nil
	})
}

// jobIsRunning refuses to change what the pods of a job are made from, naming
// the fields.
func (ap *application) jobIsRunning(next record) error {
	const allowed = "no change while the job runs: stop it first"
	have := ap.anchor.record
	var fixed hosting.FieldErrors
	onlyResources := true
	for _, change := range configs.Changes(have.Config, next.Config) {
		switch part, _, _ := strings.Cut(change.Field, "."); {
		case part == "resources":
		case part == "container", strings.HasPrefix(change.Field, "env["), change.Field == "network.ports":
			onlyResources = false
		default:
			continue // no part of what its pods do
		}
		fixed = append(fixed, hosting.FieldError{Field: change.Field, Value: change.What, Allowed: allowed})
	}
	if have.Desired.SecretName != next.Desired.SecretName {
		fixed = append(fixed, hosting.FieldError{Field: "secretEnv", Value: "another", Allowed: allowed})
		onlyResources = false
	}
	if len(fixed) == 0 {
		// The defaults have changed since; or it was started when the change had
		// just been accepted, which the next start after a stop carries out.
		return ap.p.conflict(hosting.UpdateFailed, ap.t.id, "the job runs, and its pods would be made from something else now: stop it first")
	}
	reason := hosting.Unsupported
	if onlyResources {
		reason = hosting.Conflict // as for UpdateResources
	}
	failed := hosting.Errorf(ap.p.config.Name, hosting.UpdateFailed, reason, "%w", fixed)
	failed.InstanceID = ap.t.id
	return failed
}
