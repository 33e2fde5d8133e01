//go:build linux

package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
)

// The writes of MountVolume, in order: the claim, the anchor, the workload.
func writesOfAMount() map[string]moment {
	return map[string]moment{
		"the reservation": {1, http.MethodPatch, "/persistentvolumeclaims/skill-data", nil},
		"the anchor":      {1, http.MethodPut, "/configmaps/skill-web", nil},
		"the workload":    {1, http.MethodPatch, "/deployments/web", nil},
	}
}

func TestAVolumeIsNeitherDeletedNorTakenWhileItIsBeingMounted(t *testing.T) {
	t.Parallel()
	for before, at := range writesOfAMount() {
		t.Run("deleted before "+before, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			data := w.newVolume(t, "data", "")
			web := w.mustCreate(t, single("web", hosting.TypeDeployment))
			var deleted error
			m := at
			m.do = func() { deleted = w.DeleteVolume(t.Context(), data) }
			mounted := w.interrupted(t, m).MountVolume(t.Context(), data, web.ID, "/data", false)
			if deleted == nil {
				require.Error(t, mounted, "only one of them succeeds")
				assert.Contains(t, []hosting.Reason{hosting.NotFound, hosting.Conflict}, hosting.ReasonOf(mounted))
				assert.Empty(t, w.paths(t, hosting.TypeDeployment, "web"))
				w.requireNoVolume(t) // it is "deleting" for a moment
				return
			}
			require.NoError(t, mounted)
			requireFailed(t, deleted, hosting.VolumeFailed, hosting.Conflict, web.ID)
			assert.Equal(t, []string{"/data"}, w.paths(t, hosting.TypeDeployment, "web"))
			assert.Len(t, w.volume(t, data).Mounts, 1)
		})
		t.Run("mounted elsewhere before "+before, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			data := w.newVolume(t, "data", "")
			web, other := w.mustCreate(t, single("web", hosting.TypeDeployment)), w.mustCreate(t, single("other", hosting.TypeDeployment))
			var theirs error
			m := at
			m.do = func() { theirs = w.MountVolume(t.Context(), data, other.ID, "/data", false) }
			mine := w.interrupted(t, m).MountVolume(t.Context(), data, web.ID, "/data", false)
			require.NotEqual(t, mine == nil, theirs == nil, "%v, %v", mine, theirs)
			winner, loser := web, other
			if mine != nil {
				winner, loser = other, web
				requireFailed(t, mine, hosting.VolumeFailed, hosting.Conflict, other.ID)
			} else {
				requireFailed(t, theirs, hosting.VolumeFailed, hosting.Conflict, web.ID)
			}
			assert.Equal(t, []hosting.Mount{{InstanceID: winner.ID, MountPath: "/data"}}, w.volume(t, data).Mounts)
			assert.Equal(t, []string{"/data"}, w.paths(t, hosting.TypeDeployment, winner.Name))
			assert.Empty(t, w.paths(t, hosting.TypeDeployment, loser.Name))
		})
		t.Run("scaled before "+before, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			data := w.newVolume(t, "data", "")
			web := w.mustCreate(t, single("web", hosting.TypeDeployment))
			var scaled error
			m := at
			m.do = func() { scaled = w.ScaleInstance(t.Context(), web.ID, 3) }
			mounted := w.interrupted(t, m).MountVolume(t.Context(), data, web.ID, "/data", false)
			require.NotEqual(t, mounted == nil, scaled == nil, "%v, %v", mounted, scaled)
			if scaled == nil {
				assert.EqualValues(t, 3, w.replicas(t, "web"))
				assert.Empty(t, w.volume(t, data).Mounts)
				require.NoError(t, w.DeleteVolume(t.Context(), data))
			} else {
				assert.EqualValues(t, 1, w.replicas(t, "web"))
				assert.Len(t, w.volume(t, data).Mounts, 1)
			}
		})
		t.Run("resources updated before "+before, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			data := w.newVolume(t, "data", "")
			web := w.mustCreate(t, single("web", hosting.TypeDeployment))
			m := at
			m.do = func() {
				assert.NoError(t, w.UpdateResources(t.Context(), web.ID, hosting.ResourceConfig{CPULimit: 0.75}))
			}
			require.NoError(t, w.interrupted(t, m).MountVolume(t.Context(), data, web.ID, "/data", false))
			now, err := w.GetInstance(t.Context(), web.ID)
			require.NoError(t, err)
			assert.InDelta(t, 0.75, now.Resources.CPULimit, 1e-9)
			assert.Equal(t, []string{"/data"}, w.paths(t, hosting.TypeDeployment, "web"))
		})
	}
}

