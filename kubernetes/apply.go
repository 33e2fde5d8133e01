package kubernetes

import (
	"cmp"
	"context"
	"maps"
	"reflect"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/rand"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/configs"
)

// An apply goes in three steps:
//
//   - it tries all writes without effect, so that what the API server refuses
//     changes nothing;
//   - it writes the configuration into the anchor, as its next generation: from
//     then on that is what the instance should be, whoever carries it out;
//   - it carries it out: each part gets what the anchor says, and is stamped
//     with the generation. What carries a later stamp is left alone: another
//     call has written a newer configuration, which is carried out instead.
//
// So of several calls the one that wrote the anchor last wins, as a whole. If a
// process dies after the second step, the instance is pending, and the next
// ApplyInstance or StartInstance does the third.

// ApplyInstance implements [hosting.InstanceApplier]. What the configuration
// does not say gets the provider's defaults, as when it is created; the number
// of replicas and whether it is stopped stay as they are. It returns on
// acceptance: the pods are replaced by and by.
func (p *Provider) ApplyInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	instance, err := p.applyConfig(ctx, config)
	return instance, recode(err, hosting.UpdateFailed)
}

func (p *Provider) applyConfig(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	t, wanted, a, err := p.beginApply(ctx, config)
	if err != nil {
		return hosting.CloudInstance{}, err
	}
	ap := &application{p: p, t: t, anchor: a, secretEnv: maps.Clone(config.SecretEnv)}
	if a == nil {
		instance, err := p.CreateInstance(ctx, config)
		if hosting.ReasonOf(err) != hosting.AlreadyExists {
			return instance, err
		}
		// Another call may have created it with another configuration.
		found, findErr := p.existing(ctx, t)
		if findErr != nil || found == nil {
			return hosting.CloudInstance{}, err
		}
		ap.anchor = found
	}
	return ap.run(ctx, wanted)
}

// beginApply checks a configuration, and finds the instance: nil if there is
// none.
func (p *Provider) beginApply(ctx context.Context, config hosting.CloudHostingConfig) (target, record, *anchor, error) {
	if err := ctx.Err(); err != nil {
		return target{}, record{}, nil, p.fail(ctx, hosting.UpdateFailed, "", "applying a configuration", err)
	}
	wanted, err := p.resolve(config)
	if err != nil {
		return target{}, record{}, nil, err
	}
	id := hosting.ID{Region: wanted.Config.Region, Type: wanted.Config.InstanceType, Name: wanted.Config.InstanceName}
	t, err := p.find(hosting.UpdateFailed, id.String())
	if err != nil {
		return target{}, record{}, nil, err
	}
	a, err := p.existing(ctx, t)
	return t, wanted, a, err
}

// existing reads the anchor of the instance that has this name, nil if there is
// none. One that cannot be changed to another configuration is an error.
func (p *Provider) existing(ctx context.Context, t target) (*anchor, error) {
	o, err := configMaps.get(ctx, t.region, anchorName(t.name))
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, p.fail(ctx, hosting.UpdateFailed, t.id, "reading the anchor", err)
	}
	c := &creation{p: p, t: t}
	if err := c.available(o.(*corev1.ConfigMap)); err != nil {
		return nil, err
	}
	a, err := decode(o.(*corev1.ConfigMap))
	if err != nil {
		return nil, p.broken(hosting.UpdateFailed, t.id, err)
	}
	return a, nil
}

// application is a call that gives an instance a configuration, or carries out
// what another one has written into the anchor.
type application struct {
	p         *Provider
	t         target
	secretEnv hosting.SecretMap // nil if not known
	// rollback is the revision that this call goes back to, nil if it does not:
	// its secret values are those in force, whoever has set them last.
	rollback *configs.Revision
	// remount, if not nil, changes the mounts and nothing else; recordOnly tells
	// that there is nothing to carry out then.
	remount    func([]hosting.VolumeMount) ([]hosting.VolumeMount, error)
	recordOnly bool
	anchor     *anchor

	// volumes are those of the next record. reserved names those that this call
	// has reserved, unmounted those of which mounts are no more.
	volumes             *examination
	reserved, unmounted []string
}

