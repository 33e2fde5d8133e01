//go:build linux && e2e

package kubernetes_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
)

// twoReplicas serve, are checked, and have the grace period of the defaults.
func twoReplicas() hosting.CloudHostingConfig {
	config := serving("web")
	checked(&config)
	// A busy machine must not make a replica unready: that is not what is tried.
	config.Container.HealthCheck.Timeout, config.Container.HealthCheck.FailureThreshold = hosting.Duration(5*time.Second), 10
	config.Container.TerminationGracePeriod = nil
	config.Scaling = &hosting.ScaleConfig{MinReplicas: 2}
	return config
}

// get asks for a path of a server, on a connection of its own: one that is kept
// would not show where new ones go.
func get(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}

func TestNoRequestFailsDuringARollingUpdate(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	config := twoReplicas()
	instance := w.run(t, config)
	w.fetch(t, instance, "/") // the Service is known to the node

	before := w.podNames(t, "web")
	address := "http://" + instance.Endpoint.Metadata["clusterIP"] + ":8080/"
	ctx, stop := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	t.Cleanup(func() { stop(); wait.Wait() })
	var mu sync.Mutex
	sent := 0
	for range 4 {
		wait.Go(func() {
			for ctx.Err() == nil {
				err := get(context.Background(), address) // one that is under way ends
				assert.NoError(t, err)
				mu.Lock()
				sent++
				mu.Unlock()
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	config.Env = map[string]string{"VERSION": "2"}
	_, err := hosting.ApplyInstance(t.Context(), w, config)
	require.NoError(t, err)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		now := w.podNames(t, "web")
		assert.Len(c, now, 2)
		for _, name := range before {
			assert.NotContains(c, now, name)
		}
	}, waitTime, 200*time.Millisecond, "the old pods are replaced and gone")
	w.await(t, instance.ID, hosting.StatusRunning)
	stop()
	wait.Wait()
	t.Logf("%d requests", sent)
	assert.Greater(t, sent, 100)
}

func TestOfTwoReplicasOneIsEvictedAtATime(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	instance := w.run(t, twoReplicas())
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		budget, err := w.client.PolicyV1().PodDisruptionBudgets(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
		if assert.NoError(c, err) {
			assert.EqualValues(c, 1, budget.Status.DisruptionsAllowed)
		}
	}, waitTime, 100*time.Millisecond)
	evict := func(name string) error {
		return w.client.PolicyV1().Evictions(w.namespace).Evict(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace}})
	}
	names := w.podNames(t, "web")
	require.Len(t, names, 2)
	require.NoError(t, evict(names[0]))
	err := evict(names[1])
	require.True(t, apierrors.IsTooManyRequests(err), "%v", err)
	// Once another is ready in its place, the next one may go.
	require.EventuallyWithT(t, func(c *assert.CollectT) { assert.NoError(c, evict(names[1])) }, waitTime, 200*time.Millisecond)
	pods, err := w.client.CoreV1().Pods(w.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "skillcenter.io/name=web"})
	require.NoError(t, err)
	assert.True(t, slices.ContainsFunc(pods.Items, func(pod corev1.Pod) bool {
		return !slices.Contains(names, pod.Name) && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		})
	}), "not before")
	w.await(t, instance.ID, hosting.StatusRunning)
}

func TestAReplicaGoesOnServingForItsDelay(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	config := serving("web")
	config.Container.TerminationGracePeriod = new(hosting.Duration(20 * time.Second))
	config.Container.PreStop = &hosting.PreStop{Delay: hosting.Duration(10 * time.Second)}
	w.run(t, config)
	names := w.podNames(t, "web")
	require.Len(t, names, 1)
	address := "http://" + w.podAddress(t, "web") + ":8080/"
	require.NoError(t, get(t.Context(), address))
	began := time.Now()
	require.NoError(t, w.client.CoreV1().Pods(w.namespace).Delete(t.Context(), names[0], metav1.DeleteOptions{}))
	for time.Since(began) < 5*time.Second {
		require.NoError(t, get(t.Context(), address), "%v after it was told to go", time.Since(began))
		time.Sleep(50 * time.Millisecond)
	}
	require.Eventually(t, func() bool { return get(t.Context(), address) != nil }, waitTime, 200*time.Millisecond, "and it goes")
}
