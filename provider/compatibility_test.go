package provider_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider"
)

// sound is a configuration with which nothing is wrong.
func sound() hosting.CloudHostingConfig {
	config := deployment("web")
	config.Container.HealthCheck = &hosting.HealthCheck{HTTP: &hosting.HTTPCheck{Path: "/", Port: 8080}}
	config.Resources = &hosting.ResourceConfig{CPULimit: 0.5, CPURequest: 0.25, MemoryLimit: 128 << 20, MemoryRequest: 64 << 20}
	return config
}

// volumes knows a volume of each access mode, and nothing of "dark".
func volumes(id string) (hosting.Volume, error) {
	modes := map[string]string{"default.volume.rwo": hosting.ReadWriteOnce, "default.volume.rwx": hosting.ReadWriteMany,
		"default.volume.rox": hosting.ReadOnlyMany, "default.volume.rwop": hosting.ReadWriteOncePod}
	switch mode, known := modes[id]; {
	case known:
		return hosting.Volume{VolumeID: id, AccessMode: mode}, nil
	case id == "default.volume.dark":
		return hosting.Volume{}, hosting.Errorf("a", hosting.VolumeFailed, hosting.Unavailable, "nobody answers")
	}
	return hosting.Volume{}, hosting.Errorf("a", hosting.VolumeNotFound, hosting.NotFound, "volume %s does not exist", id)
}

