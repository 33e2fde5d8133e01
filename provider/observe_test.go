package provider_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/internal/reference"
	"skillcenter.io/hosting/provider"
)

func TestAnObservedProviderConforms(t *testing.T) {
	conform(t, func() hosting.CloudHostingProvider {
		return provider.Observe(reference.New(), slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug})))
	})
}

// logged returns the lines of a log.
func logged(t *testing.T, log *bytes.Buffer) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for line := range strings.Lines(log.String()) {
		var decoded map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &decoded))
		lines = append(lines, decoded)
	}
	log.Reset()
	return lines
}

func TestCallsAreLoggedAtALevelThatFitsTheirOutcome(t *testing.T) {
	t.Parallel()
	f := fake.New(fake.WithName("memory"))
	var log bytes.Buffer
	p := provider.Observe(f, slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	_, err := f.CreateInstance(t.Context(), deployment("web"))
	require.NoError(t, err)
	const id = "default.deployment.web"
	for _, c := range []struct {
		reason hosting.Reason
		level  string
	}{
		{"", "INFO"}, {hosting.Conflict, "INFO"}, {hosting.NotFound, "INFO"}, {hosting.InvalidArgument, "INFO"}, {hosting.Unsupported, "INFO"},
		{hosting.AlreadyExists, "INFO"}, {hosting.Canceled, "INFO"}, {hosting.Unavailable, "WARN"}, {hosting.DeadlineExceeded, "WARN"},
		{hosting.RateLimited, "WARN"}, {hosting.QuotaExceeded, "WARN"}, {hosting.PermissionDenied, "ERROR"},
		{hosting.Unauthenticated, "ERROR"}, {hosting.Internal, "ERROR"},
	} {
		if c.reason != "" {
			f.InjectCall(fake.CallFault{Method: "ScaleInstance", Calls: 1, Reason: c.reason, Message: "because"})
		}
		err := p.ScaleInstance(t.Context(), id, 2)
		assert.Equal(t, c.reason, hosting.ReasonOf(err))
		lines := logged(t, &log)
		require.Len(t, lines, 1)
		line := lines[0]
		assert.Equal(t, c.level, line["level"], c.reason)
		assert.Equal(t, "ScaleInstance", line["method"])
		assert.Equal(t, "memory", line["provider"])
		assert.Equal(t, id, line["instanceId"])
		assert.Contains(t, line, "duration")
		if c.reason != "" {
			assert.Equal(t, string(c.reason), line["reason"])
			assert.Equal(t, "ScaleFailed", line["errorCode"])
			assert.Contains(t, line["error"], "because")
		}
	}
	_, err = p.ListInstances(t.Context())
	require.NoError(t, err)
	lines := logged(t, &log)
	require.Len(t, lines, 1)
	assert.Equal(t, "DEBUG", lines[0]["level"])
	assert.EqualValues(t, 1, lines[0]["items"])
}

// A refusal shows the values that it refuses, but none of a variable.
func TestRefusalsAreLoggedWithoutTheValuesOfVariables(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	for _, hush := range []string{"hush", "hush\x00", "hush\xff", "hush" + strings.Repeat("x", 300<<10)} {
		f := fake.New()
		p := provider.Observe(newRouter(t, backend("a", f)), slog.New(slog.NewTextHandler(&log, nil)))
		job := deployment("job")
		job.InstanceType = hosting.TypeJob
		for _, there := range []hosting.CloudHostingConfig{job, deployment("web")} {
			_, err := f.CreateInstance(t.Context(), there)
			require.NoError(t, err)
		}
		with := func(change func(*hosting.CloudHostingConfig)) hosting.CloudHostingConfig {
			config := deployment("new")
			change(&config)
			config.Container.Env = map[string]string{"A": hush}
			config.Env, config.SecretEnv = map[string]string{"B": hush}, hosting.SecretMap{"C": hush}
			return config
		}
		create := func(config hosting.CloudHostingConfig) error {
			_, err := p.CreateInstance(t.Context(), config)
			return err
		}
		apply := func(config hosting.CloudHostingConfig) error {
			_, err := hosting.ApplyInstance(t.Context(), p, config)
			return err
		}
		image := with(func(config *hosting.CloudHostingConfig) {
			config.Container.Image = "https://user:shown@registry.example.com/web"
		})
		assert.Error(t, create(image))
		assert.Error(t, apply(image))
		assert.Error(t, create(with(func(config *hosting.CloudHostingConfig) { config.Region = "moon" })))
		assert.Error(t, create(with(func(config *hosting.CloudHostingConfig) { config.InstanceName = "web" })), "another configuration")
		assert.Error(t, apply(with(func(config *hosting.CloudHostingConfig) {
			config.InstanceName, config.InstanceType = "job", hosting.TypeJob
		})), "a job cannot change")
	}
	assert.Equal(t, 20, strings.Count(log.String(), "hosting call"))
	assert.Contains(t, log.String(), "user:shown@")
	assert.NotContains(t, log.String(), "hush")
}

func TestOfAConfigurationOnlyNameTypeAndRegionAreLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	p := provider.Observe(fake.New(), slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	config := deployment("web")
	config.Region = "eu-west-1"
	config.SecretEnv = hosting.SecretMap{"TOKEN": "hush-1"}
	config.Env = map[string]string{"PASSWORD": "hush-2"}
	config.Annotations = map[string]string{"note": "hush-3"}
	config.Container.Args = []string{"hush-4"}
	created, err := p.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	config.SecretEnv = hosting.SecretMap{"TOKEN": "hush-5"}
	_, err = p.CreateInstance(t.Context(), config)
	require.ErrorIs(t, err, hosting.AlreadyExists)
	for _, call := range []func() error{
		func() error { _, err := hosting.ApplyInstance(t.Context(), p, config); return err },
		func() error { _, err := hosting.PlanInstance(t.Context(), p, config); return err },
		func() error { _, err := p.EstimateCost(t.Context(), config); return err },
		func() error { _, err := hosting.ListRevisions(t.Context(), p, created.ID); return err },
	} {
		require.NoError(t, call())
	}
	assert.NotContains(t, log.String(), "hush")
	for _, text := range []string{"instanceName=web", "instanceType=deployment", "region=eu-west-1", "instanceId=" + created.ID} {
		assert.Contains(t, log.String(), text)
	}
}

func TestALogNamesTheProviderThatACallWasAbout(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	b := fake.New(fake.WithRegions("edge"))
	p := provider.Observe(newRouter(t, backend("a", fake.New()), backend("b", b)), slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	config := deployment("web")
	config.Region = "edge"
	on := func(id string) func() error {
		return func() error { return p.ScaleInstance(t.Context(), id, 2) }
	}
	named := config
	named.Provider = "b"
	for _, c := range []struct {
		what string
		call func() error
		want string
	}{
		{"created where the region is", func() error { _, err := p.CreateInstance(t.Context(), config); return err }, "b"},
		{"named in the id", on("b:edge.deployment.web"), "b"},
		{"named in the configuration", func() error { _, err := p.EstimateCost(t.Context(), named); return err }, "b"},
		{"refused by it", on("b:edge.deployment.none"), "b"},
		{"of the default one", on("default.deployment.none"), "a"},
		{"of one that is not there", on("c:default.deployment.web"), "a"},
		{"a stream", func() error {
			for _, err := range hosting.StreamLogs(t.Context(), p, "b:edge.deployment.none", hosting.LogQueryOptions{}) {
				return err
			}
			return nil
		}, "b"},
		{"a list", func() error { _, err := p.ListInstances(t.Context()); return err }, "a"},
		{"a list of which one failed", func() error {
			b.InjectCall(fake.CallFault{Method: "ListInstances", Calls: 1, Reason: hosting.Unavailable})
			_, err := p.ListInstances(t.Context())
			return err
		}, "b"},
	} {
		_ = c.call()
		lines := logged(t, &log)
		require.Len(t, lines, 1, c.what)
		assert.Equal(t, c.want, lines[0]["provider"], c.what)
	}
}
