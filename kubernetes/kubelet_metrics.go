package kubernetes

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"skillcenter.io/hosting"
)

// What the capabilities say of network and disk metrics without and with
// Config.KubeletMetrics.
const (
	noteKubelet      = "metrics.k8s.io has CPU and memory only; Config.KubeletMetrics asks the kubelets for the rest"
	conditionKubelet = "needs the permission to get nodes/stats and a way to the nodes; without them it is unavailable"
)

// addKubeletMetrics adds up what the kubelets say about the running pods. k is
// nil if they are not to be asked.
func addKubeletMetrics(ctx context.Context, k *kubelets, running []*corev1.Pod, result *hosting.InstanceMetrics) {
	if k == nil {
		result.Unavailable = append(result.Unavailable, "diskUsage", "networkIn", "networkOut")
		return
	}
	found := k.read(ctx, running)
	var (
		disk              int64
		in, out           float64
		diskAt, trafficAt = result.Timestamp, result.Timestamp
		noDisk, noTraffic bool
	)
	// To the end, also when a pod has nothing to add: the next call needs the
	// sample of each.
	for _, pod := range running {
		s := found[pod.UID]
		if s.disk != nil {
			disk += *s.disk
			diskAt = earlier(diskAt, s.diskAt)
		} else {
			noDisk = true
		}
		if rate := k.rate(pod, s.network); rate != nil {
			in += rate.in
			out += rate.out
			trafficAt = earlier(trafficAt, rate.at)
		} else {
			noTraffic = true
		}
	}
	if noDisk {
		result.Unavailable = append(result.Unavailable, "diskUsage")
	} else {
		result.DiskUsage, result.Timestamp = disk, diskAt
	}
	if noTraffic {
		result.Unavailable = append(result.Unavailable, "networkIn", "networkOut")
	} else {
		result.NetworkIn, result.NetworkOut = in, out
		result.Timestamp = earlier(result.Timestamp, trafficAt.Std())
	}
}

// rate is the traffic of a pod, nil if it is not known. A pod in the network of
// its node has no counters of its own.
func (k *kubelets) rate(pod *corev1.Pod, sample *networkSample) *networkRate {
	if sample == nil || pod.Spec.HostNetwork {
		return nil
	}
	return k.rates.take(pod.UID, *sample, time.Now())
}
