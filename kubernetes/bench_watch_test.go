//go:build linux

package kubernetes_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientset "k8s.io/client-go/kubernetes"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

// reportWatch reports how much later WatchInstances tells of a change to one of
// the first instances than a plain watch of the same Deployments that is open
// beside it.
func (w *world) reportWatch(b *testing.B, p *kubernetes.Provider, raw clientset.Interface) {
	b.Helper()
	const instances, changes, firstCount = 20, 300, 1000
	const stoppedReplicas = "skillcenter.io/stopped-replicas"
	for i := range instances {
		require.NoError(b, w.StopInstance(b.Context(), "default.deployment."+fmt.Sprintf("web-%d", i)))
	}
	var mu sync.Mutex
	plain, ours := map[string]time.Time{}, map[string]time.Time{}
	first := func(seen map[string]time.Time, change string) {
		if n, err := strconv.Atoi(change); err != nil || n < firstCount {
			return // what there was before
		}
		mu.Lock()
		defer mu.Unlock()
		if seen[change].IsZero() {
			seen[change] = time.Now()
		}
	}
	ctx, cancel := context.WithCancel(b.Context())
	deployments := raw.AppsV1().Deployments(w.namespace)
	now, err := deployments.List(ctx, metav1.ListOptions{Limit: 1})
	require.NoError(b, err)
	beside, err := deployments.Watch(ctx, metav1.ListOptions{ResourceVersion: now.ResourceVersion})
	require.NoError(b, err)
	var wait sync.WaitGroup
	defer func() { cancel(); beside.Stop(); wait.Wait() }()
	wait.Go(func() {
		for event := range beside.ResultChan() {
			if d, ok := event.Object.(*appsv1.Deployment); ok {
				first(plain, d.Annotations[stoppedReplicas])
			}
		}
	})
	synced := make(chan struct{})
	closeSynced := sync.OnceFunc(func() { close(synced) })
	wait.Go(func() {
		defer closeSynced() // also when the watch fails
		for change, err := range p.WatchInstances(ctx) {
			switch {
			case err != nil:
				b.Error(err)
			case change.Type == hosting.ChangeSynced:
				closeSynced()
			default:
				first(ours, change.Instance.Metadata[hosting.MetadataStoppedReplicas])
			}
		}
	})
	<-synced
	for i := range changes {
		// What a stopped instance will start with runs nothing. Each count is
		// written once, so that it names the change.
		_, err := w.client.AppsV1().Deployments(w.namespace).Patch(ctx, fmt.Sprintf("web-%d", i%instances), types.MergePatchType,
			fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"%d"}}}`, stoppedReplicas, firstCount+i), metav1.PatchOptions{})
		require.NoError(b, err)
		time.Sleep(10 * time.Millisecond) // else one change overtakes another
	}
	var delays []float64
	require.EventuallyWithT(b, func(c *assert.CollectT) {
		mu.Lock()
		defer mu.Unlock()
		delays = common(plain, ours)
		assert.GreaterOrEqual(c, len(delays), changes*9/10, "of %d changes the plain watch has seen %d and the provider's %d", changes, len(plain), len(ours))
	}, waitTime, 50*time.Millisecond)
	middle := median(delays)
	b.ReportMetric(middle, "watch-median-ms")
	b.ReportMetric(delays[len(delays)*99/100], "watch-p99-ms")
	if middle >= 100 {
		b.Errorf("a change is told %.0f ms later than by a plain watch, less than 100 is wanted", middle)
	}
}

// common returns how many milliseconds later each change was seen by ours.
func common(plain, ours map[string]time.Time) []float64 {
	var delays []float64
	for key, at := range plain {
		if seen, ok := ours[key]; ok {
			delays = append(delays, seen.Sub(at).Seconds()*1000)
		}
	}
	return delays
}
