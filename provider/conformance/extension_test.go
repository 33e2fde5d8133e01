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

// extended is the reference behind a Router, and the extension of that.
type extended struct {
	*provider.Router
	reference reference
}

func newExtended() extended {
	p := newReference()
	router, err := provider.NewRouter("fake", []provider.Named{{Name: "fake", Backend: driver.Backend{Provider: p, Volumes: p, Services: p, Checker: p}}})
	if err != nil {
		panic(err)
	}
	return extended{router, p}
}

const interval = 5 * time.Second

// extension returns the sound extension.
func (x extended) extension() conformance.Extension {
	controller, err := autoscale.New(autoscale.Config{Provider: x.Router, Backend: x.Router, Store: store.NewMemory(),
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
