package autoscale_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/provider/store"
)

// measuredPlatform has one instance with 4 replicas, whose figures a test sets.
type measuredPlatform struct {
	hosting.UnimplementedProvider
	limits  *hosting.ResourceConfig
	metrics hosting.InstanceMetrics
	err     error
	asked   int
	events  []hosting.InstanceEvent
}

func (p *measuredPlatform) ProviderName() string { return "measured" }

func (p *measuredPlatform) GetInstance(context.Context, string) (hosting.CloudInstance, error) {
	return hosting.CloudInstance{ID: webID, InstanceType: hosting.TypeDeployment, Region: "default", Replicas: 4, Resources: p.limits}, nil
}

func (p *measuredPlatform) GetMetrics(context.Context, string) (hosting.InstanceMetrics, error) {
	p.asked++
	return p.metrics, p.err
}

func (p *measuredPlatform) ScaleInstance(context.Context, string, int) error { return nil }

func (p *measuredPlatform) RecordEvent(_ context.Context, _ string, event hosting.InstanceEvent) error {
	p.events = append(p.events, event)
	return nil
}

// measure returns what a rule with this metric sees: its value in an event, or
// why it is not known.
func measure(t *testing.T, p *measuredPlatform, metricType, metricName string, source autoscale.MetricSource) (value, unknown string) {
	var log logBuffer
	w := &world{t: t, ctx: t.Context(), store: store.NewMemory(), log: &log}
	c := w.controller(func(config *autoscale.Config) { config.Provider, config.Backend, config.Metrics = p, nil, source })
	rule := hosting.ScaleRule{MetricType: metricType, MetricName: metricName, Comparison: ">=", Threshold: 0, StepSize: 1}
	policy := hosting.AutoScalePolicy{InstanceID: webID, Name: "any", Enabled: true, MinReplicas: 1, MaxReplicas: 9, ScaleUpRules: []hosting.ScaleRule{rule}}
	w.create(c, policy)
	require.NoError(t, c.Tick(t.Context()))
	if len(p.events) == 0 {
		return "", log.String()
	}
	require.Empty(t, log.lines("WARN", "measuring"))
	return p.events[0].Metadata["value"], ""
}

func TestMetricsOfThePlatformAreAveragesOfTheReplicasThatWereMeasured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := &hosting.ResourceConfig{CPULimit: 0.5, MemoryLimit: 1 << 30}
		metrics := func(change func(*hosting.InstanceMetrics)) hosting.InstanceMetrics {
			m := hosting.InstanceMetrics{Timestamp: hosting.Now(), Replicas: 4, ReadyReplicas: 2,
				CPUUsage: 0.75, MemoryUsage: 1 << 29, NetworkIn: 3000, NetworkOut: 500}
			if change != nil {
				change(&m)
			}
			return m
		}
		for _, one := range []struct {
			name, metric, value, unknown string
			limits                       *hosting.ResourceConfig
			metrics                      hosting.InstanceMetrics
			err                          error
		}{
			{name: "cpu in percent of the limit", metric: "cpu_usage", value: "75"},
			{name: "memory in percent of the limit", metric: "memory_usage", value: "25"},
			{name: "bytes per second", metric: "network_in", value: "1500"},
			{name: "bytes per second out", metric: "network_out", value: "250"},
			{name: "without a limit there is no share", metric: "cpu_usage", limits: &hosting.ResourceConfig{MemoryLimit: 1}, unknown: "no limit that cpuUsage could be a share of"},
			{name: "nor for memory", metric: "memory_usage", limits: &hosting.ResourceConfig{CPULimit: 1}, unknown: "no limit that memoryUsage could be a share of"},
			{name: "network needs no limit", metric: "network_in", limits: &hosting.ResourceConfig{}, value: "1500"},
			{name: "a replica that starts is no load of the other", metric: "cpu_usage", metrics: metrics(func(m *hosting.InstanceMetrics) { m.ReadyReplicas, m.MeasuredReplicas = 1, 2 }), value: "75"},
			{name: "nor is its memory", metric: "memory_usage", metrics: metrics(func(m *hosting.InstanceMetrics) { m.ReadyReplicas, m.MeasuredReplicas = 1, 2 }), value: "25"},
			{name: "nor its network", metric: "network_in", metrics: metrics(func(m *hosting.InstanceMetrics) { m.ReadyReplicas, m.MeasuredReplicas = 1, 2 }), value: "1500"},
			{name: "nothing is ready, though it runs", metric: "cpu_usage", metrics: metrics(func(m *hosting.InstanceMetrics) { m.ReadyReplicas, m.MeasuredReplicas = 0, 2 }), unknown: "no replica is ready"},
			{name: "nothing is ready", metric: "cpu_usage", metrics: metrics(func(m *hosting.InstanceMetrics) { m.ReadyReplicas = 0 }), unknown: "no replica is ready"},
			{name: "not measured", metric: "network_out", metrics: metrics(func(m *hosting.InstanceMetrics) { m.Unavailable = []string{"networkOut"} }), unknown: "the platform did not measure networkOut"},
			{name: "another was not measured", metric: "network_in", metrics: metrics(func(m *hosting.InstanceMetrics) { m.Unavailable = []string{"networkOut"} }), value: "1500"},
			{name: "measured long ago", metric: "cpu_usage", metrics: metrics(func(m *hosting.InstanceMetrics) { m.Timestamp = m.Timestamp.Add(-3 * time.Minute) }), unknown: "measured last at 1999-12-31T23:57:00.000Z"},
			{name: "measured a while ago", metric: "cpu_usage", metrics: metrics(func(m *hosting.InstanceMetrics) { m.Timestamp = m.Timestamp.Add(-time.Minute) }), value: "75"},
			{name: "no answer", metric: "cpu_usage", err: errors.New("metrics-server is away"), unknown: "metrics-server is away"},
		} {
			p := &measuredPlatform{limits: one.limits, metrics: one.metrics, err: one.err}
			if p.limits == nil {
				p.limits = limits
			}
			if p.metrics.Timestamp.IsZero() {
				p.metrics = metrics(nil)
			}
			value, unknown := measure(t, p, hosting.MetricResource, one.metric, nil)
			assert.Equal(t, one.value, value, one.name)
			if one.unknown == "" {
				assert.Empty(t, unknown, one.name)
			} else {
				assert.Contains(t, unknown, one.metric+" is not known: ", one.name)
				assert.Contains(t, unknown, one.unknown, one.name)
			}
		}
	})
}

