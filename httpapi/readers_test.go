package httpapi_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi"
)

// endless is a log that goes on as fast as it is read.
type endless struct {
	sent atomic.Int64
	left chan struct{}
}

func newEndless() *endless { return &endless{left: make(chan struct{}, 1)} }

func (e *endless) provider() scripted {
	return source(func(_ context.Context, yield yieldLog) {
		defer func() { e.left <- struct{}{} }()
		for message := strings.Repeat("x", 32<<10); yield(hosting.LogEntry{Message: message}, nil); {
			e.sent.Add(1)
		}
	})
}

// waitUntilStuck waits until nothing has been taken for a while.
func (e *endless) waitUntilStuck(t *testing.T) {
	t.Helper()
	last, since := int64(-1), time.Now()
	require.Eventually(t, func() bool {
		if now := e.sent.Load(); now != last || now == 0 {
			last, since = now, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	}, patience, interval)
}

func (e *endless) waitUntilLeft(t *testing.T) {
	t.Helper()
	select {
	case <-e.left:
	case <-time.After(patience):
		t.Fatal("the log is still being read")
	}
}

func TestAReaderWhoTakesNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	blocked := newEndless()
	s := listen(t, blocked.provider(), nil, httpapi.WithMaxStreams(1), httpapi.WithStreamWriteTimeout(500*time.Millisecond), httpapi.WithHeartbeat(100*time.Millisecond))
	s.rawFollow(t, web, "")
	blocked.waitUntilLeft(t)
	require.Eventually(t, func() bool {
		return s.open(t, "/instances/"+web+"/logs?follow=true").StatusCode == http.StatusOK
	}, patience, interval, "its place is free again")
}

func TestAReaderOfHTTP2WhoTakesNothingIsLeftBehindAlone(t *testing.T) {
	t.Parallel()
	blocked := newEndless()
	provider := blocked.provider()
	provider.metrics = func(context.Context) (hosting.InstanceMetrics, error) { return hosting.InstanceMetrics{}, nil }
	s := listen(t, provider, http2, httpapi.WithStreamWriteTimeout(500*time.Millisecond))
	client := s.Server.Client() // one connection for both
	response, err := client.Get(s.URL + "/api/hosting/instances/" + web + "/logs?follow=true")
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, 2, response.ProtoMajor)
	blocked.waitUntilLeft(t)
	other, err := client.Get(s.URL + "/api/hosting/instances/" + web + "/metrics")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, other.StatusCode)
	require.NoError(t, other.Body.Close())
}

func TestAReaderWhoIsSlowerThanOneEventIsNotLeftBehind(t *testing.T) {
	t.Parallel()
	// One event that takes three times the timeout, at the pace of this reader,
	// who never takes nothing for that long. The sockets hold a part of it.
	const size, step = 24 << 20, 1 << 20
	s := listen(t, source(func(_ context.Context, yield yieldLog) {
		yield(hosting.LogEntry{Message: strings.Repeat("x", size)}, nil)
	}), nil, httpapi.WithStreamWriteTimeout(2*time.Second))
	answer := s.follow(t, web)
	buffer := make([]byte, step)
	for read := 0; read < size; read += step {
		_, err := io.ReadFull(answer.reader, buffer)
		require.NoError(t, err, "after %d bytes", read)
		time.Sleep(250 * time.Millisecond) // its pace
	}
}

