package discovery_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/discovery"
)

// server answers with its own address, and counts.
func server(t *testing.T, handler http.HandlerFunc) (address string, requests *atomic.Int32) {
	t.Helper()
	requests = new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if handler != nil {
			handler(w, r)
			return
		}
		fmt.Fprint(w, r.Context().Value(http.LocalAddrContextKey))
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), requests
}

// refusing is an address where nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// clientOf calls the services of a directory.
func clientOf(t *testing.T, finder hosting.ServiceDiscovery) *http.Client {
	t.Helper()
	client := &http.Client{Transport: &discovery.Transport{Discovery: finder}}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func body(t *testing.T, response *http.Response, err error) string {
	t.Helper()
	require.NoError(t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(data)
}

func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	response, err := client.Get(url)
	return body(t, response, err)
}

func TestARequestToAServiceGoesToItsAddressesInTurn(t *testing.T) {
	t.Parallel()
	a, countA := server(t, nil)
	b, countB := server(t, nil)
	client := clientOf(t, &directory{services: []hosting.ServiceRegistration{service("s", a, b)}})
	for range 10 {
		assert.Contains(t, []string{a, b}, get(t, client, "http://ORDERS/today?x=1"))
	}
	assert.EqualValues(t, 5, countA.Load())
	assert.EqualValues(t, 5, countB.Load())
}

func TestTheHostHeaderIsTheNameOfTheService(t *testing.T) {
	t.Parallel()
	at, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/here", http.StatusFound)
			return
		}
		fmt.Fprint(w, r.Host, " ", r.URL.RequestURI())
	})
	client := clientOf(t, &directory{services: []hosting.ServiceRegistration{service("s", at)}})
	assert.Equal(t, "orders /a%2Fb?x=1", get(t, client, "http://orders/a%2Fb?x=1"))
	assert.Equal(t, "orders:80 /", get(t, client, "http://orders:80/"))
	assert.Equal(t, "orders /here", get(t, client, "http://orders/moved"), "a redirect leads to the service again")

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://orders/", nil)
	require.NoError(t, err)
	request.Host = "shop.example.com"
	response, err := client.Do(request)
	require.NoError(t, err)
	assert.Equal(t, "http://orders/", response.Request.URL.String(), "the response is that of the caller's request")
	assert.Equal(t, "shop.example.com /", body(t, response, nil))
	assert.Equal(t, "orders", request.URL.Host, "the caller's request stays as it is")
}

func TestARequestThatNobodyHasReceivedIsTriedElsewhere(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(client *http.Client) (*http.Response, error){
		"GET": func(client *http.Client) (*http.Response, error) { return client.Get("http://orders/") },
		"POST": func(client *http.Client) (*http.Response, error) {
			return client.Post("http://orders/", "text/plain", strings.NewReader("hello"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, count := server(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
			finder := &directory{services: []hosting.ServiceRegistration{service("s", refusing(t), at, refusing(t))}}
			client := clientOf(t, finder)
			for range 20 {
				response, err := send(client)
				want := ""
				if name == "POST" {
					want = "hello"
				}
				assert.Equal(t, want, body(t, response, err))
			}
			assert.EqualValues(t, 20, count.Load())
		})
	}
}

func TestABodyThatCannotBeSentTwiceIsNot(t *testing.T) {
	t.Parallel()
	client := clientOf(t, &directory{services: []hosting.ServiceRegistration{service("s", refusing(t), refusing(t))}})
	sent := &spyBody{Reader: strings.NewReader("hello")}
	_, err := client.Post("http://orders/", "text/plain", sent)
	require.Error(t, err)
	var refused *net.OpError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "dial", refused.Op)
	assert.Eventually(t, sent.closed.Load, time.Minute, time.Millisecond)
}

type spyBody struct {
	io.Reader
	closed atomic.Bool
}

func (s *spyBody) Close() error {
	s.closed.Store(true)
	return nil
}

// hangUp breaks the connection of a request that it has received.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestOnlyARequestThatMayBeRepeatedIsSentAgainAfterItWasLost(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method, key, body string
		again             bool
	}{
		"GET":                 {method: http.MethodGet, again: true},
		"HEAD":                {method: http.MethodHead, again: true},
		"POST":                {method: http.MethodPost, body: "x"},
		"POST without a body": {method: http.MethodPost},
		"PUT":                 {method: http.MethodPut, body: "x"},
		"DELETE":              {method: http.MethodDelete},
		"POST with a key":     {method: http.MethodPost, key: "1", body: "x", again: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad, received := server(t, hangUp)
			good, _ := server(t, nil)
			client := clientOf(t, &directory{services: []hosting.ServiceRegistration{service("s", bad, good)}})
			failed := 0
			for range 10 {
				request, err := http.NewRequestWithContext(t.Context(), test.method, "http://orders/", bytes.NewReader([]byte(test.body)))
				require.NoError(t, err)
				if test.key != "" {
					request.Header.Set("Idempotency-Key", test.key)
				}
				before := received.Load()
				response, err := client.Do(request)
				if err != nil {
					failed++
					assert.EqualValues(t, 1, received.Load()-before, "it was sent once")
					continue
				}
				response.Body.Close()
			}
			if test.again {
				assert.Zero(t, failed)
				assert.Positive(t, received.Load())
			} else {
				assert.Equal(t, 5, failed)
			}
		})
	}
}

