package boltstore

import (
	"testing"

	bolt "go.etcd.io/bbolt"
)

// OpenFailure makes the error of Open.
var OpenFailure = openFailure

// HoldWrites keeps others from writing until the function that it returns is
// called.
func HoldWrites(s *Store) (release func()) {
	s.writing <- struct{}{}
	return func() { <-s.writing }
}

// PutRaw writes what no store would write.
func PutRaw(t *testing.T, s *Store, key, value string) {
	t.Helper()
	err := s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(documentsBucket).Put([]byte(key), []byte(value)) })
	if err != nil {
		t.Fatal(err)
	}
}
