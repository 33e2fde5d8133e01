// Command kubernetes takes one skill through its whole life on the cluster that
// KUBECONFIG names: it is created, fetched over HTTP, looked at, scaled,
// stopped and deleted.
//
//	go run ./examples/kubernetes
//	go run ./examples/kubernetes -image nginx:1.29 -port 80 -namespace demo
//
// The default image is the one that `make cluster` has loaded.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/examples/internal/show"
	hostingkubernetes "skillcenter.io/hosting/kubernetes"
)

// patience is how long the cluster may take for one step.
const patience = 3 * time.Minute

type settings struct {
	image     string
	args      string
	port      int
	namespace string
}

func main() {
	var s settings
	flag.StringVar(&s.image, "image", "skillcenter.io/test/skill:v1", "the container image, an HTTP server")
	flag.StringVar(&s.args, "args", "", "its arguments, separated by spaces")
	flag.IntVar(&s.port, "port", 8080, "the port it listens on")
	flag.StringVar(&s.namespace, "namespace", "default", "the namespace to use")
	flag.Parse()
	if s.args == "" && strings.HasPrefix(s.image, "skillcenter.io/test/skill:") {
		s.args = "-lines 3 -every 1s" // the test image is silent unless told otherwise
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubernetes:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, s settings) (err error) {
	cluster := hostingkubernetes.DefaultConfig()
	cluster.Namespace = s.namespace
	provider, err := hostingkubernetes.New(ctx, cluster)
	if err != nil {
		return err
	}
	// New talks to no cluster. Better an error now than at the first call.
	if err := provider.Check(ctx); err != nil {
		return err
	}

	show.Heading(out, "Create it")
	config := hosting.CloudHostingConfig{
		InstanceName: "hello",
		InstanceType: hosting.TypeDeployment,
		Container:    &hosting.ContainerConfig{Image: s.image, Args: strings.Fields(s.args), Ports: []int{s.port}},
		Resources:    &hosting.ResourceConfig{CPURequest: 0.05, MemoryRequest: 32 << 20},
	}
	instance, err := provider.CreateInstance(ctx, config)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "The id is %s.\n", instance.ID)
	// Nothing stays behind, also if a step fails or is interrupted.
	defer func() {
		show.Heading(out, "Delete it")
		if deleteErr := deleteInstance(context.WithoutCancel(ctx), out, provider, instance.ID); deleteErr != nil {
			err = errors.Join(err, deleteErr)
			return
		}
		fmt.Fprintf(out, "\n%s is gone.\n", instance.ID)
	}()
	if err := show.Wait(ctx, out, provider, instance.ID, patience, hosting.StatusRunning); err != nil {
		return err
	}

	show.Heading(out, "Fetch it through its Service")
	if err := fetch(ctx, out, provider, instance.ID, s.port); err != nil {
		return err
	}

	show.Heading(out, "Look at it")
	if err := inspect(ctx, out, provider, instance.ID); err != nil {
		return err
	}

	show.Heading(out, "What does it cost?")
	if err := printCost(ctx, out, provider, config, instance.ID); err != nil {
		return err
	}

	show.Heading(out, "Scale it to two replicas")
	if err := provider.ScaleInstance(ctx, instance.ID, 2); err != nil {
		return err
	}
	if err := show.Wait(ctx, out, provider, instance.ID, patience, hosting.StatusRunning); err != nil {
		return err
	}

	show.Heading(out, "Stop it")
	if err := provider.StopInstance(ctx, instance.ID); err != nil {
		return err
	}
	return show.Wait(ctx, out, provider, instance.ID, patience, hosting.StatusStopped)
}

// fetch asks the API server to pass a request on to the Service: that works
// from wherever kubectl works, in and outside of the cluster.
func fetch(ctx context.Context, out io.Writer, provider hosting.CloudHostingProvider, id string, port int) error {
	endpoint, err := provider.GetServiceEndpoint(ctx, id)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Inside the cluster it is %s (%s).\n", endpoint.URL, endpoint.Type)
	restConfig, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		answer, err := client.CoreV1().Services(endpoint.Metadata["namespace"]).
			ProxyGet("http", endpoint.Metadata["service"], strconv.Itoa(port), "/", nil).DoRaw(ctx)
		if err == nil {
			fmt.Fprintf(out, "It answers: %s\n", strings.TrimSpace(string(answer)))
			return nil
		}
		// A replica is ready a moment before the Service knows its address.
		select {
		case <-ctx.Done():
			return fmt.Errorf("fetching through the Service: %w", err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func inspect(ctx context.Context, out io.Writer, provider hosting.CloudHostingProvider, id string) error {
	logs, err := provider.GetLogs(ctx, id, hosting.LogQueryOptions{Limit: 5})
	if err != nil {
		return err
	}
	t := show.NewTable(out, "TIME", "SOURCE", "LINE")
	for _, entry := range logs {
		t.Row(show.Clock(entry.Timestamp), entry.Source, entry.Message)
	}
	t.Flush()
	fmt.Fprintln(out)

	metrics, err := measured(ctx, out, provider, id)
	if err != nil {
		return err
	}
	show.Metrics(out, metrics)
	fmt.Fprintln(out)

	events, err := provider.GetEvents(ctx, id)
	if err != nil {
		return err
	}
	show.Events(out, events)
	return nil
}

// measured waits for the first figures of metrics-server, which takes a while
// after a start. Without them it returns what is known.
func measured(ctx context.Context, out io.Writer, provider hosting.CloudHostingProvider, id string) (hosting.InstanceMetrics, error) {
	fmt.Fprint(out, "  waiting for metrics-server ")
	defer fmt.Fprint(out, "\n\n")
	for deadline := time.Now().Add(time.Minute); ; {
		metrics, err := provider.GetMetrics(ctx, id)
		if err != nil || !slices.Contains(metrics.Unavailable, "cpuUsage") || time.Now().After(deadline) {
			return metrics, err
		}
		fmt.Fprint(out, ".")
		select {
		case <-ctx.Done():
			return metrics, ctx.Err()
		case <-time.After(2 * time.Second):
		}
	}
}

// printCost prints what is known of the cost: a provider that does not know
// says so, and why.
func printCost(ctx context.Context, out io.Writer, provider hosting.CloudHostingProvider, config hosting.CloudHostingConfig, id string) error {
	t := show.NewTable(out, "COST", "VALUE")
	defer t.Flush()
	estimate, err := provider.EstimateCost(ctx, config)
	if err := costRow(t, "estimate, per month", estimate.MonthlyCost, estimate.Currency, err); err != nil {
		return err
	}
	now := hosting.NewTime(time.Now())
	actual, err := provider.GetActualCost(ctx, id, hosting.NewTime(now.Std().Add(-time.Hour)), now)
	return costRow(t, "actual, in the last hour", actual.TotalCost, actual.Currency, err)
}

func costRow(t show.Table, what string, cost float64, currency string, err error) error {
	switch {
	case errors.Is(err, hosting.Unsupported):
		t.Row(what, "not known: "+err.Error())
		return nil
	case err == nil:
		t.Row(what, fmt.Sprintf("%.6f %s", cost, currency))
	}
	return err
}

func deleteInstance(ctx context.Context, out io.Writer, provider hosting.CloudHostingProvider, id string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := provider.DeleteInstance(ctx, id); err != nil {
		return err
	}
	return hosting.WaitForDeletion(ctx, provider, id, show.Progress(out))
}