func TestAnAnswerIsNeverAReasonToTryAgain(t *testing.T) {
	t.Parallel()
	at, count := server(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	client := clientOf(t, &directory{services: []hosting.ServiceRegistration{service("s", at, at)}})
	response, err := client.Get("http://orders/")
	require.NoError(t, err)
	response.Body.Close()
	assert.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	assert.EqualValues(t, 1, count.Load())
}

func TestARequestIsTriedOnFourAddressesAtMost(t *testing.T) {
	t.Parallel()
	var addresses []string
	for i := range 10 {
		addresses = append(addresses, fmt.Sprintf("10.0.0.%d", i))
	}
	var tried []string
	transport := &discovery.Transport{
		Discovery: &directory{services: []hosting.ServiceRegistration{service("s", addresses...)}},
		Base: roundTrip(func(r *http.Request) (*http.Response, error) {
			tried = append(tried, r.URL.Host)
			return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
		}),
	}
	_, err := (&http.Client{Transport: transport}).Get("http://orders/")
	require.ErrorContains(t, err, "refused")
	assert.Len(t, tried, 4)
	seen := map[string]bool{}
	for _, at := range tried {
		assert.False(t, seen[at], "each once")
		seen[at] = true
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestWhenAllAddressesHaveFailedItLooksForNewOnes(t *testing.T) {
	t.Parallel()
	at, _ := server(t, nil)
	finder := &directory{services: []hosting.ServiceRegistration{service("s", refusing(t))}}
	client := clientOf(t, finder)
	_, err := client.Get("http://orders/")
	require.Error(t, err)
	finder.say(nil, service("s", at))
	// A second has not passed; the addresses are a little older than a moment.
	require.Eventually(t, func() bool {
		response, err := client.Get("http://orders/")
		if err != nil {
			return false
		}
		return response.Body.Close() == nil
	}, 900*time.Millisecond, 20*time.Millisecond)
}

func TestRequestsThatNameNoServiceAreRefused(t *testing.T) {
	t.Parallel()
	at, count := server(t, nil)
	client := clientOf(t, &directory{services: []hosting.ServiceRegistration{service("s", at)}})
	for url, want := range map[string]struct {
		code   hosting.Code
		reason hosting.Reason
		says   string
	}{
		"http://nobody/":          {hosting.ServiceNotFound, hosting.NotFound, "there is no service nobody"},
		"http://api.example.com/": {hosting.ServiceFailed, hosting.InvalidArgument, `serviceName "api.example.com"`},
		"http://u:p@a.b/":         {hosting.ServiceFailed, hosting.InvalidArgument, "http://u:xxxxx@a.b/"},
		"http://orders:8443/":     {hosting.ServiceFailed, hosting.InvalidArgument, `port "8443": allowed: none, or that of service orders`},
	} {
		sent := &spyBody{Reader: strings.NewReader("hello")}
		_, err := client.Post(url, "text/plain", sent)
		requireFailed(t, err, want.code, want.reason)
		assert.ErrorContains(t, err, want.says, url)
		assert.True(t, sent.closed.Load(), url)
	}
	assert.Zero(t, count.Load())
}

func TestARequestThatIsCancelledIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	transport := &discovery.Transport{
		Discovery: &directory{services: []hosting.ServiceRegistration{service("s", "a", "b")}},
		Base: roundTrip(func(r *http.Request) (*http.Response, error) {
			tries++
			cancel()
			return nil, &net.OpError{Op: "dial", Err: r.Context().Err()}
		}),
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://orders/", nil)
	require.NoError(t, err)
	_, err = transport.RoundTrip(request)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 1, tries)
}

func TestAnAddressIsInUseUntilTheBodyIsClosed(t *testing.T) {
	t.Parallel()
	a, countA := server(t, nil)
	b, countB := server(t, nil)
	client := clientOf(t, &directory{services: []hosting.ServiceRegistration{with(service("s", a, b), hosting.StrategyLeastConnections)}})
	slow, err := client.Get("http://orders/")
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, slow.Body) // read, but not closed
	require.NoError(t, err)
	first, other := countA, countB
	if countB.Load() == 1 {
		first, other = countB, countA
	}
	for range 5 {
		get(t, client, "http://orders/")
	}
	assert.EqualValues(t, 5, other.Load())
	slow.Body.Close()
	get(t, client, "http://orders/")
	get(t, client, "http://orders/")
	assert.EqualValues(t, 2, first.Load())
}

func TestAConnectionThatIsSwitchedCanBeWritten(t *testing.T) {
	t.Parallel()
	at, _ := server(t, func(w http.ResponseWriter, _ *http.Request) {
		connection, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer connection.Close()
		_, _ = buffer.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = buffer.Flush()
		_, _ = io.CopyN(connection, buffer, 5)
	})
	client := clientOf(t, &directory{services: []hosting.ServiceRegistration{service("s", at)}})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://orders/", nil)
	require.NoError(t, err)
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "echo")
	response, err := client.Do(request)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, response.StatusCode)
	connection := response.Body.(io.ReadWriteCloser)
	_, err = connection.Write([]byte("hello"))
	require.NoError(t, err)
	assert.Equal(t, "hello", body(t, response, nil))
}

