package boltstore_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/store"
	"skillcenter.io/hosting/provider/store/boltstore"
	"skillcenter.io/hosting/provider/store/storetest"
)

const key = "policy/default.policy.web"

func open(t *testing.T, path string) *boltstore.Store {
	t.Helper()
	s, err := boltstore.Open(context.Background(), path)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "documents.db") }

func put(t *testing.T, s *boltstore.Store, version, data string) store.Document {
	t.Helper()
	d, err := s.Put(t.Context(), store.Document{Key: key, Owner: "default.deployment.web", Version: version, Data: json.RawMessage(data)})
	require.NoError(t, err)
	return d
}

func TestAFilePassesTheSuite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, newPath(t)) })
}

func TestDocumentsOutliveTheStoreAndVersionsGoOn(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	var versions []string
	for range 3 {
		s := open(t, path)
		assert.True(t, s.Durable())
		d := put(t, s, "", "{ \"as\": \"given\" }\n")
		require.NotContains(t, versions, d.Version)
		versions = append(versions, d.Version)
		require.NoError(t, s.Close())

		s = open(t, path)
		got, err := s.Get(t.Context(), key)
		require.NoError(t, err)
		assert.Equal(t, d, got)
		require.NoError(t, s.Delete(t.Context(), key, d.Version))
		require.NoError(t, s.Close())
	}
}

func TestAClosedStoreIsUnavailable(t *testing.T) {
	t.Parallel()
	s := open(t, newPath(t))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "again")
	_, err := s.Get(t.Context(), key)
	assert.ErrorIs(t, err, hosting.Unavailable)
	assert.ErrorContains(t, err, "the store is closed")
	_, err = s.List(t.Context(), "policy")
	assert.ErrorIs(t, err, hosting.Unavailable)
	_, err = s.Put(t.Context(), store.Document{Key: key, Data: json.RawMessage(`1`)})
	assert.ErrorIs(t, err, hosting.Unavailable)
	assert.ErrorIs(t, s.Delete(t.Context(), key, ""), hosting.Unavailable)
}

func TestCloseWaitsForWritesUnderWay(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, path)
	var wait sync.WaitGroup
	acknowledged := make([]store.Document, 4)
	begun := make(chan struct{}, len(acknowledged))
	for i := range acknowledged {
		wait.Go(func() {
			d := store.Document{Key: fmt.Sprintf("policy/default.policy.p%d", i), Data: json.RawMessage(`1`)}
			for n := 0; ; n++ {
				written, err := s.Put(context.Background(), d)
				if err != nil {
					assert.ErrorIs(t, err, hosting.Unavailable)
					assert.ErrorContains(t, err, "the store is closed")
					return
				}
				d, acknowledged[i] = written, written
				if n == 3 {
					begun <- struct{}{}
				}
			}
		})
	}
	for range acknowledged {
		<-begun
	}
	require.NoError(t, s.Close())
	wait.Wait()
	list, err := open(t, path).List(t.Context(), "policy")
	require.NoError(t, err)
	assert.Equal(t, acknowledged, list)
}

func TestAWriterThatWaitsLooksAtItsContext(t *testing.T) {
	t.Parallel()
	s := open(t, newPath(t))
	d := put(t, s, "", `1`)
	release := boltstore.HoldWrites(s)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := s.Put(ctx, store.Document{Key: key, Version: d.Version, Data: json.RawMessage(`2`)})
	assert.ErrorIs(t, err, hosting.DeadlineExceeded)
	assert.ErrorIs(t, s.Delete(ctx, key, ""), hosting.DeadlineExceeded)
	got, err := s.Get(t.Context(), key)
	require.NoError(t, err, "readers do not wait for writers")
	assert.Equal(t, d, got)
	release()
	put(t, s, d.Version, `3`)
}

func TestABrokenDocumentDoesNotHideTheOthers(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"", "x", "\n", "{}\n1", `{"version":"1"}`, "{\"version\":\"1\"}\n", "{\"version\":\"1\"}\n{", "{\"version\":\"1\",\"owner\":\"x\"}\n1"} {
		s := open(t, newPath(t))
		d := put(t, s, "", `1`)
		const broken = "policy/default.policy.broken"
		boltstore.PutRaw(t, s, broken, value)
		list, err := s.List(t.Context(), "policy")
		assert.Equal(t, []store.Document{d}, list, "%q", value)
		assert.ErrorIs(t, err, hosting.Internal, "%q", value)
		assert.ErrorContains(t, err, broken)
		_, err = s.Get(t.Context(), broken)
		assert.ErrorIs(t, err, hosting.Internal, "%q", value)
		require.NoError(t, s.Delete(t.Context(), broken, ""), "%q can be removed", value)
		_, err = s.List(t.Context(), "policy")
		assert.NoError(t, err)
	}
}
