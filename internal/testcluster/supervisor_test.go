//go:build linux

package testcluster

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// ownCluster gives the test a cluster folder that nobody shares, with the
// programs of the usual cache.
func ownCluster(t *testing.T) layout {
	t.Helper()
	if testing.Short() {
		t.Skip("a real Kubernetes takes too long for -short")
	}
	usual, err := cacheDir()
	require.NoError(t, err)
	goCache, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE").Output()
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(usual, "bin"), 0o700))

	t.Setenv("GOCACHE", strings.TrimSpace(string(goCache)))
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	own, err := cacheDir()
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(own, 0o700))
	require.NoError(t, os.Symlink(filepath.Join(usual, "bin"), filepath.Join(own, "bin")))
	l, err := layoutOf(controlPlane)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, Down(context.Background())) })
	return l
}

func processesOf(t *testing.T, l layout) []int {
	t.Helper()
	pids, err := marked(l.state)
	require.NoError(t, err)
	return pids
}

func supervisorOf(t *testing.T, l layout) int {
	t.Helper()
	content, err := os.ReadFile(l.supervisor)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	require.NoError(t, err)
	return pid
}

func TestAClusterWithoutUsersStopsAndLeavesNothing(t *testing.T) {
	l := ownCluster(t)
	lease, err := acquire(t.Context(), controlPlane, l)
	require.NoError(t, err)
	require.Len(t, processesOf(t, l), 4)

	require.NoError(t, lease.Close()) // as the end of the process would
	require.Eventually(t, func() bool {
		_, err := os.Stat(l.run)
		return errors.Is(err, os.ErrNotExist)
	}, time.Minute, pollInterval)
	require.Empty(t, processesOf(t, l))
}

func TestTheNextStartReplacesAKilledSupervisor(t *testing.T) {
	l := ownCluster(t)
	lease, err := acquire(t.Context(), controlPlane, l)
	require.NoError(t, err)
	first := supervisorOf(t, l)

	require.NoError(t, unix.Kill(first, unix.SIGKILL))
	require.Eventually(t, func() bool { return len(processesOf(t, l)) == 0 }, time.Minute, pollInterval,
		"the components end with their supervisor")
	// They end with its first thread, its locks with its last one.
	require.Eventually(t, func() bool {
		ready, err := locked(l.ready)
		alive, err2 := locked(l.supervisor)
		return err == nil && err2 == nil && !ready && !alive
	}, time.Minute, pollInterval)

	second, err := acquire(t.Context(), controlPlane, l)
	require.NoError(t, err)
	require.NotEqual(t, first, supervisorOf(t, l))
	require.Len(t, processesOf(t, l), 4)
	require.NoError(t, lease.Close())
	require.NoError(t, second.Close())
}

func TestDownStopsAClusterThatIsInUse(t *testing.T) {
	l := ownCluster(t)
	lease, err := acquire(t.Context(), controlPlane, l)
	require.NoError(t, err)

	require.NoError(t, Down(t.Context()))
	require.Empty(t, processesOf(t, l))
	require.NoDirExists(t, l.state)
	require.FileExists(t, l.lease, "the user must find the lease it holds")
	require.NoError(t, lease.Close())
}

func TestAFailedStartSaysWhichComponentFailedAndItsLastWords(t *testing.T) {
	l := ownCluster(t)
	program := filepath.Join(t.TempDir(), "broken")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\necho the disk is on fire\nexit 3\n"), 0o700))

	err := Supervise(t.Context(), append([]string{string(controlPlane)}, Binaries{Kubernetes: program}.arguments()...))
	// etcd is started first, but either may be the first to end.
	require.Regexp(t, "(etcd|kube-apiserver) ended: exit status 3", err)
	require.ErrorContains(t, err, "the disk is on fire")
	require.NoDirExists(t, l.state)
}
