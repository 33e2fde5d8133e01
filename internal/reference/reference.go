// Package reference has what the conformance suite needs of a provider in
// memory, for the tests of everything that the suite is run on.
package reference

import (
	"context"
	"fmt"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider/conformance"
)

// Provider is the fake with containers that do what the suite asks for.
type Provider struct{ *fake.Provider }

// New returns a provider without instances.
func New() Provider { return Provider{fake.New(fake.WithWorkload(workload))} }

const missingImage = "registry.example.com/missing:1"

// CreateInstance lets the image that is missing be missing.
func (p Provider) CreateInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	p.miss(config)
	return p.Provider.CreateInstance(ctx, config)
}

// ApplyInstance lets the image that is missing be missing.
func (p Provider) ApplyInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	p.miss(config)
	return p.Provider.ApplyInstance(ctx, config)
}

func (p Provider) miss(config hosting.CloudHostingConfig) {
	if config.Container != nil && config.Container.Image == missingImage {
		p.InjectStart(fake.StartFault{Instance: config.InstanceName, Failure: fake.ImagePullBackOff})
	}
}

// Container returns the container that does what the suite asks for.
func Container(w conformance.Workload) hosting.ContainerConfig {
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
