package autoscale_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider/store"
)

const webID, webPolicyID = "default.deployment.web", "default.policy.web"

// web is a deployment whose replicas have one core each.
func web(replicas int) hosting.CloudHostingConfig {
	return hosting.CloudHostingConfig{
		InstanceName: "web", InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "nginx:1.29", Ports: []int{80}},
		Resources: &hosting.ResourceConfig{CPURequest: 1, CPULimit: 1},
		Scaling:   &hosting.ScaleConfig{MinReplicas: replicas},
	}
}

// cpuPolicy adds a replica above 70 percent of the CPU limit for 30 s and takes
// one below 30 percent.
func cpuPolicy() hosting.AutoScalePolicy {
	rule := func(comparison string, threshold float64) []hosting.ScaleRule {
		return []hosting.ScaleRule{{
			MetricType: hosting.MetricResource, MetricName: hosting.MetricCPUUsage, Comparison: comparison, Threshold: threshold,
			StepSize: 1, EvaluationPeriod: hosting.Duration(30 * time.Second),
		}}
	}
	return hosting.AutoScalePolicy{
		InstanceID: webID, Name: "by-cpu", Enabled: true, MinReplicas: 1, MaxReplicas: 5,
		ScaleUpRules: rule(">", 70), ScaleDownRules: rule("<", 30),
		CooldownPeriod: hosting.Duration(time.Minute), StabilizationWindow: hosting.Duration(2 * time.Minute),
	}
}

// world is a fake platform with an instance "web", and a store.
type world struct {
	t        *testing.T
	ctx      context.Context
	platform *fake.Provider
	store    store.Store
	log      *logBuffer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, ctx: t.Context(), store: store.NewMemory(), log: &logBuffer{},
		platform: fake.New(fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload { return fake.Workload{StartTime: -1, StopTime: -1} }))}
	_, err := w.platform.CreateInstance(w.ctx, web(2))
	require.NoError(t, err)
	w.load(1)
	return w
}

// controller returns a controller over the world's platform and store.
func (w *world) controller(options ...func(*autoscale.Config)) *autoscale.Controller {
	w.t.Helper()
	config := autoscale.Config{Provider: w.platform, Backend: w.platform, Store: w.store, Logger: slog.New(slog.NewTextHandler(w.log, nil))}
	for _, option := range options {
		option(&config)
	}
	controller, err := autoscale.New(config)
	require.NoError(w.t, err)
	return controller
}

// load sets the work that is offered, in cores.
func (w *world) load(cores float64) {
	w.t.Helper()
	require.NoError(w.t, w.platform.SetLoad(webID, fake.Load{CPU: cores, Memory: 64 << 20}))
}

func (w *world) replicas() int {
	w.t.Helper()
	instance, err := w.platform.GetInstance(w.ctx, webID)
	require.NoError(w.t, err)
	return instance.Replicas
}

// decisions are the messages of the events that the autoscaler has recorded.
func (w *world) decisions() (messages []string) {
	w.t.Helper()
	events, err := w.platform.GetEvents(w.ctx, webID)
	require.NoError(w.t, err)
	for _, event := range events {
		if event.Reason == "ScaledUp" || event.Reason == "ScaledDown" {
			messages = append(messages, event.Message)
		}
	}
	return messages
}

func (w *world) create(c *autoscale.Controller, policy hosting.AutoScalePolicy) hosting.AutoScalePolicy {
	w.t.Helper()
	created, err := c.CreateAutoScalePolicy(w.ctx, policy)
	require.NoError(w.t, err)
	return created
}

// run runs a controller, and returns what ends it and waits for it.
func (w *world) run(c *autoscale.Controller) (stop func()) {
	ctx, cancel := context.WithCancel(w.ctx)
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(w.t, c.Run(ctx)) })
	return func() {
		cancel()
		running.Wait()
	}
}

func (w *world) fails(err error, code hosting.Code, reason hosting.Reason, says string) {
	w.t.Helper()
	var e *hosting.Error
	require.ErrorAs(w.t, err, &e)
	assert.Equal(w.t, code, e.Code, err)
	assert.Equal(w.t, reason, e.Reason, err)
	assert.Equal(w.t, "fake", e.Provider, err)
	assert.Contains(w.t, e.Message, says)
}

// logBuffer is a log that several goroutines may write.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// lines returns the lines that have all of the texts in them.
func (b *logBuffer) lines(texts ...string) (found []string) {
	for line := range strings.Lines(b.String()) {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			found = append(found, line)
		}
	}
	return found
}
