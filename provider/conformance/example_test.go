package conformance_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider/conformance"
)

// A provider of your own: embedding UnimplementedProvider keeps it compiling
// when the protocol grows.
type cloud struct{ hosting.UnimplementedProvider }

func openCloud(endpoint string) (*cloud, error) { return &cloud{}, nil }

// A provider of your own is tested on its platform, with containers that the
// platform can run.
func Example() {
	testConformance := func(t *testing.T) { // func TestConformance(t *testing.T)
		provider, err := openCloud("https://staging.example.com")
		if err != nil {
			t.Fatal(err)
		}
		conformance.Run(t, conformance.Harness{
			Provider: func(*testing.T) hosting.CloudHostingProvider { return provider },
			Container: func(workload conformance.Workload) hosting.ContainerConfig {
				if workload == conformance.MissingImage {
					return hosting.ContainerConfig{Image: "registry.example.com/there-is-no-such-image:1"}
				}
				return hosting.ContainerConfig{Image: "registry.example.com/conformance:1", Args: []string{string(workload)}}
			},
			Types:    []string{hosting.TypeDeployment, hosting.TypeJob},
			Timeout:  3 * time.Minute,
			Parallel: true,
		})
	}
	_ = testConformance
}

// An extension of your own: embedding UnimplementedAdapter keeps it compiling
// when the protocol grows.
type ownRegistry struct{ hosting.UnimplementedAdapter }

// An extension of your own is tested with a provider whose instances it serves.
func ExampleRunExtension() {
	testConformance := func(t *testing.T) { // func TestExtensionConformance(t *testing.T)
		conformance.RunExtension(t, conformance.ExtensionHarness{
			Harness: conformance.Harness{
				Provider: func(*testing.T) hosting.CloudHostingProvider { return &cloud{} },
				Container: func(workload conformance.Workload) hosting.ContainerConfig {
					return hosting.ContainerConfig{Image: "registry.example.com/conformance:1", Args: []string{string(workload)}}
				},
				VolumeSize: 10 << 30, // the platform has none that are smaller
			},
			Open: func(t *testing.T, p hosting.CloudHostingProvider) conformance.Extension {
				return conformance.Extension{Adapter: &ownRegistry{}}
			},
		})
	}
	_ = testConformance
}

// The table of what a provider can do is made from what it says, so that the
// documentation can be compared with it.
func ExampleCapabilityTable() {
	table, err := conformance.CapabilityTable(context.Background(), fake.New())
	if err != nil {
		panic(err)
	}
	fmt.Println(strings.Split(table, "\n")[0])
	// Output: | capability | deployment | statefulset | daemonset | job | cronjob |
}
