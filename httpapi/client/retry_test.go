package client_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi/client"
	"skillcenter.io/hosting/internal/pipehttp"
)

// calls are those of a client, and whether one may be made twice.
var calls = []struct {
	name string
	once bool
	do   func(ctx context.Context, c *client.Client) error
}{
	{"GetInstance", false, func(ctx context.Context, c *client.Client) error { _, err := c.GetInstance(ctx, web); return err }},
	{"ListInstances", false, func(ctx context.Context, c *client.Client) error { _, err := c.ListInstances(ctx); return err }},
	{"CreateInstance", false, func(ctx context.Context, c *client.Client) error {
		_, err := c.CreateInstance(ctx, sound())
		return err
	}},
	{"ApplyInstance", false, func(ctx context.Context, c *client.Client) error { _, err := c.ApplyInstance(ctx, sound()); return err }},
	{"DeleteInstance", false, func(ctx context.Context, c *client.Client) error { return c.DeleteInstance(ctx, web) }},
	{"StartInstance", false, func(ctx context.Context, c *client.Client) error { return c.StartInstance(ctx, web) }},
	{"StopInstance", false, func(ctx context.Context, c *client.Client) error { return c.StopInstance(ctx, web) }},
	{"ScaleInstance", false, func(ctx context.Context, c *client.Client) error { return c.ScaleInstance(ctx, web, 3) }},
	{"UpdateResources", false, func(ctx context.Context, c *client.Client) error {
		return c.UpdateResources(ctx, web, hosting.ResourceConfig{CPULimit: 1})
	}},
	{"RollbackInstance to a revision", true, func(ctx context.Context, c *client.Client) error {
		_, err := c.RollbackInstance(ctx, web, 4)
		return err
	}},
	{"MountVolume", false, func(ctx context.Context, c *client.Client) error {
		return c.MountVolume(ctx, "default.volume.data", web, "/data", false)
	}},
	{"EnableAutoScalePolicy", false, func(ctx context.Context, c *client.Client) error {
		return c.EnableAutoScalePolicy(ctx, "default.policy.web")
	}},
	{"RestartInstance", true, func(ctx context.Context, c *client.Client) error { return c.RestartInstance(ctx, web) }},
	{"RunNow", true, func(ctx context.Context, c *client.Client) error { return c.RunNow(ctx, web) }},
	{"RollbackInstance to the one before", true, func(ctx context.Context, c *client.Client) error {
		_, err := c.RollbackInstance(ctx, web, 0)
		return err
	}},
	{"RecordEvent", true, func(ctx context.Context, c *client.Client) error {
		return c.RecordEvent(ctx, web, hosting.InstanceEvent{Type: hosting.EventNormal, Reason: "Tested"})
	}},
}

func sound() hosting.CloudHostingConfig {
	return hosting.CloudHostingConfig{InstanceName: "web", InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "nginx:1.29"}}
}

func TestOnlyWhatMayBeDoneTwiceIsSentAgain(t *testing.T) {
	t.Parallel()
	for what, fail := range map[string]func(w http.ResponseWriter){
		"the server is not ready": unavailable,
		"the server has no room":  func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) },
		"the connection breaks":   func(http.ResponseWriter) { sever() },
		"the answer is cut in halves": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "10")
			answer(w, `{"id`)
			flush(w)
			sever()
		},
	} {
		for _, call := range calls {
			synctest.Test(t, func(t *testing.T) {
				s := scripted(t, func(w http.ResponseWriter, _ *http.Request, n int) {
					if n < 2 {
						fail(w)
						return
					}
					answer(w, anything)
				})
				err := call.do(t.Context(), s.Client)
				if call.once {
					assert.Len(t, s.asked(), 1, "%s, and %s", call.name, what)
					assert.Error(t, err, "%s, and %s", call.name, what)
					return
				}
				assert.Len(t, s.asked(), 3, "%s, and %s", call.name, what)
				assert.NoError(t, err, "%s, and %s", call.name, what)
				assert.Equal(t, s.asked()[0].body, s.asked()[2].body)
			})
		}
	}
}

// unreachable lets the first connections fail. What does it is not a socket, but
// its errors are those of one.
type unreachable struct {
	fails int
}

func (u *unreachable) over(s *pipehttp.Server) http.RoundTripper {
	transport := s.Transport().Clone()
	dial := transport.DialContext
	transport.DisableKeepAlives = true
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if u.fails > 0 {
			u.fails--
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
		}
		return dial(ctx, network, address)
	}
	return transport
}

