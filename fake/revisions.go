package fake

import (
	"context"
	"maps"
	"slices"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/configs"
)

// ListRevisions returns the configurations that are kept, newest first: the
// last 10, fewer if their JSON is larger than 256 KiB. The first one is in
// force. secretEnv is never in them.
func (p *Provider) ListRevisions(ctx context.Context, instanceID string) ([]hosting.InstanceRevision, error) {
	return call(ctx, p, onInstance("ListRevisions", hosting.GetFailed, instanceID), func(time.Time) ([]hosting.InstanceRevision, error) {
		in, err := p.find(instanceID)
		if err != nil {
			return nil, err
		}
		return in.revisions.NewestFirst(), nil
	})
}

// RollbackInstance applies an earlier configuration, which becomes a revision
// of its own; 0 is the one before the current. A revision that is not kept is
// NotFound. The containers behave again as the [Workload] of that revision
// said.
//
// The values of secretEnv stay as they are. If that revision had other names
// in secretEnv, it is a Conflict.
func (p *Provider) RollbackInstance(ctx context.Context, instanceID string, revision int) (hosting.CloudInstance, error) {
	return call(ctx, p, onInstance("RollbackInstance", hosting.UpdateFailed, instanceID), func(now time.Time) (hosting.CloudInstance, error) {
		in, err := p.find(instanceID)
		if err != nil {
			return hosting.CloudInstance{}, err
		}
		if in.terminating() {
			return hosting.CloudInstance{}, fail(hosting.Conflict, "instance %s is being deleted", in.key)
		}
		past, found := in.revisions.Find(revision)
		switch {
		case !found && revision == 0:
			return hosting.CloudInstance{}, fail(hosting.NotFound, "instance %s has no revision before the current", in.key)
		case !found:
			return hosting.CloudInstance{}, fail(hosting.NotFound, "instance %s has no revision %d", in.key, revision)
		case !slices.Equal(past.SecretKeys, in.request.secretKeys()):
			return hosting.CloudInstance{}, fail(hosting.Conflict,
				"revision %d of instance %s has other names in secretEnv, of which no values are kept: apply its configuration with them", past.Revision, in.key)
		}
		config := configs.Canonical(past.Config, in.id.Region)
		if err := p.update(in, request{config: config, secrets: in.request.secrets}, in.workloads[past.Revision], now); err != nil {
			return hosting.CloudInstance{}, err
		}
		return in.view(), nil
	})
}

func (r request) secretKeys() []string { return slices.Sorted(maps.Keys(r.secrets)) }

// revision is the number of the configuration that is in force.
func (in *instance) revision() int { return in.revisions[len(in.revisions)-1].Revision }

// keepRevision adds the configuration that is in force to the history.
func (in *instance) keepRevision(now time.Time) {
	in.revisions = in.revisions.Add(in.config, in.request.secretKeys(), hosting.NewTime(now))
	in.workloads[in.revision()] = in.workload
	maps.DeleteFunc(in.workloads, func(number int, _ Workload) bool { return number < in.revisions[0].Revision })
}
