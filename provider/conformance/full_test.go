package conformance_test

import (
	"encoding/json"
	"errors"
	"sync"
	"time"

	"skillcenter.io/hosting"
)

// full is the reference with the abilities that the fake does not have, as
// far as the suite uses them: only labels can be changed.
type full struct {
	reference
	*history
}

// history is what the abilities remember of each instance, by region and name.
type history struct {
	mu    sync.Mutex
	lives map[[2]string]*life
}

// life is an instance's configurations, the newest last. The first one is what
// the fake knows.
type life struct {
	configs []config
}

func (l *life) current() config { return l.configs[len(l.configs)-1] }

func newFull() full { return full{newReference(), &history{lives: map[[2]string]*life{}}} }

func (p full) key(config config) [2]string {
	if config.Region == "" {
		config.Region = p.SupportedRegions()[0]
	}
	return [2]string{config.Region, config.InstanceName}
}

func (p full) canonical(config config) string {
	config.Region = p.key(config)[0]
	data, err := json.Marshal(config)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func (p full) copy(original config) (copied config) {
	if err := json.Unmarshal([]byte(p.canonical(original)), &copied); err != nil {
		panic(err)
	}
	return copied
}

func (p full) life(key [2]string) *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lives[key]
}

func (p full) now(in instance, err error) (instance, error) {
	if l := p.life([2]string{in.Region, in.Name}); err == nil && l != nil {
		in.Labels = p.copy(l.current()).Labels
	}
	return in, err
}

// as gives an error the code of another operation.
func as(err error, code hosting.Code) error {
	var failure *hosting.Error
	if errors.As(err, &failure) && failure.Code != hosting.InstanceNotFound {
		changed := *failure
		changed.Code = code
		return &changed
	}
	return err
}

func (p full) failure(code hosting.Code, reason hosting.Reason, message string) error {
	return &hosting.Error{Provider: p.ProviderName(), Code: code, Reason: reason, Message: message}
}

func (p full) CreateInstance(c ctx, config config) (instance, error) {
	l := p.life(p.key(config))
	switch {
	case c.Err() != nil || l == nil:
	case p.canonical(config) == p.canonical(l.current()):
		config = l.configs[0]
	case p.canonical(config) == p.canonical(l.configs[0]):
		return instance{}, p.failure(hosting.CreateFailed, hosting.AlreadyExists, "it was changed since")
	}
	in, err := p.reference.CreateInstance(c, config)
	if err == nil && l == nil {
		p.mu.Lock()
		if p.lives[p.key(config)] == nil {
			p.lives[p.key(config)] = &life{[]hosting.CloudHostingConfig{p.copy(config)}}
		}
		p.mu.Unlock()
	}
	return p.now(in, err)
}

func (p full) GetInstance(c ctx, id string) (instance, error) {
	return p.now(p.reference.GetInstance(c, id))
}

func (p full) ListInstances(c ctx) ([]instance, error) {
	list, err := p.reference.ListInstances(c)
	for i := range list {
		list[i], _ = p.now(list[i], nil)
	}
	return list, err
}

func (p full) DeleteInstance(c ctx, id string) error {
	err := p.reference.DeleteInstance(c, id)
	if parsed, _ := hosting.ParseID(id); err == nil {
		p.mu.Lock()
		delete(p.lives, [2]string{parsed.Region, parsed.Name})
		p.mu.Unlock()
	}
	return err
}

func (p full) Capabilities(c ctx, region, typ string) (hosting.CapabilitySet, error) {
	set, err := p.reference.Capabilities(c, region, typ)
	for _, can := range []hosting.Capability{hosting.CanWatch, hosting.CanApply, hosting.CanPlan, hosting.CanRollback} {
		if err == nil {
			set[can] = hosting.Support{Supported: true}
		}
	}
	return set, err
}

func (p full) ApplyInstance(c ctx, config config) (instance, error) {
	in, err := p.CreateInstance(c, config)
	l := p.life(p.key(config))
	if !errors.Is(err, hosting.AlreadyExists) || l == nil {
		return in, as(err, hosting.UpdateFailed)
	}
	p.mu.Lock()
	l.configs = append(l.configs, p.copy(config))
	p.mu.Unlock()
	in, err = p.CreateInstance(c, config)
	return in, as(err, hosting.UpdateFailed)
}

func (p full) PlanInstance(c ctx, config config) (hosting.InstancePlan, error) {
	if _, err := p.EstimateCost(c, config); err != nil {
		return hosting.InstancePlan{}, as(err, hosting.UpdateFailed)
	}
	l := p.life(p.key(config))
	switch {
	case l == nil:
		return hosting.InstancePlan{Changes: []string{"create"}}, nil
	case p.canonical(config) != p.canonical(l.current()):
		return hosting.InstancePlan{Changes: []string{"labels"}}, nil
	}
	return hosting.InstancePlan{Changes: []string{}}, nil
}

func (p full) ListRevisions(c ctx, id string) ([]hosting.InstanceRevision, error) {
	in, err := p.GetInstance(c, id)
	if err != nil {
		return nil, err
	}
	var list []hosting.InstanceRevision
	l := p.life([2]string{in.Region, in.Name})
	if l == nil {
		return nil, nil // it is terminating
	}
	for i, config := range l.configs {
		config = p.copy(config)
		config.SecretEnv = nil
		list = append([]hosting.InstanceRevision{{Revision: i + 1, CreatedAt: in.CreatedAt, Config: config}}, list...)
	}
	return list, nil
}

func (p full) RollbackInstance(c ctx, id string, revision int) (instance, error) {
	in, err := p.GetInstance(c, id)
	if err != nil {
		return in, as(err, hosting.UpdateFailed)
	}
	l := p.life([2]string{in.Region, in.Name})
	if l == nil {
		return in, p.failure(hosting.UpdateFailed, hosting.Conflict, "it is terminating")
	}
	if revision == 0 {
		revision = len(l.configs) - 1
	}
	if revision < 1 || revision > len(l.configs) {
		return instance{}, p.failure(hosting.UpdateFailed, hosting.NotFound, "there is no such revision")
	}
	return p.ApplyInstance(c, l.configs[revision-1])
}

// WatchInstances looks again and again.
func (p full) WatchInstances(c ctx) changes {
	return func(yield func(hosting.InstanceChange, error) bool) {
		told := map[string]instance{}
		for synced := false; c.Err() == nil; synced = true {
			list, err := p.ListInstances(c)
			if err != nil {
				return
			}
			there := map[string]bool{}
			for _, in := range list {
				there[in.ID] = true
				if last, known := told[in.ID]; known && last.Status == in.Status && last.Replicas == in.Replicas {
					continue
				}
				told[in.ID] = in
				if !yield(hosting.InstanceChange{Type: hosting.ChangeState, Instance: in}, nil) {
					return
				}
			}
			for id, in := range told {
				if there[id] {
					continue
				}
				delete(told, id)
				if !yield(hosting.InstanceChange{Type: hosting.ChangeDeleted, Instance: in}, nil) {
					return
				}
			}
			if !synced && !yield(hosting.InstanceChange{Type: hosting.ChangeSynced}, nil) {
				return
			}
			select {
			case <-c.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}
