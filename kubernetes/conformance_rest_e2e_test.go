//go:build linux && e2e

package kubernetes_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/httpapi/client"
	"skillcenter.io/hosting/kubernetes"
)

// Through REST the suites see what callers on other machines do. The provider
// without a cache is held to the suite directly, and those with a cache and with
// an extension here: what they do wrong shows through the client too, which
// adds nothing to an answer and asks for no instance after a change.

func TestKubernetesConformsWithACacheOverREST(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	p := w.provider(t, w.asShipped(t), smallPods, func(c *kubernetes.Config) { c.Cache = true })
	run(t, p)
	unimplemented := hosting.UnimplementedAdapter{}
	requireConforms(t, overREST(t, p, storage{unimplemented, unimplemented, p, p}))
}

// storage is an extension with volumes and services and nothing else.
type storage struct {
	hosting.AutoScaler
	hosting.CompatibilityChecker
	hosting.ServiceDiscovery
	hosting.VolumeManager
}

func (storage) IsAvailable(context.Context) bool { return true }

// overREST serves a provider and its extension on loopback, and returns a client
// of that.
func overREST(t *testing.T, p hosting.CloudHostingProvider, x hosting.HostingExtensionSdkAdapter) *client.Client {
	t.Helper()
	const token = "0123456789abcdef0123456789abcdef"
	authorize, err := httpapi.BearerToken(token)
	require.NoError(t, err)
	api, err := httpapi.New(p, x, httpapi.WithAuthorizer(authorize))
	require.NoError(t, err)
	server := httptest.NewServer(api)
	t.Cleanup(func() { // after all cases, which run in parallel
		ctx, cancel := context.WithTimeout(context.Background(), waitTime)
		defer cancel()
		assert.NoError(t, api.Shutdown(ctx))
		server.Close()
	})
	c, err := client.New(t.Context(), server.URL+"/api/hosting", client.WithToken(token))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c
}
