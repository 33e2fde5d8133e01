package hosting_test

import (
	"errors"
	"fmt"

	"skillcenter.io/hosting"
)

func ExampleParseID() {
	id, err := hosting.ParseID("kubernetes:default.deployment.web")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(id.Provider, id.Region, id.Type, id.Name)

	_, err = hosting.ParseID("default.deployment.Web")
	fmt.Println(err)
	// Output:
	// kubernetes default deployment web
	// id "default.deployment.Web": name "Web": allowed: a lower-case letter, then letters, digits and '-', not ending in '-', at most 50 characters
}

func ExampleReasonOf() {
	// What a provider might return.
	err := fmt.Errorf("deploying: %w",
		hosting.Errorf("kubernetes", hosting.CreateFailed, hosting.QuotaExceeded, "namespace is full"))

	switch hosting.ReasonOf(err) {
	case hosting.QuotaExceeded:
		fmt.Println("ask for more quota:", err)
	case hosting.Unavailable, hosting.RateLimited:
		fmt.Println("try again later")
	}
	fmt.Println(errors.Is(err, hosting.QuotaExceeded), hosting.CodeOf(err))
	// Output:
	// ask for more quota: deploying: kubernetes: CreateFailed (QuotaExceeded): namespace is full
	// true CreateFailed
}

func ExampleCloudHostingConfig_Validate() {
	config := hosting.CloudHostingConfig{
		InstanceName: "web",
		InstanceType: hosting.TypeDeployment,
		Container:    &hosting.ContainerConfig{Image: "nginx:1.29", Ports: []int{80, 99999}},
		Resources:    &hosting.ResourceConfig{CPURequest: 2, CPULimit: 1},
	}
	var wrong hosting.FieldErrors
	if errors.As(config.Validate(), &wrong) {
		for _, field := range wrong {
			fmt.Println(field)
		}
	}
	// Output:
	// container.ports[1] 99999: allowed: 1 to 65535
	// resources.cpuRequest 2: allowed: at most cpuLimit, 1
}
