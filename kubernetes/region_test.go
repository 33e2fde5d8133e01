//go:build linux

package kubernetes_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/rest"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/testcluster"
	"skillcenter.io/hosting/kubernetes"
)

func TestProtocolRegionsThatNobodySetUpAreEmpty(t *testing.T) {
	t.Parallel()
	cluster := testcluster.Start(t)
	namespace := cluster.Namespace(t, "regions")
	// A user of one namespace is forbidden to read the others.
	user := cluster.User(t, "regions", namespace, rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}})
	config := kubernetes.DefaultConfig()
	config.RESTConfig, config.Namespace = user, namespace
	p, err := kubernetes.New(t.Context(), config)
	require.NoError(t, err)
	assert.Equal(t, []string{"default", "us-west-1", "us-east-1", "eu-west-1", "asia-east-1"}, p.SupportedRegions())

	created, err := p.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.NoError(t, err)
	list, err := p.ListInstances(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.Equal(t, created.ID, list[0].ID)

	elsewhere := everything("web", hosting.TypeDeployment)
	elsewhere.Region = "eu-west-1"
	_, err = p.CreateInstance(t.Context(), elsewhere)
	require.ErrorIs(t, err, hosting.PermissionDenied)
	assert.Contains(t, err.Error(), "eu-west-1")
}

func TestAConfiguredRegionThatFailsIsNamedBesideTheInstancesOfTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.NoError(t, err)
	user := w.cluster.User(t, "partial", w.namespace, rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}})
	p := w.provider(t, user, func(c *kubernetes.Config) {
		c.Regions = append(c.Regions, kubernetes.Region{Name: "secret", Namespace: "default"})
	})
	list, err := p.ListInstances(t.Context())
	require.ErrorIs(t, err, hosting.PermissionDenied)
	assert.Equal(t, hosting.ListFailed, hosting.CodeOf(err))
	assert.Contains(t, err.Error(), "region secret")
	assert.Len(t, list, 1)
}

func TestCredentialsThatAreNotAcceptedAreUnauthenticated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anonymous := rest.AnonymousClientConfig(w.cluster.Config())
	anonymous.BearerToken = "no such token"
	config := kubernetes.DefaultConfig()
	config.RESTConfig = anonymous
	p, err := kubernetes.New(t.Context(), config)
	require.NoError(t, err)
	_, err = p.ListInstances(t.Context())
	require.ErrorIs(t, err, hosting.Unauthenticated)
	require.ErrorIs(t, p.Check(t.Context()), hosting.Unauthenticated)
	_, err = p.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.ErrorIs(t, err, hosting.Unauthenticated)
	assert.Contains(t, err.Error(), "region default")
}

func TestRegionsOfOneClusterHoldInstancesOfTheSameName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	second := w.cluster.Namespace(t, "second")
	p := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.Regions = []kubernetes.Region{{Name: "north", Namespace: second}, {Name: "default", Namespace: w.namespace}}
	})
	assert.Equal(t, []string{"north", "default"}, p.SupportedRegions(), "as configured")
	require.NoError(t, p.Check(t.Context()))

	config := everything("web", hosting.TypeDeployment)
	first, err := p.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	assert.Equal(t, "north.deployment.web", first.ID, "the first region is the default")
	assert.Equal(t, "north", first.Region)
	config.Region = "default"
	config.Labels = map[string]string{"team": "red"}
	other, err := p.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	assert.Equal(t, "default.deployment.web", other.ID)

	list, err := p.ListInstances(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 2)
	assert.Equal(t, []string{other.ID, first.ID}, []string{list[0].ID, list[1].ID}, "sorted by id")
	got, err := p.GetInstance(t.Context(), other.ID)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"team": "red"}, got.Labels)
	require.NoError(t, p.DeleteInstance(t.Context(), first.ID))
	got, err = p.GetInstance(t.Context(), other.ID)
	require.NoError(t, err)
	assert.NotEqual(t, hosting.StatusTerminating, got.Status)
	_, err = p.GetInstance(t.Context(), "south.deployment.web")
	require.ErrorIs(t, err, hosting.NotFound)
	config.Region = "south"
	_, err = p.CreateInstance(t.Context(), config)
	require.ErrorIs(t, err, hosting.InvalidArgument)
	assert.Contains(t, err.Error(), "north, default")
}
