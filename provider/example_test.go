package provider_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
)

// Two providers behind one interface: ids tell them apart, and lists merge.
func ExampleNewRouter() {
	ctx := context.Background()
	office, cloud := fake.New(), fake.New(fake.WithRegions("south"))
	router, err := provider.NewRouter("office", []provider.Named{
		{Name: "office", Backend: driver.Backend{Provider: office, Volumes: office}},
		{Name: "cloud", Backend: driver.Backend{Provider: cloud, Volumes: cloud}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, region := range []string{"", "south"} { // which only the cloud has
		_, err := router.CreateInstance(ctx, hosting.CloudHostingConfig{
			InstanceName: "web", InstanceType: hosting.TypeDeployment, Region: region,
			Container: &hosting.ContainerConfig{Image: "nginx:1.29"},
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	instances, err := router.ListInstances(ctx)
	for _, instance := range instances {
		fmt.Println(instance.ID, instance.Provider)
	}
	fmt.Println(err)

	// One of them is down.
	cloud.InjectCall(fake.CallFault{Reason: hosting.Unavailable, Message: "no route to host"})
	instances, err = router.ListInstances(ctx)
	fmt.Println(len(instances), err)
	// Output:
	// cloud:south.deployment.web cloud
	// office:default.deployment.web office
	// <nil>
	// 1 cloud: ListFailed (Unavailable): provider cloud: no route to host
}

func ExampleObserve() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "duration" {
			return slog.Attr{} // they differ from run to run
		}
		return a
	}}))
	p := provider.Observe(fake.New(), logger)
	_ = p.StopInstance(context.Background(), "default.deployment.web")
	// Output: level=INFO msg="hosting call" method=StopInstance provider=fake instanceId=default.deployment.web errorCode=InstanceNotFound reason=NotFound error="fake: InstanceNotFound (NotFound): instance default.deployment.web does not exist"
}

// catalog has one skill.
type catalog struct{ config hosting.CloudHostingConfig }

func (c catalog) Skill(_ context.Context, skillID string) (provider.Skill, error) {
	if skillID != "web" {
		return provider.Skill{}, fmt.Errorf("%s: %w", skillID, hosting.NotFound)
	}
	return provider.Skill{ID: "web", Name: "A website", Type: "http", Config: c.config}, nil
}

func ExampleExtension_CheckCompatibility() {
	memory := fake.New()
	router, err := provider.NewRouter("memory", []provider.Named{
		{Name: "memory", Backend: driver.Backend{Provider: memory, Volumes: memory, Checker: memory}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	extension := provider.NewExtension(provider.ExtensionConfig{Router: router, Catalog: catalog{hosting.CloudHostingConfig{
		InstanceName: "web", InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "nginx", Ports: []int{80}, Env: map[string]string{"DB_PASSWORD": "1234"},
			HealthCheck: &hosting.HealthCheck{TCP: &hosting.TCPCheck{Port: 80}}},
		Resources: &hosting.ResourceConfig{CPULimit: 0.5, MemoryLimit: 64 << 20},
	}}})
	found, err := extension.CheckCompatibility(context.Background(), "web")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(found.CompatibilityScore, found.Recommendation)
	for _, suggestion := range found.Suggestions {
		fmt.Println(suggestion)
	}
	// Output:
	// 96 recommended, after a look at: image, secrets
	// image: name a version of the image: a tag, or better a digest
	// secrets: move container.env[DB_PASSWORD] to secretEnv, which no call returns and nothing logs
}
