package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi"
)

// A volume that is mounted by a configuration is asked for as one that is
// mounted by its own route, so that neither is a way around the other.
func TestTheVolumesOfAConfigurationAreToldToTheAuthorizer(t *testing.T) {
	t.Parallel()
	g := &guard{}
	e := newExtended(t, httpapi.WithAuthorizer(g.authorize))
	e.do("POST", "/volumes", data()).is(http.StatusCreated)
	config := webConfig()
	config.InstanceName = "reader"
	config.Container = &hosting.ContainerConfig{Image: "nginx:1.29", VolumeMounts: []hosting.VolumeMount{{VolumeID: "default.volume.data", MountPath: "/data"}}}
	asked := httpapi.Access{Action: httpapi.MountVolume, Changes: true, Provider: "a", Region: "default", Type: "volume", Name: "data", ID: "default.volume.data",
		Instance: hosting.ID{Provider: "a", Region: "default", Type: "deployment", Name: "reader"}}
	read := asked
	read.Action, read.Changes = httpapi.GetVolume, false
	for _, c := range []struct {
		method, path string
		code         hosting.Code
		want         httpapi.Access
	}{
		{"POST", "/instances", hosting.CreateFailed, asked},
		{"POST", "/instances?dryRun=true", hosting.CreateFailed, asked},
		{"PUT", "/instances/default.deployment.reader", hosting.UpdateFailed, asked},
		{"PUT", "/instances/default.deployment.reader?dryRun=true", hosting.UpdateFailed, asked},
		{"POST", "/cost/estimate", hosting.CostFailed, read},
	} {
		g.take()
		g.refuse = func(access httpapi.Access) bool { return access.Type == "volume" }
		e.do(c.method, c.path, config).problem(http.StatusForbidden, c.code, hosting.PermissionDenied)
		if all := g.take(); assert.Len(t, all, 2, c.path) {
			assert.Equal(t, c.want, all[1], c.path)
		}
		g.refuse = nil
		e.do("GET", "/instances/default.deployment.reader", nil).problem(http.StatusNotFound, hosting.InstanceNotFound, hosting.NotFound)
	}
	e.do("POST", "/instances", config).is(http.StatusCreated)

	// One that names its provider is asked for there, and what is no id is refused here.
	g.take()
	g.refuse = func(access httpapi.Access) bool { return access.Type == "volume" }
	config.Container.VolumeMounts[0].VolumeID = "b:default.volume.data"
	e.do("POST", "/instances", config).problem(http.StatusForbidden, hosting.CreateFailed, hosting.PermissionDenied)
	assert.Equal(t, "b", g.take()[1].Provider)
	config.Container.VolumeMounts[0].VolumeID = "data"
	e.do("POST", "/instances", config).problem(http.StatusBadRequest, hosting.CreateFailed, hosting.InvalidArgument, "container.volumeMounts[0].volumeId")
}