// run changes the instance of the anchor, which exists, and returns it as it is
// then.
func (ap *application) run(ctx context.Context, wanted record) (hosting.CloudInstance, error) {
	var instance hosting.CloudInstance
	err := ap.apply(ctx, wanted)
	if err == nil {
		instance, err = ap.p.GetInstance(ctx, ap.t.id)
	}
	if hosting.CodeOf(err) == hosting.InstanceNotFound {
		err = ap.p.deletedMeanwhile(hosting.UpdateFailed, ap.t)
	}
	if err != nil {
		return hosting.CloudInstance{}, ap.p.fail(ctx, hosting.UpdateFailed, ap.t.id, "applying the configuration", err)
	}
	return instance, nil
}

func (ap *application) apply(ctx context.Context, wanted record) error {
	uid, current := ap.anchor.UID, true
	err := retryOnConflict(ctx, func() (err error) {
		if !current {
			if ap.anchor, err = ap.p.anchorAgain(ctx, hosting.UpdateFailed, ap.t, uid); err != nil {
				return err
			}
		}
		current = false // read again after a conflict
		return ap.accept(ctx, wanted)
	})
	if err != nil {
		if len(ap.reserved) > 0 {
			ap.giveBack(ctx)
		}
		return err
	}
	if ap.recordOnly || ap.remount != nil && !ap.anchor.record.Desired.pending() {
		ap.forgetMounts(ctx)
		return nil
	}
	if err := ap.converge(ctx); err != nil {
		return err
	}
	ap.forgetMounts(ctx)
	return nil
}

// accept makes the configuration the one that the instance should have. It is
// a conflict if somebody else has written the anchor meanwhile.
func (ap *application) accept(ctx context.Context, wanted record) error {
	next, err := ap.next(ctx, wanted)
	if err != nil {
		return err
	}
	if next.Desired.Generation == ap.anchor.record.Desired.Generation {
		return nil // it is what it should be
	}
	for _, attempt := range ap.tryAll(ctx, next) {
		if attempt.err != nil {
			return fmtError("changing "+attempt.name(), attempt.err)
		}
	}
	if err := ap.reserve(ctx, next); err != nil {
		return err
	}
	if err := ap.provideSecret(ctx, next); err != nil {
		return err
	}
	for _, m := range ap.anchor.record.Desired.Mounts {
		if !slices.Contains(next.Desired.Mounts, m) {
			ap.unmounted = append(ap.unmounted, m.VolumeID)
		}
	}
	next.Desired.UpdatedAt = hosting.NewTime(time.Now())
	update, err := ap.anchor.withRecord(ap.p, next)
	if err != nil {
		return err
	}
	return ap.write(ctx, update)
}

// next is what the anchor becomes: with the generation it has if nothing
// changes.
func (ap *application) next(ctx context.Context, wanted record) (record, error) {
	if ap.remount != nil {
		return ap.nextMounts(ctx)
	}
	have := ap.anchor.record
	next := record{Config: wanted.Config, Desired: have.Desired}
	d := &next.Desired
	d.Spec = wanted.Desired.Spec
	if ap.t.kind.instanceType == hosting.TypeCronJob {
		d.Replicas = wanted.Desired.Replicas // nobody scales it
	}
	if err := ap.withMounts(ctx, &next); err != nil {
		return record{}, err
	}
	keys := slices.Sorted(maps.Keys(ap.secretEnv))
	same, err := true, error(nil)
	if ap.rollback != nil {
		err = ap.canRollBack(ctx, have.Desired)
	} else {
		same, err = ap.hasSecrets(ctx, have.Desired, keys)
	}
	if err != nil {
		return record{}, err
	}
	if same && sameSpec(have.Desired.Spec, d.Spec) && slices.Equal(have.Desired.Mounts, d.Mounts) && len(configs.Differences(have.Config, next.Config)) == 0 {
		return have, nil
	}
	d.Generation++
	d.Operation, d.ResourcesOf = hosting.StatusUpdating, d.Generation
	if !same {
		if have.Desired.SecretName != "" {
			d.OldSecrets = append(slices.Clone(d.OldSecrets), oldSecret{have.Desired.SecretName, have.Desired.Generation})
		}
		d.SecretName, d.SecretKeys = "", nil
		if len(keys) > 0 {
			d.SecretName, d.SecretKeys = have.Config.InstanceName+"-"+rand.String(10), keys
		}
	}
	if !reflect.DeepEqual(have.Config.Scaling, next.Config.Scaling) {
		d.Limits = limitsOf(d.Generation, next)
	}
	return next, nil
}

