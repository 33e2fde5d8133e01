//go:build linux

package kubernetes_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/kubernetes"
)

// envAutoscale turns the test binary into a process that acts on policies. It
// says when it leads.
const envAutoscale = "HOSTING_TEST_AUTOSCALE"

const policyInterval = 5 * time.Second

// busy measures that everything is busy.
type busy struct{}

func (busy) Metric(context.Context, hosting.CloudInstance, hosting.ScaleRule) (float64, error) {
	return 100, nil
}

// speaking says when the process leads.
type speaking struct{ autoscale.Elector }

func (s speaking) Lead(ctx context.Context, lead func(context.Context)) error {
	return s.Elector.Lead(ctx, func(ctx context.Context) {
		fmt.Println("leads")
		lead(ctx)
	})
}

func controllerOf(p *kubernetes.Provider, elector autoscale.Elector) (*autoscale.Controller, error) {
	return autoscale.New(autoscale.Config{
		Provider: p, Backend: p, Store: p.Store(), Elector: elector, Metrics: busy{}, Interval: policyInterval,
	})
}

// autoscaleUntilKilled is such a process.
func autoscaleUntilKilled() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c := kubernetes.DefaultConfig()
	c.Kubeconfig = os.Getenv(envKubeconfig)
	c.Regions = []kubernetes.Region{{Name: "default", Namespace: os.Getenv(envNamespace)}}
	p, err := kubernetes.New(ctx, c)
	if err != nil {
		panic(err)
	}
	controller, err := controllerOf(p, speaking{p.Elector("autoscale")})
	if err != nil {
		panic(err)
	}
	if err := controller.Run(ctx); err != nil {
		panic(err)
	}
	return 0
}

// change is a change of the number of replicas that somebody has seen.
type change struct {
	at       time.Time
	from, to int
}

// history looks at the number of replicas all the time.
type history struct {
	mu      sync.Mutex
	changes []change
}

func (w *world) history(t *testing.T) *history {
	t.Helper()
	h := &history{}
	s := newScaler(w, hosting.TypeDeployment)
	last := s.replicas(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() {
		for ; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
			scale, err := s.get(ctx)
			if err != nil || int(scale.Spec.Replicas) == last {
				continue
			}
			h.mu.Lock()
			h.changes = append(h.changes, change{time.Now(), last, int(scale.Spec.Replicas)})
			h.mu.Unlock()
			last = int(scale.Spec.Replicas)
		}
	})
	t.Cleanup(func() { cancel(); wait.Wait() })
	return h
}

func (h *history) all() []change {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.changes)
}

// await waits for the nth change, which must be this one.
func (h *history) await(t *testing.T, nth, from, to int) change {
	t.Helper()
	require.Eventually(t, func() bool { return len(h.all()) >= nth }, 5*time.Minute, 20*time.Millisecond, "%d to %d", from, to)
	c := h.all()[nth-1]
	require.Equal(t, [2]int{from, to}, [2]int{c.from, c.to})
	return c
}

// requireTold requires an event for each change, and no change within the
// cooldown of another.
func (h *history) requireTold(t *testing.T, w *world, id string, policy hosting.AutoScalePolicy) {
	t.Helper()
	changes := h.all()
	var want []string
	for i, c := range changes {
		want = append(want, fmt.Sprintf("from %d to %d replicas", c.from, c.to))
		if i > 0 {
			// What was seen may be as late as between two looks.
			assert.Greater(t, c.at.Sub(changes[i-1].at), policy.CooldownPeriod.Std()-500*time.Millisecond, want[i])
		}
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		events, err := w.GetEvents(t.Context(), id)
		if !assert.NoError(c, err) {
			return
		}
		var told []string
		for _, e := range events {
			if e.Reason == "ScaledUp" || e.Reason == "ScaledDown" {
				decision, _, _ := strings.Cut(e.Message, ":")
				told = append(told, decision)
			}
		}
		// A leader that was killed may have told what its successor tells again.
		assert.Equal(c, want, slices.Compact(told))
	}, waitTime, 500*time.Millisecond)
}

func TestProcessesThatAreKilledWhileTheyLeadActAsOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment) // its own autoscaler allows 2 to 4
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	own := w.hpa(t).Spec
	h := w.history(t)
	first, second := w.process(t, envAutoscale), w.process(t, envAutoscale)
	leader, other := first, second
	select {
	case <-first.says:
	case <-second.says:
		leader, other = second, first
	case <-time.After(waitTime):
		require.Fail(t, "nobody leads")
	}
	controller, err := controllerOf(w.Provider, nil)
	require.NoError(t, err)
	policy, err := controller.CreateAutoScalePolicy(t.Context(), hosting.AutoScalePolicy{
		InstanceID: instance.ID, Name: "more", Enabled: true, MinReplicas: 1, MaxReplicas: 5,
		ScaleUpRules: []hosting.ScaleRule{{
			MetricType: hosting.MetricCustom, MetricName: "load", Comparison: ">", Threshold: 50, StepSize: 1,
			EvaluationPeriod: hosting.Duration(policyInterval),
		}},
		CooldownPeriod: hosting.Duration(12 * time.Second),
	})
	require.NoError(t, err)
	for n := range 3 {
		h.await(t, n+1, n+2, n+3)
		require.NoError(t, leader.command.Process.Kill())
		killed := time.Now()
		next := w.process(t, envAutoscale)
		select {
		case said := <-other.says:
			require.Equal(t, "leads", said)
			leader, other = other, next
		case said := <-next.says:
			require.Equal(t, "leads", said)
			leader = next
		case <-time.After(waitTime):
			require.Fail(t, "nobody leads")
		}
		took := time.Since(killed)
		t.Logf("another process leads %s after the kill", took)
		assert.Less(t, took, leaseTime)
	}
	time.Sleep(2 * policy.CooldownPeriod.Std())
	require.Len(t, h.all(), 3, "it does not go beyond the policy's bounds")
	h.requireTold(t, w, instance.ID, policy)
	w.requireIdle(t)
	require.NoError(t, controller.DeleteAutoScalePolicy(t.Context(), policy.PolicyID))
	require.EventuallyWithT(t, func(c *assert.CollectT) { assert.Equal(c, own, w.hpa(t).Spec) }, waitTime, 200*time.Millisecond)
}
