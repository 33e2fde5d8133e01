package provider

import (
	"context"

	"skillcenter.io/hosting"
)

// ScaleFrom changes the number of replicas if it is what the caller has seen.
// On a backend without Scaling it looks and scales then, so another change may
// come between the two.
func (r *Router) ScaleFrom(ctx context.Context, instanceID string, from, to int) error {
	at, err := r.instance(ctx, hosting.ScaleFailed, instanceID)
	if err != nil {
		return err
	}
	if at.Scaling != nil {
		return at.failure(hosting.ScaleFailed, at.Scaling.ScaleFrom(ctx, at.id, from, to))
	}
	return at.failure(hosting.ScaleFailed, scaleFrom(ctx, at, from, to))
}

func scaleFrom(ctx context.Context, at target, from, to int) error {
	instance, err := at.Provider.GetInstance(ctx, at.id)
	if err != nil {
		return asScaling(err)
	}
	conflict := func(format string, args ...any) error {
		failed := hosting.Errorf(at.Name, hosting.ScaleFailed, hosting.Conflict, format, args...)
		failed.InstanceID = at.id
		return failed
	}
	switch {
	case instance.Status == hosting.StatusStopped || instance.Status == hosting.StatusStopping:
		return conflict("instance %s is stopped", at.qualified(at.id))
	case instance.Replicas != from:
		return conflict("instance %s has %d replicas, no longer %d", at.qualified(at.id), instance.Replicas, from)
	}
	return at.Provider.ScaleInstance(ctx, at.id, to)
}

// asScaling gives an error the code of the call that it is part of.
func asScaling(err error) error {
	failed, ok := err.(*hosting.Error)
	if !ok || failed.Code == hosting.InstanceNotFound {
		return err
	}
	changed := *failed
	changed.Code = hosting.ScaleFailed
	return &changed
}

// TakeOver stops the platform's own autoscaler of an instance from acting. On a
// backend without Scaling there is nothing that it could stop.
func (r *Router) TakeOver(ctx context.Context, instanceID string) error {
	at, err := r.instance(ctx, hosting.ScaleFailed, instanceID)
	if err != nil || at.Scaling == nil {
		return err
	}
	return at.failure(hosting.ScaleFailed, at.Scaling.TakeOver(ctx, at.id))
}

// GiveBack undoes TakeOver.
func (r *Router) GiveBack(ctx context.Context, instanceID string) error {
	at, err := r.instance(ctx, hosting.ScaleFailed, instanceID)
	if err != nil || at.Scaling == nil {
		return err
	}
	return at.failure(hosting.ScaleFailed, at.Scaling.GiveBack(ctx, at.id))
}

// CheckConfig asks the platform where CreateInstance would create the instance
// whether it would take it.
func (r *Router) CheckConfig(ctx context.Context, config hosting.CloudHostingConfig) ([]hosting.CompatibilityCheck, error) {
	at, err := r.place(ctx, hosting.CompatibilityFailed, config)
	if err != nil {
		return nil, err
	}
	if at.Checker == nil {
		return nil, at.lacks(hosting.CompatibilityFailed, "checks of its own")
	}
	checks, err := at.Checker.CheckConfig(ctx, at.config)
	return checks, at.failure(hosting.CompatibilityFailed, err)
}
