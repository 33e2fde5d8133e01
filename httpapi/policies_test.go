package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

func TestAPolicyIsCreatedReadChangedAndDeleted(t *testing.T) {
	t.Parallel()
	e := newExtended(t)
	var created, got, updated hosting.AutoScalePolicy
	made := e.do("POST", "/autoscale", webPolicy(5)).is(http.StatusCreated).into(&created)
	want := webPolicy(5)
	want.PolicyID = policyID
	assert.Equal(t, want, created)
	assert.Equal(t, "/api/hosting/autoscale/"+policyID, made.header.Get("Location"))
	tag := made.header.Get("ETag")
	require.NotEmpty(t, tag)
	e.do("POST", "/autoscale", webPolicy(5)).is(http.StatusCreated)
	e.do("POST", "/autoscale", webPolicy(6)).problem(http.StatusConflict, hosting.PolicyFailed, hosting.AlreadyExists)

	for _, path := range []string{"/autoscale/" + policyID, "/autoscale/default.policy.web", "/instances/" + webID + "/autoscale", "/instances/default.deployment.web/autoscale"} {
		found := e.do("GET", path, nil).is(http.StatusOK).into(&got)
		assert.Equal(t, want, got, path)
		assert.Equal(t, tag, found.header.Get("ETag"), path)
		e.do("HEAD", path, nil).is(http.StatusOK)
	}

	// The ids may be left out of an update: a policy stays with its instance.
	changed := webPolicy(9)
	changed.InstanceID = ""
	answer := e.do("PUT", "/autoscale/"+policyID, changed).is(http.StatusOK).into(&updated)
	want.MaxReplicas = 9
	assert.Equal(t, want, updated)
	assert.NotEqual(t, tag, answer.header.Get("ETag"))
	e.do("PUT", "/autoscale/default.policy.web", updated).is(http.StatusOK)

	for action, enabled := range map[string]bool{"enable": true, "disable": false} {
		e.do("POST", "/autoscale/"+policyID+"/"+action, nil).is(http.StatusAccepted).into(&got)
		assert.Equal(t, enabled, got.Enabled)
		e.do("POST", "/autoscale/"+policyID+"/"+action, nil, "Prefer", "respond-async, return=minimal").is(http.StatusNoContent)
	}
	assert.Empty(t, e.do("DELETE", "/autoscale/"+policyID, nil).is(http.StatusNoContent).body)
	for _, request := range [][2]string{{"GET", ""}, {"DELETE", ""}, {"POST", "/enable"}, {"POST", "/disable"}} {
		e.do(request[0], "/autoscale/"+policyID+request[1], nil).problem(http.StatusNotFound, hosting.PolicyNotFound, hosting.NotFound, policyID)
	}
	e.do("PUT", "/autoscale/"+policyID, webPolicy(3)).problem(http.StatusNotFound, hosting.PolicyNotFound, hosting.NotFound)
	e.do("GET", "/instances/"+webID+"/autoscale", nil).problem(http.StatusNotFound, hosting.PolicyNotFound, hosting.NotFound, webID)
	e.do("GET", "/instances/default.deployment.none/autoscale", nil).problem(http.StatusNotFound, hosting.InstanceNotFound, hosting.NotFound)
}

