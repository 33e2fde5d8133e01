//go:build linux

package kubernetes_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	goruntime "runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"

	"skillcenter.io/hosting/kubernetes"
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
// requests that this replaces. Per way, a list is the median of seven. Then it
// watches all of them.
func BenchmarkCache(b *testing.B) {
	n := manyInstances(b)
	w := newWorld(b)
	for b.Loop() {
		start := time.Now()
		w.fill(b, n)
		b.ReportMetric(float64(n)/time.Since(start).Seconds(), "creates/s")
		raw := w.protobufClient(b)
		before := heapOfEmptyCache(b)
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
		w.reportWatch(b, p, raw)
	}
}

// reportMemory reports what the cache takes for an instance.
func reportMemory(b *testing.B, bytes float64) {
	b.Helper()
	b.ReportMetric(bytes, "B/instance")
	if bytes >= 10_000 {
		b.Errorf("an instance takes %.0f bytes of memory, less than 10 KB is wanted", bytes)
	}
}

// fill creates instances at replicas 0, so that the controllers, who share the
// processors, make no pods.
func (w *world) fill(tb testing.TB, n int) {
	tb.Helper()
	p := w.provider(tb, w.cluster.Config(), func(c *kubernetes.Config) {
		c.WrapTransport = func(next http.RoundTripper) http.RoundTripper { return withoutReplicas{next} }
	})
	group, ctx := errgroup.WithContext(tb.Context())
	group.SetLimit(benchWorkers)
	for i := range n {
		group.Go(func() error {
			_, err := p.CreateInstance(ctx, benchConfig(fmt.Sprintf("web-%d", i)))
			return err
		})
	}
	require.NoError(tb, group.Wait())
}

// withoutReplicas creates Deployments at replicas 0, whatever is asked for.
type withoutReplicas struct{ next http.RoundTripper }

func (t withoutReplicas) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/deployments") {
		return t.next.RoundTrip(r)
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	object, kind, err := scheme.Codecs.UniversalDeserializer().Decode(data, nil, nil)
	if err != nil {
		return nil, err
	}
	deployment := object.(*appsv1.Deployment)
	deployment.Spec.Replicas = new(int32)
	info, found := runtime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), r.Header.Get("Content-Type"))
	if !found {
		return nil, fmt.Errorf("no serializer for %q", r.Header.Get("Content-Type"))
	}
	data, err = runtime.Encode(scheme.Codecs.EncoderForVersion(info.Serializer, kind.GroupVersion()), deployment)
	if err != nil {
		return nil, err
	}
	changed := r.Clone(r.Context())
	changed.Body, changed.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	changed.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	return t.next.RoundTrip(changed)
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
	var stats goruntime.MemStats
	for range 3 { // finalizers, and what they held
		goruntime.GC()
	}
	goruntime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// heapOfEmptyCache is the heap once a provider with a single instance has a
// cache: what a connection and its buffers take does not grow with the
// instances. (Without any, a list asks whether the namespace is there.) That
// provider stays, so its fellow adds what its instances take, and that once
// more.
func heapOfEmptyCache(b *testing.B) uint64 {
	b.Helper()
	other := newWorld(b)
	other.fill(b, 1)
	before := heap()
	p, tap := other.cachedProvider(b)
	requireInSync(b, p, tap)
	now := heap()
	goruntime.KeepAlive(p)
	return now + (now - min(now, before))
}

// BenchmarkCacheMemoryWithPods measures the memory of an instance with one pod
// that runs, as its kubelet would report it, on 1,000 of them.
func BenchmarkCacheMemoryWithPods(b *testing.B) {
	n := max(1, manyInstances(b)/10)
	w := newWorld(b)
	for b.Loop() {
		w.fill(b, n)
		w.addRunningPods(b, n)
		before := heapOfEmptyCache(b)
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
