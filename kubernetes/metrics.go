package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apiresource "k8s.io/apimachinery/pkg/api/resource"

	"skillcenter.io/hosting"
)

// podMetricsList is the part of the answer of metrics.k8s.io/v1beta1 that is
// read. The module with the full types is not worth a dependency.
type podMetricsList struct {
	Items []podMetrics `json:"items"`
}

type podMetrics struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Timestamp  time.Time `json:"timestamp"`
	Containers []struct {
		Usage map[corev1.ResourceName]apiresource.Quantity `json:"usage"`
	} `json:"containers"`
}

// GetMetrics implements [hosting.CloudHostingProvider] with metrics.k8s.io. A
// running replica that has not been measured yet, or a cluster without
// metrics-server, makes cpuUsage and memoryUsage unavailable: part of a sum
// would be a wrong answer.
func (p *Provider) GetMetrics(ctx context.Context, instanceID string) (hosting.InstanceMetrics, error) {
	t, err := p.find(hosting.MetricsFailed, instanceID)
	if err != nil {
		return hosting.InstanceMetrics{}, err
	}
	s, err := p.read(ctx, hosting.MetricsFailed, t)
	if err != nil {
		return hosting.InstanceMetrics{}, err
	}
	now := time.Now()
	state := s.state(now)
	result := hosting.InstanceMetrics{
		InstanceID: t.id, Timestamp: hosting.NewTime(now),
		Replicas: state.want, ReadyReplicas: s.readyPods(),
		Unavailable: []string{"diskUsage", "networkIn", "networkOut"},
	}
	running := runningPods(s.pods)
	if len(running) == 0 {
		// Nothing runs: it is known to use no CPU and no memory.
		return result, nil
	}
	measured, err := p.podMetrics(ctx, t)
	if err != nil {
		return hosting.InstanceMetrics{}, p.fail(ctx, hosting.MetricsFailed, t.id, "reading metrics.k8s.io: is metrics-server healthy?", err)
	}
	if !sum(&result, running, measured) {
		result.CPUUsage, result.MemoryUsage, result.Timestamp = 0, 0, hosting.NewTime(now)
		result.Unavailable = []string{"cpuUsage", "diskUsage", "memoryUsage", "networkIn", "networkOut"}
	}
	return result, nil
}

// runningPods are those that use something: also while they are being stopped.
func runningPods(all []*corev1.Pod) []*corev1.Pod {
	var result []*corev1.Pod
	for _, pod := range all {
		if pod.Status.Phase == corev1.PodRunning {
			result = append(result, pod)
		}
	}
	return result
}

// podMetrics returns what was measured, by pod: nothing if the cluster has no
// metrics API.
func (p *Provider) podMetrics(ctx context.Context, t target) (map[string]podMetrics, error) {
	answer := t.client.Discovery().RESTClient().Get().
		AbsPath("/apis/metrics.k8s.io/v1beta1/namespaces/"+t.namespace+"/pods").
		Param("labelSelector", p.podSelector(t)).
		SetHeader("Accept", "application/json").Do(ctx)
	body, err := answer.Raw()
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, answer.Error() // Raw leaves out what the API server said
	}
	var list podMetricsList
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("decoding pod metrics: %w", err)
	}
	result := make(map[string]podMetrics, len(list.Items))
	for _, item := range list.Items {
		result[item.Metadata.Name] = item
	}
	return result, nil
}

// sum adds up the usage of the running pods. It reports false if one of them
// has not been measured.
func sum(result *hosting.InstanceMetrics, running []*corev1.Pod, measured map[string]podMetrics) bool {
	for _, pod := range running {
		m, ok := measured[pod.Name]
		if !ok || len(m.Containers) < len(pod.Spec.Containers) {
			return false
		}
		for _, c := range m.Containers {
			cpu, memory := c.Usage[corev1.ResourceCPU], c.Usage[corev1.ResourceMemory]
			result.CPUUsage += cpu.AsApproximateFloat64()
			result.MemoryUsage += memory.Value()
		}
		if at := hosting.NewTime(m.Timestamp); at.Before(result.Timestamp) {
			result.Timestamp = at
		}
	}
	return true
}
