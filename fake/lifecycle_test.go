package fake_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
)

const ms = time.Millisecond

func TestInstanceIsCreatingUntilAllReplicasAreReady(t *testing.T) {
	for _, instanceType := range []string{hosting.TypeDeployment, hosting.TypeStatefulSet, hosting.TypeDaemonSet, hosting.TypeJob} {
		inBubble(t, func(w world) {
			instance, err := w.CreateInstance(w.ctx, ofType(instanceType))
			require.NoError(w, err)
			assert.Equal(w, hosting.StatusCreating, instance.Status)
			w.at(2*time.Second-ms, instance.ID, hosting.StatusCreating)
			w.at(ms, instance.ID, hosting.StatusRunning)
		})
	}
}

func TestDaemonSetHasOneReplicaOnEachNode(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(ofType(hosting.TypeDaemonSet))
		assert.Equal(w, 5, w.get(id).Replicas)
		w.failed(w.ScaleInstance(w.ctx, id, 2), hosting.ScaleFailed, hosting.Unsupported)
	}, fake.WithNodes(5))
}

func TestStoppedInstanceStartsWithTheReplicasItHad(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(2))
		require.NoError(w, w.ScaleInstance(w.ctx, id, 3))
		w.at(0, id, hosting.StatusStarting)
		w.wait(id, hosting.StatusRunning)

		require.NoError(w, w.StopInstance(w.ctx, id))
		assert.Zero(w, w.at(0, id, hosting.StatusStopping).Replicas)
		stopped := w.at(time.Second, id, hosting.StatusStopped)
		assert.Equal(w, "3", stopped.Metadata[hosting.MetadataStoppedReplicas])
		require.NoError(w, w.StopInstance(w.ctx, id))

		require.NoError(w, w.StartInstance(w.ctx, id))
		require.NoError(w, w.StartInstance(w.ctx, id))
		assert.Equal(w, 3, w.at(0, id, hosting.StatusStarting).Replicas)
		w.at(2*time.Second, id, hosting.StatusRunning)
	})
}

func TestScalingAStoppedInstanceSetsWhatItStartsWith(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(2))
		require.NoError(w, w.StopInstance(w.ctx, id))
		require.NoError(w, w.ScaleInstance(w.ctx, id, 5))
		assert.Equal(w, "5", w.wait(id, hosting.StatusStopped).Metadata[hosting.MetadataStoppedReplicas])
		w.failed(w.RestartInstance(w.ctx, id), hosting.RestartFailed, hosting.Conflict)
		require.NoError(w, w.StartInstance(w.ctx, id))
		assert.Equal(w, 5, w.wait(id, hosting.StatusRunning).Replicas)
	})
}

func TestScalingToZeroKeepsTheInstanceRunning(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(2))
		require.NoError(w, w.ScaleInstance(w.ctx, id, 0))
		instance := w.at(0, id, hosting.StatusRunning)
		assert.Zero(w, instance.Replicas)
		assert.Equal(w, "ScaledToZero", instance.Metadata[hosting.MetadataReason])
		health, err := w.HealthCheck(w.ctx, id)
		require.NoError(w, err)
		assert.Equal(w, "ScaledToZero", health.Reason)
		require.NoError(w, w.ScaleInstance(w.ctx, id, 1))
		w.wait(id, hosting.StatusRunning)
	})
}

func TestRestartAndUpdateRollWithoutLosingReadyReplicas(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(8))
		check := func(status hosting.Status) {
			for w.get(id).Status == status {
				metrics, err := w.GetMetrics(w.ctx, id)
				require.NoError(w, err)
				assert.GreaterOrEqual(w, metrics.ReadyReplicas, 8)
				time.Sleep(100 * ms)
			}
			w.at(0, id, hosting.StatusRunning)
		}
		require.NoError(w, w.RestartInstance(w.ctx, id))
		w.at(0, id, hosting.StatusRestarting)
		check(hosting.StatusRestarting)

		require.NoError(w, w.UpdateResources(w.ctx, id, hosting.ResourceConfig{CPULimit: 2}))
		updating := w.at(0, id, hosting.StatusUpdating)
		assert.Equal(w, hosting.ResourceConfig{CPULimit: 2, CPURequest: 0.25, MemoryLimit: 512 << 20, MemoryRequest: 256 << 20}, *updating.Resources)
		check(hosting.StatusUpdating)
	})
}

func TestUpdateResourcesRefusesARequestAboveTheLimit(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(1))
		w.failed(w.UpdateResources(w.ctx, id, hosting.ResourceConfig{CPURequest: 1}), hosting.UpdateFailed, hosting.InvalidArgument)
		require.NoError(w, w.UpdateResources(w.ctx, id, hosting.ResourceConfig{}))
		w.at(0, id, hosting.StatusRunning)
	})
}

