package fake_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
)

func TestScaleFromNeedsTheReplicasThatWereSeen(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w world) {
		id := w.running(web(2))
		require.NoError(w, w.ScaleFrom(w.ctx, id, 2, 4))
		assert.Equal(w, 4, w.get(id).Replicas)
		w.failed(w.ScaleFrom(w.ctx, id, 2, 5), hosting.ScaleFailed, hosting.Conflict)
		w.failed(w.ScaleFrom(w.ctx, id, 4, -1), hosting.ScaleFailed, hosting.InvalidArgument)
		w.failed(w.ScaleFrom(w.ctx, "default.deployment.other", 4, 5), hosting.InstanceNotFound, hosting.NotFound)
		require.NoError(w, w.StopInstance(w.ctx, id))
		w.failed(w.ScaleFrom(w.ctx, id, 4, 5), hosting.ScaleFailed, hosting.Conflict)
		w.failed(w.ScaleFrom(w.ctx, id, 0, 5), hosting.ScaleFailed, hosting.Conflict)
		require.NoError(w, w.StartInstance(w.ctx, id))
		assert.Equal(w, 4, w.get(id).Replicas, "none of what was refused has changed anything")
	})
}

func TestScaleFromIsUnsupportedWhereReplicasCannotBeChosen(t *testing.T) {
	t.Parallel()
	for _, instanceType := range []string{hosting.TypeDaemonSet, hosting.TypeCronJob} {
		inBubble(t, func(w world) {
			id := w.create(ofType(instanceType))
			w.failed(w.ScaleFrom(w.ctx, id, w.get(id).Replicas, 5), hosting.ScaleFailed, hosting.Unsupported)
		})
	}
}

func TestAnAutoscalerThatIsTakenOverRestsUntilItIsGivenBack(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w world) {
		config := web(1)
		config.Resources = &hosting.ResourceConfig{CPURequest: 1, CPULimit: 1}
		config.Scaling.MaxReplicas, config.Scaling.TargetCPUUtilization = 8, 50
		id := w.running(config)
		w.failed(w.ScaleFrom(w.ctx, id, 1, 2), hosting.ScaleFailed, hosting.Conflict)
		for range 2 { // again, which changes nothing
			require.NoError(w, w.TakeOver(w.ctx, id))
			assert.Equal(w, "true", w.get(id).Metadata[hosting.MetadataTakenOver])
		}
		require.NoError(w, w.SetLoad(id, fake.Load{CPU: 2}))
		time.Sleep(time.Minute)
		assert.Equal(w, 1, w.get(id).Replicas)
		require.NoError(w, w.ScaleFrom(w.ctx, id, 1, 3))
		require.NoError(w, w.ScaleInstance(w.ctx, id, 5), "nothing else decides")
		require.NoError(w, w.ScaleInstance(w.ctx, id, 3))

		// Nor does it act after a stop or a change of its configuration.
		require.NoError(w, w.StopInstance(w.ctx, id))
		require.NoError(w, w.StartInstance(w.ctx, id))
		config.Scaling.TargetCPUUtilization = 40
		_, err := w.ApplyInstance(w.ctx, config)
		require.NoError(w, err)
		time.Sleep(time.Minute)
		assert.Equal(w, 3, w.get(id).Replicas)

		for range 2 {
			require.NoError(w, w.GiveBack(w.ctx, id))
			assert.NotContains(w, w.get(id).Metadata, hosting.MetadataTakenOver)
		}
		time.Sleep(time.Minute)
		assert.Equal(w, 5, w.get(id).Replicas)
		w.failed(w.ScaleInstance(w.ctx, id, 4), hosting.ScaleFailed, hosting.Conflict)
		w.failed(w.TakeOver(w.ctx, "default.deployment.other"), hosting.InstanceNotFound, hosting.NotFound)
		w.failed(w.GiveBack(w.ctx, "default.deployment.other"), hosting.InstanceNotFound, hosting.NotFound)
	})
}

func TestAnInstanceThatHasNoAutoscalerEverIsNotTakenOver(t *testing.T) {
	t.Parallel()
	for _, instanceType := range []string{hosting.TypeJob, hosting.TypeDaemonSet, hosting.TypeCronJob} {
		inBubble(t, func(w world) {
			id := w.create(ofType(instanceType))
			require.NoError(w, w.TakeOver(w.ctx, id))
			assert.NotContains(w, w.get(id).Metadata, hosting.MetadataTakenOver)
		})
	}
}

func TestAClockOfTheCallersMovesTheProvider(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	p := fake.New(fake.WithClock(func() time.Time { return now }))
	created, err := p.CreateInstance(t.Context(), web(1))
	require.NoError(t, err)
	assert.Equal(t, hosting.NewTime(now), created.CreatedAt)
	assert.Equal(t, hosting.StatusCreating, created.Status)
	now = now.Add(3 * time.Second)
	instance, err := p.GetInstance(t.Context(), created.ID)
	require.NoError(t, err)
	assert.Equal(t, hosting.StatusRunning, instance.Status)
}
