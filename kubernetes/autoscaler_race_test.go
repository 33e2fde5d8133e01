//go:build linux

package kubernetes_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

// scaler is the scale of a workload, as an autoscaler writes it.
type scaler struct {
	get    func(context.Context) (*autoscalingv1.Scale, error)
	update func(context.Context, *autoscalingv1.Scale) error
	patch  func(context.Context, int32) error

	// writing is held by writers while they read and write, and for writing
	// by who wants them to pause.
	writing sync.RWMutex
	mu      sync.Mutex
	counts  map[int32]bool // those in force since forget
	writes  int
	refused int
	// slow is when the last write ended that took longer than any stop waits.
	slow time.Time
}

func newScaler(w *world, instanceType string) *scaler {
	s := &scaler{counts: map[int32]bool{}}
	merge := func(n int32) []byte { return fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, n) }
	switch instanceType {
	case hosting.TypeDeployment:
		c := w.client.AppsV1().Deployments(w.namespace)
		s.get = func(ctx context.Context) (*autoscalingv1.Scale, error) {
			return c.GetScale(ctx, "web", metav1.GetOptions{})
		}
		s.update = func(ctx context.Context, scale *autoscalingv1.Scale) error {
			_, err := c.UpdateScale(ctx, "web", scale, metav1.UpdateOptions{})
			return err
		}
		s.patch = func(ctx context.Context, n int32) error {
			_, err := c.Patch(ctx, "web", types.MergePatchType, merge(n), metav1.PatchOptions{}, "scale")
			return err
		}
	case hosting.TypeStatefulSet:
		c := w.client.AppsV1().StatefulSets(w.namespace)
		s.get = func(ctx context.Context) (*autoscalingv1.Scale, error) {
			return c.GetScale(ctx, "web", metav1.GetOptions{})
		}
		s.update = func(ctx context.Context, scale *autoscalingv1.Scale) error {
			_, err := c.UpdateScale(ctx, "web", scale, metav1.UpdateOptions{})
			return err
		}
		s.patch = func(ctx context.Context, n int32) error {
			_, err := c.Patch(ctx, "web", types.MergePatchType, merge(n), metav1.PatchOptions{}, "scale")
			return err
		}
	}
	return s
}

// step is one look of an autoscaler: it reads the count, thinks, and writes
// another one, with the version that it has read or, careless, without. It does
// nothing at 0, as the real one.
func (s *scaler) step(ctx context.Context, careless bool) error {
	s.writing.RLock()
	defer s.writing.RUnlock()
	began := time.Now()
	scale, err := s.get(ctx)
	if err != nil || scale.Spec.Replicas == 0 {
		return err
	}
	s.inForce(scale.Spec.Replicas, false)
	time.Sleep(rand.N(40 * time.Millisecond))
	if careless && time.Since(began) > 150*time.Millisecond {
		return nil // later than a stop looks again
	}
	scale.Spec.Replicas = 2 + rand.N(int32(3))
	if careless {
		err = s.patch(ctx, scale.Spec.Replicas)
	} else {
		err = s.update(ctx, scale)
	}
	if apierrors.IsConflict(err) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.refused++
		return nil
	}
	if err == nil {
		s.inForce(scale.Spec.Replicas, true)
	}
	if careless && time.Since(began) > 250*time.Millisecond {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.slow = time.Now()
	}
	return err
}

