package client_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/fake/faketest"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/httpapi/client"
	"skillcenter.io/hosting/internal/pipehttp"
)

var following = hosting.LogQueryOptions{Follow: true}

// cutting breaks each connection once it has carried a random number of bytes to
// the client.
type cutting struct {
	net.Conn
	left int
}

func (c *cutting) Read(p []byte) (int, error) {
	if c.left == 0 {
		_ = c.Close()
		return 0, fmt.Errorf("the connection was cut")
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

func TestALogStreamThatIsCutAnywhereLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			p := fake.New(fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload {
				return fake.Workload{LogInterval: 70 * time.Millisecond, LogLine: func(n int) string {
					return fmt.Sprintf("line %d %s", n, strings.Repeat("é\"\r", n%50))
				}}
			}))
			api, err := httpapi.New(p, nil, httpapi.AllowAnonymous())
			require.NoError(t, err)
			server := pipehttp.Serve(api)
			defer server.Close()
			transport := server.Transport().Clone()
			dial := transport.DialContext
			var connections atomic.Int32
			transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := dial(ctx, network, address)
				if err != nil || connections.Add(1) == 1 { // the first is for New
					return conn, err
				}
				// From less than the headers have to some hundred lines.
				return &cutting{conn, 1 + random.IntN([]int{300, 1000, 20_000}[random.IntN(3)])}, nil
			}
			c, err := client.New(t.Context(), baseURL, client.WithHTTPClient(&http.Client{Transport: transport}), client.WithRetries(20))
			require.NoError(t, err)
			_, err = p.CreateInstance(t.Context(), sound())
			require.NoError(t, err)
			transport.CloseIdleConnections()

			ctx, cancel := context.WithCancel(t.Context())
			var got []hosting.LogEntry
			for entry, err := range c.StreamLogs(ctx, web, following) {
				require.NoError(t, err)
				if got = append(got, entry); len(got) == 500 {
					break
				}
			}
			cancel()
			want, err := p.GetLogs(t.Context(), web, hosting.LogQueryOptions{Limit: hosting.MaxLogLimit})
			require.NoError(t, err)
			require.Equal(t, want[:500], got, "seed %d", seed)
			assert.Greater(t, connections.Load(), int32(3), "seed %d", seed)
			transport.CloseIdleConnections()
		})
	}
}

func TestALogStreamGoesOnBehindTheLastEntry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scripted(t, func(w http.ResponseWriter, _ *http.Request, n int) {
			switch n {
			case 0:
				stream(w, ": beat\n\n", line(1), line(2), strings.TrimSuffix(line(3), "\n"))
				sever()
			case 1:
				unavailable(w)
			case 2:
				stream(w, line(3)) // the end of an answer is not the end of the stream
			case 3:
				stream(w, line(4), "event: other\ndata: ?\n\n", "event: end\ndata: {}\n\n")
			}
		})
		got, err := follow(t.Context(), s.Client, hosting.LogQueryOptions{Follow: true, Limit: 7, After: "c0", Level: "warn", Pattern: "a+ b", StartTime: hosting.TimeFromMillis(5)})
		require.NoError(t, err)
		assert.Equal(t, []string{"line 1", "line 2", "line 3", "line 4"}, got)
		require.Len(t, s.asked(), 4)
		for n, want := range []struct{ id, after, limit []string }{
			{nil, []string{"c0"}, []string{"7"}}, {[]string{"c2"}, nil, nil}, {[]string{"c2"}, nil, nil}, {[]string{"c3"}, nil, nil},
		} {
			r := s.asked()[n]
			assert.Equal(t, want.id, r.header.Values("Last-Event-ID"))
			assert.Equal(t, want.after, r.query["after"])
			assert.Equal(t, want.limit, r.query["limit"])
			assert.Equal(t, []string{"a+ b"}, r.query["pattern"])
			assert.Equal(t, []string{"warn"}, r.query["level"])
			assert.Equal(t, []string{"5"}, r.query["startTime"])
			assert.Equal(t, []string{"true"}, r.query["follow"])
		}
	})
}

