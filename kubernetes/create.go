package kubernetes

import (
	"context"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/configs"
)

// CreateInstance implements [hosting.CloudHostingProvider]. When the API
// server refuses a part, everything that this call made is removed again.
// When it does not answer, what was made stays: the same call again, from any
// process, completes it.
func (p *Provider) CreateInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	if err := ctx.Err(); err != nil {
		return hosting.CloudInstance{}, p.fail(ctx, hosting.CreateFailed, "", "creating an instance", err)
	}
	r, err := p.resolve(config)
	if err != nil {
		return hosting.CloudInstance{}, err
	}
	id := hosting.ID{Region: r.Config.Region, Type: r.Config.InstanceType, Name: r.Config.InstanceName}
	t, err := p.find(hosting.CreateFailed, id.String())
	if err != nil {
		return hosting.CloudInstance{}, err
	}
	secretEnv := maps.Clone(config.SecretEnv)
	r.begin(secretEnv, hosting.Now(), rand.String(10))

	c := &creation{p: p, t: t, secretEnv: secretEnv}
	if err := c.checkMounts(ctx, &r); err != nil {
		return hosting.CloudInstance{}, err
	}
	if err := c.run(ctx, r); err != nil {
		return hosting.CloudInstance{}, err
	}
	if c.mine && !c.changed {
		// Everything was made just now: the answers of the API server say it all.
		return p.instance(c.snapshot()), nil
	}
	s, err := p.read(ctx, hosting.CreateFailed, t)
	if err == nil {
		return p.instance(s), nil
	}
	if hosting.CodeOf(err) == hosting.InstanceNotFound {
		err = p.conflict(hosting.CreateFailed, t.id, "the instance was deleted by another call at this moment")
	}
	return hosting.CloudInstance{}, err
}

// begin completes the record of an instance that is to be created. The names of
// Secrets are unlike any before, because Secrets never change.
func (r *record) begin(secretEnv hosting.SecretMap, now hosting.Time, suffix string) {
	d := &r.Desired
	d.CreatedAt, d.UpdatedAt, d.Operation = now, now, hosting.StatusCreating
	if len(secretEnv) > 0 {
		d.SecretName = r.Config.InstanceName + "-" + suffix
		d.SecretKeys = slices.Sorted(maps.Keys(secretEnv))
	}
}

// creation is one call of CreateInstance, or a repair.
type creation struct {
	p         *Provider
	t         target
	secretEnv hosting.SecretMap

	anchor *anchor
	// mine tells that this call made the anchor.
	mine bool
	// token marks this call on the anchor of another; empty if it did not have
	// to join.
	token string
	// shared tells that this call has met others, changed that one of them has
	// changed the configuration.
	shared, changed bool
	// made is what this call made, in order.
	made []part
}

func (c *creation) run(ctx context.Context, r record) error {
	if err := c.claim(ctx, r); err != nil {
		return err
	}
	err := c.complete(ctx)
	if err == nil && c.token != "" {
		err = c.succeed(ctx)
	}
	if err == nil {
		if err = c.catchUp(ctx); c.changed {
			return err // what others have made of it is not this call's to remove
		}
	}
	if failed, ok := err.(*hosting.Error); ok && c.isRefusal(failed) {
		failed.Cleanup = c.withdraw(ctx)
	}
	return err
}

// claim creates the anchor, or finds the one of an identical instance.
func (c *creation) claim(ctx context.Context, r record) error {
	p := c.p
	wanted, err := p.newAnchor(r)
	if err != nil {
		return p.fail(ctx, hosting.CreateFailed, c.t.id, "writing the anchor", err)
	}
	// The anchor that is in the way may be gone when it is looked at.
	for range 3 {
		created, err := c.create(ctx, configMaps, wanted)
		if err == nil {
			c.mine = true
			c.anchor, err = decode(created.(*corev1.ConfigMap))
			if err != nil {
				return p.broken(hosting.CreateFailed, c.t.id, err)
			}
			return nil
		}
		if !apierrors.IsAlreadyExists(err) {
			return p.fail(ctx, hosting.CreateFailed, c.t.id, "creating "+describe(configMaps, wanted), err)
		}
		found, err := configMaps.get(ctx, c.t.region, wanted.Name)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return p.fail(ctx, hosting.CreateFailed, c.t.id, "reading "+describe(configMaps, wanted), err)
		}
		return c.join(ctx, found.(*corev1.ConfigMap), r)
	}
	return p.conflict(hosting.CreateFailed, c.t.id, "the instance is being created and deleted by others at this moment")
}

