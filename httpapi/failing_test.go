package httpapi_test

import (
	"context"
	"iter"
	"reflect"
	"testing"

	"github.com/golang/mock/gomock"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/mocks"
)

// failing is a provider whose every call fails, abilities included.
type failing struct {
	hosting.CloudHostingProvider
	err error
}

// newFailing returns mocks whose every call that can fail does, with err.
func newFailing(t *testing.T, err error) (failing, hosting.HostingExtensionSdkAdapter) {
	t.Helper()
	controller := gomock.NewController(t)
	p, x := mocks.NewMockCloudHostingProvider(controller), mocks.NewMockHostingExtensionSdkAdapter(controller)
	p.EXPECT().ProviderName().Return("p").AnyTimes()
	p.EXPECT().SupportedRegions().Return([]string{"default"}).AnyTimes()
	p.EXPECT().SupportedInstanceTypes().Return([]string{"deployment"}).AnyTimes()
	x.EXPECT().IsAvailable(gomock.Any()).Return(false).AnyTimes()
	fail(controller, p, reflect.TypeFor[hosting.CloudHostingProvider](), err)
	fail(controller, x, reflect.TypeFor[hosting.HostingExtensionSdkAdapter](), err)
	return failing{p, err}, x
}

// fail lets a mock fail in every method that returns an error.
func fail(controller *gomock.Controller, mock any, of reflect.Type, err error) {
	for method := range of.Methods() {
		if last := method.Type.NumOut() - 1; method.Type.Out(last) != reflect.TypeFor[error]() {
			continue
		}
		var arguments, results []any
		for range method.Type.NumIn() {
			arguments = append(arguments, gomock.Any())
		}
		for i := range method.Type.NumOut() - 1 {
			results = append(results, reflect.Zero(method.Type.Out(i)).Interface())
		}
		real, _ := reflect.TypeOf(mock).MethodByName(method.Name)
		controller.RecordCallWithMethodType(mock, method.Name, real.Type, arguments...).Return(append(results, err)...).AnyTimes()
	}
}

func (f failing) StreamLogs(context.Context, string, hosting.LogQueryOptions) iter.Seq2[hosting.LogEntry, error] {
	return func(yield func(hosting.LogEntry, error) bool) { yield(hosting.LogEntry{}, f.err) }
}

func (f failing) WatchInstances(context.Context) iter.Seq2[hosting.InstanceChange, error] {
	return func(yield func(hosting.InstanceChange, error) bool) { yield(hosting.InstanceChange{}, f.err) }
}

func (f failing) ApplyInstance(context.Context, hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	return hosting.CloudInstance{}, f.err
}

func (f failing) PlanInstance(context.Context, hosting.CloudHostingConfig) (hosting.InstancePlan, error) {
	return hosting.InstancePlan{}, f.err
}

func (f failing) ListRevisions(context.Context, string) ([]hosting.InstanceRevision, error) {
	return nil, f.err
}

func (f failing) RollbackInstance(context.Context, string, int) (hosting.CloudInstance, error) {
	return hosting.CloudInstance{}, f.err
}

func (f failing) RunNow(context.Context, string) error { return f.err }

func (f failing) RecordEvent(context.Context, string, hosting.InstanceEvent) error { return f.err }

func (f failing) Capabilities(context.Context, string, string) (hosting.CapabilitySet, error) {
	return nil, f.err
}
