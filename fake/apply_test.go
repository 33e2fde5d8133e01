package fake_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
)

func (w world) apply(config hosting.CloudHostingConfig) hosting.CloudInstance {
	w.Helper()
	instance, err := hosting.ApplyInstance(w.ctx, w, config)
	require.NoError(w, err)
	return instance
}

func (w world) plan(config hosting.CloudHostingConfig) hosting.InstancePlan {
	w.Helper()
	plan, err := hosting.PlanInstance(w.ctx, w, config)
	require.NoError(w, err)
	return plan
}

func TestApplyCreatesAndThenRollsWhatChanged(t *testing.T) {
	inBubble(t, func(w world) {
		config := web(8)
		created := w.apply(config)
		assert.Equal(w, hosting.StatusCreating, created.Status)
		w.wait(created.ID, hosting.StatusRunning)
		before := w.reasons(created.ID)
		w.apply(config)
		assert.Equal(w, before, w.reasons(created.ID), "nothing had to be done")

		config.Labels, config.Annotations = map[string]string{"team": "blue"}, map[string]string{"note": "n"}
		labelled := w.apply(config)
		assert.Equal(w, hosting.StatusRunning, labelled.Status, "labels replace no replica")
		assert.Equal(w, config.Labels, labelled.Labels)

		config.Env = map[string]string{"A": "1"}
		assert.Equal(w, hosting.StatusUpdating, w.apply(config).Status)
		for w.get(created.ID).Status == hosting.StatusUpdating {
			assert.GreaterOrEqual(w, w.metrics(created.ID).ReadyReplicas, 8)
			time.Sleep(100 * ms)
		}
		w.at(0, created.ID, hosting.StatusRunning)
		assert.Equal(w, created.ID, w.create(config), "it is the configuration in force")
		config.Env = nil
		_, err := w.CreateInstance(w.ctx, config)
		w.failed(err, hosting.CreateFailed, hosting.AlreadyExists)
	})
}

func TestApplyKeepsTheNumberOfReplicasUnlessScalingExcludesIt(t *testing.T) {
	inBubble(t, func(w world) {
		config := web(2)
		id := w.running(config)
		require.NoError(w, w.ScaleInstance(w.ctx, id, 5))
		config.Version = "2"
		assert.Equal(w, 5, w.apply(config).Replicas)
		for _, test := range []struct {
			scaling hosting.ScaleConfig
			want    int
		}{
			{hosting.ScaleConfig{MinReplicas: 1}, 5},
			{hosting.ScaleConfig{MinReplicas: 1, MaxReplicas: 4}, 4},
			{hosting.ScaleConfig{MinReplicas: 6, MaxReplicas: 8}, 6},
		} {
			config.Scaling = &test.scaling
			assert.Equal(w, test.want, w.apply(config).Replicas)
		}
		require.NoError(w, w.StopInstance(w.ctx, id))
		config.Scaling = &hosting.ScaleConfig{MinReplicas: 7}
		config.Container.Image = "nginx:1.30"
		assert.Zero(w, w.apply(config).Replicas)
		assert.Equal(w, "7", w.wait(id, hosting.StatusStopped).Metadata[hosting.MetadataStoppedReplicas])
		require.NoError(w, w.StartInstance(w.ctx, id))
		assert.Equal(w, 7, w.wait(id, hosting.StatusRunning).Replicas)
	})
}

func TestApplyMakesResourcesThoseOfTheConfiguration(t *testing.T) {
	inBubble(t, func(w world) {
		config := web(1)
		id := w.running(config)
		require.NoError(w, w.UpdateResources(w.ctx, id, hosting.ResourceConfig{CPULimit: 2}))
		w.wait(id, hosting.StatusRunning)
		assert.Equal(w, []string{"resources.cpuLimit: 2 becomes 0.5"}, w.plan(config).Changes)
		applied := w.apply(config)
		assert.Equal(w, 0.5, applied.Resources.CPULimit)
		assert.Equal(w, hosting.StatusUpdating, applied.Status)
	})
}

func TestApplyStartsAndStopsAnAutoscaler(t *testing.T) {
	inBubble(t, func(w world) {
		config := web(1)
		id := w.running(config)
		require.NoError(w, w.SetLoad(id, fake.Load{CPU: 1}))
		config.Scaling = &hosting.ScaleConfig{MinReplicas: 1, MaxReplicas: 3, TargetCPUUtilization: 50}
		w.apply(config)
		time.Sleep(5 * time.Minute)
		assert.Equal(w, 3, w.get(id).Replicas)
		config.Scaling = &hosting.ScaleConfig{MinReplicas: 1, MaxReplicas: 3}
		w.apply(config)
		require.NoError(w, w.ScaleInstance(w.ctx, id, 1))
		assert.Equal(w, 1, w.at(5*time.Minute, id, hosting.StatusRunning).Replicas)
	})
}

