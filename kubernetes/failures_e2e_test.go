//go:build linux && e2e

package kubernetes_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
)

// tellTime is how long after the cluster knows of a failure an instance must
// tell it.
const tellTime = 10 * time.Second

// failing is a way for a start to fail.
type failing struct {
	// change makes the configuration fail. It may prepare the namespace.
	change func(t *testing.T, w *world, config *hosting.CloudHostingConfig)
	// after does what is left to do once the instance has been created.
	after func(t *testing.T, w *world, id string)
	// known is in the pods' status or in the events once the cluster knows.
	known   string
	reasons []string
	// says is in the message.
	says []string
	// heals tells that the instance may also start after all: it is not failed.
	heals bool
	// once tells that what comes after the failure is another story.
	once bool
}

var failures = map[string]failing{
	"the image cannot be pulled": {
		change: func(_ *testing.T, _ *world, config *hosting.CloudHostingConfig) {
			config.Container.Image = "skillcenter.io/test/missing:v1"
		},
		known: `"reason":"ErrImagePull"`, reasons: []string{"ErrImagePull", "ImagePullBackOff"}, says: []string{"missing:v1"},
	},
	"the image has a name that no registry takes": {
		change: func(_ *testing.T, _ *world, config *hosting.CloudHostingConfig) {
			config.Container.Image = "UPPER/case:v1"
		},
		known: `failed to parse image reference`, reasons: []string{"ErrImagePull", "ImagePullBackOff"}, says: []string{"UPPER/case"},
	},
	"the container crashes": {
		change: func(_ *testing.T, _ *world, config *hosting.CloudHostingConfig) {
			config.Container.Args = []string{"-lines", "20", "-no-server", "-exit-after", "1ms", "-exit-code", "3"}
			checked(config)
		},
		known: `"exitCode":3`, reasons: []string{"Crashed", "CrashLoopBackOff", "BackoffLimitExceeded"}, says: []string{"exit code 3", "line 16\nline 17\nline 18\nline 19\nline 20"},
	},
	"the container uses too much memory": {
		change: func(_ *testing.T, _ *world, config *hosting.CloudHostingConfig) {
			config.Resources = &hosting.ResourceConfig{MemoryRequest: 16 << 20, MemoryLimit: 16 << 20}
		},
		after: fillMemory,
		known: `"reason":"OOMKilled"`, reasons: []string{"OOMKilled", "BackoffLimitExceeded"}, says: []string{"OOMKilled"}, once: true,
	},
	"the command does not exist": {
		change: func(_ *testing.T, _ *world, config *hosting.CloudHostingConfig) {
			config.Container.Commands = []string{"/no/such/program"}
		},
		known: `no such file or directory`, reasons: []string{"RunContainerError", "CrashLoopBackOff", "Crashed", "BackoffLimitExceeded"}, says: []string{"/no/such/program"},
	},
	"no node has room": {
		change: func(_ *testing.T, _ *world, config *hosting.CloudHostingConfig) {
			config.Resources = &hosting.ResourceConfig{CPURequest: 1000}
		},
		known: `"reason":"Unschedulable"`, reasons: []string{"Unschedulable"}, says: []string{"Insufficient cpu"},
	},
	"a quota allows no pods": {
		change: func(t *testing.T, w *world, _ *hosting.CloudHostingConfig) { w.limitPods(t, "0") },
		known:  `exceeded quota`, reasons: []string{"FailedCreate"}, says: []string{"exceeded quota"},
	},
	"the namespace enforces a stricter pod security": {
		change: func(t *testing.T, w *world, _ *hosting.CloudHostingConfig) {
			_, err := w.client.CoreV1().Namespaces().Patch(t.Context(), w.namespace, types.MergePatchType,
				[]byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`), metav1.PatchOptions{})
			require.NoError(t, err)
		},
		known: `violates PodSecurity`, reasons: []string{"FailedCreate"}, says: []string{"violates PodSecurity"},
	},
	"a secret is missing": {
		change: func(t *testing.T, w *world, config *hosting.CloudHostingConfig) {
			config.SecretEnv = hosting.SecretMap{"TOKEN": "hidden value"}
			w.limitPods(t, "0") // until the Secret is gone
		},
		after: loseSecret,
		known: `"reason":"CreateContainerConfigError"`, reasons: []string{"CreateContainerConfigError"}, says: []string{`secret "web-`, "not found"},
	},
	"the health check never passes": {
		change: func(_ *testing.T, _ *world, config *hosting.CloudHostingConfig) {
			config.Env = map[string]string{"UNHEALTHY": "1"}
			checked(config)
		},
		known: `"reason":"Unhealthy"`, reasons: []string{"Unhealthy"}, says: []string{"Readiness probe failed", "503"}, heals: true,
	},
}

// checked gives the container a health check. Without one it is ready while it
// runs, however short.
func checked(config *hosting.CloudHostingConfig) {
	config.Container.HealthCheck = &hosting.HealthCheck{HTTP: &hosting.HTTPCheck{Path: "/healthz", Port: 8080}, Period: hosting.Duration(time.Second)}
}

func (w *world) limitPods(t *testing.T, most string) {
	t.Helper()
	_, err := w.client.CoreV1().ResourceQuotas(w.namespace).Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "pods"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"pods": resource.MustParse(most)}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		quota, err := w.client.CoreV1().ResourceQuotas(w.namespace).Get(t.Context(), "pods", metav1.GetOptions{})
		assert.NoError(c, err)
		assert.NotEmpty(c, quota.Status.Hard)
	}, waitTime, 100*time.Millisecond)
}

