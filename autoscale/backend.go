package autoscale

import (
	"context"

	"skillcenter.io/hosting"
)

// Backend is what the platform of an instance does for a policy that
// [hosting.CloudHostingProvider] does not. A platform without one is scaled by
// ScaleInstance, which has no precondition.
//
// Its errors are of type [*hosting.Error], with code ScaleFailed.
type Backend interface {
	// ScaleFrom changes the number of replicas from what the caller has seen
	// to another one. If it is no longer that, or the instance is stopped, it is
	// a Conflict and nothing changes: a lease that was lost does not fence, but
	// this does.
	ScaleFrom(ctx context.Context, instanceID string, from, to int) error
	// TakeOver stops the platform's own autoscaler of an instance from acting,
	// if there is one, so that exactly one autoscaler owns the instance. Doing
	// it again changes nothing. It is a Conflict if something about the instance
	// rules out that its replicas are changed.
	TakeOver(ctx context.Context, instanceID string) error
	// GiveBack undoes TakeOver: the platform's autoscaler acts as it did
	// before. Without TakeOver it changes nothing.
	GiveBack(ctx context.Context, instanceID string) error
}

// Elector chooses one of several processes.
type Elector interface {
	// Lead waits until this process leads and calls lead then, with a context
	// that ends when it no longer does. It returns after lead has returned: nil
	// if ctx has ended, else why the lead was lost. It may be called again.
	Lead(ctx context.Context, lead func(ctx context.Context)) error
}

// MetricSource measures what the platform does not: metrics of type
// [hosting.MetricCustom] and [hosting.MetricExternal].
type MetricSource interface {
	// Metric returns the value of a rule's metric for an instance now. An
	// error means that it is not known; the policy then decides nothing by
	// this rule.
	Metric(ctx context.Context, instance hosting.CloudInstance, rule hosting.ScaleRule) (float64, error)
}
