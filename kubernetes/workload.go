package kubernetes

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
)

// workload reads the workload of an instance: nil if there is none. One of its
// name that is somebody else's is a Conflict, and nothing is done to it.
func (p *Provider) workload(ctx context.Context, code hosting.Code, t target, a *anchor) (object, error) {
	o, err := t.kind.get(ctx, t.region, t.name)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, p.fail(ctx, code, t.id, "reading "+t.kind.kind+" "+t.name, err)
	case !a.owns(o):
		return nil, p.conflict(code, t.id, "%s exists and does not belong to this instance", describe(t.kind.resource, o))
	}
	return o, nil
}

// ownWorkload reads the workload for a call that needs one.
func (p *Provider) ownWorkload(ctx context.Context, code hosting.Code, t target, a *anchor) (object, error) {
	o, err := p.workload(ctx, code, t, a)
	if err == nil && o == nil {
		err = p.conflict(code, t.id, "%s %s is missing: start the instance, or create it again with the same configuration", t.kind.kind, t.name)
	}
	return o, err
}

// current reads the workload and after it the anchor again, for a call that goes
// by both: what the anchor says, such as that there is an autoscaler, is then
// not older than what the workload has been given.
func (p *Provider) current(ctx context.Context, code hosting.Code, t target, a *anchor) (*anchor, object, error) {
	workload, err := p.ownWorkload(ctx, code, t, a)
	if err != nil {
		return nil, nil, err
	}
	a, err = p.anchorAgain(ctx, code, t, a.UID)
	return a, workload, err
}

// remake makes a workload that is gone, or a Job anew: it can neither run twice
// nor change.
// prepare says in the anchor what the new one is to be like, given the old one,
// nil if there is none, or refuses. The old one is removed only in the version
// that prepare has seen: what another call makes of it until then is taken over.
// If the process dies in between, a repair makes the new one.
func (p *Provider) remake(ctx context.Context, code hosting.Code, t target, a *anchor, prepare func(d *desired, old object) error) error {
	err := retryOnConflict(ctx, func() error {
		if err := p.requireSecret(ctx, code, t, a); err != nil {
			return err // the new one could not be made, and the old one be gone
		}
		old, err := p.workload(ctx, code, t, a)
		if err != nil {
			return err
		}
		next, err := p.change(ctx, code, t, a, func(d *desired) error { return prepare(d, old) })
		if err != nil {
			return err
		}
		a = next
		if old == nil || !t.kind.isJob() {
			return nil
		}
		background := metav1.DeletePropagationBackground
		return ignoreNotFound(t.kind.delete(ctx, t.region, t.name, metav1.DeleteOptions{
			Preconditions:     &metav1.Preconditions{UID: new(old.GetUID()), ResourceVersion: new(old.GetResourceVersion())},
			PropagationPolicy: &background,
		}))
	})
	if err != nil {
		return p.fail(ctx, code, t.id, "removing the old "+t.kind.kind+" "+t.name, err)
	}
	return recode(p.repair(ctx, t, a), code)
}

// requireSecret checks that the Secret of an instance is there, if it needs one.
func (p *Provider) requireSecret(ctx context.Context, code hosting.Code, t target, a *anchor) error {
	name := a.record.Desired.SecretName
	if name == "" {
		return nil
	}
	_, err := secrets.get(ctx, t.region, name)
	if apierrors.IsNotFound(err) {
		return p.conflict(code, t.id, "Secret %s is gone, and only the instance's creator knows its values: create the instance again", name)
	}
	if err != nil {
		return p.fail(ctx, code, t.id, "reading Secret "+name, err)
	}
	return nil
}

// resourcesOf reads what a pod template asks for.
func resourcesOf(template *corev1.PodTemplateSpec) hosting.ResourceConfig {
	return resourcesIn(template.Spec.Containers[0].Resources)
}

func resourcesIn(r corev1.ResourceRequirements) hosting.ResourceConfig {
	cores := func(list corev1.ResourceList) float64 {
		quantity := list[corev1.ResourceCPU]
		return float64(quantity.MilliValue()) / 1000
	}
	bytes := func(list corev1.ResourceList, name corev1.ResourceName) int64 {
		quantity := list[name]
		return quantity.Value()
	}
	return hosting.ResourceConfig{
		CPURequest:    cores(r.Requests),
		CPULimit:      cores(r.Limits),
		MemoryRequest: bytes(r.Requests, corev1.ResourceMemory),
		MemoryLimit:   bytes(r.Limits, corev1.ResourceMemory),
		StorageLimit:  bytes(r.Limits, corev1.ResourceEphemeralStorage),
	}
}
