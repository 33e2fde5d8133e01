package boltstore_test

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting/provider/store"
	"skillcenter.io/hosting/provider/store/boltstore"
	"skillcenter.io/hosting/provider/store/storetest"
)

// The variables that turn the test binary into a process that writes documents
// until it is killed.
const (
	envPath     = "HOSTING_TEST_STORE"
	envProgress = "HOSTING_TEST_PROGRESS"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(envPath); path != "" {
		panic(work(path))
	}
	os.Exit(m.Run())
}

func work(path string) error {
	from, err := storetest.ParseProgress(os.Getenv(envProgress))
	if err != nil {
		return err
	}
	s, err := boltstore.Open(context.Background(), path)
	if err != nil {
		return err
	}
	return storetest.Work(context.Background(), s, os.Stdout, from)
}

// The first process is killed with a file that it has made itself.
func TestNothingAcknowledgedIsLostWhenTheProcessIsKilled(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	path := newPath(t)
	storetest.RunKilled(t, 60, func(from storetest.Progress) *exec.Cmd {
		command := exec.CommandContext(t.Context(), self)
		command.Env = append(os.Environ(), envPath+"="+path, envProgress+"="+from.String())
		return command
	}, func(t *testing.T) store.Store { return open(t, path) })
}
