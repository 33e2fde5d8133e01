package provider_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
)

// noCalls are the methods of a Router that ask no backend for anything with an
// id.
var noCalls = map[string]bool{"ProviderName": true, "SupportedRegions": true, "SupportedInstanceTypes": true, "Backends": true, "Backend": true, "Providers": true, "Close": true}

// echoing returns a Router over two echoes, of which the second answers.
func echoing(t *testing.T, answers *echo) *provider.Router {
	answers.region = "other"
	named := func(name string, e *echo) provider.Named {
		return provider.Named{Name: name, Backend: driver.Backend{Provider: e, Volumes: e, Services: e, Scaling: e, Checker: e}}
	}
	return newRouter(t, named("a", &echo{}), named("b", answers))
}

// invoke calls a method with arguments that name provider b wherever they can,
// and returns what it returned, streams as lists, and its error.
func invoke(t *testing.T, r *provider.Router, method reflect.Method) (results []reflect.Value, err error) {
	t.Helper()
	arguments := []reflect.Value{reflect.ValueOf(r), reflect.ValueOf(t.Context())}
	for i := 2; i < method.Type.NumIn(); i++ {
		argument := reflect.New(method.Type.In(i)).Elem()
		fill(argument, "b:"+bareID)
		if _, isEvent := argument.Interface().(hosting.InstanceEvent); !isEvent && argument.Kind() == reflect.Struct {
			for _, name := range []string{"Provider"} {
				if field := argument.FieldByName(name); field.IsValid() {
					field.SetString("b")
				}
			}
		}
		arguments = append(arguments, argument)
	}
	if method.Name == "Capabilities" { // takes no ids
		arguments[2], arguments[3] = reflect.ValueOf("other"), reflect.ValueOf("deployment")
	}
	for _, result := range method.Func.Call(arguments) {
		switch {
		case result.Kind() == reflect.Func:
			// Both echoes answer a watch. One item of each is enough.
			for item, failure := range result.Seq2() {
				results = append(results, item)
				if e, ok := failure.Interface().(error); ok {
					return results, e
				}
			}
		case result.Type() == reflect.TypeFor[error]():
			err, _ = result.Interface().(error)
		default:
			results = append(results, result)
		}
	}
	return results, err
}

// A method that is added and forgets that results have ids is found here.
func TestEveryIDThatARouterReturnsNamesTheProvider(t *testing.T) {
	t.Parallel()
	methods := reflect.TypeFor[*provider.Router]()
	withID := 0
	for i := range methods.NumMethod() {
		method := methods.Method(i)
		if noCalls[method.Name] {
			continue
		}
		answers := &echo{}
		results, err := invoke(t, echoing(t, answers), method)
		if method.Name == "WatchInstances" { // an echo's watch ends
			require.ErrorIs(t, err, hosting.Unavailable)
			results = results[:len(results)-1]
		} else {
			require.NoError(t, err, method.Name)
		}
		assert.Empty(t, answers.foreign, "%s: the backend was given ids of other providers", method.Name)
		for _, result := range results {
			visit(result, "", func(field, text string) {
				switch {
				case isIDField(field):
					withID++
					assert.True(t, text == "b:"+bareID || text == "a:"+bareID, "%s: %s is %q", method.Name, field, text)
				case field == "Provider":
					assert.Contains(t, []string{"a", "b"}, text, method.Name)
				}
			})
		}
	}
	assert.Greater(t, withID, 30, "the test looks at something")
}

func TestEveryErrorOfARouterNamesTheProviderAndTheWholeID(t *testing.T) {
	t.Parallel()
	methods := reflect.TypeFor[*provider.Router]()
	for i := range methods.NumMethod() {
		method := methods.Method(i)
		if noCalls[method.Name] {
			continue
		}
		cause := &hosting.Error{Provider: "its own name", Code: hosting.GetFailed, Reason: hosting.Conflict, Message: "because", InstanceID: bareID}
		_, err := invoke(t, echoing(t, &echo{err: cause}), method)
		e := failed(t, err)
		if method.Name == "WatchInstances" && e.Provider == "a" {
			continue // the end of the other one's watch was seen first
		}
		assert.Equal(t, "b", e.Provider, method.Name)
		assert.Equal(t, hosting.Conflict, e.Reason, method.Name)
		assert.Equal(t, "b:"+bareID, e.InstanceID, method.Name)
		assert.Contains(t, e.Message, "because", method.Name)
		assert.Equal(t, hosting.Error{Provider: "its own name", Code: hosting.GetFailed, Reason: hosting.Conflict, Message: "because", InstanceID: bareID}, *cause,
			"%s: the backend's own error is not changed", method.Name)
	}
}

func TestAnErrorThatIsNoneOfTheProtocolBecomesOne(t *testing.T) {
	t.Parallel()
	_, err := echoing(t, &echo{err: assert.AnError}).GetInstance(t.Context(), "b:"+bareID)
	e := failed(t, err)
	assert.Equal(t, hosting.GetFailed, e.Code)
	assert.Equal(t, hosting.Internal, e.Reason)
	assert.ErrorIs(t, err, assert.AnError)
}

func TestARevisionCanBeAppliedToWhereItCameFrom(t *testing.T) {
	t.Parallel()
	revisions, err := echoing(t, &echo{}).ListRevisions(t.Context(), "b:"+bareID)
	require.NoError(t, err)
	config := revisions[0].Config
	assert.Equal(t, "b", config.Provider)
	assert.True(t, strings.HasPrefix(config.Container.VolumeMounts[0].VolumeID, "b:"))
}