// stopAndHold stops an instance, does something else, and requires that the
// count stays 0 for a while. A write without a version that was on its way for
// longer than the stop waits may come after the last look of the stop: nothing
// but a lock could keep it out. It tells whether one did.
func (s *scaler) stopAndHold(t *testing.T, w *world, id string, then func()) bool {
	t.Helper()
	lastLook := time.Now().Add(250 * time.Millisecond) // or later
	require.NoError(t, w.StopInstance(t.Context(), id))
	then()
	for stopped := time.Now(); time.Since(stopped) < 300*time.Millisecond; {
		if n := s.replicas(t); n != 0 {
			s.writing.Lock() // until the writers have counted what they wrote
			defer s.writing.Unlock()
			s.mu.Lock()
			defer s.mu.Unlock()
			require.True(t, s.slow.After(lastLook), "the stop does not hold: %d replicas", n)
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
	return true
}

func (s *scaler) inForce(count int32, written bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[count] = true
	if written {
		s.writes++
	}
}

// forget begins a new round, with the count there is.
func (s *scaler) forget(t *testing.T) {
	s.writing.Lock()
	defer s.writing.Unlock()
	scale, err := s.get(t.Context())
	require.NoError(t, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts = map[int32]bool{scale.Spec.Replicas: true}
}

func (s *scaler) requireInForce(t *testing.T, count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Contains(t, s.counts, int32(count), "no such count was ever in force")
}

func (s *scaler) replicas(t *testing.T) int {
	scale, err := s.get(t.Context())
	require.NoError(t, err)
	return int(scale.Spec.Replicas)
}

// run has writers at work until the test ends; each is careless or is not.
func (s *scaler) run(t *testing.T, careless ...bool) {
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	for _, careless := range careless {
		wait.Go(func() {
			for ctx.Err() == nil {
				if err := s.step(ctx, careless); err != nil && ctx.Err() == nil {
					t.Errorf("the writer failed: %v", err)
					return
				}
				// About as long as it thinks: else most of what it does at 0 is
				// asking, and hardly a stop meets no write that is under way.
				time.Sleep(rand.N(40 * time.Millisecond))
			}
		})
	}
	t.Cleanup(func() { cancel(); wait.Wait() })
}

// These take longest. They are no subtests, which would begin only after all
// other tests.
func TestAStopOfADeploymentHoldsWhileAutoscalersWrite(t *testing.T) {
	t.Parallel()
	stopWhileAutoscalersWrite(t, hosting.TypeDeployment)
}

func TestAStopOfAStatefulSetHoldsWhileAutoscalersWrite(t *testing.T) {
	t.Parallel()
	stopWhileAutoscalersWrite(t, hosting.TypeStatefulSet)
}

func stopWhileAutoscalersWrite(t *testing.T, instanceType string) {
	t.Helper()
	const rounds = 50
	r := newRace(t, instanceType)
	r.s.run(t, false, false, false)
	r.stopAndStart(t, rounds) // each stop holds: no write without a version can come too late
	assert.NotZero(t, r.s.refused, "writes met stops, or each other")
	assert.NotZero(t, r.conflicts.Load(), "calls met writes")
}

// What is written without a version can come after the last look of a stop. All
// other stops hold.
func TestAStopHoldsWhileSomebodyWritesWithoutLooking(t *testing.T) {
	t.Parallel()
	const rounds = 20
	for _, instanceType := range []string{hosting.TypeDeployment, hosting.TypeStatefulSet} {
		t.Run(instanceType, func(t *testing.T) {
			t.Parallel()
			r := newRace(t, instanceType)
			r.s.run(t, false, true)
			assert.LessOrEqual(t, r.stopAndStart(t, rounds), rounds/4, "most rounds are races")
		})
	}
}

// race is an instance that is scaled behind the provider's back.
type race struct {
	*world
	s            *scaler
	instanceType string
	id           string
	// conflicts counts the provider's own writes that were refused because
	// what they relied on had changed.
	conflicts atomic.Int32
}

func newRace(t *testing.T, instanceType string) *race {
	t.Helper()
	r := &race{instanceType: instanceType}
	r.world = newWorld(t, func(c *kubernetes.Config) {
		c.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(request *http.Request) (*http.Response, error) {
				response, err := next.RoundTrip(request)
				if err == nil && (response.StatusCode == http.StatusConflict || response.StatusCode == http.StatusUnprocessableEntity) {
					r.conflicts.Add(1)
				}
				return response, err
			})
		}
	})
	instance, err := r.CreateInstance(t.Context(), everything("web", instanceType)) // 2 to 4 replicas
	require.NoError(t, err)
	r.id = instance.ID
	r.s = newScaler(r.world, instanceType)
	return r
}

// stopAndStart does everything that there is to an instance, stops it, and
// starts it again, in rounds. It tells how many stops a write without a version
// was too late for.
func (r *race) stopAndStart(t *testing.T, rounds int) (late int) {
	t.Helper()
	s := r.s
	for round := range rounds {
		s.forget(t)
		switch round % 5 {
		case 0:
			r.applyMark(t, r.instanceType, round)
		case 1:
			require.NoError(t, r.RestartInstance(t.Context(), r.id))
		case 2:
			require.NoError(t, r.UpdateResources(t.Context(), r.id, hosting.ResourceConfig{CPULimit: 1 + float64(round)/100}))
		case 3:
			err := r.ScaleInstance(t.Context(), r.id, 3)
			require.ErrorIs(t, err, hosting.Conflict)
			require.Contains(t, err.Error(), "HorizontalPodAutoscaler web")
		}
		require.NotZero(t, s.replicas(t))
		apply := func() {}
		if round%5 == 1 {
			apply = func() { r.applyMark(t, r.instanceType, round) }
		}
		for !s.stopAndHold(t, r.world, r.id, apply) {
			late++
		}
		start := r.stoppedReplicas(t, r.id)
		s.requireInForce(t, start)
		if round%5 == 4 {
			// Out of bounds, too: what the autoscaler may do bounds the start.
			require.NoError(t, r.ScaleInstance(t.Context(), r.id, round%7))
			require.Equal(t, round%7, r.stoppedReplicas(t, r.id))
			require.Zero(t, s.replicas(t))
			start = min(max(round%7, 2), 4)
		}
		r.startPaused(t, s, r.id, start, round%2 == 0)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.Logf("%d writes, %d of them refused; %d calls met a write; %d writes too late to be kept out", s.writes, s.refused, r.conflicts.Load(), late)
	assert.Greater(t, s.writes, rounds, "the writers were at work")
	return late
}

// applyMark changes the configuration in something other than its scaling.
func (w *world) applyMark(t *testing.T, instanceType string, n int) {
	t.Helper()
	config := everything("web", instanceType)
	config.Env = map[string]string{"MARK": strconv.Itoa(n)}
	_, err := hosting.ApplyInstance(t.Context(), w, config)
	require.NoError(t, err)
}

func TestApplyingKeepsTheCountOfAnAutoscaler(t *testing.T) {
	t.Parallel()
	for _, instanceType := range []string{hosting.TypeDeployment, hosting.TypeStatefulSet} {
		t.Run(instanceType, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			instance, err := w.CreateInstance(t.Context(), everything("web", instanceType))
			require.NoError(t, err)
			s := newScaler(w, instanceType)
			require.NoError(t, s.patch(t.Context(), 4))
			w.applyMark(t, instanceType, 1)
			require.Equal(t, 4, s.replicas(t))
			require.NoError(t, w.StopInstance(t.Context(), instance.ID))
			w.applyMark(t, instanceType, 2)
			require.Zero(t, s.replicas(t), "it stays stopped")
			require.Equal(t, 4, w.stoppedReplicas(t, instance.ID))
			require.NoError(t, w.StartInstance(t.Context(), instance.ID))
			require.Equal(t, 4, s.replicas(t))
		})
	}
}

func TestAnAutoscalerThatIsNoLongerWantedDoesNotScaleAfterwards(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	_, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	s := newScaler(w, hosting.TypeDeployment)
	p := w.interrupted(t, moment{1, http.MethodDelete, "/horizontalpodautoscalers/web", func() {
		assert.NoError(t, s.patch(t.Context(), 4))
	}})
	config.Scaling = &hosting.ScaleConfig{MinReplicas: 1, MaxReplicas: 1}
	_, err = p.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	assert.Equal(t, 1, s.replicas(t), "the bounds of the new configuration hold")
}

// At 0, which is not a stop, Kubernetes' autoscaler does nothing.
func TestWhatSomebodyScaledToZeroUnderAnAutoscalerCanBeScaled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	instance, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.NoError(t, err)
	s := newScaler(w, hosting.TypeDeployment)
	require.NoError(t, s.patch(t.Context(), 0))
	require.NoError(t, w.ScaleInstance(t.Context(), instance.ID, 3))
	assert.Equal(t, 3, s.replicas(t))
	require.ErrorIs(t, w.ScaleInstance(t.Context(), instance.ID, 4), hosting.Conflict)
}

