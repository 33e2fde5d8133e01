//go:build linux

package kubernetes_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

const (
	// leaseTime is the longest until another process leads after a kill,
	// leaseLook the longest that a candidate waits between two looks.
	leaseTime = 15 * time.Second
	leaseLook = 2200 * time.Millisecond
)

// envElect turns the test binary into a process that leads when it can.
const envElect = "HOSTING_TEST_ELECT"

// elect is such a process. It says when it has looked at the Lease for the first
// time, when it leads and when it no longer does, and ends with SIGTERM.
func elect() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	looked := sync.OnceFunc(func() { fmt.Println("looked") })
	c := kubernetes.DefaultConfig()
	c.Kubeconfig = os.Getenv(envKubeconfig)
	c.Regions = []kubernetes.Region{{Name: "default", Namespace: os.Getenv(envNamespace)}}
	c.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(r)
			if err == nil && strings.Contains(r.URL.Path, "/leases") {
				looked()
			}
			return response, err
		})
	}
	p, err := kubernetes.New(ctx, c)
	if err != nil {
		panic(err)
	}
	err = p.Elector("test").Lead(ctx, func(ctx context.Context) {
		fmt.Println("leads")
		<-ctx.Done()
		fmt.Println("led")
	})
	if err != nil {
		panic(err)
	}
	return 0
}

// candidate is a process that takes part in an election.
type candidate struct {
	command *exec.Cmd
	says    chan string
	errors  *strings.Builder
}

// process starts the test binary as one that a variable turns it into.
func (w *world) process(t *testing.T, variable string) *candidate {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := &candidate{command: exec.CommandContext(t.Context(), self), says: make(chan string, 100), errors: &strings.Builder{}}
	c.command.Env = append(os.Environ(), variable+"=1", envKubeconfig+"="+w.cluster.Kubeconfig, envNamespace+"="+w.namespace)
	c.command.Stderr = c.errors
	output, err := c.command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.command.Start())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(c.says)
		for lines := bufio.NewScanner(output); lines.Scan(); {
			c.says <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		_ = c.command.Process.Kill()
		<-done
		_ = c.command.Wait()
	})
	return c
}

// await returns when the process says something, and when that was.
func (c *candidate) await(t *testing.T, what string) time.Time {
	t.Helper()
	deadline := time.After(waitTime)
	for {
		select {
		case said, ok := <-c.says:
			require.True(t, ok, "it has ended: %s", c.errors)
			if said == what {
				return time.Now()
			}
		case <-deadline:
			require.Fail(t, "it never "+what)
		}
	}
}

func (c *candidate) requireSilent(t *testing.T) {
	t.Helper()
	select {
	case said, ok := <-c.says:
		require.Fail(t, "it says something", "%q %v %s", said, ok, c.errors)
	default:
	}
}

func TestAnotherProcessLeadsWhenTheLeaderIsKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.process(t, envElect)
	first.await(t, "leads")
	second := w.process(t, envElect)
	second.await(t, "looked")
	time.Sleep(2 * leaseLook) // it has seen the Lease being renewed
	second.requireSilent(t)
	require.NoError(t, first.command.Process.Kill())
	killed := time.Now()
	took := second.await(t, "leads").Sub(killed)
	t.Logf("leads %s after the kill", took)
	assert.Greater(t, took, 8*time.Second, "the Lease is respected")
	assert.Less(t, took, leaseTime)
	// One that ends as it should gives the Lease back.
	third := w.process(t, envElect)
	third.await(t, "looked")
	require.NoError(t, second.command.Process.Signal(syscall.SIGTERM))
	ended := time.Now()
	second.await(t, "led")
	took = third.await(t, "leads").Sub(ended)
	t.Logf("leads %s after a proper end", took)
	assert.Less(t, took, 8*time.Second, "it is given back")
}

