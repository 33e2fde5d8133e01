package httpapi_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

func data() hosting.Volume { return hosting.Volume{Name: "data", Size: 1 << 30} }

func TestAVolumeIsCreatedMountedUnmountedAndDeleted(t *testing.T) {
	t.Parallel()
	e := newExtended(t)
	var created, got hosting.Volume
	made := e.do("POST", "/volumes", data()).is(http.StatusCreated).into(&created)
	assert.Equal(t, dataID, created.VolumeID)
	assert.Equal(t, "/api/hosting/volumes/"+dataID, made.header.Get("Location"))
	e.do("POST", "/volumes", data()).is(http.StatusOK).into(&got)
	assert.Equal(t, created, got)
	larger, smaller := data(), data()
	larger.Size *= 2
	e.do("POST", "/volumes", larger).is(http.StatusOK).into(&got)
	assert.Equal(t, larger.Size, got.Size)
	e.do("POST", "/volumes", smaller).problem(http.StatusConflict, hosting.VolumeFailed, hosting.AlreadyExists, "size")

	mount := wire.Mount{InstanceID: "default.deployment.web", MountPath: "/data", ReadOnly: true}
	for range 2 { // what is mounted already stays as it is
		e.do("POST", "/volumes/"+dataID+"/mount", mount).is(http.StatusAccepted).into(&got)
		assert.Equal(t, []hosting.Mount{{InstanceID: webID, MountPath: "/data", ReadOnly: true}}, got.Mounts)
	}
	mounted := e.do("DELETE", "/volumes/"+dataID, nil).problem(http.StatusConflict, hosting.VolumeFailed, hosting.Conflict, "is mounted")
	assert.Equal(t, webID, mounted.InstanceID)
	found := e.do("GET", "/volumes/default.volume.data", nil).is(http.StatusOK).into(&got)
	assert.Equal(t, hosting.VolumeStatusInUse, got.Status)
	e.do("GET", "/volumes/"+dataID, nil, "If-None-Match", found.header.Get("ETag")).is(http.StatusNotModified)
	mount.MountPath = "/more"
	e.do("POST", "/volumes/"+dataID+"/mount", mount, "Prefer", "return=minimal").is(http.StatusNoContent)

	unmount := wire.Unmount{InstanceID: webID}
	var free hosting.Volume
	e.do("POST", "/volumes/default.volume.data/unmount", unmount).is(http.StatusAccepted).into(&free)
	assert.Empty(t, free.Mounts)
	e.do("POST", "/volumes/"+dataID+"/unmount", unmount, "Prefer", "return=minimal").is(http.StatusNoContent)

	assert.Empty(t, e.do("DELETE", "/volumes/"+dataID, nil).is(http.StatusNoContent).body)
	e.do("DELETE", "/volumes/"+dataID, nil).problem(http.StatusNotFound, hosting.VolumeNotFound, hosting.NotFound, "default.volume.data")
	e.do("GET", "/volumes/"+dataID, nil).problem(http.StatusNotFound, hosting.VolumeNotFound, hosting.NotFound)
	e.do("POST", "/volumes/"+dataID+"/mount", mount).problem(http.StatusNotFound, hosting.VolumeNotFound, hosting.NotFound)
	e.do("POST", "/volumes/"+dataID+"/unmount", unmount).problem(http.StatusNotFound, hosting.VolumeNotFound, hosting.NotFound)
}

// lingering has volumes that are not gone at once.
type lingering struct {
	hosting.HostingExtensionSdkAdapter
}

func (lingering) DeleteVolume(context.Context, string) error { return nil }

func (lingering) GetVolume(_ context.Context, id string) (hosting.Volume, error) {
	return hosting.Volume{VolumeID: id, Name: "data", Size: 1, Status: hosting.VolumeStatusDeleting}, nil
}

func TestAVolumeThatIsBeingDeletedIsShown(t *testing.T) {
	t.Parallel()
	e := newExtended(t)
	server := e.serve(lingering{e.extension})
	var got hosting.Volume
	send(t, server, "DELETE", "/volumes/"+dataID, nil).is(http.StatusAccepted).into(&got)
	assert.Equal(t, hosting.VolumeStatusDeleting, got.Status)
	send(t, server, "DELETE", "/volumes/"+dataID, nil, "Prefer", "return=minimal").is(http.StatusNoContent)
}

func TestVolumesAreListedAndCreatedWhereTheySay(t *testing.T) {
	t.Parallel()
	e := newExtended(t)
	assert.Empty(t, e.do("GET", "/volumes", nil).ids("volumeId"))
	e.do("POST", "/volumes", data()).is(http.StatusCreated)
	there, edge := data(), data()
	there.Provider = "b"
	edge.Region = "edge" // which only b has
	e.do("POST", "/volumes", there).is(http.StatusCreated)
	e.do("POST", "/volumes", edge).is(http.StatusCreated)
	e.do("POST", "/volumes", edge).is(http.StatusOK)
	assert.Equal(t, []string{dataID, "b:default.volume.data", "b:edge.volume.data"}, e.do("GET", "/volumes", nil).ids("volumeId"))
	assert.Equal(t, []string{dataID, "b:default.volume.data"}, e.do("GET", "/volumes?pageSize=2", nil).ids("volumeId"))
}

func TestWhatCannotBeAVolumeOrAMountIsRefusedWithTheField(t *testing.T) {
	t.Parallel()
	e := newExtended(t)
	e.do("POST", "/volumes", data()).is(http.StatusCreated)
	for name, c := range map[string]struct {
		path string
		body any
		says string
	}{
		"no name":             {"/volumes", hosting.Volume{Size: 1}, "name"},
		"no size":             {"/volumes", hosting.Volume{Name: "data"}, "size"},
		"an unknown region":   {"/volumes", hosting.Volume{Name: "data", Size: 1, Region: "moon"}, "region"},
		"an unknown provider": {"/volumes", hosting.Volume{Name: "data", Size: 1, Provider: "c"}, "provider"},
		"a name that is none": {"/volumes", hosting.Volume{Name: "../x", Size: 1}, "name"},
		"mount, no instance":  {"/volumes/" + dataID + "/mount", wire.Mount{MountPath: "/data"}, "instanceId"},
		"mount, no path":      {"/volumes/" + dataID + "/mount", wire.Mount{InstanceID: webID}, "mountPath"},
		"mount, elsewhere":    {"/volumes/" + dataID + "/mount", wire.Mount{InstanceID: "b:default.deployment.web", MountPath: "/data"}, "one provider"},
		"unmount, no id":      {"/volumes/" + dataID + "/unmount", wire.Unmount{InstanceID: "web"}, "instanceId"},
	} {
		p := e.do("POST", c.path, c.body).problem(http.StatusBadRequest, hosting.VolumeFailed, hosting.InvalidArgument, c.says)
		t.Log(name, p.Detail)
	}
	e.do("POST", "/volumes/"+dataID+"/mount", wire.Mount{InstanceID: "default.deployment.none", MountPath: "/data"}).
		problem(http.StatusNotFound, hosting.InstanceNotFound, hosting.NotFound)
}
