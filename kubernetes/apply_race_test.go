//go:build linux

package kubernetes_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
)

func TestOfSeveralAppliesOneWinsAsAWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const callers, rounds = 4, 4
	var wait sync.WaitGroup
	for i := range callers {
		wait.Go(func() {
			for round := range rounds {
				mark := fmt.Sprintf("%d-%d", i, round)
				config := everything("web", hosting.TypeDeployment)
				config.Labels = map[string]string{"mark": mark}
				config.Env = map[string]string{"MARK": mark}
				config.SecretEnv = hosting.SecretMap{"TOKEN": mark}
				if i%2 == 0 {
					config.Network, config.Scaling = nil, nil
				}
				_, err := w.ApplyInstance(t.Context(), config)
				assert.NoError(t, err)
			}
		})
	}
	wait.Wait()
	instance, err := w.GetInstance(t.Context(), "default.deployment.web")
	require.NoError(t, err)
	mark := instance.Labels["mark"]
	essence := w.essence(t, hosting.TypeDeployment, "web")
	assert.Equal(t, mark, essence["secret"])
	assert.Equal(t, mark, essence["labels"].(map[string]string)["mark"])
	assert.Contains(t, fmt.Sprint(essence["env"]), mark)
	parts := map[bool]int{true: 0, false: 1}[mark[0] == '0' || mark[0] == '2']
	shape := w.shape(t)
	assert.Equal(t, parts, shape["ingresses.networking.k8s.io"], "of %s", mark)
	assert.Equal(t, parts, shape["horizontalpodautoscalers.autoscaling"], "of %s", mark)
	revisions, err := w.ListRevisions(t.Context(), instance.ID)
	require.NoError(t, err)
	assert.Len(t, revisions, 10)
	assert.Equal(t, mark, revisions[0].Config.Labels["mark"])
	assert.Equal(t, callers*rounds, revisions[0].Revision, "numbers are never used twice")
}

// TestAStopHoldsAndNoCountIsLostWhileOthersApplyAndAutoscale has a writer that
// behaves as an autoscaler: it reads the scale, waits, and writes another.
func TestAStopHoldsAndNoCountIsLostWhileOthersApplyAndAutoscale(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	deployments := w.client.AppsV1().Deployments(w.namespace)
	const rounds = 50
	refused := 0
	for round := range rounds {
		config.Labels = map[string]string{"round": strconv.Itoa(round)}
		count := int32(2 + round%3)
		counts := []int{int(w.replicas(t, "web"))} // that may be remembered
		var wait sync.WaitGroup
		wait.Go(func() {
			scale, err := deployments.GetScale(t.Context(), "web", metav1.GetOptions{})
			if !assert.NoError(t, err) || scale.Spec.Replicas == 0 {
				return // an autoscaler leaves 0 alone
			}
			time.Sleep(time.Duration(round%5) * 3 * time.Millisecond)
			scale.Spec.Replicas = count
			_, err = deployments.UpdateScale(t.Context(), "web", scale, metav1.UpdateOptions{})
			switch {
			case err == nil:
				counts = append(counts, int(count))
			case apierrors.IsConflict(err):
				refused++
			default:
				assert.NoError(t, err)
			}
		})
		wait.Go(func() {
			_, err := w.ApplyInstance(t.Context(), config)
			assert.NoError(t, err)
		})
		wait.Go(func() { assert.NoError(t, w.StopInstance(t.Context(), instance.ID)) })
		wait.Wait()
		require.EqualValues(t, 0, w.replicas(t, "web"), "round %d: the stop holds", round)
		stopped, err := w.GetInstance(t.Context(), instance.ID)
		require.NoError(t, err)
		assert.Equal(t, strconv.Itoa(round), stopped.Labels["round"])
		remembered, err := strconv.Atoi(stopped.Metadata[hosting.MetadataStoppedReplicas])
		require.NoError(t, err)
		require.Contains(t, counts, remembered, "round %d", round)

		wait.Go(func() { assert.NoError(t, w.StartInstance(t.Context(), instance.ID)) })
		wait.Go(func() {
			config := config
			config.Labels = map[string]string{"round": "started"}
			_, err := w.ApplyInstance(t.Context(), config)
			assert.NoError(t, err)
		})
		wait.Wait()
		require.EqualValues(t, remembered, w.replicas(t, "web"), "round %d: it starts with what it had", round)
	}
	t.Logf("%d of %d writes of the autoscaler were refused", refused, rounds)
	assert.Positive(t, refused, "nothing has met")
}

func TestAScaleDuringAnApplyIsNotLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeStatefulSet)
	config.Scaling = nil
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	for round := range 15 {
		config.Labels = map[string]string{"round": strconv.Itoa(round)}
		replicas := 1 + round%4
		var wait sync.WaitGroup
		wait.Go(func() { assert.NoError(t, w.ScaleInstance(t.Context(), instance.ID, replicas)) })
		wait.Go(func() {
			_, err := w.ApplyInstance(t.Context(), config)
			assert.NoError(t, err)
		})
		wait.Wait()
		set, err := w.client.AppsV1().StatefulSets(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
		require.NoError(t, err)
		require.EqualValues(t, replicas, *set.Spec.Replicas, "round %d", round)
		require.Equal(t, strconv.Itoa(round), set.Labels["round"])
	}
}
