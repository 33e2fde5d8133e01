package boltstore_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/store"
	"skillcenter.io/hosting/provider/store/boltstore"
)

func TestANewFileIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	open(t, path)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing else is left")
}

func TestAnEmptyFileBecomesAStore(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	put(t, open(t, path), "", `1`)
}

func TestWhatIsNoStoreIsRefusedAndStaysAsItIs(t *testing.T) {
	t.Parallel()
	whole := func(t *testing.T, path string) []byte {
		s := open(t, path)
		for i := range 50 {
			_, err := s.Put(t.Context(), store.Document{Key: fmt.Sprintf("policy/default.policy.p%d", i), Data: json.RawMessage(`"` + strings.Repeat("x", 3000) + `"`)})
			require.NoError(t, err)
		}
		require.NoError(t, s.Close())
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		return data
	}
	write := func(data string) func(*testing.T, string) {
		return func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, []byte(data), 0o600)) }
	}
	database := func(fill func(*bolt.Tx) error) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			db, err := bolt.Open(path, 0o600, nil)
			require.NoError(t, err)
			require.NoError(t, db.Update(fill))
			require.NoError(t, db.Close())
		}
	}
	for name, c := range map[string]struct {
		make func(t *testing.T, path string)
		says string
	}{
		"a directory":     {func(t *testing.T, path string) { require.NoError(t, os.Mkdir(path, 0o700)) }, "directory"},
		"a short text":    {write("hello"), "no database"},
		"a text":          {write(strings.Repeat("hello ", 1000)), "no database"},
		"a long text":     {write(strings.Repeat("hello ", 100_000)), "no database"},
		"zeros":           {write(strings.Repeat("\x00", 1<<16)), "no database"},
		"a device":        {func(t *testing.T, path string) { require.NoError(t, os.Symlink(os.DevNull, path)) }, "no regular file"},
		"another program": {database(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err }), "another program"},
		"a newer layout": {database(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucket([]byte("skillcenter.io/store"))
			if err != nil {
				return err
			}
			return b.Put([]byte("layout"), []byte("2"))
		}), "newer version"},
		"half a file": {func(t *testing.T, path string) {
			data := whole(t, path)
			require.NoError(t, os.Truncate(path, int64(len(data)/2)))
		}, "cut short"},
		"two pages": {func(t *testing.T, path string) {
			whole(t, path)
			require.NoError(t, os.Truncate(path, int64(2*os.Getpagesize())))
		}, "cut short"},
		"no meta pages": {func(t *testing.T, path string) {
			data := whole(t, path)
			require.NoError(t, os.WriteFile(path, append(make([]byte, 2*os.Getpagesize()), data[2*os.Getpagesize():]...), 0o600))
		}, "no database"},
		"no pages but the meta pages": {func(t *testing.T, path string) {
			data := whole(t, path)
			require.NoError(t, os.WriteFile(path, append(data[:2*os.Getpagesize():2*os.Getpagesize()], make([]byte, len(data)-2*os.Getpagesize())...), 0o600))
		}, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			c.make(t, path)
			before, _ := os.ReadFile(path) // no text for a directory
			_, err := boltstore.Open(t.Context(), path)
			require.ErrorIs(t, err, hosting.InvalidArgument)
			assert.Equal(t, hosting.InvalidConfig, hosting.CodeOf(err))
			assert.ErrorContains(t, err, c.says)
			assert.ErrorContains(t, err, path)
			after, _ := os.ReadFile(path)
			assert.True(t, string(before) == string(after), "the file has changed")
		})
	}
}

func TestADirectoryThatIsMissingIsNotFound(t *testing.T) {
	t.Parallel()
	_, err := boltstore.Open(t.Context(), filepath.Join(t.TempDir(), "none", "documents.db"))
	require.ErrorIs(t, err, hosting.NotFound)
}

func TestAFileThatMayNotBeReadIsPermissionDenied(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	if os.Geteuid() == 0 { // root may read everything
		refused := &os.PathError{Op: "open", Path: path, Err: syscall.EACCES}
		require.ErrorIs(t, boltstore.OpenFailure(path, refused), hosting.PermissionDenied)
		return
	}
	s, err := boltstore.Open(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, os.Chmod(path, 0))
	_, err = boltstore.Open(t.Context(), path)
	require.ErrorIs(t, err, hosting.PermissionDenied)
}

func TestAFileThatIsOpenIsUnavailableAfterAWhile(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, path)
	began := time.Now()
	_, err := boltstore.Open(t.Context(), path)
	require.ErrorIs(t, err, hosting.Unavailable)
	assert.ErrorContains(t, err, "open already")
	assert.GreaterOrEqual(t, time.Since(began), boltstore.LockWait)

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began = time.Now()
	_, err = boltstore.Open(ctx, path)
	require.ErrorIs(t, err, hosting.DeadlineExceeded)
	assert.ErrorContains(t, err, "open already")
	assert.Less(t, time.Since(began), boltstore.LockWait)
	put(t, s, "", `1`) // whoever has it open does not notice
}

func TestOpenWaitsUntilTheFileIsClosed(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, path)
	d := put(t, s, "", `1`)
	opened := make(chan *boltstore.Store)
	go func() {
		next, err := boltstore.Open(context.Background(), path)
		assert.NoError(t, err)
		opened <- next
	}()
	select {
	case <-opened:
		t.Fatal("two have it open")
	case <-time.After(200 * time.Millisecond):
	}
	require.NoError(t, s.Close())
	next := <-opened
	defer func() { assert.NoError(t, next.Close()) }()
	got, err := next.Get(t.Context(), key)
	require.NoError(t, err)
	assert.Equal(t, d, got)
}

func TestSeveralThatMakeTheFileAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	for range 10 {
		path := newPath(t)
		var wait sync.WaitGroup
		for i := range 4 {
			wait.Go(func() {
				s, err := boltstore.Open(context.Background(), path)
				if !assert.NoError(t, err) {
					return
				}
				_, err = s.Put(context.Background(), store.Document{Key: fmt.Sprintf("policy/default.policy.p%d", i), Data: json.RawMessage(`1`)})
				assert.NoError(t, err)
				assert.NoError(t, s.Close())
			})
		}
		wait.Wait()
		list, err := open(t, path).List(t.Context(), "policy")
		require.NoError(t, err)
		assert.Len(t, list, 4)
	}
}

// A file that is damaged while it is in use must not end the program.
func TestAFileThatIsCutWhileItIsOpenIsAnError(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, path)
	d, err := s.Put(t.Context(), store.Document{Key: key, Data: json.RawMessage(`"` + strings.Repeat("x", store.MaxSize-2) + `"`)})
	require.NoError(t, err)
	require.NoError(t, os.Truncate(path, int64(4*os.Getpagesize())))
	_, err = s.Get(t.Context(), d.Key)
	require.ErrorIs(t, err, hosting.Internal)
	assert.ErrorContains(t, err, "damaged")
}
