package kubernetes

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/loglines"
)

// BenchmarkALine measures what a line costs from the connection to the entry
// with its cursor, of an instance with some replicas.
func BenchmarkALine(b *testing.B) {
	for _, replicas := range []int{1, 3, 300} {
		b.Run(fmt.Sprintf("replicas=%d", replicas), func(b *testing.B) {
			book := newCursorBook(testUID)
			for n := range replicas {
				book.set(testKey(n), testPosition(n))
			}
			filter, err := loglines.NewFilter(hosting.LogQueryOptions{})
			if err != nil {
				b.Fatal(err)
			}
			s := &logSource{logQuery: &logQuery{filter: filter}, key: testKey(0)}
			yielded := 0
			s.send = func(_ context.Context, items []logItem) error {
				for i := range items {
					book.set(s.key, items[i].position)
					items[i].entry.Cursor = book.cursor()
					yielded++
				}
				return nil
			}
			var text strings.Builder
			const lines = 10_000
			for n := range lines {
				fmt.Fprintf(&text, "%s INFO request %d served in 12 ms\n", scriptStart.Add(time.Duration(n)*time.Microsecond).UTC().Format(time.RFC3339Nano), n)
			}
			b.ReportAllocs()
			for yielded < b.N {
				s.readLines(context.Background(), io.LimitReader(strings.NewReader(text.String()), int64(text.Len())), overlapWith(position{}), run{}, time.Now(), true)
			}
			b.ReportMetric(float64(yielded)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}
