package conformance_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/internal/reference"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/conformance"
	"skillcenter.io/hosting/provider/driver"
	"skillcenter.io/hosting/provider/store"
)

// skills is a catalog.
type skills map[string]hosting.CloudHostingConfig

func (s skills) Skill(_ context.Context, id string) (provider.Skill, error) {
	config, known := s[id]
	if !known {
		return provider.Skill{}, fmt.Errorf("no skill: %w", hosting.NotFound)
	}
	return provider.Skill{ID: id, Name: id, Type: "test", Config: config}, nil
}

func catalog() skills {
	config := func(typ string) hosting.CloudHostingConfig {
		return hosting.CloudHostingConfig{InstanceName: "skill", InstanceType: typ, Resources: &hosting.ResourceConfig{CPULimit: 0.5, MemoryLimit: 64 << 20},
			Container: &hosting.ContainerConfig{Image: "registry.example.com/skill@sha256:" +
				"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", Ports: []int{8080},
				HealthCheck: &hosting.HealthCheck{TCP: &hosting.TCPCheck{Port: 8080}}}}
	}
	return skills{"fits": config(hosting.TypeDeployment), "unfit": config("spaceship")}
}

// extended is the reference behind a Router. A defect sees what has been called
// in after, which is given the id of the instance.
type extended struct {
	*provider.Router
	reference reference.Provider
	after     *func(call, id string, config hosting.CloudHostingConfig)
}

func newExtended() extended {
	p := reference.New()
	router, err := provider.NewRouter("fake", []provider.Named{{Name: "fake", Backend: driver.Backend{Provider: p, Volumes: p, Services: p, Checker: p}}})
	if err != nil {
		panic(err)
	}
	nothing := func(string, string, hosting.CloudHostingConfig) {}
	return extended{router, p, &nothing}
}

func (x extended) done(call, id string, config hosting.CloudHostingConfig, err error) error {
	if err == nil {
		(*x.after)(call, id, config)
	}
	return err
}

func (x extended) CreateInstance(c ctx, config hosting.CloudHostingConfig) (instance, error) {
	in, err := x.Router.CreateInstance(c, config)
	return in, x.done("create", in.ID, config, err)
}

func (x extended) ApplyInstance(c ctx, config hosting.CloudHostingConfig) (instance, error) {
	in, err := x.Router.ApplyInstance(c, config)
	return in, x.done("apply", in.ID, config, err)
}

func (x extended) RollbackInstance(c ctx, id string, revision int) (instance, error) {
	in, err := x.Router.RollbackInstance(c, id, revision)
	return in, x.done("rollback", in.ID, config{}, err)
}

func (x extended) RestartInstance(c ctx, id string) error {
	return x.done("restart", id, config{}, x.Router.RestartInstance(c, id))
}

func (x extended) StartInstance(c ctx, id string) error {
	return x.done("start", id, config{}, x.Router.StartInstance(c, id))
}

func (x extended) ScaleInstance(c ctx, id string, replicas int) error {
	return x.done("scale", id, config{}, x.Router.ScaleInstance(c, id, replicas))
}

const interval = 5 * time.Second

// extension returns the sound extension.
func (x extended) extension() conformance.Extension { return x.extensionOn(x.Router) }

// extensionOn is extension whose policies act on p.
func (x extended) extensionOn(p hosting.CloudHostingProvider) conformance.Extension {
	controller, err := autoscale.New(autoscale.Config{Provider: p, Backend: x.Router, Store: store.NewMemory(),
		Interval: interval, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	return conformance.Extension{
		Adapter:  provider.NewExtension(provider.ExtensionConfig{Router: x.Router, AutoScaler: controller, Catalog: catalog()}),
		Run:      controller.Run,
		Interval: interval,
		Load:     x.load,
		Skill:    "fits", UnfitSkill: "unfit",
	}
}

func (x extended) load(id string, percent float64) error {
	in, err := x.GetInstance(context.Background(), id)
	if err != nil {
		return err
	}
	return x.reference.SetLoad(id, fake.Load{CPU: percent / 100 * in.Resources.CPULimit})
}

// extensionHarness runs the suite of extensions in virtual time.
func extensionHarness(open func(extended) conformance.Extension) conformance.ExtensionHarness {
	return conformance.ExtensionHarness{
		Harness: harness(func() hosting.CloudHostingProvider { return newExtended() }),
		Open: func(_ *testing.T, p hosting.CloudHostingProvider) conformance.Extension {
			return open(p.(extended))
		},
	}
}

func TestTheExtensionOfTheFakeConforms(t *testing.T) {
	conformance.RunExtension(t, extensionHarness(extended.extension))
}
