package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/wire"
)

// withoutReplacer is an extension that cannot compare and change in one step.
type withoutReplacer struct {
	hosting.HostingExtensionSdkAdapter
}

// tagAt reads the ETag of what is at a path.
func (e *extended) tagAt(path string) string {
	e.t.Helper()
	tag := e.do("GET", path, nil).is(http.StatusOK).header.Get("ETag")
	require.NotEmpty(e.t, tag)
	return tag
}

// race makes two changes at once, and returns how many of them were made. The
// other is told that it has seen something old.
func race(t *testing.T, code hosting.Code, changes [2]func() answer) (made int) {
	t.Helper()
	var answers [2]answer
	var racing sync.WaitGroup
	for i, change := range changes {
		racing.Go(func() { answers[i] = change() })
	}
	racing.Wait()
	for _, answer := range answers {
		if answer.status < 300 {
			made++
			continue
		}
		answer.problem(http.StatusPreconditionFailed, code, hosting.Conflict)
	}
	return made
}

const rounds = 50

// Each writer is a server of its own, as two processes would be.
func TestOfTwoWritersOfAPolicyWithTheSameETagOneWins(t *testing.T) {
	t.Parallel()
	for name, servers := range map[string]func(e *extended) [2]*httptest.Server{
		"on two servers": func(e *extended) [2]*httptest.Server { return [2]*httptest.Server{e.server, e.serve(e.newExtension())} },
		"on one server":  func(e *extended) [2]*httptest.Server { return [2]*httptest.Server{e.server, e.server} },
		"on one server with an extension that does not help": func(e *extended) [2]*httptest.Server {
			s := e.serve(withoutReplacer{e.extension})
			return [2]*httptest.Server{s, s}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newExtended(t)
			e.do("POST", "/autoscale", webPolicy(5)).is(http.StatusCreated)
			writers := servers(e)
			for round := range rounds {
				tag := e.tagAt("/autoscale/" + policyID)
				var changes [2]func() answer
				for i, id := range []string{policyID, "default.policy.web"} { // the same one
					changes[i] = func() answer {
						return send(t, writers[i], "PUT", "/autoscale/"+id, webPolicy(10+2*round+i), "If-Match", tag)
					}
				}
				require.Equal(t, 1, race(t, hosting.PolicyFailed, changes), "round %d", round)
			}
		})
	}
}

func TestOfTwoWritersOfAnInstanceWithTheSameETagOneWins(t *testing.T) {
	t.Parallel()
	e := newExtended(t)
	for round := range rounds {
		tag := e.tagAt("/instances/" + webID)
		var changes [2]func() answer
		for i, id := range []string{webID, "default.deployment.web"} {
			changes[i] = func() answer {
				return e.do("POST", "/instances/"+id+"/scale", fmt.Sprintf(`{"replicas":%d}`, 2+2*(round%2)+i), "If-Match", tag)
			}
		}
		require.Equal(t, 1, race(t, hosting.ScaleFailed, changes), "round %d", round)
	}
}

func TestAnIfMatchIsTheETagOfWhatIsThereOrNothingIsDone(t *testing.T) {
	t.Parallel()
	e := newExtended(t)
	e.do("POST", "/autoscale", webPolicy(5)).is(http.StatusCreated)
	e.do("POST", "/volumes", data()).is(http.StatusCreated)
	e.do("POST", "/services", orders()).is(http.StatusCreated)
	for _, c := range []struct {
		method, path string
		body         any
		read         string
		code         hosting.Code
	}{
		{"PUT", "/autoscale/" + policyID, webPolicy(6), "/autoscale/" + policyID, hosting.PolicyFailed},
		{"POST", "/autoscale/" + policyID + "/enable", nil, "/autoscale/" + policyID, hosting.PolicyFailed},
		{"POST", "/autoscale/" + policyID + "/disable", nil, "/autoscale/" + policyID, hosting.PolicyFailed},
		{"DELETE", "/autoscale/" + policyID, nil, "/autoscale/" + policyID, hosting.PolicyFailed},
		{"DELETE", "/services/" + ordersID, nil, "/services/" + ordersID, hosting.ServiceFailed},
		{"POST", "/volumes/" + dataID + "/mount", wire.Mount{InstanceID: webID, MountPath: "/data"}, "/volumes/" + dataID, hosting.VolumeFailed},
		{"POST", "/volumes/" + dataID + "/unmount", wire.Unmount{InstanceID: webID}, "/volumes/" + dataID, hosting.VolumeFailed},
		{"DELETE", "/volumes/" + dataID, nil, "/volumes/" + dataID, hosting.VolumeFailed},
		{"POST", "/instances/" + webID + "/restart", nil, "/instances/" + webID, hosting.RestartFailed},
		{"POST", "/instances/" + webID + "/scale", wire.Scale{Replicas: new(2)}, "/instances/" + webID, hosting.ScaleFailed},
		{"PUT", "/instances/" + webID, webConfig(), "/instances/" + webID, hosting.UpdateFailed},
		{"DELETE", "/instances/" + webID, nil, "/instances/" + webID, hosting.DeleteFailed},
	} {
		tag := e.tagAt(c.read)
		for _, stale := range []string{`"old"`, `"a,*,b"`, "W/" + tag, `"old", "older"`, `"` + tag[1:len(tag)-1] + `,"`} {
			e.do(c.method, c.path, c.body, "If-Match", stale).problem(http.StatusPreconditionFailed, c.code, hosting.Conflict, "its ETag is "+tag)
		}
		for _, wrong := range []string{"", "old", `"old`, `*, "old"`, `"old" "older"`, "w/" + tag, ","} {
			e.do(c.method, c.path, c.body, "If-Match", wrong).problem(http.StatusBadRequest, c.code, hosting.InvalidArgument, "If-Match", "allowed: *, or ETags")
		}
		assert.Equal(t, tag, e.tagAt(c.read), "nothing was done: %s %s", c.method, c.path)
		made := e.do(c.method, c.path, c.body, "If-Match", `"old" ,`+"\t"+tag)
		assert.Less(t, made.status, 300, "%s %s: %s", c.method, c.path, made.body)
		if c.method != "DELETE" {
			made = e.do(c.method, c.path, c.body, "If-Match", " * ")
			assert.Less(t, made.status, 300, "%s %s: %s", c.method, c.path, made.body)
		}
	}
}

