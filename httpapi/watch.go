package httpapi

import (
	"context"

	"skillcenter.io/hosting"
)

// watchInstances answers with what changes, as far as the client may see it: of
// an instance that it may not read, it does not learn the deletion either.
func (q *request) watchInstances() (Access, do) {
	q.willStream()
	return Access{}, func(context.Context) (*reply, error) {
		return &reply{stream: func(ctx context.Context, e *events) error {
			for change, err := range hosting.WatchInstances(ctx, q.api.provider) {
				if err != nil {
					return err
				}
				if change.Type != hosting.ChangeSynced {
					visible, err := q.visible(ctx, q.instanceAccess(change.Instance))
					if err != nil {
						return err
					}
					if !visible {
						continue
					}
				}
				if err := e.send(string(change.Type), "", change); err != nil {
					return err
				}
			}
			return nil
		}}, nil
	}
}