func TestDeletedInstanceTerminatesAndIsGone(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(2))
		require.NoError(w, w.DeleteInstance(w.ctx, id))
		w.at(0, id, hosting.StatusTerminating)
		require.NoError(w, w.DeleteInstance(w.ctx, id))
		w.failed(w.StartInstance(w.ctx, id), hosting.StartFailed, hosting.Conflict)
		_, err := w.CreateInstance(w.ctx, web(2))
		w.failed(err, hosting.CreateFailed, hosting.Conflict)
		time.Sleep(time.Second)
		_, err = w.GetInstance(w.ctx, id)
		w.failed(err, hosting.InstanceNotFound, hosting.NotFound)
		w.failed(w.DeleteInstance(w.ctx, id), hosting.InstanceNotFound, hosting.NotFound)
	})
}

func TestPreStopDelayComesOnTopOfTheStopTime(t *testing.T) {
	inBubble(t, func(w world) {
		config := web(1)
		config.Container.PreStop = &hosting.PreStop{Delay: hosting.Duration(5 * time.Second)}
		id := w.running(config)
		require.NoError(w, w.StopInstance(w.ctx, id))
		w.at(6*time.Second-ms, id, hosting.StatusStopping)
		w.at(ms, id, hosting.StatusStopped)
		require.NoError(w, w.StartInstance(w.ctx, id))
		w.wait(id, hosting.StatusRunning)
		require.NoError(w, w.DeleteInstance(w.ctx, id))
		w.at(6*time.Second-ms, id, hosting.StatusTerminating)
	})
}

func TestJobCompletesAndRunsAgainWhenItIsRestarted(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.create(ofType(hosting.TypeJob))
		w.at(2*time.Second, id, hosting.StatusRunning)
		w.at(10*time.Second, id, hosting.StatusCompleted)
		require.NoError(w, w.StopInstance(w.ctx, id))
		require.NoError(w, w.StartInstance(w.ctx, id))
		w.at(time.Minute, id, hosting.StatusCompleted)
		w.failed(w.ScaleInstance(w.ctx, id, 3), hosting.ScaleFailed, hosting.Conflict)

		require.NoError(w, w.RestartInstance(w.ctx, id))
		w.at(0, id, hosting.StatusRestarting)
		w.at(2*time.Second, id, hosting.StatusRunning)
		w.at(10*time.Second, id, hosting.StatusCompleted)
	})
}

func TestJobThatEndsBadlyHasFailed(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.create(ofType(hosting.TypeJob))
		failed := w.at(5*time.Second, id, hosting.StatusFailed)
		assert.Equal(w, "2 replicas ended with exit code 3", failed.Metadata[hosting.MetadataMessage])
		health, err := w.HealthCheck(w.ctx, id)
		require.NoError(w, err)
		assert.False(w, health.Healthy)
	}, fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload {
		return fake.Workload{RunTime: 3 * time.Second, ExitCode: 3}
	}))
}

func TestStoppedJobGoesOnWithWhatHasNotEnded(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.create(ofType(hosting.TypeJob))
		w.at(5*time.Second, id, hosting.StatusRunning)
		w.failed(w.UpdateResources(w.ctx, id, hosting.ResourceConfig{CPULimit: 2}), hosting.UpdateFailed, hosting.Conflict)
		require.NoError(w, w.StopInstance(w.ctx, id))
		require.NoError(w, w.UpdateResources(w.ctx, id, hosting.ResourceConfig{CPULimit: 2}))
		w.at(time.Hour, id, hosting.StatusStopped)
		require.NoError(w, w.StartInstance(w.ctx, id))
		w.at(2*time.Second, id, hosting.StatusRunning)
		w.at(10*time.Second, id, hosting.StatusCompleted)
	})
}

func TestJobIsNotScaledToZero(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.create(ofType(hosting.TypeJob))
		w.failed(w.ScaleInstance(w.ctx, id, 0), hosting.ScaleFailed, hosting.InvalidArgument)
		require.NoError(w, w.ScaleInstance(w.ctx, id, 2))
	})
}

func TestCronJobRunsOnItsScheduleAndNeverTwiceAtOnce(t *testing.T) {
	run := 10 * time.Second
	inBubble(t, func(w world) {
		config := ofType(hosting.TypeCronJob)
		config.Schedule = "* * * * *"
		id := w.create(config) // at midnight
		assert.Zero(w, w.at(59*time.Second, id, hosting.StatusRunning).Replicas)
		assert.Equal(w, 1, w.at(time.Second, id, hosting.StatusRunning).Replicas)
		assert.Zero(w, w.at(12*time.Second, id, hosting.StatusRunning).Replicas)
		w.failed(w.RestartInstance(w.ctx, id), hosting.RestartFailed, hosting.Unsupported)
		require.NoError(w, w.RunNow(w.ctx, id))
		assert.Equal(w, 1, w.get(id).Replicas)
		w.failed(w.RunNow(w.ctx, id), hosting.StartFailed, hosting.Conflict)
		time.Sleep(time.Hour)
		assert.NotContains(w, w.reasons(id), "JobAlreadyActive")

		require.NoError(w, w.StopInstance(w.ctx, id))
		before := len(w.reasons(id))
		w.at(time.Hour, id, hosting.StatusStopped)
		assert.LessOrEqual(w, len(w.reasons(id))-before, 0, "nothing runs while it is stopped")
		require.NoError(w, w.StartInstance(w.ctx, id))
		w.at(0, id, hosting.StatusRunning)
	}, fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload { return fake.Workload{RunTime: run} }))

	inBubble(t, func(w world) {
		config := ofType(hosting.TypeCronJob)
		config.Schedule = "* * * * *"
		id := w.create(config)
		time.Sleep(10 * time.Minute)
		assert.Equal(w, 1, w.get(id).Replicas)
		assert.Contains(w, w.reasons(id), "JobAlreadyActive")
	}, fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload { return fake.Workload{RunTime: 90 * time.Second} }))
}

