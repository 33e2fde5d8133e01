package client_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi/client"
)

// What a request cannot carry is refused before there is one, as a provider would
// refuse it.
func TestWhatCannotBeSentIsNot(t *testing.T) {
	t.Parallel()
	bad := "a\xffb"
	spoiled := func(change func(*hosting.CloudHostingConfig)) hosting.CloudHostingConfig {
		config := sound()
		change(&config)
		return config
	}
	policy := hosting.AutoScalePolicy{InstanceID: web, Name: "busy", MinReplicas: 1, MaxReplicas: 2,
		ScaleUpRules: []hosting.ScaleRule{{MetricType: "custom", MetricName: "queue", Comparison: ">", StepSize: 1, Threshold: math.NaN()}}}
	type ctx = context.Context
	for _, test := range []struct {
		name  string
		code  hosting.Code
		id    string // of the error
		field string
		do    func(ctx ctx, c *client.Client) error
	}{
		{"a name", hosting.CreateFailed, "", "instanceName", func(ctx ctx, c *client.Client) error {
			_, err := c.CreateInstance(ctx, spoiled(func(c *hosting.CloudHostingConfig) { c.InstanceName = "Web" }))
			return err
		}},
		{"a variable", hosting.UpdateFailed, "", "env[A]", func(ctx ctx, c *client.Client) error {
			_, err := c.ApplyInstance(ctx, spoiled(func(c *hosting.CloudHostingConfig) { c.Env = map[string]string{"A": bad} }))
			return err
		}},
		{"a number of cores", hosting.UpdateFailed, "", "resources.cpuLimit", func(ctx ctx, c *client.Client) error {
			_, err := c.PlanInstance(ctx, spoiled(func(c *hosting.CloudHostingConfig) { c.Resources = &hosting.ResourceConfig{CPULimit: math.Inf(1)} }))
			return err
		}},
		{"no container", hosting.CostFailed, "", "container", func(ctx ctx, c *client.Client) error {
			_, err := c.EstimateCost(ctx, spoiled(func(c *hosting.CloudHostingConfig) { c.Container = nil }))
			return err
		}},
		{"resources", hosting.UpdateFailed, web, "resources.cpuRequest", func(ctx ctx, c *client.Client) error {
			return c.UpdateResources(ctx, web, hosting.ResourceConfig{CPURequest: math.NaN()})
		}},
		{"an event", hosting.EventsFailed, web, "metadata[who]", func(ctx ctx, c *client.Client) error {
			return c.RecordEvent(ctx, web, hosting.InstanceEvent{Type: hosting.EventNormal, Reason: "Tested", Metadata: map[string]string{"who": bad}})
		}},
		{"the name of metadata", hosting.EventsFailed, web, "metadata", func(ctx ctx, c *client.Client) error {
			return c.RecordEvent(ctx, web, hosting.InstanceEvent{Type: hosting.EventNormal, Reason: "Tested", Metadata: map[string]string{bad: "x"}})
		}},
		{"a threshold", hosting.PolicyFailed, web, "scaleUpRules[0].threshold", func(ctx ctx, c *client.Client) error {
			_, err := c.CreateAutoScalePolicy(ctx, policy)
			return err
		}},
		{"a negative moment", hosting.PolicyFailed, web, "cooldownPeriod", func(ctx ctx, c *client.Client) error {
			policy := policy
			policy.CooldownPeriod = hosting.Duration(-time.Microsecond)
			policy.ScaleUpRules = []hosting.ScaleRule{{MetricType: "custom", MetricName: "queue", Comparison: ">", StepSize: 1}}
			_, err := c.UpdateAutoScalePolicy(ctx, "default.policy.web", policy)
			return err
		}},
		{"a policy of no instance", hosting.PolicyFailed, "nonsense", "instanceId", func(ctx ctx, c *client.Client) error {
			policy := policy
			policy.InstanceID = "nonsense"
			_, err := c.CreateAutoScalePolicy(ctx, policy)
			return err
		}},
		{"a storage class", hosting.VolumeFailed, "", "storageClass", func(ctx ctx, c *client.Client) error {
			_, err := c.CreateVolume(ctx, hosting.Volume{Name: "data", Size: 1, StorageClass: bad})
			return err
		}},
		{"text that nobody looks at", hosting.VolumeFailed, "", "mounts[0].mountPath", func(ctx ctx, c *client.Client) error {
			_, err := c.CreateVolume(ctx, hosting.Volume{Name: "data", Size: 1, Mounts: []hosting.Mount{{MountPath: bad}}})
			return err
		}},
		{"a path", hosting.VolumeFailed, web, "mountPath", func(ctx ctx, c *client.Client) error {
			return c.MountVolume(ctx, "default.volume.data", web, "/"+bad, false)
		}},
		{"an alias", hosting.ServiceFailed, web, "aliases[0]", func(ctx ctx, c *client.Client) error {
			_, err := c.RegisterService(ctx, web, hosting.ServiceRegistration{ServiceName: "orders", Port: 80, Aliases: []string{bad}})
			return err
		}},
		{"a service of two instances", hosting.ServiceFailed, web, "instanceId", func(ctx ctx, c *client.Client) error {
			_, err := c.RegisterService(ctx, web, hosting.ServiceRegistration{ServiceName: "orders", Port: 80, InstanceID: "default.deployment.other"})
			return err
		}},
		{"no service", hosting.ServiceFailed, "", "serviceName", func(ctx ctx, c *client.Client) error { _, err := c.DiscoverService(ctx, ""); return err }},
		{"following", hosting.LogsFailed, web, "follow", func(ctx ctx, c *client.Client) error { _, err := c.GetLogs(ctx, web, following); return err }},
	} {
		s := scripted(t, func(http.ResponseWriter, *http.Request, int) {})
		e := failed(t, test.do(t.Context(), s.Client))
		assert.Equal(t, hosting.InvalidArgument, e.Reason, test.name)
		assert.Equal(t, test.code, e.Code, test.name)
		assert.Equal(t, test.id, e.InstanceID, test.name)
		assert.Equal(t, "main", e.Provider, test.name)
		var fields hosting.FieldErrors
		require.ErrorAs(t, error(e), &fields, test.name)
		assert.Equal(t, test.field, fields[0].Field, test.name)
		assert.Empty(t, s.asked(), test.name)

		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, test.do(ended, s.Client), hosting.Canceled, "%s: a context that has ended goes first", test.name)
	}
}

