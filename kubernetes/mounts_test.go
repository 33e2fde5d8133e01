//go:build linux

package kubernetes_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
)

// paths are where the pods of an instance have volumes.
func (w *world) paths(t *testing.T, instanceType, name string) []string {
	t.Helper()
	paths := []string{}
	for _, m := range w.podTemplate(t, instanceType, name).Spec.Containers[0].VolumeMounts {
		paths = append(paths, m.MountPath)
	}
	return paths
}

func TestAMountIsNotRevertedByAnythingElse(t *testing.T) {
	t.Parallel()
	for _, instanceType := range []string{hosting.TypeDeployment, hosting.TypeStatefulSet, hosting.TypeDaemonSet, hosting.TypeCronJob} {
		t.Run(instanceType, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			configured, extra := w.newVolume(t, "configured", hosting.ReadWriteMany), w.newVolume(t, "extra", hosting.ReadWriteMany)
			config := single("web", instanceType)
			config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: configured, MountPath: "/configured"}}
			instance := w.mustCreate(t, config)
			require.NoError(t, w.MountVolume(t.Context(), extra, instance.ID, "/extra", false))
			require.NoError(t, w.UpdateResources(t.Context(), instance.ID, hosting.ResourceConfig{CPULimit: 1}))

			changed := config
			changed.Env = map[string]string{"CHANGED": "1"}
			steps := map[string]func() error{
				"create again": func() error { _, err := w.CreateInstance(t.Context(), config); return err },
				"apply":        func() error { _, err := w.ApplyInstance(t.Context(), changed); return err },
				"rollback":     func() error { _, err := w.RollbackInstance(t.Context(), instance.ID, 1); return err },
				"stop":         func() error { return w.StopInstance(t.Context(), instance.ID) },
				"start":        func() error { return w.StartInstance(t.Context(), instance.ID) },
				"resources":    func() error { return w.UpdateResources(t.Context(), instance.ID, hosting.ResourceConfig{CPULimit: 1}) },
				"lost": func() error {
					w.loseAnyWorkload(t, instanceType, "web")
					return w.StartInstance(t.Context(), instance.ID)
				},
			}
			order := []string{"create again", "apply", "rollback", "stop", "start", "resources", "lost"}
			if instanceType != hosting.TypeCronJob {
				steps["restart"] = func() error { return w.RestartInstance(t.Context(), instance.ID) }
				order = append(order, "restart")
			}
			if instanceType == hosting.TypeDeployment || instanceType == hosting.TypeStatefulSet {
				steps["scale"] = func() error { return w.ScaleInstance(t.Context(), instance.ID, 3) }
				order = append(order, "scale")
			}
			for _, name := range order {
				require.NoError(t, steps[name](), name)
				require.Equal(t, []string{"/configured", "/extra"}, w.paths(t, instanceType, "web"), name)
			}
			revisions, err := w.ListRevisions(t.Context(), instance.ID)
			require.NoError(t, err)
			assert.Len(t, revisions, 3, "a mount is none")

			// What is unmounted stays so, until a configuration says it anew.
			require.NoError(t, w.UnmountVolume(t.Context(), configured, instance.ID))
			require.Equal(t, []string{"/extra"}, w.paths(t, instanceType, "web"))
			cpu := w.podTemplate(t, instanceType, "web").Spec.Containers[0].Resources.Limits[corev1.ResourceCPU]
			assert.Equal(t, "1", cpu.String(), "the resources that it has, not those of its configuration")
			_, err = w.CreateInstance(t.Context(), config)
			require.NoError(t, err)
			require.Equal(t, []string{"/extra"}, w.paths(t, instanceType, "web"))
			_, err = w.ApplyInstance(t.Context(), config)
			require.NoError(t, err)
			require.Equal(t, []string{"/extra", "/configured"}, w.paths(t, instanceType, "web"))
			assert.Len(t, w.volume(t, configured).Mounts, 1)

			// A configuration without it unmounts it, and nothing else.
			config.Container.VolumeMounts = nil
			plan, err := w.PlanInstance(t.Context(), config)
			require.NoError(t, err)
			assert.Equal(t, []string{"volume " + configured + " is no longer mounted at /configured"}, plan.Changes)
			assert.Empty(t, plan.Objections)
			_, err = w.ApplyInstance(t.Context(), config)
			require.NoError(t, err)
			require.Equal(t, []string{"/extra"}, w.paths(t, instanceType, "web"))
			require.NoError(t, w.DeleteVolume(t.Context(), configured))
		})
	}
}

