//go:build linux && e2e

package kubernetes_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/kubernetes"
)

// byCPU scales instance web between 1 and 3 replicas. Its own autoscaler, which
// it takes over from, allows 2.
func byCPU(id string) hosting.AutoScalePolicy {
	rule := func(comparison string, threshold float64) []hosting.ScaleRule {
		return []hosting.ScaleRule{{
			MetricType: hosting.MetricResource, MetricName: hosting.MetricCPUUsage, Comparison: comparison, Threshold: threshold,
			StepSize: 1, EvaluationPeriod: hosting.Duration(10 * time.Second),
		}}
	}
	return hosting.AutoScalePolicy{
		InstanceID: id, Name: "by-cpu", Enabled: true, MinReplicas: 1, MaxReplicas: 3,
		ScaleUpRules: rule(">", 40), ScaleDownRules: rule("<", 15),
		CooldownPeriod: hosting.Duration(30 * time.Second), StabilizationWindow: hosting.Duration(20 * time.Second),
	}
}

// burnLimit is what a pod may use: so little that it gets it on a busy machine.
const burnLimit = 0.05

func burning(name string) hosting.CloudHostingConfig {
	config := serving(name)
	config.Resources = &hosting.ResourceConfig{CPURequest: burnLimit, CPULimit: burnLimit}
	config.Scaling = &hosting.ScaleConfig{MinReplicas: 1, MaxReplicas: 2, TargetCPUUtilization: 50}
	return config
}

// burnAll keeps all replicas busy until the function that it returns is called.
func (w *world) burnAll(t *testing.T, instance hosting.CloudInstance) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	// Each request on a connection of its own: a Service spreads connections.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for ctx.Err() == nil {
				request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+instance.Endpoint.Metadata["clusterIP"]+":8080/burn?ms=300", nil)
				if !assert.NoError(t, err) {
					return
				}
				if response, err := client.Do(request); err == nil {
					response.Body.Close()
				} else {
					time.Sleep(100 * time.Millisecond)
				}
			}
		})
	}
	end = sync.OnceFunc(func() { cancel(); wait.Wait() })
	t.Cleanup(end)
	return end
}

// looks notes what a controller was told of the CPU, in percent of the limit.
type looks struct {
	*kubernetes.Provider
	mu   sync.Mutex
	seen []look
}

type look struct {
	at      time.Time
	known   bool
	percent float64
}

func (l *looks) GetMetrics(ctx context.Context, id string) (hosting.InstanceMetrics, error) {
	metrics, err := l.Provider.GetMetrics(ctx, id)
	l.mu.Lock()
	defer l.mu.Unlock()
	one := look{at: time.Now()}
	if err == nil && metrics.ReadyReplicas > 0 && len(metrics.Unavailable) == 3 { // network and disk
		one.known, one.percent = true, metrics.CPUUsage/burnLimit*100/float64(metrics.MeasuredReplicas)
	}
	l.seen = append(l.seen, one)
	return metrics, err
}

// since returns the first look between two moments from which on the CPU was as
// the rule says, at every one: one that does not know it, or is otherwise, ends
// the evaluation period.
func (l *looks) since(t *testing.T, from, until time.Time, holds func(percent float64) bool) time.Time {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var first time.Time
	for _, seen := range l.seen {
		switch {
		case !seen.at.After(from) || seen.at.After(until):
		case !seen.known || !holds(seen.percent):
			first = time.Time{}
		case first.IsZero():
			first = seen.at
		}
	}
	require.False(t, first.IsZero(), "it was not so when the replicas changed: %v", l.seen)
	return first
}

