// Command autoscale shows a policy at work: the load of a skill rises and falls,
// and the autoscaler follows with the replicas. It runs on the in-memory
// provider in virtual time, so fifty minutes take a moment:
//
//	go run ./examples/autoscale
//	go run ./examples/autoscale -svg autoscale.svg
//
// It prints a plot and each decision with its reason. With -svg it writes the
// plot to a file too, which a browser shows.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/examples/internal/show"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider/store"
)

func main() {
	svg := flag.String("svg", "", "write the plot to this `file`, as SVG")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, *svg)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "autoscale:", err)
		os.Exit(1)
	}
}

const (
	length   = 50 * time.Minute
	interval = autoscale.DefaultInterval
	minute   = hosting.Duration(time.Minute)
)

// skill has replicas that may use one core each.
var skill = hosting.CloudHostingConfig{
	InstanceName: "shop",
	InstanceType: hosting.TypeDeployment,
	Container:    &hosting.ContainerConfig{Image: "registry.example.com/skills/shop:1.0", Ports: []int{8080}},
	Resources:    &hosting.ResourceConfig{CPURequest: 0.5, CPULimit: 1},
	Scaling:      &hosting.ScaleConfig{MinReplicas: 1},
}

// policy adds a replica when CPU is short for a minute, and two when it is very
// short. It takes one away when there is plenty for a minute, but not while more
// were recommended in the last five.
var policy = hosting.AutoScalePolicy{
	Name: "follow-cpu", Enabled: true, MinReplicas: 1, MaxReplicas: 6,
	ScaleUpRules: []hosting.ScaleRule{
		{MetricType: hosting.MetricResource, MetricName: hosting.MetricCPUUsage, Comparison: ">", Threshold: 70, StepSize: 1, EvaluationPeriod: minute},
		{MetricType: hosting.MetricResource, MetricName: hosting.MetricCPUUsage, Comparison: ">", Threshold: 95, StepSize: 2, EvaluationPeriod: minute},
	},
	ScaleDownRules: []hosting.ScaleRule{
		{MetricType: hosting.MetricResource, MetricName: hosting.MetricCPUUsage, Comparison: "<", Threshold: 30, StepSize: 1, EvaluationPeriod: minute},
	},
	CooldownPeriod: 2 * minute, StabilizationWindow: 5 * minute,
}

// sample is what a look found.
type sample struct {
	at       time.Duration // since the beginning
	load     float64       // that is offered, in cores
	usage    float64       // of a replica's CPU limit, in percent
	replicas int
}

func run(ctx context.Context, out io.Writer, svgFile string) error {
	// The provider and the autoscaler share a clock, which the loop moves. In a
	// program that serves somebody both take the computer's, and the autoscaler
	// gets a goroutine with Run instead of calls of Tick.
	now := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	began := now
	clock := func() time.Time { return now }
	provider := fake.New(fake.WithClock(clock))
	defer provider.Close()
	controller, err := autoscale.New(autoscale.Config{
		Provider: provider, Backend: provider, Store: store.NewMemory(), Now: clock, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}

	instance, err := provider.CreateInstance(ctx, skill)
	if err != nil {
		return err
	}
	err = provider.SetLoadFunc(instance.ID, func(t time.Time) fake.Load { return fake.Load{CPU: offered(t.Sub(began))} })
	if err != nil {
		return err
	}
	policy := policy
	policy.InstanceID = instance.ID
	if _, err := controller.CreateAutoScalePolicy(ctx, policy); err != nil {
		return err
	}

	now = now.Add(interval) // the first replica starts
	began = now
	var samples []sample
	for ; now.Sub(began) <= length; now = now.Add(interval) {
		if err := controller.Tick(ctx); err != nil {
			return err
		}
		metrics, err := provider.GetMetrics(ctx, instance.ID)
		if err != nil {
			return err
		}
		at := now.Sub(began)
		samples = append(samples, sample{at: at, load: offered(at), replicas: metrics.Replicas,
			usage: metrics.CPUUsage * 100 / (skill.Resources.CPULimit * float64(metrics.ReadyReplicas))})
	}

	plotText(out, samples)
	show.Heading(out, "What was decided, and why")
	events, err := provider.GetEvents(ctx, instance.ID)
	if err != nil {
		return err
	}
	printDecisions(out, began, events)
	if svgFile == "" {
		return nil
	}
	if err := os.WriteFile(svgFile, []byte(plotSVG(samples)), 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nThe plot is in %s.\n", svgFile)
	return err
}

// offered is the load in cores: it rises, stays a while, and falls. A short peak
// at the end is over before the policy believes in it.
func offered(at time.Duration) float64 {
	minutes := at.Minutes()
	switch {
	case minutes < 4:
		return 0.4
	case minutes < 8:
		return 0.4 + (minutes-4)*0.9
	case minutes < 18:
		return 4
	case minutes < 24:
		return 4 - (minutes-18)*0.62
	case minutes >= 44 && minutes < 44.75:
		return 1.8
	}
	return 0.28
}

func printDecisions(out io.Writer, began time.Time, events []hosting.InstanceEvent) {
	t := show.NewTable(out, "AT", "EVENT", "REASON")
	for _, event := range events {
		if event.Metadata["policyId"] != "" { // the platform has events of its own
			t.Row(clockOf(event.Timestamp.Std().Sub(began)), event.Reason, event.Message)
		}
	}
	t.Flush()
}

// clockOf prints a time as minutes and seconds.
func clockOf(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
