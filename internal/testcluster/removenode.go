//go:build linux

package testcluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Places that containerd and the network library use whatever they are told.
// Their folders are removed as long as nobody else has something there.
const (
	shimSockets = "/run/containerd/s"
	cniResults  = "/var/lib/cni/results"
)

// removeNode removes what a node left outside its state folder, once the
// components, containerd and its shims are dead. It works from what it finds,
// so it can be repeated.
func removeNode(ctx context.Context, state string) error {
	if _, err := os.Stat(filepath.Join(state, sysctlsFile)); errors.Is(err, os.ErrNotExist) {
		return nil // the node has touched nothing yet; what is there is not ours
	}
	if err := removeCgroups(ctx); err != nil { // with the pods in them
		return err
	}
	forgotten := errors.Join(removeShimSockets(state), removeNetworkResults(state))
	if err := unmountBelow(state); err != nil {
		return err // nothing must be removed through a mount
	}
	return errors.Join(forgotten, removeNetwork(ctx), removeLinks(state), restoreSysctls(state))
}

// removeShimSockets removes the sockets of the containers' shims, whose
// addresses the shims noted.
func removeShimSockets(state string) error {
	addresses, err := filepath.Glob(filepath.Join(state, "containerd/state/io.containerd.runtime.v2.task/*/*/address"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range addresses {
		address, err := os.ReadFile(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		socket := strings.TrimPrefix(string(address), "unix://")
		if filepath.Dir(socket) != shimSockets {
			continue
		}
		if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	_ = os.Remove(shimSockets)
	return errors.Join(errs...)
}

// removeNetworkResults removes the network library's notes on the pods that
// were still there.
func removeNetworkResults(state string) error {
	sandboxes, err := os.ReadDir(filepath.Join(state, "containerd/root/io.containerd.grpc.v1.cri/sandboxes"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var errs []error
	for _, sandbox := range sandboxes {
		results, err := filepath.Glob(filepath.Join(cniResults, "*-"+sandbox.Name()+"-*"))
		errs = append(errs, err)
		for _, result := range results {
			errs = append(errs, os.Remove(result))
		}
	}
	_ = os.Remove(cniResults)
	_ = os.Remove(filepath.Dir(cniResults))
	return errors.Join(errs...)
}

// unmountBelow detaches every mount in the folder, the last one first.
func unmountBelow(dir string) error {
	mounted := func() ([]string, error) {
		return mountPoints(func(path, _ string) bool { return strings.HasPrefix(path, dir+"/") })
	}
	mounts, err := mounted()
	if err != nil {
		return err
	}
	for i := len(mounts) - 1; i >= 0; i-- {
		if err := unix.Unmount(mounts[i], unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("unmount %s: %w", mounts[i], err)
		}
	}
	mounts, err = mounted()
	if err == nil && len(mounts) > 0 {
		err = fmt.Errorf("still mounted: %v", mounts)
	}
	return err
}

// removeNetwork removes the bridge and the proxy's rules. The pods' ends of
// the bridge went with the pods.
func removeNetwork(ctx context.Context) error {
	var errs []error
	if _, err := net.InterfaceByName(bridge); err == nil {
		errs = append(errs, runTool(ctx, "ip", "link", "delete", bridge))
	}
	for _, family := range []string{"ip", "ip6"} {
		if runTool(ctx, "nft", "list", "table", family, proxyTable) == nil {
			errs = append(errs, runTool(ctx, "nft", "delete", "table", family, proxyTable))
		}
	}
	return errors.Join(errs...)
}
