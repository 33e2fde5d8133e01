package hosting

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// DefaultWaitInterval is the time between two looks of WaitForStatus.
const DefaultWaitInterval = time.Second

// WaitOptions changes how the Wait functions wait. The zero value is ready to
// use.
type WaitOptions struct {
	// Interval is the time between two looks; DefaultWaitInterval if zero.
	Interval time.Duration
	// OnProgress is called with what each look found, from the waiting
	// goroutine.
	OnProgress func(CloudInstance)
	// FailureGrace is how long to keep waiting while the instance is failed:
	// some failures heal, such as a registry that was away. Zero gives up at
	// the first look that finds it failed.
	FailureGrace time.Duration
}

// WaitForStatus blocks until the instance has one of the statuses, and returns
// it. It needs at least one. Looks that fail with reason Unavailable or
// RateLimited are repeated, not before their RetryAfter.
//
// It gives up with an error that says why when ctx ends, and when the instance
// will not get there by itself, unless its status is one that is wanted: when
// it has failed (code StartFailed, reason Unavailable), is completed or on its
// way out (reason Conflict), or is gone (code InstanceNotFound). All but a
// failed and a missing instance have code GetFailed, or that of the look that
// failed. A stopped instance is waited for: that it was started may not show
// yet. So is a degraded one, which serves and may heal: a rollout whose new
// replicas fail beside the old ones stays so. Let ctx bound the wait; the error
// then says why the instance is degraded.
//
// The instance that is returned with an error is the last one seen.
func WaitForStatus(ctx context.Context, p CloudHostingProvider, instanceID string, options WaitOptions, want ...Status) (CloudInstance, error) {
	if len(want) == 0 {
		return CloudInstance{}, &Error{Provider: p.ProviderName(), Code: GetFailed, Reason: InvalidArgument, InstanceID: instanceID,
			Message: "want: allowed: at least one status to wait for"}
	}
	var last CloudInstance
	var failedSince time.Time
	missed, err := poll(ctx, p, instanceID, options, func(instance CloudInstance, err error) (bool, error) {
		if err != nil {
			return false, err
		}
		last = instance
		if slices.Contains(want, instance.Status) {
			return true, nil
		}
		switch instance.Status {
		case StatusTerminating:
			return false, waitError(p, instance, GetFailed, Conflict, "is being deleted")
		case StatusCompleted:
			return false, waitError(p, instance, GetFailed, Conflict, "is completed, which does not become "+either(want))
		case StatusFailed:
			if failedSince.IsZero() {
				failedSince = time.Now()
			}
			if time.Since(failedSince) >= options.FailureGrace {
				return false, waitError(p, instance, StartFailed, Unavailable, "has failed")
			}
		default:
			failedSince = time.Time{}
		}
		return false, nil
	})
	if ctxErr := ctx.Err(); ctxErr != nil && ReasonOf(err) == ReasonOf(ctxErr) && last.ID != "" {
		waited := waitError(p, last, GetFailed, ReasonOf(ctxErr), fmt.Sprintf("is %s, waiting for %v", last.Status, want))
		waited.Err = ctxErr
		waited.Message += lastLook(missed)
		return last, waited
	}
	return last, err
}

// WaitForDeletion blocks until the instance no longer exists.
func WaitForDeletion(ctx context.Context, p CloudHostingProvider, instanceID string, options WaitOptions) error {
	_, err := poll(ctx, p, instanceID, options, func(_ CloudInstance, err error) (bool, error) {
		if CodeOf(err) == InstanceNotFound {
			return true, nil
		}
		return false, err
	})
	return err
}

// poll calls look with the instance until it is done or returns an error. What
// it returns as missed is why the instance could not be looked at in the end.
func poll(ctx context.Context, p CloudHostingProvider, instanceID string, options WaitOptions, look func(CloudInstance, error) (bool, error)) (missed, err error) {
	interval := options.Interval
	if interval <= 0 {
		interval = DefaultWaitInterval
	}
	for {
		instance, err := p.GetInstance(ctx, instanceID)
		if err == nil && options.OnProgress != nil {
			options.OnProgress(instance)
		}
		wait := interval
		switch reason := ReasonOf(err); {
		case ctx.Err() != nil && reason == ReasonOf(ctx.Err()):
			// The look was cut short. What is returned below says more.
		case reason == Unavailable || reason == RateLimited:
			missed = err
			if e, ok := errors.AsType[*Error](err); ok {
				wait = max(wait, e.RetryAfter)
			}
		default:
			missed = nil
			if done, err := look(instance, err); done || err != nil {
				return nil, err
			}
		}
		select {
		case <-ctx.Done():
			return missed, &Error{Provider: p.ProviderName(), Code: GetFailed, Reason: ReasonOf(ctx.Err()), InstanceID: instanceID,
				Message: fmt.Sprintf("waiting for %s: %v%s", instanceID, ctx.Err(), lastLook(missed)), Err: ctx.Err()}
		case <-time.After(wait):
		}
	}
}

func lastLook(missed error) string {
	if missed == nil {
		return ""
	}
	return "; the last look failed: " + missed.Error()
}

// either joins statuses to "a", "a or b", and so on.
func either(statuses []Status) string {
	texts := make([]string, len(statuses))
	for i, status := range statuses {
		texts[i] = string(status)
	}
	return strings.Join(texts, " or ")
}

func waitError(p CloudHostingProvider, instance CloudInstance, code Code, reason Reason, state string) *Error {
	message := fmt.Sprintf("instance %s %s", instance.ID, state)
	if why := instance.Metadata[MetadataReason]; why != "" {
		message += ": " + why
	}
	if detail := instance.Metadata[MetadataMessage]; detail != "" {
		message += ": " + detail
	}
	return &Error{Provider: p.ProviderName(), Code: code, Reason: reason, InstanceID: instance.ID, Message: message}
}
