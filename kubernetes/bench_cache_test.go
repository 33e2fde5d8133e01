//go:build linux

package kubernetes_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientset "k8s.io/client-go/kubernetes"

	"skillcenter.io/hosting"
)

// manyInstances is how many instances BenchmarkCache has: 10,000 unless the
// environment says otherwise.
func manyInstances(b *testing.B) int {
	text := os.Getenv("HOSTING_BENCH_INSTANCES")
	if text == "" {
		return 10_000
	}
	n, err := strconv.Atoi(text)
	require.NoError(b, err)
	return n
}

// BenchmarkCache creates 10,000 instances, each a Deployment at replicas 0 with
// a Service and an Ingress, and compares reading them from memory with the
// requests that this replaces. Per way, a list is the median of seven.
func BenchmarkCache(b *testing.B) {
	n := manyInstances(b)
	w := newWorld(b)
	for b.Loop() {
		start := time.Now()
		w.fill(b, n)
		b.ReportMetric(float64(n)/time.Since(start).Seconds(), "creates/s")
		raw := w.protobufClient(b)
		before := heap()
		p, tap := w.cachedProvider(b)
		requireInSync(b, p, tap)
		list, err := p.ListInstances(b.Context())
		require.NoError(b, err)
		require.Len(b, list, n)
		id := list[n/2].ID
		list = nil
		reportMemory(b, float64(heap()-before)/float64(n))

		requests := tap.requests.Load()
		fromMemory := medianTime(b, func(ctx context.Context) error { _, err := p.ListInstances(ctx); return err })
		getFromMemory := medianTime(b, func(ctx context.Context) error { _, err := p.GetInstance(ctx, id); return err })
		require.Equal(b, requests, tap.requests.Load(), "requests of reads from memory")
		byRequests := medianTime(b, func(ctx context.Context) error { return rawLists(ctx, raw, w.namespace) })
		live := medianTime(b, func(ctx context.Context) error { _, err := w.ListInstances(ctx); return err })
		getLive := medianTime(b, func(ctx context.Context) error { _, err := w.GetInstance(ctx, id); return err })
		b.ReportMetric(fromMemory.Seconds()*1000, "list-ms")
		b.ReportMetric(byRequests.Seconds()*1000, "raw-lists-ms")
		b.ReportMetric(live.Seconds()*1000, "live-list-ms")
		faster := byRequests.Seconds() / fromMemory.Seconds()
		b.ReportMetric(faster, "x-faster")
		if faster < 20 {
			b.Errorf("a list from memory is %.1f times faster than the requests it replaces, at least 20 is wanted", faster)
		}
		b.ReportMetric(float64(getFromMemory.Microseconds()), "get-µs")
		b.ReportMetric(float64(getLive.Microseconds()), "live-get-µs")
	}
}

// reportMemory reports what the cache takes for an instance.
func reportMemory(b *testing.B, bytes float64) {
	b.Helper()
	b.ReportMetric(bytes, "B/instance")
	if bytes >= 10<<10 {
		b.Errorf("an instance takes %.0f bytes of memory, less than 10 KiB is wanted", bytes)
	}
}

// fill creates instances at replicas 0. The Deployments are scaled down behind
// the provider's back, before most of their pods are made.
func (w *world) fill(tb testing.TB, n int) {
	tb.Helper()
	group, ctx := errgroup.WithContext(tb.Context())
	group.SetLimit(benchWorkers)
	for i := range n {
		group.Go(func() error {
			name := fmt.Sprintf("web-%d", i)
			if _, err := w.CreateInstance(ctx, benchConfig(name)); err != nil {
				return err
			}
			_, err := w.client.AppsV1().Deployments(w.namespace).Patch(ctx, name, types.MergePatchType,
				[]byte(`{"spec":{"replicas":0}}`), metav1.PatchOptions{})
			return err
		})
	}
	require.NoError(tb, group.Wait())
}

