//go:build linux

package kubernetes_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/client-go/rest"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/kubernetes"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
)

// route returns a Router over a cluster and a fake, of which the cluster is the
// default.
func route(t *testing.T, cluster *kubernetes.Provider, memory *fake.Provider) *provider.Router {
	t.Helper()
	r, err := provider.NewRouter("cluster", []provider.Named{
		{Name: "cluster", Backend: driver.Backend{Provider: cluster, Checker: cluster}},
		{Name: "memory", Backend: driver.Backend{Provider: memory, Volumes: memory, Checker: memory}},
	})
	require.NoError(t, err)
	return r
}

func TestAClusterAndMemoryServeThroughOneRouter(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := newWorld(t)
	r := route(t, w.Provider, fake.New())
	for _, name := range []string{"cluster", "memory"} {
		config := sized("web", 1)
		config.Provider = name
		created, err := r.CreateInstance(ctx, config)
		require.NoError(t, err)
		id := name + ":default.deployment.web"
		require.Equal(t, id, created.ID)
		again, err := r.CreateInstance(ctx, config)
		require.NoError(t, err)
		assert.Equal(t, created.CreatedAt, again.CreatedAt)
		require.NoError(t, r.ScaleInstance(ctx, id, 3))
		require.NoError(t, r.ScaleFrom(ctx, id, 3, 2))
		require.ErrorIs(t, r.ScaleFrom(ctx, id, 3, 5), hosting.Conflict)
		got, err := r.GetInstance(ctx, id)
		require.NoError(t, err)
		assert.Equal(t, 2, got.Replicas)
		assert.Equal(t, name, got.Provider)
		require.NoError(t, r.StopInstance(ctx, id))
		require.NoError(t, r.StartInstance(ctx, id))
	}
	list, err := r.ListInstances(ctx)
	require.NoError(t, err)
	require.Len(t, list, 2)
	assert.Equal(t, "cluster:default.deployment.web", list[0].ID)
	assert.Equal(t, "memory:default.deployment.web", list[1].ID)
	told := map[string]bool{}
	for change, err := range r.WatchInstances(ctx) {
		require.NoError(t, err)
		if change.Type == hosting.ChangeSynced {
			break
		}
		told[change.Instance.ID] = true
	}
	assert.Equal(t, map[string]bool{list[0].ID: true, list[1].ID: true}, told)

	// The same Router, but the cluster is away.
	away, err := kubernetes.New(ctx, kubernetes.Config{RESTConfig: &rest.Config{Host: "https://127.0.0.1:1"},
		Regions: []kubernetes.Region{{Name: "default", Namespace: w.namespace}}})
	require.NoError(t, err)
	memory := fake.New()
	r = route(t, away, memory)
	config := sized("web", 1)
	config.Provider = "memory"
	_, err = r.CreateInstance(ctx, config)
	require.NoError(t, err)
	list, err = r.ListInstances(ctx)
	require.Len(t, list, 1)
	assert.Equal(t, "memory:default.deployment.web", list[0].ID)
	require.ErrorIs(t, err, hosting.Unavailable)
	assert.ErrorContains(t, err, "provider cluster: ")
	require.NoError(t, r.ScaleInstance(ctx, list[0].ID, 4))
}

// skills is a catalog.
type skills map[string]hosting.CloudHostingConfig

func (s skills) Skill(_ context.Context, skillID string) (provider.Skill, error) {
	config, ok := s[skillID]
	if !ok {
		return provider.Skill{}, errors.New("no such skill")
	}
	return provider.Skill{ID: skillID, Name: skillID, Type: "demo", Config: config}, nil
}

func TestSkillsAreRecommendedIfTheClusterWouldRunThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, podSecurity("restricted"))
	w.enforce(t, "restricted")
	w.quota(t, "compute", corev1.ResourceList{"requests.cpu": resource.MustParse("1200m")})
	loose := w.provider(t, w.cluster.Config(), podSecurity("baseline"))
	before := w.objects(t)
	fine := sized("web", 1)
	fine.Container.HealthCheck = &hosting.HealthCheck{TCP: &hosting.TCPCheck{Port: 8080}}
	many := fine
	many.Scaling = &hosting.ScaleConfig{MinReplicas: 3}
	for _, c := range []struct {
		skill          string
		cluster        *kubernetes.Provider
		recommendation string
		issue          string
	}{
		{"fine", w.Provider, "recommended, after a look at: nodes", "there is no node"},
		{"many", w.Provider, "not recommended: failed: quota", "3 replicas need 1500m requests.cpu, 1200m of 1200m are left"},
		{"fine", loose, "not recommended: failed: admission", `violates PodSecurity "restricted`},
	} {
		e := provider.NewExtension(provider.ExtensionConfig{Router: route(t, c.cluster, fake.New()), Catalog: skills{"fine": fine, "many": many}})
		require.True(t, e.IsAvailable(t.Context()))
		found, err := e.CheckCompatibility(t.Context(), c.skill)
		require.NoError(t, err)
		assert.Equal(t, c.recommendation, found.Recommendation, found.Issues)
		assert.Equal(t, provider.Score(found.Checks), found.CompatibilityScore)
		assert.Equal(t, c.skill == "fine" && c.cluster == w.Provider, found.CompatibilityScore > 49)
		assert.Contains(t, found.Issues[len(found.Issues)-1]+found.Issues[0], c.issue)
		assert.NotContains(t, found.Issues[0]+found.Suggestions[0], "s3cr3t")
	}
	assert.Equal(t, before, w.objects(t), "nothing was created")
}
