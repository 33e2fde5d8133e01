package httpapi_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// monitored is a provider that notes how it is asked and answers with what a
// test wants.
type monitored struct {
	scripted
	answer any
	asked  []any
	err    error
}

func (m *monitored) note(asked ...any) { m.asked = asked }

func (m *monitored) GetMetrics(_ context.Context, id string) (hosting.InstanceMetrics, error) {
	m.note(id)
	answer, _ := m.answer.(hosting.InstanceMetrics)
	return answer, m.err
}

func (m *monitored) HealthCheck(_ context.Context, id string) (hosting.Health, error) {
	m.note(id)
	answer, _ := m.answer.(hosting.Health)
	return answer, m.err
}

func (m *monitored) GetServiceEndpoint(_ context.Context, id string) (hosting.ServiceEndpoint, error) {
	m.note(id)
	answer, _ := m.answer.(hosting.ServiceEndpoint)
	return answer, m.err
}

func (m *monitored) GetLogs(_ context.Context, id string, options hosting.LogQueryOptions) ([]hosting.LogEntry, error) {
	m.note(id, options)
	answer, _ := m.answer.([]hosting.LogEntry)
	return answer, m.err
}

func (m *monitored) GetEvents(_ context.Context, id string) ([]hosting.InstanceEvent, error) {
	m.note(id)
	answer, _ := m.answer.([]hosting.InstanceEvent)
	return answer, m.err
}

func (m *monitored) RecordEvent(_ context.Context, id string, event hosting.InstanceEvent) error {
	m.note(id, event)
	return m.err
}

// request asks for something of the instance and returns the status and body.
func (s served) request(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL+"/api/hosting/instances/"+web+"/"+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", wire.JSON)
	response, err := s.Server.Client().Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(data)
}

func TestMonitoringAnswersWithWhatTheProviderSays(t *testing.T) {
	t.Parallel()
	entries := []hosting.LogEntry{{Message: "one", Source: "web-1", Cursor: "1"}}
	events := []hosting.InstanceEvent{{EventID: "1", Type: hosting.EventNormal, Reason: "Scaled", Message: "to 3"}}
	list := func(items any) map[string]any { return map[string]any{"items": items} }
	cases := []struct {
		path   string
		answer any
		asked  []any
		want   any // the answer itself if nil
	}{
		{"metrics", hosting.InstanceMetrics{InstanceID: web, CPUUsage: 0.25, Replicas: 2, Unavailable: []string{"diskUsage"}}, []any{web}, nil},
		{"health", hosting.Health{Reason: "no replica is ready", CheckedAt: hosting.TimeFromMillis(7)}, []any{web}, nil},
		{"endpoint", hosting.ServiceEndpoint{InstanceID: web, Type: hosting.EndpointCluster, URL: "http://web:80", Host: "web", Port: 80}, []any{web}, nil},
		{"events", events, []any{web}, list(events)},
		{"events", nil, []any{web}, list([]int{})},
		{"logs", nil, []any{web, hosting.LogQueryOptions{}}, list([]int{})},
		{"logs?limit=5&startTime=1000&endTime=2000&level=warn&pattern=a%2Bb&follow=false&after=1.2", entries, []any{web, hosting.LogQueryOptions{
			Limit: 5, StartTime: hosting.TimeFromMillis(1000), EndTime: hosting.TimeFromMillis(2000), Level: "warn", Pattern: "a+b", After: "1.2",
		}}, list(entries)},
	}
	for _, c := range cases {
		t.Run(c.path, func(t *testing.T) {
			t.Parallel()
			provider := &monitored{answer: c.answer}
			if c.want == nil {
				c.want = c.answer
			}
			want, err := json.Marshal(c.want)
			require.NoError(t, err)
			status, body := listen(t, provider, nil).request(t, http.MethodGet, c.path, "")
			assert.Equal(t, http.StatusOK, status)
			assert.JSONEq(t, string(want), body)
			assert.Equal(t, c.asked, provider.asked)
		})
	}
}

func TestMonitoringTellsWhyItFailed(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"metrics", "health", "endpoint", "events", "logs"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			provider := &monitored{err: hosting.Errorf("scripted", hosting.InstanceNotFound, hosting.NotFound, "there is no web")}
			status, body := listen(t, provider, nil).request(t, http.MethodGet, path, "")
			assert.Equal(t, http.StatusNotFound, status)
			assert.Equal(t, hosting.InstanceNotFound, decode[wire.Problem](t, body).ErrorCode)
		})
	}
}

func TestLogOptionsThatAreWrongAreNamed(t *testing.T) {
	t.Parallel()
	provider := &monitored{}
	s := listen(t, provider, nil)
	for query, want := range map[string]string{
		"limit=0": `query parameter limit: "0": allowed: a whole number from 1 to 100000`, "limit=100001": "limit", "startTime=yesterday": "startTime",
		"endTime=1.5": "endTime", "startTime=2000&endTime=1000": "endTime", "level=loud": "level", "pattern=(": "pattern", "after=%00": "after", "tail=5": `"tail"`,
	} {
		status, body := s.request(t, http.MethodGet, "logs?"+query, "")
		assert.Equal(t, http.StatusBadRequest, status, query)
		problem := decode[wire.Problem](t, body)
		assert.Contains(t, problem.Detail, want, query)
		assert.Equal(t, hosting.LogsFailed, problem.ErrorCode, query)
	}
	assert.Empty(t, provider.asked)
}

func TestAnEventIsRecorded(t *testing.T) {
	t.Parallel()
	provider := &monitored{}
	s := listen(t, provider, nil)
	status, body := s.request(t, http.MethodPost, "events", `{"type":"Normal","reason":"Deployed","message":"by hand","timestamp":5}`)
	assert.Equal(t, http.StatusNoContent, status)
	assert.Empty(t, body)
	assert.Equal(t, []any{web, hosting.InstanceEvent{Type: "Normal", Reason: "Deployed", Message: "by hand", Timestamp: hosting.TimeFromMillis(5)}}, provider.asked)

	provider.asked = nil
	status, body = s.request(t, http.MethodPost, "events", `{"kind":"Normal"}`)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, body, "kind")
	assert.Nil(t, provider.asked)
}

func TestAnEventThatCannotBeRecordedIsUnsupported(t *testing.T) {
	t.Parallel()
	s := listen(t, scripted{}, func(*httptest.Server) {})
	status, _ := s.request(t, http.MethodPost, "events", `{"type":"Normal","reason":"Deployed"}`)
	assert.Equal(t, http.StatusNotImplemented, status)
}
