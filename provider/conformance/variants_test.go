package conformance_test

import (
	"sync/atomic"
	"testing"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/conformance"
)

// flaky is a sound provider whose platform does not answer every third call
// that only reads.
type flaky struct {
	full
	reads *atomic.Int64
}

func TestSuiteRepeatsReads(t *testing.T) {
	conformance.Run(t, harness(func() hosting.CloudHostingProvider { return flaky{newFull(), new(atomic.Int64)} }))
}

// lose loses an answer now and then.
func lose[T any](p flaky, code hosting.Code, answer T, err error) (T, error) {
	if err != nil || p.reads.Add(1)%3 != 0 {
		return answer, err
	}
	reason := hosting.Unavailable
	if p.reads.Load()%2 == 0 {
		reason = hosting.RateLimited
	}
	var none T
	return none, &hosting.Error{Provider: p.ProviderName(), Code: code, Reason: reason, Message: "come back later", RetryAfter: time.Second}
}

func (p flaky) GetInstance(c ctx, id string) (instance, error) {
	in, err := p.full.GetInstance(c, id)
	return lose(p, hosting.GetFailed, in, err)
}

func (p flaky) ListInstances(c ctx) ([]instance, error) {
	list, err := p.full.ListInstances(c)
	return lose(p, hosting.ListFailed, list, err)
}

func (p flaky) HealthCheck(c ctx, id string) (hosting.Health, error) {
	health, err := p.full.HealthCheck(c, id)
	return lose(p, hosting.HealthFailed, health, err)
}

func (p flaky) GetMetrics(c ctx, id string) (hosting.InstanceMetrics, error) {
	metrics, err := p.full.GetMetrics(c, id)
	return lose(p, hosting.MetricsFailed, metrics, err)
}

func (p flaky) GetLogs(c ctx, id string, options hosting.LogQueryOptions) ([]hosting.LogEntry, error) {
	entries, err := p.full.GetLogs(c, id, options)
	return lose(p, hosting.LogsFailed, entries, err)
}

func (p flaky) GetEvents(c ctx, id string) ([]hosting.InstanceEvent, error) {
	events, err := p.full.GetEvents(c, id)
	return lose(p, hosting.EventsFailed, events, err)
}

func (p flaky) EstimateCost(c ctx, config config) (hosting.CostEstimate, error) {
	estimate, err := p.full.EstimateCost(c, config)
	return lose(p, hosting.CostFailed, estimate, err)
}

func (p flaky) GetActualCost(c ctx, id string, start, end hosting.Time) (hosting.CostActual, error) {
	actual, err := p.full.GetActualCost(c, id, start, end)
	return lose(p, hosting.CostFailed, actual, err)
}

// cursorless is a sound provider that cannot resume logs.
type cursorless struct{ full }

func TestSuiteWithoutCursors(t *testing.T) {
	conformance.Run(t, harness(func() hosting.CloudHostingProvider { return cursorless{newFull()} }))
}

func (p cursorless) refusal(id string, options hosting.LogQueryOptions) error {
	if options.After == "" {
		return nil
	}
	return &hosting.Error{Provider: p.ProviderName(), Code: hosting.LogsFailed, Reason: hosting.InvalidArgument, InstanceID: id, Message: "after: there are no cursors"}
}

func (p cursorless) GetLogs(c ctx, id string, options hosting.LogQueryOptions) ([]hosting.LogEntry, error) {
	if err := p.refusal(id, options); err != nil {
		return nil, err
	}
	entries, err := p.full.GetLogs(c, id, options)
	for i := range entries {
		entries[i].Cursor = ""
	}
	return entries, err
}

func (p cursorless) StreamLogs(c ctx, id string, options hosting.LogQueryOptions) stream {
	return func(yield func(hosting.LogEntry, error) bool) {
		if err := p.refusal(id, options); err != nil {
			yield(hosting.LogEntry{}, err)
			return
		}
		for entry, err := range p.full.StreamLogs(c, id, options) {
			entry.Cursor = ""
			if !yield(entry, err) {
				return
			}
		}
	}
}

// gappy is a sound provider whose platform loses lines now and then, or may
// have.
type gappy struct{ full }

func TestSuiteWithGaps(t *testing.T) {
	conformance.Run(t, harness(func() hosting.CloudHostingProvider { return gappy{newFull()} }))
}

func (p gappy) StreamLogs(c ctx, id string, options hosting.LogQueryOptions) stream {
	return withGaps(p.full.StreamLogs(c, id, options), "lines may be missing")
}

// withGaps puts a gap behind each third entry.
func withGaps(entries stream, message string) stream {
	return func(yield func(hosting.LogEntry, error) bool) {
		n := 0
		for entry, err := range entries {
			if !yield(entry, err) {
				return
			}
			if n++; n%3 != 0 || err != nil {
				continue
			}
			gap := hosting.LogEntry{Timestamp: entry.Timestamp, Message: message, Source: entry.Source, Metadata: map[string]string{hosting.MetadataGap: "rotated"}}
			if !yield(gap, nil) {
				return
			}
		}
	}
}
