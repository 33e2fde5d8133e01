package kubernetes

import (
	"cmp"
	"context"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"golang.org/x/sync/errgroup"

	"skillcenter.io/hosting"
)

// snapshot is all that is read of an instance to tell what it is doing. What
// does not exist is nil.
type snapshot struct {
	target
	anchor   *anchor
	workload object
	pods     []*corev1.Pod
	service  *corev1.Service
	ingress  *networkingv1.Ingress
	// nodeAddress is an address of a node, for a NodePort service.
	nodeAddress string
	// runs are the Jobs of a cronjob.
	runs []*batchv1.Job
	// warnings are the newest warning events of the workload, its runs and its
	// pods, oldest first, if they were needed.
	warnings []corev1.Event
}

// instanceKey is what tells the objects of an instance: all carry it as labels.
type instanceKey struct{ name, instanceType string }

func keyOf(o object) instanceKey {
	return instanceKey{o.GetLabels()[labelName], o.GetLabels()[labelType]}
}

func (at *region) id(key instanceKey) string {
	return hosting.ID{Region: at.name, Type: key.instanceType, Name: key.name}.String()
}

// newSnapshot begins a snapshot with the anchor.
func newSnapshot(at *region, key instanceKey, a *anchor) *snapshot {
	return &snapshot{target: target{region: at, kind: kinds[key.instanceType], id: at.id(key), name: key.name}, anchor: a}
}

// takes tells whether an object that was found by its labels is the instance's
// part of that kind.
func (s *snapshot) takes(o object) bool {
	return o.GetName() == s.name && keyOf(o) == instanceKey{s.name, s.kind.instanceType} && s.anchor.owns(o)
}

// complete works out what follows from the parts, once all are there.
func (s *snapshot) complete() {
	s.keepOwnPods()
	s.keepOwnRuns()
	// The first of several that fail is the one that is shown: the same for
	// everybody who looks.
	slices.SortFunc(s.pods, func(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	s.nodeAddress = s.anyNodeAddress()
}

// read takes a snapshot of one instance.
func (p *Provider) read(ctx context.Context, code hosting.Code, t target) (*snapshot, error) {
	a, err := p.getAnchor(ctx, code, t)
	if err != nil {
		return nil, err
	}
	s := &snapshot{target: t, anchor: a}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		o, err := t.kind.get(groupCtx, t.region, t.name)
		if err == nil && a.owns(o) {
			s.workload = o
		}
		return ignoreNotFound(err)
	})
	group.Go(func() error {
		var list corev1.PodList
		err := pods.list(groupCtx, t.region, p.podSelector(t), &list)
		s.pods = pointers(list.Items)
		return err
	})
	if t.kind.instanceType == hosting.TypeCronJob {
		group.Go(func() error {
			var list batchv1.JobList
			err := kinds[hosting.TypeJob].list(groupCtx, t.region, p.podSelector(t), &list)
			s.runs = pointers(list.Items)
			return err
		})
	}
	spec := a.record.Desired.Spec
	if len(spec.Ports) > 0 {
		group.Go(func() error {
			o, err := services.get(groupCtx, t.region, t.name)
			if err == nil && a.owns(o) {
				s.service = o.(*corev1.Service)
			}
			return ignoreNotFound(err)
		})
	}
	if spec.Ingress != nil {
		group.Go(func() error {
			o, err := ingresses.get(groupCtx, t.region, t.name)
			if err == nil && a.owns(o) {
				s.ingress = o.(*networkingv1.Ingress)
			}
			return ignoreNotFound(err)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, p.fail(ctx, code, t.id, "reading the instance", err)
	}
	s.complete()
	if s.workload == nil {
		// It may have been deleted between the two reads.
		if s.anchor, err = p.getAnchor(ctx, code, t); err != nil {
			return nil, err
		}
	}
	now := time.Now()
	if name := s.warningsOf(now); name != "" {
		// Without the permission to read events there is no reason to show.
		all, err := p.warnings(ctx, t.region, name)
		if err != nil && !apierrors.IsForbidden(err) {
			return nil, p.fail(ctx, code, t.id, "reading events", err)
		}
		s.takeWarnings(all, now)
	}
	return s, nil
}

var pods = &resource{"Pod", "pods", coreREST, func() object { return &corev1.Pod{} }}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func pointers[T any](items []T) []*T {
	result := make([]*T, len(items))
	for i := range items {
		result[i] = &items[i]
	}
	return result
}

// podSelector selects the pods of an instance.
func (p *Provider) podSelector(t target) string {
	return labels.Merge(p.ours(), selectorFor(t.name, t.kind.instanceType)).String()
}

// keepOwnPods drops the pods of an earlier job of the same instance: a restart
// makes a new Job while they are still being removed.
func (s *snapshot) keepOwnPods() {
	if s.workload == nil || !s.kind.isJob() {
		return
	}
	s.pods = slices.DeleteFunc(s.pods, func(pod *corev1.Pod) bool { return !metav1.IsControlledBy(pod, s.workload) })
}

// livePods are the pods that are not on their way out and have not ended.
func (s *snapshot) livePods() []*corev1.Pod {
	var result []*corev1.Pod
	for _, pod := range s.pods {
		if pod.DeletionTimestamp == nil && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			result = append(result, pod)
		}
	}
	return result
}

// anyNodeAddress returns the address of a node that runs a replica: a node
// port answers on every node, and this one needs no permission to list nodes.
func (s *snapshot) anyNodeAddress() string {
	for _, pod := range s.livePods() {
		if pod.Status.HostIP != "" {
			return pod.Status.HostIP
		}
	}
	return ""
}
