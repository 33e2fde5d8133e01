package httpapi_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi"
)

const (
	benchRounds  = 11
	benchClients = 4
	benchToken   = "0123456789abcdef0123456789abcdef"
	// getBound is which part of the bare handler's requests per second there
	// have to be.
	getBound = 0.7
)

// BenchmarkBesideABareHandler compares the API, with a bearer token, with a
// ServeMux whose handler does nothing but marshal the same value. Both answer
// clients that keep their connections, on loopback, and take turns; figures are
// medians of the rounds. "ratio" is the API's requests per second over those of
// the bare handler. The figures with "handler" are of one call without HTTP.
//
// The last one reads 10,000 instances: in ten pages of 1000, where the bare
// handler has one answer with all of them.
func BenchmarkBesideABareHandler(b *testing.B) {
	for _, c := range []struct {
		name      string
		instances int
		operation func(*fixed) (paths []string, answer any)
		requests  int     // of each client in a round
		bound     float64 // of the ratio
	}{
		{"GET", 1, getOne, 1500, getBound},
		{"list=100/page=100", 100, list(100, 100), 200, 0},
		{"list=10000/page=100", 10_000, list(100, 100), 200, 0},
		{"list=10000/page=1000", 10_000, list(1000, 1000), 20, 0},
		{"list=10000/pages=10x1000", 10_000, list(1000, 10_000), 2, 0},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := newFixed(c.instances)
			paths, answer := c.operation(p)
			authorize, err := httpapi.BearerToken(benchToken)
			require.NoError(b, err)
			api, err := httpapi.New(p, nil, httpapi.WithAuthorizer(authorize))
			require.NoError(b, err)
			ours := newContender(b, api, paths)
			bare := newContender(b, bareHandler(answer), paths[:1])
			for b.Loop() {
				compare(b, ours, bare, c.requests, c.bound)
			}
		})
	}
}

// compare lets both take turns and reports what it finds.
func compare(b *testing.B, ours, bare *contender, requests int, bound float64) {
	both := []*contender{ours, bare}
	for _, c := range both {
		c.round(b, requests) // is not counted
		c.forget()
	}
	var ratios, handlerRatios []float64
	for round := range benchRounds {
		for i := range both {
			both[(i+round)%2].round(b, requests)
		}
		ratios = append(ratios, last(ours.rates)/last(bare.rates))
		handlerRatios = append(handlerRatios, last(bare.calls)/last(ours.calls))
	}
	ratio := middle(ratios)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ratio, "ratio")
	b.ReportMetric(middle(handlerRatios), "handler-ratio")
	for _, c := range both {
		name := "bare"
		if c == ours {
			name = "api"
		}
		slices.Sort(c.latencies)
		b.ReportMetric(middle(c.rates), name+"-ops/s")
		b.ReportMetric(c.latencies[len(c.latencies)/2], name+"-p50-µs")
		b.ReportMetric(c.latencies[len(c.latencies)*99/100], name+"-p99-µs")
		b.ReportMetric(middle(c.calls), name+"-handler-µs")
	}
	if ratio < bound {
		b.Errorf("it has %.2f of the bare handler's requests per second, at least %.2f is wanted", ratio, bound)
	}
}

// contender is a handler that is measured. An operation fetches all its paths.
type contender struct {
	handler http.Handler
	paths   []string
	server  *httptest.Server
	client  *http.Client

	rates     []float64 // operations per second, for each round
	calls     []float64 // µs of an operation without HTTP, for each round
	latencies []float64 // µs of an operation, for each
}

func newContender(b *testing.B, handler http.Handler, paths []string) *contender {
	c := &contender{handler: handler, paths: paths, server: httptest.NewServer(handler)}
	b.Cleanup(c.server.Close)
	c.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: benchClients}}
	b.Cleanup(c.client.CloseIdleConnections)
	return c
}

func (c *contender) forget() { c.rates, c.calls, c.latencies = nil, nil, nil }

