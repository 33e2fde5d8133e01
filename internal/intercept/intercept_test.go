package intercept_test

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/internal/intercept"
)

type key struct{}

// spy is a provider whose calls tell that they have been reached.
type spy struct {
	*fake.Provider
	reached map[string]int
}

// recorder collects what a hook is told.
type recorder struct {
	calls   []intercept.Call
	results []intercept.Result
}

func (r *recorder) hook(ctx context.Context, call intercept.Call) (context.Context, func(intercept.Result)) {
	r.calls = append(r.calls, call)
	return context.WithValue(ctx, key{}, call.Method), func(result intercept.Result) { r.results = append(r.results, result) }
}

// accessors are the methods that are no calls.
var accessors = map[string]bool{"ProviderName": true, "SupportedRegions": true, "SupportedInstanceTypes": true, "Providers": true, "Close": true}

// A method that is added to the protocol, or to Forward, and not here, would
// not be told to the hook.
func TestEveryMethodIsToldToTheHookOnce(t *testing.T) {
	t.Parallel()
	methods := reflect.TypeFor[*intercept.Provider]()
	for i := range methods.NumMethod() {
		method := methods.Method(i)
		if accessors[method.Name] {
			continue
		}
		t.Run(method.Name, func(t *testing.T) {
			var seen recorder
			p := intercept.Wrap(fake.New(), seen.hook)
			arguments := []reflect.Value{reflect.ValueOf(p), reflect.ValueOf(t.Context())}
			for i := 2; i < method.Type.NumIn(); i++ {
				argument := reflect.New(method.Type.In(i)).Elem()
				if argument.Kind() == reflect.String {
					argument.SetString("default.deployment.none")
				}
				arguments = append(arguments, argument)
			}
			err := outcome(method.Func.Call(arguments))
			require.Len(t, seen.calls, 1)
			require.Len(t, seen.results, 1)
			assert.Equal(t, method.Name, seen.calls[0].Method)
			assert.Equal(t, err, seen.results[0].Err)
		})
	}
}

// outcome returns the error of a call, or of the stream that it returned.
func outcome(results []reflect.Value) (err error) {
	switch last := results[len(results)-1].Interface().(type) {
	case error:
		return last
	case iter.Seq2[hosting.LogEntry, error]:
		for _, err := range last {
			return err
		}
	case iter.Seq2[hosting.InstanceChange, error]:
		for _, err := range last {
			return err
		}
	}
	return nil
}

func TestForwardHasEveryAbilityAndMethodOfTheProtocol(t *testing.T) {
	t.Parallel()
	forward := reflect.TypeFor[intercept.Forward]()
	for _, ability := range []reflect.Type{
		reflect.TypeFor[hosting.CloudHostingProvider](), reflect.TypeFor[hosting.LogStreamer](), reflect.TypeFor[hosting.InstanceWatcher](),
		reflect.TypeFor[hosting.InstanceApplier](), reflect.TypeFor[hosting.InstancePlanner](), reflect.TypeFor[hosting.Rollbacker](),
		reflect.TypeFor[hosting.JobRunner](), reflect.TypeFor[hosting.EventRecorder](), reflect.TypeFor[hosting.CapabilityReporter](),
		reflect.TypeFor[hosting.InstanceCapabilityReporter](),
	} {
		assert.True(t, forward.Implements(ability), ability)
	}
}

// CreateInstance tells which context it was given.
func (s spy) CreateInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	method, _ := ctx.Value(key{}).(string)
	s.reached[method]++
	return s.Provider.CreateInstance(ctx, config)
}

func TestACallHasTheContextOfTheHookAndTellsWhatItReturned(t *testing.T) {
	t.Parallel()
	s := spy{fake.New(), map[string]int{}}
	var seen recorder
	p := intercept.Wrap(s, seen.hook)
	created, err := p.CreateInstance(t.Context(), hosting.CloudHostingConfig{InstanceName: "web", InstanceType: hosting.TypeDeployment,
		Region: "default", Container: &hosting.ContainerConfig{Image: "web:1"}})
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"CreateInstance": 1}, s.reached)
	assert.Equal(t, intercept.Call{Method: "CreateInstance", Changes: true, Provider: "fake", Name: "web", Type: hosting.TypeDeployment, Region: "default"}, seen.calls[0])
	assert.Equal(t, intercept.Result{Provider: "fake", InstanceID: created.ID}, seen.results[0])
	_, err = p.ListInstances(t.Context())
	require.NoError(t, err)
	assert.Equal(t, intercept.Result{Provider: "fake", Items: 1, IsList: true}, seen.results[1])
}

func TestAStreamIsToldWhenItIsRangedOverAndWhenItHasEnded(t *testing.T) {
	t.Parallel()
	p := fake.New()
	_, err := p.CreateInstance(t.Context(), hosting.CloudHostingConfig{InstanceName: "web", InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "web:1"}})
	require.NoError(t, err)
	var seen recorder
	changes := intercept.Wrap(p, seen.hook).WatchInstances(t.Context())
	assert.Empty(t, seen.calls)
	for range changes {
		assert.Len(t, seen.calls, 1)
		assert.Empty(t, seen.results)
		break
	}
	require.Len(t, seen.results, 1)
	assert.Equal(t, intercept.Result{Provider: "fake", Items: 1, IsList: true}, seen.results[0])
	assert.True(t, seen.calls[0].Stream)

	func() {
		defer func() { assert.NotNil(t, recover()) }()
		for range changes {
			panic(errors.New("the consumer panics"))
		}
	}()
	require.Len(t, seen.results, 2, "told also then")
	assert.NoError(t, seen.results[1].Err, "the provider has done nothing wrong")
}

// broken panics in a call, and in a stream after one item.
type broken struct{ *fake.Provider }

func (broken) ListInstances(context.Context) ([]hosting.CloudInstance, error) { panic("broken") }

func (broken) WatchInstances(context.Context) iter.Seq2[hosting.InstanceChange, error] {
	return func(yield func(hosting.InstanceChange, error) bool) {
		yield(hosting.InstanceChange{}, nil)
		panic("broken")
	}
}

func TestACallWhoseProviderPanicsIsToldToo(t *testing.T) {
	t.Parallel()
	var seen recorder
	p := intercept.Wrap(broken{fake.New()}, seen.hook)
	assert.PanicsWithValue(t, "broken", func() { _, _ = p.ListInstances(t.Context()) })
	assert.PanicsWithValue(t, "broken", func() {
		for range p.WatchInstances(t.Context()) {
		}
	})
	assert.Equal(t, []intercept.Result{{Provider: "fake", Err: intercept.ErrPanicked}, {Provider: "fake", Items: 1, IsList: true, Err: intercept.ErrPanicked}}, seen.results)
}