// cutOff returns a provider whose requests, from a moment on, get no answer.
func (w *world) cutOff(t *testing.T) (p *kubernetes.Provider, cut func()) {
	t.Helper()
	var gone atomic.Bool
	p = w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				if gone.Load() {
					<-r.Context().Done()
					return nil, r.Context().Err()
				}
				return next.RoundTrip(r)
			})
		}
	})
	return p, func() { gone.Store(true) }
}

func TestALeaderWithoutAConnectionIsToldBeforeAnotherLeads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, cut := w.cutOff(t)
	leads, told := make(chan struct{}), make(chan time.Time, 1)
	lost := make(chan error, 1)
	go func() {
		lost <- p.Elector("test").Lead(t.Context(), func(ctx context.Context) {
			close(leads)
			<-ctx.Done()
			told <- time.Now()
		})
	}()
	<-leads
	next := make(chan time.Time, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- w.Elector("test").Lead(ctx, func(context.Context) { next <- time.Now(); cancel() })
	}()
	time.Sleep(2 * leaseLook)
	require.Empty(t, next)
	cut()
	began := time.Now()
	end, begin := <-told, <-next
	t.Logf("told %s after the cut, another leads after %s", end.Sub(began), begin.Sub(began))
	assert.True(t, end.Before(begin), "two lead for %s", end.Sub(begin))
	err := <-lost
	require.ErrorIs(t, err, hosting.Unavailable)
	assert.Contains(t, err.Error(), "Lease "+w.namespace+"/skillcenter-test-default")
	require.NoError(t, <-ended)
}

func TestTheLeaseIsHeldUntilTheLeaderHasEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var leading atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	leads := make(chan struct{})
	go func() {
		first <- w.Elector("test").Lead(ctx, func(ctx context.Context) {
			leading.Add(1)
			close(leads)
			<-ctx.Done()
			time.Sleep(leaseTime + leaseLook) // it takes its time
			leading.Add(-1)
		})
	}()
	<-leads
	cancel()
	require.NoError(t, w.provider(t, w.cluster.Config()).Elector("test").Lead(t.Context(), func(context.Context) {
		assert.EqualValues(t, 1, leading.Add(1))
	}), "who returns without being told to has not lost it")
	require.NoError(t, <-first)
}

func TestElectorsOfOtherNamesAndOwnersAreIndependent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) { c.Owner = "Somebody.Else" })
	require.NoError(t, w.Elector("a").Lead(t.Context(), func(context.Context) {
		require.NoError(t, w.Elector("b").Lead(t.Context(), func(context.Context) {
			require.NoError(t, other.Elector("a").Lead(t.Context(), func(context.Context) {}))
		}))
	}))
	leases, err := w.client.CoordinationV1().Leases(w.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "managed-by=skillcenter"})
	require.NoError(t, err)
	assert.Len(t, leases.Items, 3)
	for _, lease := range leases.Items {
		assert.Empty(t, *lease.Spec.HolderIdentity, "it is given back")
	}
}

func TestWhatCannotLeadSaysWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	never := func(context.Context) { assert.Fail(t, "it leads") }
	for _, name := range []string{"", "Not a label", strings.Repeat("a", 41)} {
		err := w.Elector(name).Lead(t.Context(), never)
		require.ErrorIs(t, err, hosting.InvalidArgument)
		assert.Contains(t, err.Error(), "name")
	}
	p := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) { c.Regions[0].Namespace = "no-such-namespace" })
	require.ErrorIs(t, p.Elector("test").Lead(t.Context(), never), hosting.NotFound)
	p = w.provider(t, w.as(t, w.namespace+"-reader", []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get"}}}))
	require.ErrorIs(t, p.Elector("test").Lead(t.Context(), never), hosting.PermissionDenied)

	// While the cluster is away it waits.
	p, cut := w.cutOff(t)
	cut()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	require.NoError(t, p.Elector("test").Lead(ctx, never))
	cancel()
	require.NoError(t, w.Elector("test").Lead(ctx, never), "it has ended already")
}
