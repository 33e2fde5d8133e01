//go:build linux

package kubernetes_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

func TestAnApplyDoesNotForgetACountThatIsSetWhileItEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	config.Scaling = nil
	created := w.mustCreate(t, config)
	config.Labels = map[string]string{"team": "red"}
	// The first update of the anchor accepts the configuration, the second says
	// that it has been carried out.
	p := w.interrupted(t, 2, http.MethodPut, "/configmaps/skill-web", func() {
		assert.NoError(t, w.ScaleInstance(t.Context(), created.ID, 3))
	})
	_, err := p.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	require.EqualValues(t, 3, w.replicas(t, "web"))
	w.loseWorkload(t, config)
	require.NoError(t, w.StartInstance(t.Context(), created.ID))
	assert.EqualValues(t, 3, w.replicas(t, "web"), "it is made again as it was")
}

func TestAnApplyThatAnotherInstanceOfItsNameOvertakesLeavesThatAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	created := w.mustCreate(t, config)
	other := config
	other.Env = map[string]string{"OTHER": "1"}
	older := config
	older.Env = map[string]string{"OLDER": "1"}
	// It has carried everything out, and is about to say so.
	p := w.interrupted(t, 2, http.MethodPut, "/configmaps/skill-web", func() {
		w.delete(t, created.ID)
		w.mustCreate(t, config)
		_, err := w.ApplyInstance(t.Context(), other)
		assert.NoError(t, err)
	})
	_, err := p.ApplyInstance(t.Context(), older)
	require.ErrorIs(t, err, hosting.Conflict)
	assert.Equal(t, hosting.UpdateFailed, hosting.CodeOf(err))
	_, err = w.CreateInstance(t.Context(), other)
	assert.NoError(t, err, "the other one is as it was")
}
