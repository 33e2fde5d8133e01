package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/configs"
	"skillcenter.io/hosting/volume"
)

// PlanInstance implements [hosting.InstancePlanner]. The API server is asked by
// a server-side dry run whether it would accept every part: what it refuses is
// an objection, as is what this provider refuses because of what is there. A
// configuration that is wrong in itself is an error. The cost is not known.
func (p *Provider) PlanInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.InstancePlan, error) {
	t, wanted, a, err := p.beginApply(ctx, config)
	if a == nil && err != nil {
		if t.kind != nil && isObjection(err) {
			return hosting.InstancePlan{Objections: []string{messageOf(err)}}, nil
		}
		return hosting.InstancePlan{}, recode(err, hosting.UpdateFailed)
	}
	ap := &application{p: p, t: t, anchor: a, secretEnv: maps.Clone(config.SecretEnv)}
	plan, err := ap.plan(ctx, wanted)
	if isConflictWithLive(err) {
		err = retryOnConflict(ctx, func() error {
			if ap.anchor, err = p.existing(ctx, t); err == nil {
				plan, err = ap.plan(ctx, wanted)
			}
			return err
		})
	}
	if err != nil {
		return hosting.InstancePlan{}, p.fail(ctx, hosting.UpdateFailed, t.id, "planning", err)
	}
	return plan, nil
}

// isObjection tells that something is refused because of what is there, for
// good.
func isObjection(err error) bool {
	var failed *hosting.Error
	if errors.As(err, &failed) {
		return slices.Contains([]hosting.Reason{hosting.AlreadyExists, hosting.Conflict, hosting.Unsupported}, failed.Reason)
	}
	return isDefiniteRefusal(err)
}

func messageOf(err error) string {
	var failed *hosting.Error
	if errors.As(err, &failed) {
		return failed.Message
	}
	return err.Error()
}

func (ap *application) plan(ctx context.Context, wanted record) (hosting.InstancePlan, error) {
	var plan hosting.InstancePlan
	next, err := ap.planRecord(ctx, wanted)
	if isMountRefusal(err) {
		plan.Objections = []string{messageOf(err)}
		return plan, nil
	}
	if err != nil {
		return plan, err
	}
	attempts := ap.tryAll(ctx, next)
	if ap.anchor == nil {
		attempts = slices.Insert(attempts, 0, ap.tryAnchor(ctx, next))
		plan.Changes = append(plan.Changes, "instance "+ap.t.id+" is new")
	} else {
		if plan.Changes, err = ap.changes(ctx, next); err != nil {
			return plan, err
		}
		attempts = slices.Insert(attempts, 0, ap.tryAnchorUpdate(ctx, next))
	}
	for _, a := range attempts {
		if a.err != nil {
			if isConflictWithLive(a.err) || !isObjection(a.err) {
				return plan, fmtError(a.name(), a.err)
			}
			plan.Objections = append(plan.Objections, a.name()+": "+messageOf(a.err))
		}
		planned, err := a.planned()
		if err != nil {
			return plan, err
		}
		plan.Objects = append(plan.Objects, planned)
		plan.Restarts = plan.Restarts || ap.restarts(a)
		if ap.anchor != nil && a.resource == ap.t.kind.resource && a.live != nil && a.wanted != nil {
			plan.Detaches = ap.hasPods(a) && volume.Detaches(plainMounts(ap.anchor.record.Desired.Mounts), plainMounts(next.Desired.Mounts))
			plan.Changes = append(plan.Changes, replicaChange(ap.t.kind, a)...)
		}
	}
	return plan, nil
}

// planRecord is what the anchor would hold.
func (ap *application) planRecord(ctx context.Context, wanted record) (record, error) {
	if ap.anchor != nil {
		return ap.next(ctx, wanted)
	}
	wanted.begin(ap.secretEnv, hosting.Now(), rand.String(10))
	plain := plainMounts(wanted.Desired.Mounts)
	e, refusals, err := ap.p.examine(ctx, plain, plain, nil, userOf(wanted))
	if err == nil {
		err = ap.p.mountRefusal(hosting.UpdateFailed, ap.t.id, refusals)
	}
	if err != nil {
		return record{}, err
	}
	wanted.Desired.Mounts = e.mounts(plain, nil)
	return wanted, nil
}

// changes tells in what the configuration would differ.
func (ap *application) changes(ctx context.Context, next record) ([]string, error) {
	have := ap.anchor.record
	var lines []string
	for _, change := range configs.Changes(inForce(have), inForce(next)) {
		if change.Field != "container.volumeMounts" { // it does not say what is mounted
			lines = append(lines, change.String())
		}
	}
	lines = append(lines, volume.Changes(plainMounts(have.Desired.Mounts), plainMounts(next.Desired.Mounts))...)
	if have.Desired.SecretName != next.Desired.SecretName {
		values, err := ap.secretValues(ctx)
		if err != nil {
			return nil, err
		}
		for _, change := range configs.SecretChanges(values, ap.secretEnv) {
			lines = append(lines, change.String())
		}
	}
	if len(lines) == 0 && next.Desired.Generation != have.Desired.Generation {
		lines = append(lines, "defaults of the provider have changed since")
	}
	if len(lines) == 0 && have.Desired.pending() {
		lines = append(lines, "the last change was not carried out in full")
	}
	return lines, nil
}

