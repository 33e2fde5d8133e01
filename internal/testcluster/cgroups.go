//go:build linux

package testcluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// createCgroups makes the cgroup above the pods, in each hierarchy of version
// 1 or in the one of version 2. The kubelet wants it to exist.
func (s *supervisor) createCgroups(context.Context) error {
	mounts, err := mountPoints(isCgroup)
	if err != nil {
		return err
	}
	for _, mount := range mounts {
		// In version 2, a parent must hand its controllers down. Each for
		// itself: not every kernel has them all.
		for _, controller := range []string{"cpu", "cpuset", "hugetlb", "io", "memory", "pids"} {
			_ = os.WriteFile(filepath.Join(mount, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
		}
		if err := os.MkdirAll(filepath.Join(mount, cgroupRoot), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// removeCgroups ends all that runs below the cluster's cgroups and removes
// them.
func removeCgroups(ctx context.Context) error {
	mounts, err := mountPoints(isCgroup)
	if err != nil {
		return err
	}
	for _, mount := range mounts {
		root := filepath.Join(mount, cgroupRoot)
		// Ending processes leave their cgroup a moment after the signal.
		if err := poll(ctx, "the pods to end", func(context.Context) error {
			return removeCgroup(root)
		}); err != nil {
			return err
		}
	}
	return nil
}

func removeCgroup(root string) error {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err == nil && d.IsDir():
			dirs = append(dirs, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range slices.Backward(dirs) { // children before parents
		pids, err := processesIn(dir)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, killAll(pids))
		if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func processesIn(cgroup string) ([]int, error) {
	content, err := os.ReadFile(filepath.Join(cgroup, "cgroup.procs"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var pids []int
	for field := range strings.FieldsSeq(string(content)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("read the processes of %s: %w", cgroup, err)
		}
		if pid > 0 { // 0 is a process of another pid namespace, and kill(0) would be us
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

func isCgroup(_, fstype string) bool { return fstype == "cgroup" || fstype == "cgroup2" }

// mountPoints lists the mounts that are wanted, in the order they were made.
func mountPoints(wanted func(path, fstype string) bool) (paths []string, err error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	for lines := bufio.NewScanner(file); ; {
		if !lines.Scan() {
			return paths, lines.Err()
		}
		// ID PARENT MAJOR:MINOR ROOT PATH OPTIONS... - FSTYPE SOURCE OPTIONS
		fields := strings.Fields(lines.Text())
		dash := slices.Index(fields, "-")
		if dash < 5 || len(fields) < dash+2 {
			continue
		}
		path := mountEscapes.Replace(fields[4])
		if wanted(path, fields[dash+1]) {
			paths = append(paths, path)
		}
	}
}

// mountEscapes are how the kernel writes what would break a line into fields.
var mountEscapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
