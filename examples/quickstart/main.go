// Command quickstart takes one skill through its whole life: it is created,
// looked at, scaled, stopped, started and deleted. It runs on the in-memory
// provider, so it needs nothing but Go:
//
//	go run ./examples/quickstart
//
// With another provider, only the line that makes it would change.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/examples/internal/show"
	"skillcenter.io/hosting/fake"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// skill is what we host: two replicas of a container with one port. What it
// leaves out, such as the region and the memory, takes the provider's defaults.
var skill = hosting.CloudHostingConfig{
	InstanceName: "hello",
	InstanceType: hosting.TypeDeployment,
	Container:    &hosting.ContainerConfig{Image: "registry.example.com/skills/hello:1.0", Ports: []int{8080}},
	Resources:    &hosting.ResourceConfig{CPURequest: 0.25, CPULimit: 0.5},
	Scaling:      &hosting.ScaleConfig{MinReplicas: 2},
	Labels:       map[string]string{"team": "demo"},
}

func run(ctx context.Context, out io.Writer) error {
	provider := fake.New()
	defer provider.Close()

	show.Heading(out, "What would it cost?")
	estimate, err := provider.EstimateCost(ctx, skill)
	if err != nil {
		return err
	}
	printEstimate(out, estimate)

	// Calls that change something return as soon as the platform has accepted
	// it. WaitForStatus waits until it is done.
	show.Heading(out, "Create it")
	instance, err := provider.CreateInstance(ctx, skill)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "The id is %s.\n", instance.ID)
	if err := show.Wait(ctx, out, provider, instance.ID, time.Minute, hosting.StatusRunning); err != nil {
		return err
	}

	show.Heading(out, "Look at it")
	if err := follow(ctx, out, provider, instance.ID); err != nil {
		return err
	}
	if err := inspect(ctx, out, provider, instance.ID); err != nil {
		return err
	}

	steps := []struct {
		title string
		do    func() error
		want  hosting.Status
	}{
		{"Scale it to three replicas", func() error { return provider.ScaleInstance(ctx, instance.ID, 3) }, hosting.StatusRunning},
		{"Stop it", func() error { return provider.StopInstance(ctx, instance.ID) }, hosting.StatusStopped},
		{"Start it, with the three replicas it had", func() error { return provider.StartInstance(ctx, instance.ID) }, hosting.StatusRunning},
	}
	for _, step := range steps {
		show.Heading(out, step.title)
		if err := step.do(); err != nil {
			return err
		}
		if err := show.Wait(ctx, out, provider, instance.ID, time.Minute, step.want); err != nil {
			return err
		}
	}

	show.Heading(out, "What happened, and what did it cost?")
	events, err := provider.GetEvents(ctx, instance.ID)
	if err != nil {
		return err
	}
	show.Events(out, events)
	fmt.Fprintln(out)
	if err := printActualCost(ctx, out, provider, instance); err != nil {
		return err
	}

	show.Heading(out, "Delete it")
	if err := provider.DeleteInstance(ctx, instance.ID); err != nil {
		return err
	}
	if err := hosting.WaitForDeletion(ctx, provider, instance.ID, show.Progress(out)); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nDone: %s was created, scaled, stopped, started and deleted.\n", instance.ID)
	return nil
}

// follow prints the first lines of the log as they come. Leaving the loop ends
// the stream.
func follow(ctx context.Context, out io.Writer, provider hosting.CloudHostingProvider, id string) error {
	const lines = 4
	n := 0
	for entry, err := range hosting.StreamLogs(ctx, provider, id, hosting.LogQueryOptions{}) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  %s  %-10s %s\n", show.Clock(entry.Timestamp), entry.Source, entry.Message)
		if n++; n == lines {
			break
		}
	}
	fmt.Fprintln(out)
	return ctx.Err() // a stream ends silently when its context does
}

func inspect(ctx context.Context, out io.Writer, provider hosting.CloudHostingProvider, id string) error {
	endpoint, err := provider.GetServiceEndpoint(ctx, id)
	if err != nil {
		return err
	}
	health, err := provider.HealthCheck(ctx, id)
	if err != nil {
		return err
	}
	metrics, err := provider.GetMetrics(ctx, id)
	if err != nil {
		return err
	}
	t := show.NewTable(out, "WHAT", "VALUE")
	t.Row("endpoint", fmt.Sprintf("%s (%s)", endpoint.URL, endpoint.Type))
	t.Row("healthy", health.Healthy)
	t.Flush()
	fmt.Fprintln(out)
	show.Metrics(out, metrics)
	return nil
}

func printEstimate(out io.Writer, estimate hosting.CostEstimate) {
	t := show.NewTable(out, "PER", estimate.Currency)
	t.Row("hour", fmt.Sprintf("%.4f", estimate.HourlyCost))
	t.Row("day", fmt.Sprintf("%.2f", estimate.DailyCost))
	t.Row("month", fmt.Sprintf("%.2f", estimate.MonthlyCost))
	t.Flush()
}

func printActualCost(ctx context.Context, out io.Writer, provider hosting.CloudHostingProvider, instance hosting.CloudInstance) error {
	cost, err := provider.GetActualCost(ctx, instance.ID, instance.CreatedAt, hosting.NewTime(time.Now()))
	if err != nil {
		return err
	}
	t := show.NewTable(out, "PAID FOR", cost.Currency)
	t.Row("compute", fmt.Sprintf("%.6f", cost.Breakdown.Compute))
	t.Row("memory", fmt.Sprintf("%.6f", cost.Breakdown.Memory))
	t.Row("total", fmt.Sprintf("%.6f", cost.TotalCost))
	t.Flush()
	return nil
}
