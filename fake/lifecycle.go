package fake

import (
	"context"
	"fmt"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/configs"
)

// DeleteInstance starts to delete an instance: it is terminating until its
// replicas have stopped, and then gone. Volumes stay.
func (p *Provider) DeleteInstance(ctx context.Context, instanceID string) error {
	return p.do(ctx, onInstance("DeleteInstance", hosting.DeleteFailed, instanceID), func(now time.Time) error {
		in, err := p.find(instanceID)
		if err != nil || in.terminating() {
			return err
		}
		in.deleteAt = now.Add(in.stopTime())
		in.nextRun, in.nextTick = time.Time{}, time.Time{}
		in.changedBy(now, "Deleting", "it is being deleted")
		return nil
	})
}

// stopTime is how long it takes until all replicas have ended.
func (in *instance) stopTime() time.Duration {
	longest := in.workload.StopTime
	for _, r := range in.replicas {
		longest = max(longest, r.workload.StopTime)
	}
	return longest
}

// StartInstance starts a stopped instance with the replicas it had.
func (p *Provider) StartInstance(ctx context.Context, instanceID string) error {
	return p.change(ctx, onInstance("StartInstance", hosting.StartFailed, instanceID), func(in *instance, now time.Time) error {
		if !in.stopped {
			return nil
		}
		in.stopped, in.activity = false, hosting.StatusStarting
		if in.isCronJob() {
			in.nextRun = in.schedule.Next(now) // runs that were missed are not made up for
		}
		if hasTarget(in.config.Scaling) {
			in.nextTick = now.Add(autoscaleInterval)
		}
		in.changedBy(now, "Starting", fmt.Sprintf("started with %d replicas", in.count()))
		return nil
	})
}

// StopInstance stops an instance. A job that is started again runs those of
// its replicas once more that had not ended; a cronjob the runs that were
// active.
func (p *Provider) StopInstance(ctx context.Context, instanceID string) error {
	return p.change(ctx, onInstance("StopInstance", hosting.StopFailed, instanceID), func(in *instance, now time.Time) error {
		if in.stopped || in.finished() {
			return nil
		}
		in.stopped = true
		in.nextRun, in.nextTick = time.Time{}, time.Time{}
		in.changedBy(now, "Stopping", fmt.Sprintf("stopped; it will start with %d replicas", in.count()))
		return nil
	})
}

// RestartInstance replaces the replicas by fresh ones. A job runs again from
// the start, also when it has ended.
func (p *Provider) RestartInstance(ctx context.Context, instanceID string) error {
	return p.change(ctx, onInstance("RestartInstance", hosting.RestartFailed, instanceID), func(in *instance, now time.Time) error {
		if in.isCronJob() {
			return fail(hosting.Unsupported, "instance %s is a cronjob, which cannot be restarted; RunNow starts a run", in.key)
		}
		if in.stopped {
			return fail(hosting.Conflict, "instance %s is stopped; start it instead", in.key)
		}
		in.succeeded, in.failed = 0, 0
		in.rollOut(hosting.StatusRestarting)
		in.changedBy(now, "Restarting", "its replicas are being replaced")
		return nil
	})
}

// RunNow starts a run of a cronjob at once, whatever its schedule says. While a
// run is active, or the cronjob is stopped, that is a Conflict.
func (p *Provider) RunNow(ctx context.Context, instanceID string) error {
	return p.change(ctx, onInstance("RunNow", hosting.StartFailed, instanceID), func(in *instance, now time.Time) error {
		if !in.isCronJob() {
			return fail(hosting.Unsupported, "instance %s is a %s; only a cronjob has runs", in.key, in.id.Type)
		}
		if in.stopped {
			return fail(hosting.Conflict, "instance %s is stopped", in.key)
		}
		if in.desired > 0 {
			return fail(hosting.Conflict, "a run of instance %s is active", in.key)
		}
		in.startRun(now)
		in.refresh(now)
		in.notify()
		return nil
	})
}

// ScaleInstance sets the number of replicas, 0 to 100000.
func (p *Provider) ScaleInstance(ctx context.Context, instanceID string, replicas int) error {
	return p.change(ctx, onInstance("ScaleInstance", hosting.ScaleFailed, instanceID), func(in *instance, now time.Time) error {
		var conflict error
		if hasTarget(in.config.Scaling) && !in.stopped && !in.takenOver {
			conflict = fail(hosting.Conflict, "instance %s is scaled by its autoscaler, %s", in.key, in.autoscalerName())
		}
		return in.scale(now, replicas, conflict)
	})
}

// scale sets the number of replicas. A conflict that the caller has found comes
// after what is wrong with the call itself.
func (in *instance) scale(now time.Time, replicas int, conflict error) error {
	if err := hosting.ValidateReplicas(replicas); err != nil {
		return fail(hosting.InvalidArgument, "%w", err)
	}
	switch {
	case !scales(in.id.Type):
		return fail(hosting.Unsupported, "instance %s is a %s, which cannot be scaled", in.key, in.id.Type)
	case in.finished():
		return fail(hosting.Conflict, "job %s has ended", in.key)
	case in.id.Type == hosting.TypeJob && replicas == 0:
		return fail(hosting.InvalidArgument, "%w", hosting.FieldErrors{{Field: "replicas", Value: 0,
			Allowed: "1 or more for a job, which would be complete without any: stop it instead"}})
	case conflict != nil:
		return conflict
	case in.exclusive != "" && replicas > 1:
		return fail(hosting.Conflict, "instance %s has volume %s, which only one replica can use", in.key, in.exclusive)
	case replicas == in.desired:
		return nil
	}
	in.scaleTo(replicas)
	in.changedBy(now, "Scaled", fmt.Sprintf("scaled to %d replicas", replicas))
	return nil
}

// UpdateResources changes what each replica may use; fields that are zero stay
// as they are. The replicas are replaced for it. A job must be stopped.
func (p *Provider) UpdateResources(ctx context.Context, instanceID string, resources hosting.ResourceConfig) error {
	return p.change(ctx, onInstance("UpdateResources", hosting.UpdateFailed, instanceID), func(in *instance, now time.Time) error {
		merged, err := configs.UpdateResources(in.resources, resources)
		if err != nil {
			return fail(hosting.InvalidArgument, "%w", err)
		}
		if merged == in.resources {
			return nil
		}
		if in.isJob() && !in.stopped {
			return fail(hosting.Conflict, "job %s can be changed only while it is stopped", in.key)
		}
		in.resources = merged
		in.rollOut(hosting.StatusUpdating)
		in.changedBy(now, "ResourcesUpdated", fmt.Sprintf("%v cores and %d bytes of memory at most for each replica", merged.CPULimit, merged.MemoryLimit))
		return nil
	})
}

// scaleTo changes how many replicas should run.
func (in *instance) scaleTo(replicas int) {
	if replicas > in.desired && in.activity == "" {
		in.activity = hosting.StatusStarting
	}
	in.desired = replicas
}

// rollOut has all replicas replaced. Runs of a cronjob go on as they are.
func (in *instance) rollOut(activity hosting.Status) {
	if in.isCronJob() {
		return
	}
	in.generation++
	if !in.stopped && in.activity != hosting.StatusCreating {
		in.activity = activity
	}
}

// changedBy completes a change that a caller made.
func (in *instance) changedBy(now time.Time, reason, message string) {
	in.event(now, hosting.EventNormal, reason, message)
	in.refresh(now)
	in.notify()
}