func TestPoliciesAreListedInPagesOrForAnInstance(t *testing.T) {
	t.Parallel()
	e := newExtended(t)
	assert.Empty(t, e.do("GET", "/autoscale", nil).ids("policyId"))
	assert.Empty(t, e.do("GET", "/autoscale?instanceId="+webID, nil).ids("policyId"), "an instance without a policy has none")
	e.do("POST", "/autoscale", webPolicy(5)).is(http.StatusCreated)
	other := webPolicy(5)
	other.InstanceID = "b:default.deployment.web"
	e.do("POST", "/autoscale", other).is(http.StatusCreated)

	assert.Equal(t, []string{policyID, "b:default.policy.web"}, e.do("GET", "/autoscale", nil).ids("policyId"))
	assert.Equal(t, []string{policyID}, e.do("GET", "/autoscale?instanceId=default.deployment.web", nil).ids("policyId"))
	var page wire.List[hosting.AutoScalePolicy]
	e.do("GET", "/autoscale?pageSize=1", nil).is(http.StatusOK).into(&page)
	require.NotEmpty(t, page.NextPageToken)
	assert.Equal(t, []string{"b:default.policy.web"}, e.do("GET", "/autoscale?pageSize=1&pageToken="+page.NextPageToken, nil).ids("policyId"))

	e.do("GET", "/autoscale?instanceId=default.deployment.none", nil).problem(http.StatusNotFound, hosting.InstanceNotFound, hosting.NotFound)
	e.do("GET", "/autoscale?instanceId=web", nil).problem(http.StatusBadRequest, hosting.PolicyFailed, hosting.InvalidArgument, "instanceId", `"web"`)
	e.do("GET", "/autoscale?pageSize=0", nil).problem(http.StatusBadRequest, hosting.PolicyFailed, hosting.InvalidArgument, "pageSize", "1 to 1000")
}

func TestWhatCannotBeAPolicyIsRefusedWithTheField(t *testing.T) {
	t.Parallel()
	e := newExtended(t)
	e.do("POST", "/autoscale", webPolicy(5)).is(http.StatusCreated)
	for name, c := range map[string]struct {
		method, path string
		change       func(*hosting.AutoScalePolicy)
		says         string
	}{
		"no instance":           {"POST", "/autoscale", func(p *hosting.AutoScalePolicy) { p.InstanceID = "" }, "instanceId"},
		"no bounds":             {"POST", "/autoscale", func(p *hosting.AutoScalePolicy) { p.MaxReplicas = 0 }, "maxReplicas 0"},
		"an id elsewhere":       {"POST", "/autoscale", func(p *hosting.AutoScalePolicy) { p.PolicyID = "b:default.policy.web" }, "policyId"},
		"an id in a region":     {"POST", "/autoscale", func(p *hosting.AutoScalePolicy) { p.PolicyID = "edge.policy.web" }, "policyId"},
		"no id":                 {"POST", "/autoscale", func(p *hosting.AutoScalePolicy) { p.PolicyID = "web" }, "policyId"},
		"another name":          {"POST", "/autoscale", func(p *hosting.AutoScalePolicy) { p.PolicyID = "default.policy.other" }, "policyId"},
		"updated, another id":   {"PUT", "/autoscale/" + policyID, func(p *hosting.AutoScalePolicy) { p.PolicyID = "b:default.policy.web" }, "policyId"},
		"updated, another one":  {"PUT", "/autoscale/" + policyID, func(p *hosting.AutoScalePolicy) { p.InstanceID = "b:default.deployment.web" }, "instanceId"},
		"updated, another name": {"PUT", "/autoscale/" + policyID, func(p *hosting.AutoScalePolicy) { p.InstanceID = "default.deployment.other" }, "instanceId"},
		"updated, no bounds":    {"PUT", "/autoscale/" + policyID, func(p *hosting.AutoScalePolicy) { p.MinReplicas = 0 }, "minReplicas 0"},
	} {
		policy := webPolicy(5)
		c.change(&policy)
		p := e.do(c.method, c.path, policy).problem(http.StatusBadRequest, hosting.PolicyFailed, hosting.InvalidArgument, c.says)
		t.Log(name, p.Detail)
	}
	job := webConfig()
	job.InstanceName, job.InstanceType, job.Container.Ports = "once", hosting.TypeJob, nil
	_, err := e.a.CreateInstance(t.Context(), job)
	require.NoError(t, err)
	policy := webPolicy(5)
	policy.InstanceID = "default.job.once"
	e.do("POST", "/autoscale", policy).problem(http.StatusNotImplemented, hosting.PolicyFailed, hosting.Unsupported)
	policy.InstanceID = "default.deployment.none"
	e.do("POST", "/autoscale", policy).problem(http.StatusNotFound, hosting.InstanceNotFound, hosting.NotFound)
}
