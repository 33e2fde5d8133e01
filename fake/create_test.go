package fake_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
)

func TestCreatingTheSameInstanceAgainReturnsIt(t *testing.T) {
	inBubble(t, func(w world) {
		config := web(2)
		config.SecretEnv = hosting.SecretMap{"TOKEN": "a"}
		id := w.running(config)
		created := w.get(id).CreatedAt
		require.NoError(w, w.ScaleInstance(w.ctx, id, 4))
		require.NoError(w, w.UpdateResources(w.ctx, id, hosting.ResourceConfig{CPULimit: 2}))

		again := config
		again.Region, again.Provider = "default", "fake"
		again.Labels, again.Container.Args = map[string]string{}, []string{}
		instance, err := w.CreateInstance(w.ctx, again)
		require.NoError(w, err)
		assert.Equal(w, id, instance.ID)
		assert.Equal(w, created, instance.CreatedAt)
		assert.Equal(w, 4, instance.Replicas)
		assert.Equal(w, 2.0, instance.Resources.CPULimit)

		for _, change := range []func(*hosting.CloudHostingConfig){
			func(c *hosting.CloudHostingConfig) { c.SecretEnv = hosting.SecretMap{"TOKEN": "b"} },
			func(c *hosting.CloudHostingConfig) { c.InstanceType = hosting.TypeStatefulSet },
			func(c *hosting.CloudHostingConfig) { c.Scaling = &hosting.ScaleConfig{MinReplicas: 4} },
		} {
			other := config
			change(&other)
			_, err := w.CreateInstance(w.ctx, other)
			w.failed(err, hosting.CreateFailed, hosting.AlreadyExists)
		}
	})
}

func TestEmptyPartsAreTheSameAsNone(t *testing.T) {
	inBubble(t, func(w world) {
		config := web(1)
		config.Scaling = nil
		id := w.create(config)
		config.Resources, config.Network, config.Scaling = &hosting.ResourceConfig{}, &hosting.NetworkConfig{Ports: []int{}}, &hosting.ScaleConfig{}
		config.SecretEnv = hosting.SecretMap{}
		assert.Equal(w, id, w.create(config))
	})
}

func TestRefusedCreateNamesTheInstanceAndWhatIsDifferent(t *testing.T) {
	inBubble(t, func(w world) {
		config := web(1)
		id := w.create(config)
		config.Env, config.SecretEnv = map[string]string{"A": "b"}, hosting.SecretMap{"TOKEN": "hush"}
		_, err := w.CreateInstance(w.ctx, config)
		w.failed(err, hosting.CreateFailed, hosting.AlreadyExists)
		assert.ErrorContains(w, err, "env, secretEnv")
		assert.NotContains(w, err.Error(), "hush")
		var e *hosting.Error
		require.ErrorAs(w, err, &e)
		assert.Equal(w, id, e.InstanceID)
	})
}

func TestWorkloadMayKeepAndChangeItsConfiguration(t *testing.T) {
	inBubble(t, func(w world) {
		config := web(1)
		config.Labels, config.SecretEnv = map[string]string{"a": "b"}, hosting.SecretMap{"TOKEN": "a"}
		id := w.create(config)
		assert.Equal(w, id, w.create(config))
		assert.Equal(w, map[string]string{"a": "b"}, w.get(id).Labels)
	}, fake.WithWorkload(func(config hosting.CloudHostingConfig) fake.Workload {
		config.Labels["a"], config.SecretEnv["TOKEN"], config.Container.Image = "c", "d", "other"
		return fake.Workload{}
	}), fake.WithWorkload(nil))
}

