//go:build linux

package testcluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// What a node changes on the machine outside its state folder, and how to
// undo it.

const sysctlsFile = "sysctls.json"

// sysctls are the kernel settings that the kubelet and the network plugins
// change.
var sysctls = []string{
	"kernel/keys/root_maxbytes",
	"kernel/keys/root_maxkeys",
	"kernel/panic",
	"kernel/panic_on_oops",
	"net/ipv4/ip_forward",
	"vm/overcommit_memory",
	"vm/panic_on_oom",
}

func (s *supervisor) rememberSysctls(context.Context) error {
	values := map[string]string{}
	for _, name := range sysctls {
		value, err := os.ReadFile(filepath.Join("/proc/sys", name))
		if err != nil {
			continue // the kernel has no such setting
		}
		values[name] = string(value)
	}
	content, err := json.Marshal(values)
	if err != nil {
		return err
	}
	return os.WriteFile(s.path(sysctlsFile), content, 0o600)
}

func restoreSysctls(state string) error {
	content, err := os.ReadFile(filepath.Join(state, sysctlsFile))
	if err != nil {
		return err
	}
	values := map[string]string{}
	if err := json.Unmarshal(content, &values); err != nil {
		return err
	}
	var errs []error
	for name, value := range values {
		path := filepath.Join("/proc/sys", name)
		if now, err := os.ReadFile(path); err == nil && string(now) == value {
			continue
		}
		errs = append(errs, os.WriteFile(path, []byte(value), 0o644))
	}
	return errors.Join(errs...)
}

// links are places on the machine that a component insists on, and what they
// lead to in the state folder.
func links(state string) map[string]string {
	return map[string]string{
		// cAdvisor, in the kubelet, asks containerd for the pods' networks.
		"/run/containerd/containerd.sock": containerdSocket(state),
		// The host-path provisioner makes the volumes.
		"/tmp/hostpath_pv": filepath.Join(state, "volumes"),
		// The kubelet listens there for device plugins.
		"/var/lib/kubelet/device-plugins": filepath.Join(state, "device-plugins"),
	}
}

// createLinks leaves alone what is there: with another containerd on the
// machine, pods just have no network figures.
func (s *supervisor) createLinks(context.Context) error {
	for _, dir := range []string{"volumes", "device-plugins"} {
		if err := os.MkdirAll(s.path(dir), 0o755); err != nil {
			return err
		}
	}
	for place, target := range links(s.state) {
		if err := os.MkdirAll(filepath.Dir(place), 0o711); err != nil {
			return err
		}
		err := os.Symlink(target, place)
		if errors.Is(err, os.ErrExist) {
			fmt.Fprintf(os.Stderr, "testcluster: %s is in use; doing without\n", place)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func removeLinks(state string) error {
	var errs []error
	for place, target := range links(state) {
		if found, err := os.Readlink(place); err == nil && found == target {
			errs = append(errs, os.Remove(place))
		}
		// The folder goes unless somebody else has something there.
		_ = os.Remove(filepath.Dir(place))
	}
	// The kubelet's links to the logs of the pods.
	const containerLogs = "/var/log/containers"
	entries, _ := os.ReadDir(containerLogs)
	for _, e := range entries {
		place := filepath.Join(containerLogs, e.Name())
		if found, err := os.Readlink(place); err == nil && strings.HasPrefix(found, state+"/") {
			errs = append(errs, os.Remove(place))
		}
	}
	_ = os.Remove(containerLogs) // likewise
	return errors.Join(errs...)
}
