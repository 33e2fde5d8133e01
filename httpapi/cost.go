package httpapi

import (
	"context"
	"net/http"

	"skillcenter.io/hosting"
)

// costRoutes tell what instances would cost and did cost.
func (a *API) costRoutes() []route {
	return []route{
		{method: http.MethodPost, path: "/cost/estimate", action: EstimateCost, code: hosting.CostFailed, prepare: (*request).estimateCost},
		{method: http.MethodGet, path: "/instances/{id}/cost", action: GetActualCost, code: hosting.CostFailed, prepare: (*request).getActualCost},
	}
}

// estimateCost is about the provider that the instance would be created on.
func (q *request) estimateCost() (Access, do) {
	var config hosting.CloudHostingConfig
	q.body(&config)
	config, access := q.placed(config)
	q.mounts(GetVolume, false, config, access) // their sizes are in the estimate
	return access, func(ctx context.Context) (*reply, error) {
		estimate, err := q.api.provider.EstimateCost(ctx, config)
		if err != nil {
			return nil, err
		}
		return ok(estimate), nil
	}
}

func (q *request) getActualCost() (Access, do) {
	id, access := q.id()
	start, end := q.time("startTime"), q.time("endTime")
	return access, func(ctx context.Context) (*reply, error) {
		cost, err := q.api.provider.GetActualCost(ctx, id, start, end)
		if err != nil {
			return nil, err
		}
		return ok(cost), nil
	}
}
