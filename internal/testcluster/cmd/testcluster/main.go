//go:build linux

// Command testcluster gives a person the Kubernetes that the tests use.
//
//	testcluster build   build the programs of the cluster; the rest do so, too
//	testcluster check   say what this machine lacks for a cluster with a node
//	testcluster up      start a cluster that stays; prints `export KUBECONFIG=...`
//	testcluster down    stop the clusters and remove every trace of them
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
	"skillcenter.io/hosting/internal/testcluster"
)

var errUsage = errors.New("usage: testcluster build|check|up|down")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "testcluster:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to release
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	switch args[0] {
	case "build":
		_, err := testcluster.Build(ctx)
		return err
	case "check":
		return testcluster.Check()
	case "up":
		return up(ctx)
	case "down":
		return testcluster.Down(ctx)
	case "supervise": // how the package calls its own command
		return testcluster.Supervise(ctx, args[1:])
	default:
		return errUsage
	}
}

func up(ctx context.Context) error {
	cluster, node, err := testcluster.Up(ctx)
	if err != nil {
		return err
	}
	what := "Kubernetes is up with one node"
	if !node {
		what = "Kubernetes is up without a node, which only root can start: pods stay Pending"
	}
	fmt.Fprintf(os.Stderr, "testcluster: %s; logs in %s\n", what, cluster.Dir)
	_, err = fmt.Printf("export KUBECONFIG=%s\n", cluster.Kubeconfig)
	return err
}