// startPaused starts the instance and requires that it has the replicas again:
// exactly those if the writers pause meanwhile.
func (w *world) startPaused(t *testing.T, s *scaler, id string, want int, pause bool) {
	t.Helper()
	if pause {
		s.writing.Lock()
		defer s.writing.Unlock()
	}
	require.NoError(t, w.StartInstance(t.Context(), id))
	got := s.replicas(t)
	if pause {
		require.Equal(t, want, got, "the count is lost")
	}
	require.NotZero(t, got)
	now, err := w.GetInstance(t.Context(), id)
	require.NoError(t, err)
	require.NotContains(t, []hosting.Status{hosting.StatusStopped, hosting.StatusStopping}, now.Status)
}

func (w *world) stoppedReplicas(t *testing.T, id string) int {
	t.Helper()
	now, err := w.GetInstance(t.Context(), id)
	require.NoError(t, err)
	require.Contains(t, []hosting.Status{hosting.StatusStopped, hosting.StatusStopping}, now.Status)
	n, err := strconv.Atoi(now.Metadata[hosting.MetadataStoppedReplicas])
	require.NoError(t, err)
	return n
}

func TestStoppingWhatSomebodyScaledUpAgainRemembersTheNewCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	instance, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.NoError(t, err)
	require.NoError(t, w.StopInstance(t.Context(), instance.ID))
	require.Equal(t, 2, w.stoppedReplicas(t, instance.ID))
	require.NoError(t, newScaler(w, hosting.TypeDeployment).patch(t.Context(), 4))
	require.NoError(t, w.StopInstance(t.Context(), instance.ID))
	assert.Equal(t, 4, w.stoppedReplicas(t, instance.ID))
}
