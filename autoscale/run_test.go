package autoscale_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestLoadThatRisesAndFallsIsFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.controller()
		w.create(c, cpuPolicy())
		stop := w.run(c)
		defer stop()

		time.Sleep(5*time.Minute + 7*time.Second) // between two looks
		assert.Equal(t, 2, w.replicas(), "half of the limit is within the thresholds")

		w.load(3.5)
		time.Sleep(46 * time.Second)
		assert.Equal(t, 3, w.replicas(), "up after the evaluation period and one interval")
		time.Sleep(50 * time.Second)
		assert.Equal(t, 3, w.replicas(), "no second step within the cooldown")
		time.Sleep(5 * time.Minute)
		assert.Equal(t, 5, w.replicas(), "no more than maxReplicas")

		w.load(0.1)
		time.Sleep(2*time.Minute + 10*time.Second)
		assert.Equal(t, 5, w.replicas(), "not down within evaluation period and stabilization window")
		time.Sleep(10 * time.Second)
		assert.Equal(t, 4, w.replicas())
		time.Sleep(10 * time.Minute)
		assert.Equal(t, 1, w.replicas())
		assert.Equal(t, []string{
			"from 2 to 3 replicas: cpu_usage is 100 (> 70 for 30s)",
			"from 3 to 4 replicas: cpu_usage is 100 (> 70 for 30s)",
			"from 4 to 5 replicas: cpu_usage is 87.5 (> 70 for 30s)",
			"from 5 to 4 replicas: cpu_usage is 2 (< 30 for 30s)",
			"from 4 to 3 replicas: cpu_usage is 2.5 (< 30 for 30s)",
			"from 3 to 2 replicas: cpu_usage is 3.333 (< 30 for 30s)",
			"from 2 to 1 replicas: cpu_usage is 5 (< 30 for 30s)",
		}, w.decisions())
	})
}