func TestAPolicyFollowsTheLoadOfRealPods(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	p := w.provider(t, w.asShipped(t), smallPods)
	instance := w.run(t, burning("web"))
	own := w.hpa(t).Spec
	seen := &looks{Provider: p}
	controller, err := autoscale.New(autoscale.Config{
		Provider: seen, Backend: p, Store: p.Store(), Elector: p.Elector("autoscale"), Interval: policyInterval,
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() { assert.NoError(t, controller.Run(ctx)) })
	t.Cleanup(func() { cancel(); wait.Wait() })
	policy, err := controller.CreateAutoScalePolicy(t.Context(), byCPU(instance.ID))
	require.NoError(t, err)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		metrics, err := p.GetMetrics(t.Context(), instance.ID)
		assert.NoError(c, err)
		assert.NotContains(c, metrics.Unavailable, "cpuUsage", "metrics-server has seen the pod")
	}, waitTime, time.Second)
	h := w.history(t)
	const slack = 5 * time.Second // requests of a busy machine, and when the change was seen

	loaded := time.Now()
	end := w.burnAll(t, instance)
	up := h.await(t, 1, 1, 2)
	crossed := seen.since(t, loaded, up.at, func(percent float64) bool { return percent > 40 })
	t.Logf("the load was seen %s after it began, which is metrics-server's, and scaled %s after that", crossed.Sub(loaded), up.at.Sub(crossed))
	assert.LessOrEqual(t, up.at.Sub(crossed), policy.ScaleUpRules[0].EvaluationPeriod.Std()+policyInterval+slack)
	again := h.await(t, 2, 2, 3)
	t.Logf("scaled again %s later, beyond what its own autoscaler allows", again.at.Sub(up.at))

	w.await(t, instance.ID, hosting.StatusRunning)
	time.Sleep(policy.CooldownPeriod.Std() + 2*policyInterval) // no more: maxReplicas
	require.Len(t, h.all(), 2)
	end()
	ended := time.Now()
	down := h.await(t, 3, 3, 2)
	crossed = seen.since(t, ended, down.at, func(percent float64) bool { return percent < 15 })
	t.Logf("the end was seen %s after it, and scaled down %s after that", crossed.Sub(ended), down.at.Sub(crossed))
	// The rule holds after its period, and 3 was recommended until the look before.
	assert.GreaterOrEqual(t, down.at.Sub(crossed), policy.ScaleDownRules[0].EvaluationPeriod.Std()+policy.StabilizationWindow.Std()-policyInterval-slack)
	last := h.await(t, 4, 2, 1)
	t.Logf("and again %s later", last.at.Sub(down.at))
	h.requireTold(t, w, instance.ID, policy)
	for _, e := range w.recorded(t, instance.ID, "ScaledUp") {
		t.Logf("%s %s: %s %v", e.Timestamp, e.Reason, e.Message, e.Metadata)
		assert.Contains(t, e.Message, "cpu_usage is ")
		assert.Contains(t, e.Message, "> 40 for 10s")
		assert.Equal(t, hosting.MetricCPUUsage, e.Metadata["metric"])
	}
	for _, e := range w.recorded(t, instance.ID, "ScaledDown") {
		t.Logf("%s %s: %s", e.Timestamp, e.Reason, e.Message)
		assert.Contains(t, e.Message, "< 15 for 10s")
	}
	require.NoError(t, controller.DeleteAutoScalePolicy(t.Context(), policy.PolicyID))
	require.EventuallyWithT(t, func(c *assert.CollectT) { assert.Equal(c, own, w.hpa(t).Spec) }, waitTime, 200*time.Millisecond)
}

func TestALeaderThatIsKilledUnderRealLoadIsFollowedWithoutADoubleStep(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	instance := w.run(t, burning("web"))
	leader := w.process(t, envAutoscale)
	leader.await(t, "leads")
	other := w.process(t, envAutoscale)
	controller, err := controllerOf(w.Provider, nil)
	require.NoError(t, err)
	policy, err := controller.CreateAutoScalePolicy(t.Context(), byCPU(instance.ID))
	require.NoError(t, err)
	h := w.history(t)
	w.burnAll(t, instance)
	h.await(t, 1, 1, 2)
	require.NoError(t, leader.command.Process.Kill())
	killed := time.Now()
	took := other.await(t, "leads").Sub(killed)
	t.Logf("the other leads %s after the kill", took)
	assert.Less(t, took, leaseTime)
	again := h.await(t, 2, 2, 3)
	t.Logf("and scales %s after the first had", again.at.Sub(h.all()[0].at))
	time.Sleep(policy.CooldownPeriod.Std() + 2*policyInterval)
	require.Len(t, h.all(), 2)
	h.requireTold(t, w, instance.ID, policy)
}
