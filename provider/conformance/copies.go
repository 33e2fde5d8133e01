package conformance

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"skillcenter.io/hosting"
)

func copyCases() []testCase {
	return []testCase{
		once("changing a configuration afterwards changes nothing", argumentsCopied),
		once("results belong to the caller", resultsCopied).waiting(),
	}
}

func argumentsCopied(t *testing.T, e *env) {
	config := e.config(Serve)
	config.Labels = map[string]string{"team": "blue"}
	config.Annotations = map[string]string{"note": "kept"}
	config.Env = map[string]string{"A": "1"}
	config.Container.Env = map[string]string{"B": "1"}
	config.Container.Ports = []int{8080}
	config.Container.Args = append(slices.Clone(config.Container.Args), "more")
	config.Container.Commands = append(slices.Clone(config.Container.Commands), "/bin/more")
	config.Container.TerminationGracePeriod = new(hosting.Duration(2 * time.Second))
	config.Network = &hosting.NetworkConfig{ServiceType: hosting.ServiceClusterIP, Ports: []int{8080}}
	if e.has(t, hosting.CanHealthCheck) {
		config.Container.HealthCheck = &hosting.HealthCheck{Command: []string{"/bin/true"}, Period: hosting.Duration(5 * time.Second)}
	}
	if e.has(t, hosting.CanSecretEnv) {
		config.SecretEnv = hosting.SecretMap{"TOKEN": "one"}
	}
	config.Resources = &hosting.ResourceConfig{CPULimit: 0.5, MemoryLimit: 128 << 20}
	config.Scaling = &hosting.ScaleConfig{MaxReplicas: 2}
	original := clone(config)
	created := e.create(t, config)

	config.Labels["team"] = "red"
	config.Annotations["note"] = "lost"
	config.Env["A"] = "2"
	config.Container.Env["B"] = "2"
	config.Container.Ports[0] = 9090
	config.Container.Args[0] = "other"
	config.Container.Commands[0] = "/bin/other"
	*config.Container.TerminationGracePeriod = hosting.Duration(9 * time.Second)
	if check := config.Container.HealthCheck; check != nil {
		check.Command[0], check.Period = "/bin/false", hosting.Duration(9*time.Second)
	}
	if config.SecretEnv != nil {
		config.SecretEnv["TOKEN"] = "two"
	}
	config.Network.ServiceType, config.Network.Ports[0] = hosting.ServiceNodePort, 9090
	config.Container.Image = "other.example.com/other:1"
	config.Resources.CPULimit = 4
	config.Scaling.MaxReplicas = 9
	wantLabels(t, "changing the configuration after CreateInstance", e.get(t, created.ID), original.Labels)
	e.createAgainIs(t, original, created)
}

// resultsCopied overwrites all that it gets, and gets it again.
func resultsCopied(t *testing.T, e *env) {
	config := e.config(Serve)
	config.Labels = map[string]string{"team": "blue"}
	config.Container.Ports = []int{8080}
	id := e.create(t, config).ID
	if e.has(t, hosting.CanLogs) {
		e.awaitLogs(t, id, 1)
	}

	look := func() map[string]any {
		got := map[string]any{
			"GetInstance": e.get(t, id), "ListInstances": e.named(t, config.InstanceName),
			"SupportedRegions": e.p.SupportedRegions(), "SupportedInstanceTypes": e.p.SupportedInstanceTypes(),
		}
		created, err := e.p.CreateInstance(e.ctx, config)
		must(t, "CreateInstance again", id, err)
		got["CreateInstance"] = created
		got["Capabilities"] = read(t, e, "Capabilities", e.typ, func() (hosting.CapabilitySet, error) {
			return hosting.Capabilities(e.ctx, e.p, e.Region, e.typ)
		})
		if e.has(t, hosting.CanEndpoint) {
			got["GetServiceEndpoint"] = e.awaitEndpoint(t, id)
		}
		if e.has(t, hosting.CanEvents) {
			events := read(t, e, "GetEvents", id, func() ([]hosting.InstanceEvent, error) { return e.p.GetEvents(e.ctx, id) })
			got["GetEvents"] = events[:min(1, len(events))]
		}
		if e.has(t, hosting.CanLogs) {
			logs := read(t, e, "GetLogs", id, func() ([]hosting.LogEntry, error) {
				return e.p.GetLogs(e.ctx, id, hosting.LogQueryOptions{})
			})
			got["GetLogs"] = logs[:min(1, len(logs))]
		}
		if e.has(t, hosting.CanMetrics) {
			got["GetMetrics"] = e.metrics(t, id).Unavailable
		}
		return got
	}
	for name, result := range look() {
		overwrite(reflect.ValueOf(result))
		if fresh := look()[name]; holdsOverwritten(fresh) {
			t.Errorf("%s(%s): what a caller wrote into its result is in the next one: %s", name, id, toJSON(fresh))
		}
	}
}

const overwritten = "overwritten by the caller"

// overwrite writes into every map and slice that v reaches.
func overwrite(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			overwrite(v.Field(i))
		}
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		overwrite(v.Elem())
		if endpoint, ok := v.Interface().(*hosting.ServiceEndpoint); ok {
			endpoint.Host = overwritten
		}
		if resources, ok := v.Interface().(*hosting.ResourceConfig); ok {
			resources.CPULimit = 12345
		}
	case reflect.Slice:
		for i := range v.Len() {
			overwrite(v.Index(i))
			if v.Index(i).Kind() == reflect.String {
				v.Index(i).SetString(overwritten)
			}
		}
	case reflect.Map:
		if v.IsNil() {
			return
		}
		switch m := v.Interface().(type) {
		case map[string]string:
			m[overwritten] = overwritten
		case hosting.CapabilitySet:
			m[hosting.CanStop] = hosting.Support{Note: overwritten}
		}
	}
}

// holdsOverwritten tells whether a result has what overwrite wrote.
func holdsOverwritten(result any) bool {
	text := toJSON(result)
	return strings.Contains(text, overwritten) || strings.Contains(text, `"cpuLimit":12345`)
}