// sameSpec compares what parts are made from, at the precision that they have.
func sameSpec(a, b spec) bool {
	a.Resources, b.Resources = resourcesIn(resourceRequirements(a.Resources)), resourcesIn(resourceRequirements(b.Resources))
	return reflect.DeepEqual(a, b)
}

// limitsOf are the limits that a changed scaling sets: those that it says
// itself, and of an autoscaler also those that are defaults.
func limitsOf(generation int, next record) replicaLimits {
	limits := cmp.Or(next.Desired.Spec.Autoscaler, next.Config.Scaling)
	if limits == nil {
		return replicaLimits{} // nothing is said any more
	}
	return replicaLimits{Generation: generation, Min: limits.MinReplicas, Max: limits.MaxReplicas}
}

// hasSecrets tells whether the instance has exactly these secret values. One
// whose Secret is gone does not.
func (ap *application) hasSecrets(ctx context.Context, have desired, keys []string) (bool, error) {
	if !slices.Equal(have.SecretKeys, keys) {
		return false, nil
	}
	if have.SecretName == "" {
		return true, nil
	}
	secret, err := ap.ownSecret(ctx, have.SecretName)
	return secret != nil && ap.creation().holdsSecrets(secret), err
}

// canRollBack checks that the secret values that are in force can stay.
func (ap *application) canRollBack(ctx context.Context, have desired) error {
	if !slices.Equal(ap.rollback.SecretKeys, have.SecretKeys) {
		return ap.p.conflict(hosting.UpdateFailed, ap.t.id,
			"revision %d has other names in secretEnv, and secret values are not kept: apply its configuration with them", ap.rollback.Revision)
	}
	if have.SecretName == "" {
		return nil
	}
	secret, err := ap.ownSecret(ctx, have.SecretName)
	if err == nil && secret == nil {
		err = ap.p.conflict(hosting.UpdateFailed, ap.t.id,
			"Secret %s is gone, and only the instance's creator knows its values: apply a configuration with them", have.SecretName)
	}
	return err
}

// ownSecret reads a Secret of the instance, nil if it is gone.
func (ap *application) ownSecret(ctx context.Context, name string) (*corev1.Secret, error) {
	o, err := secrets.get(ctx, ap.t.region, name)
	if apierrors.IsNotFound(err) || err == nil && !ap.anchor.owns(o) {
		return nil, nil
	}
	if err != nil {
		return nil, fmtError("reading Secret "+name, err)
	}
	return o.(*corev1.Secret), nil
}

func (ap *application) creation() *creation {
	return &creation{p: ap.p, t: ap.t, anchor: ap.anchor, secretEnv: ap.secretEnv}
}

// provideSecret makes the Secret of the next generation before anything refers
// to it: who carries out the change does not know its values. The anchor names
// it before it is made, so that it is found should this call come to nothing.
func (ap *application) provideSecret(ctx context.Context, next record) error {
	d := &next.Desired
	if d.SecretName == "" || d.SecretName == ap.anchor.record.Desired.SecretName {
		return nil
	}
	announced := ap.anchor.record
	announced.Desired.OldSecrets = append(slices.Clone(announced.Desired.OldSecrets), oldSecret{d.SecretName, announced.Desired.Generation})
	update, err := ap.anchor.withRecord(ap.p, announced)
	if err != nil {
		return err
	}
	if err := ap.write(ctx, update); err != nil {
		return err
	}
	secret := ap.p.secret(next, ap.secretEnv)
	stamp(secret, d.Generation)
	return ap.creation().ensure(ctx, part{secrets, secret})
}

// write updates the anchor in the version that this call has read.
func (ap *application) write(ctx context.Context, update *corev1.ConfigMap) error {
	o, err := configMaps.update(ctx, ap.t.region, update)
	if apierrors.IsNotFound(err) {
		return ap.p.notFound(ap.t.id)
	}
	if err != nil {
		return err
	}
	ap.anchor, err = decode(o.(*corev1.ConfigMap))
	return err
}
