//go:build linux

package testcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Up starts a cluster that stays until Down, with a node if this user can
// have one. Every other call starts what is missing.
func Up(ctx context.Context) (cluster *Cluster, node bool, err error) {
	k := controlPlane
	if os.Geteuid() == 0 {
		k = withNode
	}
	l, err := layoutOf(k)
	if err != nil {
		return nil, false, err
	}
	lease, err := acquire(ctx, k, l)
	if err != nil {
		return nil, false, err
	}
	// The lease ends with this process; the file does what it did.
	err = os.WriteFile(filepath.Join(l.state, keepFile), nil, 0o600)
	return newCluster(l.state), k == withNode, errors.Join(err, lease.Close())
}

// Down stops this user's clusters, whoever uses them, and removes what they
// left: all but the programs in the cache.
func Down(ctx context.Context) error {
	for _, k := range []kind{controlPlane, withNode} {
		if err := down(ctx, k); err != nil {
			return fmt.Errorf("stop the %s cluster: %w", k, err)
		}
	}
	return nil
}

func down(ctx context.Context, k kind) (err error) {
	l, err := layoutOf(k)
	if err != nil {
		return err
	}
	if _, err := os.Stat(l.run); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := stopSupervisor(l); err != nil {
		return err
	}
	stopped, err := lock(ctx, l.supervisor, unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopped.Close()) }()
	if err := removeState(ctx, k, l.state); err != nil { // of a supervisor that was killed
		return err
	}
	lease, err := tryLock(l.lease, unix.LOCK_EX)
	if errors.Is(err, errLocked) {
		return l.removeLocks(nil) // a test that goes on without its cluster
	}
	if err != nil {
		return err
	}
	return errors.Join(l.removeLocks(lease), lease.Close())
}

// stopSupervisor asks the supervisor to stop, if there is one.
func stopSupervisor(l layout) error {
	alive, err := locked(l.supervisor)
	if err != nil || !alive {
		return err
	}
	content, err := os.ReadFile(l.supervisor)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return fmt.Errorf("read the supervisor's process id: %w", err)
	}
	if err := unix.Kill(pid, unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("stop the supervisor, process %d: %w", pid, err)
	}
	return nil
}
