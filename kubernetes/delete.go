package kubernetes

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
)

// DeleteInstance implements [hosting.CloudHostingProvider]. The anchor goes
// last: while parts are left, the instance is terminating.
func (p *Provider) DeleteInstance(ctx context.Context, instanceID string) error {
	t, err := p.find(hosting.DeleteFailed, instanceID)
	if err != nil {
		return err
	}
	a, err := p.getAnchor(ctx, hosting.DeleteFailed, t)
	if err != nil {
		return err
	}
	if a.deleting() {
		return nil
	}
	foreground := metav1.DeletePropagationForeground
	err = configMaps.delete(ctx, t.region, a.Name, metav1.DeleteOptions{
		Preconditions:     &metav1.Preconditions{UID: &a.UID},
		PropagationPolicy: &foreground,
	})
	switch {
	case apierrors.IsNotFound(err):
		return nil // somebody else was faster
	case err != nil:
		return p.fail(ctx, hosting.DeleteFailed, t.id, "deleting "+describe(configMaps, a), err)
	}
	return nil
}
