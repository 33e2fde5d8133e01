package conformance_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider/conformance"
)

// reference is the fake with containers that do what the suite asks for.
type reference struct{ *fake.Provider }

func newReference() reference {
	return reference{fake.New(fake.WithWorkload(workload))}
}

const missingImage = "registry.example.com/missing:1"

// CreateInstance lets the image that is missing be missing.
func (p reference) CreateInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	p.miss(config)
	return p.Provider.CreateInstance(ctx, config)
}

// ApplyInstance lets the image that is missing be missing.
func (p reference) ApplyInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	p.miss(config)
	return p.Provider.ApplyInstance(ctx, config)
}

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
	line := fmt.Sprintf("line %d", n+1)
	switch n {
	case 2:
		return "ERROR " + line
	case 4:
		return "WARN " + line
	case 6:
		return "INFO " + line
	}
	return line
}

// harness runs the suite in virtual time.
func harness(provider func() hosting.CloudHostingProvider) conformance.Harness {
	return conformance.Harness{
		Provider:  func(*testing.T) hosting.CloudHostingProvider { return provider() },
		Container: container,
		Wrap:      func(t *testing.T, run func(*testing.T)) { synctest.Test(t, run) },
	}
}

func TestFakeConforms(t *testing.T) {
	conformance.Run(t, harness(func() hosting.CloudHostingProvider { return newReference() }))
}

func TestCapabilityTable(t *testing.T) {
	table, err := conformance.CapabilityTable(t.Context(), fake.New(fake.WithInstanceTypes("deployment", "job")))
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := conformance.CapabilityTable(t.Context(), fake.New(fake.WithInstanceTypes("deployment", "job"))); again != table {
		t.Errorf("the table is %s\nand then %s", table, again)
	}
	if !strings.HasPrefix(table, "| capability | deployment | job |\n|---|---|---|\n| stop | yes") {
		t.Errorf("the table begins %.200q", table)
	}
	for _, c := range hosting.AllCapabilities() {
		if strings.Count(table, "\n| "+string(c)+" | ") != 1 {
			t.Errorf("the table has not one row of %s:\n%s", c, table)
		}
	}
	if _, err := conformance.CapabilityTable(t.Context(), hosting.UnimplementedProvider{}); err == nil {
		t.Error("no error for a provider without regions and types")
	}
	if os.Getenv("CONFORMANCE_PRINT") != "" {
		t.Log("\n" + table)
	}
}