// loseAnyWorkload deletes a workload behind the provider's back.
func (w *world) loseAnyWorkload(t *testing.T, instanceType, name string) {
	t.Helper()
	switch options := (metav1.DeleteOptions{}); instanceType {
	case hosting.TypeDaemonSet:
		require.NoError(t, w.client.AppsV1().DaemonSets(w.namespace).Delete(t.Context(), name, options))
	case hosting.TypeCronJob:
		require.NoError(t, w.client.BatchV1().CronJobs(w.namespace).Delete(t.Context(), name, options))
	default:
		w.loseWorkload(t, single(name, instanceType))
	}
}

func TestAVolumeForOneReplicaAndAPolicyExcludeEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data, shared := w.newVolume(t, "data", hosting.ReadWriteOnce), w.newVolume(t, "shared", hosting.ReadWriteMany)
	config := single("web", hosting.TypeDeployment)
	instance := w.mustCreate(t, config)
	require.NoError(t, w.MountVolume(t.Context(), data, instance.ID, "/data", false))
	requireFailed(t, w.TakeOver(t.Context(), instance.ID), hosting.ScaleFailed, hosting.Conflict, data)
	require.NoError(t, w.UnmountVolume(t.Context(), data, instance.ID))
	require.NoError(t, w.TakeOver(t.Context(), instance.ID))
	requireFailed(t, w.MountVolume(t.Context(), data, instance.ID, "/data", false), hosting.VolumeFailed, hosting.Conflict, data)
	mounting := config
	container := *config.Container
	container.VolumeMounts = []hosting.VolumeMount{{VolumeID: data, MountPath: "/data"}}
	mounting.Container = &container
	_, err := w.ApplyInstance(t.Context(), mounting)
	requireFailed(t, err, hosting.UpdateFailed, hosting.Conflict, data)
	require.NoError(t, w.MountVolume(t.Context(), shared, instance.ID, "/shared", false))
	require.NoError(t, w.GiveBack(t.Context(), instance.ID))
	require.NoError(t, w.MountVolume(t.Context(), data, instance.ID, "/data", false))
}

func TestAVolumeForOneReplicaAllowsNoMore(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{hosting.ReadWriteOnce, hosting.ReadWriteOncePod} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			data := w.newVolume(t, "data", mode)
			strategy := func() appsv1.DeploymentStrategyType {
				o, err := w.client.AppsV1().Deployments(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
				require.NoError(t, err)
				return o.Spec.Strategy.Type
			}
			config := single("web", hosting.TypeDeployment)
			instance := w.mustCreate(t, config)
			conflict := func(err error, code hosting.Code) {
				t.Helper()
				requireFailed(t, err, code, hosting.Conflict, data)
			}
			require.NoError(t, w.ScaleInstance(t.Context(), instance.ID, 2))
			conflict(w.MountVolume(t.Context(), data, instance.ID, "/data", false), hosting.VolumeFailed)
			require.NoError(t, w.StopInstance(t.Context(), instance.ID))
			conflict(w.MountVolume(t.Context(), data, instance.ID, "/data", false), hosting.VolumeFailed)
			require.NoError(t, w.StartInstance(t.Context(), instance.ID))
			require.NoError(t, w.ScaleInstance(t.Context(), instance.ID, 1))
			assert.Equal(t, appsv1.RollingUpdateDeploymentStrategyType, strategy())
			require.NoError(t, w.MountVolume(t.Context(), data, instance.ID, "/data", false))
			assert.Equal(t, appsv1.RecreateDeploymentStrategyType, strategy())

			conflict(w.ScaleInstance(t.Context(), instance.ID, 2), hosting.ScaleFailed)
			require.NoError(t, w.ScaleInstance(t.Context(), instance.ID, 0))
			require.NoError(t, w.ScaleInstance(t.Context(), instance.ID, 1))
			require.NoError(t, w.StopInstance(t.Context(), instance.ID))
			conflict(w.ScaleInstance(t.Context(), instance.ID, 2), hosting.ScaleFailed)
			require.NoError(t, w.StartInstance(t.Context(), instance.ID))
			for _, scaling := range []hosting.ScaleConfig{{MinReplicas: 2}, {TargetCPUUtilization: 50}} {
				wider := config
				wider.Scaling = &scaling
				_, err := w.ApplyInstance(t.Context(), wider)
				conflict(err, hosting.UpdateFailed)
				plan, err := w.PlanInstance(t.Context(), wider)
				require.NoError(t, err)
				require.Len(t, plan.Objections, 1)
				assert.Contains(t, plan.Objections[0], data)
			}

			other := w.mustCreate(t, single("other", hosting.TypeStatefulSet))
			conflict(w.MountVolume(t.Context(), data, other.ID, "/data", false), hosting.VolumeFailed)
			everywhere := w.mustCreate(t, single("everywhere", hosting.TypeDaemonSet))
			require.NoError(t, w.UnmountVolume(t.Context(), data, instance.ID))
			assert.Equal(t, appsv1.RollingUpdateDeploymentStrategyType, strategy())
			conflict(w.MountVolume(t.Context(), data, everywhere.ID, "/data", false), hosting.VolumeFailed)
			autoscaled := w.mustCreate(t, everything("autoscaled", hosting.TypeDeployment))
			require.NoError(t, w.ScaleInstance(t.Context(), instance.ID, 2))
			conflict(w.MountVolume(t.Context(), data, autoscaled.ID, "/data", false), hosting.VolumeFailed)
			require.NoError(t, w.MountVolume(t.Context(), data, other.ID, "/data", false))
			assert.Equal(t, other.ID, w.volume(t, data).InstanceID)

			// An instance that is gone has nothing, although nobody unmounted it.
			w.delete(t, other.ID)
			require.NoError(t, w.ScaleInstance(t.Context(), instance.ID, 1))
			require.NoError(t, w.MountVolume(t.Context(), data, instance.ID, "/data", false))
			assert.Equal(t, []hosting.Mount{{InstanceID: instance.ID, MountPath: "/data"}}, w.volume(t, data).Mounts)
		})
	}
}

func TestAMountThatCannotBeLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data, readOnly := w.newVolume(t, "data", ""), w.newVolume(t, "read", hosting.ReadOnlyMany)
	holder := w.mustCreate(t, single("holder", hosting.TypeDeployment))
	require.NoError(t, w.MountVolume(t.Context(), data, holder.ID, "/data", false))
	before, claimBefore := w.objects(t), w.claim(t, "skill-data").Annotations
	for name, test := range map[string]struct {
		mount  hosting.VolumeMount
		reason hosting.Reason
		says   string
	}{
		"unknown":        {hosting.VolumeMount{VolumeID: "default.volume.none", MountPath: "/data"}, hosting.NotFound, "default.volume.none"},
		"of another":     {hosting.VolumeMount{VolumeID: "other:" + data, MountPath: "/data"}, hosting.NotFound, "other:" + data},
		"another region": {hosting.VolumeMount{VolumeID: "moon.volume.data", MountPath: "/data"}, hosting.NotFound, "moon.volume.data"},
		"taken":          {hosting.VolumeMount{VolumeID: data, MountPath: "/data"}, hosting.Conflict, holder.ID},
		"written":        {hosting.VolumeMount{VolumeID: readOnly, MountPath: "/data"}, hosting.InvalidArgument, "readOnly false"},
	} {
		config := single("web", hosting.TypeDeployment)
		config.Container.VolumeMounts = []hosting.VolumeMount{test.mount}
		_, err := w.CreateInstance(t.Context(), config)
		requireFailed(t, err, hosting.CreateFailed, test.reason, test.says)
		assert.Contains(t, err.Error(), "container.volumeMounts[0]: ", name)
		plan, err := w.PlanInstance(t.Context(), config)
		require.NoError(t, err, name)
		require.Len(t, plan.Objections, 1, name)
		assert.Contains(t, plan.Objections[0], test.says)
	}
	assert.Equal(t, before, w.objects(t))
	assert.Equal(t, claimBefore, w.claim(t, "skill-data").Annotations)

	web := w.mustCreate(t, single("web", hosting.TypeDeployment))
	requireFailed(t, w.MountVolume(t.Context(), data, web.ID, "data", false), hosting.VolumeFailed, hosting.InvalidArgument, "mountPath")
	requireFailed(t, w.MountVolume(t.Context(), "data", web.ID, "/data", false), hosting.VolumeFailed, hosting.InvalidArgument, `"data"`)
	requireFailed(t, w.MountVolume(t.Context(), data, "default.deployment.none", "/data", false), hosting.InstanceNotFound, hosting.NotFound, "none")
	requireFailed(t, w.UnmountVolume(t.Context(), "default.volume.none", web.ID), hosting.VolumeNotFound, hosting.NotFound, "none")
	requireFailed(t, w.MountVolume(t.Context(), readOnly, web.ID, "/read", false), hosting.VolumeFailed, hosting.InvalidArgument, "readOnly")
	require.NoError(t, w.MountVolume(t.Context(), readOnly, web.ID, "/read", true))
	require.NoError(t, w.MountVolume(t.Context(), readOnly, holder.ID, "/read", true), "many may read it")
	assert.Len(t, w.volume(t, readOnly).Mounts, 2)
	assert.True(t, w.podTemplate(t, hosting.TypeDeployment, "web").Spec.Volumes[0].PersistentVolumeClaim.ReadOnly)
}

