//go:build linux

package testcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// errLocked means that another process holds the lock.
var errLocked = errors.New("locked")

// tryLock opens the file, which it creates if need be, and takes a lock on it:
// unix.LOCK_SH or unix.LOCK_EX. Closing the file gives the lock back; so does
// the end of the process, however it ends.
func tryLock(path string, how int) (*os.File, error) {
	for {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if errors.Is(err, os.ErrNotExist) {
			continue // someone removed the folder in between
		}
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(file.Fd()), how|unix.LOCK_NB)
		if err == nil && sameFile(file, path) {
			return file, nil
		}
		_ = file.Close()
		switch {
		case err == nil: // removed before we had the lock: what we hold means nothing
		case errors.Is(err, unix.EWOULDBLOCK):
			return nil, errLocked
		default:
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
}

// lock waits for the lock as long as the context lives. It asks again and
// again, because a blocking flock could not be called off.
func lock(ctx context.Context, path string, how int) (*os.File, error) {
	for {
		file, err := tryLock(path, how)
		if !errors.Is(err, errLocked) {
			return file, err
		}
		if err := wait(ctx, pollInterval/4); err != nil {
			return nil, fmt.Errorf("wait for the lock %s: %w", path, err)
		}
	}
}

// locked reports whether a process holds the lock for itself.
func locked(path string) (bool, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	file, err := tryLock(path, unix.LOCK_SH)
	if errors.Is(err, errLocked) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, file.Close()
}

func sameFile(file *os.File, path string) bool {
	opened, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(opened, named)
}
