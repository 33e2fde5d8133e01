// Package boltstore keeps the documents of [store.Store] in a file, for one
// process at a time. A write that returned nil has reached the disk.
package boltstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/store"
)

// Store is an open file. All its methods may be called concurrently. Make one
// with [Open].
type Store struct {
	db *bolt.DB
	// writing has room for the one that writes: bbolt's own lock would not
	// look at the context of those who wait.
	writing chan struct{}
}

var _ store.Store = (*Store)(nil)

// Close waits for calls that are under way and frees the file for other
// processes. Calls that come later are Unavailable. Closing again does nothing.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return hosting.Errorf("", hosting.InvalidConfig, hosting.Internal, "closing the store: %w", err)
	}
	return nil
}

// Durable returns true.
func (*Store) Durable() bool { return true }

// Get implements [store.Store].
func (s *Store) Get(ctx context.Context, key string) (document store.Document, err error) {
	if err := store.ValidateKey(key); err != nil {
		return store.Document{}, store.Invalid(hosting.GetFailed, err)
	}
	err = s.view(ctx, func(documents *bolt.Bucket) error {
		value := documents.Get([]byte(key))
		if value == nil {
			return store.NotFound(hosting.GetFailed, key)
		}
		document, err = decode(key, value)
		return err
	})
	return document, failure(hosting.GetFailed, key, err)
}

// List implements [store.Store].
func (s *Store) List(ctx context.Context, kind string) ([]store.Document, error) {
	if err := store.ValidateKind(kind); err != nil {
		return nil, store.Invalid(hosting.ListFailed, err)
	}
	list := []store.Document{}
	err := s.view(ctx, func(documents *bolt.Bucket) error {
		failures := &multierror.Error{ErrorFormat: joinErrors}
		for key, value := range withPrefix(documents, kind+"/") {
			document, err := decode(key, value)
			if err != nil {
				failures = multierror.Append(failures, err)
				continue
			}
			list = append(list, document)
		}
		return failures.ErrorOrNil()
	})
	return list, failure(hosting.ListFailed, kind, err)
}

// Put implements [store.Store].
func (s *Store) Put(ctx context.Context, document store.Document) (store.Document, error) {
	if err := document.Validate(); err != nil {
		return store.Document{}, store.Invalid(hosting.UpdateFailed, err)
	}
	written := document.Clone()
	err := s.update(ctx, func(documents *bolt.Bucket) error {
		have, err := version(documents, document.Key)
		if err != nil {
			return err
		}
		if err := store.CheckPut(document.Key, have, document.Version); err != nil {
			return err
		}
		// The sequence is kept with the documents and never goes back.
		sequence, err := documents.NextSequence()
		if err != nil {
			return err
		}
		written.Version = strconv.FormatUint(sequence, 10)
		value, err := encode(written)
		if err != nil {
			return err
		}
		return documents.Put([]byte(document.Key), value)
	})
	if err != nil {
		return store.Document{}, failure(hosting.UpdateFailed, document.Key, err)
	}
	return written, nil
}

// Delete implements [store.Store].
func (s *Store) Delete(ctx context.Context, key, want string) error {
	if err := store.ValidateKey(key); err != nil {
		return store.Invalid(hosting.DeleteFailed, err)
	}
	err := s.update(ctx, func(documents *bolt.Bucket) error {
		have, err := version(documents, key)
		if err != nil && want != "" {
			return err
		}
		if err == nil {
			if err := store.CheckDelete(key, have, want); err != nil {
				return err
			}
		}
		return documents.Delete([]byte(key))
	})
	return failure(hosting.DeleteFailed, key, err)
}

// joinErrors prints several errors in one line.
func joinErrors(errs []error) string {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// view calls do with the documents as they are now.
func (s *Store) view(ctx context.Context, do func(documents *bolt.Bucket) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return view(s.db, func(tx *bolt.Tx) error { return do(tx.Bucket(documentsBucket)) })
}

// update calls do, whose changes are made if it returns nil, all or none.
func (s *Store) update(ctx context.Context, do func(documents *bolt.Bucket) error) error {
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return update(s.db, func(tx *bolt.Tx) error { return do(tx.Bucket(documentsBucket)) })
}

// failure makes the error to return of what went wrong. Most that can happen
// to a file, such as a full disk, somebody may mend.
func failure(code hosting.Code, what string, err error) error {
	var known *hosting.Error
	var broken *brokenError
	reason := hosting.Unavailable
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.As(err, &broken):
		reason = hosting.Internal
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		reason = hosting.ReasonOf(err)
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		err = errors.New("the store is closed")
	}
	return hosting.Errorf("", code, reason, "%w", fmt.Errorf("%s: %w", what, err))
}
