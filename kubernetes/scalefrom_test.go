//go:build linux

package kubernetes_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

// scalable is a configuration without an autoscaler.
func scalable(instanceType string) hosting.CloudHostingConfig {
	config := everything("web", instanceType)
	config.Scaling = &hosting.ScaleConfig{MinReplicas: 2}
	return config
}

func TestScalingFromACountChangesThatCountAndNoOther(t *testing.T) {
	t.Parallel()
	for _, instanceType := range []string{hosting.TypeDeployment, hosting.TypeStatefulSet, hosting.TypeJob} {
		t.Run(instanceType, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			config := scalable(instanceType)
			instance, err := w.CreateInstance(t.Context(), config)
			require.NoError(t, err)
			replicas := func() int {
				now, err := w.GetInstance(t.Context(), instance.ID)
				require.NoError(t, err)
				return now.Replicas
			}
			require.NoError(t, w.ScaleFrom(t.Context(), instance.ID, 2, 5))
			require.Equal(t, 5, replicas())
			err = w.ScaleFrom(t.Context(), instance.ID, 2, 3)
			require.ErrorIs(t, err, hosting.Conflict)
			assert.Equal(t, hosting.ScaleFailed, hosting.CodeOf(err))
			assert.Contains(t, err.Error(), "it has 5 replicas, not 2")
			require.NoError(t, w.ScaleFrom(t.Context(), instance.ID, 5, 5), "it is what it should be")
			require.Equal(t, 5, replicas())

			if instanceType != hosting.TypeJob { // the anchor has followed
				w.loseWorkload(t, config)
				require.NoError(t, w.StartInstance(t.Context(), instance.ID))
				require.Equal(t, 5, replicas())
			}
			require.NoError(t, w.StopInstance(t.Context(), instance.ID))
			for _, from := range []int{0, 5} {
				err = w.ScaleFrom(t.Context(), instance.ID, from, 3)
				require.ErrorIs(t, err, hosting.Conflict)
				assert.Contains(t, err.Error(), "the instance is stopped")
			}
			require.NoError(t, w.StartInstance(t.Context(), instance.ID))
			require.Equal(t, 5, replicas(), "the refused ones have left nothing behind")
		})
	}
}

func TestScalingFromACountIsRefusedWithAReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, instanceType := range []string{hosting.TypeDeployment, hosting.TypeDaemonSet, hosting.TypeCronJob} {
		config := everything("a-"+instanceType, instanceType)
		_, err := w.CreateInstance(t.Context(), config)
		require.NoError(t, err)
	}
	for _, test := range []struct {
		id       string
		from, to int
		reason   hosting.Reason
		says     string
	}{
		{"default.deployment.a-deployment", 2, 3, hosting.Conflict, "HorizontalPodAutoscaler a-deployment sets the number of replicas"},
		{"default.deployment.a-deployment", -1, 3, hosting.InvalidArgument, "from"},
		{"default.deployment.a-deployment", 2, -3, hosting.InvalidArgument, "to"},
		{"default.deployment.a-deployment", 2, 1 << 40, hosting.InvalidArgument, "to"},
		{"default.daemonset.a-daemonset", 1, 2, hosting.Unsupported, "one replica on each node"},
		{"default.cronjob.a-cronjob", 1, 2, hosting.Unsupported, "runs, not replicas"},
		{"default.deployment.none", 1, 2, hosting.NotFound, "does not exist"},
		{"nonsense", 1, 2, hosting.InvalidArgument, "nonsense"},
	} {
		err := w.ScaleFrom(t.Context(), test.id, test.from, test.to)
		require.ErrorIs(t, err, test.reason, "%s from %d to %d", test.id, test.from, test.to)
		assert.Contains(t, err.Error(), test.says)
	}
}

func TestOfManyThatScaleFromOneCountOneSucceeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	instance, err := w.CreateInstance(t.Context(), scalable(hosting.TypeDeployment))
	require.NoError(t, err)
	for count := 2; count < 8; count++ {
		var done atomic.Int32
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				err := w.ScaleFrom(t.Context(), instance.ID, count, count+1)
				if err == nil {
					done.Add(1)
					return
				}
				assert.ErrorIs(t, err, hosting.Conflict)
			})
		}
		wait.Wait()
		require.EqualValues(t, 1, done.Load())
		require.Equal(t, count+1, newScaler(w, hosting.TypeDeployment).replicas(t))
	}
}

func TestWhatHappensBeforeTheWriteRefusesAScalingFromACount(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		do   func(w *world, t *testing.T, id string)
		says string
	}{
		"a stop":      {func(w *world, t *testing.T, id string) { assert.NoError(t, w.StopInstance(t.Context(), id)) }, "stopped"},
		"a scaling":   {func(w *world, t *testing.T, id string) { assert.NoError(t, w.ScaleInstance(t.Context(), id, 4)) }, "it has 4 replicas, not 2"},
		"a target":    {func(w *world, t *testing.T, _ string) { w.applyAsIs(t) }, "HorizontalPodAutoscaler web"},
		"a deletion":  {func(w *world, t *testing.T, id string) { w.delete(t, id) }, "deleted"},
		"two of them": {func(w *world, t *testing.T, id string) { assert.NoError(t, w.ScaleFrom(t.Context(), id, 2, 3)) }, "it has 3 replicas, not 2"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			instance, err := w.CreateInstance(t.Context(), scalable(hosting.TypeDeployment))
			require.NoError(t, err)
			p := w.interrupted(t, moment{nth: 1, method: "PUT", path: "/deployments/web/scale", do: func() { test.do(w, t, instance.ID) }})
			err = p.ScaleFrom(t.Context(), instance.ID, 2, 6)
			require.Error(t, err)
			t.Log(err)
			if what != "a deletion" {
				require.ErrorIs(t, err, hosting.Conflict)
				assert.Contains(t, err.Error(), test.says)
			}
		})
	}
}

func TestWhatFailsAfterTheWriteDoesNotSayThatNothingHasChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	instance, err := w.CreateInstance(t.Context(), scalable(hosting.TypeDeployment))
	require.NoError(t, err)
	all := permissions(shippedRules(t, namespacedFile))
	limited := w.provider(t, w.as(t, w.namespace+"-scaler", without(all, permission{"", "configmaps", "update"})))
	err = limited.ScaleFrom(t.Context(), instance.ID, 2, 3)
	require.ErrorIs(t, err, hosting.Unavailable)
	assert.Contains(t, err.Error(), "the replicas are changed")
	assert.Contains(t, err.Error(), "cannot update resource")
	require.Equal(t, 3, newScaler(w, hosting.TypeDeployment).replicas(t))

	p := w.interrupted(t, moment{nth: 1, method: "PUT", path: "/configmaps/skill-web", do: func() { w.delete(t, instance.ID) }})
	require.NoError(t, p.ScaleFrom(t.Context(), instance.ID, 3, 4), "it was done")
}