func TestWhatIsNoIDIsNotSent(t *testing.T) {
	t.Parallel()
	s := scripted(t, func(http.ResponseWriter, *http.Request, int) {})
	for _, id := range []string{"", ".", "..", "a/b", "../../providers", "default.deployment.web/stop", "default.deployment.web?x", "a\xff", "x:y:default.deployment.web"} {
		for what, do := range map[string]func(c *client.Client, ctx context.Context) error{
			"instance": func(c *client.Client, ctx context.Context) error { return c.DeleteInstance(ctx, id) },
			"policy":   func(c *client.Client, ctx context.Context) error { return c.DeleteAutoScalePolicy(ctx, id) },
			"service":  func(c *client.Client, ctx context.Context) error { return c.UnregisterService(ctx, id) },
			"volume":   func(c *client.Client, ctx context.Context) error { return c.DeleteVolume(ctx, id) },
			"mount":    func(c *client.Client, ctx context.Context) error { return c.UnmountVolume(ctx, "default.volume.a", id) },
			"services": func(c *client.Client, ctx context.Context) error {
				_, err := c.GetServicesByInstance(ctx, id)
				return err
			},
		} {
			require.ErrorIs(t, do(s.Client, t.Context()), hosting.InvalidArgument, "%s %q", what, id)
		}
		for _, err := range s.StreamLogs(t.Context(), id, following) {
			require.ErrorIs(t, err, hosting.InvalidArgument, "%q", id)
		}
	}
	for _, id := range []string{"", ".", "..", "a//b", "/a", "a/", "a/../b", "a\xff"} {
		_, err := s.CheckCompatibility(t.Context(), id)
		require.ErrorIs(t, err, hosting.InvalidArgument, "%q", id)
	}
	assert.Empty(t, s.asked())
}

func TestIDsArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	s := scripted(t, func(w http.ResponseWriter, _ *http.Request, _ int) { answer(w, "{}") })
	_, err := s.CheckCompatibility(t.Context(), "team/skill 1?%2F#é")
	require.NoError(t, err)
	require.NoError(t, s.StartInstance(t.Context(), "main:default.deployment.web"))
	assert.Equal(t, "/skills/team%2Fskill%201%3F%252F%23%C3%A9/compatibility", s.asked()[0].path)
	assert.Equal(t, "/instances/main:default.deployment.web/start", s.asked()[1].path)
	assert.Equal(t, "return=minimal", s.asked()[1].header.Get("Prefer"))
	assert.Empty(t, s.asked()[1].body)
}

func TestAvailabilityIsWhatTheServerSays(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{`{"available":true,"protocol":"0.7.3"}`: true, `{"available":false}`: false, `{}`: false, `?`: false} {
		s := scripted(t, func(w http.ResponseWriter, _ *http.Request, _ int) { answer(w, body) })
		assert.Equal(t, want, s.IsAvailable(t.Context()), body)
	}
	s := scripted(t, func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(503) })
	assert.False(t, s.IsAvailable(t.Context()))
	assert.Len(t, s.asked(), 1, "it asks once")
}

func TestAPolicyIsReplacedOnlyIfItIsWhatWasSeen(t *testing.T) {
	t.Parallel()
	p := openPlatform(t, "a", "b")
	c := overREST(t, p.router, p.extension)
	_, err := c.CreateInstance(t.Context(), sound())
	require.NoError(t, err)
	rule := hosting.ScaleRule{MetricType: hosting.MetricResource, MetricName: hosting.MetricCPUUsage, Threshold: 80, Comparison: ">", StepSize: 1}
	seen, err := c.CreateAutoScalePolicy(t.Context(), hosting.AutoScalePolicy{InstanceID: web, Name: "busy", MinReplicas: 1, MaxReplicas: 3, ScaleUpRules: []hosting.ScaleRule{rule}})
	require.NoError(t, err)
	more := seen
	more.MaxReplicas = 5
	replaced, err := hosting.ReplaceAutoScalePolicy(t.Context(), c, "default.policy.web", seen, more)
	require.NoError(t, err)
	assert.Equal(t, more, replaced)
	_, err = c.ReplaceAutoScalePolicy(t.Context(), seen.PolicyID, seen, more)
	require.ErrorIs(t, err, hosting.Conflict)
	_, err = c.ReplaceAutoScalePolicy(t.Context(), "default.policy.other", seen, hosting.AutoScalePolicy{})
	require.Equal(t, hosting.PolicyNotFound, hosting.CodeOf(err))

	// What changes between the two requests is found by the server.
	s := scripted(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.Method == http.MethodGet {
			w.Header().Set("ETag", `"seen"`)
			answer(w, `{"policyId":"default.policy.web","id":"default.deployment.web"}`)
			return
		}
		assert.Equal(t, `"seen"`, r.Header.Get("If-Match"))
		problem(w, http.StatusPreconditionFailed, map[string]any{"reason": "Conflict", "errorCode": "PolicyFailed", "errorMessage": "it has changed"})
	})
	_, err = s.ReplaceAutoScalePolicy(t.Context(), "default.policy.web", hosting.AutoScalePolicy{PolicyID: "main:default.policy.web"}, hosting.AutoScalePolicy{})
	require.ErrorIs(t, err, hosting.Conflict)
	assert.Len(t, s.asked(), 2)
}

