package provider_test

import (
	"cmp"
	"context"
	"iter"
	"reflect"
	"strings"

	"skillcenter.io/hosting"
)

// bareID is what stands in every text that an echo returns.
const bareID = "default.deployment.web"

// echo is a backend with everything that a backend can have. It returns results
// in which every field is set, and every text is its own id of an instance; or,
// with err, that error. What it was given with a provider in an id it keeps.
type echo struct {
	region  string // default if empty
	err     error
	foreign []string // ids with a provider that it was given
}

// give returns a filled result.
func give[T any](e *echo, arguments ...any) (result T, err error) {
	for _, argument := range arguments {
		visit(reflect.ValueOf(argument), "", func(field, text string) {
			if strings.Contains(text, ":") && (field == "" || isIDField(field)) {
				e.foreign = append(e.foreign, text)
			}
		})
	}
	if e.err != nil {
		return result, e.err
	}
	fill(reflect.ValueOf(&result).Elem(), bareID)
	return result, nil
}

func do(e *echo, arguments ...any) error {
	_, err := give[struct{}](e, arguments...)
	return err
}

// stream yields one filled item, or the error.
func stream[T any](e *echo, arguments ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) { yield(give[T](e, arguments...)) }
}

// isIDField tells whether a field holds an id of the grammar.
func isIDField(name string) bool {
	return strings.HasSuffix(name, "ID") && name != "EventID" && name != "SkillID"
}

// fill sets everything in a value, all texts to the same.
func fill(v reflect.Value, text string) {
	if _, ok := v.Interface().(hosting.Time); ok {
		v.Set(reflect.ValueOf(hosting.TimeFromMillis(1)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Float64:
		v.SetFloat(1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		if v.Type().Elem().Kind() != reflect.Uint8 {
			fill(v.Index(0), text)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		element := reflect.New(v.Type().Elem()).Elem()
		fill(element, text)
		v.SetMapIndex(reflect.ValueOf("key").Convert(v.Type().Key()), element)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), text)
		}
	}
}

// visit calls see with every text in a value and the name of its field.
func visit(v reflect.Value, field string, see func(field, text string)) {
	switch v.Kind() {
	case reflect.String:
		see(field, v.String())
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			visit(v.Elem(), field, see)
		}
	case reflect.Slice:
		for i := range v.Len() {
			visit(v.Index(i), field, see)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			visit(v.MapIndex(key), field, see)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				visit(v.Field(i), v.Type().Field(i).Name, see)
			}
		}
	}
}

type (
	ctx      = context.Context
	config   = hosting.CloudHostingConfig
	instance = hosting.CloudInstance
	service  = hosting.ServiceRegistration
)

