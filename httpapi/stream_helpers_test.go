package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/wire"
)

// patience is how long a test waits for what will come.
const patience = time.Minute

// served is an API on a server of its own.
type served struct {
	*httpapi.API
	*httptest.Server
}

// listen serves a provider to everybody. configure, if not nil, changes the server.
func listen(t *testing.T, provider hosting.CloudHostingProvider, configure func(*httptest.Server), options ...httpapi.Option) served {
	t.Helper()
	return listenFor(t, provider, configure, append(options, httpapi.AllowAnonymous())...)
}

// listenFor serves a provider to those whom an Authorizer among the options allows.
func listenFor(t *testing.T, provider hosting.CloudHostingProvider, configure func(*httptest.Server), options ...httpapi.Option) served {
	t.Helper()
	api, err := httpapi.New(provider, nil, options...)
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(api)
	if configure != nil {
		configure(server)
	}
	if server.EnableHTTP2 {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return served{api, server}
}

func http2(server *httptest.Server) { server.EnableHTTP2 = true }

// message is a server-sent event, or a comment if event is empty.
type message struct{ event, id, data string }

// stream is the answer to a request, which is read as events.
type stream struct {
	*http.Response
	reader *bufio.Reader
	close  func()
}

// open sends a GET over a connection of its own, which is closed when the test
// ends. Headers are given as name and value.
func (s served) open(t *testing.T, path string, headers ...string) stream {
	t.Helper()
	client := s.Server.Client()
	transport := client.Transport.(*http.Transport).Clone()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/api/hosting"+path, nil)
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	require.NoError(t, err)
	end := func() {
		cancel()
		_ = response.Body.Close()
		transport.CloseIdleConnections()
	}
	t.Cleanup(end)
	return stream{response, bufio.NewReader(response.Body), end}
}

// follow opens a log follow, which has to begin.
func (s served) follow(t *testing.T, id string, headers ...string) stream {
	t.Helper()
	answer := s.open(t, "/instances/"+id+"/logs?follow=true", headers...)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Equal(t, wire.EventStream, answer.Header.Get("Content-Type"))
	return answer
}

// problem reads the answer as a problem.
func (s stream) problem(t *testing.T) wire.Problem {
	t.Helper()
	require.Equal(t, wire.ProblemJSON, s.Header.Get("Content-Type"))
	var problem wire.Problem
	require.NoError(t, json.NewDecoder(s.Body).Decode(&problem))
	return problem
}

// next reads the next event or comment. An event that is cut off is an error.
func (s stream) next() (message, error) { return readMessage(s.reader) }

func readMessage(reader *bufio.Reader) (message, error) {
	var m message
	for begun := false; ; begun = true {
		line, err := reader.ReadString('\n')
		if err != nil {
			if begun && err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return message{}, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "event":
			m.event = value
		case "id":
			m.id = value
		case "data":
			m.data = value
		case "":
			if line == "\n" {
				return m, nil
			}
		default:
			return message{}, fmt.Errorf("not a line of an event: %q", line)
		}
	}
}

// want reads the next event, passing over comments.
func (s stream) want(t *testing.T, event string) message {
	t.Helper()
	for {
		m, err := s.next()
		require.NoError(t, err)
		if m.event != "" {
			require.Equal(t, event, m.event, m.data)
			return m
		}
	}
}

func (m message) log(t *testing.T) hosting.LogEntry {
	t.Helper()
	return decode[hosting.LogEntry](t, m.data)
}

func decode[T any](t *testing.T, data string) T {
	t.Helper()
	var value T
	decoder := json.NewDecoder(bytes.NewReader([]byte(data)))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&value))
	return value
}

// rest reads all that is left, and returns the events and how it ended: io.EOF
// if the answer is whole.
func (s stream) rest() ([]message, error) {
	var all []message
	for {
		m, err := s.next()
		if err != nil {
			return all, err
		}
		if m.event != "" {
			all = append(all, m)
		}
	}
}

// scripted is a provider with one instance, default.deployment.web, whose
// streams are functions.
type scripted struct {
	hosting.UnimplementedProvider
	logs    func(ctx context.Context, options hosting.LogQueryOptions) iter.Seq2[hosting.LogEntry, error]
	changes func(ctx context.Context) iter.Seq2[hosting.InstanceChange, error]
	metrics func(ctx context.Context) (hosting.InstanceMetrics, error)
}

func (scripted) ProviderName() string { return "scripted" }

func (scripted) GetInstance(_ context.Context, id string) (hosting.CloudInstance, error) {
	return hosting.CloudInstance{ID: id}, nil
}

func (s scripted) StreamLogs(ctx context.Context, _ string, options hosting.LogQueryOptions) iter.Seq2[hosting.LogEntry, error] {
	return s.logs(ctx, options)
}

func (s scripted) WatchInstances(ctx context.Context) iter.Seq2[hosting.InstanceChange, error] {
	return s.changes(ctx)
}

func (s scripted) GetMetrics(ctx context.Context, _ string) (hosting.InstanceMetrics, error) {
	return s.metrics(ctx)
}

// source is a log that is yielded by a function, which says whether it goes on.
func source(run func(ctx context.Context, yield func(hosting.LogEntry, error) bool)) scripted {
	return scripted{logs: func(ctx context.Context, _ hosting.LogQueryOptions) iter.Seq2[hosting.LogEntry, error] {
		return func(yield func(hosting.LogEntry, error) bool) { run(ctx, yield) }
	}}
}

// silent is a log that never says anything.
func silent() scripted {
	return source(func(ctx context.Context, _ func(hosting.LogEntry, error) bool) { <-ctx.Done() })
}

// once is a log with one line, which then says nothing.
func once() scripted {
	return source(func(ctx context.Context, yield func(hosting.LogEntry, error) bool) {
		yield(hosting.LogEntry{Message: "first"}, nil)
		<-ctx.Done()
	})
}

// printing is a fake whose instance "web" prints lines in real time, and its id.
func printing(t *testing.T, replicas int, interval time.Duration, line func(n int) string) (*fake.Provider, string) {
	t.Helper()
	provider := fake.New(fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload {
		return fake.Workload{StartTime: -1, LogInterval: interval, LogLine: line}
	}))
	instance, err := provider.CreateInstance(t.Context(), deployment("web", replicas))
	require.NoError(t, err)
	return provider, instance.ID
}

func deployment(name string, replicas int) hosting.CloudHostingConfig {
	return hosting.CloudHostingConfig{
		InstanceName: name, InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "nginx:1.29"}, Scaling: &hosting.ScaleConfig{MinReplicas: replicas},
	}
}

const web = "default.deployment.web"

// rawFollow sends the request of a follow over a plain connection with small
// buffers, and reads nothing of the answer.
func (s served) rawFollow(t *testing.T, id, query string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(4<<10))
	_, err = fmt.Fprintf(conn, "GET /api/hosting/instances/%s/logs?follow=true%s HTTP/1.1\r\nHost: hosting\r\n\r\n", id, query)
	require.NoError(t, err)
	return conn
}

// overBoth runs a test over HTTP/1.1 and over HTTP/2.
func overBoth(t *testing.T, test func(t *testing.T, configure func(*httptest.Server))) {
	t.Parallel()
	t.Run("HTTP1", func(t *testing.T) {
		t.Parallel()
		test(t, func(*httptest.Server) {})
	})
	t.Run("HTTP2", func(t *testing.T) {
		t.Parallel()
		test(t, http2)
	})
}
