package kubernetes

import (
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// steadyWatch ends a watch whose connection broke like one whose time is up.
// The reflector then goes on from the last version. Given the error, it would
// list everything again, and write to the standard error.
type steadyWatch struct {
	source watch.Interface
	result chan watch.Event
	stop   func()
	wait   sync.WaitGroup
}

func newSteadyWatch(source watch.Interface) *steadyWatch {
	stopped := make(chan struct{})
	w := &steadyWatch{source: source, result: make(chan watch.Event), stop: sync.OnceFunc(func() { close(stopped); source.Stop() })}
	w.wait.Go(func() {
		defer close(w.result)
		for event := range source.ResultChan() {
			if event.Type == watch.Error && apierrors.HasStatusCause(apierrors.FromObject(event.Object), metav1.CauseType("ClientWatchDecoding")) {
				return
			}
			select {
			case w.result <- event:
			case <-stopped:
				return
			}
		}
	})
	return w
}

// ResultChan implements [watch.Interface].
func (w *steadyWatch) ResultChan() <-chan watch.Event { return w.result }

// Stop implements [watch.Interface]. It returns when no goroutine is left.
func (w *steadyWatch) Stop() {
	w.stop()
	w.wait.Wait()
}
