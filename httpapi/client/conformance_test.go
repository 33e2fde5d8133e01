package client_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/httpapi/client"
	"skillcenter.io/hosting/internal/pipehttp"
	"skillcenter.io/hosting/internal/reference"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/conformance"
	"skillcenter.io/hosting/provider/driver"
	"skillcenter.io/hosting/provider/store"
)

// overREST returns a client of a provider and its extension, in this process.
func overREST(t *testing.T, p hosting.CloudHostingProvider, x hosting.HostingExtensionSdkAdapter, options ...client.Option) *client.Client {
	t.Helper()
	api, err := httpapi.New(p, x, httpapi.AllowAnonymous())
	require.NoError(t, err)
	return connect(t, api, options...)
}

// connect returns a client of a handler, in this process.
func connect(t *testing.T, api *httpapi.API, options ...client.Option) *client.Client {
	t.Helper()
	server := pipehttp.Serve(api)
	t.Cleanup(func() {
		// Past the end of the test: its own context has ended.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, api.Shutdown(ctx))
		server.Close()
	})
	c, err := client.New(context.Background(), "http://hosting.test/api/hosting",
		append([]client.Option{client.WithHTTPClient(httpClient(server))}, options...)...)
	require.NoError(t, err)
	return c
}

// platform is a provider with everything that there is: a Router over references
// of these names, and its extension.
type platform struct {
	router     *provider.Router
	references map[string]reference.Provider
	controller *autoscale.Controller
	extension  *provider.Extension
}

const interval = 5 * time.Second

func openPlatform(t *testing.T, names ...string) platform {
	t.Helper()
	p := platform{references: map[string]reference.Provider{}}
	var backends []provider.Named
	for _, name := range names {
		r := reference.New()
		p.references[name] = r
		backends = append(backends, provider.Named{Name: name, Backend: driver.Backend{Provider: r, Volumes: r, Services: r, Scaling: r, Checker: r}})
	}
	var err error
	p.router, err = provider.NewRouter(names[0], backends)
	require.NoError(t, err)
	p.controller, err = autoscale.New(autoscale.Config{Provider: p.router, Backend: p.router, Store: store.NewMemory(),
		Interval: interval, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	p.extension = provider.NewExtension(provider.ExtensionConfig{Router: p.router, AutoScaler: p.controller, Catalog: skills{}})
	return p
}

// skills has a skill that can be hosted and one that cannot.
type skills struct{}

func (skills) Skill(_ context.Context, id string) (provider.Skill, error) {
	config := hosting.CloudHostingConfig{
		InstanceName: "skill", InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "registry.example.com/skill:1", Ports: []int{8080},
			HealthCheck: &hosting.HealthCheck{TCP: &hosting.TCPCheck{Port: 8080}}},
		Resources: &hosting.ResourceConfig{CPULimit: 1, CPURequest: 0.5, MemoryLimit: 1 << 30, MemoryRequest: 1 << 29},
	}
	switch id {
	case "fits":
	case "unfit":
		config.Container.Image = "no image"
	default:
		return provider.Skill{}, hosting.Errorf("", hosting.CompatibilityFailed, hosting.NotFound, "there is no skill %s", id)
	}
	return provider.Skill{ID: id, Name: id, Type: "service", Config: config}, nil
}

func harness(open func(t *testing.T) hosting.CloudHostingProvider, names ...string) conformance.Harness {
	return conformance.Harness{
		Provider:      open,
		Container:     reference.Container,
		Wrap:          func(t *testing.T, run func(*testing.T)) { synctest.Test(t, run) },
		ProviderNames: names,
	}
}

func TestAClientOfOneProviderConforms(t *testing.T) {
	t.Parallel()
	conformance.Run(t, harness(func(t *testing.T) hosting.CloudHostingProvider {
		r := reference.New()
		return overREST(t, r, storage{hosting.UnimplementedAdapter{}, hosting.UnimplementedAdapter{}, r, r})
	}, "fake"))
}

// storage is an extension with volumes and services and nothing else.
type storage struct {
	hosting.AutoScaler
	hosting.CompatibilityChecker
	hosting.ServiceDiscovery
	hosting.VolumeManager
}

func (storage) IsAvailable(context.Context) bool { return true }

func TestAClientOfTwoProvidersConforms(t *testing.T) {
	t.Parallel()
	conformance.Run(t, harness(func(t *testing.T) hosting.CloudHostingProvider {
		p := openPlatform(t, "a", "b")
		return overREST(t, p.router, p.extension)
	}, "a", "b"))
}

// remote is a client and what is behind it.
type remote struct {
	*client.Client
	platform
}

func TestAClientOfAnExtensionConforms(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{{"a"}, {"a", "b"}} {
		conformance.RunExtension(t, conformance.ExtensionHarness{
			Harness: harness(func(t *testing.T) hosting.CloudHostingProvider {
				p := openPlatform(t, names...)
				return remote{overREST(t, p.router, p.extension), p}
			}, names...),
			Open: func(_ *testing.T, p hosting.CloudHostingProvider) conformance.Extension {
				r := p.(remote)
				return conformance.Extension{Adapter: r.Client, Run: r.controller.Run, Interval: interval, Load: r.load, Skill: "fits", UnfitSkill: "unfit"}
			},
		})
	}
}

// load lets each replica of an instance use a share of its CPU limit.
func (r remote) load(id string, percent float64) error {
	in, err := r.GetInstance(context.Background(), id)
	if err != nil {
		return err
	}
	parsed, err := hosting.ParseID(id)
	if err != nil {
		return err
	}
	parsed.Provider = ""
	return r.references[in.Provider].SetLoad(parsed.String(), fake.Load{CPU: percent / 100 * in.Resources.CPULimit})
}