// Who compresses an answer weakens its ETag, with which nothing may be replaced,
// and holds back the events of a stream.
func TestWhatMustNotBeCompressedIsAskedForAsItIs(t *testing.T) {
	t.Parallel()
	s := scripted(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		switch {
		case r.URL.Path == "/api/hosting/instances/"+web+"/logs":
			stream(w, "event: end\ndata: {}\n\n")
		case r.Method == http.MethodGet && r.Header.Get("Accept-Encoding") != "identity":
			w.Header().Set("ETag", `W/"seen"`) // as nginx does
			answer(w, `{"policyId":"default.policy.web","id":"default.deployment.web"}`)
		default:
			w.Header().Set("ETag", `"seen"`)
			answer(w, `{"policyId":"default.policy.web","id":"default.deployment.web"}`)
		}
	})
	_, err := s.ReplaceAutoScalePolicy(t.Context(), "default.policy.web", hosting.AutoScalePolicy{PolicyID: "default.policy.web"}, hosting.AutoScalePolicy{})
	require.NoError(t, err)
	assert.Equal(t, `"seen"`, s.asked()[1].header.Get("If-Match"))
	_, err = follow(t.Context(), s.Client, following)
	require.NoError(t, err)
	assert.Equal(t, "identity", s.asked()[2].header.Get("Accept-Encoding"))
	_, err = s.GetInstance(t.Context(), web)
	require.NoError(t, err)
	assert.Equal(t, "gzip", s.asked()[3].header.Get("Accept-Encoding"), "everything else may be")
}

func TestARollbackReturnsTheInstance(t *testing.T) {
	t.Parallel()
	for _, shown := range []bool{true, false} {
		s := scripted(t, func(w http.ResponseWriter, r *http.Request, _ int) {
			if r.Method == http.MethodPost && !shown {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			answer(w, `{"id":"default.deployment.web"}`)
		})
		instance, err := s.RollbackInstance(t.Context(), web, 2)
		require.NoError(t, err)
		assert.Equal(t, web, instance.ID)
		assert.JSONEq(t, `{"revision":2}`, s.asked()[0].body)
	}
}

func TestApplyNamesTheInstanceThatThereWillBe(t *testing.T) {
	t.Parallel()
	p := openPlatform(t, "a", "b")
	c := overREST(t, p.router, p.extension)
	for _, test := range []struct{ provider, region, want string }{
		{"", "", "a:default.deployment.web"}, {"b", "", "b:default.deployment.web"}, {"b", "us-west-1", "b:us-west-1.deployment.web"},
	} {
		config := sound()
		config.Provider, config.Region = test.provider, test.region
		instance, err := c.ApplyInstance(t.Context(), config)
		require.NoError(t, err)
		assert.Equal(t, test.want, instance.ID)
	}
	// Where nobody has it, the error is that of a call to the provider itself.
	for _, change := range []func(*hosting.CloudHostingConfig){
		func(c *hosting.CloudHostingConfig) { c.Provider = "nobody" },
		func(c *hosting.CloudHostingConfig) { c.Region = "nowhere" },
		func(c *hosting.CloudHostingConfig) { c.InstanceType = "nothing" },
	} {
		config := sound()
		change(&config)
		_, want := p.router.ApplyInstance(t.Context(), config)
		_, got := c.ApplyInstance(t.Context(), config)
		require.Error(t, got)
		assert.Equal(t, hosting.ReasonOf(want), hosting.ReasonOf(got))
		assert.Equal(t, hosting.CodeOf(want), hosting.CodeOf(got))
		var wantFields, gotFields hosting.FieldErrors
		if errors.As(want, &wantFields) && assert.ErrorAs(t, got, &gotFields, "%v", got) {
			assert.Equal(t, wantFields[0].Field, gotFields[0].Field)
		}
	}
}

func TestApplyAsksForAProviderWhereSeveralWouldDo(t *testing.T) {
	t.Parallel()
	server := `{"items":[{"name":"a","regions":["x"],"instanceTypes":["deployment"]},
		{"name":"b","regions":["default"],"instanceTypes":["deployment"]},{"name":"c","regions":["default"],"instanceTypes":["deployment"]}]}`
	c := withProviders(t, server)
	config := sound()
	config.Region = "default"
	_, err := c.ApplyInstance(t.Context(), config)
	require.ErrorIs(t, err, hosting.InvalidArgument)
	assert.ErrorContains(t, err, "set provider to one of: b, c")
	assert.Equal(t, []string{"x", "default"}, c.SupportedRegions())
	assert.Equal(t, []string{"deployment"}, c.SupportedInstanceTypes())
	assert.Equal(t, "a", c.ProviderName())
}
