package conformance

import (
	"fmt"
	"slices"
	"testing"

	"skillcenter.io/hosting"
)

func metricsCases() []testCase {
	return []testCase{
		services("metrics of a running instance are measured or said to be unavailable", metricsMeasured, hosting.CanMetrics).waiting(),
		once("metrics of a stopped instance are zero", metricsStopped, hosting.CanMetrics, hosting.CanStop),
	}
}

// metricFields are the fields that may be unavailable, with the capability
// that measures them.
func metricFields(m hosting.InstanceMetrics) map[string]struct {
	value float64
	can   hosting.Capability
} {
	type field = struct {
		value float64
		can   hosting.Capability
	}
	return map[string]field{
		"cpuUsage":    {m.CPUUsage, hosting.CanMetrics},
		"memoryUsage": {float64(m.MemoryUsage), hosting.CanMetrics},
		"networkIn":   {m.NetworkIn, hosting.CanNetworkMetrics},
		"networkOut":  {m.NetworkOut, hosting.CanNetworkMetrics},
		"diskUsage":   {float64(m.DiskUsage), hosting.CanDiskMetrics},
	}
}

func (e *env) metrics(t *testing.T, id string) hosting.InstanceMetrics {
	t.Helper()
	metrics := read(t, e, "GetMetrics", id, func() (hosting.InstanceMetrics, error) { return e.p.GetMetrics(e.ctx, id) })
	if metrics.InstanceID != id {
		t.Errorf("GetMetrics(%s) is about %q", id, metrics.InstanceID)
	}
	if metrics.Timestamp.IsZero() {
		t.Errorf("GetMetrics(%s) has no timestamp", id)
	}
	fields := metricFields(metrics)
	for i, name := range metrics.Unavailable {
		field, known := fields[name]
		if !known || field.value != 0 {
			t.Errorf("GetMetrics(%s): unavailable has %q with value %v, want names of fields with value 0", id, name, field.value)
		}
		if i > 0 && metrics.Unavailable[i-1] >= name {
			t.Errorf("GetMetrics(%s): unavailable is %q, want it sorted, each once", id, metrics.Unavailable)
		}
	}
	for name, field := range fields {
		if field.value < 0 {
			t.Errorf("GetMetrics(%s): %s is %v", id, name, field.value)
		}
	}
	return metrics
}

func metricsMeasured(t *testing.T, e *env) {
	config, _ := e.replicated(t, Serve, 2)
	running := e.running(t, config)
	var metrics hosting.InstanceMetrics
	e.eventually(t, fmt.Sprintf("the metrics of instance %s are measured", running.ID), func() error {
		metrics = e.metrics(t, running.ID)
		for name, field := range metricFields(metrics) {
			if e.has(t, field.can) && slices.Contains(metrics.Unavailable, name) {
				return fmt.Errorf("%q are unavailable, although the capabilities have %s", metrics.Unavailable, field.can)
			}
		}
		if metrics.MemoryUsage == 0 && metrics.ReadyReplicas > 0 {
			return fmt.Errorf("memoryUsage is 0 with %d ready replicas", metrics.ReadyReplicas)
		}
		return nil
	})
	if metrics.Replicas != running.Replicas || metrics.ReadyReplicas != running.Replicas {
		t.Errorf("GetMetrics(%s) of a running instance: %d replicas, %d ready; want %d", running.ID, metrics.Replicas, metrics.ReadyReplicas, running.Replicas)
	}
	for name, field := range metricFields(metrics) {
		if !e.has(t, field.can) && !slices.Contains(metrics.Unavailable, name) {
			t.Errorf("GetMetrics(%s): %s is %v, although the capabilities lack %s; want it unavailable", running.ID, name, field.value, field.can)
		}
	}
}

func metricsStopped(t *testing.T, e *env) {
	id := e.create(t, e.config(Serve)).ID
	must(t, "StopInstance", id, e.p.StopInstance(e.ctx, id))
	e.await(t, id, hosting.StatusStopped)
	metrics := e.metrics(t, id)
	if metrics.Replicas != 0 || metrics.ReadyReplicas != 0 {
		t.Errorf("GetMetrics(%s) of a stopped instance: %d replicas, %d ready; want 0", id, metrics.Replicas, metrics.ReadyReplicas)
	}
	for _, name := range []string{"cpuUsage", "memoryUsage", "networkIn", "networkOut"} {
		if value := metricFields(metrics)[name].value; value != 0 {
			t.Errorf("GetMetrics(%s) of a stopped instance: %s is %v, want 0", id, name, value)
		}
	}
}
