package fake

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/configs"
	"skillcenter.io/hosting/internal/cron"
	"skillcenter.io/hosting/volume"
)

// ApplyInstance creates an instance, or changes it to a configuration. It
// returns at once; if what the replicas are made from has changed, they are
// replaced as by UpdateResources, with status updating. Labels, annotations,
// network, scaling and schedule change without that.
//
// The number of replicas and the stop stay. Only where scaling has changed, the
// number is brought between its minReplicas and maxReplicas. Resources become
// those of the configuration, whatever UpdateResources did; volumes that were
// mounted by MountVolume stay mounted.
//
// Of a job, container, env and secretEnv cannot change (Unsupported), and
// resources only while it is stopped (Conflict).
func (p *Provider) ApplyInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	o := operation{method: "ApplyInstance", code: hosting.UpdateFailed, name: config.InstanceName}
	r, workload, err := p.prepare(config)
	if err == nil {
		o.id = r.id().String()
	}
	return call(ctx, p, o, func(now time.Time) (hosting.CloudInstance, error) {
		if err != nil {
			return hosting.CloudInstance{}, err
		}
		in := p.instances[r.place()]
		if in == nil {
			if in, err = p.create(r, workload, now); err != nil {
				return hosting.CloudInstance{}, err
			}
			return in.view(), nil
		}
		if err := p.update(in, r, workload, now); err != nil {
			return hosting.CloudInstance{}, err
		}
		return in.view(), nil
	})
}

// modification is what it takes to change an instance to a request.
type modification struct {
	request   request
	resources hosting.ResourceConfig
	replicas  int
	before    []hosting.VolumeMount // the mounts that there are
	mounts    []hosting.VolumeMount // those that there will be
	fields    []configs.Change
	// replaces tells that replicas are made from something else, remounts
	// that it is about volumes, and detaches that one goes away.
	replaces, remounts, detaches bool
}

// changeTo works out how to change an instance to a request, and everything
// that speaks against it.
func (p *Provider) changeTo(in *instance, r request) (modification, []*hosting.Error) {
	m := modification{request: r, resources: p.defaults.fillResources(r.config.Resources), replicas: in.replicasFor(r.config.Scaling)}
	if in.terminating() {
		return m, []*hosting.Error{fail(hosting.Conflict, "instance %s is being deleted", in.key)}
	}
	if in.id != r.id() {
		return m, []*hosting.Error{fail(hosting.AlreadyExists, "instance %s has this name", in.key)}
	}
	secrets := configs.SecretChanges(in.request.secrets, r.secrets)
	m.fields = append(configs.Changes(withResources(in.config, in.resources), withResources(r.config, m.resources)), secrets...)
	refusals := in.jobRefusals(m.fields)
	if err := p.nameIsFree(r); err != nil {
		refusals = append(refusals, err)
	}
	m.replaces = slices.ContainsFunc(m.fields, func(f configs.Change) bool { return isOf(f.Field, "container", "env", "secretEnv", "resources") })

	m.before = p.mountsIn(in.key)
	m.mounts = volume.Merge(m.before, in.config.Container.VolumeMounts, r.config.Container.VolumeMounts)
	refusals = append(refusals, p.checkMounts(m.mounts, r.config, p.userOf(in.id, r.config, m.replicas))...)
	m.detaches = volume.Detaches(m.before, m.mounts)
	m.remounts = !slices.Equal(m.before, m.mounts)
	if m.remounts {
		m.replaces = true
		if err := in.mayRemount(); err != nil && len(refusals) == 0 {
			refusals = append(refusals, err)
		}
	}
	return m, refusals
}

// withResources returns a configuration with the resources that are in force.
func withResources(config hosting.CloudHostingConfig, resources hosting.ResourceConfig) hosting.CloudHostingConfig {
	config.Resources = &resources
	return config
}

// isOf tells whether a field is one of others, or a part of one.
func isOf(field string, others ...string) bool {
	return slices.ContainsFunc(others, func(other string) bool {
		return field == other || strings.HasPrefix(field, other+".") || strings.HasPrefix(field, other+"[")
	})
}

// jobRefusals says which changes a job does not allow.
func (in *instance) jobRefusals(fields []configs.Change) []*hosting.Error {
	if !in.isJob() {
		return nil
	}
	var fixed hosting.FieldErrors
	running := false
	for _, f := range fields {
		running = running || isOf(f.Field, "resources") && !in.stopped
		if isOf(f.Field, "container", "env", "secretEnv") {
			fixed = append(fixed, hosting.FieldError{Field: f.Field, Value: f.What, Allowed: "no change, since a job runs what it was created with"})
		}
	}
	var refusals []*hosting.Error
	if len(fixed) > 0 {
		refusals = append(refusals, fail(hosting.Unsupported, "%w", fixed))
	}
	if running {
		refusals = append(refusals, fail(hosting.Conflict, "resources: job %s can be changed only while it is stopped", in.key))
	}
	return refusals
}

// replicasFor is how many replicas an instance has when its scaling becomes
// another one.
func (in *instance) replicasFor(scaling *hosting.ScaleConfig) int {
	var before, after hosting.ScaleConfig
	if in.config.Scaling != nil {
		before = *in.config.Scaling
	}
	if scaling != nil {
		after = *scaling
	}
	if before == after || !scales(in.id.Type) || in.finished() {
		return in.desired
	}
	n := in.desired
	if after.MaxReplicas > 0 {
		n = min(n, after.MaxReplicas)
	}
	return max(n, after.MinReplicas)
}

// update changes an instance to a request.
func (p *Provider) update(in *instance, r request, workload Workload, now time.Time) error {
	m, refusals := p.changeTo(in, r)
	if len(refusals) > 0 {
		return refusals[0]
	}
	before := in.config
	in.request, in.config, in.resources, in.workload = r, r.config, m.resources, workload
	in.keepRevision(now)
	p.attach(in, m.mounts)
	if in.isCronJob() && before.Schedule != r.config.Schedule {
		if err := in.setSchedule(now); err != nil {
			return err
		}
	}
	switch {
	case !hasTarget(r.config.Scaling):
		in.nextTick = time.Time{}
	case !hasTarget(before.Scaling) && !in.stopped:
		in.nextTick = now.Add(autoscaleInterval)
	}
	if m.replaces {
		in.rollOut(hosting.StatusUpdating)
	}
	if m.replicas != in.desired {
		in.scaleTo(m.replicas)
	}
	if len(m.fields) > 0 || m.remounts {
		in.changedBy(now, "Applied", fmt.Sprintf("revision %d of its configuration is in force", in.revision()))
	}
	return nil
}

// setSchedule makes a cronjob follow its schedule from now on.
func (in *instance) setSchedule(now time.Time) error {
	schedule, err := cron.Parse(in.config.Schedule)
	if err != nil {
		return fail(hosting.InvalidArgument, "schedule: %w", err)
	}
	in.schedule = schedule
	if !in.stopped {
		in.nextRun = schedule.Next(now)
	}
	return nil
}
