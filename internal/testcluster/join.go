//go:build linux

package testcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// join makes this process a user of the cluster as long as it keeps what join
// returns, starting the cluster if need be.
func join(ctx context.Context, k kind) (*Cluster, error) {
	l, err := layoutOf(k)
	if err != nil {
		return nil, err
	}
	lease, err := acquire(ctx, k, l)
	if err != nil {
		return nil, err
	}
	cluster := newCluster(l.state)
	cluster.lease = lease
	return cluster, nil
}

// acquire returns a lease of a cluster that is ready. Whoever holds a lease
// keeps the supervisor from stopping, so what it finds ready stays so.
func acquire(ctx context.Context, k kind, l layout) (*os.File, error) {
	lease, err := lock(ctx, l.lease, unix.LOCK_SH)
	if err != nil {
		return nil, err
	}
	if err := makeReady(ctx, k, l); err != nil {
		return nil, errors.Join(err, lease.Close())
	}
	return lease, nil
}

// makeReady returns when the cluster is ready, starting it if need be.
func makeReady(ctx context.Context, k kind, l layout) error {
	for {
		ready, err := locked(l.ready)
		if err != nil || ready {
			return err
		}
		alive, err := locked(l.supervisor)
		if err != nil {
			return err
		}
		if !alive {
			if err := launch(ctx, k, l); err != nil {
				return err
			}
			continue // it may have given way to another one
		}
		// A supervisor that is alive without being ready starts or stops.
		if err := wait(ctx, pollInterval); err != nil {
			return fmt.Errorf("wait for the %s cluster: %w", k, err)
		}
	}
}

// launch starts a supervisor and returns when the cluster is ready, or when
// the supervisor gives way to another one. The supervisor runs on after this
// process has ended.
func launch(ctx context.Context, k kind, l layout) error {
	if k == withNode {
		if err := Check(); err != nil {
			return err
		}
	}
	bin, err := Build(ctx)
	if err != nil {
		return err
	}
	program, err := buildSupervisor(ctx)
	if err != nil {
		return err
	}
	pid, err := spawn(program, append([]string{"supervise", string(k)}, bin.arguments()...), l.log)
	if err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	for {
		// Asked without waiting, so that no goroutine stays behind in the tests.
		var status unix.WaitStatus
		ended, err := unix.Wait4(pid, &status, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("watch the supervisor: %w", err)
		case ended == pid && status.ExitStatus() != 0:
			return fmt.Errorf("the %s cluster did not start:\n%s", k, tail(l.log, 100))
		case ended == pid:
			return nil
		}
		ready, err := locked(l.ready)
		if err != nil || ready {
			return err
		}
		if err := wait(ctx, pollInterval); err != nil {
			return fmt.Errorf("wait for the %s cluster: %w\n%s", k, err, tail(l.log, 100))
		}
	}
}

// spawn starts a program in a session of its own, away from the terminal's
// signals. Its output goes to the log file, never to ours: `go test` waits
// until everybody has closed the test's output.
func spawn(program string, args []string, log string) (pid int, err error) {
	output, err := os.OpenFile(log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, output.Close()) }()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, null.Close()) }()
	process, err := os.StartProcess(program, append([]string{program}, args...), &os.ProcAttr{
		Dir:   "/",
		Env:   os.Environ(),
		Files: []*os.File{null, output, output},
		Sys:   &unix.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, err
	}
	pid = process.Pid
	return pid, process.Release()
}

// tail returns the last lines of a log.
func tail(path string, lines int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