func TestALogStreamThatHasYieldedNothingLosesNothingToItsLimit(t *testing.T) {
	t.Parallel()
	for _, before := range []string{`[]`, `[{"message":"line 1","cursor":"c1"}]`} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now().Truncate(time.Second).UnixMilli()
			s := scripted(t, func(w http.ResponseWriter, r *http.Request, n int) {
				switch {
				case n == 0:
					stream(w, ":\n\n")
					sever()
				case r.URL.Query().Get("follow") == "":
					answer(w, `{"items":`+before+`}`)
				default:
					stream(w, line(2), "event: end\ndata: {}\n\n")
				}
			})
			got, err := follow(t.Context(), s.Client, hosting.LogQueryOptions{Follow: true, Limit: 7, After: "c0"})
			require.NoError(t, err)
			require.Len(t, s.asked(), 3)
			split := []string{strconv.FormatInt(began, 10)}
			beginning, rest := s.asked()[1], s.asked()[2]
			assert.Equal(t, []string{"7"}, beginning.query["limit"], "the limit is for what there was")
			assert.Equal(t, []string{"c0"}, beginning.query["after"])
			assert.Equal(t, split, beginning.query["endTime"])
			if before == `[]` {
				assert.Equal(t, []string{"line 2"}, got)
				assert.Equal(t, split, rest.query["startTime"])
				assert.Equal(t, []string{"100000"}, rest.query["limit"])
				assert.Equal(t, []string{"c0"}, rest.query["after"])
				return
			}
			assert.Equal(t, []string{"line 1", "line 2"}, got)
			assert.Equal(t, "c1", rest.header.Get("Last-Event-ID"))
			assert.Empty(t, rest.query["limit"])
		})
	}
}

// With the real server: more is printed while it is away than the limit is.
func TestALogStreamThatIsCutBeforeItsFirstLineGetsAllThatFollows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := faketest.New(t, faketest.WithFake(fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload {
			return fake.Workload{StartTime: 5 * time.Second, LogInterval: 100 * time.Millisecond}
		})))
		instance, err := p.Client.CreateInstance(t.Context(), hosting.CloudHostingConfig{InstanceName: "web", InstanceType: hosting.TypeDeployment,
			Container: &hosting.ContainerConfig{Image: "nginx:1.29"}})
		require.NoError(t, err)
		var away sync.WaitGroup
		away.Go(func() { // as soon as it is there, until a hundred lines are printed
			for range 21 {
				time.Sleep(700 * time.Millisecond)
				p.Disconnect()
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n := 0
		for entry, err := range p.Client.StreamLogs(ctx, instance.ID, hosting.LogQueryOptions{Follow: true, Limit: 2}) {
			require.NoError(t, err)
			want := "started"
			if n > 0 {
				want = fmt.Sprintf("line %d", n)
			}
			require.Equal(t, want, entry.Message)
			if n++; n == 200 {
				cancel()
			}
		}
		away.Wait()
		assert.Equal(t, 200, n)
	})
}

func TestALogStreamWithoutCursorsIsNotResumed(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "id: no header has this: \xff\n"} {
		s := scripted(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			stream(w, line(1), id+"event: log\ndata: {\"message\":\"without\"}\n\n")
			sever()
		})
		got, err := follow(t.Context(), s.Client, following)
		require.ErrorIs(t, err, hosting.Unavailable)
		assert.ErrorContains(t, err, "its entries have no cursor")
		assert.Equal(t, hosting.LogsFailed, hosting.CodeOf(err))
		assert.Equal(t, web, failed(t, err).InstanceID)
		assert.Equal(t, []string{"line 1", "without"}, got)
		assert.Len(t, s.asked(), 1)
	}
}

func TestAConnectionThatBringsSomethingMakesUpForThoseThatBroke(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scripted(t, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 20 {
				stream(w, "event: end\ndata: {}\n\n")
				return
			}
			stream(w, line(n))
			sever()
		})
		start := time.Now()
		got, err := follow(t.Context(), s.Client, following)
		require.NoError(t, err)
		assert.Len(t, got, 20)
		assert.LessOrEqual(t, time.Since(start), 20*100*time.Millisecond)
	})
}

