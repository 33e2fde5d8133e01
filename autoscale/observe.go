package autoscale

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"skillcenter.io/hosting"
)

// freshness is how old a measurement may be, or four intervals if those are
// longer: platforms measure every 15 to 60 s and tell of it a little later.
const freshness = 2 * time.Minute

// observe reads the metrics of all rules, each once. What cannot be read is not
// known; that is no error.
func (c *Controller) observe(ctx context.Context, policy hosting.AutoScalePolicy, instance hosting.CloudInstance) Observation {
	seen := Observation{Replicas: instance.Replicas}
	if instance.Replicas == 0 {
		return seen
	}
	m := &meter{controller: c, instance: instance}
	seen.Up = m.readAll(ctx, policy.ScaleUpRules)
	seen.Down = m.readAll(ctx, policy.ScaleDownRules)
	return seen
}

// meter reads the metrics of one instance at one time.
type meter struct {
	controller *Controller
	instance   hosting.CloudInstance
	platform   *hosting.InstanceMetrics
	failed     error // why platform is nil, once it has been asked
	read       []measured
}

type measured struct {
	metricType, metricName string
	reading                Reading
}

func (m *meter) readAll(ctx context.Context, rules []hosting.ScaleRule) []Reading {
	readings := make([]Reading, len(rules))
	for i, rule := range rules {
		known := slices.IndexFunc(m.read, func(one measured) bool {
			return one.metricType == rule.MetricType && one.metricName == rule.MetricName
		})
		if known < 0 {
			known = len(m.read)
			m.read = append(m.read, measured{rule.MetricType, rule.MetricName, m.measure(ctx, rule)})
		}
		readings[i] = m.read[known].reading
	}
	return readings
}

func (m *meter) measure(ctx context.Context, rule hosting.ScaleRule) Reading {
	if rule.MetricType == hosting.MetricResource {
		if m.platform == nil && m.failed == nil {
			metrics, err := m.controller.config.Provider.GetMetrics(ctx, m.instance.ID)
			if m.platform, m.failed = &metrics, err; err != nil {
				m.platform = nil
			}
		}
		if m.failed != nil {
			return Reading{Unknown: m.failed.Error()}
		}
		oldest := m.controller.now().Add(-max(freshness, 4*m.controller.config.Interval))
		return resourceReading(rule.MetricName, *m.platform, m.instance.Resources, oldest)
	}
	source := m.controller.config.Metrics
	if source == nil {
		return Reading{Unknown: fmt.Sprintf("there is no source of %s metrics", rule.MetricType)}
	}
	value, err := source.Metric(ctx, m.instance, rule)
	if err != nil {
		return Reading{Unknown: err.Error()}
	}
	return Reading{Value: value}
}

// resourceReading returns what a platform's measurement says about a replica:
// CPU and memory in percent of the limit, network in bytes per second. It is the
// average of those that were measured: what one that starts uses is no load of
// the others. A platform that does not tell how many has measured the ready ones.
func resourceReading(name string, m hosting.InstanceMetrics, limits *hosting.ResourceConfig, oldest hosting.Time) Reading {
	unknown := func(format string, args ...any) Reading { return Reading{Unknown: fmt.Sprintf(format, args...)} }
	if limits == nil {
		limits = &hosting.ResourceConfig{}
	}
	field, value, of := "", 0.0, 0.0 // of is 100 percent
	switch name {
	case hosting.MetricCPUUsage:
		field, value, of = "cpuUsage", m.CPUUsage, limits.CPULimit
	case hosting.MetricMemoryUsage:
		field, value, of = "memoryUsage", float64(m.MemoryUsage), float64(limits.MemoryLimit)
	case hosting.MetricNetworkIn:
		field, value, of = "networkIn", m.NetworkIn, 100
	case hosting.MetricNetworkOut:
		field, value, of = "networkOut", m.NetworkOut, 100
	default:
		return unknown("no platform measures it")
	}
	switch {
	case slices.Contains(m.Unavailable, field):
		return unknown("the platform did not measure %s", field)
	case m.ReadyReplicas <= 0:
		return unknown("no replica is ready")
	case of <= 0:
		return unknown("the instance has no limit that %s could be a share of", field)
	case m.Timestamp.Before(oldest):
		return unknown("it was measured last at %s", m.Timestamp)
	}
	return Reading{Value: value / of * 100 / float64(cmp.Or(m.MeasuredReplicas, m.ReadyReplicas))}
}