// Servers go, without a delay after which nobody would call them any more, and
// come while many callers send what may be repeated: none of them notices.
func TestNoRequestFailsWhileServersAreReplaced(t *testing.T) {
	t.Parallel()
	start := func() (*http.Server, string) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })}
		go func() { _ = s.Serve(listener) }()
		return s, listener.Addr().String()
	}
	stable, at := start()
	defer stable.Close()
	finder := &directory{services: []hosting.ServiceRegistration{service("s", at)}}
	client := clientOf(t, finder)
	ctx, stop := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	var sent atomic.Int32
	for range 8 {
		wait.Go(func() {
			for ctx.Err() == nil {
				request, err := http.NewRequest(http.MethodGet, "http://orders/", strings.NewReader("x"))
				if !assert.NoError(t, err) {
					return
				}
				response, err := client.Do(request)
				if !assert.NoError(t, err) {
					return
				}
				data, err := io.ReadAll(response.Body)
				response.Body.Close()
				assert.NoError(t, err)
				assert.Equal(t, "x", string(data))
				sent.Add(1)
			}
		})
	}
	for range 5 {
		next, where := start()
		finder.say(nil, service("s", at, where))
		seen := sent.Load()
		require.Eventually(t, func() bool { return sent.Load() > seen+200 }, time.Minute, time.Millisecond)
		// Gone at once, and discovery says so only later.
		require.NoError(t, next.Shutdown(t.Context()))
	}
	stop()
	wait.Wait()
}

func TestAnyNameThatIsAskedForIsNotKept(t *testing.T) {
	t.Parallel()
	finder := &directory{}
	transport := &discovery.Transport{Discovery: finder}
	for i := range 100 {
		request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://name-%d/", i), nil)
		require.NoError(t, err)
		_, err = transport.RoundTrip(request)
		require.ErrorIs(t, err, hosting.NotFound)
	}
	assert.Zero(t, transport.Kept())
}
