package kubernetes

import (
	"context"
	"sync"

	"skillcenter.io/hosting"
)

// fromAllRegions asks all regions at once, and gives each Config.RegionTimeout
// to answer. If some do not, it returns what the others have with an error that
// names each region that failed, and says what did.
func fromAllRegions[T any](ctx context.Context, p *Provider, code hosting.Code, what string, list func(context.Context, *region) ([]T, error)) ([]T, error) {
	if err := ctx.Err(); err != nil {
		return nil, p.fail(ctx, code, "", "asking all regions", err)
	}
	var mu sync.Mutex
	all := []T{}
	failures := p.everywhere(ctx, func(ctx context.Context, at *region) error {
		found, err := list(ctx, at)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, found...)
		return err
	})
	return all, p.partial(ctx, failures, code, what)
}
