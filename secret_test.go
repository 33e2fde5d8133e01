package hosting_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

const secret = "hunter2"

// forms are how a secret may stand in a text.
func forms() []string {
	return []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("%d", []byte(secret)), fmt.Sprintf("%v", []rune(secret))}
}

func assertNoSecret(t *testing.T, text, how string) {
	t.Helper()
	for _, form := range forms() {
		assert.NotContains(t, text, form, how)
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	t.Parallel()
	secrets := hosting.SecretMap{"TOKEN": secret, "A": secret}
	config := validConfig()
	config.SecretEnv = secrets
	for name, value := range map[string]any{
		"alone":                 secrets,
		"behind a pointer":      &secrets,
		"in a config":           config,
		"in a config's pointer": &config,
		"in a slice":            []hosting.CloudHostingConfig{config},
		"in a map":              map[string]hosting.SecretMap{"x": secrets},
		"in a revision":         hosting.InstanceRevision{Config: config},
		"as an error":           fmt.Errorf("bad %v: %w", secrets, errors.New("x")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%+q", "%o", "%t", "%T", "%10.3v", "%-20s", "%!"} {
				assertNoSecret(t, fmt.Sprintf(verb, value), verb)
			}
			assertNoSecret(t, fmt.Sprint(value), "Sprint")
			assertNoSecret(t, fmt.Errorf("x: %v", value).Error(), "Errorf")
			assertNoSecret(t, hosting.Errorf("p", hosting.CreateFailed, hosting.Internal, "%+v", value).Error(), "hosting.Errorf")
		})
	}
	assert.Equal(t, "secrets[A TOKEN]", secrets.String(), "the names are printed, sorted")
	assert.Equal(t, "secrets[]", fmt.Sprint(hosting.SecretMap(nil)))
}

func TestSecretsAreNeverLogged(t *testing.T) {
	t.Parallel()
	secrets := hosting.SecretMap{"TOKEN": secret}
	config := validConfig()
	config.SecretEnv = secrets
	var out bytes.Buffer
	for name, handler := range map[string]slog.Handler{
		"text": slog.NewTextHandler(&out, nil),
		"JSON": slog.NewJSONHandler(&out, nil),
	} {
		logger := slog.New(handler)
		logger.Info("x", "secrets", secrets)
		logger.Info("x", "secrets", &secrets)
		logger.Info("x", "config", config)
		logger.Info("x", "config", &config)
		logger.Info("x", "revision", hosting.InstanceRevision{Revision: 3, Config: config})
		logger.Info("x", "revision", &hosting.InstanceRevision{Config: config})
		logger.With("config", config).WithGroup("g").Info("x", slog.Group("h", "config", config))
		assertNoSecret(t, out.String(), name)
		assert.Contains(t, out.String(), "TOKEN", "the names are logged")
		assert.Contains(t, out.String(), "web", "the rest of the config is logged")
		out.Reset()
	}
	assert.Equal(t, hosting.SecretMap{"TOKEN": secret}, config.SecretEnv, "logging changes nothing")
}

func TestAConfigIsLoggedAsAGroupThatCanBeRead(t *testing.T) {
	t.Parallel()
	config := validConfig()
	config.Container.Ports = []int{80}
	config.Container.HealthCheck = &hosting.HealthCheck{TCP: &hosting.TCPCheck{Port: 80}}
	config.Resources = &hosting.ResourceConfig{CPULimit: 0.5, MemoryLimit: 1 << 53}
	config.SecretEnv = hosting.SecretMap{"TOKEN": secret}
	var out bytes.Buffer
	withoutTime := &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}
	slog.New(slog.NewTextHandler(&out, withoutTime)).Info("x", "config", &config)
	assert.Equal(t, `level=INFO msg=x config.container.healthCheck.tcp.port=80 config.container.image=nginx:1.29 config.container.ports=[80] `+
		`config.instanceName=web config.instanceType=deployment config.resources.cpuLimit=0.5 config.resources.memoryLimit=9007199254740992 `+
		"config.secretEnv.TOKEN=(hidden)\n", out.String())
	out.Reset()
	slog.New(slog.NewJSONHandler(&out, withoutTime)).Info("x", "revision", hosting.InstanceRevision{Revision: 3, CreatedAt: hosting.TimeFromMillis(1), Config: config})
	assert.JSONEq(t, `{"level":"INFO","msg":"x","revision":{"revision":3,"createdAt":"1970-01-01T00:00:00.001Z","config":{
		"container":{"healthCheck":{"tcp":{"port":80}},"image":"nginx:1.29","ports":[80]},"instanceName":"web","instanceType":"deployment",
		"resources":{"cpuLimit":0.5,"memoryLimit":9007199254740992},"secretEnv":{"TOKEN":"(hidden)"}}}}`, out.String())
	out.Reset()

	config.Resources.CPULimit = math.NaN()
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "config", config)
	assert.Contains(t, out.String(), "TOKEN", "what JSON cannot hold is logged as text")
	assertNoSecret(t, out.String(), "text instead of a group")
}

func TestJSONHandsOverSecrets(t *testing.T) {
	t.Parallel()
	config := validConfig()
	config.SecretEnv = hosting.SecretMap{"TOKEN": secret}
	data, err := json.Marshal(config)
	require.NoError(t, err)
	assert.Contains(t, string(data), `"secretEnv":{"TOKEN":"hunter2"}`)
	var back hosting.CloudHostingConfig
	require.NoError(t, json.Unmarshal(data, &back))
	assert.Equal(t, config, back)
}
