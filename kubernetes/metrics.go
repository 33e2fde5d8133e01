package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
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

// GetMetrics implements [hosting.CloudHostingProvider] with metrics.k8s.io for
// cpuUsage and memoryUsage and, if Config.KubeletMetrics is set, with the
// kubelets for networkIn, networkOut and diskUsage. A running replica that has
// not been measured makes the figure unavailable: part of a sum would be a wrong
// answer. So does a cluster without metrics-server, or a kubelet that is not
// reached. MeasuredReplicas is how many are running, ready or not.
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
	}
	running := runningPods(s.pods)
	result.MeasuredReplicas = len(running)
	var group errgroup.Group
	var measured map[string]podMetrics
	if len(running) > 0 { // what does not run is known to use no CPU and no memory
		group.Go(func() (err error) {
			measured, err = p.podMetrics(ctx, t)
			return err
		})
	}
	addKubeletMetrics(ctx, t.cluster.kubelets, running, &result)
	if err := group.Wait(); err != nil {
		return hosting.InstanceMetrics{}, p.fail(ctx, hosting.MetricsFailed, t.id, "reading metrics.k8s.io: is metrics-server healthy?", err)
	}
	addPodMetrics(running, measured, &result)
	if err := ctx.Err(); err != nil {
		return hosting.InstanceMetrics{}, p.fail(ctx, hosting.MetricsFailed, t.id, "reading the metrics", err)
	}
	slices.Sort(result.Unavailable)
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

// addPodMetrics adds up the usage of the running pods.
func addPodMetrics(running []*corev1.Pod, measured map[string]podMetrics, result *hosting.InstanceMetrics) {
	var cpuUsage float64
	var memoryUsage int64
	oldest := result.Timestamp
	for _, pod := range running {
		m, ok := measured[pod.Name]
		if !ok || len(m.Containers) < len(pod.Spec.Containers) {
			result.Unavailable = append(result.Unavailable, "cpuUsage", "memoryUsage")
			return
		}
		for _, c := range m.Containers {
			cpu, memory := c.Usage[corev1.ResourceCPU], c.Usage[corev1.ResourceMemory]
			cpuUsage += cpu.AsApproximateFloat64()
			memoryUsage += memory.Value()
		}
		oldest = earlier(oldest, m.Timestamp)
	}
	result.CPUUsage, result.MemoryUsage, result.Timestamp = cpuUsage, memoryUsage, oldest
}

func earlier(a hosting.Time, b time.Time) hosting.Time {
	if at := hosting.NewTime(b); at.Before(a) {
		return at
	}
	return a
}
