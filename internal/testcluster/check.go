//go:build linux

package testcluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// cniDir is where Debian puts the network plugins.
const cniDir = "/usr/lib/cni"

// requirements are the programs a node needs and the Debian packages they are
// in. A program with a slash is at that very place.
var requirements = []struct{ program, pkg string }{
	{"containerd", "containerd"},
	{"ctr", "containerd"},
	{"runc", "runc"},
	{filepath.Join(cniDir, "bridge"), "containernetworking-plugins"},
	{filepath.Join(cniDir, "host-local"), "containernetworking-plugins"},
	{filepath.Join(cniDir, "loopback"), "containernetworking-plugins"},
	{"ip", "iproute2"},
	{"iptables", "iptables"},
	{"nft", "nftables"},
	{"conntrack", "conntrack"},
}

// Check says what is missing for a cluster with a node, and how to get it.
func Check() error {
	var missing, packages []string
	for _, r := range requirements {
		if installed(r.program) {
			continue
		}
		missing = append(missing, r.program)
		if len(packages) == 0 || packages[len(packages)-1] != r.pkg {
			packages = append(packages, r.pkg)
		}
	}
	var errs []error
	if os.Geteuid() != 0 {
		errs = append(errs, errors.New("a cluster with a node needs root"))
	}
	if len(missing) > 0 {
		errs = append(errs, fmt.Errorf("missing: %s\nget them with: apt-get install -y %s",
			strings.Join(missing, ", "), strings.Join(packages, " ")))
	}
	return errors.Join(errs...)
}

// installed also looks where ordinary users' paths do not lead.
func installed(program string) bool {
	for _, name := range []string{program, filepath.Join("/usr/sbin", program), filepath.Join("/sbin", program)} {
		if _, err := exec.LookPath(name); err == nil {
			return true
		}
	}
	return false
}
