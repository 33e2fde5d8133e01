//go:build linux

package testcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// removeState ends every process of a cluster that its supervisor no longer
// looks after, and removes all that the cluster left on the machine. It does
// nothing where there is no state folder.
func removeState(ctx context.Context, k kind, state string) error {
	if _, err := os.Stat(state); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := killMarked(ctx, state); err != nil {
		return err
	}
	if k == withNode {
		if err := removeNode(ctx, state); err != nil {
			return fmt.Errorf("remove the node: %w", err)
		}
	}
	return os.RemoveAll(state)
}

// killMarked ends the processes that carry the cluster's marker.
func killMarked(ctx context.Context, state string) error {
	return poll(ctx, "leftover processes to end", func(context.Context) error {
		pids, err := marked(state)
		if err != nil || len(pids) == 0 {
			return err
		}
		return errors.Join(killAll(pids), fmt.Errorf("processes %v still run", pids))
	})
}

// marked lists the processes whose environment names the state folder.
func marked(state string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// Unreadable: another user's or gone. Empty: it has ended, or belongs
		// to the kernel.
		environment, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		for variable := range bytes.SplitSeq(environment, []byte{0}) {
			if string(variable) == marker+state {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids, nil
}

func killAll(pids []int) error {
	var errs []error
	for _, pid := range pids {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
			errs = append(errs, fmt.Errorf("kill process %d: %w", pid, err))
		}
	}
	return errors.Join(errs...)
}
