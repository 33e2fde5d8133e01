// Package show prints what the examples find out, as tables and progress
// lines that people can read.
package show

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"skillcenter.io/hosting"
)

// Heading begins a section.
func Heading(out io.Writer, text string) {
	fmt.Fprintf(out, "\n%s\n%s\n", text, strings.Repeat("-", utf8.RuneCountInString(text)))
}

// Wait waits until the instance has a status, and shows how it gets there. It
// gives up after the limit.
func Wait(ctx context.Context, out io.Writer, provider hosting.CloudHostingProvider, id string, limit time.Duration, want hosting.Status) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, err := hosting.WaitForStatus(ctx, provider, id, Progress(out), want)
	return err
}

// Progress looks twice a second and prints what it finds.
func Progress(out io.Writer) hosting.WaitOptions {
	began := time.Now()
	return hosting.WaitOptions{
		Interval: 500 * time.Millisecond,
		OnProgress: func(instance hosting.CloudInstance) {
			fmt.Fprintf(out, "  %4.1fs  %-12s %s of %d replicas ready\n",
				time.Since(began).Seconds(), instance.Status, instance.Metadata[hosting.MetadataReadyReplicas], instance.Replicas)
		},
	}
}

// Metrics prints what an instance uses. What is not known is a dash.
func Metrics(out io.Writer, metrics hosting.InstanceMetrics) {
	value := func(field, format string, v any) string {
		if slices.Contains(metrics.Unavailable, field) {
			return "-"
		}
		return fmt.Sprintf(format, v)
	}
	t := NewTable(out, "METRIC", "VALUE")
	t.Row("replicas", fmt.Sprintf("%d of %d ready", metrics.ReadyReplicas, metrics.Replicas))
	t.Row("CPU (cores)", value("cpuUsage", "%.3f", metrics.CPUUsage))
	t.Row("memory (MiB)", value("memoryUsage", "%d", metrics.MemoryUsage>>20))
	t.Row("network in (B/s)", value("networkIn", "%.0f", metrics.NetworkIn))
	t.Row("network out (B/s)", value("networkOut", "%.0f", metrics.NetworkOut))
	t.Row("disk (MiB)", value("diskUsage", "%d", metrics.DiskUsage>>20))
	t.Flush()
}

// Events prints what happened to an instance.
func Events(out io.Writer, events []hosting.InstanceEvent) {
	t := NewTable(out, "TIME", "TYPE", "REASON", "MESSAGE")
	for _, event := range events {
		t.Row(Clock(event.Timestamp), event.Type, event.Reason, event.Message)
	}
	t.Flush()
}

// Table prints aligned columns.
type Table struct{ w *tabwriter.Writer }

// NewTable begins a table with the headings of its columns.
func NewTable(out io.Writer, columns ...string) Table {
	t := Table{tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)}
	fmt.Fprintln(t.w, "  "+strings.Join(columns, "\t"))
	return t
}

// Row adds a row.
func (t Table) Row(cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = fmt.Sprint(cell)
	}
	fmt.Fprintln(t.w, "  "+strings.Join(texts, "\t"))
}

// Flush prints the table.
func (t Table) Flush() { t.w.Flush() }

// Clock prints the time of day, in UTC.
func Clock(t hosting.Time) string { return t.Std().Format("15:04:05.000") }
