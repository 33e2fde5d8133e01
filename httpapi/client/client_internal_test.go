package client

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// That it helps takes longer to see than a test should take.
func TestASilentHTTP2ConnectionIsAskedWhetherItIsThere(t *testing.T) {
	t.Parallel()
	c := &Client{settings: defaults()}
	c.connect()
	transport, ok := c.calls.Transport.(*http.Transport)
	require.True(t, ok)
	require.NotNil(t, transport.HTTP2)
	assert.Equal(t, pingAfter, transport.HTTP2.SendPingTimeout)
	assert.Equal(t, pingWithin, transport.HTTP2.PingTimeout)
	assert.Same(t, transport, c.streams.Transport)

	theirs := &http.Transport{}
	c = &Client{settings: defaults()}
	c.transport = &http.Client{Transport: theirs}
	c.connect()
	assert.Nil(t, theirs.HTTP2, "what is the user's is not changed")
}
