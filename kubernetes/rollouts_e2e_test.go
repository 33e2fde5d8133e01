//go:build linux && e2e

package kubernetes_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/testcluster"
	"skillcenter.io/hosting/kubernetes"
)

func TestARolloutThatNeverBecomesReadyIsNeverReportedRunningAndHeals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change  func(*hosting.CloudHostingConfig)
		reasons []string
		says    string
	}{
		"an image that cannot be pulled": {
			change:  func(c *hosting.CloudHostingConfig) { c.Container.Image = "skillcenter.io/test/missing:v1" },
			reasons: []string{"ErrImagePull", "ImagePullBackOff"}, says: "missing:v1",
		},
		"a crash": {
			change: func(c *hosting.CloudHostingConfig) {
				c.Container.Args = []string{"-lines", "1", "-no-server", "-exit-after", "1s", "-exit-code", "3"}
			},
			reasons: []string{"Crashed", "CrashLoopBackOff"}, says: "it wrote last:\nline 1",
		},
		"a health check that never passes": {
			change:  func(c *hosting.CloudHostingConfig) { c.Env = map[string]string{"UNHEALTHY": "1"} },
			reasons: []string{"ProgressDeadlineExceeded"}, says: "Readiness probe failed",
		},
		"more than the node has": {
			change:  func(c *hosting.CloudHostingConfig) { c.Resources = &hosting.ResourceConfig{CPURequest: 1000} },
			reasons: []string{"Unschedulable"}, says: "Insufficient cpu",
		},
	} {
		for _, instanceType := range []string{hosting.TypeDeployment, hosting.TypeStatefulSet, hosting.TypeDaemonSet} {
			t.Run(name+"/"+instanceType, func(t *testing.T) {
				t.Parallel()
				w := newWorldOn(t, testcluster.StartWithNode(t), smallPods, func(c *kubernetes.Config) { c.Defaults.ProgressDeadline = 10 * time.Second })
				good := serving("web")
				good.InstanceType = instanceType
				checked(&good)
				if instanceType != hosting.TypeDaemonSet {
					good.Scaling = &hosting.ScaleConfig{MinReplicas: 2}
				}
				instance := w.run(t, good)
				live, cached := watchAll(t, w), cachedWatch(t, w)
				live.requireSynced(t)
				cached.requireSynced(t)

				bad := good
				container := *good.Container
				bad.Container = &container
				test.change(&bad)
				applied, err := hosting.ApplyInstance(t.Context(), w, bad)
				require.NoError(t, err)
				require.NotEqual(t, hosting.StatusRunning, applied.Status, "right after the change")
				w.requireNeverRunning(t, instance.ID, test.reasons, test.says)
				live.requireNotRunningAgain(t, instance.ID)
				cached.requireNotRunningAgain(t, instance.ID)

				// A broken revision must not be in the way of the next one.
				_, err = hosting.ApplyInstance(t.Context(), w, good)
				require.NoError(t, err)
				w.await(t, instance.ID, hosting.StatusRunning)
			})
		}
	}
}

// cachedWatch watches with the memory of another provider, which waits for no
// write of this one.
func cachedWatch(t *testing.T, w *world) *watching {
	t.Helper()
	p, _ := w.cachedProvider(t)
	return watchAll(t, p)
}

// requireNotRunningAgain requires that an instance has been told not to be
// running, and never to be running after that.
func (f *watching) requireNotRunningAgain(t *testing.T, id string) {
	t.Helper()
	changed := false
	for _, change := range f.told() {
		if change.Instance.ID == id {
			changed = changed || change.Instance.Status != hosting.StatusRunning
			require.False(t, changed && change.Instance.Status == hosting.StatusRunning, "%v", change.Instance.Metadata)
		}
	}
	require.True(t, changed)
}

// requireNeverRunning looks at an instance until it tells what is wrong, and a
// while longer: it must not be running at any of the looks.
func (w *world) requireNeverRunning(t *testing.T, id string, reasons []string, says string) {
	t.Helper()
	var told time.Time
	for deadline := time.Now().Add(waitTime); told.IsZero() || time.Since(told) < 8*time.Second; time.Sleep(100 * time.Millisecond) {
		now, err := w.GetInstance(t.Context(), id)
		require.NoError(t, err)
		require.NotEqual(t, hosting.StatusRunning, now.Status)
		require.True(t, time.Now().Before(deadline), "it says %s %v", now.Status, now.Metadata)
		bad := now.Status == hosting.StatusFailed || now.Status == hosting.StatusDegraded
		if told.IsZero() && bad && containsAll(now.Metadata[hosting.MetadataMessage], []string{says}) {
			assert.Contains(t, reasons, now.Metadata[hosting.MetadataReason])
			told = time.Now()
			t.Logf("%s: %v", now.Status, now.Metadata)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := hosting.WaitForStatus(ctx, w, id, hosting.WaitOptions{FailureGrace: time.Minute}, hosting.StatusRunning)
	require.Error(t, err)
	// A container that crashes may run at this very moment.
	said := slices.ContainsFunc(append(slices.Clone(reasons), "ProgressDeadlineExceeded"), func(reason string) bool { return strings.Contains(err.Error(), reason) })
	assert.True(t, said, "%v says why", err)
}
