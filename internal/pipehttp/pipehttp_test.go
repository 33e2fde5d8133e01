package pipehttp_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting/internal/pipehttp"
)

func TestHTTPTakesVirtualTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := pipehttp.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Hour)
			_, _ = io.Copy(w, r.Body)
		}))
		defer server.Close()
		start := time.Now()
		response, err := (&http.Client{Transport: server.Transport()}).Post("http://any.test/", "text/plain", strings.NewReader("hello"))
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		assert.Equal(t, "hello", string(body))
		assert.Equal(t, time.Hour, time.Since(start))
	})
}

func TestDisconnectBreaksWhatIsOpenAndCloseAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := pipehttp.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/wait" {
				<-r.Context().Done()
			}
		}))
		c := &http.Client{Transport: server.Transport()}
		get := func(path string) error {
			// The transport sends a GET again by itself.
			response, err := c.Post("http://any.test"+path, "text/plain", nil)
			if err == nil {
				_ = response.Body.Close()
			}
			return err
		}
		for _, end := range []func(){server.Disconnect, server.Close} {
			require.NoError(t, get("/"))
			broken := make(chan error, 1)
			go func() { broken <- get("/wait") }()
			synctest.Wait()
			end()
			require.Error(t, <-broken)
		}
		var op *net.OpError
		require.ErrorAs(t, get("/"), &op)
		assert.Equal(t, "dial", op.Op)
	})
}
