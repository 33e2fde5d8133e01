// Command configuration opens a host from a file, with two providers behind
// one interface, and creates an instance on each. It needs nothing but Go:
//
//	go run ./examples/configuration examples/configuration/hosting.yaml
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/sync/errgroup"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/examples/internal/show"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/kubernetes"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
	"skillcenter.io/hosting/provider/store/boltstore"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: configuration FILE")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, os.Args[1])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "configuration:", err)
		os.Exit(1)
	}
}

// openers are the kinds of provider that a file may name.
var openers = map[string]driver.Opener{
	"fake":       fake.Open,
	"kubernetes": kubernetes.Open,
}

func run(ctx context.Context, out io.Writer, file string) (err error) {
	host, err := provider.OpenFile(ctx, file, openers, provider.WithFileStore(boltstore.Open))
	if err != nil {
		return err
	}
	defer func() {
		if e := host.Close(); err == nil {
			err = e
		}
	}()
	// Run keeps caches and acts on policies, until work is done.
	ctx, done := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return host.Run(ctx) })
	group.Go(func() error {
		defer done()
		return work(ctx, out, host.Provider())
	})
	return group.Wait()
}

func work(ctx context.Context, out io.Writer, p hosting.CloudHostingProvider) error {
	skill := hosting.CloudHostingConfig{
		InstanceName: "hello",
		InstanceType: hosting.TypeDeployment,
		Container:    &hosting.ContainerConfig{Image: "registry.example.com/skills/hello:1.0", Ports: []int{8080}},
	}
	for _, region := range p.SupportedRegions() {
		skill.Region = region // which tells the provider, too
		instance, err := p.CreateInstance(ctx, skill)
		if err != nil {
			return err
		}
		if instance, err = hosting.WaitForStatus(ctx, p, instance.ID, hosting.WaitOptions{}, hosting.StatusRunning); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s is %s with %d replicas\n", instance.ID, instance.Status, instance.Replicas)
	}
	instances, err := p.ListInstances(ctx)
	if err != nil {
		return err
	}
	show.Heading(out, fmt.Sprintf("All %d instances", len(instances)))
	table := show.NewTable(out, "ID", "PROVIDER", "REGION", "STATUS")
	for _, in := range instances {
		table.Row(in.ID, in.Provider, in.Region, in.Status)
	}
	table.Flush()
	return nil
}
