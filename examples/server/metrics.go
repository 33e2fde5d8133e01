package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// metrics are what Prometheus reads. There are few enough to write them by hand;
// a program with metrics of its own would use its client instead.
type metrics struct {
	streams atomic.Int64 // that are open

	mu        sync.Mutex
	requests  map[labels]uint64
	durations map[labels]*histogram // without a status
}

// labels say what a figure is about. All have few values.
type labels struct {
	route, method string
	status        int // 0 is none
}

// bounds are the upper ends of the buckets of a histogram, in seconds.
var bounds = [...]float64{0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}

type histogram struct {
	buckets [len(bounds)]uint64 // each without those before it
	count   uint64
	sum     float64
}

func newMetrics() *metrics {
	return &metrics{requests: map[labels]uint64{}, durations: map[labels]*histogram{}}
}

// observe counts a request that has been served. How long a stream takes is up
// to who reads it.
func (m *metrics) observe(of labels, took time.Duration, stream bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests[of]++
	if stream {
		return
	}
	of.status = 0
	h := m.durations[of]
	if h == nil {
		h = &histogram{}
		m.durations[of] = h
	}
	h.count++
	h.sum += took.Seconds()
	if i, _ := slices.BinarySearch(bounds[:], took.Seconds()); i < len(bounds) {
		h.buckets[i]++
	}
}

// ServeHTTP answers with the text format of Prometheus.
func (m *metrics) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	var out bytes.Buffer
	m.write(&out)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Write(out.Bytes())
}

func (m *metrics) write(out *bytes.Buffer) {
	head := func(name, kind, help string) {
		fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	}
	m.mu.Lock()
	defer m.mu.Unlock()

	const requests = "hosting_http_requests_total"
	head(requests, "counter", "Requests that have been served.")
	for _, of := range sorted(m.requests) {
		fmt.Fprintf(out, "%s{%s} %d\n", requests, of, m.requests[of])
	}
	const durations = "hosting_http_request_duration_seconds"
	head(durations, "histogram", "How long requests took, without streams.")
	for _, of := range sorted(m.durations) {
		h, below := m.durations[of], uint64(0)
		for i, bound := range bounds {
			below += h.buckets[i]
			fmt.Fprintf(out, "%s_bucket{%s,le=\"%g\"} %d\n", durations, of, bound, below)
		}
		fmt.Fprintf(out, "%s_bucket{%s,le=\"+Inf\"} %d\n", durations, of, h.count)
		fmt.Fprintf(out, "%s_sum{%s} %g\n", durations, of, h.sum)
		fmt.Fprintf(out, "%s_count{%s} %d\n", durations, of, h.count)
	}
	const streams = "hosting_http_streams_open"
	head(streams, "gauge", "Log follows and watches that are open.")
	fmt.Fprintf(out, "%s %d\n", streams, m.streams.Load())
}

// sorted returns the keys, so that nothing changes its place.
func sorted[V any](series map[labels]V) []labels {
	return slices.SortedFunc(maps.Keys(series), func(a, b labels) int {
		return cmp.Or(cmp.Compare(a.route, b.route), cmp.Compare(a.method, b.method), cmp.Compare(a.status, b.status))
	})
}

// String is how the format has labels.
func (l labels) String() string {
	text := fmt.Sprintf(`route="%s",method="%s"`, escaped.Replace(l.route), escaped.Replace(l.method))
	if l.status != 0 {
		text += `,status="` + strconv.Itoa(l.status) + `"`
	}
	return text
}

var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
