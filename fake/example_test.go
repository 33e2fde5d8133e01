package fake_test

import (
	"context"
	"fmt"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
)

func ExampleNew() {
	ctx := context.Background()
	// Without WithWorkload a replica takes two seconds to start.
	p := fake.New(fake.WithName("demo"), fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload {
		return fake.Workload{StartTime: 10 * time.Millisecond}
	}))
	instance, err := p.CreateInstance(ctx, hosting.CloudHostingConfig{
		InstanceName: "web", InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "nginx:1.29", Ports: []int{80}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(instance.ID, "is", instance.Status)

	instance, err = hosting.WaitForStatus(ctx, p, instance.ID, hosting.WaitOptions{Interval: time.Millisecond}, hosting.StatusRunning)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(instance.ID, "is", instance.Status, "at", instance.Endpoint.URL)
	// Output:
	// default.deployment.web is creating
	// default.deployment.web is running at http://web.default.fake.local:80
}

func ExampleProvider_InjectStart() {
	ctx := context.Background()
	p := fake.New(fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload {
		return fake.Workload{StartTime: -1} // at once
	}))
	// The second replica to start cannot pull its image.
	p.InjectStart(fake.StartFault{Instance: "web", Start: 2, Failure: fake.ImagePullBackOff})

	created, err := p.CreateInstance(ctx, hosting.CloudHostingConfig{
		InstanceName: "web", InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "nginx:1.29"},
		Scaling:   &hosting.ScaleConfig{MinReplicas: 2},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	instance, _ := p.GetInstance(ctx, created.ID)
	fmt.Println(instance.Status, instance.Metadata[hosting.MetadataReason])

	p.ClearFaults()
	instance, _ = p.GetInstance(ctx, created.ID)
	fmt.Println(instance.Status)
	// Output:
	// degraded ImagePullBackOff
	// running
}

func ExampleProvider_InjectCall() {
	p := fake.New()
	// The next call answers that the platform is away, and works after that.
	p.InjectCall(fake.CallFault{Method: "ListInstances", Calls: 1, Reason: hosting.Unavailable})
	for range 2 {
		_, err := p.ListInstances(context.Background())
		fmt.Println(err)
	}
	// Output:
	// fake: ListFailed (Unavailable): injected fault: Unavailable
	// <nil>
}
