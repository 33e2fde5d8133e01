package autoscale_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/provider/store"
)

const (
	manyPolicies = 10_000
	// tickBound is how long the decisions about all of them may take.
	tickBound = 50 * time.Millisecond
)

// BenchmarkTick10000Policies decides about 10,000 instances on one core, time
// after time, and fails if it takes too long.
func BenchmarkTick10000Policies(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	random := rand.New(rand.NewPCG(1, 7))
	type one struct {
		policy   hosting.AutoScalePolicy
		state    autoscale.State
		replicas int
		load     float64
	}
	all := make([]one, manyPolicies)
	for i := range all {
		all[i] = one{policy: randomPolicy(random), replicas: 3, load: 100 * random.Float64()}
	}
	now := hosting.TimeFromMillis(1_700_000_000_000)
	seen := make([]autoscale.Observation, manyPolicies)
	changes := 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer() // what is measured is not made here in production
		now = now.Add(autoscale.DefaultInterval)
		for i := range all {
			all[i].load += 10 * (random.Float64() - 0.5)
			seen[i] = observed(random, all[i].policy, all[i].load, all[i].replicas)
		}
		b.StartTimer()
		for i := range all {
			d := autoscale.Decide(all[i].policy, all[i].state, seen[i], now)
			if all[i].state = d.State; d.Changes() {
				all[i].replicas, all[i].state = d.To, d.State.Changed(d.To, now)
				changes++
			}
		}
	}
	tick := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(float64(tick.Microseconds())/1000, "ms/tick")
	b.ReportMetric(float64(changes)/float64(b.N), "changes/tick")
	require.LessOrEqual(b, tick, tickBound)
}

// BenchmarkControllerTick10000Policies is a whole tick of the controller, with a
// store in memory and a platform that answers at once.
func BenchmarkControllerTick10000Policies(b *testing.B) {
	platform := &instantPlatform{byID: map[string]hosting.CloudInstance{}}
	c, err := autoscale.New(autoscale.Config{Provider: platform, Store: store.NewMemory(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	for i := range manyPolicies {
		id := fmt.Sprintf("default.deployment.web-%d", i)
		platform.byID[id] = hosting.CloudInstance{ID: id, InstanceType: hosting.TypeDeployment, Region: "default", Replicas: 2,
			Resources: &hosting.ResourceConfig{CPULimit: 1}}
		policy := cpuPolicy()
		policy.InstanceID = id
		_, err = c.CreateAutoScalePolicy(b.Context(), policy)
		require.NoError(b, err)
	}
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, c.Tick(b.Context()))
	}
}

// instantPlatform has instances that are busy with half of what they may use.
type instantPlatform struct {
	hosting.UnimplementedProvider
	byID map[string]hosting.CloudInstance
}

func (p *instantPlatform) GetInstance(_ context.Context, id string) (hosting.CloudInstance, error) {
	return p.byID[id], nil
}

func (p *instantPlatform) ListInstances(context.Context) ([]hosting.CloudInstance, error) {
	return slices.Collect(maps.Values(p.byID)), nil
}

func (p *instantPlatform) GetMetrics(_ context.Context, id string) (hosting.InstanceMetrics, error) {
	return hosting.InstanceMetrics{InstanceID: id, Timestamp: hosting.Now(), CPUUsage: 1, Replicas: 2, ReadyReplicas: 2}, nil
}
