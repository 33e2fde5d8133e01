package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"skillcenter.io/hosting"
)

func callInputCases() []testCase {
	return []testCase{
		once("a bad number of replicas to scale to is refused", scaleBad, hosting.CanScale),
		once("bad resources to change to are refused", updateBad, hosting.CanUpdateResources),
		once("bad options for logs are refused", logsBad, hosting.CanLogs),
		once("a period of cost that ends before it starts is refused", costBad, hosting.CanActualCost),
		once("an ingress that is asked for needs a host", ingressNeedsHost, hosting.CanIngress),
		once("an ingress that is asked for needs a port", ingressNeedsPort, hosting.CanIngress),
		once("a mount of an unknown volume is not found", mountUnknown, hosting.CanMountVolumes),
	}
}

// sortedByName makes a table out of a map.
func sortedByName(list []testCase) []testCase {
	return slices.SortedFunc(slices.Values(list), func(a, b testCase) int { return strings.Compare(a.name, b.name) })
}

func scaleBad(t *testing.T, e *env) {
	created := e.create(t, e.config(Serve))
	for _, replicas := range []int{-1, -1 << 31, 100_001} {
		err := e.p.ScaleInstance(e.ctx, created.ID, replicas)
		e.wantIDError(t, fmt.Sprintf("ScaleInstance(%s, %d)", created.ID, replicas), created.ID, err, hosting.ScaleFailed, hosting.InvalidArgument, "replicas", fmt.Sprint(replicas))
	}
	wantUnchanged(t, "ScaleInstance with bad numbers", e.get(t, created.ID), created)
}

// updateBad also changes one side of a request and limit so that only both
// together are wrong.
func updateBad(t *testing.T, e *env) {
	config := e.config(Serve)
	config.Resources = &hosting.ResourceConfig{CPULimit: 0.5, CPURequest: 0.2, MemoryLimit: 128 << 20, MemoryRequest: 64 << 20}
	created := e.create(t, config)
	for _, bad := range []struct {
		field     string
		resources hosting.ResourceConfig
	}{
		{"cpuLimit", hosting.ResourceConfig{CPULimit: -1}},
		{"storageLimit", hosting.ResourceConfig{StorageLimit: -1}},
		{"memoryRequest", hosting.ResourceConfig{MemoryRequest: 2, MemoryLimit: 1}},
		{"cpuRequest", hosting.ResourceConfig{CPURequest: 0.6}},
		{"memoryRequest", hosting.ResourceConfig{MemoryLimit: 32 << 20}},
	} {
		err := e.p.UpdateResources(e.ctx, created.ID, bad.resources)
		e.wantIDError(t, fmt.Sprintf("UpdateResources(%s, %s)", created.ID, toJSON(bad.resources)), created.ID, err, hosting.UpdateFailed, hosting.InvalidArgument, bad.field)
	}
	wantUnchanged(t, "UpdateResources with bad resources", e.get(t, created.ID), created)
}

func logsBad(t *testing.T, e *env) {
	id := e.create(t, e.config(Serve)).ID
	for _, bad := range []struct {
		field, value string
		options      hosting.LogQueryOptions
	}{
		{"limit", "-1", hosting.LogQueryOptions{Limit: -1}},
		{"limit", "100001", hosting.LogQueryOptions{Limit: hosting.MaxLogLimit + 1}},
		{"level", "LOUD", hosting.LogQueryOptions{Level: "LOUD"}},
		{"pattern", "(", hosting.LogQueryOptions{Pattern: "("}},
		{"endTime", "", hosting.LogQueryOptions{StartTime: hosting.TimeFromMillis(2), EndTime: hosting.TimeFromMillis(1)}},
		{"ollow", "", hosting.LogQueryOptions{Follow: true}}, // follow or Follow
	} {
		_, err := e.p.GetLogs(e.ctx, id, bad.options)
		e.wantIDError(t, fmt.Sprintf("GetLogs(%s, %s)", id, toJSON(bad.options)), id, err, hosting.LogsFailed, hosting.InvalidArgument, bad.field, bad.value)
		if bad.options.Follow || !e.has(t, hosting.CanStreamLogs) {
			continue
		}
		yields := 0
		for _, err := range hosting.StreamLogs(e.ctx, e.p, id, bad.options) {
			e.wantIDError(t, fmt.Sprintf("StreamLogs(%s, %s)", id, toJSON(bad.options)), id, err, hosting.LogsFailed, hosting.InvalidArgument, bad.field, bad.value)
			if yields++; yields > 1 {
				t.Errorf("StreamLogs(%s, %s) goes on after its error", id, toJSON(bad.options))
				break
			}
		}
		if yields == 0 {
			t.Errorf("StreamLogs(%s, %s) ended without an error", id, toJSON(bad.options))
		}
	}
}

func costBad(t *testing.T, e *env) {
	id := e.create(t, e.config(Serve)).ID
	_, err := e.p.GetActualCost(e.ctx, id, hosting.TimeFromMillis(2000), hosting.TimeFromMillis(1000))
	e.wantIDError(t, fmt.Sprintf("GetActualCost(%s) with end before start", id), id, err, hosting.CostFailed, hosting.InvalidArgument)
}

// ingressNeedsHost allows for providers that are configured with a domain.
func ingressNeedsHost(t *testing.T, e *env) {
	yes := true
	config := e.config(Serve)
	config.Network = &hosting.NetworkConfig{Ports: []int{8080}, IngressEnabled: &yes}
	created, err := e.tryCreate(t, config)
	if err != nil {
		e.wantError(t, "CreateInstance with an ingress without a host", err, hosting.CreateFailed, hosting.InvalidArgument, "network.ingressHost")
		return
	}
	endpoint := e.awaitEndpoint(t, created.ID)
	if endpoint.Type != hosting.EndpointIngress || !strings.HasPrefix(endpoint.Host, config.InstanceName+".") {
		t.Errorf("instance %s asked for an ingress without a host: got endpoint %s, want an ingress with a host made of its name, or a refusal", created.ID, toJSON(endpoint))
	}
}

func ingressNeedsPort(t *testing.T, e *env) {
	yes := true
	for what, network := range map[string]hosting.NetworkConfig{
		"an ingress and a host": {IngressEnabled: &yes, IngressHost: "web.example.com"},
		"an ingress host":       {IngressHost: "web.example.com"},
	} {
		config := e.config(Serve)
		config.Container.Ports, config.Network = nil, &network
		_, err := e.tryCreate(t, config)
		e.wantError(t, "CreateInstance that asks for "+what+" without a port", err, hosting.CreateFailed, hosting.InvalidArgument, "network.ports")
	}
}

func mountUnknown(t *testing.T, e *env) {
	config := e.config(Serve)
	volume := hosting.ID{Region: e.Region, Type: "volume", Name: e.name()}.String()
	config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: volume, MountPath: "/data"}}
	_, err := e.tryCreate(t, config)
	e.wantError(t, "CreateInstance with a mount of an unknown volume", err, hosting.CreateFailed, hosting.NotFound, volume)
	if left := e.named(t, config.InstanceName); len(left) != 0 {
		t.Errorf("instance %s exists, although its volume does not", left[0].ID)
	}
}
