package faketest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/fake/faketest"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/httpapi/client"
	"skillcenter.io/hosting/provider/conformance"
)

func web() hosting.CloudHostingConfig {
	return hosting.CloudHostingConfig{
		InstanceName: "web", InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "nginx:1.29", Ports: []int{80}},
		Resources: &hosting.ResourceConfig{CPULimit: 1, CPURequest: 1},
	}
}

func TestAProgramIsTestedWithFaultsInVirtualTime(t *testing.T) {
	t.Parallel()
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		p := faketest.New(t)
		p.Fake.InjectCall(fake.CallFault{Method: "CreateInstance", Calls: 1, Delay: time.Hour})
		p.Fake.InjectStart(fake.StartFault{Instance: "web"})
		start := time.Now()
		_, err := deploy(t.Context(), p.Client)
		require.ErrorContains(t, err, "ImagePullBackOff")
		assert.GreaterOrEqual(t, time.Since(start), time.Hour)

		p.Fake.ClearFaults()
		url, err := deploy(t.Context(), p.Client)
		require.NoError(t, err)
		assert.Equal(t, "http://web.default.fake.local:80", url)
	})
	assert.Less(t, time.Since(began), time.Minute)
}

func TestPoliciesActWhileRunIsCalled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := faketest.New(t, faketest.WithInterval(5*time.Second))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()

		created, err := p.Client.CreateInstance(ctx, web())
		require.NoError(t, err)
		_, err = p.Client.CreateAutoScalePolicy(ctx, hosting.AutoScalePolicy{InstanceID: created.ID, Name: "busy", Enabled: true, MinReplicas: 1, MaxReplicas: 3,
			ScaleUpRules: []hosting.ScaleRule{{MetricType: hosting.MetricResource, MetricName: hosting.MetricCPUUsage, Threshold: 80, Comparison: ">", StepSize: 1}}})
		require.NoError(t, err)
		require.NoError(t, p.Fake.SetLoad(created.ID, fake.Load{CPU: 2.2}))
		time.Sleep(5 * time.Minute)
		instance, err := p.Client.GetInstance(ctx, created.ID)
		require.NoError(t, err)
		assert.Equal(t, 3, instance.Replicas)
		cancel()
		require.NoError(t, <-done)
	})
}

func TestStreamsGoOnWhenConnectionsBreak(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := faketest.New(t)
		created, err := p.Client.CreateInstance(t.Context(), web())
		require.NoError(t, err)
		go func() {
			for range 10 {
				time.Sleep(3500 * time.Millisecond)
				p.Disconnect()
			}
		}()
		var got []string
		for entry, err := range p.Client.StreamLogs(t.Context(), created.ID, hosting.LogQueryOptions{Follow: true}) {
			require.NoError(t, err)
			if got = append(got, entry.Message); len(got) == 60 {
				break
			}
		}
		want, err := p.Fake.GetLogs(t.Context(), created.ID, hosting.LogQueryOptions{})
		require.NoError(t, err)
		for i, message := range got {
			require.Equal(t, want[i].Message, message)
		}
	})
}

// A loop over a stream may wait for something else, as it could with a socket,
// whose buffers take what comes meanwhile.
func TestAConsumerOfAStreamMayTakeItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := faketest.New(t)
		for _, name := range []string{"a", "b", "c"} {
			config := web()
			config.InstanceName = name
			_, err := p.Client.CreateInstance(t.Context(), config)
			require.NoError(t, err)
		}
		var names []string
		for change, err := range p.Client.WatchInstances(t.Context()) {
			require.NoError(t, err)
			if change.Type == hosting.ChangeSynced {
				break
			}
			names = append(names, change.Instance.Name)
			time.Sleep(2 * time.Hour)
		}
		assert.Equal(t, []string{"a", "b", "c"}, names)
	})
}

func TestRequestsOfOnesOwnReachTheAPI(t *testing.T) {
	t.Parallel()
	p := faketest.New(t, faketest.WithServer(httpapi.WithPrefix("/v1/hosting")))
	assert.Equal(t, "http://hosting.test/v1/hosting", p.BaseURL)
	response, err := p.HTTP.Get(p.BaseURL + "/status")
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Contains(t, string(body), `"available":true`)
}

func TestAnAuthorizerDecidesWhoMayCall(t *testing.T) {
	t.Parallel()
	authorize, err := httpapi.BearerToken("0123456789abcdef")
	require.NoError(t, err)
	_, err = faketest.Open(faketest.WithAuthorizer(authorize))
	require.ErrorContains(t, err, "Unauthenticated")

	p := faketest.New(t, faketest.WithAuthorizer(authorize), faketest.WithClient(client.WithToken("0123456789abcdef")))
	_, err = p.Client.ListInstances(t.Context())
	require.NoError(t, err)
}

func TestAnotherExtensionIsServed(t *testing.T) {
	t.Parallel()
	p := faketest.New(t, faketest.WithExtension(func(*fake.Provider) hosting.HostingExtensionSdkAdapter { return hosting.UnimplementedAdapter{} }))
	assert.False(t, p.Client.IsAvailable(t.Context()))
	_, err := p.Client.ListVolumes(t.Context())
	require.ErrorIs(t, err, hosting.Unsupported)
}

func TestMistakesInOptionsAreErrors(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]faketest.Option{
		"server":   faketest.WithServer(httpapi.WithMaxRequests(0)),
		"client":   faketest.WithClient(client.WithRetries(-1)),
		"interval": faketest.WithInterval(-1),
	} {
		_, err := faketest.Open(option)
		require.ErrorContains(t, err, "faketest: ", name)
	}
}

// A stream that nobody ends is ended by the end of the test, or synctest would
// fail it.
func TestTheEndOfATestEndsWhatIsOpen(t *testing.T) {
	t.Parallel()
	var ended atomic.Bool
	synctest.Test(t, func(t *testing.T) {
		p := faketest.New(t, faketest.WithClient(client.WithRetries(0)))
		go func() {
			for _, err := range p.Client.WatchInstances(context.Background()) {
				if err != nil {
					ended.Store(errors.Is(err, hosting.Unavailable))
				}
			}
		}()
		synctest.Wait()
	})
	assert.True(t, ended.Load())
}

func TestTheExtensionConforms(t *testing.T) {
	t.Parallel()
	conformance.RunExtension(t, conformance.ExtensionHarness{
		Harness: conformance.Harness{
			Provider: func(t *testing.T) hosting.CloudHostingProvider {
				p := faketest.New(t, faketest.WithInterval(5*time.Second))
				return platform{p.Client, p}
			},
			Container: func(conformance.Workload) hosting.ContainerConfig {
				return hosting.ContainerConfig{Image: "registry.example.com/conformance:1"}
			},
			Wrap: func(t *testing.T, run func(*testing.T)) { synctest.Test(t, run) },
		},
		Open: func(_ *testing.T, p hosting.CloudHostingProvider) conformance.Extension {
			x := p.(platform)
			return conformance.Extension{Adapter: x.Client, Run: x.Run, Interval: 5 * time.Second, Load: func(id string, percent float64) error {
				in, err := x.Fake.GetInstance(context.Background(), id)
				if err != nil {
					return err
				}
				return x.Fake.SetLoad(id, fake.Load{CPU: percent / 100 * in.Resources.CPULimit})
			}}
		},
	})
}

type platform struct {
	*client.Client
	*faketest.Platform
}
