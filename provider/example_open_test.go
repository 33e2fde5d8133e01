package provider_test

import (
	"context"
	"fmt"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
)

// From a configuration to an instance. A program reads it with OpenFile.
func ExampleOpen() {
	ctx := context.Background()
	config, err := provider.ParseConfig("hosting.yaml", []byte(`
hosting:
  defaultProvider: main
  main: {type: fake}
  edge: {type: fake, regions: [store-1]}
  defaults:
    resources: {cpuLimit: 500m, memoryLimit: 512Mi}
`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	host, err := provider.Open(ctx, config, map[string]driver.Opener{"fake": fake.Open})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer host.Close()
	for _, region := range []string{"default", "store-1"} {
		instance, err := host.Provider().CreateInstance(ctx, hosting.CloudHostingConfig{
			InstanceName: "hello", InstanceType: hosting.TypeDeployment, Region: region,
			Container: &hosting.ContainerConfig{Image: "nginx:1.29", Ports: []int{80}},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(instance.ID, "on", instance.Provider)
	}
	// Output:
	// main:default.deployment.hello on main
	// edge:store-1.deployment.hello on edge
}

// All that is wrong is told at once.
func ExampleParseConfig() {
	_, err := provider.ParseConfig("hosting.yaml", []byte(`hosting:
  fake:
  defaults:
    resources: {cpuLimit: 500mb}
  monitoring: {metricsIntervall: 60s}
`), nil)
	fmt.Println(err)
	// Output:
	// InvalidConfig (InvalidArgument): 2 problems:
	// hosting.yaml:4: hosting.defaults.resources.cpuLimit: "500mb": allowed: cores, such as 0.5, 2, or 500m (thousandths)
	// hosting.yaml:5: hosting.monitoring.metricsIntervall: unknown key (did you mean "metricsInterval"?): allowed: enabled, metricsInterval, logRetention
}
