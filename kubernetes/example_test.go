package kubernetes_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

// A configuration starts from the protocol's defaults. New checks it before it
// talks to any cluster.
func ExampleDefaultConfig() {
	config := kubernetes.DefaultConfig()
	config.Regions = []kubernetes.Region{
		{Name: "staging", Namespace: "skills-staging"},
		{Name: "production", Namespace: "kube-system"},
	}
	_, err := kubernetes.New(context.Background(), config)
	fmt.Println(errors.Is(err, hosting.InvalidArgument))
	fmt.Println(err)
	// Output:
	// true
	// kubernetes: InvalidConfig (InvalidArgument): configuration: regions[1].namespace "kube-system": allowed: no namespace of the cluster itself (kube-*)
}

// Render shows what an instance will consist of.
func ExampleRender() {
	objects, err := kubernetes.Render(hosting.CloudHostingConfig{
		InstanceName: "hello",
		InstanceType: hosting.TypeDeployment,
		Container:    &hosting.ContainerConfig{Image: "nginx:1.29", Ports: []int{80}},
	}, kubernetes.DefaultConfig())
	if err != nil {
		log.Fatal(err)
	}
	for _, object := range objects {
		fmt.Println(object.GetObjectKind().GroupVersionKind())
	}
	// Output:
	// /v1, Kind=ConfigMap
	// /v1, Kind=Service
	// policy/v1, Kind=PodDisruptionBudget
	// apps/v1, Kind=Deployment
}

// This needs a cluster, so it is compiled and not run; examples/kubernetes is
// a program that does.
func ExampleNew() {
	ctx := context.Background()
	config := kubernetes.DefaultConfig() // the current kubeconfig
	config.Namespace = "skills"
	provider, err := kubernetes.New(ctx, config)
	if err != nil {
		log.Fatal(err)
	}
	instance, err := provider.CreateInstance(ctx, hosting.CloudHostingConfig{
		InstanceName: "hello",
		InstanceType: hosting.TypeDeployment,
		Container:    &hosting.ContainerConfig{Image: "nginx:1.29", Ports: []int{80}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(instance.ID, instance.Status)
}
