//go:build linux

package kubernetes_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

func TestARollbackThatMeetsADeletionDoesNotCreateTheInstanceAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := simple("web", hosting.TypeDeployment)
	config.Env = map[string]string{"RELEASE": "one"}
	created := w.mustCreate(t, config)
	config.Env = map[string]string{"RELEASE": "two"}
	_, err := w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)

	var once sync.Once
	p := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(request *http.Request) (*http.Response, error) {
				response, err := next.RoundTrip(request)
				if strings.HasSuffix(request.URL.Path, "/configmaps/skill-web") {
					// The rollback has just read the anchor.
					once.Do(func() { w.delete(t, created.ID) })
				}
				return response, err
			})
		}
	})
	_, err = p.RollbackInstance(t.Context(), created.ID, 0)
	require.ErrorIs(t, err, hosting.Conflict)
	assert.Equal(t, hosting.UpdateFailed, hosting.CodeOf(err))
	_, err = w.GetInstance(t.Context(), created.ID)
	assert.ErrorIs(t, err, hosting.NotFound)
}

func TestARollbackKeepsTheSecretValuesThatAnotherCallSetsMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	created := w.mustCreate(t, config)
	config.Labels = map[string]string{"team": "red"}
	_, err := w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)

	rotated := config
	rotated.SecretEnv = hosting.SecretMap{"TOKEN": "rotated-value"}
	// The rollback has read and tried everything by then.
	p := w.interrupted(t, moment{1, http.MethodPut, "/configmaps/skill-web", func() {
		_, err := w.ApplyInstance(t.Context(), rotated)
		assert.NoError(t, err)
	}})
	_, err = p.RollbackInstance(t.Context(), created.ID, 1)
	require.NoError(t, err)
	assert.Equal(t, "blue", w.deployment(t, "web").Labels["team"])
	assert.Equal(t, "rotated-value", w.essence(t, hosting.TypeDeployment, "web")["secret"])
}
