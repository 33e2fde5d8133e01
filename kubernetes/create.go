package kubernetes

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"

	"skillcenter.io/hosting"
)

// cleanupTimeout bounds the clean-up after a failed create. It has time of its
// own, because the caller's context may be what ended.
const cleanupTimeout = 15 * time.Second

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
	now := hosting.NewTime(time.Now())
	r.Desired.CreatedAt, r.Desired.UpdatedAt, r.Desired.Operation = now, now, hosting.StatusCreating
	secretEnv := maps.Clone(config.SecretEnv)
	if len(secretEnv) > 0 {
		r.Desired.SecretName = r.Config.InstanceName + "-" + rand.String(10)
		r.Desired.SecretKeys = slices.Sorted(maps.Keys(secretEnv))
	}

	c := &creation{p: p, t: t, secretEnv: secretEnv}
	if err := c.run(ctx, r); err != nil {
		return hosting.CloudInstance{}, err
	}
	if c.mine {
		// Everything was made just now: the answers of the API server say it all.
		return p.instance(c.snapshot()), nil
	}
	return p.GetInstance(ctx, t.id)
}

// creation is one call of CreateInstance, or a repair.
type creation struct {
	p         *Provider
	t         target
	secretEnv hosting.SecretMap

	anchor *anchor
	// mine tells that this call made the anchor.
	mine bool
	// joined tells that the anchor of another call has been marked.
	joined bool
	// made is what this call made, in order.
	made []part
}

func (c *creation) run(ctx context.Context, r record) error {
	if err := c.claim(ctx, r); err != nil {
		return err
	}
	return c.complete(ctx)
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
		created, err := configMaps.create(ctx, c.t.region, wanted)
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
	taken := func(format string, args ...any) error {
		failed := hosting.Errorf(p.config.Name, hosting.CreateFailed, hosting.AlreadyExists, format, args...)
		failed.InstanceID = c.t.id
		return failed
	}
	if !p.isOurs(found) {
		return taken("%s exists and is not managed by this provider with owner %q", describe(configMaps, found), p.config.Owner)
	}
	if found.DeletionTimestamp != nil {
		return p.conflict(hosting.CreateFailed, c.t.id, "the instance is being deleted")
	}
	if have := found.Labels[labelType]; have != c.t.kind.instanceType {
		return taken("name %q is taken in region %s by a %s", c.t.name, c.t.region.name, have)
	}
	existing, err := decode(found)
	if err != nil {
		return p.broken(hosting.CreateFailed, c.t.id, err)
	}
	if fields := differences(existing.record.Config, r.Config); len(fields) > 0 {
		return taken("the instance exists with another configuration: it differs in %s", strings.Join(fields, ", "))
	}
	c.anchor = existing
	same, err := c.sameSecrets(ctx, existing.record.Desired)
	if err != nil {
		return err
	}
	if !same {
		return taken("the instance exists with another configuration: it differs in secretEnv")
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
	secret := o.(*corev1.Secret)
	return maps.EqualFunc(secret.Data, c.secretEnv, func(a []byte, b string) bool { return bytes.Equal(a, []byte(b)) }), nil
}

// complete creates the parts that are missing. If the API server refuses one,
// it removes what this call has made.
func (c *creation) complete(ctx context.Context) error {
	for _, part := range c.p.parts(c.anchor.record, c.secretEnv) {
		if err := c.ensure(ctx, part); err != nil {
			failed := c.p.fail(ctx, hosting.CreateFailed, c.t.id, "creating "+describe(part.resource, part.object), err).(*hosting.Error)
			if isDefiniteRefusal(err) || failed.Reason == hosting.AlreadyExists || failed.Reason == hosting.Conflict {
				failed.Cleanup = c.undo(ctx)
			}
			return failed
		}
	}
	return nil
}

// ensure makes one part unless it is there already.
func (c *creation) ensure(ctx context.Context, part part) error {
	if !c.mine {
		// Parts of an instance that exists are usually all there.
		found, err := part.get(ctx, c.t.region, part.object.GetName())
		if err == nil {
			return c.checkOwner(part.resource, found)
		}
		if !apierrors.IsNotFound(err) {
			return err
		}
		if part.resource == secrets && c.secretEnv == nil {
			return c.p.conflict(hosting.CreateFailed, c.t.id, "%s is gone, and only its creator knows its values: create the instance again", describe(part.resource, part.object))
		}
		if err := c.markJoined(ctx); err != nil {
			return err
		}
	}
	part.object.SetOwnerReferences([]metav1.OwnerReference{c.anchor.ownerReference()})
	created, err := part.create(ctx, c.t.region, part.object)
	if apierrors.IsAlreadyExists(err) {
		// Another call with the same configuration, or a stranger.
		found, getErr := part.get(ctx, c.t.region, part.object.GetName())
		if getErr != nil {
			return getErr
		}
		return c.checkOwner(part.resource, found)
	}
	if err != nil {
		return err
	}
	part.object = created
	c.made = append(c.made, part)
	return nil
}

// checkOwner accepts a part of this instance only. What somebody else made is
// never adopted.
func (c *creation) checkOwner(r *resource, found object) error {
	if c.anchor.owns(found) {
		return nil
	}
	if c.p.isOurs(found) && found.GetLabels()[labelName] == c.t.name {
		return c.p.conflict(hosting.CreateFailed, c.t.id, "%s of a deleted instance is still being removed", describe(r, found))
	}
	failed := hosting.Errorf(c.p.config.Name, hosting.CreateFailed, hosting.AlreadyExists,
		"%s exists and does not belong to this instance", describe(r, found))
	failed.InstanceID = c.t.id
	return failed
}

// markJoined tells the call that made the anchor that it is no longer alone:
// it will then not delete the anchor, should it fail.
func (c *creation) markJoined(ctx context.Context) error {
	if c.joined {
		return nil
	}
	patch := mergePatch(map[string]any{"metadata": map[string]any{
		"uid":         c.anchor.UID,
		"annotations": map[string]string{annotationJoined: hosting.NewTime(time.Now()).String()},
	}})
	_, err := configMaps.patch(ctx, c.t.region, c.anchor.Name, types.MergePatchType, patch)
	c.joined = err == nil
	return err
}

// undo removes what this call has made, the newest first. Each deletion names
// the UID, so that nothing of another call is hit.
func (c *creation) undo(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	var failures *multierror.Error
	remove := func(r *resource, o object, preconditions metav1.Preconditions, propagation metav1.DeletionPropagation) {
		err := r.delete(ctx, c.t.region, o.GetName(), metav1.DeleteOptions{Preconditions: &preconditions, PropagationPolicy: &propagation})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			failures = multierror.Append(failures, fmtError(describe(r, o), err))
		}
	}
	for _, part := range slices.Backward(c.made) {
		remove(part.resource, part.object, metav1.Preconditions{UID: new(part.object.GetUID())}, metav1.DeletePropagationBackground)
	}
	if c.mine {
		// The version tells whether another call has joined: then it is for
		// that call to succeed or fail.
		remove(configMaps, c.anchor.ConfigMap, metav1.Preconditions{UID: &c.anchor.UID, ResourceVersion: &c.anchor.ResourceVersion}, metav1.DeletePropagationForeground)
	}
	return failures.ErrorOrNil()
}

// repair recreates parts that are missing, for calls that have no
// configuration at hand.
func (p *Provider) repair(ctx context.Context, t target, a *anchor) error {
	c := &creation{p: p, t: t, anchor: a}
	return c.complete(ctx)
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