func TestAConfigurationIsCheckedByItself(t *testing.T) {
	t.Parallel()
	type config = hosting.CloudHostingConfig
	const pass, warning, fail = hosting.CheckPass, hosting.CheckWarning, hosting.CheckFail
	image := func(image string) func(*config) { return func(c *config) { c.Container.Image = image } }
	env := func(name, value string) func(*config) {
		return func(c *config) { c.Container.Env = map[string]string{name: value} }
	}
	mount := func(instanceType, volume string, readOnly bool, scaling *hosting.ScaleConfig) func(*config) {
		return func(c *config) {
			c.InstanceType, c.Scaling = instanceType, scaling
			c.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: "default.volume.rwx", MountPath: "/first"}, {VolumeID: "default.volume." + volume, MountPath: "/data", ReadOnly: readOnly}}
		}
	}
	job := func(c *config) { c.InstanceType = hosting.TypeJob }
	for what, c := range map[string]struct {
		change       func(*config)
		name, status string
		message      string
		required     bool
	}{
		"valid":                        {func(*config) {}, "configuration", pass, "is valid", true},
		"invalid":                      {func(c *config) { c.InstanceName = "Web" }, "configuration", fail, `instanceName "Web"`, true},
		"a tag":                        {image("web:1.2"), "image", pass, "1.2", false},
		"a digest":                     {image("web:1@sha256:" + hash), "image", pass, "pinned", false},
		"latest and digest":            {image("web:latest@sha256:" + hash), "image", pass, "pinned", false},
		"latest":                       {image("example.com:5000/web:latest"), "image", warning, "latest", false},
		"no tag":                       {image("example.com:5000/web"), "image", warning, "no tag", false},
		"ports":                        {func(*config) {}, "ports", pass, "8080", false},
		"no port":                      {func(c *config) { c.Container.Ports, c.Container.HealthCheck = nil, nil }, "ports", warning, "nothing can call", false},
		"a job without a port":         {func(c *config) { job(c); c.Container.Ports = nil }, "ports", pass, "needs no port", false},
		"a port where nothing listens": {func(c *config) { c.Network = &hosting.NetworkConfig{Ports: []int{9090, 8080}} }, "ports", warning, "network.ports has 9090", false},
		"only network ports":           {func(c *config) { c.Container.Ports, c.Network = nil, &hosting.NetworkConfig{Ports: []int{9090}} }, "ports", pass, "9090", false},
		"a health check":               {func(*config) {}, "healthCheck", pass, "ready", false},
		"no health check":              {func(c *config) { c.Container.HealthCheck = nil }, "healthCheck", warning, "as soon as it runs", false},
		"a job's":                      {func(c *config) { job(c); c.Container.HealthCheck = nil }, "healthCheck", pass, "needs no health check", false},
		"another port":                 {func(c *config) { c.Container.HealthCheck.HTTP.Port = 81 }, "healthCheck", warning, "port 81", false},
		"limits":                       {func(*config) {}, "resources", pass, "have limits", true},
		"no resources":                 {func(c *config) { c.Resources = nil }, "resources", warning, "resources.cpuLimit and resources.memoryLimit not set", true},
		"no memory limit":              {func(c *config) { c.Resources.MemoryLimit = 0 }, "resources", warning, "resources.memoryLimit not set", true},
		"a request too high":           {func(c *config) { c.Resources.MemoryRequest = 256 << 20 }, "resources", fail, "above its limit", true},

		"nothing kept":              {func(*config) {}, "state", pass, "keeps nothing", true},
		"stateful without a volume": {func(c *config) { c.InstanceType = hosting.TypeStatefulSet }, "state", warning, "lost with each replica", true},
		"one replica":               {mount("deployment", "rwo", false, nil), "state", pass, "2 volumes", true},
		"several share":             {mount("deployment", "rwx", false, &hosting.ScaleConfig{MinReplicas: 3}), "state", pass, "2 volumes", true},
		"several cannot":            {mount("statefulset", "rwo", false, &hosting.ScaleConfig{MinReplicas: 3}), "state", fail, "3 replicas cannot share it", true},
		"pods cannot":               {mount("deployment", "rwop", false, &hosting.ScaleConfig{MinReplicas: 2}), "state", fail, "2 replicas", true},
		"an autoscaler cannot":      {mount("deployment", "rwo", false, &hosting.ScaleConfig{TargetCPUUtilization: 50, MaxReplicas: 3}), "state", fail, "autoscaler", true},
		"a daemonset cannot":        {mount("daemonset", "rwo", false, nil), "state", fail, "each node", true},
		"written":                   {mount("deployment", "rox", false, nil), "state", fail, "to be written", true},
		"read":                      {mount("deployment", "rox", true, nil), "state", pass, "2 volumes", true},
		"no such volume":            {mount("deployment", "none", false, nil), "state", fail, "default.volume.none does not exist", true},
		"an unknown volume":         {mount("deployment", "dark", false, nil), "state", warning, "not known", true},

		"no secret":         {env("MODE", "fast"), "secrets", pass, "", false},
		"a password":        {env("DB_PASSWORD", "x"), "secrets", warning, "container.env[DB_PASSWORD]", false},
		"a token":           {func(c *config) { c.Env = map[string]string{"githubToken": "x"} }, "secrets", warning, "env[githubToken]", false},
		"a key":             {env("AWS_SECRET_ACCESS_KEY", "x"), "secrets", warning, "AWS_SECRET_ACCESS_KEY", false},
		"a second key":      {env("API_KEY_2", "x"), "secrets", warning, "API_KEY_2", false},
		"a public key":      {env("PUBLIC_KEY", "x"), "secrets", pass, "", false},
		"a file":            {env("DB_PASSWORD_FILE", "/run/secret"), "secrets", pass, "", false},
		"a number":          {env("MAX_TOKENS", "4096"), "secrets", pass, "", false},
		"a folder":          {env("PWD", "/"), "secrets", pass, "", false},
		"an empty password": {env("PASSWORD", ""), "secrets", pass, "", false},
	} {
		tested := sound()
		c.change(&tested)
		var found []provider.Finding
		for _, f := range provider.CheckConfig(tested, volumes) {
			if f.Name == c.name {
				found = append(found, f)
			}
		}
		require.Len(t, found, 1, what)
		f := found[0]
		assert.Equal(t, c.status, f.Status, "%s: %s", what, f.Message)
		assert.Contains(t, f.Message, c.message, what)
		assert.Equal(t, c.required, f.Required, what)
		assert.Equal(t, c.status == pass, f.Suggestion == "", "%s: a suggestion says what to do: %q", what, f.Suggestion)
		assert.NotContains(t, f.Message+f.Suggestion, `"x"`, what)
	}
	all := provider.CheckConfig(sound(), volumes)
	require.Len(t, all, 7)
	for _, f := range all {
		assert.Equal(t, pass, f.Status, f)
	}
	assert.Len(t, provider.CheckConfig(hosting.CloudHostingConfig{}, volumes), 1, "without a container there is nothing else to look at")
}

const hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestTheScoreFollowsFromTheChecks(t *testing.T) {
	t.Parallel()
	check := func(status string, required bool) hosting.CompatibilityCheck {
		return hosting.CompatibilityCheck{Status: status, Required: required}
	}
	const pass, warning, fail = hosting.CheckPass, hosting.CheckWarning, hosting.CheckFail
	for _, c := range []struct {
		score  int
		checks []hosting.CompatibilityCheck
	}{
		{0, nil},
		{100, []hosting.CompatibilityCheck{check(pass, true), check(pass, false)}},
		{87, []hosting.CompatibilityCheck{check(pass, true), check(warning, false)}},                // 3.5 of 4
		{75, []hosting.CompatibilityCheck{check(pass, true), check(fail, false)}},                   // 3 of 4
		{62, []hosting.CompatibilityCheck{check(warning, true), check(pass, false)}},                // 2.5 of 4
		{25, []hosting.CompatibilityCheck{check(fail, true), check(pass, false)}},                   // 1 of 4
		{49, []hosting.CompatibilityCheck{check(fail, true), check(pass, true), check(pass, true)}}, // 6 of 9, but required
		{0, []hosting.CompatibilityCheck{check("odd", false)}},                                      // what is not known counts as failed
	} {
		assert.Equal(t, c.score, provider.Score(c.checks), "%+v", c.checks)
	}
}