func (e *echo) ProviderName() string                              { return "its own name" }
func (e *echo) SupportedRegions() []string                        { return []string{cmp.Or(e.region, "default")} }
func (e *echo) SupportedInstanceTypes() []string                  { return []string{"deployment"} }
func (e *echo) CreateInstance(_ ctx, c config) (instance, error)  { return give[instance](e, c) }
func (e *echo) ListInstances(ctx) ([]instance, error)             { return give[[]instance](e) }
func (e *echo) GetInstance(_ ctx, id string) (instance, error)    { return give[instance](e, id) }
func (e *echo) DeleteInstance(_ ctx, id string) error             { return do(e, id) }
func (e *echo) StartInstance(_ ctx, id string) error              { return do(e, id) }
func (e *echo) StopInstance(_ ctx, id string) error               { return do(e, id) }
func (e *echo) RestartInstance(_ ctx, id string) error            { return do(e, id) }
func (e *echo) ScaleInstance(_ ctx, id string, _ int) error       { return do(e, id) }
func (e *echo) RunNow(_ ctx, id string) error                     { return do(e, id) }
func (e *echo) ScaleFrom(_ ctx, id string, _, _ int) error        { return do(e, id) }
func (e *echo) TakeOver(_ ctx, id string) error                   { return do(e, id) }
func (e *echo) GiveBack(_ ctx, id string) error                   { return do(e, id) }
func (e *echo) DeleteVolume(_ ctx, id string) error               { return do(e, id) }
func (e *echo) UnregisterService(_ ctx, id string) error          { return do(e, id) }
func (e *echo) UnmountVolume(_ ctx, id, in string) error          { return do(e, id, in) }
func (e *echo) MountVolume(_ ctx, id, in, _ string, _ bool) error { return do(e, id, in) }
func (e *echo) ListVolumes(ctx) ([]hosting.Volume, error)         { return give[[]hosting.Volume](e) }
func (e *echo) GetVolume(_ ctx, id string) (hosting.Volume, error) {
	return give[hosting.Volume](e, id)
}
func (e *echo) ListServices(ctx) ([]service, error)            { return give[[]service](e) }
func (e *echo) DiscoverService(ctx, string) ([]service, error) { return give[[]service](e) }
func (e *echo) GetService(_ ctx, id string) (service, error)   { return give[service](e, id) }
func (e *echo) GetServicesByInstance(_ ctx, id string) ([]service, error) {
	return give[[]service](e, id)
}
func (e *echo) ApplyInstance(_ ctx, c config) (instance, error)                  { return give[instance](e, c) }
func (e *echo) RecordEvent(_ ctx, id string, _ hosting.InstanceEvent) error      { return do(e, id) }
func (e *echo) UpdateResources(_ ctx, id string, _ hosting.ResourceConfig) error { return do(e, id) }
func (e *echo) WatchInstances(ctx) iter.Seq2[hosting.InstanceChange, error] {
	return stream[hosting.InstanceChange](e)
}
func (e *echo) HealthCheck(_ ctx, id string) (hosting.Health, error) {
	return give[hosting.Health](e, id)
}
func (e *echo) GetMetrics(_ ctx, id string) (hosting.InstanceMetrics, error) {
	return give[hosting.InstanceMetrics](e, id)
}
func (e *echo) GetEvents(_ ctx, id string) ([]hosting.InstanceEvent, error) {
	return give[[]hosting.InstanceEvent](e, id)
}
func (e *echo) GetLogs(_ ctx, id string, _ hosting.LogQueryOptions) ([]hosting.LogEntry, error) {
	return give[[]hosting.LogEntry](e, id)
}
func (e *echo) StreamLogs(_ ctx, id string, _ hosting.LogQueryOptions) iter.Seq2[hosting.LogEntry, error] {
	return stream[hosting.LogEntry](e, id)
}
func (e *echo) GetServiceEndpoint(_ ctx, id string) (hosting.ServiceEndpoint, error) {
	return give[hosting.ServiceEndpoint](e, id)
}
func (e *echo) EstimateCost(_ ctx, c config) (hosting.CostEstimate, error) {
	return give[hosting.CostEstimate](e, c)
}
func (e *echo) GetActualCost(_ ctx, id string, _, _ hosting.Time) (hosting.CostActual, error) {
	return give[hosting.CostActual](e, id)
}
func (e *echo) PlanInstance(_ ctx, c config) (hosting.InstancePlan, error) {
	return give[hosting.InstancePlan](e, c)
}
func (e *echo) ListRevisions(_ ctx, id string) ([]hosting.InstanceRevision, error) {
	return give[[]hosting.InstanceRevision](e, id)
}
func (e *echo) RollbackInstance(_ ctx, id string, _ int) (instance, error) {
	return give[instance](e, id)
}
func (e *echo) Capabilities(ctx, string, string) (hosting.CapabilitySet, error) {
	return give[hosting.CapabilitySet](e)
}
func (e *echo) CreateVolume(_ ctx, v hosting.Volume) (hosting.Volume, error) {
	return give[hosting.Volume](e, v)
}
func (e *echo) RegisterService(_ ctx, id string, s service) (service, error) {
	return give[service](e, id, s)
}
func (e *echo) CheckConfig(_ ctx, c config) ([]hosting.CompatibilityCheck, error) {
	return give[[]hosting.CompatibilityCheck](e, c)
}
