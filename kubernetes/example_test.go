package kubernetes_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
	"skillcenter.io/hosting/provider/store"
)

// A configuration starts from the protocol's defaults. New checks it and talks
// to no cluster.
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

// One provider for several clusters and namespaces. A region that is away does
// not hide the instances of the others.
func ExampleProvider_Check() {
	ctx := context.Background()
	config := kubernetes.DefaultConfig()
	config.Regions = []kubernetes.Region{
		{Name: "default", Namespace: "skills"},
		{Name: "staging", Namespace: "skills-staging"},
		{Name: "edge", Namespace: "skills", Kubeconfig: "/etc/skillcenter/edge.kubeconfig"},
	}
	provider, err := kubernetes.New(ctx, config)
	if err != nil {
		log.Fatal(err) // such as: region edge: kubeconfig: open /etc/skillcenter/edge.kubeconfig
	}
	if err := provider.Check(ctx); err != nil {
		log.Print(err) // names each region that cannot be used, and says why
	}
	instances, err := provider.ListInstances(ctx)
	if err != nil {
		log.Print(err) // instances holds what the other regions have
	}
	fmt.Println(len(instances))
}

// Documents in a cluster go with the instance that they are about.
func ExampleProvider_Store() {
	ctx := context.Background()
	provider, err := kubernetes.New(ctx, kubernetes.DefaultConfig())
	if err != nil {
		log.Fatal(err)
	}
	document, err := provider.Store().Put(ctx, store.Document{
		Key:   "policy/default.policy.web",
		Owner: "default.deployment.web",
		Data:  json.RawMessage(`{"maxReplicas":4}`),
	})
	if err != nil {
		log.Fatal(err) // such as AlreadyExists: then get it, and put it with its version
	}
	fmt.Println(document.Version)
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
