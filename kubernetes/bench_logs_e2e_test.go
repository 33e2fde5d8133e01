//go:build linux && e2e

package kubernetes_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/testcluster"
)

// BenchmarkLogsBesideStern follows the same pods with StreamLogs and with stern
// and prints what became of the lines. It is run by `make bench-logs`;
// docs/logs.md has its results. The followers run at the same time, except
// where it is about speed alone: there they take turns.
func BenchmarkLogsBesideStern(b *testing.B) {
	binary, version, err := testcluster.BuildStern(b.Context())
	require.NoError(b, err)
	var table strings.Builder
	fmt.Fprintf(&table, "stern %s, options %s\n\n", version, strings.Join(sternOptions, " "))
	fmt.Fprintln(&table, "| Scenario | Follower | Printed | Lost | Inside gaps | Gaps | Repeated | Out of order | Lines/s |")
	fmt.Fprintln(&table, "|---|---|--:|--:|--:|--:|--:|--:|--:|")
	row := func(scenario, follower string, a account, span time.Duration) {
		rate := float64(a.Received) / max(span.Seconds(), 1e-3)
		fmt.Fprintf(&table, "| %s | %s | %d | %d | %d | %d | %d | %d | %.0f |\n",
			scenario, follower, a.Printed, a.Lost, a.InGaps, a.Gaps, a.Repeated, a.Reordered, rate)
	}
	for _, scenario := range []struct {
		name string
		// life is how long a connection to the API server holds; 0 is for ever.
		life   time.Duration
		length time.Duration
		config hosting.CloudHostingConfig
		during func(b *testing.B, w *world, id string)
	}{
		{
			name: "crashes, rolling update", length: time.Minute, during: rollAndWait,
			config: numbered("web", 3, "-every", "10ms", "-exit-after", "4s", "-exit-code", "1"),
		},
		{
			name: "crashes, rolling update, disconnects", length: time.Minute, life: 5 * time.Second, during: rollAndWait,
			config: numbered("web", 3, "-every", "10ms", "-exit-after", "4s", "-exit-code", "1"),
		},
		{
			name: "bursts, rotation", length: 30 * time.Second,
			config: numbered("web", 3, "-burst", "3000000", "-burst-every", "5s", "-line-size", "250", "-max-lines", "72000"),
		},
	} {
		b.Run(strings.ReplaceAll(scenario.name, ",", ""), func(b *testing.B) {
			for range b.N {
				w := newLogWorld(b)
				logs := w.watchNodeLogs(b)
				kubeconfig, config := w.cluster.Kubeconfig, w.cluster.Config()
				if scenario.life > 0 {
					config.Host = breakingProxy(b, config.Host, scenario.life)
					kubeconfig = w.kubeconfigFor(b, config.Host)
				}
				id := w.start(b, scenario.config)
				other := startStern(b, binary, kubeconfig, w.namespace, "web")
				own := follow(b, w.provider(b, config), id, hosting.LogQueryOptions{}, nil)
				began := time.Now()
				if scenario.during != nil {
					scenario.during(b, w, id)
				}
				pause(b, scenario.length-time.Since(began))
				end := time.Now()
				ownAccount := settle(b, logs, own.received, end)
				otherAccount := settle(b, logs, other.received, end)
				own.stop(b)
				other.stop(b)
				b.Logf("StreamLogs: %v", ownAccount)
				b.Logf("stern: %v", otherAccount)
				row(scenario.name, "StreamLogs", ownAccount, own.span())
				row(scenario.name, "stern", otherAccount, other.span())
			}
		})
	}
	b.Run("throughput", func(b *testing.B) {
		for range b.N {
			benchThroughput(b, binary, row)
		}
	})
	b.Logf("\n%s", table.String())
}

func rollAndWait(b *testing.B, w *world, id string) {
	pause(b, 20*time.Second)
	require.NoError(b, w.UpdateResources(b.Context(), id, hosting.ResourceConfig{MemoryLimit: 48 << 20}))
}

// benchThroughput reads logs that exist, as many as the node keeps in files of
// 1 MiB each: it is the speed of the follower and not of what prints. The time
// is that from the start of the follower, a process for stern, to its last line:
// the median of several turns.
func benchThroughput(b *testing.B, binary string, row func(string, string, account, time.Duration)) {
	const (
		pods, lines = 6, 14_000
		turns       = 5
		name        = "logs that exist"
	)
	w := newLogWorld(b)
	logs := w.watchNodeLogs(b)
	id := w.start(b, numbered("web", pods, "-lines", fmt.Sprint(lines), "-max-lines", fmt.Sprint(lines)))
	require.Eventually(b, func() bool {
		count := 0
		for _, run := range logs.printed(b).runs {
			count += len(run.at)
		}
		return count == pods*lines
	}, waitTime, time.Second)
	end := time.Now()
	var own, other []time.Duration
	var ownAccount, otherAccount account // of the worst turn
	worse := func(a, b account) account {
		if a.Faults() > b.Faults() {
			return a
		}
		return b
	}
	for range turns {
		f := follow(b, w.Provider, id, hosting.LogQueryOptions{Limit: hosting.MaxLogLimit}, nil)
		ownAccount = worse(ownAccount, settle(b, logs, f.received, end))
		f.stop(b)
		own = append(own, f.span())
		s := startStern(b, binary, w.cluster.Kubeconfig, w.namespace, "web")
		otherAccount = worse(otherAccount, settle(b, logs, s.received, end))
		s.stop(b)
		other = append(other, s.span())
	}
	b.Logf("StreamLogs: %v in %v", ownAccount, own)
	b.Logf("stern: %v in %v", otherAccount, other)
	slices.Sort(own)
	slices.Sort(other)
	row(name, "StreamLogs", ownAccount, own[turns/2])
	row(name, "stern", otherAccount, other[turns/2])
}