// fillMemory sends a running replica more than it may keep in memory.
func fillMemory(t *testing.T, w *world, _ string) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	field, err := form.CreateFormField("name")
	require.NoError(t, err)
	_, err = io.Copy(field, io.LimitReader(endless{}, 9<<20))
	require.NoError(t, err)
	require.NoError(t, form.Close())
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		pods, err := w.client.CoreV1().Pods(w.namespace).List(t.Context(), metav1.ListOptions{})
		if !assert.NoError(c, err) || !assert.NotEmpty(c, pods.Items) || !assert.NotEmpty(c, pods.Items[0].Status.PodIP) {
			return
		}
		response, err := http.Post("http://"+pods.Items[0].Status.PodIP+":8080/env", form.FormDataContentType(), bytes.NewReader(body.Bytes()))
		if err == nil {
			response.Body.Close()
		}
		status, err := w.clusterSays(t.Context())
		assert.NoError(c, err)
		assert.Contains(c, status, "OOMKilled")
	}, waitTime, 100*time.Millisecond)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// loseSecret removes the instance's Secret and then lets its pods be made.
func loseSecret(t *testing.T, w *world, _ string) {
	list, err := w.client.CoreV1().Secrets(w.namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	require.NoError(t, w.client.CoreV1().Secrets(w.namespace).Delete(t.Context(), list.Items[0].Name, metav1.DeleteOptions{}))
	require.NoError(t, w.client.CoreV1().ResourceQuotas(w.namespace).Delete(t.Context(), "pods", metav1.DeleteOptions{}))
}

// clusterSays returns what the cluster tells of the pods and of what went wrong
// in the namespace, as JSON.
func (w *world) clusterSays(ctx context.Context) (string, error) {
	pods, err := w.client.CoreV1().Pods(w.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	events, err := w.client.CoreV1().Events(w.namespace).List(ctx, metav1.ListOptions{FieldSelector: "type=Warning"})
	if err != nil {
		return "", err
	}
	data, err := json.Marshal([]any{pods.Items, events.Items})
	return string(data), err
}

func TestAFailedStartSaysWhyWithinSeconds(t *testing.T) {
	t.Parallel()
	for name, test := range failures {
		for _, instanceType := range []string{hosting.TypeDeployment, hosting.TypeStatefulSet, hosting.TypeDaemonSet, hosting.TypeJob, hosting.TypeCronJob} {
			t.Run(name+"/"+instanceType, func(t *testing.T) {
				t.Parallel()
				w := newNodeWorld(t)
				config := serving("web")
				config.InstanceType = instanceType
				if instanceType == hosting.TypeCronJob {
					config.Schedule = "0 0 1 1 *" // not now
				}
				test.change(t, w, &config)
				instance, err := w.CreateInstance(t.Context(), config)
				require.NoError(t, err)
				if instanceType == hosting.TypeCronJob {
					require.NoError(t, w.RunNow(t.Context(), instance.ID))
				}
				if test.after != nil {
					test.after(t, w, instance.ID)
				}
				told := w.awaitTelling(t, instance.ID, test)
				if instanceType == hosting.TypeCronJob {
					assert.Equal(t, hosting.StatusRunning, told.Status, "the schedule is active")
					return
				}
				if test.once {
					return
				}
				w.requireWaitTells(t, instance.ID, test, instanceType)
			})
		}
	}
}

// awaitTelling waits until the instance tells its failure, and requires that it
// does so soon after the cluster.
func (w *world) awaitTelling(t *testing.T, id string, test failing) hosting.CloudInstance {
	t.Helper()
	var known time.Time
	var now hosting.CloudInstance
	for deadline := time.Now().Add(waitTime); ; time.Sleep(300 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "the cluster has known since %v, and the instance says %s %v", known, now.Status, now.Metadata)
		status, err := w.clusterSays(t.Context())
		require.NoError(t, err)
		if known.IsZero() && strings.Contains(status, test.known) {
			known = time.Now()
		}
		now, err = w.GetInstance(t.Context(), id)
		require.NoError(t, err)
		reason, message := now.Metadata[hosting.MetadataReason], now.Metadata[hosting.MetadataMessage]
		if slices.Contains(test.reasons, reason) && containsAll(message, test.says) {
			if known.IsZero() {
				known = time.Now()
			}
			assert.Less(t, time.Since(known), tellTime)
			t.Logf("%v after the cluster: %s, %s: %s", time.Since(known).Round(10*time.Millisecond), now.Status, reason, message)
			return now
		}
		if !known.IsZero() {
			require.Less(t, time.Since(known), 5*tellTime, "it says %s %v", now.Status, now.Metadata)
		}
	}
}

func containsAll(text string, parts []string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}

// requireWaitTells requires that the others who tell of a failure do so too.
func (w *world) requireWaitTells(t *testing.T, id string, test failing, instanceType string) {
	t.Helper()
	limit := waitTime
	if test.heals {
		limit = 10 * time.Second // it would wait on
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	failed, err := hosting.WaitForStatus(ctx, w, id, hosting.WaitOptions{Interval: 200 * time.Millisecond}, hosting.StatusRunning)
	require.Error(t, err)
	for _, part := range append([]string{failed.Metadata[hosting.MetadataReason]}, test.says...) {
		assert.Contains(t, err.Error(), part)
	}
	if test.heals {
		assert.NotEqual(t, hosting.StatusFailed, failed.Status)
	} else {
		assert.Equal(t, hosting.StatusFailed, failed.Status)
		assert.ErrorIs(t, err, hosting.Unavailable)
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		health, err := w.HealthCheck(t.Context(), id)
		assert.NoError(c, err)
		assert.False(c, health.Healthy)
		assert.True(c, containsAll(health.Reason, test.says), health.Reason)
		list, err := w.ListInstances(t.Context())
		assert.NoError(c, err)
		if assert.Len(c, list, 1) {
			assert.True(c, containsAll(list[0].Metadata[hosting.MetadataMessage], test.says), "a list tells it too: %v", list[0].Metadata)
		}
	}, waitTime, 300*time.Millisecond)
}

func TestAReplicaThatItsNodeEvictsIsTold(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	config := serving("web")
	// One that ends by itself with 0 before it is killed is Succeeded to the
	// kubelet, and not Evicted.
	config.Container.Args = []string{"-lines", "200000", "-ignore-term"}
	config.Resources = &hosting.ResourceConfig{StorageLimit: 1 << 20} // its log counts
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	w.awaitTelling(t, instance.ID, failing{known: `"phase":"Failed"`, reasons: []string{"Evicted"}, says: []string{"ephemeral"}})
}
