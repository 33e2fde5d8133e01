package faketest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/fake/faketest"
	"skillcenter.io/hosting/httpapi/client"
)

// deploy is what an application does with a provider, and is to be tested.
func deploy(ctx context.Context, p hosting.CloudHostingProvider) (url string, err error) {
	instance, err := p.CreateInstance(ctx, hosting.CloudHostingConfig{
		InstanceName: "web", InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "nginx:1.29", Ports: []int{80}},
	})
	if err != nil {
		return "", err
	}
	instance, err = hosting.WaitForStatus(ctx, p, instance.ID, hosting.WaitOptions{}, hosting.StatusRunning)
	if err != nil {
		return "", err
	}
	return instance.Endpoint.URL, nil
}

// In a test, use New, and synctest so that waiting takes no time.
func ExampleNew() {
	test := func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := faketest.New(t)
			// The platform takes a minute, and then it cannot pull the image.
			p.Fake.InjectCall(fake.CallFault{Method: "CreateInstance", Calls: 1, Delay: time.Minute})
			p.Fake.InjectStart(fake.StartFault{Instance: "web", Failure: fake.ImagePullBackOff})
			if _, err := deploy(t.Context(), p.Client); !errors.Is(err, hosting.Unavailable) {
				t.Errorf("got error %v, want that the instance has failed", err)
			}

			p.Fake.ClearFaults()
			if _, err := deploy(t.Context(), p.Client); err != nil {
				t.Error(err)
			}
		})
	}
	_ = test // func TestDeploy(t *testing.T) in a file of tests
}

// Without a test, Open and Close do the same, and time passes as it does.
func ExampleOpen() {
	p, err := faketest.Open(
		faketest.WithFake(fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload {
			return fake.Workload{StartTime: 10 * time.Millisecond}
		})),
		faketest.WithClient(client.WithRetries(0)),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()

	url, err := deploy(context.Background(), p.Client)
	fmt.Println(url, err)

	p.Fake.InjectCall(fake.CallFault{Method: "GetInstance", Reason: hosting.Unavailable})
	_, err = p.Client.GetInstance(context.Background(), "default.deployment.web")
	fmt.Println(errors.Is(err, hosting.Unavailable))
	// Output:
	// http://web.default.fake.local:80 <nil>
	// true
}
