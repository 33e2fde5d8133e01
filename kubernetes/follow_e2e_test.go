//go:build linux && e2e

package kubernetes_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

func TestAFollowerLosesNothingThroughCrashesUpdatesScalingAndDisconnects(t *testing.T) {
	t.Parallel()
	w := newLogWorld(t)
	logs := w.watchNodeLogs(t)
	cut := &cutter{least: 300 * time.Millisecond, most: 6 * time.Second}
	// From before the first pod is there.
	id := w.start(t, numbered("web", 3, "-every", "20ms", "-exit-after", "5s", "-exit-code", "1"))
	f := follow(t, w.provider(t, w.cluster.Config(), cut.install), id, hosting.LogQueryOptions{}, nil)

	f.awaitLines(t, 1)
	pause(t, 15*time.Second)
	require.NoError(t, w.UpdateResources(t.Context(), id, hosting.ResourceConfig{MemoryLimit: 48 << 20}))
	pause(t, 20*time.Second)
	require.NoError(t, w.ScaleInstance(t.Context(), id, 5))
	pause(t, 25*time.Second)

	result := settle(t, logs, f.received, time.Now())
	f.stop(t)
	runs, sources := logs.printed(t).runs, map[string]bool{}
	for _, run := range runs {
		sources[run.source] = true
	}
	t.Logf("%d runs of %d containers; %d streams cut off with an error, %d ended", len(runs), len(sources), cut.errors.Load(), cut.ends.Load())
	requireNoFault(t, result)
	// The scenario took place: an update of 3, a scale-up by 2, crashes of all.
	assert.GreaterOrEqual(t, len(sources), 8)
	assert.GreaterOrEqual(t, len(runs), 2*len(sources))
	assert.GreaterOrEqual(t, cut.errors.Load(), int64(10))
	assert.GreaterOrEqual(t, cut.ends.Load(), int64(5))
	// A gap is for what the platform no longer has. Here that can only be the
	// end of a pod that the update deleted, when it fell into a disconnect.
	assert.LessOrEqual(t, result.Gaps, 3, "a gap that nothing explains")
	assert.LessOrEqual(t, result.InGaps, result.Printed/50)
}

// A cursor is all that goes from one process to the next.
func TestAnotherProcessGoesOnAtACursor(t *testing.T) {
	t.Parallel()
	w := newLogWorld(t)
	logs := w.watchNodeLogs(t)
	id := w.start(t, numbered("web", 3, "-every", "20ms", "-exit-after", "5s", "-exit-code", "1"))

	var before []receivedLine
	var cursor string
	for round := range 5 {
		var mu sync.Mutex
		var cursors []string
		f := follow(t, w.provider(t, w.cluster.Config()), id, hosting.LogQueryOptions{After: cursor}, func(_ context.Context, entry hosting.LogEntry) {
			mu.Lock()
			defer mu.Unlock()
			cursors = append(cursors, entry.Cursor)
		})
		all := func() []receivedLine { return slices.Concat(before, f.received()) }
		if round == 4 {
			pause(t, 5*time.Second)
			result := settle(t, logs, all, time.Now())
			f.stop(t)
			requireNoFault(t, result)
			assert.Zero(t, result.Gaps)
			return
		}
		f.awaitLines(t, 300)
		f.stop(t)
		// Not the last: in the middle of what this one has seen.
		at := 200
		require.NotContains(t, cursors, "", "an entry has no cursor")
		cursor, before = cursors[at], slices.Concat(before, f.received()[:at+1])
	}
}

// What went while nobody read is not passed over in silence.
func TestAFollowerThatWasAwayFindsAGap(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		away func(t *testing.T, w *world, id string)
		args []string
		pods int
	}{
		"several restarts": {
			args: []string{"-every", "10ms", "-exit-after", "1s", "-exit-code", "1"},
			away: func(t *testing.T, w *world, _ string) {
				before := w.restarts(t)
				require.Eventually(t, func() bool { return w.restarts(t) >= before+3 }, waitTime, 200*time.Millisecond)
			},
			pods: 1,
		},
		"its pod was replaced": {
			args: []string{"-every", "10ms"},
			away: func(t *testing.T, w *world, id string) {
				require.NoError(t, w.RestartInstance(t.Context(), id))
				w.await(t, id, hosting.StatusRunning)
				require.Eventually(t, func() bool { return len(w.pods(t)) == 1 }, waitTime, 200*time.Millisecond)
			},
			pods: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newLogWorld(t)
			logs := w.watchNodeLogs(t)
			id := w.start(t, numbered("web", 1, test.args...))
			var cursor string
			first := follow(t, w.Provider, id, hosting.LogQueryOptions{}, func(_ context.Context, entry hosting.LogEntry) { cursor = entry.Cursor })
			first.awaitLines(t, 50)
			first.stop(t)
			test.away(t, w, id)
			second := follow(t, w.Provider, id, hosting.LogQueryOptions{After: cursor}, nil)
			second.awaitLines(t, 50)
			result := settle(t, logs, func() []receivedLine { return slices.Concat(first.received(), second.received()) }, time.Now())
			second.stop(t)
			requireNoFault(t, result)
			assert.Positive(t, result.InGaps)
			assert.Positive(t, result.Gaps)
			sources := map[string]bool{}
			for _, run := range logs.printed(t).runs {
				sources[run.source] = true
			}
			assert.Len(t, sources, test.pods)
		})
	}
}

func (w *world) pods(t *testing.T) []metav1.ObjectMeta {
	t.Helper()
	list, err := w.client.CoreV1().Pods(w.namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	var found []metav1.ObjectMeta
	for _, pod := range list.Items {
		found = append(found, pod.ObjectMeta)
	}
	return found
}

// restarts counts the restarts of all containers.
func (w *world) restarts(t *testing.T) int {
	t.Helper()
	list, err := w.client.CoreV1().Pods(w.namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	count := 0
	for _, pod := range list.Items {
		for _, container := range pod.Status.ContainerStatuses {
			count += int(container.RestartCount)
		}
	}
	return count
}

func TestMoreLogsThanStreamsWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	w := newLogWorld(t)
	logs := w.watchNodeLogs(t)
	open := &openLogs{}
	p := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.LogStreams = 2
		c.WrapTransport = open.wrap
	})
	id := w.start(t, numbered("web", 6, "-every", "20ms", "-max-lines", "400"))
	followers := []*follower{
		follow(t, p, id, hosting.LogQueryOptions{}, nil),
		follow(t, p, id, hosting.LogQueryOptions{}, nil),
	}
	w.await(t, id, hosting.StatusRunning)
	require.Eventually(t, func() bool {
		count := 0
		for _, run := range logs.printed(t).runs {
			count += len(run.at)
		}
		return count == 6*400
	}, waitTime, time.Second, "the pods have not printed all they should")
	for _, f := range followers {
		result := settle(t, logs, f.received, time.Now())
		f.stop(t)
		requireNoFault(t, result)
		assert.Zero(t, result.Gaps)
		assert.Equal(t, 6*400, result.Received)
	}
	// A stream that is followed may need another request to look back.
	assert.LessOrEqual(t, open.most.Load(), int64(2*2), "parallel requests for logs")
}