func TestAnIfMatchOfWhatDoesNotExistFails(t *testing.T) {
	t.Parallel()
	e := newExtended(t)
	for _, tag := range []string{"*", `"old"`} {
		e.do("PUT", "/autoscale/"+policyID, webPolicy(6), "If-Match", tag).problem(http.StatusNotFound, hosting.PolicyNotFound, hosting.NotFound)
		e.do("DELETE", "/autoscale/"+policyID, nil, "If-Match", tag).problem(http.StatusNotFound, hosting.PolicyNotFound, hosting.NotFound)
		e.do("DELETE", "/instances/default.deployment.none", nil, "If-Match", tag).problem(http.StatusNotFound, hosting.InstanceNotFound, hosting.NotFound)
		// Without it, this would create an instance.
		config := webConfig()
		config.InstanceName = "none"
		e.do("PUT", "/instances/default.deployment.none", config, "If-Match", tag).problem(http.StatusPreconditionFailed, hosting.UpdateFailed, hosting.Conflict)
	}
	e.do("GET", "/instances/default.deployment.none", nil).is(http.StatusNotFound)
}

func TestAnIfNoneMatchSparesWhatTheClientHas(t *testing.T) {
	t.Parallel()
	e := newExtended(t)
	e.do("POST", "/autoscale", webPolicy(5)).is(http.StatusCreated)
	e.do("POST", "/volumes", data()).is(http.StatusCreated)
	e.do("POST", "/services", orders()).is(http.StatusCreated)
	for _, path := range []string{"/autoscale/" + policyID, "/instances/" + webID + "/autoscale", "/volumes/" + dataID, "/services/" + ordersID, "/instances/" + webID} {
		tag := e.tagAt(path)
		for _, has := range []string{tag, "W/" + tag, `"old", W/` + tag, "*"} {
			for _, method := range []string{"GET", "HEAD"} {
				same := e.do(method, path, nil, "If-None-Match", has).is(http.StatusNotModified)
				assert.Equal(t, tag, same.header.Get("ETag"))
				assert.Empty(t, same.body)
			}
		}
		for _, has := range []string{`"old"`, `W/"old"`, tag[:len(tag)-1], `"a,*,b"`, "old"} {
			e.do("GET", path, nil, "If-None-Match", has).is(http.StatusOK)
		}
	}
	// It is about reading, and nothing for what a change answers.
	e.do("POST", "/autoscale/"+policyID+"/disable", nil, "If-None-Match", e.tagAt("/autoscale/"+policyID)).is(http.StatusAccepted)
}

// slow has a policy that somebody else changes right after it was read.
type slow struct {
	hosting.HostingExtensionSdkAdapter
	meanwhile func()
}

func (s *slow) GetAutoScalePolicyByID(ctx context.Context, id string) (hosting.AutoScalePolicy, error) {
	policy, err := s.HostingExtensionSdkAdapter.GetAutoScalePolicyByID(ctx, id)
	s.meanwhile()
	return policy, err
}

func (s *slow) ReplaceAutoScalePolicy(ctx context.Context, id string, seen, policy hosting.AutoScalePolicy) (hosting.AutoScalePolicy, error) {
	return hosting.ReplaceAutoScalePolicy(ctx, s.HostingExtensionSdkAdapter, id, seen, policy)
}

func TestAChangeFromElsewhereBetweenLookAndWriteIsNotLost(t *testing.T) {
	t.Parallel()
	e := newExtended(t)
	e.do("POST", "/autoscale", webPolicy(5)).is(http.StatusCreated)
	tag := e.tagAt("/autoscale/" + policyID)
	server := e.serve(&slow{e.extension, func() {
		_, err := e.extension.UpdateAutoScalePolicy(t.Context(), policyID, webPolicy(7))
		assert.NoError(t, err)
	}})
	send(t, server, "PUT", "/autoscale/"+policyID, webPolicy(9), "If-Match", tag).problem(http.StatusPreconditionFailed, hosting.PolicyFailed, hosting.Conflict)
	policy, err := e.extension.GetAutoScalePolicyByID(t.Context(), policyID)
	require.NoError(t, err)
	assert.Equal(t, 7, policy.MaxReplicas)
}

// An Authorizer has decided about that provider, not about the only one there is.
func TestWhatIsOfAnotherProviderIsNotPutOnTheOnlyOne(t *testing.T) {
	t.Parallel()
	p := fake.New()
	api, err := httpapi.New(p, nil, httpapi.AllowAnonymous())
	require.NoError(t, err)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	config := webConfig()
	send(t, server, "PUT", "/instances/other:default.deployment.web", config).problem(http.StatusBadRequest, hosting.UpdateFailed, hosting.InvalidArgument, `provider "other"`)
	list, err := p.ListInstances(t.Context())
	require.NoError(t, err)
	assert.Empty(t, list)
	send(t, server, "PUT", "/instances/fake:default.deployment.web", config).is(http.StatusCreated)
	send(t, server, "PUT", "/instances/default.deployment.web", config).is(http.StatusOK)
}
