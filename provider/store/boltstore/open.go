package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"skillcenter.io/hosting"
)

// LockWait is how long [Open] waits for another process to close the file.
const LockWait = 5 * time.Second

// lockPoll is the time between two tries.
const lockPoll = 50 * time.Millisecond

// What a file holds: the documents, and by which layout they are kept. A reader
// refuses what is newer than itself.
var (
	documentsBucket = []byte("documents")
	layoutBucket    = []byte("skillcenter.io/store")
	layoutKey       = []byte("layout")
	layout          = []byte("1")
)

// Open opens the file at path, which one process can have open at a time; the
// calling process must open it once, too. A file that does not exist is made,
// with mode 0600; its directory must exist. Close the store when nobody uses it
// any more.
//
// The error, of type [*hosting.Error] with code InvalidConfig, has reason
//   - Unavailable if another process still has the file open after [LockWait];
//     a context that ends earlier goes before that;
//   - InvalidArgument if it is a directory, no database, the database of
//     another program or of a newer version, or cut short; the file stays as
//     it is;
//   - NotFound if the directory does not exist, PermissionDenied if the file
//     may not be read and written.
func Open(ctx context.Context, path string) (*Store, error) {
	db, err := open(ctx, path)
	if err != nil {
		return nil, openFailure(path, err)
	}
	return &Store{db: db, writing: make(chan struct{}, 1)}, nil
}

// refusal tells that a file is not one of ours.
type refusal string

func (r refusal) Error() string { return string(r) }

func openFailure(path string, err error) error {
	reason := hosting.Unavailable
	var refused refusal
	var damaged *brokenError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		reason = hosting.ReasonOf(err)
	case errors.As(err, &refused), errors.As(err, &damaged):
		reason = hosting.InvalidArgument
	case errors.Is(err, fs.ErrNotExist):
		reason = hosting.NotFound
	case errors.Is(err, fs.ErrPermission):
		reason = hosting.PermissionDenied
	}
	return hosting.Errorf("", hosting.InvalidConfig, reason, "store file %s: %w", path, err)
}

func open(ctx context.Context, path string) (*bolt.DB, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := create(ctx, path); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, refusal("it is a directory; allowed: a file")
	case !info.Mode().IsRegular():
		return nil, refusal(fmt.Sprintf("it is no regular file but %s; allowed: a file", info.Mode().Type()))
	case info.Size() > 0:
		if err := inspect(ctx, path); err != nil {
			return nil, err
		}
	}
	db, err := lock(ctx, path, false)
	if err != nil {
		return nil, err
	}
	// A file that was empty has no layout yet.
	if err := update(db, setUp); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// create makes a file. It gets its name when it is whole, so that a process
// which dies meanwhile leaves none that cannot be opened.
func create(ctx context.Context, path string) error {
	directory := filepath.Dir(path)
	file, err := os.CreateTemp(directory, "."+filepath.Base(path)+".new-") // with mode 0600
	if err != nil {
		// The error of the whole names the path that was asked for.
		var of *fs.PathError
		if errors.As(err, &of) {
			err = of.Err
		}
		return fmt.Errorf("its directory: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }() // the name that it was made under
	if err := file.Close(); err != nil {
		return err
	}
	db, err := lock(ctx, file.Name(), false)
	if err != nil {
		return err
	}
	if err := errors.Join(update(db, setUp), db.Close()); err != nil {
		return err
	}
	// Unlike a rename it replaces nothing: another process may be as far. Where
	// the file system has no links, opening the file makes it.
	_ = os.Link(file.Name(), path)
	return syncDirectory(directory)
}

// syncDirectory makes a new name outlive a power failure.
func syncDirectory(path string) error {
	if runtime.GOOS == "windows" {
		return nil // it cannot be asked to
	}
	directory, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

// inspect looks whether a file is one of ours and as long as it says. It changes
// nothing, unlike opening it for writing; and what is read beyond the end of a
// mapped file ends the process.
func inspect(ctx context.Context, path string) error {
	db, err := lock(ctx, path, true)
	if err != nil {
		return err
	}
	return errors.Join(view(db, func(tx *bolt.Tx) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.Size() < tx.Size() {
			return refusal(fmt.Sprintf("it is cut short: it has %d bytes and should have %d", info.Size(), tx.Size()))
		}
		return checkLayout(tx)
	}), db.Close())
}

// checkLayout tells whether a database is ours. One without anything in it may
// become it.
func checkLayout(tx *bolt.Tx) error {
	about := tx.Bucket(layoutBucket)
	if about == nil {
		if first, _ := tx.Cursor().First(); first != nil {
			return refusal("it is the database of another program")
		}
		return nil
	}
	if have := about.Get(layoutKey); string(have) != string(layout) {
		return refusal(fmt.Sprintf("it was written by a newer version: layout %.20q, this one reads %s", have, layout))
	}
	if tx.Bucket(documentsBucket) == nil {
		return refusal("it has no documents")
	}
	return nil
}

// setUp gives an empty database the layout.
func setUp(tx *bolt.Tx) error {
	if err := checkLayout(tx); err != nil || tx.Bucket(layoutBucket) != nil {
		return err
	}
	about, err := tx.CreateBucket(layoutBucket)
	if err != nil {
		return err
	}
	if _, err := tx.CreateBucket(documentsBucket); err != nil {
		return err
	}
	return about.Put(layoutKey, layout)
}

// lock opens the file of a database, and waits while another process has it.
func lock(ctx context.Context, path string, readOnly bool) (*bolt.DB, error) {
	deadline := time.Now().Add(LockWait)
	for {
		// With such a short timeout it tries once, so that the wait is ours and
		// looks at the context.
		var db *bolt.DB
		err := guard(func() (err error) {
			db, err = bolt.Open(path, 0o600, &bolt.Options{Timeout: 1, ReadOnly: readOnly})
			return err
		})
		var system syscall.Errno
		switch {
		case err == nil:
			return db, nil
		case errors.As(err, &system):
			return nil, err
		case !errors.Is(err, bolterrors.ErrTimeout):
			return nil, refusal(fmt.Sprintf("it is no database, or damaged: %v", err))
		case time.Now().After(deadline):
			return nil, fmt.Errorf("it is open already, in another process or in this one, and was not closed for %s; close it, or use another file", LockWait)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("it is open already, in another process or in this one: %w", ctx.Err())
		case <-time.After(lockPoll):
		}
	}
}
