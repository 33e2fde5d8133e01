package fake

import (
	"context"
	"errors"
	"time"

	"skillcenter.io/hosting"
)

// operation is one call of the provider's interface.
type operation struct {
	method string
	code   hosting.Code // of its errors
	id     string       // the instance id it was given, if any
	name   string       // the name of what it is about, which faults go by
}

func onInstance(method string, code hosting.Code, instanceID string) operation {
	id, _ := hosting.ParseID(instanceID)
	return operation{method: method, code: code, id: instanceID, name: id.Name}
}

// call does what every method has in common: it honours the context, applies
// the faults, and runs effect on the state as it is now, under the lock.
func call[T any](ctx context.Context, p *Provider, o operation, effect func(now time.Time) (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, p.failure(o, contextEnded(err))
	}
	fault, delay := p.callFault(o)
	if err := pause(ctx, delay); err != nil {
		return none, p.failure(o, contextEnded(err))
	}
	if fault != nil && !fault.AfterEffect {
		return none, p.failure(o, fault.failure())
	}
	result, err := locked(p, effect)
	if err != nil {
		return none, p.failure(o, err)
	}
	if fault != nil {
		return none, p.failure(o, fault.failure())
	}
	return result, nil
}

// do is call for methods that return nothing.
func (p *Provider) do(ctx context.Context, o operation, effect func(now time.Time) error) error {
	_, err := call(ctx, p, o, func(now time.Time) (struct{}, error) { return struct{}{}, effect(now) })
	return err
}

// change is do for methods that change an instance, which is not possible
// once it is being deleted.
func (p *Provider) change(ctx context.Context, o operation, effect func(in *instance, now time.Time) error) error {
	return p.do(ctx, o, func(now time.Time) error {
		in, err := p.find(o.id)
		if err != nil {
			return err
		}
		if in.terminating() {
			return fail(hosting.Conflict, "instance %s is being deleted", in.key)
		}
		return effect(in, now)
	})
}

func locked[T any](p *Provider, effect func(now time.Time) (T, error)) (T, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		var none T
		return none, fail(hosting.Unavailable, "the provider is closed")
	}
	now := p.clock()
	p.advance(now)
	return effect(now)
}

// clock returns the time. It never goes back, even if somebody sets the
// computer's clock: a simulation cannot.
func (p *Provider) clock() time.Time {
	// Round drops the monotonic reading, so that all times compare alike.
	now := p.now().UTC().Round(0)
	if now.Before(p.latest) {
		return p.latest
	}
	p.latest = now
	return now
}

// pause waits for d without holding the lock.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// find returns the instance that an id names.
func (p *Provider) find(instanceID string) (*instance, error) {
	id, err := hosting.ParseID(instanceID)
	if err != nil {
		return nil, fail(hosting.InvalidArgument, "%w", err)
	}
	in := p.instances[place{id.Region, id.Name}]
	if in == nil || in.id.Type != id.Type || !p.isMine(id) {
		return nil, instanceNotFound(instanceID)
	}
	return in, nil
}

// isMine tells whether an id has no prefix, or this provider's.
func (p *Provider) isMine(id hosting.ID) bool { return id.Provider == "" || id.Provider == p.name }

func instanceNotFound(instanceID string) error {
	return hosting.Errorf("", hosting.InstanceNotFound, hosting.NotFound, "instance %s does not exist", instanceID)
}

// fail returns an error for failure to complete.
func fail(reason hosting.Reason, format string, args ...any) *hosting.Error {
	return hosting.Errorf("", "", reason, format, args...)
}

func contextEnded(err error) error { return fail(hosting.ReasonOf(err), "%w", err) }

// failure completes err with what the operation knows.
func (p *Provider) failure(o operation, err error) error {
	var e *hosting.Error
	if !errors.As(err, &e) {
		e = hosting.Errorf("", "", hosting.Internal, "%w", err)
	}
	e.Provider = p.name
	if e.Code == "" {
		e.Code = o.code
	}
	if e.InstanceID == "" {
		e.InstanceID = o.id
	}
	return e
}