func TestEverythingIsSentAgainThatWasNotSent(t *testing.T) {
	t.Parallel()
	for _, call := range calls {
		synctest.Test(t, func(t *testing.T) {
			u := &unreachable{}
			s := scriptedOver(t, u.over, func(w http.ResponseWriter, _ *http.Request, _ int) { answer(w, anything) })
			u.fails = 3
			require.NoError(t, call.do(t.Context(), s.Client), call.name)
			assert.Len(t, s.asked(), 1, call.name)

			u.fails = 4
			err := call.do(t.Context(), s.Client)
			require.ErrorIs(t, err, hosting.Unavailable, call.name)
			assert.ErrorContains(t, err, "the server at hosting.test cannot be reached: dial tcp: connection refused")
			assert.Len(t, s.asked(), 1, call.name)
		})
	}
}

func TestRetriesAreBounded(t *testing.T) {
	t.Parallel()
	for retries, options := range map[int][]client.Option{0: {client.WithRetries(0)}, 3: nil, 7: {client.WithRetries(7)}} {
		synctest.Test(t, func(t *testing.T) {
			s := scripted(t, func(w http.ResponseWriter, _ *http.Request, _ int) { unavailable(w) }, options...)
			start := time.Now()
			_, err := s.GetInstance(t.Context(), web)
			require.ErrorIs(t, err, hosting.Unavailable)
			assert.Equal(t, "later", failed(t, err).Message)
			assert.Len(t, s.asked(), retries+1)
			// Each pause is half of 100 ms, 200 ms and so on at least, up to 5 s.
			least, most := time.Duration(0), time.Duration(0)
			for n := range retries {
				longest := min(100*time.Millisecond<<n, 5*time.Second)
				least, most = least+longest/2, most+longest
			}
			assert.GreaterOrEqual(t, time.Since(start), least)
			assert.LessOrEqual(t, time.Since(start), most)
		})
	}
}

func TestTheServerSaysHowLongToWait(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(w http.ResponseWriter){
		"in seconds": func(w http.ResponseWriter) { w.Header().Set("Retry-After", "7"); w.WriteHeader(503) },
		"with a date": func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", time.Now().Add(7*time.Second).UTC().Format(http.TimeFormat))
			w.WriteHeader(503)
		},
		"in the problem": func(w http.ResponseWriter) {
			problem(w, 429, map[string]any{"reason": "RateLimited", "retryAfter": 7000})
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := scripted(t, func(w http.ResponseWriter, _ *http.Request, n int) {
				if n == 0 {
					ask(w)
					return
				}
				answer(w, anything)
			})
			start := time.Now()
			_, err := s.GetInstance(t.Context(), web)
			require.NoError(t, err, name)
			assert.Equal(t, 7*time.Second, time.Since(start), name)
		})
	}
}

func TestNobodyIsKeptWaitingInVain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ask := "31"
		s := scripted(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Retry-After", ask)
			problem(w, 429, map[string]any{"reason": "RateLimited", "retryAfter": 31000, "errorMessage": "slow down"})
		})
		start := time.Now()
		_, err := s.GetInstance(t.Context(), web)
		require.ErrorIs(t, err, hosting.RateLimited, "a wait that is too long is the caller's to decide")
		assert.Equal(t, 31*time.Second, failed(t, err).RetryAfter)
		assert.Zero(t, time.Since(start))
	})
	synctest.Test(t, func(t *testing.T) {
		s := scripted(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Retry-After", "10")
			unavailable(w)
		})
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := s.GetInstance(ctx, web)
		require.ErrorIs(t, err, hosting.Unavailable, "the deadline comes before the wait is over")
		assert.Zero(t, time.Since(start))

		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		_, err = s.GetInstance(ctx, web)
		require.ErrorIs(t, err, hosting.Canceled)
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, web, failed(t, err).InstanceID)
		assert.Equal(t, 3*time.Second, time.Since(start))
	})
}

func TestADeletionWhoseAnswerWasLostHasSucceeded(t *testing.T) {
	t.Parallel()
	gone := func(w http.ResponseWriter) {
		problem(w, 404, map[string]any{"reason": "NotFound", "errorCode": "VolumeNotFound", "errorMessage": "volume default.volume.data does not exist"})
	}
	for _, test := range []struct {
		name string
		fail func(w http.ResponseWriter)
		ok   bool
	}{
		{"lost", func(http.ResponseWriter) { sever() }, true},
		{"lost behind a gateway", func(w http.ResponseWriter) { w.WriteHeader(503) }, true},
		{"refused", unavailable, false},
		{"not found at once", gone, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := scripted(t, func(w http.ResponseWriter, _ *http.Request, n int) {
				if n == 0 {
					test.fail(w)
					return
				}
				gone(w)
			})
			err := s.DeleteVolume(t.Context(), "default.volume.data")
			if test.ok {
				assert.NoError(t, err, test.name)
				return
			}
			assert.ErrorIs(t, err, hosting.NotFound, test.name)
			assert.Equal(t, hosting.VolumeNotFound, hosting.CodeOf(err), test.name)
		})
	}
}