func TestApplyRefusesWhatCannotChange(t *testing.T) {
	inBubble(t, func(w world) {
		config := ofType(hosting.TypeJob)
		id := w.create(config)
		refused := func(change func(*hosting.CloudHostingConfig), reason hosting.Reason, field string) {
			w.Helper()
			other := ofType(hosting.TypeJob)
			change(&other)
			_, err := hosting.ApplyInstance(w.ctx, w, other)
			w.failed(err, hosting.UpdateFailed, reason)
			assert.ErrorContains(w, err, field)
			plan := w.plan(other)
			require.Len(w, plan.Objections, 1)
			assert.Contains(w, plan.Objections[0], field)
			assert.Nil(w, plan.Cost)
			assert.Equal(w, id, w.create(config), "it is as it was")
		}
		refused(func(c *hosting.CloudHostingConfig) { c.Container.Image = "nginx:1.30" }, hosting.Unsupported, "container.image")
		refused(func(c *hosting.CloudHostingConfig) { c.Env = map[string]string{"A": "hush"} }, hosting.Unsupported, "env[A]")
		refused(func(c *hosting.CloudHostingConfig) { c.SecretEnv = hosting.SecretMap{"A": "hush"} }, hosting.Unsupported, "secretEnv[A]")
		refused(func(c *hosting.CloudHostingConfig) { c.Resources = &hosting.ResourceConfig{CPULimit: 1} }, hosting.Conflict, "resources")
		refused(func(c *hosting.CloudHostingConfig) { c.InstanceType = hosting.TypeStatefulSet }, hosting.AlreadyExists, "job")

		require.NoError(w, w.StopInstance(w.ctx, id))
		config.Resources = &hosting.ResourceConfig{CPULimit: 1}
		assert.Equal(w, 1.0, w.apply(config).Resources.CPULimit)
		require.NoError(w, w.DeleteInstance(w.ctx, id))
		_, err := w.ApplyInstance(w.ctx, config)
		w.failed(err, hosting.UpdateFailed, hosting.Conflict)
		assert.Contains(w, w.plan(config).Objections[0], "is being deleted")
	})
}

func TestApplyChangesTheScheduleOfACronJobAndLeavesItsRuns(t *testing.T) {
	inBubble(t, func(w world) {
		config := ofType(hosting.TypeCronJob)
		config.Schedule = "0 3 * * *"
		id := w.create(config)
		require.NoError(w, w.RunNow(w.ctx, id))
		w.at(5*time.Second, id, hosting.StatusRunning)
		config.Schedule, config.Container.Image = "* * * * *", "nginx:1.30"
		assert.False(w, w.plan(config).Restarts)
		w.apply(config)
		assert.Equal(w, 1, w.get(id).Replicas, "the run goes on")
		time.Sleep(time.Minute)
		assert.Equal(w, "succeeded", w.get(id).Metadata["lastRun"])
		assert.Equal(w, 1, w.get(id).Replicas, "the new schedule was due")
	})
}

func TestApplyMountsAndUnmountsWhatTheConfigurationSays(t *testing.T) {
	inBubble(t, func(w world) {
		data, more, shared := w.volume("data", ""), w.volume("more", ""), w.volume("shared", hosting.ReadWriteMany)
		config := web(1)
		config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: data, MountPath: "/data"}}
		id := w.running(config)
		require.NoError(w, w.MountVolume(w.ctx, shared, id, "/shared", false))
		w.wait(id, hosting.StatusRunning)

		config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: more, MountPath: "/data"}}
		plan := w.plan(config)
		assert.Equal(w, []string{"volume default.volume.data is no longer mounted at /data", "volume default.volume.more is mounted at /data"}, plan.Changes)
		assert.True(w, plan.Restarts && plan.Detaches)
		assert.Empty(w, w.getVolume(more).Mounts, "a plan changes nothing")
		assert.Equal(w, hosting.StatusUpdating, w.apply(config).Status)
		assert.Empty(w, w.getVolume(data).Mounts)
		assert.Len(w, w.getVolume(more).Mounts, 1)
		assert.Len(w, w.getVolume(shared).Mounts, 1, "what MountVolume mounted stays")

		require.NoError(w, w.UnmountVolume(w.ctx, more, id))
		plan = w.plan(config)
		assert.True(w, plan.Restarts && !plan.Detaches)
		w.apply(config)
		assert.Len(w, w.getVolume(more).Mounts, 1, "the configuration has it")

		for field, change := range map[string]func(*hosting.CloudHostingConfig){
			"container.volumeMounts[0]: volume default.volume.more is ReadWriteOnce": func(c *hosting.CloudHostingConfig) { c.Scaling = &hosting.ScaleConfig{MinReplicas: 2} },
			"is mounted at /shared already": func(c *hosting.CloudHostingConfig) {
				c.Container.VolumeMounts = append(c.Container.VolumeMounts, hosting.VolumeMount{VolumeID: data, MountPath: "/shared"})
			},
		} {
			other := config
			other.Container = new(*config.Container)
			change(&other)
			_, err := w.ApplyInstance(w.ctx, other)
			w.failed(err, hosting.UpdateFailed, hosting.Conflict)
			assert.ErrorContains(w, err, field)
		}
	})
}

