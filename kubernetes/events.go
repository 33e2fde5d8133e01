package kubernetes

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
)

// GetEvents implements [hosting.CloudHostingProvider]: the events of the
// anchor, the workload, what controls its pods, the pods themselves (those
// that are gone included), the Service, the Ingress and the autoscaler.
// Kubernetes keeps events for an hour.
func (p *Provider) GetEvents(ctx context.Context, instanceID string) ([]hosting.InstanceEvent, error) {
	t, err := p.find(hosting.EventsFailed, instanceID)
	if err != nil {
		return nil, err
	}
	a, err := p.getAnchor(ctx, hosting.EventsFailed, t)
	if err != nil {
		return nil, err
	}
	var (
		all         *corev1.EventList
		replicaSets appsv1.ReplicaSetList
		jobs        batchv1.JobList
	)
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		all, err = t.client.CoreV1().Events(t.namespace).List(groupCtx, metav1.ListOptions{})
		return err
	})
	switch t.kind.instanceType {
	case hosting.TypeDeployment:
		group.Go(func() error { return replicaSetKind.list(groupCtx, t.region, p.podSelector(t), &replicaSets) })
	case hosting.TypeCronJob:
		group.Go(func() error { return kinds[hosting.TypeJob].list(groupCtx, t.region, p.podSelector(t), &jobs) })
	}
	if err := group.Wait(); err != nil {
		return nil, p.fail(ctx, hosting.EventsFailed, t.id, "reading events", err)
	}
	var controllers []string
	for _, o := range replicaSets.Items {
		controllers = append(controllers, o.Name)
	}
	for _, o := range jobs.Items {
		controllers = append(controllers, o.Name)
	}
	sortEvents(all.Items)
	filter := newEventFilter(t, a, controllers)
	seen := map[types.UID]bool{}
	result := []hosting.InstanceEvent{}
	for i := range all.Items {
		if e := &all.Items[i]; filter.matches(e) && !seen[e.UID] {
			seen[e.UID] = true
			result = append(result, instanceEvent(e))
		}
	}
	return result, nil
}

var replicaSetKind = &resource{"ReplicaSet", "replicasets", appsREST, func() object { return &appsv1.ReplicaSet{} }}

// eventFilter finds the events of one instance among those of a namespace. An
// event tells what it is about by kind and name, and that thing may be gone:
// so the names of pods are recognised by their form.
type eventFilter struct {
	anchor types.UID
	since  time.Time
	names  map[string]map[string]bool // by kind
	pods   *regexp.Regexp
}

func newEventFilter(t target, a *anchor, controllers []string) *eventFilter {
	f := &eventFilter{anchor: a.UID, since: a.CreationTimestamp.Time, names: map[string]map[string]bool{}}
	add := func(kind, name string) {
		if f.names[kind] == nil {
			f.names[kind] = map[string]bool{}
		}
		f.names[kind][name] = true
	}
	add(configMaps.kind, a.Name)
	add(t.kind.kind, t.name)
	// A stranger may have what the instance does not.
	if spec := a.record.Desired.Spec; len(spec.Ports) > 0 {
		add(services.kind, t.name)
		if spec.Ingress != nil {
			add(ingresses.kind, t.name)
		}
	}
	if a.record.Desired.Spec.Autoscaler != nil {
		add(autoscalers.kind, t.name)
	}
	for _, name := range controllers {
		add(replicaSetKind.kind, name)
		add("Job", name)
	}
	f.pods = podNames(t, controllers)
	return f
}

// podNames recognises the names that controllers give to pods.
func podNames(t target, controllers []string) *regexp.Regexp {
	const random = `[a-z0-9]{5}`
	switch t.kind.instanceType {
	case hosting.TypeStatefulSet:
		return regexp.MustCompile(`^` + t.name + `-\d+$`)
	case hosting.TypeDaemonSet:
		return regexp.MustCompile(`^` + t.name + `-` + random + `$`)
	case hosting.TypeJob:
		return regexp.MustCompile(`^` + t.name + `-\d+-` + random + `$`)
	}
	if len(controllers) == 0 {
		return regexp.MustCompile(`^$`)
	}
	alternatives := ""
	for _, name := range controllers {
		alternatives += "|" + regexp.QuoteMeta(name)
	}
	return regexp.MustCompile(`^(?:` + alternatives[1:] + `)(?:-\d+)?-` + random + `$`)
}

func (f *eventFilter) matches(e *corev1.Event) bool {
	about := e.InvolvedObject
	if about.Kind == configMaps.kind && about.UID != "" {
		// One that RecordEvent has made tells the instance from an earlier one of
		// its name, and may be of any time.
		return about.UID == f.anchor && f.names[about.Kind][about.Name]
	}
	// Seconds are all that creation times have.
	if eventTime(e).Before(f.since.Add(-time.Second)) {
		return false
	}
	// The controller warns of every run that RunNow has started.
	if e.Reason == "UnexpectedJob" && strings.Contains(e.Message, "-now-") {
		return false
	}
	if about.Kind == "Pod" {
		return f.pods.MatchString(about.Name)
	}
	return f.names[about.Kind][about.Name]
}

// eventTime is when an event happened last. Which field tells depends on who
// wrote the event.
func eventTime(e *corev1.Event) time.Time {
	times := []time.Time{e.LastTimestamp.Time, e.EventTime.Time}
	if e.Series != nil {
		times = append(times, e.Series.LastObservedTime.Time)
	}
	latest := slices.MaxFunc(times, time.Time.Compare)
	if latest.IsZero() {
		return e.CreationTimestamp.Time
	}
	return latest
}

// sortEvents puts the oldest first. Events of one moment keep an order.
func sortEvents(list []corev1.Event) {
	slices.SortStableFunc(list, func(a, b corev1.Event) int {
		return cmp.Or(eventTime(&a).Compare(eventTime(&b)), cmp.Compare(a.Name, b.Name))
	})
}

func instanceEvent(e *corev1.Event) hosting.InstanceEvent {
	count := max(e.Count, 1)
	if e.Series != nil {
		count = max(count, e.Series.Count)
	}
	result := hosting.InstanceEvent{
		EventID:   string(e.UID),
		Timestamp: hosting.NewTime(eventTime(e)),
		Type:      e.Type,
		Reason:    e.Reason,
		Message:   e.Message,
		Metadata: map[string]string{
			"kind":  e.InvolvedObject.Kind,
			"name":  e.InvolvedObject.Name,
			"count": strconv.Itoa(int(count)),
		},
	}
	addRecorded(result.Metadata, e)
	return result
}
