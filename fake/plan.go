package fake

import (
	"context"
	"fmt"
	"slices"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/volume"
)

// PlanInstance tells what ApplyInstance would do. What makes the configuration
// wrong by itself is an error; what speaks against it here and now, such as
// another instance with that name, a volume that is taken or a job that cannot
// be changed, are objections. The cost is that of EstimateCost, for the number
// of replicas that there would be, and only if there are no objections. There
// are no objects: the fake has none.
func (p *Provider) PlanInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.InstancePlan, error) {
	o := operation{method: "PlanInstance", code: hosting.UpdateFailed, name: config.InstanceName}
	r, err := p.admit(config)
	if err == nil {
		o.id = r.id().String()
	}
	return call(ctx, p, o, func(time.Time) (hosting.InstancePlan, error) {
		if err != nil {
			return hosting.InstancePlan{}, err
		}
		if in := p.instances[r.place()]; in != nil {
			return p.planUpdate(in, r), nil
		}
		return p.planCreate(r), nil
	})
}

func (p *Provider) planCreate(r request) hosting.InstancePlan {
	replicas := p.initialReplicas(r.config)
	plan := hosting.InstancePlan{Changes: []string{fmt.Sprintf("instance %s is created with %d replicas of %s", r.id(), replicas, r.config.Container.Image)}}
	if err := p.nameIsFree(r); err != nil {
		plan.Objections = []string{err.Message}
		return plan
	}
	volumes, err := p.volumesOf(r)
	if err != nil {
		plan.Objections = []string{err.Message}
		return plan
	}
	cost := p.estimate(r.config, volumes, replicas)
	plan.Cost = &cost
	return plan
}

func (p *Provider) planUpdate(in *instance, r request) hosting.InstancePlan {
	m, refusals := p.changeTo(in, r)
	plan := hosting.InstancePlan{Changes: []string{}}
	for _, field := range m.fields {
		if field.Field != "container.volumeMounts" {
			plan.Changes = append(plan.Changes, field.String())
		}
	}
	plan.Changes = append(plan.Changes, volume.Changes(m.before, m.mounts)...)
	if m.replicas != in.desired {
		plan.Changes = append(plan.Changes, fmt.Sprintf("replicas: %d becomes %d", in.desired, m.replicas))
	}
	for _, refusal := range refusals {
		plan.Objections = append(plan.Objections, refusal.Message)
	}
	if len(refusals) > 0 {
		return plan
	}
	running := !in.isCronJob() && slices.ContainsFunc(in.replicas, func(r *replica) bool { return r.phase != stopping })
	plan.Restarts = running && m.replaces
	plan.Detaches = running && m.detaches
	cost := p.estimate(r.config, p.volumesIn(m.mounts), m.replicas)
	plan.Cost = &cost
	return plan
}
