package provider_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
)

func TestAVolumeOfEachProviderIsMountedThere(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := newRouter(t, backend("a", filled(t, "web")), backend("b", filled(t, "web")))
	for _, name := range []string{"a", "b"} {
		created, err := r.CreateVolume(ctx, hosting.Volume{Name: "data", Size: 1 << 30, Provider: name})
		require.NoError(t, err)
		assert.Equal(t, name+":default.volume.data", created.VolumeID)
		assert.Equal(t, name, created.Provider)
		instance := name + ":default.deployment.web"
		require.NoError(t, r.MountVolume(ctx, created.VolumeID, instance, "/data", false))
		mounted, err := r.GetVolume(ctx, created.VolumeID)
		require.NoError(t, err)
		assert.Equal(t, instance, mounted.InstanceID)
		assert.Equal(t, []hosting.Mount{{InstanceID: instance, MountPath: "/data"}}, mounted.Mounts)
		e := failed(t, r.DeleteVolume(ctx, created.VolumeID))
		assert.Equal(t, hosting.Conflict, e.Reason)
		assert.Equal(t, instance, e.InstanceID)
		require.NoError(t, r.UnmountVolume(ctx, created.VolumeID, instance))
		require.NoError(t, r.DeleteVolume(ctx, created.VolumeID))
	}
}

func TestAVolumeAndAnInstanceOfTwoProvidersDoNotMeet(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := newRouter(t, backend("a", filled(t, "web")), backend("b", filled(t, "web")))
	for what, err := range map[string]error{
		"MountVolume":        r.MountVolume(ctx, "a:default.volume.web", "b:default.deployment.web", "/data", false),
		"UnmountVolume":      r.UnmountVolume(ctx, "a:default.volume.web", "b:default.deployment.web"),
		"bare volume id":     r.MountVolume(ctx, "default.volume.web", "b:default.deployment.web", "/data", false),
		"bare id of a":       r.MountVolume(ctx, "b:default.volume.web", "default.deployment.web", "/data", false),
		"in a configuration": mountAt(t, r, "b", "a:default.volume.web"),
	} {
		e := failed(t, err)
		assert.Equal(t, hosting.InvalidArgument, e.Reason, what)
		assert.Contains(t, e.Message, "provider", what)
	}
	assert.Contains(t, mountAt(t, r, "b", "a:default.volume.web").Error(), `container.volumeMounts[0].volumeId "a:default.volume.web": allowed: a volume of provider b`)
}

func mountAt(t *testing.T, r *provider.Router, name, volumeID string) error {
	config := deployment("mounts")
	config.Provider = name
	config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: volumeID, MountPath: "/data"}}
	_, err := r.CreateInstance(t.Context(), config)
	assert.Equal(t, volumeID, config.Container.VolumeMounts[0].VolumeID, "the caller's configuration stays")
	return err
}

// The whole id and the bare one are one configuration, which is the same when
// it is created again.
func TestInAConfigurationABareVolumeIsOneOfTheInstancesProvider(t *testing.T) {
	t.Parallel()
	r := newRouter(t, backend("a", filled(t, "web")), backend("b", filled(t, "web")))
	require.NoError(t, mountAt(t, r, "b", "default.volume.web"))
	require.NoError(t, mountAt(t, r, "b", "b:default.volume.web"))
	volume, err := r.GetVolume(t.Context(), "b:default.volume.web")
	require.NoError(t, err)
	assert.Equal(t, "b:default.deployment.mounts", volume.InstanceID)
	revisions, err := hosting.ListRevisions(t.Context(), r, "b:default.deployment.mounts")
	require.NoError(t, err)
	require.Len(t, revisions, 1)
	assert.Equal(t, "b:default.volume.web", revisions[0].Config.Container.VolumeMounts[0].VolumeID)
	_, err = hosting.ApplyInstance(t.Context(), r, revisions[0].Config)
	require.NoError(t, err)
	assert.ErrorIs(t, mountAt(t, r, "b", "no id"), hosting.InvalidArgument)
}

func TestAVolumeIsCreatedWhereItsRegionIs(t *testing.T) {
	t.Parallel()
	r := newRouter(t, backend("a", fake.New(fake.WithRegions("north"))), backend("b", fake.New(fake.WithRegions("south", "north"))),
		provider.Named{Name: "c", Backend: driver.Backend{Provider: fake.New(fake.WithRegions("east"))}})
	for region, id := range map[string]string{"": "a:north.volume.data", "south": "b:south.volume.data", "north": "a:north.volume.data"} {
		created, err := r.CreateVolume(t.Context(), hosting.Volume{Name: "data", Size: 1 << 30, Region: region})
		require.NoError(t, err)
		assert.Equal(t, id, created.VolumeID)
	}
	for message, volume := range map[string]hosting.Volume{
		`provider "d": allowed: a, b, c`:               {Name: "data", Size: 1, Provider: "d"},
		`region "moon": allowed: north, south, east`:   {Name: "data", Size: 1, Region: "moon"},
		"provider c has no volumes":                    {Name: "data", Size: 1, Region: "east"},
		`region "moon": allowed: north, south, east; `: {Name: "Data", Size: 1, Region: "moon"},
	} {
		_, err := r.CreateVolume(t.Context(), volume)
		e := failed(t, err)
		assert.Equal(t, hosting.VolumeFailed, e.Code)
		if volume.Name == "Data" {
			assert.Contains(t, e.Message, `name "Data"`)
			continue
		}
		assert.Contains(t, e.Message, message)
	}
	_, err := r.GetVolume(t.Context(), "c:east.volume.data")
	assert.ErrorIs(t, err, hosting.Unsupported)
}
