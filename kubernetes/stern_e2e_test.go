//go:build linux && e2e

package kubernetes_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// sternOptions make stern print everything that the API server has and will
// have, as cheaply as it can: `raw` is its shortest template, and it has no
// limit of its own on requests or on what it prints at first.
var sternOptions = []string{
	"--output=raw", "--color=never", "--only-log-lines", "--tail=-1", "--since=48h",
	"--max-log-requests=1000", "--qps=-1",
}

// stern is a running stern.
type stern struct {
	*inbox
	command *exec.Cmd
	done    chan struct{} // closed when it has ended and its output was read
	errors  bytes.Buffer  // once done is closed
}

// startStern runs stern on the pods of an instance.
func startStern(t testing.TB, binary, kubeconfig, namespace, name string) *stern {
	t.Helper()
	s := &stern{inbox: newInbox(), done: make(chan struct{})}
	s.command = exec.Command(binary, append([]string{
		"--kubeconfig=" + kubeconfig, "--namespace=" + namespace, "--selector=skillcenter.io/name=" + name,
	}, sternOptions...)...)
	s.command.Env = append(os.Environ(), "HOME="+t.TempDir()) // no configuration of the user's
	s.command.Stderr = &s.errors
	output, err := s.command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.command.Start())
	go func() {
		defer close(s.done)
		scanner := bufio.NewScanner(output)
		scanner.Buffer(make([]byte, 64<<10), 1<<20)
		for scanner.Scan() {
			var line receivedLine
			var ok bool
			if line.run, line.number, ok = numberedLine(scanner.Text()); !ok {
				line.other = scanner.Text()
			}
			s.add(line)
		}
		_, _ = io.Copy(io.Discard, output)
		_ = s.command.Wait()
	}()
	t.Cleanup(func() {
		_ = s.command.Process.Kill() // unless it has ended
		<-s.done
	})
	return s
}

// stop ends stern and notes what it had to say.
func (s *stern) stop(t testing.TB) {
	t.Helper()
	select {
	case <-s.done:
		t.Logf("stern ended by itself, %v: %s", s.command.ProcessState, firstLines(s.errors.String(), 5))
		return
	default:
	}
	_ = s.command.Process.Signal(unix.SIGTERM) // unless it ends right now
	select {
	case <-s.done:
	case <-time.After(patience):
		_ = s.command.Process.Kill()
		<-s.done
	}
	if said := firstLines(s.errors.String(), 5); said != "" {
		t.Logf("stern said: %s", said)
	}
}

func firstLines(text string, count int) string {
	lines := strings.SplitN(strings.TrimSpace(text), "\n", count+1)
	return strings.Join(lines[:min(count, len(lines))], "\n")
}

// breakingProxy passes connections on to the API server and breaks each off
// after its life, as a network does.
func breakingProxy(t testing.TB, server string, life time.Duration) (address string) {
	t.Helper()
	target, err := url.Parse(server)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var group sync.WaitGroup
	group.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // the listener is closed
			}
			group.Go(func() { passOn(client, target.Host, life) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		group.Wait() // connections end by themselves, after their life
	})
	return "https://" + listener.Addr().String()
}

func passOn(client net.Conn, target string, life time.Duration) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	cut := time.AfterFunc(life, func() {
		client.Close()
		server.Close()
	})
	defer cut.Stop()
	var group sync.WaitGroup
	for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
		group.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			pair[0].Close()
		})
	}
	group.Wait()
}

// kubeconfigFor copies the cluster's kubeconfig with another server.
func (w *world) kubeconfigFor(t testing.TB, server string) string {
	t.Helper()
	content, err := os.ReadFile(w.cluster.Kubeconfig)
	require.NoError(t, err)
	old := w.cluster.Config().Host
	require.Contains(t, string(content), old)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(string(content), old, server)), 0o600))
	return path
}
