package kubernetes

import (
	"context"

	"skillcenter.io/hosting"
)

// EstimateCost implements [hosting.CloudHostingProvider]. It is Unsupported: a
// cluster does not know what its nodes cost.
func (p *Provider) EstimateCost(ctx context.Context, _ hosting.CloudHostingConfig) (hosting.CostEstimate, error) {
	return hosting.CostEstimate{}, p.noCost(ctx, "")
}

// GetActualCost implements [hosting.CloudHostingProvider]. It is Unsupported.
func (p *Provider) GetActualCost(ctx context.Context, instanceID string, _, _ hosting.Time) (hosting.CostActual, error) {
	return hosting.CostActual{}, p.noCost(ctx, instanceID)
}

func (p *Provider) noCost(ctx context.Context, instanceID string) error {
	if err := ctx.Err(); err != nil {
		return p.fail(ctx, hosting.CostFailed, instanceID, "reading costs", err)
	}
	failed := hosting.Errorf(p.config.Name, hosting.CostFailed, hosting.Unsupported, "%s", noteCost)
	failed.InstanceID = instanceID
	return failed
}
