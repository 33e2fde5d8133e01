package prometheus_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale/prometheus"
)

var web = hosting.CloudInstance{ID: "production:default.deployment.web"}

func rule(metricType, name string) hosting.ScaleRule {
	return hosting.ScaleRule{MetricType: metricType, MetricName: name, Comparison: ">", Threshold: 1, StepSize: 1}
}

// server answers queries with JSON as it is in
// https://prometheus.io/docs/prometheus/latest/querying/api/ and remembers what
// it was asked.
type server struct {
	*httptest.Server
	status int
	body   string
	delay  time.Duration
	asked  url.Values
}

func newServer(t *testing.T) *server {
	s := &server{status: http.StatusOK}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/query", func(w http.ResponseWriter, r *http.Request) {
		if !assert.NoError(t, r.ParseForm()) { // without reading the body the server does not see that the client leaves
			return
		}
		select {
		case <-time.After(s.delay):
		case <-r.Context().Done():
			return
		}
		s.asked = r.Form
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(s.status)
		fmt.Fprint(w, s.body)
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func vector(samples string) string {
	return `{"status":"success","data":{"resultType":"vector","result":[` + samples + `]}}`
}

func TestOneSampleIsTheValueAndAnythingElseSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		name   string
		status int
		body   string
		value  float64
		fails  string
	}{
		{name: "a series", body: vector(`{"metric":{"__name__":"queue","job":"web"},"value":[1435781451.781,"12.5"]}`), value: 12.5},
		{name: "an expression, which has no name", body: vector(`{"metric":{},"value":[1435781451.781,"1e+03"]}`), value: 1000},
		{name: "a scalar", body: `{"status":"success","data":{"resultType":"scalar","result":[1435781451.781,"3"]}}`, value: 3},
		{name: "with a warning and an info", body: `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"4"]}]},"warnings":["slow"],"infos":["metric might not be a counter"]}`, value: 4},
		{name: "nothing", body: vector(""), fails: "there is no such series, or nothing new in it"},
		{name: "two series", body: vector(`{"metric":{"__name__":"queue","pod":"a"},"value":[1,"1"]},{"metric":{"__name__":"queue","pod":"b"},"value":[1,"2"]}`),
			fails: `there are 2 series, such as queue{pod="a"} and queue{pod="b"}; aggregate them`},
		{name: "no number", body: vector(`{"metric":{},"value":[1,"NaN"]}`), fails: "the value is NaN"},
		{name: "no finite number", body: vector(`{"metric":{},"value":[1,"+Inf"]}`), fails: "the value is +Inf"},
		{name: "a histogram", body: vector(`{"metric":{},"histogram":[1,{"count":"60","sum":"33","buckets":[[3,"-1","1","60"]]}]}`), fails: "the result is a histogram"},
		{name: "a matrix", body: `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"]]}]}}`, fails: "the result is a matrix"},
		{name: "a string", body: `{"status":"success","data":{"resultType":"string","result":[1,"text"]}}`, fails: `unexpected value type "string"`},
		{name: "a query that is wrong", status: http.StatusBadRequest, body: `{"status":"error","errorType":"bad_data","error":"1:5: parse error: unexpected end of input"}`,
			fails: "bad_data: 1:5: parse error: unexpected end of input"},
		{name: "a query that takes too long", status: http.StatusServiceUnavailable, body: `{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}`,
			fails: "query timed out"},
		{name: "a proxy that refuses", status: http.StatusUnauthorized, body: "who are you?", fails: "who are you?"},
		{name: "no Prometheus", body: "<html>", fails: "query queue"},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			if s.body = one.body; one.status != 0 {
				s.status = one.status
			}
			source, err := prometheus.New(prometheus.Config{Address: s.URL})
			require.NoError(t, err)
			value, err := source.Metric(t.Context(), web, rule(hosting.MetricExternal, "queue"))
			if one.fails == "" {
				require.NoError(t, err)
				assert.InDelta(t, one.value, value, 0)
				return
			}
			require.ErrorContains(t, err, one.fails)
			assert.ErrorContains(t, err, "prometheus: query queue: ")
		})
	}
}

