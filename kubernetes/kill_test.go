//go:build linux

package kubernetes_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

// The variables that turn the test binary into a process that creates an
// instance and kills itself.
const (
	envKillAfter  = "HOSTING_TEST_KILL_AFTER" // the number of the last write
	envKubeconfig = "HOSTING_TEST_KUBECONFIG"
	envNamespace  = "HOSTING_TEST_NAMESPACE"
	envConfig     = "HOSTING_TEST_CONFIG"
	envApply      = "HOSTING_TEST_APPLY" // if set, the configuration is applied
	envMount      = "HOSTING_TEST_MOUNT" // if "mount" or "unmount", that is done with a volume
)

func TestMain(m *testing.M) {
	if after := os.Getenv(envKillAfter); after != "" {
		os.Exit(createAndDie(after))
	}
	if number := os.Getenv(envProcess); number != "" {
		os.Exit(operate(number))
	}
	if os.Getenv(envElect) != "" {
		os.Exit(elect())
	}
	if os.Getenv(envAutoscale) != "" {
		os.Exit(autoscaleUntilKilled())
	}
	if progress := os.Getenv(envDocuments); progress != "" {
		panic(writeDocuments(progress))
	}
	os.Exit(m.Run())
}

// writes counts the requests that have changed something, and calls after with
// the number of each once the API server has answered it. What was refused and
// is tried again counts once: how often that happens depends on the load.
type writes struct {
	http.RoundTripper
	count atomic.Int32
	after func(n int)
}

func (w *writes) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.RoundTripper.RoundTrip(r)
	if r.Method != http.MethodGet && !r.URL.Query().Has("dryRun") && err == nil && response.StatusCode < http.StatusBadRequest {
		w.after(int(w.count.Add(1)))
	}
	return response, err
}

// createAndDie creates an instance and sends itself SIGKILL right after a
// write: nothing is flushed, cleaned up or reported.
func createAndDie(after string) int {
	last, err := strconv.Atoi(after)
	if err != nil {
		panic(err)
	}
	var config hosting.CloudHostingConfig
	if err := json.Unmarshal([]byte(os.Getenv(envConfig)), &config); err != nil {
		panic(err)
	}
	c := kubernetes.DefaultConfig()
	c.Kubeconfig = os.Getenv(envKubeconfig)
	c.Regions = []kubernetes.Region{{Name: "default", Namespace: os.Getenv(envNamespace)}}
	c.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
		return &writes{RoundTripper: next, after: func(n int) {
			if n == last {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {} // the signal is on its way
			}
		}}
	}
	p, err := kubernetes.New(context.Background(), c)
	if err != nil {
		panic(err)
	}
	if what := os.Getenv(envMount); what != "" {
		id := instanceID(config)
		if what == "mount" {
			err = p.MountVolume(context.Background(), killVolume, id, "/data", false)
		} else {
			err = p.UnmountVolume(context.Background(), killVolume, id)
		}
		if err != nil {
			panic(err)
		}
		return 0
	}
	call := p.CreateInstance
	if os.Getenv(envApply) != "" {
		call = p.ApplyInstance
	}
	if _, err := call(context.Background(), config); err != nil {
		panic(err)
	}
	return 0
}

func TestCreateKilledAfterAnyWriteIsCompletedByAnotherProcess(t *testing.T) {
	t.Parallel()
	for _, instanceType := range newWorld(t).SupportedInstanceTypes() {
		t.Run(instanceType, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			empty := w.objects(t)
			config := everything("web", instanceType)

			counter := &writes{after: func(int) {}}
			whole := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
				c.WrapTransport = func(next http.RoundTripper) http.RoundTripper { counter.RoundTripper = next; return counter }
			})
			instance, err := whole.CreateInstance(t.Context(), config)
			require.NoError(t, err)
			total := int(counter.count.Load())
			require.Greater(t, total, 4, "everything has an anchor, a Secret, a Service, an Ingress and a workload")
			complete := w.shape(t)
			w.delete(t, instance.ID)
			w.requireSameObjects(t, empty)

			for killed := 1; killed <= total; killed++ {
				w.createInProcessThatDies(t, config, killed)
				partial, err := w.GetInstance(t.Context(), instance.ID)
				require.NoError(t, err, "killed after write %d", killed)
				if killed == 1 {
					require.Equal(t, hosting.StatusCreating, partial.Status, "there is an anchor and nothing else")
				}

				again, err := w.CreateInstance(t.Context(), config)
				require.NoError(t, err, "killed after write %d", killed)
				assert.Equal(t, partial.CreatedAt, again.CreatedAt)
				assert.Equal(t, complete, w.shape(t), "killed after write %d", killed)
				w.delete(t, instance.ID)
				w.requireSameObjects(t, empty)

				// A half-made instance can be deleted as it is.
				w.createInProcessThatDies(t, config, killed)
				w.delete(t, instance.ID)
				w.requireSameObjects(t, empty)
			}
		})
	}
}

func (w *world) createInProcessThatDies(t *testing.T, config hosting.CloudHostingConfig, after int, extra ...string) {
	t.Helper()
	data, err := json.Marshal(config)
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), self)
	command.Env = append(append(os.Environ(), extra...),
		envKillAfter+"="+strconv.Itoa(after), envKubeconfig+"="+w.cluster.Kubeconfig,
		envNamespace+"="+w.namespace, envConfig+"="+string(data))
	output, err := command.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "the process should have died: %s", output)
	require.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal(), "%s", output)
}