// round measures some operations of each client, and then some without HTTP.
func (c *contender) round(b *testing.B, requests int) {
	took := make([][]float64, benchClients)
	errs := make([]error, benchClients)
	began := time.Now()
	var wait sync.WaitGroup
	for i := range benchClients {
		wait.Go(func() {
			for range requests {
				start := time.Now()
				if errs[i] = c.fetch(); errs[i] != nil {
					return
				}
				took[i] = append(took[i], microseconds(time.Since(start)))
			}
		})
	}
	wait.Wait()
	c.rates = append(c.rates, float64(benchClients*requests)/time.Since(began).Seconds())
	for i := range benchClients {
		require.NoError(b, errs[i])
		c.latencies = append(c.latencies, took[i]...)
	}

	asked := make([]*http.Request, len(c.paths))
	for i, path := range c.paths {
		asked[i] = request("http://localhost" + path)
	}
	began = time.Now()
	for range requests {
		for _, r := range asked {
			recorder := httptest.NewRecorder()
			c.handler.ServeHTTP(recorder, r)
			if recorder.Code != http.StatusOK {
				b.Fatal(recorder.Body)
			}
		}
	}
	c.calls = append(c.calls, microseconds(time.Since(began))/float64(requests))
}

func (c *contender) fetch() error {
	for _, path := range c.paths {
		response, err := c.client.Do(request(c.server.URL + path))
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("GET %s: %s", path, response.Status)
		}
	}
	return nil
}

func request(address string) *http.Request {
	parsed, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	return &http.Request{Method: http.MethodGet, URL: parsed, Host: parsed.Host, Header: http.Header{"Authorization": {"Bearer " + benchToken}}}
}

// fixed is a provider whose instances are always the same.
type fixed struct {
	hosting.UnimplementedProvider
	instances []hosting.CloudInstance
	byID      map[string]hosting.CloudInstance
}

func newFixed(n int) *fixed {
	p := &fixed{byID: map[string]hosting.CloudInstance{}}
	for i := range n {
		name := fmt.Sprintf("skill-%05d", i)
		p.instances = append(p.instances, hosting.CloudInstance{
			ID: "default.deployment." + name, Name: name, Provider: p.ProviderName(), ProviderType: "fixed", Region: "default",
			InstanceType: hosting.TypeDeployment, Status: hosting.StatusRunning, Replicas: 2,
			Labels:    map[string]string{"team": "demo", "tier": "web"},
			Metadata:  map[string]string{hosting.MetadataReadyReplicas: "2"},
			Resources: &hosting.ResourceConfig{CPURequest: 0.25, CPULimit: 0.5, MemoryRequest: 256 << 20, MemoryLimit: 512 << 20},
			Endpoint:  &hosting.ServiceEndpoint{URL: "http://" + name + ".skills.svc.cluster.local:8080"},
			CreatedAt: hosting.TimeFromMillis(1_700_000_000_000), UpdatedAt: hosting.TimeFromMillis(1_700_000_060_000),
		})
		p.byID[p.instances[i].ID] = p.instances[i]
	}
	return p
}

func (*fixed) ProviderName() string { return "fixed" }

func (p *fixed) GetInstance(_ context.Context, id string) (hosting.CloudInstance, error) {
	return p.byID[id], nil
}

// ListInstances copies, as every provider has to.
func (p *fixed) ListInstances(context.Context) ([]hosting.CloudInstance, error) {
	return slices.Clone(p.instances), nil
}

// bareHandler is a mux whose one handler marshals the value.
func bareHandler(value any) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		data, err := json.Marshal(value)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(data)
	})
	return mux
}

const benchInstances = "/api/hosting/instances"

// getOne is an operation that gets the first instance.
func getOne(p *fixed) (paths []string, answer any) {
	return []string{benchInstances + "/" + p.instances[0].ID}, p.instances[0]
}

// list returns an operation that lists the first n instances, page by page. The
// bare handler has them in one answer.
func list(size, n int) func(p *fixed) (paths []string, answer any) {
	return func(p *fixed) (paths []string, answer any) {
		for at := 0; at < n; at += size {
			path := fmt.Sprintf("%s?pageSize=%d", benchInstances, size)
			if at > 0 {
				path += "&pageToken=" + base64.RawURLEncoding.EncodeToString([]byte("1:"+p.instances[at-1].ID))
			}
			paths = append(paths, path)
		}
		return paths, map[string]any{"items": p.instances[:n]}
	}
}

func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func last(values []float64) float64 { return values[len(values)-1] }

func middle(values []float64) float64 {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}
