package intercept

import (
	"cmp"
	"context"
	"errors"

	"skillcenter.io/hosting"
)

// Call is a call of a provider. What does not apply is empty.
type Call struct {
	// Method is the Go name, such as "ScaleInstance".
	Method string
	// Changes tells that it is there to change something.
	Changes bool
	// Stream tells that it lasts as long as its caller wants.
	Stream bool
	// Provider is the name that the id or the configuration has in it, which
	// need not be that of a provider; else the name of the provider that is
	// called. Where that is several, the name is the default one's.
	Provider string
	// InstanceID is what it was given.
	InstanceID string
	// Name, Type and Region are those of the configuration that it was given,
	// of which nothing else is here: the rest may be secret.
	Name, Type, Region string
}

// Result is how a call has ended.
type Result struct {
	// Err is what was returned, or [ErrPanicked].
	Err error
	// Provider is the name that is in the error or the instance that was
	// returned; else that of the call.
	Provider string
	// InstanceID is that of the instance that was returned, if one was.
	InstanceID string
	// Items is how many were returned, if IsList.
	Items  int
	IsList bool
}

// ErrPanicked is the result of a call whose provider has not returned: it
// panicked, or ended its goroutine. That goes on to the caller as it is.
var ErrPanicked = errors.New("the provider panicked")

// Hook is told of a call before it is made. The call gets the context that is
// returned, and its end is told to done, once. Both run in the goroutine of the
// caller.
type Hook func(ctx context.Context, call Call) (own context.Context, done func(Result))

// Wrap returns a provider that tells hook of every call of p, abilities
// included. The accessors, which do no I/O, are no calls.
func Wrap(p hosting.CloudHostingProvider, hook Hook) *Provider {
	return &Provider{Forward{p}, hook}
}

// Provider is what Wrap returns.
type Provider struct {
	Forward
	hook Hook
}

// on is a call about an instance.
func on(method, instanceID string) Call {
	id, _ := hosting.ParseID(instanceID) // what is no id names no provider
	return Call{Method: method, Provider: id.Provider, InstanceID: instanceID}
}

// with is a call with a configuration.
func with(method string, config hosting.CloudHostingConfig) Call {
	return Call{Method: method, Provider: config.Provider, Name: config.InstanceName, Type: config.InstanceType, Region: config.Region}
}

func (c Call) changing() Call {
	c.Changes = true
	return c
}

// ask makes a call that returns something.
func ask[T any](ctx context.Context, p *Provider, c Call, do func(context.Context) (T, error)) (T, error) {
	return tell(ctx, p, c, do, func(T) Result { return Result{} })
}

// askList makes a call that returns a list.
func askList[T any](ctx context.Context, p *Provider, c Call, do func(context.Context) ([]T, error)) ([]T, error) {
	return tell(ctx, p, c, do, func(list []T) Result { return Result{Items: len(list), IsList: true} })
}

// askInstance makes a call that returns an instance.
func askInstance(ctx context.Context, p *Provider, c Call, do func(context.Context) (hosting.CloudInstance, error)) (hosting.CloudInstance, error) {
	return tell(ctx, p, c, do, func(instance hosting.CloudInstance) Result {
		return Result{Provider: instance.Provider, InstanceID: instance.ID}
	})
}

// act makes a call that returns nothing.
func act(ctx context.Context, p *Provider, c Call, do func(context.Context) error) error {
	_, err := ask(ctx, p, c.changing(), func(ctx context.Context) (struct{}, error) { return struct{}{}, do(ctx) })
	return err
}

func tell[T any](ctx context.Context, p *Provider, c Call, do func(context.Context) (T, error), sum func(T) Result) (T, error) {
	ctx, done := p.begin(ctx, c)
	summary := Result{Err: ErrPanicked}
	defer func() { done(summary) }() // also when the provider panics
	result, err := do(ctx)
	summary = sum(result)
	summary.Err = err
	return result, err
}

// begin tells the hook of a call, and returns what tells it of the end. It
// fills in whose call it is.
func (p *Provider) begin(ctx context.Context, c Call) (context.Context, func(Result)) {
	c.Provider = cmp.Or(c.Provider, p.ProviderName())
	ctx, done := p.hook(ctx, c)
	return ctx, func(result Result) {
		if failed, ok := errors.AsType[*hosting.Error](result.Err); ok {
			result.Provider = failed.Provider
		}
		result.Provider = cmp.Or(result.Provider, c.Provider)
		done(result)
	}
}