// settles waits for a condition on the goroutines of the process, in this one.
func settles(t *testing.T, condition func() bool, message string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(interval) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("not so: %s\n%s", message, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// heap is the memory that is in use after what can be freed was freed: objects
// and stacks.
func heap() int64 {
	least := int64(math.MaxInt64)
	for range 3 { // what a test before left behind may take a while to go
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		least = min(least, int64(stats.HeapInuse+stats.StackInuse))
	}
	return least
}

// Not parallel: it measures the memory of the process.
func TestASlowReaderNeitherSlowsOthersNorCostsMemory(t *testing.T) {
	const size, lines = 32 << 10, 1500
	padding := strings.Repeat("x", size)
	provider, id := printing(t, 1, 2*time.Millisecond, func(n int) string { return strconv.Itoa(n) + " " + padding })
	counted := &counting{CloudHostingProvider: provider, LogStreamer: provider}
	s := listen(t, counted, nil, httpapi.WithStreamWriteTimeout(time.Hour))
	s.rawFollow(t, id, "&pattern=.") // of it, nothing is ever read

	readers := make([]stream, 3)
	for i := range readers {
		readers[i] = s.follow(t, id)
	}
	before := heap()
	var wait sync.WaitGroup
	for _, reader := range readers {
		wait.Go(func() {
			last := -1
			for seen := 0; seen < lines; {
				m, err := reader.next()
				if !assert.NoError(t, err) {
					return
				}
				if m.event == "" {
					continue
				}
				_, text, _ := strings.Cut(m.data, `"message":"`)
				number, _, _ := strings.Cut(text, " ")
				n, err := strconv.Atoi(number)
				if !assert.NoError(t, err) || last >= 0 && !assert.Equal(t, last+1, n) {
					return
				}
				last = n
				seen++
			}
		})
	}
	wait.Wait()
	grown := heap() - before
	slow := counted.sent.Load()
	t.Logf("%d MB went to each of the others, %d MB to the slow reader's sockets; the process grew by %d KB", size*lines>>20, slow*size>>20, grown>>10)
	assert.Less(t, slow, int64(lines/2), "the sockets took everything: there was no slow reader")
	assert.Less(t, grown, int64(4<<20))
}

// counting counts the entries of follows with a pattern.
type counting struct {
	hosting.CloudHostingProvider
	hosting.LogStreamer
	sent atomic.Int64
}

func (c *counting) StreamLogs(ctx context.Context, id string, options hosting.LogQueryOptions) logSeq {
	entries := c.LogStreamer.StreamLogs(ctx, id, options)
	if options.Pattern == "" {
		return entries
	}
	return func(yield func(hosting.LogEntry, error) bool) {
		for entry, err := range entries {
			if !yield(entry, err) {
				return
			}
			c.sent.Add(1)
		}
	}
}

// The cost of a follower is what heap and stacks of the process grow by, for
// each of 1,000 connections over loopback, while all of them wait for a log that
// is silent. The clients are in this process too: each is a bare connection
// without buffers or a goroutine. What they and the server's connections cost
// without a request is measured first, with the same number of connections,
// and told apart; the bound is for all of it together. Memory of the kernel's
// is in neither.
//
// Not parallel: it measures the memory of the process.
func TestAThousandIdleFollowersCostLittle(t *testing.T) {
	const followers, bound = 1000, 64 << 10
	var accepted atomic.Int64
	provider, id := printing(t, 1, -1, nil)
	s := listen(t, provider, func(server *httptest.Server) {
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				accepted.Add(1)
			}
		}
	}, httpapi.WithHeartbeat(time.Hour), httpapi.WithMaxRequests(followers))
	warm := s.rawFollow(t, id, "")
	readHeaders(t, warm, make([]byte, 1))

	goroutines := runtime.NumGoroutine()
	connections := make([]net.Conn, followers)
	before := heap()
	for i := range connections {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		connections[i] = conn
	}
	settles(t, func() bool { return accepted.Load() == followers+1 }, "all are accepted")
	connected := heap()
	for _, conn := range connections {
		_, err := fmt.Fprintf(conn, "GET /api/hosting/instances/%s/logs?follow=true HTTP/1.1\r\nHost: hosting\r\n\r\n", id)
		require.NoError(t, err)
	}
	buffer := make([]byte, 1)
	for _, conn := range connections {
		readHeaders(t, conn, buffer)
	}
	cost := (heap() - before) / followers
	t.Logf("an idle follower costs %d bytes, of which %d are two ends of a connection without a request", cost, (connected-before)/followers)
	assert.Less(t, cost, int64(bound))
	assert.Greater(t, cost, int64(4<<10), "the server alone has more buffers than that: this has measured something else")

	for _, conn := range connections {
		require.NoError(t, conn.Close())
	}
	settles(t, func() bool { return runtime.NumGoroutine() <= goroutines }, "nothing is left of them")
}

// readHeaders reads the headers of a stream and its first heartbeat, byte by
// byte, which needs no buffer.
func readHeaders(t *testing.T, conn net.Conn, buffer []byte) {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
	var tail [5]byte
	for status := ""; string(tail[:]) != ":\n\n\r\n"; { // its chunk
		_, err := conn.Read(buffer)
		require.NoError(t, err)
		copy(tail[:], tail[1:])
		tail[4] = buffer[0]
		if len(status) < 12 {
			status += string(buffer)
			if len(status) == 12 {
				require.Equal(t, "HTTP/1.1 200", status)
			}
		}
	}
}

// Not parallel: it counts goroutines of the process.
func TestStreamsLeaveNoGoroutineBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("streams", func(t *testing.T) {
		for _, configure := range []func(*httptest.Server){nil, http2} {
			provider, id := printing(t, 1, 10*time.Millisecond, nil)
			s := listen(t, provider, configure, httpapi.WithHeartbeat(10*time.Millisecond))
			for i := range 18 {
				answer := s.open(t, []string{"/instances/" + id + "/logs?follow=true", "/instances/watch", "/instances/" + id + "/logs?follow=true&pattern=never"}[i%3])
				_, err := answer.next()
				require.NoError(t, err)
				if i%2 == 0 {
					answer.close()
				}
			}
			require.NoError(t, s.API.Shutdown(within(t, patience)))
		}
	})
	settles(t, func() bool { return runtime.NumGoroutine() <= before }, "nothing is left")
}
