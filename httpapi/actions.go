package httpapi

import (
	"context"
	"net/http"
	"strings"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// actionRoutes are what is done to an instance. They answer 202 with the
// instance as it is then, or 204 where there is nothing to show: it is gone, it
// could not be read, or the client did not want it.
func (a *API) actionRoutes() []route {
	action := func(method, path string, action Action, code hosting.Code, prepare func(*request) (Access, do)) route {
		return route{method: method, path: "/instances/{id}/" + path, action: action, code: code, changes: true, prepare: prepare}
	}
	return []route{
		action(http.MethodPost, "start", StartInstance, hosting.StartFailed, (*request).startInstance),
		action(http.MethodPost, "stop", StopInstance, hosting.StopFailed, (*request).stopInstance),
		action(http.MethodPost, "restart", RestartInstance, hosting.RestartFailed, (*request).restartInstance),
		action(http.MethodPost, "scale", ScaleInstance, hosting.ScaleFailed, (*request).scaleInstance),
		action(http.MethodPut, "resources", UpdateResources, hosting.UpdateFailed, (*request).updateResources),
		action(http.MethodPost, "rollback", RollbackInstance, hosting.UpdateFailed, (*request).rollbackInstance),
		action(http.MethodPost, "run", RunNow, hosting.StartFailed, (*request).runNow),
	}
}

// act is an action on the instance of the path that has no body.
func (q *request) act(call func(ctx context.Context, instanceID string) error) (Access, do) {
	id, access := q.id()
	ifMatch := q.ifMatch()
	return access, q.acting(id, ifMatch, func(ctx context.Context) error { return call(ctx, id) })
}

// acting makes the call, if the instance is what the client has seen, and
// answers with the instance.
func (q *request) acting(id string, ifMatch []string, call func(context.Context) error) do {
	return func(ctx context.Context) (*reply, error) {
		return guarded(ctx, q, ifMatch, q.currentInstance(id), func() (*reply, error) {
			if err := call(ctx); err != nil {
				return nil, err
			}
			return shown(ctx, q, func(ctx context.Context) (hosting.CloudInstance, error) { return q.api.provider.GetInstance(ctx, id) })
		})
	}
}

// shown answers a change that was made with what it was made to: 202 with it as
// it is then, or 204 where there is nothing to show.
func shown[T any](ctx context.Context, q *request, read func(context.Context) (T, error)) (*reply, error) {
	if q.wantsMinimal() {
		return &reply{status: http.StatusNoContent}, nil
	}
	document, err := read(ctx)
	if err != nil { // what was asked for is done
		return &reply{status: http.StatusNoContent}, nil
	}
	answer, err := q.tagged(document)
	if err != nil {
		return nil, err
	}
	answer.status = http.StatusAccepted
	return answer, nil
}

// wantsMinimal tells whether the client does without the instance.
func (q *request) wantsMinimal() bool {
	for _, value := range q.r.Header.Values(wire.Prefer) {
		for preference := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(preference), wire.ReturnMinimal) {
				return true
			}
		}
	}
	return false
}

func (q *request) startInstance() (Access, do)   { return q.act(q.api.provider.StartInstance) }
func (q *request) stopInstance() (Access, do)    { return q.act(q.api.provider.StopInstance) }
func (q *request) restartInstance() (Access, do) { return q.act(q.api.provider.RestartInstance) }

func (q *request) scaleInstance() (Access, do) {
	id, access := q.id()
	ifMatch := q.ifMatch()
	var body wire.Scale
	q.body(&body)
	if body.Replicas == nil {
		q.mistake("replicas: it is missing: allowed: a whole number, 0 or more")
		return access, nil
	}
	return access, q.acting(id, ifMatch, func(ctx context.Context) error {
		return q.api.provider.ScaleInstance(ctx, id, *body.Replicas)
	})
}

func (q *request) updateResources() (Access, do) {
	id, access := q.id()
	ifMatch := q.ifMatch()
	var resources hosting.ResourceConfig
	q.body(&resources)
	return access, q.acting(id, ifMatch, func(ctx context.Context) error {
		return q.api.provider.UpdateResources(ctx, id, resources)
	})
}

func (q *request) rollbackInstance() (Access, do) {
	id, access := q.id()
	ifMatch := q.ifMatch()
	var body wire.Rollback
	q.optionalBody(&body)
	return access, q.acting(id, ifMatch, func(ctx context.Context) error {
		_, err := hosting.RollbackInstance(ctx, q.api.provider, id, body.Revision)
		return err
	})
}

func (q *request) runNow() (Access, do) {
	return q.act(func(ctx context.Context, id string) error { return hosting.RunNow(ctx, q.api.provider, id) })
}
