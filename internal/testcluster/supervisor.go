//go:build linux

package testcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const (
	// idleTime is how long a cluster without users waits for the next one: the
	// next package of a test run is on its way.
	idleTime = 10 * time.Second
	// startTime is how long a start may take before it counts as failed.
	startTime = 4 * time.Minute
)

// supervisor owns the processes of one cluster from their start to their end.
type supervisor struct {
	kind kind
	layout
	bin    Binaries
	procs  []*process
	exited chan *process

	ca     *authority
	server string // address of the API server
	admin  *rest.Config
	client kubernetes.Interface
}

// Supervise runs a cluster until nobody uses it or the context ends. It is
// what the command's hidden verb does; args are the kind of the cluster and
// the paths of the binaries.
func Supervise(ctx context.Context, args []string) (err error) {
	// The components die with the thread that started them: this one, which
	// belongs to us until the process ends.
	runtime.LockOSThread()

	if len(args) == 0 {
		return errors.New("want the kind of cluster")
	}
	bin, err := binariesFrom(args[1:])
	if err != nil {
		return err
	}
	k := kind(args[0])
	l, err := layoutOf(k)
	if err != nil {
		return err
	}
	life, err := claim(ctx, l)
	if err != nil || life == nil {
		return err
	}
	defer func() { err = errors.Join(err, life.Close()) }()

	if err := removeState(ctx, k, l.state); err != nil { // of a supervisor that was killed
		return err
	}
	s := &supervisor{kind: k, layout: l, bin: bin, exited: make(chan *process, 16)}
	lease, err := s.run(ctx)
	s.kill()
	// What is left goes even when the context has ended: that is why we stop.
	err = errors.Join(err, removeState(context.WithoutCancel(ctx), k, l.state))
	if lease != nil {
		// Nobody uses the cluster and nobody can before the lease is free, so
		// the lock files can go, too.
		err = errors.Join(err, l.removeLocks(lease), lease.Close())
	}
	return err
}

// claim makes this process the cluster's supervisor. It returns nil where
// another process is.
func claim(ctx context.Context, l layout) (*os.File, error) {
	// Somebody who looks whether the lock is held, holds it for a moment.
	patience, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	life, err := lock(patience, l.supervisor, unix.LOCK_EX)
	if err != nil {
		if patience.Err() != nil && ctx.Err() == nil {
			return nil, nil
		}
		return nil, err
	}
	if err := introduce(life, l.log); err != nil {
		return nil, errors.Join(err, life.Close())
	}
	return life, nil
}

// introduce notes who the supervisor is and forgets what the one before it
// said.
func introduce(life *os.File, log string) error {
	if err := life.Truncate(0); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(life, os.Getpid()); err != nil {
		return err
	}
	if err := os.Truncate(log, 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// run starts the cluster and serves it. It returns the lease, locked against
// every user, if it stopped because there were none.
func (s *supervisor) run(ctx context.Context) (lease *os.File, err error) {
	starting, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := s.start(starting); err != nil {
		return nil, err
	}
	ready, err := lock(ctx, s.ready, unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ready.Close()) }()
	return s.serve(ctx)
}

func (s *supervisor) start(ctx context.Context) error {
	if s.kind == withNode {
		if err := refuseOthers(ctx); err != nil {
			return err
		}
	}
	for _, dir := range []string{logsDir, pkiDir} {
		if err := os.MkdirAll(filepath.Join(s.state, dir), 0o700); err != nil {
			return err
		}
	}
	if err := s.startControlPlane(ctx); err != nil {
		return err
	}
	if s.kind == withNode {
		return s.startNode(ctx)
	}
	return nil
}

// serve waits for a reason to stop: the context, a component that ended, or
// that nobody has used the cluster for a while.
func (s *supervisor) serve(ctx context.Context) (lease *os.File, err error) {
	ticker := time.NewTicker(idleTime / 20)
	defer ticker.Stop()
	used := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil, nil
		case p := <-s.exited:
			return nil, p.failure()
		case <-ticker.C:
		}
		if _, err := os.Stat(filepath.Join(s.state, keepFile)); err == nil {
			used = time.Now()
			continue
		}
		lease, err := tryLock(s.lease, unix.LOCK_EX)
		switch {
		case errors.Is(err, errLocked):
			used = time.Now()
		case err != nil:
			return nil, err
		case time.Since(used) >= idleTime:
			return lease, nil
		default:
			if err := lease.Close(); err != nil {
				return nil, err
			}
		}
	}
}

// launch starts a component.
func (s *supervisor) launch(name string, argv ...string) error {
	p, err := startProcess(s.state, name, argv, s.exited)
	if err != nil {
		return err
	}
	s.procs = append(s.procs, p)
	return nil
}

// await polls until the component does what it is for. It gives up when any
// component ends.
func (s *supervisor) await(ctx context.Context, component, what string, check func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err := poll(ctx, what, func(ctx context.Context) error {
		select {
		case p := <-s.exited:
			cancel(p.failure())
		default:
		}
		return check(ctx)
	})
	if err != nil {
		return fmt.Errorf("%w\nthe end of the log of %s:\n%s", err, component,
			tail(filepath.Join(s.state, logsDir, component+".log"), 40))
	}
	return nil
}

// kill ends every component, the last one first.
func (s *supervisor) kill() {
	for i := len(s.procs) - 1; i >= 0; i-- {
		s.procs[i].kill()
	}
}

// removeLocks removes what lies beside the state folder, on behalf of the one
// who has locked the supervisor's file. The lease file goes only with its lock:
// a user must not be left with a lease of a file that nobody finds.
func (l layout) removeLocks(lease *os.File) error {
	paths := []string{l.ready, l.log, l.supervisor}
	if lease != nil {
		paths = append(paths, l.lease)
	}
	var errs []error
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	_ = os.Remove(l.run) // stays while the other kind of cluster is there
	return errors.Join(errs...)
}
