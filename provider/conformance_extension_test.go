package provider_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/internal/reference"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/conformance"
	"skillcenter.io/hosting/provider/driver"
	"skillcenter.io/hosting/provider/store"
)

// openExtended is openReferences with everything that there is.
func openExtended(names ...string) *provider.Router {
	var backends []provider.Named
	for _, name := range names {
		p := reference.New()
		backends = append(backends, provider.Named{Name: name, Backend: driver.Backend{Provider: p, Volumes: p, Services: p, Scaling: p, Checker: p}})
	}
	r, err := provider.NewRouter(names[0], backends)
	if err != nil {
		panic(err)
	}
	return r
}

// extendedOnOther creates volumes where onOther creates instances.
type extendedOnOther struct {
	*provider.Extension
	other string
}

func (x extendedOnOther) CreateVolume(ctx context.Context, volume hosting.Volume) (hosting.Volume, error) {
	if volume.Provider == "" {
		volume.Provider = x.other
	}
	return x.Extension.CreateVolume(ctx, volume)
}

// conformExtended runs the suite of extensions in virtual time.
func conformExtended(t *testing.T, open func() hosting.CloudHostingProvider, routerOf func(hosting.CloudHostingProvider) *provider.Router, other string, names ...string) {
	conformance.RunExtension(t, conformance.ExtensionHarness{
		Harness: conformance.Harness{
			Provider:      func(*testing.T) hosting.CloudHostingProvider { return open() },
			Container:     reference.Container,
			Wrap:          func(t *testing.T, run func(*testing.T)) { synctest.Test(t, run) },
			ProviderNames: names,
		},
		Open: func(t *testing.T, p hosting.CloudHostingProvider) conformance.Extension {
			router := routerOf(p)
			controller, err := autoscale.New(autoscale.Config{Provider: router, Backend: router, Store: store.NewMemory(),
				Interval: 5 * time.Second, Logger: slog.New(slog.DiscardHandler)})
			require.NoError(t, err)
			extension := provider.NewExtension(provider.ExtensionConfig{Router: router, AutoScaler: controller})
			return conformance.Extension{Adapter: extendedOnOther{extension, other}, Run: controller.Run, Interval: 5 * time.Second}
		},
	})
}

func TestTheExtensionOverTwoProvidersConforms(t *testing.T) {
	conformExtended(t, func() hosting.CloudHostingProvider { return openExtended("a", "b") },
		func(p hosting.CloudHostingProvider) *provider.Router { return p.(*provider.Router) }, "a", "a", "b")
}

func TestTheExtensionOverAProviderThatIsNotTheDefaultConforms(t *testing.T) {
	conformExtended(t, func() hosting.CloudHostingProvider { return onOther{openExtended("a", "b"), "b"} },
		func(p hosting.CloudHostingProvider) *provider.Router { return p.(onOther).Router }, "b", "a", "b")
}
