//go:build linux && e2e

package kubernetes_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/testcluster"
	"skillcenter.io/hosting/provider/conformance"
)

// newNodeWorld starts on a cluster whose pods run.
func newNodeWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOn(t, testcluster.StartWithNode(t), smallPods)
}

func serving(name string) hosting.CloudHostingConfig {
	container := skill(conformance.Serve)
	container.Ports = []int{8080}
	return hosting.CloudHostingConfig{InstanceName: name, InstanceType: hosting.TypeDeployment, Container: &container}
}

// run creates an instance and waits until it runs.
func (w *world) run(t *testing.T, config hosting.CloudHostingConfig) hosting.CloudInstance {
	t.Helper()
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	return w.await(t, instance.ID, hosting.StatusRunning)
}

func (w *world) await(t *testing.T, id string, want ...hosting.Status) hosting.CloudInstance {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitTime)
	defer cancel()
	instance, err := hosting.WaitForStatus(ctx, w, id, hosting.WaitOptions{Interval: 200 * time.Millisecond, FailureGrace: waitTime}, want...)
	require.NoError(t, err)
	return instance
}

// fetch gets a path of the instance through its Service, from the node.
func (w *world) fetch(t *testing.T, instance hosting.CloudInstance, path string) string {
	t.Helper()
	require.NotNil(t, instance.Endpoint)
	address := "http://" + instance.Endpoint.Metadata["clusterIP"] + ":8080" + path
	var body []byte
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		response, err := http.Get(address)
		if !assert.NoError(c, err) {
			return
		}
		defer response.Body.Close()
		body, err = io.ReadAll(response.Body)
		assert.NoError(c, err)
		assert.Equal(c, http.StatusOK, response.StatusCode)
	}, waitTime, 200*time.Millisecond)
	return string(body)
}

func TestEveryTypeThatServesAnswersThroughItsService(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	for _, instanceType := range []string{hosting.TypeDeployment, hosting.TypeStatefulSet, hosting.TypeDaemonSet, hosting.TypeJob} {
		t.Run(instanceType, func(t *testing.T) {
			t.Parallel()
			config := serving("web-" + instanceType)
			config.InstanceType = instanceType
			instance := w.run(t, config)
			assert.Contains(t, w.fetch(t, instance, "/"), "hello from web-"+instanceType)
		})
	}
}

func TestTheContainerGetsItsVariablesLiterallyAndItsSecrets(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	config := serving("web")
	config.Env = map[string]string{"PLAIN": "instance", "BOTH": "instance"}
	config.Container.Env = map[string]string{"BOTH": "container", "LITERAL": "$(PLAIN) $$x $HOME", "HIDDEN": "plain"}
	config.SecretEnv = hosting.SecretMap{"HIDDEN": "top s3cret $(PLAIN)"}
	instance := w.run(t, config)
	for name, want := range map[string]string{
		"PLAIN": "instance", "BOTH": "container", "LITERAL": "$(PLAIN) $$x $HOME", "HIDDEN": "top s3cret $(PLAIN)",
	} {
		assert.Equal(t, want, w.fetch(t, instance, "/env?name="+url.QueryEscape(name)), name)
	}
}

func TestAReplicaThatFailsItsHealthCheckIsNotRunning(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	config := serving("web")
	config.Container.HealthCheck = &hosting.HealthCheck{
		HTTP: &hosting.HTTPCheck{Path: "/healthz", Port: 8080}, Period: hosting.Duration(time.Second), FailureThreshold: 1,
	}
	instance := w.run(t, config)
	health, err := w.HealthCheck(t.Context(), instance.ID)
	require.NoError(t, err)
	assert.True(t, health.Healthy)

	// Straight to the pod: its Service leaves it out while it is not ready.
	pods, err := w.client.CoreV1().Pods(w.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "skillcenter.io/name=web"})
	require.NoError(t, err)
	require.Len(t, pods.Items, 1)
	set := func(method string) {
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+pods.Items[0].Status.PodIP+":8080/unhealthy", nil)
		require.NoError(t, err)
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			response, err := http.DefaultClient.Do(request)
			if assert.NoError(c, err) {
				response.Body.Close()
			}
		}, waitTime, 200*time.Millisecond)
	}
	set(http.MethodPut)
	unready := w.await(t, instance.ID, hosting.StatusFailed)
	assert.Equal(t, "NotReady", unready.Metadata[hosting.MetadataReason])
	health, err = w.HealthCheck(t.Context(), instance.ID)
	require.NoError(t, err)
	assert.False(t, health.Healthy)
	assert.Contains(t, health.Reason, "0 of 1 replicas are ready")
	set(http.MethodDelete)
	w.await(t, instance.ID, hosting.StatusRunning)
}

func TestMetricsOfRunningPodsAreMeasured(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	instance := w.run(t, serving("web"))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		metrics, err := w.GetMetrics(t.Context(), instance.ID)
		assert.NoError(c, err)
		assert.Equal(c, []string{"diskUsage", "networkIn", "networkOut"}, metrics.Unavailable)
		assert.Positive(c, metrics.MemoryUsage)
		assert.Equal(c, 1, metrics.ReadyReplicas)
	}, waitTime, time.Second)
}

