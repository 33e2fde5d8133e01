package httpapi

import (
	"context"
	"errors"
	"net/http"

	"skillcenter.io/hosting"
)

// instanceRoutes create, read, change and delete instances.
func (a *API) instanceRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "/instances", action: ListInstances, code: hosting.ListFailed, prepare: (*request).listInstances},
		{method: http.MethodPost, path: "/instances", action: CreateInstance, code: hosting.CreateFailed, changes: true, prepare: (*request).createInstance},
		{method: http.MethodGet, path: "/instances/watch", action: WatchInstances, code: hosting.ListFailed, prepare: (*request).watchInstances},
		{method: http.MethodGet, path: "/instances/{id}", action: GetInstance, code: hosting.GetFailed, prepare: (*request).getInstance},
		{method: http.MethodPut, path: "/instances/{id}", action: ApplyInstance, code: hosting.UpdateFailed, changes: true, prepare: (*request).applyInstance},
		{method: http.MethodDelete, path: "/instances/{id}", action: DeleteInstance, code: hosting.DeleteFailed, changes: true, prepare: (*request).deleteInstance},
		{method: http.MethodGet, path: "/instances/{id}/revisions", action: ListRevisions, code: hosting.GetFailed, prepare: (*request).listRevisions},
	}
}

func (q *request) listInstances() (Access, do) {
	f, p := q.filter(), q.page()
	return Access{}, func(ctx context.Context) (*reply, error) {
		instances, err := q.api.provider.ListInstances(ctx)
		return list(ctx, q, p, instances, err, func(i hosting.CloudInstance) string { return i.ID }, f.keeps, q.instanceAccess)
	}
}

// instanceAccess is the Access to an instance of a list.
func (q *request) instanceAccess(i hosting.CloudInstance) Access {
	return Access{Action: GetInstance, Provider: i.Provider, Region: i.Region, Type: i.InstanceType, Name: i.Name, ID: i.ID}
}

func (q *request) createInstance() (Access, do) {
	var config hosting.CloudHostingConfig
	dryRun := q.flag("dryRun")
	q.body(&config)
	config, access := q.placed(config)
	q.mounts(MountVolume, true, config, access)
	q.readsFor(dryRun, access)
	return access, func(ctx context.Context) (*reply, error) {
		if dryRun {
			return q.plan(ctx, config)
		}
		existed := q.existing(ctx, access)
		instance, err := q.api.provider.CreateInstance(ctx, config)
		if err != nil {
			return nil, err
		}
		return q.created("instances", instance.ID, instance, existed)
	}
}

// readsFor notes that a dry run reads the instance, if there is one: its plan
// shows what is there.
func (q *request) readsFor(dryRun bool, instance Access) {
	if dryRun {
		instance.Action = GetInstance
		q.also = append(q.also, instance)
	}
}

// plan tells what would be done.
func (q *request) plan(ctx context.Context, config hosting.CloudHostingConfig) (*reply, error) {
	plan, err := hosting.PlanInstance(ctx, q.api.provider, config)
	if err != nil {
		return nil, err
	}
	return ok(plan), nil
}

// existing tells whether there is an instance where one is to be created.
func (q *request) existing(ctx context.Context, access Access) bool {
	return q.existed(access, func(id string) error {
		_, err := q.api.provider.GetInstance(ctx, id)
		return err
	})
}

func (q *request) getInstance() (Access, do) {
	id, access := q.id()
	return access, func(ctx context.Context) (*reply, error) {
		instance, err := q.api.provider.GetInstance(ctx, id)
		if err != nil {
			return nil, err
		}
		return q.tagged(instance)
	}
}

// applyInstance creates or changes the instance that the path names. The
// configuration may leave out what the id says.
func (q *request) applyInstance() (Access, do) {
	id, access := q.id()
	var config hosting.CloudHostingConfig
	dryRun, ifMatch, createOnly := q.flag("dryRun"), q.ifMatch(), q.createOnly()
	q.body(&config)
	for _, part := range []struct {
		field   string
		value   *string
		of      string
		defined bool
	}{
		{"instanceName", &config.InstanceName, access.Name, true},
		{"instanceType", &config.InstanceType, access.Type, true},
		{"region", &config.Region, access.Region, true},
		// One provider alone needs no name; but what is of another must not become its.
		{"provider", &config.Provider, access.Provider, len(hosting.Providers(q.api.provider)) > 1 || access.Provider != q.api.provider.ProviderName()},
	} {
		switch {
		case *part.value == "" && part.defined:
			*part.value = part.of
		case *part.value != "" && *part.value != part.of:
			q.mistake("%w", hosting.FieldError{Field: part.field, Value: *part.value, Allowed: part.of + ", as the id has it"})
		}
	}
	q.mounts(MountVolume, true, config, access)
	q.readsFor(dryRun, access)
	return access, func(ctx context.Context) (*reply, error) {
		if dryRun {
			return q.plan(ctx, config)
		}
		document := q.currentInstance(id)
		document.creates = true
		return guarded(ctx, q, ifMatch, document, func() (*reply, error) {
			existed := q.existing(ctx, access)
			var instance hosting.CloudInstance
			var err error
			if createOnly {
				instance, err = q.createNew(ctx, config, existed)
			} else {
				instance, err = hosting.ApplyInstance(ctx, q.api.provider, config)
			}
			if err != nil {
				return nil, err
			}
			answer, err := q.tagged(instance)
			if err == nil && !existed {
				answer.status = http.StatusCreated
				answer.with("Location", q.location("instances", instance.ID))
			}
			return answer, err
		})
	}
}

// createNew creates an instance where there is none: to create never changes
// one that somebody else has made since it was looked for.
func (q *request) createNew(ctx context.Context, config hosting.CloudHostingConfig, existed bool) (hosting.CloudInstance, error) {
	if existed {
		return hosting.CloudInstance{}, changedMeanwhile("it exists, and If-None-Match asks that it does not")
	}
	instance, err := q.api.provider.CreateInstance(ctx, config)
	if errors.Is(err, hosting.AlreadyExists) {
		return hosting.CloudInstance{}, changedMeanwhile("there is one of its name, and If-None-Match asks that there is none")
	}
	return instance, err
}

// currentInstance reads an instance, for its ETag.
func (q *request) currentInstance(id string) current {
	return current{key: "instances/" + q.api.wholeID(id), read: func(ctx context.Context) (any, error) { return q.api.provider.GetInstance(ctx, id) }}
}

func (q *request) deleteInstance() (Access, do) {
	return q.act(q.api.provider.DeleteInstance)
}

func (q *request) listRevisions() (Access, do) {
	id, access := q.id()
	return access, func(ctx context.Context) (*reply, error) {
		return plain(hosting.ListRevisions(ctx, q.api.provider, id))
	}
}