func TestWhatIsAsked(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.body = vector(`{"metric":{},"value":[1,"7"]}`)
	source, err := prometheus.New(prometheus.Config{
		Address: s.URL + "/", MaxAge: time.Minute,
		Queries: map[string]string{
			"requests": `sum(rate(http_requests_total{app="{{.Name}}",namespace="{{.Region}}"}[1m]))`,
			"all":      "{{.ID}} {{.Provider}} {{.Type}}",
		},
	})
	require.NoError(t, err)
	for _, one := range []struct{ metricType, name, query string }{
		{hosting.MetricCustom, "requests", `sum(rate(http_requests_total{app="web",namespace="default"}[1m]))`},
		{hosting.MetricExternal, "requests", `sum(rate(http_requests_total{app="web",namespace="default"}[1m]))`},
		{hosting.MetricExternal, "all", "production:default.deployment.web production deployment"},
		{hosting.MetricCustom, "queue_length", `avg(queue_length{app="web"})`},
		{hosting.MetricExternal, "job:queue:sum", "job:queue:sum"},
	} {
		value, err := source.Metric(t.Context(), web, rule(one.metricType, one.name))
		require.NoError(t, err)
		assert.InDelta(t, 7, value, 0)
		assert.Equal(t, one.query, s.asked.Get("query"))
		assert.Equal(t, "1m0s", s.asked.Get("lookback_delta"), "a sample that is older does not count")
		assert.Equal(t, "10s", s.asked.Get("timeout"))
		assert.Empty(t, s.asked.Get("time"), "the server's clock counts")
	}
	s.asked = nil
	for _, name := range []string{"sum(up)", `up{job="x"}`, "1"} {
		_, err := source.Metric(t.Context(), web, rule(hosting.MetricExternal, name))
		require.ErrorContains(t, err, "has no query and is no name of a series")
	}
	assert.Nil(t, s.asked, "a policy cannot bring a query of its own")
}

// Two regions may have an instance of one name.
func TestTheReplicasOfAnInstanceAreThoseInItsNamespace(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.body = vector(`{"metric":{},"value":[1,"7"]}`)
	source, err := prometheus.New(prometheus.Config{Address: s.URL})
	require.NoError(t, err)
	for namespace, query := range map[string]string{
		"skills-eu": `avg(queue{app="web",namespace="skills-eu"})`,
		"":          `avg(queue{app="web"})`,
		`a"} or x{`: `avg(queue{app="web",namespace="a\"} or x{"})`,
	} {
		instance := web
		instance.Metadata = map[string]string{"namespace": namespace}
		_, err := source.Metric(t.Context(), instance, rule(hosting.MetricCustom, "queue"))
		require.NoError(t, err)
		assert.Equal(t, query, s.asked.Get("query"))
	}
}

func TestAServerThatDoesNotAnswerIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.delay = time.Hour
	source, err := prometheus.New(prometheus.Config{Address: s.URL, Timeout: 50 * time.Millisecond})
	require.NoError(t, err)
	_, err = source.Metric(t.Context(), web, rule(hosting.MetricExternal, "queue"))
	require.ErrorIs(t, err, context.DeadlineExceeded)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = source.Metric(ctx, web, rule(hosting.MetricExternal, "queue"))
	require.ErrorIs(t, err, context.Canceled)

	gone := newServer(t)
	gone.Close()
	source, err = prometheus.New(prometheus.Config{Address: gone.URL})
	require.NoError(t, err)
	_, err = source.Metric(t.Context(), web, rule(hosting.MetricExternal, "queue"))
	require.ErrorContains(t, err, "prometheus: query queue: ")
}

func TestTheTransportAddsCredentials(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.body = vector(`{"metric":{},"value":[1,"7"]}`)
	used := 0
	source, err := prometheus.New(prometheus.Config{Address: s.URL, Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
		used++
		return http.DefaultTransport.RoundTrip(r)
	})})
	require.NoError(t, err)
	_, err = source.Metric(t.Context(), web, rule(hosting.MetricExternal, "queue"))
	require.NoError(t, err)
	assert.Equal(t, 1, used)
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestNewNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for says, config := range map[string]prometheus.Config{
		"Address":          {},
		`Address "nowhere`: {Address: "nowhere:9090"},
		`Address "ftp`:     {Address: "ftp://example.com"},
		"(not a URL)":      {Address: "http://[::1"},
		"Timeout":          {Address: "http://localhost", Timeout: -1},
		"MaxAge":           {Address: "http://localhost", MaxAge: -1},
		`Queries["a"]`:     {Address: "http://localhost", Queries: map[string]string{"a": "up{{"}},
		`Queries["b"]`:     {Address: "http://localhost", Queries: map[string]string{"b": "up{{.Namespace}}"}},
		`Queries["c"]`:     {Address: "http://localhost", Queries: map[string]string{"c": " "}},
	} {
		_, err := prometheus.New(config)
		var e *hosting.Error
		require.ErrorAs(t, err, &e, says)
		assert.Equal(t, hosting.InvalidConfig, e.Code)
		assert.Equal(t, hosting.InvalidArgument, e.Reason)
		assert.Contains(t, e.Message, says)
	}
	_, err := prometheus.New(prometheus.Config{Address: "ftp://user:secret@example.com"})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "secret")
}

func Example() {
	// A server that has one series. A real one is at Config.Address.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, vector(`{"metric":{"__name__":"orders_waiting"},"value":[1435781451.781,"42"]}`))
	}))
	defer server.Close()
	source, err := prometheus.New(prometheus.Config{
		Address: server.URL,
		Queries: map[string]string{"orders": `sum(orders_waiting{shop="{{.Name}}"})`},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// A controller asks, for each rule of type custom or external.
	instance := hosting.CloudInstance{ID: "default.deployment.web"}
	value, err := source.Metric(context.Background(), instance, hosting.ScaleRule{MetricType: hosting.MetricExternal, MetricName: "orders"})
	fmt.Println(value, err)
	// Output: 42 <nil>
}
