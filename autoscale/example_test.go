package autoscale_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider/store"
)

func ExampleController() {
	ctx := context.Background()
	now := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	platform := fake.New(fake.WithClock(clock))
	instance, err := platform.CreateInstance(ctx, hosting.CloudHostingConfig{
		InstanceName: "web", InstanceType: hosting.TypeDeployment, Container: &hosting.ContainerConfig{Image: "nginx:1.29"},
		Resources: &hosting.ResourceConfig{CPURequest: 1, CPULimit: 1},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	controller, err := autoscale.New(autoscale.Config{
		Provider: platform, Backend: platform, Store: store.NewMemory(), Now: clock, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	policy, err := controller.CreateAutoScalePolicy(ctx, hosting.AutoScalePolicy{
		InstanceID: instance.ID, Name: "by-cpu", Enabled: true, MinReplicas: 1, MaxReplicas: 5,
		ScaleUpRules: []hosting.ScaleRule{{
			MetricType: hosting.MetricResource, MetricName: hosting.MetricCPUUsage, Comparison: ">", Threshold: 80,
			StepSize: 1, EvaluationPeriod: hosting.Duration(time.Minute),
		}},
		CooldownPeriod: hosting.Duration(5 * time.Minute),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("the policy is", policy.PolicyID)

	// A program calls Run, which looks every 15 s while this process leads. Here
	// the clock is the example's own.
	if err := platform.SetLoad(instance.ID, fake.Load{CPU: 0.9}); err != nil {
		fmt.Println(err)
	}
	for range 20 {
		now = now.Add(15 * time.Second)
		if err := controller.Tick(ctx); err != nil {
			fmt.Println(err)
		}
	}
	events, _ := platform.GetEvents(ctx, instance.ID)
	for _, event := range events {
		if event.Reason == "ScaledUp" {
			fmt.Println(event.Reason, event.Message)
		}
	}
	// Output:
	// the policy is default.policy.web
	// ScaledUp from 1 to 2 replicas: cpu_usage is 90 (> 80 for 1m0s)
}

func ExampleDecide() {
	policy := hosting.AutoScalePolicy{
		InstanceID: "default.deployment.web", Name: "by-queue", Enabled: true, MinReplicas: 1, MaxReplicas: 5,
		ScaleUpRules: []hosting.ScaleRule{{
			MetricType: hosting.MetricExternal, MetricName: "queue", Comparison: ">", Threshold: 100,
			StepSize: 2, EvaluationPeriod: hosting.Duration(30 * time.Second),
		}},
		CooldownPeriod: hosting.Duration(time.Minute),
	}
	var state autoscale.State
	replicas, now := 1, hosting.TimeFromMillis(1_767_225_600_000)
	for _, queue := range []float64{150, 160, 170, 180} {
		d := autoscale.Decide(policy, state, autoscale.Observation{Replicas: replicas, Up: []autoscale.Reading{{Value: queue}}}, now)
		fmt.Println(d)
		if state = d.State; d.Changes() { // and the replicas were changed
			replicas, state = d.To, state.Changed(d.To, now)
		}
		now = now.Add(15 * time.Second)
	}
	// Output:
	// 1 replicas stay: no rule asks for a change
	// 1 replicas stay: no rule asks for a change
	// from 1 to 3 replicas: queue is 170 (> 100 for 30s)
	// 3 replicas stay: queue is 180 (> 100 for 30s) asks for 5, but the replicas have changed and the cooldown ends at 2026-01-01T00:01:30.000Z
}
