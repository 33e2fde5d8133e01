package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// read parses the metrics as Prometheus does. A series is its name and labels,
// as in "requests_total{method=GET,route=/}"; histograms show their count.
func read(t *testing.T, text string) map[string]float64 {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	require.NoError(t, err, text)
	values := map[string]float64{}
	for name, family := range families {
		assert.NotEmpty(t, family.GetHelp(), name)
		for _, m := range family.GetMetric() {
			var parts []string
			for _, label := range m.GetLabel() {
				parts = append(parts, label.GetName()+"="+label.GetValue())
			}
			key := name + "{" + strings.Join(parts, ",") + "}"
			values[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}

func TestRequestsAreCountedByTheirRoute(t *testing.T) {
	t.Parallel()
	s := start(t, testToken)
	s.send(http.MethodGet, instances, nil)
	for _, id := range []string{"default.deployment.a", "default.deployment.b", "c"} {
		s.send(http.MethodGet, instances+"/"+id, nil)
	}
	s.send(http.MethodDelete, instances, nil)           // there is no such method
	s.send("BREW", instances, nil)                      // nor any of that name
	s.send(http.MethodGet, "/some/where/else", nil)     // nor such a path
	s.send(http.MethodGet, "/api/hosting/nothing", nil) // nor one there
	_, text := s.send(http.MethodGet, "/metrics", nil)
	values := read(t, text)
	for series, want := range map[string]float64{
		"{route=/api/hosting/instances,method=GET,status=200}":      1,
		"{route=/api/hosting/instances/{id},method=GET,status=404}": 2,
		"{route=/api/hosting/instances/{id},method=GET,status=400}": 1,
		"{route=none,method=DELETE,status=405}":                     1,
		"{route=none,method=GET,status=404}":                        2,
	} {
		assert.Equal(t, want, values["hosting_http_requests_total"+series], "%s in\n%s", series, text)
	}
	assert.EqualValues(t, 3, values["hosting_http_request_duration_seconds{route=/api/hosting/instances/{id},method=GET}"])
	assert.Contains(t, values, "hosting_http_streams_open{}")
	assert.Contains(t, text, `method="other"`)
	assert.NotContains(t, text, "BREW")
	assert.NotContains(t, text, "else")
	assert.NotContains(t, text, "default.deployment")
}

func TestAHistogramCountsWhatIsBelowEachBound(t *testing.T) {
	t.Parallel()
	m := newMetrics()
	of := labels{route: `odd "route" \ of` + "\nsomebody", method: "GET", status: 200}
	for _, took := range []time.Duration{time.Millisecond, 3 * time.Millisecond, 30 * time.Second, time.Hour} {
		m.observe(of, took, false)
	}
	m.observe(of, time.Hour, true)
	var out bytes.Buffer
	m.write(&out)
	values := read(t, out.String())
	series := "{route=" + of.route + ",method=GET"
	assert.EqualValues(t, 5, values["hosting_http_requests_total"+series+",status=200}"])
	assert.EqualValues(t, 4, values["hosting_http_request_duration_seconds"+series+"}"], "streams are not measured")
	for _, line := range []string{`le="0.001"} 1`, `le="0.005"} 2`, `le="10"} 2`, `le="30"} 3`, `le="+Inf"} 4`} {
		assert.Contains(t, out.String(), line)
	}
}