// The scale writes the workload and then the anchor.
func TestAScaleThatMeetsAMountIsRefusedOrRefusesIt(t *testing.T) {
	t.Parallel()
	for before, m := range map[string]moment{
		"the workload": {1, http.MethodPut, "/deployments/web/scale", nil},
		"the anchor":   {1, http.MethodPut, "/configmaps/skill-web", nil},
	} {
		t.Run("before "+before, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			data := w.newVolume(t, "data", "")
			web := w.mustCreate(t, single("web", hosting.TypeDeployment))
			var mounted error
			m.do = func() { mounted = w.MountVolume(t.Context(), data, web.ID, "/data", false) }
			scaled := w.interrupted(t, m).ScaleInstance(t.Context(), web.ID, 3)
			require.NotEqual(t, mounted == nil, scaled == nil, "%v, %v", mounted, scaled)
			if mounted == nil {
				requireFailed(t, scaled, hosting.ScaleFailed, hosting.Conflict, data)
				assert.EqualValues(t, 1, w.replicas(t, "web"))
			} else {
				requireFailed(t, mounted, hosting.VolumeFailed, hosting.Conflict, data)
				assert.EqualValues(t, 3, w.replicas(t, "web"))
			}
		})
	}
}

func TestMountsAndUnmountsAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	web := w.mustCreate(t, single("web", hosting.TypeDeployment))
	shared := w.newVolume(t, "shared", hosting.ReadWriteMany)
	var ids []string
	for _, name := range []string{"a", "b", "c"} {
		ids = append(ids, w.newVolume(t, name, ""))
	}
	other := w.provider(t, w.cluster.Config())
	var wait sync.WaitGroup
	for i, id := range ids {
		p := w.Provider
		if i%2 == 1 {
			p = other
		}
		wait.Go(func() {
			for range 3 {
				assert.NoError(t, p.MountVolume(t.Context(), id, web.ID, "/"+id, false))
				assert.NoError(t, p.UnmountVolume(t.Context(), id, web.ID))
			}
			assert.NoError(t, p.MountVolume(t.Context(), id, web.ID, "/"+id, false))
		})
	}
	wait.Go(func() { assert.NoError(t, other.MountVolume(t.Context(), shared, web.ID, "/shared", false)) })
	wait.Wait()
	assert.ElementsMatch(t, []string{"/" + ids[0], "/" + ids[1], "/" + ids[2], "/shared"}, w.paths(t, hosting.TypeDeployment, "web"))
	for _, id := range append(ids, shared) {
		assert.Len(t, w.volume(t, id).Mounts, 1, id)
		requireFailed(t, w.DeleteVolume(t.Context(), id), hosting.VolumeFailed, hosting.Conflict, web.ID)
	}
}

// A call writes all its reservations of a volume with one token. The mount of one
// of them may be listed and that of another not: without the workload, too, that
// says nothing about the first.
func TestPruningAVolumeForManyKeepsEachReservationThatHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shared := w.newVolume(t, "shared", hosting.ReadWriteMany)
	config := single("web", hosting.TypeDeployment)
	config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: shared, MountPath: "/data"}}
	web, other := w.mustCreate(t, config), w.mustCreate(t, single("other", hosting.TypeDeployment))
	w.loseWorkload(t, config)

	reservations := func() (found []map[string]any) {
		require.NoError(t, json.Unmarshal([]byte(w.claim(t, "skill-shared").Annotations["skillcenter.io/mounts"]), &found))
		return found
	}
	all := reservations()
	require.Len(t, all, 1)
	doubtful := maps.Clone(all[0])
	doubtful["mountPath"] = "/doubtful"
	all = append(all, doubtful)
	for i := range 29 { // then the next one prunes
		all = append(all, map[string]any{"instanceId": fmt.Sprintf("nowhere.deployment.gone%d", i), "mountPath": "/data", "anchor": "gone", "token": "gone"})
	}
	text, err := json.Marshal(all)
	require.NoError(t, err)
	claim := w.claim(t, "skill-shared")
	claim.Annotations["skillcenter.io/mounts"] = string(text)
	_, err = w.client.CoreV1().PersistentVolumeClaims(w.namespace).Update(t.Context(), claim, metav1.UpdateOptions{})
	require.NoError(t, err)

	require.NoError(t, w.MountVolume(t.Context(), shared, other.ID, "/data", false))
	var left []any
	for _, r := range reservations() {
		left = append(left, fmt.Sprint(r["instanceId"], r["mountPath"]))
	}
	assert.ElementsMatch(t, []any{web.ID + "/data", other.ID + "/data"}, left)
	require.NoError(t, w.UnmountVolume(t.Context(), shared, other.ID))
	requireFailed(t, w.DeleteVolume(t.Context(), shared), hosting.VolumeFailed, hosting.Conflict, web.ID)
}
