//go:build linux && e2e

package kubernetes_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

// The node rotates a log of more than 1 MiB, and looks every 3 seconds.

func TestAFollowerLosesNothingSilentlyThroughBurstsAndRotation(t *testing.T) {
	t.Parallel()
	w := newLogWorld(t)
	logs := w.watchNodeLogs(t)
	id := w.start(t, numbered("web", 2, "-burst", "3000000", "-burst-every", "4s", "-line-size", "250", "-max-lines", "84000"))
	f := follow(t, w.Provider, id, hosting.LogQueryOptions{}, nil)
	f.awaitLines(t, 1)
	pause(t, 30*time.Second)
	result := settle(t, logs, f.received, time.Now())
	f.stop(t)
	requireNoFault(t, result)
	assert.Greater(t, logs.count(), 2*5, "the node has not rotated the logs")
	assert.Greater(t, result.Received, result.Printed/2)
}

// Not in parallel: it measures the memory of the whole process.
func TestASlowFollowerTakesBoundedMemoryAndFindsGaps(t *testing.T) {
	const (
		limit    = 16 << 20
		lines    = 240_000
		lineSize = 250
	)
	w := newLogWorld(t)
	logs := w.watchNodeLogs(t)
	base := liveHeap()
	id := w.start(t, numbered("web", 1, "-burst", "12000000", "-burst-every", "3s", "-line-size", "250", "-max-lines", "240000"))
	var slow atomic.Bool
	slow.Store(true)
	f := follow(t, w.Provider, id, hosting.LogQueryOptions{}, func(ctx context.Context, _ hosting.LogEntry) {
		if slow.Load() {
			select {
			case <-ctx.Done():
			case <-time.After(time.Millisecond):
			}
		}
	})
	f.awaitLines(t, 1)
	var most uint64
	for began := time.Now(); time.Since(began) < 20*time.Second; pause(t, 500*time.Millisecond) {
		most = max(most, liveHeap())
	}
	held := len(f.received())
	slow.Store(false)
	result := settle(t, logs, f.received, time.Now())
	f.stop(t)
	t.Logf("live heap: %.1f MiB at first, %.1f MiB at most, %d lines received meanwhile", mebibytes(base), mebibytes(most), held)
	requireNoFault(t, result)
	require.Greater(t, (result.Printed-held)*lineSize, 2*limit, "there was too little that could have been kept in memory")
	assert.Less(t, most, base+limit)
	assert.LessOrEqual(t, result.Printed, lines)
}

// liveHeap is how many bytes of the heap are in use, without garbage.
func liveHeap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func mebibytes(bytes uint64) float64 { return float64(bytes) / (1 << 20) }
