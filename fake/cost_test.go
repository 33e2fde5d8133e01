package fake_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
)

const gib = 1 << 30

func TestEstimatePricesTheReplicasItStartsWith(t *testing.T) {
	inBubble(t, func(w world) {
		_, err := w.CreateVolume(w.ctx, hosting.Volume{Name: "data", Size: 10 * gib, AccessMode: hosting.ReadWriteMany})
		require.NoError(w, err)
		config := web(3)
		config.Network = &hosting.NetworkConfig{ServiceType: hosting.ServiceLoadBalancer}
		config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: "default.volume.data", MountPath: "/a"}, {VolumeID: "default.volume.data", MountPath: "/b"}}
		estimate, err := w.EstimateCost(w.ctx, config)
		require.NoError(w, err)
		b := estimate.Breakdown
		assert.InEpsilon(w, 3*0.25*0.5, b.Compute, 1e-12)
		assert.InEpsilon(w, 3*0.25*0.1, b.Memory, 1e-12)
		assert.InEpsilon(w, 10*7.3/730, b.Storage, 1e-12)
		assert.InEpsilon(w, 0.3, b.Network, 1e-12)
		assert.Equal(w, b.Compute+b.Memory+b.Storage+b.Network, estimate.HourlyCost)
		assert.Equal(w, estimate.HourlyCost*24, estimate.DailyCost)
		assert.Equal(w, estimate.HourlyCost*730, estimate.MonthlyCost)
		assert.Equal(w, "USD", estimate.Currency)
	}, fake.WithRates(fake.Rates{Currency: "USD", CPUCoreHour: 0.5, MemoryGiBHour: 0.1, StorageGiBMonth: 7.3, LoadBalancerHour: 0.3}))
}

func TestActualCostOver40DaysIsWhatRan(t *testing.T) {
	day := 24 * time.Hour
	inBubble(t, func(w world) {
		start := time.Now()
		config := web(2)
		config.Resources = &hosting.ResourceConfig{CPURequest: 0.3, CPULimit: 4, MemoryRequest: gib}
		config.Network = &hosting.NetworkConfig{ServiceType: hosting.ServiceLoadBalancer}
		id := w.create(config)
		time.Sleep(10 * day)
		require.NoError(w, w.ScaleInstance(w.ctx, id, 7))
		time.Sleep(10*day + 123*ms)
		require.NoError(w, w.StopInstance(w.ctx, id))
		time.Sleep(5 * day)
		require.NoError(w, w.StartInstance(w.ctx, id))
		time.Sleep(15 * day)
		require.NoError(w, w.DeleteInstance(w.ctx, id))
		time.Sleep(day)

		// Replicas are paid for from 2 s after they were asked for until 1 s
		// after they were told to stop.
		replicaHours := 2*(20*day+123*ms-2*time.Second+time.Second).Hours() +
			5*(10*day+123*ms-2*time.Second+time.Second).Hours() +
			7*(15*day-2*time.Second+time.Second).Hours()
		lived := 40*day + 123*ms + time.Second

		cost := func(from, to time.Time) hosting.CostActual {
			cost, err := w.GetActualCost(w.ctx, id, hosting.NewTime(from), hosting.NewTime(to))
			require.NoError(w, err)
			return cost
		}
		whole := cost(start, time.Now())
		assert.InEpsilon(w, replicaHours*0.3*0.2, whole.Breakdown.Compute, 1e-12)
		assert.InEpsilon(w, replicaHours*0.05, whole.Breakdown.Memory, 1e-12)
		assert.InEpsilon(w, lived.Hours()*0.1, whole.Breakdown.Network, 1e-12)
		assert.Zero(w, whole.Breakdown.Storage)
		b := whole.Breakdown
		assert.Equal(w, b.Compute+b.Memory+b.Storage+b.Network, whole.TotalCost)
		assert.Equal(w, 1.0, whole.Coverage)

		sum := 0.0
		for at := start; at.Before(time.Now()); at = at.Add(7 * time.Hour) {
			sum += cost(at, at.Add(7*time.Hour)).TotalCost
		}
		assert.InEpsilon(w, whole.TotalCost, sum, 1e-9, "the parts sum to the whole")
	})
}

func TestFutureIsNotCovered(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(1))
		now := time.Now()
		cost, err := w.GetActualCost(w.ctx, id, hosting.NewTime(now.Add(-time.Hour)), hosting.NewTime(now.Add(3*time.Hour)))
		require.NoError(w, err)
		assert.Equal(w, 0.25, cost.Coverage)
		_, err = w.GetActualCost(w.ctx, id, hosting.NewTime(now), hosting.NewTime(now.Add(-time.Hour)))
		w.failed(err, hosting.CostFailed, hosting.InvalidArgument)
		_, err = w.GetActualCost(w.ctx, "default.job.nobody", hosting.NewTime(now), hosting.NewTime(now))
		w.failed(err, hosting.InstanceNotFound, hosting.NotFound)
	})
}

func TestReplicaThatCannotStartCostsNothing(t *testing.T) {
	inBubble(t, func(w world) {
		w.InjectStart(fake.StartFault{Failure: fake.Unschedulable})
		id := w.create(web(3))
		time.Sleep(time.Hour)
		cost, err := w.GetActualCost(w.ctx, id, hosting.NewTime(time.Now().Add(-time.Hour)), hosting.NewTime(time.Now()))
		require.NoError(w, err)
		assert.Zero(w, cost.TotalCost)
	})
}