type sourceFunc func(hosting.CloudInstance, hosting.ScaleRule) (float64, error)

func (f sourceFunc) Metric(_ context.Context, instance hosting.CloudInstance, rule hosting.ScaleRule) (float64, error) {
	return f(instance, rule)
}

func TestCustomAndExternalMetricsComeFromTheSource(t *testing.T) {
	t.Parallel()
	for _, metricType := range []string{hosting.MetricCustom, hosting.MetricExternal} {
		value, _ := measure(t, &measuredPlatform{}, metricType, "queue", sourceFunc(func(instance hosting.CloudInstance, rule hosting.ScaleRule) (float64, error) {
			assert.Equal(t, webID, instance.ID)
			assert.Equal(t, metricType, rule.MetricType)
			assert.Equal(t, "queue", rule.MetricName)
			return 42, nil
		}))
		assert.Equal(t, "42", value)
		_, unknown := measure(t, &measuredPlatform{}, metricType, "queue", sourceFunc(func(hosting.CloudInstance, hosting.ScaleRule) (float64, error) {
			return 0, errors.New("no such series")
		}))
		assert.Contains(t, unknown, "queue is not known: no such series")
		_, unknown = measure(t, &measuredPlatform{}, metricType, "queue", nil)
		assert.Contains(t, unknown, "queue is not known: there is no source of "+metricType+" metrics")
	}
}

// Kubernetes has no room for more than that in an event.
func TestAStepIsToldOfHoweverLongTheNameOfItsMetric(t *testing.T) {
	t.Parallel()
	p := &measuredPlatform{}
	value, _ := measure(t, p, hosting.MetricCustom, strings.Repeat("x", 256), sourceFunc(func(hosting.CloudInstance, hosting.ScaleRule) (float64, error) {
		return math.MaxFloat64, nil
	}))
	require.NotEmpty(t, value)
	assert.LessOrEqual(t, len(p.events[0].Message), 1024)
}

func TestEachMetricIsReadOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &measuredPlatform{limits: &hosting.ResourceConfig{CPULimit: 1}, metrics: hosting.InstanceMetrics{Timestamp: hosting.Now(), CPUUsage: 2, ReadyReplicas: 4}}
		fromSource := 0
		w := &world{t: t, ctx: t.Context(), store: store.NewMemory(), log: &logBuffer{}}
		c := w.controller(func(config *autoscale.Config) {
			config.Provider, config.Backend = p, nil
			config.Metrics = sourceFunc(func(hosting.CloudInstance, hosting.ScaleRule) (float64, error) {
				fromSource++
				return 1, nil
			})
		})
		policy := cpuPolicy()
		policy.ScaleUpRules = append(policy.ScaleUpRules, policy.ScaleUpRules[0])
		policy.ScaleUpRules[1].MetricType, policy.ScaleUpRules[1].MetricName = hosting.MetricExternal, "queue"
		policy.ScaleDownRules = append(policy.ScaleDownRules, policy.ScaleUpRules[1])
		w.create(c, policy)
		require.NoError(t, c.Tick(t.Context()))
		assert.Equal(t, 1, p.asked)
		assert.Equal(t, 1, fromSource)
	})
}
