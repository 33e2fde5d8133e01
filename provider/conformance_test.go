package provider_test

import (
	"context"
	"testing"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/reference"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
)

// openReferences returns a Router over references of these names, none of which
// is the name that the reference has for itself.
func openReferences(names ...string) *provider.Router {
	var backends []provider.Named
	for _, name := range names {
		p := reference.New()
		backends = append(backends, provider.Named{Name: name, Backend: driver.Backend{Provider: p, Volumes: p, Services: p}})
	}
	r, err := provider.NewRouter(names[0], backends)
	if err != nil {
		panic(err)
	}
	return r
}

func TestARouterOverOneProviderConforms(t *testing.T) {
	conform(t, func() hosting.CloudHostingProvider { return openReferences("a") }, "a")
}

func TestARouterOverTwoProvidersConforms(t *testing.T) {
	conform(t, func() hosting.CloudHostingProvider { return openReferences("a", "b") }, "a", "b")
}

// onOther is a Router that creates everything on a provider that is not the
// default one.
type onOther struct {
	*provider.Router
	other string
}

func (o onOther) ProviderName() string { return o.other }

func (o onOther) named(config hosting.CloudHostingConfig) hosting.CloudHostingConfig {
	if config.Provider == "" {
		config.Provider = o.other
	}
	return config
}

func (o onOther) CreateInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	return o.Router.CreateInstance(ctx, o.named(config))
}

func (o onOther) CreateVolume(ctx context.Context, volume hosting.Volume) (hosting.Volume, error) {
	if volume.Provider == "" {
		volume.Provider = o.other
	}
	return o.Router.CreateVolume(ctx, volume)
}

func (o onOther) EstimateCost(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CostEstimate, error) {
	return o.Router.EstimateCost(ctx, o.named(config))
}

func (o onOther) ApplyInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	return o.Router.ApplyInstance(ctx, o.named(config))
}

func (o onOther) PlanInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.InstancePlan, error) {
	return o.Router.PlanInstance(ctx, o.named(config))
}

func TestAProviderThatIsNotTheDefaultConforms(t *testing.T) {
	conform(t, func() hosting.CloudHostingProvider { return onOther{openReferences("a", "b"), "b"} }, "a", "b")
}