func TestCreateRefusesWhatItDoesNotHaveAndSaysWhatItHas(t *testing.T) {
	yes := true
	cases := map[string]func(*hosting.CloudHostingConfig){
		"us-west-1":           func(c *hosting.CloudHostingConfig) { c.Region = "moon" },
		"statefulset":         func(c *hosting.CloudHostingConfig) { c.InstanceType = "function" },
		"fake":                func(c *hosting.CloudHostingConfig) { c.Provider = "other" },
		"container.image":     func(c *hosting.CloudHostingConfig) { c.Container = &hosting.ContainerConfig{} },
		"network.ingressHost": func(c *hosting.CloudHostingConfig) { c.Network = &hosting.NetworkConfig{IngressEnabled: &yes} },
		"network.ports": func(c *hosting.CloudHostingConfig) {
			c.Container.Ports, c.Network = nil, &hosting.NetworkConfig{IngressHost: "w.example.com"}
		},
	}
	for want, change := range cases {
		inBubble(t, func(w world) {
			config := web(1)
			change(&config)
			_, err := w.CreateInstance(w.ctx, config)
			w.failed(err, hosting.CreateFailed, hosting.InvalidArgument)
			assert.ErrorContains(w, err, want)
			_, err = w.EstimateCost(w.ctx, config)
			w.failed(err, hosting.CostFailed, hosting.InvalidArgument)
			list, err := w.ListInstances(w.ctx)
			require.NoError(w, err)
			assert.Empty(w, list)
		})
	}
}

func TestDefaultResourcesGiveWayToGivenOnes(t *testing.T) {
	cases := []struct{ given, want hosting.ResourceConfig }{
		{hosting.ResourceConfig{}, hosting.ResourceConfig{CPURequest: 0.25, CPULimit: 0.5, MemoryRequest: 256 << 20, MemoryLimit: 512 << 20}},
		{hosting.ResourceConfig{CPULimit: 0.1, MemoryRequest: 1 << 30}, hosting.ResourceConfig{CPURequest: 0.1, CPULimit: 0.1, MemoryRequest: 1 << 30, MemoryLimit: 1 << 30}},
	}
	for _, c := range cases {
		inBubble(t, func(w world) {
			config := web(1)
			config.Resources = &c.given
			instance, err := w.CreateInstance(w.ctx, config)
			require.NoError(w, err)
			assert.Equal(w, c.want, *instance.Resources)
		})
	}
}

func TestIDsAreFoundWithAndWithoutTheProvidersName(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.create(web(1))
		assert.Equal(w, "default.deployment.web", id)
		assert.Equal(w, id, w.get("mine:"+id).ID)
		for _, unknown := range []string{"other:" + id, "default.job.web", "moon.deployment.web", "default.deployment.nobody"} {
			_, err := w.GetInstance(w.ctx, unknown)
			w.failed(err, hosting.InstanceNotFound, hosting.NotFound)
		}
		_, err := w.GetInstance(w.ctx, "no id")
		w.failed(err, hosting.GetFailed, hosting.InvalidArgument)
		w.failed(w.StopInstance(w.ctx, "no id"), hosting.StopFailed, hosting.InvalidArgument)
	}, fake.WithName("mine"))
}

func TestCancelledContextChangesNothing(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(1))
		ctx, cancel := context.WithCancel(w.ctx)
		cancel()
		err := w.StopInstance(ctx, id)
		w.failed(err, hosting.StopFailed, hosting.Canceled)
		assert.ErrorIs(w, err, context.Canceled)
		_, err = w.CreateInstance(ctx, ofType(hosting.TypeJob))
		w.failed(err, hosting.CreateFailed, hosting.Canceled)
		w.at(0, id, hosting.StatusRunning)
	})
}

func TestResultsAndArgumentsAreCopies(t *testing.T) {
	inBubble(t, func(w world) {
		config := web(1)
		config.Labels = map[string]string{"team": "a"}
		id := w.create(config)
		config.Labels["team"] = "b"
		w.get(id).Labels["team"] = "c"
		w.get(id).Resources.CPULimit = 9
		assert.Equal(w, map[string]string{"team": "a"}, w.get(id).Labels)
		assert.Equal(w, 0.5, w.get(id).Resources.CPULimit)
	}, fake.WithWorkload(func(config hosting.CloudHostingConfig) fake.Workload {
		config.Labels["mine"] = "now" // the function's copy
		return fake.Workload{}
	}))
}