// join takes part in an instance that exists, if it is the one asked for.
func (c *creation) join(ctx context.Context, found *corev1.ConfigMap, r record) error {
	p := c.p
	if err := c.available(found); err != nil {
		return err
	}
	existing, err := decode(found)
	if err != nil {
		return p.broken(hosting.CreateFailed, c.t.id, err)
	}
	if fields := configs.Differences(existing.record.Config, r.Config); len(fields) > 0 {
		return c.taken("the instance exists with another configuration: it differs in %s", strings.Join(fields, ", "))
	}
	c.anchor, c.shared = existing, true
	same, err := c.sameSecrets(ctx, existing.record.Desired)
	if err != nil {
		return err
	}
	if !same {
		return c.taken("the instance exists with another configuration: it differs in secretEnv")
	}
	return c.participate(ctx)
}

// available checks that an anchor that was found is one of ours, for an
// instance of this type that stays.
func (c *creation) available(found *corev1.ConfigMap) error {
	if !c.p.isOurs(found) {
		return c.taken("%s exists and is not managed by this provider with owner %q", describe(configMaps, found), c.p.config.Owner)
	}
	if found.DeletionTimestamp != nil {
		return c.p.conflict(hosting.CreateFailed, c.t.id, "the instance is being deleted")
	}
	if have := found.Labels[labelType]; have != c.t.kind.instanceType {
		return c.taken("name %q is taken in region %s by a %s", c.t.name, c.t.region.name, have)
	}
	return nil
}

// sameSecrets compares the secret values with those of the instance. Only the
// Secret itself has them. One that is missing is made from the caller's.
func (c *creation) sameSecrets(ctx context.Context, have desired) (bool, error) {
	if !slices.Equal(have.SecretKeys, slices.Sorted(maps.Keys(c.secretEnv))) {
		return false, nil
	}
	if have.SecretName == "" {
		return true, nil
	}
	o, err := secrets.get(ctx, c.t.region, have.SecretName)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, c.p.fail(ctx, hosting.CreateFailed, c.t.id, "reading Secret "+have.SecretName, err)
	}
	return c.holdsSecrets(o.(*corev1.Secret)), nil
}

func (c *creation) holdsSecrets(secret *corev1.Secret) bool {
	return maps.EqualFunc(secret.Data, c.secretEnv, func(a []byte, b string) bool { return string(a) == b })
}

// catchUp carries out a change of the configuration, or a take-over, that another
// call has made while this one was creating parts: some of those may not belong
// to the instance any more. A call that has met nobody need not look, unless it made an
// autoscaler, the one part that comes after the workload, which all calls make.
func (c *creation) catchUp(ctx context.Context) error {
	if !c.shared && c.anchor.record.Desired.Spec.Autoscaler == nil {
		return nil
	}
	newest, err := c.p.getAnchor(ctx, hosting.CreateFailed, c.t)
	if err != nil || newest.UID != c.anchor.UID || sameParts(newest.record.Desired, c.anchor.record.Desired) {
		return nil // who looks at the instance next will say so if it is gone
	}
	c.changed, c.anchor = true, newest
	return c.carryOut(ctx)
}

// sameParts tells that parts of an instance which are there need no change.
func sameParts(have, made desired) bool {
	return have.Generation == made.Generation && have.TakenOver == made.TakenOver
}

// carryOut finishes a change of the configuration.
func (c *creation) carryOut(ctx context.Context) error {
	ap := &application{p: c.p, t: c.t, anchor: c.anchor}
	if err := ap.converge(ctx); err != nil {
		return c.p.fail(ctx, hosting.CreateFailed, c.t.id, "carrying out the last change of the configuration", err)
	}
	return nil
}

