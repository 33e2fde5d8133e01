package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/httpapi/client"
)

// A client is used as the provider behind the server would be, its errors
// included.
func Example() {
	ctx := context.Background()
	authorize, err := httpapi.BearerToken("a-token-of-the-example")
	if err != nil {
		fmt.Println(err)
		return
	}
	api, err := httpapi.New(fake.New(), nil, httpapi.WithAuthorizer(authorize))
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(api)
	defer server.Close()

	c, err := client.New(ctx, server.URL+"/api/hosting", client.WithToken("a-token-of-the-example"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	instance, err := c.CreateInstance(ctx, hosting.CloudHostingConfig{
		InstanceName: "web", InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "nginx:1.29", Ports: []int{80}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(instance.ID, "is", instance.Status, "on", instance.Provider)

	err = c.StopInstance(ctx, "default.deployment.absent")
	fmt.Println(errors.Is(err, hosting.NotFound), err)
	// Output:
	// default.deployment.web is creating on fake
	// true fake: InstanceNotFound (NotFound): instance default.deployment.absent does not exist
}
