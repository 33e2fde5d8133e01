package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"skillcenter.io/hosting"
)

// What a creation shows may be changed on condition without reading it again.
func TestWhatIsCreatedHasItsETag(t *testing.T) {
	t.Parallel()
	e := newExtended(t)
	for path, body := range map[string]any{"/volumes": data(), "/services": orders(), "/autoscale": webPolicy(5)} {
		made := e.do("POST", path, body).is(http.StatusCreated).header
		id := made.Get("Location")[len(prefix):]
		assert.Equal(t, e.tagAt(id), made.Get("ETag"), path)
		assert.Equal(t, made.Get("ETag"), e.do("POST", path, body).header.Get("ETag"), "%s again", path)
		e.do("DELETE", id, nil, "If-Match", made.Get("ETag")).is(http.StatusNoContent)
	}
	config := webConfig()
	config.InstanceName = "new"
	assert.Regexp(t, `^"[-_A-Za-z0-9]+"$`, e.do("POST", "/instances", config).is(http.StatusCreated).header.Get("ETag"))
	assert.Empty(t, e.do("POST", "/instances?dryRun=true", config).is(http.StatusOK).header.Get("ETag"))
}

func TestAnInstanceIsOnlyCreatedIfTheClientWantsThat(t *testing.T) {
	t.Parallel()
	e := newExtended(t)
	changed := webConfig()
	changed.Version = "9"
	const web, fresh, none = "/instances/default.deployment.web", "/instances/default.deployment.fresh", "If-None-Match"
	before := e.tagAt(web)
	for _, config := range []hosting.CloudHostingConfig{changed, webConfig()} {
		e.do("PUT", web, config, none, "*").problem(http.StatusPreconditionFailed, hosting.UpdateFailed, hosting.Conflict, none)
	}
	assert.Equal(t, before, e.tagAt(web))
	e.do("PUT", web, changed, none, `"x"`).problem(http.StatusBadRequest, hosting.UpdateFailed, hosting.InvalidArgument, none)
	changed.InstanceName = "fresh"
	e.do("PUT", fresh, changed, none, "*").is(http.StatusCreated)
	e.do("PUT", fresh, changed, none, "*").problem(http.StatusPreconditionFailed, hosting.UpdateFailed, hosting.Conflict, none)
	// Another type has the name: it is not seen by the id, and creating tells.
	changed.InstanceName, changed.InstanceType = "web", hosting.TypeStatefulSet
	e.do("PUT", "/instances/default.statefulset.web", changed, none, "*").problem(http.StatusPreconditionFailed, hosting.UpdateFailed, hosting.Conflict, none)
}