func TestEndpointSaysHowTheInstanceIsReached(t *testing.T) {
	no := false
	cases := []struct {
		network *hosting.NetworkConfig
		want    string
	}{
		{nil, "cluster http://web.default.fake.local:80"},
		{&hosting.NetworkConfig{Ports: []int{8080, 9090}}, "cluster http://web.default.fake.local:8080"},
		{&hosting.NetworkConfig{ServiceType: hosting.ServiceLoadBalancer}, "loadbalancer http://web.lb.default.fake.local:80"},
		{&hosting.NetworkConfig{ServiceType: hosting.ServiceNodePort}, "nodeport http://node-1.default.fake.local:31987"},
		{&hosting.NetworkConfig{IngressHost: "w.example.com", IngressPath: "/a"}, "ingress http://w.example.com/a"},
		{&hosting.NetworkConfig{IngressHost: "w.example.com", IngressEnabled: &no}, "cluster http://web.default.fake.local:80"},
	}
	for _, c := range cases {
		inBubble(t, func(w world) {
			config := web(1)
			config.Network = c.network
			id := w.create(config)
			endpoint, err := w.GetServiceEndpoint(w.ctx, id)
			require.NoError(w, err)
			assert.Contains(w, endpoint.Type+" "+endpoint.URL, c.want)
			assert.Equal(w, endpoint, *w.get(id).Endpoint)
		})
	}
	inBubble(t, func(w world) {
		config := web(1)
		config.Container.Ports = nil
		_, err := w.GetServiceEndpoint(w.ctx, w.create(config))
		w.failed(err, hosting.EndpointFailed, hosting.NotFound)
	})
}

func TestInstancesAreListedByID(t *testing.T) {
	inBubble(t, func(w world) {
		for _, instanceType := range []string{hosting.TypeJob, hosting.TypeCronJob, hosting.TypeDaemonSet} {
			config := ofType(instanceType)
			config.InstanceName = "a-" + instanceType
			w.create(config)
		}
		list, err := w.ListInstances(w.ctx)
		require.NoError(w, err)
		var ids []string
		for _, instance := range list {
			ids = append(ids, instance.ID)
		}
		assert.Equal(w, []string{"default.cronjob.a-cronjob", "default.daemonset.a-daemonset", "default.job.a-job"}, ids)
	})
}

func TestCapabilitiesDifferByType(t *testing.T) {
	inBubble(t, func(w world) {
		set, err := hosting.Capabilities(w.ctx, w, "default", hosting.TypeDeployment)
		require.NoError(w, err)
		assert.True(w, set.Has(hosting.CanScale) && set.Has(hosting.CanAutoscale) && !set.Has(hosting.CanRunNow) && set.Has(hosting.CanWatch))
		set, err = w.Capabilities(w.ctx, "default", hosting.TypeCronJob)
		require.NoError(w, err)
		assert.True(w, !set.Has(hosting.CanScale) && !set.Has(hosting.CanRestart) && set.Has(hosting.CanRunNow))
		for _, bad := range [][2]string{{"moon", hosting.TypeJob}, {"default", "function"}} {
			_, err = w.Capabilities(w.ctx, bad[0], bad[1])
			w.failed(err, hosting.GetFailed, hosting.InvalidArgument)
		}
		config := ofType(hosting.TypeJob)
		config.Scaling.TargetCPUUtilization = 50
		_, err = w.CreateInstance(w.ctx, config)
		w.failed(err, hosting.CreateFailed, hosting.Unsupported)
		w.failed(w.RunNow(w.ctx, w.create(web(1))), hosting.StartFailed, hosting.Unsupported)
	})
}

func TestMinReplicasOfADaemonSetIsRefused(t *testing.T) {
	inBubble(t, func(w world) {
		config := ofType(hosting.TypeDaemonSet)
		config.Scaling = &hosting.ScaleConfig{MinReplicas: 1}
		_, err := w.CreateInstance(w.ctx, config)
		w.failed(err, hosting.CreateFailed, hosting.Unsupported)
		assert.ErrorContains(w, err, "scaling.minReplicas 1")
	})
}

func TestCallsAtTheSameTimeAreSafe(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(2))
		done := make(chan error)
		for i := range 8 {
			go func() {
				var err error
				for n := range 50 {
					if e := w.ScaleInstance(w.ctx, id, (i+n)%5); e != nil {
						err = e
					}
					if _, e := w.GetLogs(w.ctx, id, hosting.LogQueryOptions{}); e != nil {
						err = e
					}
					config := web(1)
					config.InstanceName = fmt.Sprintf("web-%d-%d", i, n)
					if _, e := w.CreateInstance(w.ctx, config); e != nil {
						err = e
					}
					time.Sleep(100 * ms)
				}
				done <- err
			}()
		}
		for range 8 {
			require.NoError(w, <-done)
		}
		list, err := w.ListInstances(w.ctx)
		require.NoError(w, err)
		assert.Len(w, list, 401)
	})
}
