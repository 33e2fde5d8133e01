package provider_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/conformance"
	"skillcenter.io/hosting/provider/driver"
)

// backend is a fake as a backend of a Router.
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

// reference is the fake with containers that do what the conformance suite asks
// for.
type reference struct{ *fake.Provider }

func newReference() reference { return reference{fake.New(fake.WithWorkload(workload))} }

const missingImage = "registry.example.com/missing:1"

func (p reference) CreateInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	p.miss(config)
	return p.Provider.CreateInstance(ctx, config)
}

func (p reference) ApplyInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	p.miss(config)
	return p.Provider.ApplyInstance(ctx, config)
}

// miss lets the image that is missing be missing.
func (p reference) miss(config hosting.CloudHostingConfig) {
	if config.Container != nil && config.Container.Image == missingImage {
		p.InjectStart(fake.StartFault{Instance: config.InstanceName, Failure: fake.ImagePullBackOff})
	}
}

func container(w conformance.Workload) hosting.ContainerConfig {
	if w == conformance.MissingImage {
		return hosting.ContainerConfig{Image: missingImage}
	}
	return hosting.ContainerConfig{Image: "registry.example.com/conformance:1", Args: []string{string(w)}}
}

func workload(config hosting.CloudHostingConfig) fake.Workload {
	w := fake.Workload{LogInterval: 200 * time.Millisecond, LogLine: logLine}
	if len(config.Container.Args) == 0 {
		return w
	}
	switch conformance.Workload(config.Container.Args[0]) {
	case conformance.Serve:
		w.RunTime = 1000 * time.Hour
	case conformance.Complete:
		w.RunTime = 5 * time.Second
	case conformance.Fail:
		w.RunTime, w.ExitCode = time.Second, 1
	}
	return w
}

func logLine(n int) string {
	levels := map[int]string{2: "ERROR ", 4: "WARN ", 6: "INFO "}
	return fmt.Sprintf("%sline %d", levels[n], n+1)
}

// conform runs the suite in virtual time.
func conform(t *testing.T, open func() hosting.CloudHostingProvider, names ...string) {
	conformance.Run(t, conformance.Harness{
		Provider:      func(*testing.T) hosting.CloudHostingProvider { return open() },
		Container:     container,
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