// protobufClient returns a client that speaks as the provider's does.
func (w *world) protobufClient(tb testing.TB) clientset.Interface {
	tb.Helper()
	config := w.cluster.Config()
	config.QPS = -1
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = config.ContentType
	client, err := clientset.NewForConfig(config)
	require.NoError(tb, err)
	return client
}

// rawLists are the requests that a list from memory replaces, at once as a live
// list makes them.
func rawLists(ctx context.Context, client clientset.Interface, namespace string) error {
	group, ctx := errgroup.WithContext(ctx)
	options := metav1.ListOptions{LabelSelector: "managed-by=skillcenter,skillcenter.io/owner=default"}
	list := func(do func() error) { group.Go(do) }
	core, apps, batch := client.CoreV1(), client.AppsV1(), client.BatchV1()
	list(func() error { _, err := core.ConfigMaps(namespace).List(ctx, options); return err })
	list(func() error { _, err := core.Pods(namespace).List(ctx, options); return err })
	list(func() error { _, err := core.Services(namespace).List(ctx, options); return err })
	list(func() error { _, err := apps.Deployments(namespace).List(ctx, options); return err })
	list(func() error { _, err := apps.StatefulSets(namespace).List(ctx, options); return err })
	list(func() error { _, err := apps.DaemonSets(namespace).List(ctx, options); return err })
	list(func() error { _, err := batch.Jobs(namespace).List(ctx, options); return err })
	list(func() error { _, err := batch.CronJobs(namespace).List(ctx, options); return err })
	list(func() error { _, err := client.NetworkingV1().Ingresses(namespace).List(ctx, options); return err })
	return group.Wait()
}

// medianTime is how long something takes.
func medianTime(tb testing.TB, do func(context.Context) error) time.Duration {
	tb.Helper()
	var seconds []float64
	for range 7 {
		start := time.Now()
		require.NoError(tb, do(tb.Context()))
		seconds = append(seconds, time.Since(start).Seconds())
	}
	return time.Duration(median(seconds) * float64(time.Second))
}

// heap is what is reachable, in bytes.
func heap() uint64 {
	var stats runtime.MemStats
	for range 3 { // finalizers, and what they held
		runtime.GC()
	}
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// BenchmarkCacheMemoryWithPods measures the memory of an instance with one pod
// that runs, as its kubelet would report it, on 1,000 of them.
func BenchmarkCacheMemoryWithPods(b *testing.B) {
	n := max(1, manyInstances(b)/10)
	w := newWorld(b)
	for b.Loop() {
		w.fill(b, n)
		w.addRunningPods(b, n)
		before := heap()
		p, tap := w.cachedProvider(b)
		requireInSync(b, p, tap)
		reportMemory(b, float64(heap()-before)/float64(n))
	}
}

// addRunningPods gives each instance a pod.
func (w *world) addRunningPods(tb testing.TB, n int) {
	tb.Helper()
	pods := w.client.CoreV1().Pods(w.namespace)
	group, ctx := errgroup.WithContext(tb.Context())
	group.SetLimit(benchWorkers)
	now := metav1.Now()
	for i := range n {
		group.Go(func() error {
			name := fmt.Sprintf("web-%d", i)
			deployment, err := w.client.AppsV1().Deployments(w.namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			template := deployment.Spec.Template
			template.Labels["pod-template-hash"] = "5d4f8c7b9"
			template.Spec.NodeName = "a-node-that-does-not-exist"
			pod, err := pods.Create(ctx, &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: name + "-5d4f8c7b9-abcde", Labels: template.Labels, Annotations: template.Annotations,
					OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(deployment, appsv1.SchemeGroupVersion.WithKind("Deployment"))}},
				Spec: template.Spec,
			}, metav1.CreateOptions{})
			if err != nil {
				return err
			}
			yes := true
			pod.Status = corev1.PodStatus{
				Phase: corev1.PodRunning, HostIP: "10.0.0.1", PodIP: "10.0.1.1", StartTime: &now, QOSClass: corev1.PodQOSBurstable,
				ContainerStatuses: []corev1.ContainerStatus{{
					Name: "main", Image: template.Spec.Containers[0].Image, ImageID: "sha256:0123456789abcdef", ContainerID: "containerd://0123456789abcdef",
					Ready: true, Started: &yes, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
				}},
			}
			for _, condition := range []corev1.PodConditionType{corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled} {
				pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: condition, Status: corev1.ConditionTrue, LastTransitionTime: now})
			}
			_, err = pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{})
			return err
		})
	}
	require.NoError(tb, group.Wait())
}

