package storetest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"skillcenter.io/hosting/provider/store"
	"skillcenter.io/hosting/provider/store/storetest"
)

const (
	envKillDefect = "STORETEST_KILL_DEFECT"   // for TestBrokenKilled
	envKillPath   = "STORETEST_KILL_PATH"     // turns the test binary into the process that is killed
	envProgress   = "STORETEST_KILL_PROGRESS" // where it goes on
)

func TestMain(m *testing.M) {
	if path := os.Getenv(envKillPath); path != "" {
		panic(work(path))
	}
	os.Exit(m.Run())
}

func work(path string) error {
	from, err := storetest.ParseProgress(os.Getenv(envProgress))
	if err != nil {
		return err
	}
	s, err := openFile(path, os.Getenv(envKillDefect))
	if err != nil {
		return err
	}
	return storetest.Work(context.Background(), s, os.Stdout, from)
}

// killDefects are what a durable store may do wrong, and what is said of it.
var killDefects = map[string]string{
	"acknowledges before it writes": "After one more",
	"keeps what was deleted":        "there should be no",
	"writes in two steps":           "should be",
	"writes in place":               "unexpected end of JSON input",
	"says that it is not durable":   "not durable",
}

// fileStore is a store in memory that writes all its documents to a file after
// each change.
type fileStore struct {
	*store.Memory
	path, defect string

	mu      sync.Mutex
	changes int
	deleted map[string]document
}

func openFile(path, defect string) (*fileStore, error) {
	s := &fileStore{Memory: store.NewMemory(), path: path, defect: defect, deleted: map[string]document{}}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	var list []document
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	for _, d := range list {
		d.Version = ""
		if _, putErr := s.Memory.Put(context.Background(), d); err == nil {
			err = putErr
		}
	}
	return s, err
}

func (s *fileStore) Durable() bool { return s.defect != "says that it is not durable" }

func (s *fileStore) Put(c ctx, d document) (document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.defect == "writes in two steps" {
		half := d.Clone()
		half.Data = json.RawMessage(`["half"]`)
		first, err := s.Memory.Put(c, half)
		if err != nil {
			return first, err
		}
		if err := s.save(); err != nil {
			return document{}, err
		}
		time.Sleep(2 * time.Millisecond)
		d.Version = first.Version
	}
	written, err := s.Memory.Put(c, d)
	if err == nil {
		err = s.save()
	}
	return written, err
}

func (s *fileStore) Delete(c ctx, key, version string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, _ := s.Memory.Get(c, key)
	err := s.Memory.Delete(c, key, version)
	if err == nil {
		s.deleted[key] = old
		err = s.save()
	}
	return err
}

func (s *fileStore) save() error {
	s.changes++
	if s.defect == "acknowledges before it writes" && s.changes%5 != 0 {
		return nil
	}
	list, err := s.List(context.Background(), "storetest-killed")
	if err != nil {
		return err
	}
	for key, d := range s.deleted {
		if s.defect == "keeps what was deleted" && !slices.ContainsFunc(list, func(d document) bool { return d.Key == key }) {
			list = append(list, d)
		}
	}
	data, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if s.defect == "writes in place" {
		if err := os.WriteFile(s.path, data[:len(data)/2], 0o600); err != nil {
			return err
		}
		time.Sleep(2 * time.Millisecond)
		return os.WriteFile(s.path, data, 0o600)
	}
	if err := os.WriteFile(s.path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(s.path+".new", s.path)
}

// TestBrokenKilled kills processes that use a store with the defect that the
// environment names. TestKillingFindsDefects starts it.
func TestBrokenKilled(t *testing.T) {
	defect := os.Getenv(envKillDefect)
	if _, known := killDefects[defect]; !known && defect != "none" {
		t.Skipf("%s=%q names no defect", envKillDefect, defect)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "documents.json")
	storetest.RunKilled(t, 30, func(from storetest.Progress) *exec.Cmd {
		command := exec.CommandContext(t.Context(), self)
		command.Env = append(os.Environ(), envKillPath+"="+path, envProgress+"="+from.String())
		return command
	}, func(t *testing.T) store.Store {
		s, err := openFile(path, defect)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestKillingFindsDefects(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(t *testing.T, defect string) (passed bool, output string) {
		command := exec.CommandContext(t.Context(), self, "-test.run=^TestBrokenKilled$", "-test.v", "-test.timeout=2m")
		command.Env = append(os.Environ(), envKillDefect+"="+defect)
		data, err := command.CombinedOutput()
		return err == nil, string(data)
	}
	if passed, output := run(t, "none"); !passed || !strings.Contains(output, "--- PASS: TestBrokenKilled") {
		t.Errorf("a store without defect fails: %s", tail(output))
	}
	for defect, says := range killDefects {
		if passed, output := run(t, defect); passed || !strings.Contains(output, says) {
			t.Errorf("a store that %s: passed %t, want that it fails with %q: %s", defect, passed, says, tail(output))
		}
	}
}

func TestProgressIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	want := storetest.Progress{0, 17, 2}
	if got, err := storetest.ParseProgress(want.String()); err != nil || got != want {
		t.Errorf("ParseProgress(%q) = %v, %v", want, got, err)
	}
	for _, bad := range []string{"", "1", "1 2", "a b c"} {
		if got, err := storetest.ParseProgress(bad); err == nil {
			t.Errorf("ParseProgress(%q) = %v, want an error", bad, got)
		}
	}
}
