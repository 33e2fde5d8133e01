package kubernetes

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"skillcenter.io/hosting"
)

// ListRevisions implements [hosting.Rollbacker]: the last 10 configurations,
// fewer if they are larger than 256 KiB together. The first is the present one.
func (p *Provider) ListRevisions(ctx context.Context, instanceID string) ([]hosting.InstanceRevision, error) {
	t, err := p.find(hosting.GetFailed, instanceID)
	if err != nil {
		return nil, err
	}
	a, err := p.getAnchor(ctx, hosting.GetFailed, t)
	if err != nil {
		return nil, err
	}
	history, err := a.revisions()
	if err != nil {
		return nil, p.broken(hosting.GetFailed, t.id, err)
	}
	return history.NewestFirst(), nil
}

// RollbackInstance implements [hosting.Rollbacker]: it applies an earlier
// configuration, which becomes a revision of its own. The secret values stay as
// they are; if that revision had others by name, it is a Conflict, because
// their values are not kept. A revision that is not known is NotFound.
func (p *Provider) RollbackInstance(ctx context.Context, instanceID string, revision int) (hosting.CloudInstance, error) {
	t, a, err := p.begin(ctx, hosting.UpdateFailed, instanceID)
	if err != nil {
		return hosting.CloudInstance{}, err
	}
	history, err := a.revisions()
	if err != nil {
		return hosting.CloudInstance{}, p.broken(hosting.UpdateFailed, t.id, err)
	}
	earlier, ok := history.Find(revision)
	if !ok {
		failed := hosting.Errorf(p.config.Name, hosting.UpdateFailed, hosting.NotFound, "revision %d is not known", revision)
		if revision == 0 {
			failed = hosting.Errorf(p.config.Name, hosting.UpdateFailed, hosting.NotFound, "there is no revision before the present one")
		}
		failed.InstanceID = t.id
		return hosting.CloudInstance{}, failed
	}
	if !slices.Equal(earlier.SecretKeys, a.record.Desired.SecretKeys) {
		return hosting.CloudInstance{}, p.conflict(hosting.UpdateFailed, t.id,
			"revision %d has other names in secretEnv, and secret values are not kept: apply its configuration with them", earlier.Revision)
	}
	config := earlier.Config
	if config.SecretEnv, err = p.secretValues(ctx, t, a); err != nil {
		return hosting.CloudInstance{}, err
	}
	wanted, err := p.resolve(config)
	if err != nil {
		return hosting.CloudInstance{}, recode(err, hosting.UpdateFailed)
	}
	// Unlike an apply, it never makes an instance that is gone by now.
	instance, err := p.applyAndRead(ctx, t, a, wanted, config.SecretEnv)
	return instance, recode(err, hosting.UpdateFailed)
}

// secretValues reads the secret values of an instance.
func (p *Provider) secretValues(ctx context.Context, t target, a *anchor) (hosting.SecretMap, error) {
	name := a.record.Desired.SecretName
	if name == "" {
		return nil, nil
	}
	o, err := secrets.get(ctx, t.region, name)
	if apierrors.IsNotFound(err) {
		return nil, p.conflict(hosting.UpdateFailed, t.id, "Secret %s is gone, and only the instance's creator knows its values: apply a configuration with them", name)
	}
	if err != nil {
		return nil, p.fail(ctx, hosting.UpdateFailed, t.id, "reading Secret "+name, err)
	}
	values := hosting.SecretMap{}
	for key, value := range o.(*corev1.Secret).Data {
		values[key] = string(value)
	}
	return values, nil
}