// BenchmarkWatch measures how much later WatchInstances tells of a change than
// a plain watch of the same Deployments that is open beside it.
func BenchmarkWatch(b *testing.B) {
	const instances, changes = 20, 300
	const stoppedReplicas = "skillcenter.io/stopped-replicas"
	w := newWorld(b)
	for i := range instances {
		require.NoError(b, w.StopInstance(b.Context(), w.mustCreate(b, simple(fmt.Sprintf("web-%d", i), hosting.TypeDeployment)).ID))
	}
	raw := w.protobufClient(b)
	for b.Loop() {
		var mu sync.Mutex
		plain, ours := map[string]time.Time{}, map[string]time.Time{}
		first := func(seen map[string]time.Time, change string) {
			mu.Lock()
			defer mu.Unlock()
			if seen[change].IsZero() {
				seen[change] = time.Now()
			}
		}
		p := w.provider(b, w.cluster.Config())
		ctx, cancel := context.WithCancel(b.Context())
		beside, err := raw.AppsV1().Deployments(w.namespace).Watch(ctx, metav1.ListOptions{})
		require.NoError(b, err)
		var wait sync.WaitGroup
		wait.Go(func() {
			for event := range beside.ResultChan() {
				if d, ok := event.Object.(*appsv1.Deployment); ok {
					first(plain, d.Annotations[stoppedReplicas])
				}
			}
		})
		synced := make(chan struct{})
		wait.Go(func() {
			for change, err := range p.WatchInstances(ctx) {
				switch {
				case err != nil:
					b.Error(err)
				case change.Type == hosting.ChangeSynced:
					close(synced)
				default:
					first(ours, change.Instance.Metadata[hosting.MetadataStoppedReplicas])
				}
			}
		})
		<-synced
		for i := range changes {
			// What a stopped instance will start with runs nothing. Each count
			// is written once, so that it names the change.
			_, err := w.client.AppsV1().Deployments(w.namespace).Patch(ctx, fmt.Sprintf("web-%d", i%instances), types.MergePatchType,
				fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"%d"}}}`, stoppedReplicas, 1000+i), metav1.PatchOptions{})
			require.NoError(b, err)
			time.Sleep(10 * time.Millisecond) // else one change overtakes another
		}
		require.Eventually(b, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(common(plain, ours)) >= changes*9/10
		}, waitTime, 50*time.Millisecond)
		cancel()
		beside.Stop()
		wait.Wait()
		delays := common(plain, ours)
		b.ReportMetric(median(delays), "median-ms")
		if median(delays) >= 100 {
			b.Errorf("a change is told %.0f ms later than by a plain watch, less than 100 is wanted", median(delays))
		}
		b.ReportMetric(delays[len(delays)*99/100], "p99-ms")
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

// TestAListFromMemoryIsFasterThanTheRequestsItReplaces with a bound that holds
// on a busy machine too. BenchmarkCache has the figures.
func TestAListFromMemoryIsFasterThanTheRequestsItReplaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const n = 200
	w.fill(t, n)
	p, tap := w.cachedProvider(t)
	requireInSync(t, p, tap)
	list, err := p.ListInstances(t.Context())
	require.NoError(t, err)
	require.Len(t, list, n)
	raw := w.protobufClient(t)
	fromMemory := medianTime(t, func(ctx context.Context) error { _, err := p.ListInstances(ctx); return err })
	byRequests := medianTime(t, func(ctx context.Context) error { return rawLists(ctx, raw, w.namespace) })
	require.Greater(t, byRequests.Seconds(), 3*fromMemory.Seconds())
}
