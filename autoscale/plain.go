package autoscale

import (
	"context"

	"skillcenter.io/hosting"
)

// plain is the backend of a platform without one.
type plain struct{ provider hosting.CloudHostingProvider }

// ScaleFrom looks before it scales; that is as near as it gets to a precondition.
func (p plain) ScaleFrom(ctx context.Context, instanceID string, from, to int) error {
	instance, err := p.provider.GetInstance(ctx, instanceID)
	if err != nil {
		return err
	}
	if instance.Replicas != from {
		failed := hosting.Errorf(p.provider.ProviderName(), hosting.ScaleFailed, hosting.Conflict,
			"instance %s has %d replicas, not %d", instanceID, instance.Replicas, from)
		failed.InstanceID = instanceID
		return failed
	}
	return p.provider.ScaleInstance(ctx, instanceID, to)
}

func (plain) TakeOver(context.Context, string) error { return nil }

func (plain) GiveBack(context.Context, string) error { return nil }
