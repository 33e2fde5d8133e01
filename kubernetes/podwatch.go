package kubernetes

import (
	"context"
	"errors"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/watch"
)

// podState is what is known of a pod. It is safe for concurrent use.
type podState struct {
	mu      sync.Mutex
	pod     *corev1.Pod // read-only; the last state once it is gone
	gone    bool
	read    time.Time     // when it was last asked for, not only told by a watch
	changed chan struct{} // closed when something changes
}

func newPodState(pod *corev1.Pod) *podState {
	return &podState{pod: pod, read: time.Now(), changed: make(chan struct{})}
}

// get returns the state and a channel that is closed when it changes.
func (s *podState) get() (pod *corev1.Pod, gone bool, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pod, s.gone, s.changed
}

// set takes in what a watch tells, unless something newer is known.
func (s *podState) set(pod *corev1.Pod, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return
	}
	if pod != nil {
		order, err := resourceversion.CompareResourceVersion(pod.ResourceVersion, s.pod.ResourceVersion)
		switch {
		case err == nil && order < 0 && !gone, err == nil && order == 0 && !gone:
			return
		case err != nil || order > 0:
			s.pod = pod
		}
	}
	s.gone = gone
	close(s.changed)
	s.changed = make(chan struct{})
}

// lastRead tells when the pod was last asked for.
func (s *podState) lastRead() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read
}

// refresh asks the API server for the pod.
func (s *podState) refresh(ctx context.Context, at *region) error {
	known, gone, _ := s.get()
	if gone {
		return nil
	}
	pod, err := at.client.CoreV1().Pods(at.namespace).Get(ctx, known.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), err == nil && pod.UID != known.UID:
		s.set(nil, true)
	case err != nil:
		return err
	default:
		s.set(pod, false)
	}
	s.mu.Lock()
	s.read = time.Now()
	s.mu.Unlock()
	return nil
}

// podHandler is told what a watch sees. Its methods are called one at a time.
type podHandler interface {
	listed([]corev1.Pod) // all there are
	changed(pod *corev1.Pod)
	deleted(pod *corev1.Pod)
}

// watchPods lists and watches until ctx ends, and again after each failure. It
// returns an error that trying again does not mend.
func watchPods(ctx context.Context, at *region, selector string, handler podHandler) error {
	failures := 0
	for {
		began := time.Now()
		err := watchPodsOnce(ctx, at, selector, handler)
		switch {
		case ctx.Err() != nil:
			return nil
		case isFinal(err):
			return err
		case err == nil || time.Since(began) > time.Minute:
			failures = 0
		default:
			failures++
		}
		if sleep(ctx, pauseAfter(failures)) != nil {
			return nil
		}
	}
}

// watchPodsOnce lists and then watches until the watch ends: an API server
// ends each after some minutes.
func watchPodsOnce(ctx context.Context, at *region, selector string, handler podHandler) error {
	client := at.client.CoreV1().Pods(at.namespace)
	list, err := client.List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return err
	}
	handler.listed(list.Items)
	watcher, err := client.Watch(ctx, metav1.ListOptions{LabelSelector: selector, ResourceVersion: list.ResourceVersion, AllowWatchBookmarks: true})
	if err != nil {
		return err
	}
	defer func() {
		watcher.Stop()
		for range watcher.ResultChan() { //nolint:revive // until its goroutine has ended
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case event, ok := <-watcher.ResultChan():
			if !ok {
				return nil
			}
			pod, isPod := event.Object.(*corev1.Pod)
			switch {
			case event.Type == watch.Error:
				return apierrors.FromObject(event.Object)
			case !isPod || event.Type == watch.Bookmark:
			case event.Type == watch.Deleted:
				handler.deleted(pod)
			default:
				handler.changed(pod)
			}
		}
	}
}

// isFinal tells that a request will not be answered otherwise when it is
// repeated.
func isFinal(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && (apierrors.IsUnauthorized(err) || apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsMethodNotSupported(err))
}

// pauseAfter is how long to wait after so many failures in a row.
func pauseAfter(failures int) time.Duration {
	return jitter(min(100*time.Millisecond<<min(failures, 10), 5*time.Second))
}
