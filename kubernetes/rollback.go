package kubernetes

import (
	"context"

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
// they are, also those that another call sets at the same moment; if that
// revision had others by name, it is a Conflict, because their values are not
// kept. A revision that is not known is NotFound.
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
	wanted, err := p.resolve(earlier.Config)
	if err != nil {
		return hosting.CloudInstance{}, recode(err, hosting.UpdateFailed)
	}
	// Unlike an apply, it never makes an instance that is gone by now.
	ap := &application{p: p, t: t, anchor: a, rollback: &earlier}
	instance, err := ap.run(ctx, wanted)
	return instance, recode(err, hosting.UpdateFailed)
}
