//go:build linux

package kubernetes_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
)

// holdService has the Service stay when it is deleted, as that of a load
// balancer does until the cloud has removed it.
func (w *world) holdService(t *testing.T, name string) (release func()) {
	t.Helper()
	patch := func(patch string) {
		_, err := w.client.CoreV1().Services(w.namespace).Patch(context.Background(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		require.NoError(t, err)
	}
	patch(`{"metadata":{"finalizers":["skillcenter.io/test"]}}`)
	return func() { patch(`{"metadata":{"finalizers":null}}`) }
}

func TestAPartThatIsStillBeingRemovedIsAConflictBeforeAnythingChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	created := w.mustCreate(t, config)
	release := w.holdService(t, "web")
	without := config
	without.Container = new(*config.Container)
	without.Container.Ports, without.Network = nil, nil
	_, err := w.ApplyInstance(t.Context(), without)
	require.NoError(t, err)
	anchor := func() map[string]string {
		o, err := w.client.CoreV1().ConfigMaps(w.namespace).Get(t.Context(), "skill-web", metav1.GetOptions{})
		require.NoError(t, err)
		return o.Data
	}
	before := anchor()

	const says = "Service web is still being removed"
	plan, err := w.PlanInstance(t.Context(), config)
	require.NoError(t, err)
	assert.Equal(t, []string{"Service web: " + says}, plan.Objections)
	_, err = w.ApplyInstance(t.Context(), config)
	require.ErrorIs(t, err, hosting.Conflict)
	assert.Equal(t, hosting.UpdateFailed, hosting.CodeOf(err))
	assert.ErrorContains(t, err, says)
	assert.Equal(t, before, anchor(), "nothing was accepted")
	got, err := w.GetInstance(t.Context(), created.ID)
	require.NoError(t, err)
	assert.Empty(t, got.Metadata[hosting.MetadataReason])
	_, err = w.CreateInstance(t.Context(), without)
	require.NoError(t, err, "it has no Service any more")

	release()
	_, err = w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	_, err = w.client.CoreV1().Services(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
}

func TestAPartThatIsStillBeingRemovedIsNotTakenForOneThatIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	created := w.mustCreate(t, config)
	release := w.holdService(t, "web")
	require.NoError(t, w.client.CoreV1().Services(w.namespace).Delete(t.Context(), "web", metav1.DeleteOptions{}))
	const says = "Service web is still being removed"
	_, err := w.CreateInstance(t.Context(), config)
	w.requireRefusal(t, err, hosting.Conflict, says)
	err = w.StartInstance(t.Context(), created.ID)
	require.ErrorIs(t, err, hosting.Conflict)
	assert.Equal(t, hosting.StartFailed, hosting.CodeOf(err))
	assert.ErrorContains(t, err, says)
	w.deployment(t, "web") // the instance stays

	release()
	_, err = w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	require.NoError(t, w.StartInstance(t.Context(), created.ID))
	service, err := w.client.CoreV1().Services(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Nil(t, service.DeletionTimestamp)
}
