package provider_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/internal/reference"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/conformance"
	"skillcenter.io/hosting/provider/driver"
)

// backend is a fake as a backend of a Router, without services and the other
// things that a platform need not have.
func backend(name string, p *fake.Provider) provider.Named {
	return provider.Named{Name: name, Backend: driver.Backend{Provider: p, Volumes: p}}
}

// newRouter makes a Router whose default provider is the first.
func newRouter(t *testing.T, backends ...provider.Named) *provider.Router {
	t.Helper()
	r, err := provider.NewRouter(backends[0].Name, backends)
	require.NoError(t, err)
	return r
}

// deployment is the smallest configuration.
func deployment(name string) hosting.CloudHostingConfig {
	return hosting.CloudHostingConfig{
		InstanceName: name, InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "registry.example.com/web:1", Ports: []int{8080}},
	}
}

// failed returns err as the error of a provider.
func failed(t *testing.T, err error) *hosting.Error {
	t.Helper()
	var e *hosting.Error
	require.ErrorAs(t, err, &e)
	return e
}

// conform runs the suite in virtual time.
func conform(t *testing.T, open func() hosting.CloudHostingProvider, names ...string) {
	conformance.Run(t, conformance.Harness{
		Provider:      func(*testing.T) hosting.CloudHostingProvider { return open() },
		Container:     reference.Container,
		Wrap:          func(t *testing.T, run func(*testing.T)) { synctest.Test(t, run) },
		ProviderNames: names,
	})
}

// emptyKubeconfig returns a kubeconfig that names no cluster.
func emptyKubeconfig(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	content := "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n" +
		"contexts: [{name: c, context: {cluster: c}}]\ncurrent-context: c\n"
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}