func TestLargestInstanceHasACost(t *testing.T) {
	inBubble(t, func(w world) {
		config := web(100_000)
		config.Resources = &hosting.ResourceConfig{CPURequest: 1e6, MemoryRequest: 1 << 60}
		estimate, err := w.EstimateCost(w.ctx, config)
		require.NoError(w, err)
		assert.InEpsilon(w, 1e5*1e6*0.2, estimate.Breakdown.Compute, 1e-12)
		assert.InEpsilon(w, 1e5*(1<<30)*0.05, estimate.Breakdown.Memory, 1e-12)
	})
	inBubble(t, func(w world) {
		config := web(20)
		config.Resources = &hosting.ResourceConfig{MemoryRequest: 1 << 60}
		id := w.create(config)
		time.Sleep(2*time.Second + time.Hour)
		cost, err := w.GetActualCost(w.ctx, id, hosting.NewTime(time.Now().Add(-time.Hour)), hosting.NewTime(time.Now()))
		require.NoError(w, err)
		assert.InEpsilon(w, 20*(1<<30)*0.05, cost.Breakdown.Memory, 1e-12)
	})
}

func TestActualCostOfAnyPeriodHasASensibleCoverage(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(1))
		time.Sleep(time.Hour)
		whole, err := w.GetActualCost(w.ctx, id, hosting.Time{}, hosting.NewTime(time.Now()))
		require.NoError(w, err)
		assert.Equal(w, 1.0, whole.Coverage)
		now := hosting.NewTime(time.Now()).Millis()
		for _, period := range [][2]int64{
			{math.MinInt64, math.MaxInt64}, {math.MinInt64, now}, {now, math.MaxInt64}, {math.MaxInt64, math.MaxInt64},
			{math.MinInt64, math.MinInt64}, {math.MinInt64, -1}, {math.MaxInt64 - 1, math.MaxInt64}, {now, now},
		} {
			cost, err := w.GetActualCost(w.ctx, id, hosting.TimeFromMillis(period[0]), hosting.TimeFromMillis(period[1]))
			require.NoError(w, err)
			assert.True(w, cost.Coverage >= 0 && cost.Coverage <= 1, "%v: %v", period, cost.Coverage)
			assert.True(w, cost.TotalCost >= 0 && cost.TotalCost <= whole.TotalCost, "%v: %v", period, cost.TotalCost)
		}
		before, err := w.GetActualCost(w.ctx, id, hosting.TimeFromMillis(math.MinInt64), hosting.NewTime(time.Now()))
		require.NoError(w, err)
		assert.Equal(w, 1.0, before.Coverage, "nothing ran before")
		assert.Equal(w, whole.TotalCost, before.TotalCost)
		_, err = w.GetActualCost(w.ctx, id, hosting.TimeFromMillis(now), hosting.Time{})
		w.failed(err, hosting.CostFailed, hosting.InvalidArgument)
		assert.ErrorContains(w, err, "endTime")
		assert.ErrorContains(w, err, "a time after startTime")
	})
}

func TestCostOfAMinutelyCronJobIsKnownForMonthsAndAfterIt(t *testing.T) {
	inBubble(t, func(w world) {
		start := time.Now()
		config := ofType(hosting.TypeCronJob)
		config.Schedule = "* * * * *"
		id := w.create(config)
		const days = 60
		time.Sleep(days * 24 * time.Hour)
		check := func(what string) {
			end := start.Add(days * 24 * time.Hour)
			cost, err := w.GetActualCost(w.ctx, id, hosting.NewTime(start), hosting.NewTime(end))
			require.NoError(w, err)
			assert.Equal(w, 1.0, cost.Coverage, what)
			// Each run is paid for from when its container starts, for 10 s.
			runs := float64(days*24*60 - 1)
			assert.InEpsilon(w, runs*10/3600*0.25*0.2, cost.Breakdown.Compute, 1e-6, what)
			day, err := w.GetActualCost(w.ctx, id, hosting.NewTime(start.Add(48*time.Hour)), hosting.NewTime(start.Add(72*time.Hour)))
			require.NoError(w, err)
			assert.InEpsilon(w, 1440*10.0/3600*0.25*0.2, day.Breakdown.Compute, 1e-6, what)
		}
		check("while it lives")
		require.NoError(w, w.DeleteInstance(w.ctx, id))
		time.Sleep(time.Minute)
		check("when it is gone")
	})
}

func TestWhatIsForgottenIsNotCovered(t *testing.T) {
	inBubble(t, func(w world) {
		start := time.Now()
		coverage := func(id string) float64 {
			cost, err := w.GetActualCost(w.ctx, id, hosting.NewTime(start), hosting.NewTime(time.Now()))
			require.NoError(w, err)
			return cost.Coverage
		}
		live := func(name string) string {
			config := web(1)
			config.InstanceName = name
			id := w.create(config)
			time.Sleep(time.Minute)
			return id
		}
		end := func(id string) {
			require.NoError(w, w.DeleteInstance(w.ctx, id))
			time.Sleep(time.Minute)
		}
		old := live("old")
		end(live("web"))
		again := live("web")
		assert.Equal(w, 1.0, coverage(again))
		for i := range 256 {
			end(live(fmt.Sprintf("other-%d", i)))
		}
		assert.Less(w, coverage(again), 1.0, "the first instance of this id is forgotten")
		assert.Equal(w, 1.0, coverage(old), "it is older than what is forgotten")
	})
}