func TestALogStreamGivesUpWhenNothingComesForLong(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]client.Option{"two minutes": nil, "no time": {client.WithRetries(0)}} {
		synctest.Test(t, func(t *testing.T) {
			s := scripted(t, func(w http.ResponseWriter, _ *http.Request, n int) {
				switch {
				case n == 0:
					stream(w, line(1))
				case n%2 == 0:
					stream(w) // headers alone are nothing
				}
				sever()
			}, options...)
			start := time.Now()
			got, err := follow(t.Context(), s.Client, following)
			require.ErrorIs(t, err, hosting.Unavailable)
			assert.Equal(t, []string{"line 1"}, got)
			if options == nil {
				assert.InDelta(t, 2*time.Minute, time.Since(start), float64(10*time.Second), name)
				assert.Less(t, len(s.asked()), 200, "it does not spin")
			} else {
				assert.Len(t, s.asked(), 1)
			}
		})
	}
}

func TestALogStreamThatGoesOnWaitsAsLongAsTheServerAsks(t *testing.T) {
	t.Parallel()
	for asked, waited := range map[string]bool{"60": true, "150": false} { // two minutes are what there is
		synctest.Test(t, func(t *testing.T) {
			s := scripted(t, func(w http.ResponseWriter, _ *http.Request, n int) {
				switch n {
				case 0:
					stream(w, line(1))
				case 1:
					w.Header().Set("Retry-After", asked)
					unavailable(w)
				default:
					stream(w, line(2), "event: end\ndata: {}\n\n")
				}
			})
			start := time.Now()
			got, err := follow(t.Context(), s.Client, following)
			if waited {
				require.NoError(t, err)
				assert.Len(t, got, 2)
				assert.GreaterOrEqual(t, time.Since(start), time.Minute)
			} else {
				require.ErrorIs(t, err, hosting.Unavailable)
				assert.Less(t, time.Since(start), time.Second)
			}
		})
	}
}

// A comment shows that somebody is there, not that the stream works.
func TestAStreamThatIsCutAtOnceAgainAndAgainIsNotAskedForWithoutPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scripted(t, func(w http.ResponseWriter, r *http.Request, _ int) {
			if r.URL.Query().Get("follow") == "" {
				answer(w, `{"items":[]}`)
				return
			}
			stream(w, ":\n\n")
			sever()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		got, err := follow(ctx, s.Client, following)
		require.NoError(t, err)
		assert.Empty(t, got)
		assert.Less(t, len(s.asked()), 300, "of which each waits for 2.5 s at least, in the end")
	})
}

func TestALogStreamEndsWithTheErrorThatTheServerTells(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		answer func(w http.ResponseWriter, n int)
		code   hosting.Code
		reason hosting.Reason
		asked  int
	}{
		{"an error event", func(w http.ResponseWriter, _ int) {
			stream(w, "event: error\ndata: {\"reason\":\"Unavailable\",\"errorCode\":\"LogsFailed\",\"errorMessage\":\"closed\"}\n\n")
		}, hosting.LogsFailed, hosting.Unavailable, 1},
		{"an error event that is none", func(w http.ResponseWriter, _ int) { stream(w, "event: error\ndata: ?\n\n") }, hosting.LogsFailed, hosting.Internal, 1},
		{"an entry that is none", func(w http.ResponseWriter, _ int) { stream(w, "event: log\ndata: ?\n\n") }, hosting.LogsFailed, hosting.Internal, 1},
		{"an event that is too large", func(w http.ResponseWriter, _ int) { stream(w, "data: ", strings.Repeat("x", 17<<20)) }, hosting.LogsFailed, hosting.Internal, 1},
		{"an instance that is gone when it is resumed", func(w http.ResponseWriter, n int) {
			if n == 0 {
				stream(w, line(1))
				sever()
			}
			problem(w, 404, map[string]any{"reason": "NotFound", "errorCode": "InstanceNotFound", "errorMessage": "gone"})
		}, hosting.InstanceNotFound, hosting.NotFound, 2},
		{"a list", func(w http.ResponseWriter, _ int) { answer(w, `{"items":[]}`) }, hosting.LogsFailed, hosting.Internal, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := scripted(t, func(w http.ResponseWriter, _ *http.Request, n int) { test.answer(w, n) })
			yields := 0
			for _, err := range s.StreamLogs(t.Context(), web, following) {
				if err == nil {
					continue
				}
				yields++
				assert.ErrorIs(t, err, test.reason)
				assert.Equal(t, test.code, hosting.CodeOf(err))
			}
			assert.Equal(t, 1, yields)
			assert.Len(t, s.asked(), test.asked)
		})
	}
}