func TestPlansTellWhenAVolumeWouldBeLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data := w.newVolume(t, "data", "")
	config := single("web", hosting.TypeDeployment)
	config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: data, MountPath: "/data"}}
	plan, err := w.PlanInstance(t.Context(), config)
	require.NoError(t, err)
	assert.False(t, plan.Detaches)
	assert.Empty(t, w.claim(t, "skill-data").Annotations["skillcenter.io/mounts"], "a plan reserves nothing")
	instance := w.mustCreate(t, config)

	moved := config
	container := *config.Container
	container.VolumeMounts = []hosting.VolumeMount{{VolumeID: data, MountPath: "/elsewhere"}}
	moved.Container = &container
	plan, err = w.PlanInstance(t.Context(), moved)
	require.NoError(t, err)
	assert.False(t, plan.Detaches, "it is still there")
	assert.True(t, plan.Restarts)
	assert.Len(t, plan.Changes, 2)

	without := single("web", hosting.TypeDeployment)
	plan, err = w.PlanInstance(t.Context(), without)
	require.NoError(t, err)
	assert.True(t, plan.Detaches)
	require.NoError(t, w.StopInstance(t.Context(), instance.ID))
	plan, err = w.PlanInstance(t.Context(), without)
	require.NoError(t, err)
	assert.False(t, plan.Detaches, "nothing runs")
	assert.Len(t, w.volume(t, data).Mounts, 1)
}

func TestAJobThatHasEndedDoesNotRunAgainForAMount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data, more := w.newVolume(t, "data", ""), w.newVolume(t, "more", "")
	config := single("once", hosting.TypeJob)
	config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: data, MountPath: "/data"}}
	instance := w.mustCreate(t, config)
	job := w.job(t, "once")
	requireFailed(t, w.UnmountVolume(t.Context(), data, instance.ID), hosting.VolumeFailed, hosting.Conflict, "the job runs")
	require.EventuallyWithT(t, func(c *assert.CollectT) { // its controller writes too
		job = w.job(t, "once")
		now := metav1.Now()
		if job.Status.CompletionTime = &now; job.Status.StartTime == nil {
			job.Status.StartTime = &now
		}
		job.Status.Succeeded, job.Status.CompletedIndexes, job.Status.Active, job.Status.Ready = 1, "0", 0, new(int32(0))
		job.Status.Conditions = []batchv1.JobCondition{batchCondition("SuccessCriteriaMet"), batchCondition("Complete")}
		_, err := w.client.BatchV1().Jobs(w.namespace).UpdateStatus(t.Context(), job, metav1.UpdateOptions{})
		assert.NoError(c, err)
	}, waitTime, 50*time.Millisecond)

	require.NoError(t, w.UnmountVolume(t.Context(), data, instance.ID))
	require.NoError(t, w.DeleteVolume(t.Context(), data))
	require.NoError(t, w.MountVolume(t.Context(), more, instance.ID, "/more", false))
	config.Container.VolumeMounts = nil
	assert.Equal(t, job.UID, w.job(t, "once").UID, "it is the run that has ended")
	requireFailed(t, w.DeleteVolume(t.Context(), more), hosting.VolumeFailed, hosting.Conflict, instance.ID)
	require.NoError(t, w.RestartInstance(t.Context(), instance.ID))
	assert.NotEqual(t, job.UID, w.job(t, "once").UID)
	assert.Equal(t, []string{"/more"}, w.paths(t, hosting.TypeJob, "once"))
}

func batchCondition(kind string) batchv1.JobCondition {
	return batchv1.JobCondition{Type: batchv1.JobConditionType(kind), Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}
}
