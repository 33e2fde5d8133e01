package kubernetes

import (
	"context"
	"sync"

	"github.com/hashicorp/go-multierror"

	"skillcenter.io/hosting"
)

// fromAllRegions asks all regions at once, and gives each Config.RegionTimeout
// to answer. If some do not, it returns what the others have with an error that
// names each region that failed, and says what did.
func fromAllRegions[T any](ctx context.Context, p *Provider, code hosting.Code, what string, list func(context.Context, *region) ([]T, error)) ([]T, error) {
	if err := ctx.Err(); err != nil {
		return nil, p.fail(ctx, code, "", "asking all regions", err)
	}
	var (
		mu       sync.Mutex
		all      = []T{}
		failures *multierror.Error
		wait     sync.WaitGroup
	)
	for _, at := range p.regions {
		wait.Go(func() {
			var found []T
			err := p.within(ctx, at, func(ctx context.Context) (err error) {
				found, err = list(ctx, at)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			all = append(all, found...)
			if err != nil {
				failures = multierror.Append(failures, err)
			}
		})
	}
	wait.Wait()
	return all, p.partial(ctx, failures, code, what)
}