func TestMinReplicasOfACronJobIsTheParallelismOfEachRun(t *testing.T) {
	inBubble(t, func(w world) {
		config := ofType(hosting.TypeCronJob)
		config.Scaling = &hosting.ScaleConfig{MinReplicas: 3}
		id := w.create(config)
		require.NoError(w, w.RunNow(w.ctx, id))
		time.Sleep(3 * time.Second)
		assert.Equal(w, 3, w.metrics(id).ReadyReplicas)
		assert.Equal(w, 1, w.get(id).Replicas, "one run is active")
		time.Sleep(time.Minute)
		assert.Zero(w, w.get(id).Replicas)
		assert.Equal(w, "succeeded", w.get(id).Metadata["lastRun"])
		three, err := w.EstimateCost(w.ctx, config)
		require.NoError(w, err)
		single, err := w.EstimateCost(w.ctx, ofType(hosting.TypeCronJob))
		require.NoError(w, err)
		assert.InDelta(w, 3*single.HourlyCost, three.HourlyCost, 1e-9)
	})
}

func TestCronJobEachMinuteFor40DaysTakesBoundedTimeAndMemory(t *testing.T) {
	inBubble(t, func(w world) {
		config := ofType(hosting.TypeCronJob)
		config.Schedule = "* * * * *"
		id := w.create(config)
		created := w.get(id).CreatedAt
		time.Sleep(40 * 24 * time.Hour)
		assert.Len(w, w.reasons(id), 1000)
		logs, err := w.GetLogs(w.ctx, id, hosting.LogQueryOptions{Limit: hosting.MaxLogLimit})
		require.NoError(w, err)
		assert.Len(w, logs, 200*11)
		cost, err := w.GetActualCost(w.ctx, id, created, hosting.NewTime(time.Now()))
		require.NoError(w, err)
		assert.Equal(w, 1.0, cost.Coverage)
		// The run of the last minute has begun, and paid nothing yet.
		assert.InEpsilon(w, (40*24*60-1)*10/3600.0*0.25*0.2, cost.Breakdown.Compute, 1e-9)
	})
}

func TestContainerThatEndsIsStartedAgainWithGrowingPauses(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.create(web(1))
		w.at(2*time.Second, id, hosting.StatusRunning)
		failed := w.at(5*time.Second, id, hosting.StatusFailed)
		assert.Equal(w, "CrashLoopBackOff", failed.Metadata[hosting.MetadataReason])
		w.at(10*time.Second, id, hosting.StatusRunning)
		w.at(5*time.Second, id, hosting.StatusFailed)
		w.at(20*time.Second-ms, id, hosting.StatusFailed)
		assert.Equal(w, "2", w.at(ms, id, hosting.StatusRunning).Metadata["restarts"])
	}, fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload { return fake.Workload{RunTime: 5 * time.Second} }))
}

func TestEventsTellTheStoryAndCanBeAdded(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(1))
		require.NoError(w, hosting.RecordEvent(w.ctx, w, id, hosting.InstanceEvent{Type: hosting.EventWarning, Reason: "Mine", Message: "m"}))
		w.failed(w.RecordEvent(w.ctx, id, hosting.InstanceEvent{Type: "Odd", Reason: "Mine"}), hosting.EventsFailed, hosting.InvalidArgument)
		w.failed(w.RecordEvent(w.ctx, id, hosting.InstanceEvent{Type: hosting.EventNormal}), hosting.EventsFailed, hosting.InvalidArgument)
		assert.Equal(w, []string{"Created", "Scheduled", "Started", "Mine"}, w.reasons(id))
		events, err := w.GetEvents(w.ctx, id)
		require.NoError(w, err)
		seen := map[string]bool{}
		for _, event := range events {
			assert.False(w, seen[event.EventID])
			seen[event.EventID] = true
			assert.False(w, event.Timestamp.IsZero())
		}
	})
}

func TestClosedProviderIsUnavailable(t *testing.T) {
	inBubble(t, func(w world) {
		require.NoError(w, w.Close())
		require.NoError(w, w.Close())
		_, err := w.ListInstances(w.ctx)
		w.failed(err, hosting.ListFailed, hosting.Unavailable)
	})
}