func TestReplicasThatRunGoOnAsTheyDidWhenTheWorkloadChanges(t *testing.T) {
	inBubble(t, func(w world) {
		config := web(1)
		id := w.running(config)
		config.Version = "2" // which replaces no replica
		w.apply(config)
		w.at(time.Hour, id, hosting.StatusRunning)
		require.NoError(w, w.RestartInstance(w.ctx, id))
		w.at(time.Minute, id, hosting.StatusFailed)
		_, err := w.RollbackInstance(w.ctx, id, 0)
		require.NoError(w, err)
		require.NoError(w, w.RestartInstance(w.ctx, id))
		w.at(time.Hour, id, hosting.StatusRunning)
	}, fake.WithWorkload(func(config hosting.CloudHostingConfig) fake.Workload {
		if config.Version == "2" {
			return fake.Workload{RunTime: time.Second, ExitCode: 1}
		}
		return fake.Workload{}
	}))
}

func TestPlanTellsWhatApplyWouldDo(t *testing.T) {
	inBubble(t, func(w world) {
		config := web(2)
		config.SecretEnv = hosting.SecretMap{"TOKEN": "hush1"}
		fresh := w.plan(config)
		assert.Equal(w, []string{"instance default.deployment.web is created with 2 replicas of nginx:1.29"}, fresh.Changes)
		estimate, err := w.EstimateCost(w.ctx, config)
		require.NoError(w, err)
		assert.Equal(w, estimate, *fresh.Cost)
		assert.False(w, fresh.Restarts || fresh.Detaches)

		id := w.running(config)
		require.NoError(w, w.ScaleInstance(w.ctx, id, 4))
		assert.Empty(w, w.plan(config).Changes)
		config.SecretEnv, config.Scaling = hosting.SecretMap{"TOKEN": "hush2"}, &hosting.ScaleConfig{MinReplicas: 1, MaxReplicas: 3}
		plan := w.plan(config)
		assert.Equal(w, []string{"scaling.maxReplicas: 3 is new", "scaling.minReplicas: 2 becomes 1", "secretEnv[TOKEN]: has another value", "replicas: 4 becomes 3"}, plan.Changes)
		assert.True(w, plan.Restarts)
		assert.InDelta(w, estimate.HourlyCost*3/2, plan.Cost.HourlyCost, 1e-9)

		require.NoError(w, w.StopInstance(w.ctx, id))
		w.wait(id, hosting.StatusStopped)
		assert.False(w, w.plan(config).Restarts, "nothing runs")

		config.InstanceName = "new"
		config.Container = &hosting.ContainerConfig{Image: "nginx:1.29", VolumeMounts: []hosting.VolumeMount{{VolumeID: "default.volume.none", MountPath: "/data"}}}
		assert.Contains(w, w.plan(config).Objections[0], "default.volume.none does not exist")
	})
}

func TestRollbackAppliesAnEarlierRevision(t *testing.T) {
	inBubble(t, func(w world) {
		config := web(1)
		id := w.running(config)
		_, err := w.RollbackInstance(w.ctx, id, 0)
		w.failed(err, hosting.UpdateFailed, hosting.NotFound)
		for i := range 11 {
			config.Version = string(rune('a' + i))
			w.apply(config)
		}
		revisions, err := w.ListRevisions(w.ctx, id)
		require.NoError(w, err)
		require.Len(w, revisions, 10)
		assert.Equal(w, 12, revisions[0].Revision)
		assert.Equal(w, "k", revisions[0].Config.Version)
		_, err = w.RollbackInstance(w.ctx, id, 2)
		w.failed(err, hosting.UpdateFailed, hosting.NotFound)
		_, err = w.RollbackInstance(w.ctx, id, 3)
		require.NoError(w, err)
		revisions, err = w.ListRevisions(w.ctx, id)
		require.NoError(w, err)
		assert.Equal(w, 13, revisions[0].Revision)
		assert.Equal(w, "b", revisions[0].Config.Version)
		config.Version = "b"
		assert.Equal(w, id, w.create(config))
		require.NoError(w, w.DeleteInstance(w.ctx, id))
		_, err = w.RollbackInstance(w.ctx, id, 0)
		w.failed(err, hosting.UpdateFailed, hosting.Conflict)
	})
}

func TestRollbackKeepsSecretsOrRefuses(t *testing.T) {
	inBubble(t, func(w world) {
		config := web(1)
		config.SecretEnv = hosting.SecretMap{"TOKEN": "one"}
		id := w.running(config)
		config.Version, config.SecretEnv = "2", hosting.SecretMap{"TOKEN": "two"}
		w.apply(config)
		_, err := w.RollbackInstance(w.ctx, id, 1)
		require.NoError(w, err)
		config.Version = ""
		assert.Equal(w, id, w.create(config), "with the values that were in force")

		config.SecretEnv = hosting.SecretMap{"TOKEN": "two", "MORE": "hush"}
		w.apply(config)
		_, err = w.RollbackInstance(w.ctx, id, 0)
		w.failed(err, hosting.UpdateFailed, hosting.Conflict)
		assert.ErrorContains(w, err, "secretEnv")
	})
}
