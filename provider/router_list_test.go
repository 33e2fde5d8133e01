package provider_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/kubernetes"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
)

// filled returns a fake with an instance and a volume of each name.
func filled(t *testing.T, names ...string) *fake.Provider {
	t.Helper()
	f := fake.New()
	for _, name := range names {
		_, err := f.CreateInstance(t.Context(), deployment(name))
		require.NoError(t, err)
		_, err = f.CreateVolume(t.Context(), hosting.Volume{Name: name, Size: 1 << 30})
		require.NoError(t, err)
	}
	return f
}

func ids(list []hosting.CloudInstance) []string {
	ids := []string{}
	for _, instance := range list {
		ids = append(ids, instance.ID)
	}
	return ids
}

func TestAListMergesAllProvidersSortedByID(t *testing.T) {
	t.Parallel()
	r := newRouter(t, backend("b", filled(t, "x", "c")), backend("a", filled(t, "y")), backend("c", fake.New()))
	list, err := r.ListInstances(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"a:default.deployment.y", "b:default.deployment.c", "b:default.deployment.x"}, ids(list))
	volumes, err := r.ListVolumes(t.Context())
	require.NoError(t, err)
	require.Len(t, volumes, 3)
	assert.Equal(t, "a:default.volume.y", volumes[0].VolumeID)
	assert.Equal(t, "b:default.volume.x", volumes[2].VolumeID)
	empty, err := newRouter(t, backend("a", fake.New())).ListInstances(t.Context())
	require.NoError(t, err)
	assert.NotNil(t, empty)
}

func TestAProviderThatFailsHidesNothingOfTheOthers(t *testing.T) {
	t.Parallel()
	down, slow := filled(t, "lost"), filled(t, "late")
	r := newRouter(t, backend("a", filled(t, "web")), backend("down", down), backend("slow", slow))
	down.InjectCall(fake.CallFault{Reason: hosting.Unavailable, Message: "the platform is away", RetryAfter: time.Minute})
	list, err := r.ListInstances(t.Context())
	assert.Equal(t, []string{"a:default.deployment.web", "slow:default.deployment.late"}, ids(list))
	e := failed(t, err)
	assert.Equal(t, "down", e.Provider)
	assert.Equal(t, hosting.ListFailed, e.Code)
	assert.Equal(t, hosting.Unavailable, e.Reason)
	assert.Equal(t, time.Minute, e.RetryAfter)
	assert.Equal(t, "provider down: the platform is away", e.Message)

	slow.InjectCall(fake.CallFault{Reason: hosting.RateLimited, Message: "too often"})
	list, err = r.ListInstances(t.Context())
	assert.Equal(t, []string{"a:default.deployment.web"}, ids(list))
	assert.Equal(t, "provider down: the platform is away; provider slow: too often", failed(t, err).Message)
	volumes, err := r.ListVolumes(t.Context())
	assert.Len(t, volumes, 1)
	assert.Contains(t, failed(t, err).Message, "provider down")
	assert.Equal(t, hosting.VolumeFailed, failed(t, err).Code)
}

func TestAProviderThatDoesNotAnswerKeepsAListNoLongerThanItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hangs := filled(t, "lost")
		hangs.InjectCall(fake.CallFault{Delay: time.Hour})
		r := newRouter(t, backend("a", filled(t, "web")), backend("hangs", hangs))
		began := time.Now()
		list, err := r.ListInstances(t.Context())
		assert.Equal(t, 30*time.Second, time.Since(began))
		assert.Equal(t, []string{"a:default.deployment.web"}, ids(list))
		e := failed(t, err)
		assert.Equal(t, hosting.DeadlineExceeded, e.Reason)
		assert.Contains(t, e.Message, "provider hangs: no answer within 30s")

		// One that is alone keeps nobody waiting.
		alone := filled(t, "web")
		alone.InjectCall(fake.CallFault{Delay: time.Minute})
		list, err = newRouter(t, backend("a", alone)).ListInstances(t.Context())
		require.NoError(t, err)
		assert.Len(t, list, 1)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = r.ListInstances(ctx)
		assert.ErrorIs(t, err, hosting.DeadlineExceeded)
		assert.NotContains(t, err.Error(), "no answer within 30s", "the caller's own time was shorter")
	})
}

// 127.0.0.1:1 answers nobody.
func TestAClusterThatCannotBeReachedHidesNothingOfTheOthers(t *testing.T) {
	t.Parallel()
	config := kubernetes.DefaultConfig()
	config.Name, config.MasterURL = "cluster", "https://127.0.0.1:1"
	config.Kubeconfig = emptyKubeconfig(t)
	config.Regions = []kubernetes.Region{{Name: "default", Namespace: "web"}}
	cluster, err := kubernetes.New(t.Context(), config)
	require.NoError(t, err)
	r := newRouter(t, provider.Named{Name: "cluster", Backend: driver.Backend{Provider: cluster}}, backend("memory", filled(t, "web")))
	list, err := r.ListInstances(t.Context())
	assert.Equal(t, []string{"memory:default.deployment.web"}, ids(list))
	e := failed(t, err)
	assert.Equal(t, "cluster", e.Provider)
	assert.Equal(t, hosting.Unavailable, e.Reason)
	assert.Contains(t, e.Message, "provider cluster: ")

	// What is not on it works, what is on it says so.
	require.NoError(t, r.ScaleInstance(t.Context(), "memory:default.deployment.web", 2))
	_, err = r.GetInstance(t.Context(), "default.deployment.web")
	assert.ErrorIs(t, err, hosting.Unavailable)
	volumes, err := r.ListVolumes(t.Context())
	require.NoError(t, err, "a provider without volumes has none to list")
	assert.Len(t, volumes, 1)
}

func TestAListOfWhatNoProviderHasIsUnsupported(t *testing.T) {
	t.Parallel()
	r := newRouter(t, backend("a", fake.New()), backend("b", fake.New()))
	_, err := r.ListServices(t.Context())
	assert.ErrorIs(t, err, hosting.Unsupported)
	_, err = r.RegisterService(t.Context(), "b:default.deployment.web", hosting.ServiceRegistration{})
	assert.ErrorIs(t, err, hosting.Unsupported)
	assert.Equal(t, "b", failed(t, err).Provider)
}
