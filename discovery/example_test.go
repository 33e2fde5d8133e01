package discovery_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/discovery"
	"skillcenter.io/hosting/fake"
)

// shop is a provider with an instance of two replicas, of which a service is
// registered.
func shop(ctx context.Context) (*fake.Provider, error) {
	p := fake.New(fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload {
		return fake.Workload{StartTime: -1} // at once
	}))
	instance, err := p.CreateInstance(ctx, hosting.CloudHostingConfig{
		InstanceName: "shop", InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "shop:1", Ports: []int{8080}},
		Scaling:   &hosting.ScaleConfig{MinReplicas: 2},
	})
	if err != nil {
		return nil, err
	}
	_, err = p.RegisterService(ctx, instance.ID, hosting.ServiceRegistration{
		ServiceName: "orders", Port: 8080, Aliases: []string{"sales"},
	})
	return p, err
}

func ExampleTransport() {
	p, err := shop(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	client := &http.Client{Transport: &discovery.Transport{
		Discovery: p,
		// Nothing listens at the addresses of the fake, so this answers. A
		// program leaves it out.
		Base: answer(func(r *http.Request) string { return r.URL.Host + " answers for " + r.Host }),
	}}
	for range 3 {
		response, err := client.Get("http://orders/today")
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		fmt.Println(string(body))
	}
	// Output:
	// shop-1.default.fake.local:8080 answers for orders
	// shop-2.default.fake.local:8080 answers for orders
	// shop-1.default.fake.local:8080 answers for orders
}

func ExampleBalancer() {
	ctx := context.Background()
	p, err := shop(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	b := discovery.NewBalancer(p, "sales", discovery.Options{MaxAge: 5 * time.Second})
	target, err := b.Pick(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer target.Done()
	fmt.Println(target.Service.ServiceID, "at", target.HostPort())
	// Output:
	// default.service.orders at shop-1.default.fake.local:8080
}

// answer is a transport that answers by itself.
type answer func(*http.Request) string

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(a(r)))}, nil
}