// complete creates the parts that are missing.
func (c *creation) complete(ctx context.Context) error {
	if c.anchor.record.Desired.pending() {
		return c.carryOut(ctx)
	}
	if err := c.p.reserveAll(ctx, hosting.CreateFailed, c.t, c.anchor); err != nil {
		return err
	}
	for _, part := range c.p.parts(c.anchor.record, c.secretEnv) {
		if err := c.ensure(ctx, part); err != nil {
			return c.p.fail(ctx, hosting.CreateFailed, c.t.id, "creating "+describe(part.resource, part.object), err)
		}
	}
	// It is complete. What cannot be removed waits for the next call.
	_ = c.p.removeOldSecrets(ctx, hosting.CreateFailed, c.t, c.anchor)
	return nil
}

// create makes an object. A conflict that is not about its name is the
// accounting of a quota, which two requests may write at once.
func (c *creation) create(ctx context.Context, r *resource, o object) (created object, err error) {
	err = retryOnConflict(ctx, func() error {
		created, err = r.create(ctx, c.t.region, o)
		return err
	})
	return created, err
}

// ensure makes one part unless it is there already.
func (c *creation) ensure(ctx context.Context, part part) error {
	if !c.mine {
		// Parts of an instance that exists are usually all there.
		found, err := part.get(ctx, c.t.region, part.object.GetName())
		if err == nil {
			return c.accept(part.resource, found)
		}
		if !apierrors.IsNotFound(err) {
			return err
		}
		if part.resource == secrets && c.secretEnv == nil {
			return c.p.conflict(hosting.CreateFailed, c.t.id, "%s is gone, and only its creator knows its values: create the instance again", describe(part.resource, part.object))
		}
	}
	part.object.SetOwnerReferences([]metav1.OwnerReference{c.anchor.ownerReference()})
	created, err := c.create(ctx, part.resource, part.object)
	if apierrors.IsAlreadyExists(err) {
		// Another call with the same configuration, or a stranger.
		c.shared = true
		found, getErr := part.get(ctx, c.t.region, part.object.GetName())
		if getErr != nil {
			return getErr
		}
		return c.accept(part.resource, found)
	}
	if err != nil {
		return err
	}
	part.object = created
	c.made = append(c.made, part)
	return nil
}

// accept takes a part that exists, if it is this instance's and stays. What
// somebody else made is never adopted, and what is being deleted can neither be
// kept nor be made anew.
func (c *creation) accept(r *resource, found object) error {
	if c.anchor.owns(found) {
		if found.GetDeletionTimestamp() != nil {
			return c.p.conflict(hosting.CreateFailed, c.t.id, "%s is still being removed", describe(r, found))
		}
		if secret, ok := found.(*corev1.Secret); ok && c.secretEnv != nil && !c.holdsSecrets(secret) {
			// Of two calls that differ in it alone, the other made it first.
			return c.taken("the instance exists with another configuration: it differs in secretEnv")
		}
		return nil
	}
	if c.p.isOurs(found) && found.GetLabels()[labelName] == c.t.name {
		return c.p.conflict(hosting.CreateFailed, c.t.id, "%s of a deleted instance is still being removed", describe(r, found))
	}
	return c.taken("%s exists and does not belong to this instance", describe(r, found))
}

// taken says that a name is not to be had.
func (c *creation) taken(format string, args ...any) error {
	failed := hosting.Errorf(c.p.config.Name, hosting.CreateFailed, hosting.AlreadyExists, format, args...)
	failed.InstanceID = c.t.id
	return failed
}

// repair recreates parts that are missing, for calls that have no
// configuration at hand.
func (p *Provider) repair(ctx context.Context, t target, a *anchor) error {
	c := &creation{p: p, t: t, anchor: a, shared: true}
	if err := c.complete(ctx); err != nil {
		return err
	}
	return c.catchUp(ctx)
}

// snapshot is what is known of an instance that was just made.
func (c *creation) snapshot() *snapshot {
	s := &snapshot{target: c.t, anchor: c.anchor}
	for _, part := range c.made {
		switch o := part.object.(type) {
		case *corev1.Service:
			if o.Name == c.t.name {
				s.service = o
			}
		case *networkingv1.Ingress:
			s.ingress = o
		default:
			if part.resource == c.t.kind.resource {
				s.workload = part.object
			}
		}
	}
	return s
}

func describe(r *resource, o metav1.Object) string { return r.kind + " " + o.GetName() }