// secretValues are those in force: none if the Secret is gone.
func (ap *application) secretValues(ctx context.Context) (hosting.SecretMap, error) {
	values := hosting.SecretMap{}
	name := ap.anchor.record.Desired.SecretName
	if name == "" {
		return values, nil
	}
	secret, err := ap.ownSecret(ctx, name)
	if err != nil || secret == nil {
		return values, err
	}
	for key, value := range secret.Data {
		values[key] = string(value)
	}
	return values, nil
}

// inForce is a configuration with the resources that it amounts to:
// UpdateResources changes them, and the configuration brings them back.
func inForce(r record) hosting.CloudHostingConfig {
	config := r.Config
	config.Resources = new(resourcesIn(resourceRequirements(r.Desired.Spec.Resources)))
	return config
}

func replicaChange(k *kind, a attempt) []string {
	live, wanted := k.observe(a.live), k.observe(a.wanted)
	if live.scheduled || k.instanceType == hosting.TypeDaemonSet || live.want == wanted.want {
		return nil
	}
	return []string{fmt.Sprintf("replicas: %d becomes %d", live.want, wanted.want)}
}

// restarts tells that pods that run would be replaced.
func (ap *application) restarts(a attempt) bool {
	if a.resource != ap.t.kind.resource || a.live == nil || a.wanted == nil || a.result == nil || !ap.hasPods(a) {
		return false
	}
	return !apiequality.Semantic.DeepEqual(ap.t.kind.template(a.live), ap.t.kind.template(a.result))
}

// hasPods tells that a change of the workload replaces pods.
func (ap *application) hasPods(a attempt) bool {
	seen := ap.t.kind.observe(a.live)
	return !seen.stopped && !seen.scheduled && seen.finished == "" && seen.want > 0
}

// isMountRefusal tells that a volume is not to be had.
func isMountRefusal(err error) bool {
	var failed *hosting.Error
	return errors.As(err, &failed) && slices.Contains([]hosting.Reason{hosting.NotFound, hosting.InvalidArgument, hosting.Conflict}, failed.Reason)
}

// tryAnchor asks whether the anchor of a new instance would be accepted.
func (ap *application) tryAnchor(ctx context.Context, next record) attempt {
	a := attempt{resource: configMaps}
	anchor, err := ap.p.newAnchor(next)
	if err != nil {
		a.err = err
		return a
	}
	a.wanted = anchor
	a.result, a.err = ap.tryCreate(ctx, configMaps, anchor)
	return a
}

// tryAnchorUpdate asks whether the anchor of an instance that exists would be
// accepted: it may become too large.
func (ap *application) tryAnchorUpdate(ctx context.Context, next record) attempt {
	a := attempt{resource: configMaps, live: ap.anchor.ConfigMap}
	update, err := ap.anchor.withRecord(ap.p, next)
	if err != nil {
		a.err = err
		return a
	}
	a.wanted = update
	a.result, a.err = tolerateNoDryRun(update)(configMaps.update(ctx, ap.t.region, update, metav1.DryRunAll))
	return a
}

// planned is the object in a plan.
func (a attempt) planned() (hosting.PlannedObject, error) {
	result := hosting.PlannedObject{Kind: a.kind}
	if a.wanted == nil {
		result.Name, result.Action = nameOf(a.live), hosting.PlanDelete
		return result, nil
	}
	shown := a.wanted
	if a.result != nil && !a.replaced {
		shown = a.result
	}
	result.Name = a.wanted.GetName()
	after, err := plainManifest(shown)
	if err != nil {
		return result, err
	}
	switch {
	case a.replaced:
		result.Action = hosting.PlanReplace
	case a.live == nil:
		result.Action = hosting.PlanCreate
	default:
		before, err := plainManifest(a.live)
		if err != nil {
			return result, err
		}
		result.Action = hosting.PlanUpdate
		if reflect.DeepEqual(before, after) {
			result.Action = hosting.PlanKeep
		}
	}
	result.Manifest, err = json.Marshal(after)
	return result, err
}

func nameOf(o object) string {
	if o == nil {
		return ""
	}
	return o.GetName()
}

// plainManifest is an object without what the API server adds, and without
// secret values.
func plainManifest(o object) (map[string]any, error) {
	o = o.DeepCopyObject().(object)
	o.SetManagedFields(nil)
	o.SetUID("")
	o.SetResourceVersion("")
	o.SetGeneration(0)
	o.SetCreationTimestamp(metav1.Time{})
	o.SetNamespace("")
	o.SetOwnerReferences(nil)
	if secret, ok := o.(*corev1.Secret); ok {
		redact(secret)
	}
	return manifestOf(o)
}

// redact replaces the values of a Secret, which keeps their names.
func redact(secret *corev1.Secret) {
	secret.Data = maps.Clone(secret.Data)
	for key := range secret.Data {
		secret.Data[key] = []byte("REDACTED")
	}
}

// isConflictWithLive tells that an object has changed since it was read: the
// plan is to be made again.
func isConflictWithLive(err error) bool {
	var failed *hosting.Error
	return apierrors.IsConflict(err) && !errors.As(err, &failed)
}