func TestAnUpdateThatCannotStartIsNeverReportedRunning(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	instance := w.run(t, serving("web"))
	// More than the node has: the new pod stays pending and the old one serves.
	require.NoError(t, w.UpdateResources(t.Context(), instance.ID, hosting.ResourceConfig{CPURequest: 1000, CPULimit: 1000}))
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		now, err := w.GetInstance(t.Context(), instance.ID)
		require.NoError(t, err)
		require.NotEqual(t, hosting.StatusRunning, now.Status)
		if now.Status == hosting.StatusDegraded {
			assert.Equal(t, "Unschedulable", now.Metadata[hosting.MetadataReason])
			break
		}
		require.True(t, time.Now().Before(deadline), "it is still %s", now.Status)
	}
	assert.Contains(t, w.fetch(t, instance, "/"), "hello")
}

func TestLogsOfTheRunBeforeACrashAreKept(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	config := serving("web")
	config.Container.Args = []string{"-lines", "3", "-no-server", "-exit-after", "1ms", "-exit-code", "1"}
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	w.await(t, instance.ID, hosting.StatusFailed)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		logs, err := w.GetLogs(t.Context(), instance.ID, hosting.LogQueryOptions{})
		assert.NoError(c, err)
		if assert.NotEmpty(c, logs) {
			assert.Equal(c, "line 3", logs[len(logs)-1].Message)
		}
	}, waitTime, 500*time.Millisecond)
}

func TestANodePortAnswersOnTheNodesAddress(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	config := serving("web")
	config.Network = &hosting.NetworkConfig{ServiceType: hosting.ServiceNodePort}
	instance := w.run(t, config)
	endpoint, err := w.GetServiceEndpoint(t.Context(), instance.ID)
	require.NoError(t, err)
	assert.Equal(t, hosting.EndpointNodePort, endpoint.Type)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		response, err := http.Get(endpoint.URL)
		if assert.NoError(c, err) {
			response.Body.Close()
			assert.Equal(c, http.StatusOK, response.StatusCode)
		}
	}, waitTime, 200*time.Millisecond)
}

func TestStatefulSetReplicasHaveStableNames(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	config := serving("db")
	config.InstanceType = hosting.TypeStatefulSet
	config.Scaling = &hosting.ScaleConfig{MinReplicas: 2}
	w.run(t, config)
	pods, err := w.client.CoreV1().Pods(w.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "skillcenter.io/name=db"})
	require.NoError(t, err)
	var names []string
	for _, pod := range pods.Items {
		names = append(names, pod.Name+"."+pod.Spec.Subdomain)
	}
	assert.ElementsMatch(t, []string{"db-0.db-hl", "db-1.db-hl"}, names)
}

func TestAJobThatIsRestartedRunsAgain(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	container := skill(conformance.Complete)
	instance, err := w.CreateInstance(t.Context(), hosting.CloudHostingConfig{InstanceName: "once", InstanceType: hosting.TypeJob, Container: &container})
	require.NoError(t, err)
	w.await(t, instance.ID, hosting.StatusCompleted)
	before, err := w.client.BatchV1().Jobs(w.namespace).Get(t.Context(), "once", metav1.GetOptions{})
	require.NoError(t, err)
	require.NoError(t, w.RestartInstance(t.Context(), instance.ID))
	w.await(t, instance.ID, hosting.StatusCompleted)
	after, err := w.client.BatchV1().Jobs(w.namespace).Get(t.Context(), "once", metav1.GetOptions{})
	require.NoError(t, err)
	assert.NotEqual(t, before.UID, after.UID)
}

func TestDeletingARunningInstanceLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, instanceType := range []string{hosting.TypeDeployment, hosting.TypeStatefulSet, hosting.TypeDaemonSet, hosting.TypeJob, hosting.TypeCronJob} {
		t.Run(instanceType, func(t *testing.T) {
			t.Parallel()
			w := newNodeWorld(t)
			before := w.objects(t)
			config := everything("web", instanceType)
			config.Container.Args = skill(conformance.Serve).Args
			config.Container.TerminationGracePeriod = new(hosting.Duration(time.Second))
			instance := w.run(t, config)
			if instanceType == hosting.TypeCronJob {
				require.NoError(t, w.RunNow(t.Context(), instance.ID))
				require.EventuallyWithT(t, func(c *assert.CollectT) {
					now, err := w.GetInstance(t.Context(), instance.ID)
					assert.NoError(c, err)
					assert.Equal(c, 1, now.Replicas)
				}, waitTime, 200*time.Millisecond)
			}
			w.delete(t, instance.ID)
			w.requireSameObjects(t, before)
		})
	}
}

func TestAListSaysWhatAGetSays(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	var want []string
	for i, instanceType := range w.SupportedInstanceTypes() {
		config := everything(fmt.Sprintf("web-%d", i), instanceType)
		config.Container.Args = skill(conformance.Serve).Args
		config.Scaling = nil
		if instanceType == hosting.TypeCronJob {
			config.Schedule = "0 0 1 1 *" // not now
		}
		want = append(want, w.run(t, config).ID)
	}
	list, err := w.ListInstances(t.Context())
	require.NoError(t, err)
	var got []string
	for _, instance := range list {
		got = append(got, instance.ID)
		assert.Equal(t, hosting.StatusRunning, instance.Status, instance.ID)
		single, err := w.GetInstance(t.Context(), instance.ID)
		require.NoError(t, err)
		assert.Equal(t, single, instance, "a list says what a get says")
		assert.True(t, strings.HasPrefix(instance.Endpoint.URL, "http://web-"), instance.Endpoint.URL)
	}
	assert.ElementsMatch(t, want, got)
}