func TestALogStreamThatIsBrokenWhenItsContextEndsEndsSilently(t *testing.T) {
	t.Parallel()
	for _, end := range []func(context.Context) (context.Context, context.CancelFunc){
		context.WithCancel,
		func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Minute)
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := scripted(t, func(w http.ResponseWriter, _ *http.Request, n int) {
				if n == 0 {
					stream(w, line(1))
				}
				sever()
			})
			ctx, cancel := end(t.Context())
			time.AfterFunc(time.Minute, cancel)
			start := time.Now()
			got, err := follow(ctx, s.Client, following)
			require.NoError(t, err)
			assert.Equal(t, []string{"line 1"}, got)
			assert.Equal(t, time.Minute, time.Since(start))
		})
	}
}

func TestASilentConnectionCountsAsCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := scripted(t, func(w http.ResponseWriter, r *http.Request, n int) {
			switch n {
			case 0: // heartbeats keep it alive
				stream(w, line(1))
				for range 10 {
					time.Sleep(50 * time.Second)
					stream(w, ":\n\n")
				}
				<-r.Context().Done()
			case 1: // not even headers come
				<-r.Context().Done()
			case 2:
				stream(w, line(2), "event: end\ndata: {}\n\n")
			}
		})
		got, err := follow(t.Context(), s.Client, following)
		require.NoError(t, err)
		assert.Equal(t, []string{"line 1", "line 2"}, got)
		// Ten beats, and twice a minute of silence.
		assert.InDelta(t, 620*time.Second, time.Since(start), float64(time.Second))
	})
	synctest.Test(t, func(t *testing.T) {
		s := scripted(t, func(_ http.ResponseWriter, r *http.Request, _ int) { <-r.Context().Done() }, client.WithRetries(0), client.WithStreamTimeout(time.Second))
		_, err := follow(t.Context(), s.Client, following)
		require.ErrorIs(t, err, hosting.Unavailable)
		assert.ErrorContains(t, err, "silent")
	})
}

func TestAConsumerMayTakeItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scripted(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			for _, text := range []string{line(1), line(2), "event: end\ndata: {}\n\n"} {
				stream(w, text)
			}
		})
		n := 0
		for _, err := range s.StreamLogs(t.Context(), web, following) {
			require.NoError(t, err)
			if n++; n > 2 {
				break
			}
			time.Sleep(time.Hour)
		}
		assert.Equal(t, 2, n)
		assert.Len(t, s.asked(), 1)
	})
}

func TestLeavingALoopClosesTheConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var closed atomic.Int32
		s := scripted(t, func(w http.ResponseWriter, r *http.Request, _ int) {
			if strings.HasSuffix(r.URL.Path, "/watch") {
				stream(w, "event: synced\ndata: {\"type\":\"synced\"}\n\n")
			} else {
				stream(w, line(1))
			}
			<-r.Context().Done()
			closed.Add(1)
		})
		logs, watch := s.StreamLogs(t.Context(), web, following), s.WatchInstances(t.Context())
		synctest.Wait()
		assert.Empty(t, s.asked(), "nothing happens before somebody ranges over it")
		for _, err := range logs {
			require.NoError(t, err)
			break
		}
		for _, err := range watch {
			require.NoError(t, err)
			break
		}
		synctest.Wait()
		assert.Equal(t, int32(2), closed.Load())

		// So does the end of a context, without an error.
		for name, end := range map[string]func() (context.Context, context.CancelFunc){
			"cancelled": func() (context.Context, context.CancelFunc) { return context.WithCancel(t.Context()) },
			"deadline":  func() (context.Context, context.CancelFunc) { return context.WithTimeout(t.Context(), time.Second) },
		} {
			ctx, cancel := end()
			time.AfterFunc(time.Second, cancel)
			got, err := follow(ctx, s.Client, following)
			require.NoError(t, err, name)
			assert.Equal(t, []string{"line 1"}, got, name)
		}
		synctest.Wait()
		assert.Equal(t, int32(4), closed.Load())
	})
}

// As in a handler whose panics are recovered, or a test that fails in the loop.
func TestAConsumerThatPanicsLeavesNoConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var closed atomic.Int32
		s := scripted(t, func(w http.ResponseWriter, r *http.Request, _ int) {
			if strings.HasSuffix(r.URL.Path, "/watch") {
				stream(w, "event: synced\ndata: {\"type\":\"synced\"}\n\n")
			} else {
				stream(w, line(1))
			}
			<-r.Context().Done()
			closed.Add(1)
		})
		assert.Panics(t, func() {
			for range s.StreamLogs(t.Context(), web, following) {
				panic("in the loop")
			}
		})
		assert.Panics(t, func() {
			for range s.WatchInstances(t.Context()) {
				panic("in the loop")
			}
		})
		synctest.Wait()
		assert.Equal(t, int32(2), closed.Load())
	})
}

func TestLongLinesArriveWhole(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\x01<é>", 1<<18) // more than 1 MiB, and five times as much in JSON
	p := fake.New(fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload {
		return fake.Workload{StartTime: -1, LogInterval: time.Hour, LogLine: func(int) string { return long }}
	}))
	c := overREST(t, p, nil)
	_, err := c.CreateInstance(t.Context(), sound())
	require.NoError(t, err)
	for entry, err := range c.StreamLogs(t.Context(), web, following) {
		require.NoError(t, err)
		assert.True(t, entry.Message == long)
		break
	}
}

func TestStreamLogsWithoutFollowingEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scripted(t, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 0 {
				stream(w, line(1))
				sever()
			}
			stream(w, line(2), "event: end\ndata: {}\n\n")
		})
		got, err := follow(t.Context(), s.Client, hosting.LogQueryOptions{})
		require.NoError(t, err)
		assert.Equal(t, []string{"line 1", "line 2"}, got)
		first, second := s.asked()[0], s.asked()[1]
		assert.NotContains(t, first.query, "follow")
		assert.NotContains(t, first.header.Get("Accept"), "application/json")
		assert.Equal(t, []string{"100000"}, second.query["limit"], "all that is left, not only the newest")
	})
}

func TestAWatchThatIsCutEndsWithAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scripted(t, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 0 {
				unavailable(w) // opening it is a call like any other
				return
			}
			stream(w, "event: state\ndata: {\"type\":\"state\",\"instance\":{\"id\":\"a\"}}\n\nevent: new\ndata: 1\n\nevent: synced\ndata: {\"type\":\"synced\"}\n\n")
			sever()
		})
		var got []hosting.ChangeType
		var errs []error
		for change, err := range s.WatchInstances(t.Context()) {
			if err != nil {
				errs = append(errs, err)
				continue
			}
			got = append(got, change.Type)
		}
		assert.Equal(t, []hosting.ChangeType{hosting.ChangeState, hosting.ChangeSynced}, got)
		require.Len(t, errs, 1)
		require.ErrorIs(t, errs[0], hosting.Unavailable)
		assert.Equal(t, hosting.ListFailed, hosting.CodeOf(errs[0]))
		assert.Len(t, s.asked(), 2)
	})
}
