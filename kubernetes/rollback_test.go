//go:build linux

package kubernetes_test

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

func TestAHistoryOfLargeConfigurationsIsShort(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := simple("web", hosting.TypeDeployment)
	apply := func(version int) hosting.CloudInstance {
		config.Version = strconv.Itoa(version)
		config.Env = map[string]string{"LARGE": strings.Repeat(config.Version, 60<<10)}
		instance, err := w.ApplyInstance(t.Context(), config)
		require.NoError(t, err)
		return instance
	}
	created := apply(1)
	for version := 2; version <= 7; version++ {
		apply(version)
	}
	numbers := func() (result []int) {
		revisions, err := w.ListRevisions(t.Context(), created.ID)
		require.NoError(t, err)
		for _, revision := range revisions {
			result = append(result, revision.Revision)
			assert.Len(t, revision.Config.Env["LARGE"], 60<<10)
		}
		return result
	}
	require.Equal(t, []int{7, 6, 5, 4}, numbers(), "together they have less than 256 KiB")
	anchor, err := w.client.CoreV1().ConfigMaps(w.namespace).Get(t.Context(), "skill-web", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Less(t, len(anchor.Data["revisions"]), 256<<10)

	_, err = w.RollbackInstance(t.Context(), created.ID, 3)
	require.ErrorIs(t, err, hosting.NotFound)
	_, err = w.RollbackInstance(t.Context(), created.ID, 4)
	require.NoError(t, err)
	assert.Equal(t, "4", w.deployment(t, "web").Annotations["skillcenter.io/version"])
	require.Equal(t, []int{8, 7, 6, 5}, numbers())
	_, err = w.RollbackInstance(t.Context(), created.ID, 0)
	require.NoError(t, err)
	assert.Equal(t, "7", w.deployment(t, "web").Annotations["skillcenter.io/version"])
}