// What it sends is nothing, so that also what must not be done twice is sent
// again, and nobody is told that it may have been done.
func TestAServerThatIsNotTrustedIsNotSentAnything(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, `{"items":[{"name":"main","regions":["default"],"instanceTypes":["deployment"]}]}`)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	switching := &switching{now: server.Client().Transport}
	c, err := client.New(t.Context(), server.URL, client.WithHTTPClient(&http.Client{Transport: switching}), client.WithRetries(1))
	require.NoError(t, err)
	stranger := &http.Transport{} // it does not know who has signed the certificate
	defer stranger.CloseIdleConnections()
	switching.now = stranger
	err = c.RestartInstance(t.Context(), web)
	require.ErrorIs(t, err, hosting.Unavailable)
	assert.ErrorContains(t, err, "cannot be reached: tls: failed to verify certificate")
	assert.NotContains(t, err.Error(), "may have been made")
	assert.Equal(t, 3, switching.asked)
}

// switching is a way to a server that can be changed.
type switching struct {
	now   http.RoundTripper
	asked int
}

func (s *switching) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked++
	return s.now.RoundTrip(r)
}

// A gateway answers so while the server behind it starts again.
func TestWhatAGatewayAnswersIsAskedForAgainWhereThatReads(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status         int
		problem        bool
		read, log, set int // requests
	}{{502, false, 3, 4, 1}, {504, false, 1, 4, 1}, {502, true, 1, 2, 1}, {500, false, 1, 2, 1}} {
		synctest.Test(t, func(t *testing.T) {
			fails := func(w http.ResponseWriter) {
				if test.problem { // the credentials of the provider are not accepted
					problem(w, test.status, map[string]any{"reason": "Unauthenticated"})
				} else {
					w.WriteHeader(test.status)
				}
			}
			s := scripted(t, func(w http.ResponseWriter, _ *http.Request, n int) {
				if n < 2 {
					fails(w)
					return
				}
				answer(w, anything)
			})
			_, err := s.GetInstance(t.Context(), web)
			assert.Equal(t, test.read == 3, err == nil, test)
			assert.Len(t, s.asked(), test.read, test)

			s = scripted(t, func(w http.ResponseWriter, _ *http.Request, n int) {
				switch n {
				case 0:
					stream(w, line(1))
				case 3:
					stream(w, line(2), "event: end\ndata: {}\n\n")
				default:
					fails(w)
				}
			})
			got, err := follow(t.Context(), s.Client, following)
			assert.Equal(t, test.log == 4, err == nil, test)
			assert.Len(t, s.asked(), test.log, test)
			assert.Len(t, got, test.log/2, test)

			s = scripted(t, func(w http.ResponseWriter, _ *http.Request, _ int) { fails(w) })
			require.Error(t, s.StopInstance(t.Context(), web))
			assert.Len(t, s.asked(), test.set, test)
		})
	}
}

func TestAnswersThatTakeTooLongAreNotAskedForAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scriptedWithTimeout(t, 5*time.Second, func(_ http.ResponseWriter, r *http.Request, _ int) { <-r.Context().Done() })
		err := s.StopInstance(t.Context(), web)
		require.ErrorIs(t, err, hosting.DeadlineExceeded)
		assert.ErrorContains(t, err, "the change may have been made")
		assert.Len(t, s.asked(), 1)
	})
}

// scriptedWithTimeout is scripted with an http.Client that waits for so long.
func scriptedWithTimeout(t *testing.T, timeout time.Duration, handle func(http.ResponseWriter, *http.Request, int)) *script {
	var transport http.RoundTripper
	s := scriptedOver(t, func(s *pipehttp.Server) http.RoundTripper { transport = s.Transport(); return transport }, handle)
	var err error
	s.Client, err = client.New(t.Context(), baseURL, client.WithHTTPClient(&http.Client{Transport: transport, Timeout: timeout}))
	require.NoError(t, err)
	return s
}
