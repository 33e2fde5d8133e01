package fake_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
)

func (w world) metrics(id string) hosting.InstanceMetrics {
	w.Helper()
	metrics, err := w.GetMetrics(w.ctx, id)
	require.NoError(w, err)
	return metrics
}

func TestReadyReplicasShareTheLoadUpToTheirLimit(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.create(web(2))
		require.NoError(w, w.SetLoad(id, fake.Load{CPU: 1.2, Memory: 100 << 20, NetworkIn: 5, NetworkOut: 7, Disk: 3 << 20}))
		assert.Zero(w, w.metrics(id).CPUUsage, "nothing is ready yet")
		assert.Zero(w, w.metrics(id).MeasuredReplicas)
		w.wait(id, hosting.StatusRunning)
		m := w.metrics(id)
		assert.InDelta(w, 1.0, m.CPUUsage, 1e-9, "each is at its limit of half a core")
		assert.EqualValues(w, 200<<20, m.MemoryUsage)
		assert.EqualValues(w, 6<<20, m.DiskUsage)
		assert.Equal(w, 5.0, m.NetworkIn)
		assert.Equal(w, 7.0, m.NetworkOut)
		assert.Empty(w, m.Unavailable)
		assert.Equal(w, 2, m.MeasuredReplicas)

		require.NoError(w, w.ScaleInstance(w.ctx, id, 4))
		m = w.metrics(id)
		assert.Equal(w, []int{2, 2}, []int{m.ReadyReplicas, m.MeasuredReplicas}, "those that start use nothing here")
		w.wait(id, hosting.StatusRunning)
		assert.InDelta(w, 1.2, w.metrics(id).CPUUsage, 1e-9, "four carry all of it")

		require.NoError(w, w.StopInstance(w.ctx, id))
		stopped := w.metrics(id)
		assert.Zero(w, stopped.CPUUsage+float64(stopped.MemoryUsage)+float64(stopped.Replicas)+float64(stopped.ReadyReplicas)+stopped.NetworkIn)
		w.failed(w.SetLoad("default.job.nobody", fake.Load{}), hosting.InstanceNotFound, hosting.NotFound)
	})
}

func TestLoadThatIsNoNumberIsCaught(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(2))
		for field, load := range map[string]fake.Load{
			"CPU": {CPU: math.NaN()}, "NetworkIn": {NetworkIn: math.NaN()}, "NetworkOut": {NetworkOut: math.NaN()},
		} {
			err := w.SetLoad(id, load)
			w.failed(err, hosting.MetricsFailed, hosting.InvalidArgument)
			assert.ErrorContains(w, err, field)
		}
		require.NoError(w, w.SetLoadFunc(id, func(time.Time) fake.Load {
			return fake.Load{CPU: math.NaN(), NetworkIn: math.Inf(1), NetworkOut: math.Inf(-1)}
		}))
		m := w.metrics(id)
		assert.Zero(w, m.CPUUsage)
		assert.Equal(w, math.MaxFloat64, m.NetworkIn, "JSON has no infinity")
		assert.Zero(w, m.NetworkOut)
	})
}

func TestLoadCanBeAFunctionOfTime(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(2))
		began := time.Now()
		require.NoError(w, w.SetLoadFunc(id, func(t time.Time) fake.Load { return fake.Load{CPU: t.Sub(began).Minutes() / 10} }))
		time.Sleep(3 * time.Minute)
		assert.InDelta(w, 0.3, w.metrics(id).CPUUsage, 1e-9)
	})
}

func TestAutoscalerFollowsTheLoad(t *testing.T) {
	inBubble(t, func(w world) {
		config := web(2)
		config.Scaling.TargetCPUUtilization, config.Scaling.MaxReplicas = 80, 6
		id := w.running(config)
		w.failed(w.ScaleInstance(w.ctx, id, 3), hosting.ScaleFailed, hosting.Conflict)
		for _, c := range []struct {
			cpu  float64
			want int
		}{{0.1, 2}, {0.9, 5}, {3, 6}, {0.5, 3}} {
			require.NoError(w, w.SetLoad(id, fake.Load{CPU: c.cpu}))
			time.Sleep(2 * time.Minute)
			assert.Equal(w, c.want, w.get(id).Replicas, "at %v cores", c.cpu)
		}
		require.NoError(w, w.StopInstance(w.ctx, id))
		require.NoError(w, w.ScaleInstance(w.ctx, id, 4))
		require.NoError(w, w.StartInstance(w.ctx, id))
		assert.Equal(w, 4, w.wait(id, hosting.StatusRunning).Replicas)
	})
}

func TestManyReplicasAreNoBurden(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(1))
		require.NoError(w, w.ScaleInstance(w.ctx, id, 20_000))
		w.wait(id, hosting.StatusRunning)
		require.NoError(w, w.RestartInstance(w.ctx, id))
		w.wait(id, hosting.StatusRunning)
		require.NoError(w, w.DeleteInstance(w.ctx, id))
		require.NoError(w, hosting.WaitForDeletion(w.ctx, w, id, hosting.WaitOptions{}))
	})
}

func TestSumsOfBytesDoNotWrapAround(t *testing.T) {
	inBubble(t, func(w world) {
		config := web(20)
		config.Resources = &hosting.ResourceConfig{MemoryLimit: 1 << 60}
		id := w.running(config)
		require.NoError(w, w.SetLoad(id, fake.Load{Memory: 1 << 62, Disk: 1 << 62}))
		m := w.metrics(id)
		assert.EqualValues(w, math.MaxInt64, m.MemoryUsage)
		assert.EqualValues(w, math.MaxInt64, m.DiskUsage)
	})
}
