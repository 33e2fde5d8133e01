package hosting_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

func validConfig() hosting.CloudHostingConfig {
	return hosting.CloudHostingConfig{
		InstanceName: "web",
		InstanceType: hosting.TypeDeployment,
		Container:    &hosting.ContainerConfig{Image: "nginx:1.29"},
	}
}

func fullConfig() hosting.CloudHostingConfig {
	grace, ingress := hosting.Duration(30*time.Second), true
	return hosting.CloudHostingConfig{
		InstanceName: "a" + strings.Repeat("-b", 24) + "c",
		Region:       "us-west-1",
		InstanceType: hosting.TypeCronJob,
		Container: &hosting.ContainerConfig{
			Image:        "registry.example.com:5000/team/skill:v1@sha256:" + strings.Repeat("0a", 32),
			Ports:        []int{1, 65535},
			Commands:     []string{"/bin/skill"},
			Args:         []string{"--verbose", ""},
			Env:          map[string]string{"A": "1"},
			VolumeMounts: []hosting.VolumeMount{{VolumeID: "us-west-1.volume.data", MountPath: "/data", ReadOnly: true, SubPath: "a/b"}},
			HealthCheck: &hosting.HealthCheck{
				HTTP: &hosting.HTTPCheck{Path: "/healthz", Port: 80}, InitialDelay: hosting.Duration(time.Second),
				Period: hosting.Duration(time.Minute), Timeout: hosting.Duration(time.Second), FailureThreshold: 3, SuccessThreshold: 1,
			},
			ImagePullSecret:        "registry.credentials",
			TerminationGracePeriod: &grace,
		},
		Resources: &hosting.ResourceConfig{CPULimit: 1.5, CPURequest: 1.5, MemoryLimit: 1 << 30, MemoryRequest: 1, StorageLimit: 1 << 60},
		Network:   &hosting.NetworkConfig{ServiceType: hosting.ServiceNodePort, Ports: []int{80}, IngressEnabled: &ingress, IngressHost: "web.example.com", IngressPath: "/api/"},
		Scaling:   &hosting.ScaleConfig{MinReplicas: 1, MaxReplicas: 100_000, TargetCPUUtilization: 1000, TargetMemoryUtilization: 70},
		Labels:    map[string]string{"team": "a", "example.com/tier": "", "managed-by.example.com/x": "1"},
		Annotations: map[string]string{
			"app": "any text\n at all", "example.com/note": strings.Repeat("x", 1000),
		},
		Env:       map[string]string{"A": "0", "with-dash.and.dot": "x"},
		SkillID:   "any text",
		Version:   "v1.2.3+build",
		Provider:  "kubernetes",
		Schedule:  "*/5 8-18 * * mon-fri",
		SecretEnv: hosting.SecretMap{"TOKEN": "hunter2"},
	}
}

func TestValidConfigsPass(t *testing.T) {
	t.Parallel()
	assert.NoError(t, validConfig().Validate())
	assert.NoError(t, fullConfig().Validate())
}

func TestConfigRules(t *testing.T) {
	t.Parallel()
	type config = hosting.CloudHostingConfig
	duration := func(d time.Duration) *hosting.Duration { return (*hosting.Duration)(&d) }
	for name, test := range map[string]struct {
		change func(*config)
		want   string // the whole message, or its beginning
	}{
		"no name":                  {func(c *config) { c.InstanceName = "" }, `instanceName "": allowed: a lower-case letter, then letters, digits and '-', not ending in '-', at most 50 characters`},
		"upper-case name":          {func(c *config) { c.InstanceName = "Web" }, `instanceName "Web": allowed: a lower-case letter`},
		"name begins with a digit": {func(c *config) { c.InstanceName = "1web" }, `instanceName "1web": allowed: a lower-case letter`},
		"name with 51 characters":  {func(c *config) { c.InstanceName = strings.Repeat("a", 51) }, `instanceName "aaa`},
		"region with a dot":        {func(c *config) { c.Region = "a.b" }, `region "a.b": allowed: lower-case letters, digits and '-' inside`},
		"provider":                 {func(c *config) { c.Provider = "A" }, `provider "A": allowed: lower-case letters`},
		"no type":                  {func(c *config) { c.InstanceType = "" }, `instanceType "": allowed: a lower-case letter`},
		"type with a dash":         {func(c *config) { c.InstanceType = "cron-job" }, `instanceType "cron-job": allowed: a lower-case letter, then letters and digits`},
		"no container":             {func(c *config) { c.Container = nil }, `container "null": allowed: a container with an image`},
		"no image":                 {func(c *config) { c.Container.Image = "" }, `container.image "": allowed: an image reference, such as "nginx:1.29"`},
		"port 0":                   {func(c *config) { c.Container.Ports = []int{80, 0} }, `container.ports[1] 0: allowed: 1 to 65535`},
		"port 65536":               {func(c *config) { c.Container.Ports = []int{65536} }, `container.ports[0] 65536: allowed: 1 to 65535`},
		"a port twice":             {func(c *config) { c.Container.Ports = []int{80, 81, 80} }, `container.ports[2] 80: allowed: each port once`},
		"101 ports":                {func(c *config) { c.Container.Ports = ports(101) }, `container.ports 101: allowed: at most 100 ports`},
		"variable with =":          {func(c *config) { c.Env = map[string]string{"A=B": ""} }, `env[A=B] "A=B": allowed: printable ASCII without '=' and spaces`},
		"variable without a name":  {func(c *config) { c.Env = map[string]string{"": ""} }, `env[] "": allowed: printable ASCII`},
		"variable with a space":    {func(c *config) { c.Container.Env = map[string]string{"A B": ""} }, `container.env[A B] "A B": allowed: printable ASCII`},
		"variable with NUL":        {func(c *config) { c.Env = map[string]string{"A": "x\x00"} }, `env[A] "(hidden)": allowed: UTF-8 text without NUL`},
		"secret with NUL":          {func(c *config) { c.SecretEnv = hosting.SecretMap{"A": "hunter2\x00"} }, `secretEnv[A] "(hidden)": allowed: UTF-8 text without NUL`},
		"secret's name":            {func(c *config) { c.SecretEnv = hosting.SecretMap{"A/B": "x"} }, `secretEnv[A/B] "A/B": allowed: letters, digits, '-', '_' and '.', at most 253`},
		"secrets too large":        {func(c *config) { c.SecretEnv = hosting.SecretMap{"A": strings.Repeat("x", 1<<18)} }, `secretEnv "262145 bytes": allowed: at most 256 KiB in all`},
		"volume's id": {func(c *config) {
			c.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: "r.job.x", MountPath: "/a"}}
		}, `container.volumeMounts[0].volumeId "r.job.x": allowed: a volume id, <region>.volume.<name>`},
		"relative mount path":  {mount("data", ""), `container.volumeMounts[0].mountPath "data": allowed: a clean absolute path other than /, without ':'`},
		"mount path /":         {mount("/", ""), `container.volumeMounts[0].mountPath "/": allowed: a clean absolute path`},
		"mount path //":        {mount("//", ""), `container.volumeMounts[0].mountPath "//": allowed: a clean absolute path`},
		"mount path with ..":   {mount("/a/../b", ""), `container.volumeMounts[0].mountPath "/a/../b": allowed`},
		"mount path with :":    {mount("/a:b", ""), `container.volumeMounts[0].mountPath "/a:b": allowed`},
		"absolute sub path":    {mount("/a", "/b"), `container.volumeMounts[0].subPath "/b": allowed: a clean relative path inside the volume`},
		"sub path that leaves": {mount("/a", "../b"), `container.volumeMounts[0].subPath "../b": allowed: a clean relative path`},
		"sub path .":           {mount("/a", "."), `container.volumeMounts[0].subPath ".": allowed: a clean relative path`},
		"a mount path twice": {func(c *config) {
			mount("/a", "")(c)
			c.Container.VolumeMounts = append(c.Container.VolumeMounts, c.Container.VolumeMounts[0])
		}, `container.volumeMounts[1].mountPath "/a": allowed: each path once`},
		"health check without a kind": {check(hosting.HealthCheck{}), `container.healthCheck "with 0 kinds": allowed: exactly one of http, tcp and command`},
		"health check with two kinds": {check(hosting.HealthCheck{TCP: &hosting.TCPCheck{Port: 1}, Command: []string{"x"}}), `container.healthCheck "with 2 kinds": allowed: exactly one`},
		"health check's HTTP path":    {check(hosting.HealthCheck{HTTP: &hosting.HTTPCheck{Path: "x", Port: 1}}), `container.healthCheck.http.path "x": allowed: a path that begins with "/"`},
		"health check's HTTP port":    {check(hosting.HealthCheck{HTTP: &hosting.HTTPCheck{Path: "/"}}), `container.healthCheck.http.port 0: allowed: 1 to 65535`},
		"health check's TCP port":     {check(hosting.HealthCheck{TCP: &hosting.TCPCheck{Port: -1}}), `container.healthCheck.tcp.port -1: allowed: 1 to 65535`},
		"fraction of a second":        {check(hosting.HealthCheck{Command: []string{"x"}, Period: hosting.Duration(1500 * time.Millisecond)}), `container.healthCheck.period 1.5s: allowed: whole seconds, 0 to 24h`},
		"negative delay":              {check(hosting.HealthCheck{Command: []string{"x"}, InitialDelay: -hosting.Duration(time.Second)}), `container.healthCheck.initialDelay -1s: allowed: whole seconds`},
		"timeout of days":             {check(hosting.HealthCheck{Command: []string{"x"}, Timeout: hosting.Duration(25 * time.Hour)}), `container.healthCheck.timeout 25h0m0s: allowed: whole seconds`},
		"negative threshold":          {check(hosting.HealthCheck{Command: []string{"x"}, FailureThreshold: -1}), `container.healthCheck.failureThreshold -1: allowed: 0 to 100000`},
		"huge threshold":              {check(hosting.HealthCheck{Command: []string{"x"}, SuccessThreshold: 1 << 40}), `container.healthCheck.successThreshold 1099511627776: allowed: 0 to 100000`},
		"pull secret":                 {func(c *config) { c.Container.ImagePullSecret = "a_b" }, `container.imagePullSecret "a_b": allowed: the name of a secret: DNS labels joined by dots`},
		"grace period":                {func(c *config) { c.Container.TerminationGracePeriod = duration(-time.Second) }, `container.terminationGracePeriod -1s: allowed: whole seconds, 0 to 24h`},
		"pre-stop of nothing":         {func(c *config) { c.Container.PreStop = &hosting.PreStop{} }, `container.preStop "delay 0s and a command of 0 words": allowed: either a delay or a command`},
		"pre-stop of both": {func(c *config) {
			c.Container.PreStop = &hosting.PreStop{Delay: hosting.Duration(time.Second), Command: []string{"x"}}
		}, `container.preStop "delay 1s and a command of 1 words": allowed: either`},
		"pre-stop delay":                  {func(c *config) { c.Container.PreStop = &hosting.PreStop{Delay: hosting.Duration(time.Millisecond)} }, `container.preStop.delay 1ms: allowed: whole seconds, 0 to 24h`},
		"pre-stop without a program":      {func(c *config) { c.Container.PreStop = &hosting.PreStop{Command: []string{""}} }, `container.preStop.command[0] "": allowed: the name or path of a program`},
		"negative CPU":                    {resources(hosting.ResourceConfig{CPULimit: -1}), `resources.cpuLimit -1: allowed: cores, 0.001 to 1000000, or 0 for the default`},
		"less than a thousandth":          {resources(hosting.ResourceConfig{CPURequest: 0.0001}), `resources.cpuRequest 0.0001: allowed: cores, 0.001`},
		"CPU that is not a number":        {resources(hosting.ResourceConfig{CPURequest: math.NaN()}), `resources.cpuRequest NaN: allowed: cores`},
		"endless CPU":                     {resources(hosting.ResourceConfig{CPULimit: math.Inf(1)}), `resources.cpuLimit +Inf: allowed: cores`},
		"CPU request above the limit":     {resources(hosting.ResourceConfig{CPULimit: 1, CPURequest: 2}), `resources.cpuRequest 2: allowed: at most cpuLimit, 1`},
		"negative memory":                 {resources(hosting.ResourceConfig{MemoryLimit: -1}), `resources.memoryLimit -1: allowed: bytes, 0 to 2^60`},
		"memory request above limit":      {resources(hosting.ResourceConfig{MemoryLimit: 1, MemoryRequest: 2}), `resources.memoryRequest 2: allowed: at most memoryLimit, 1`},
		"huge storage":                    {resources(hosting.ResourceConfig{StorageLimit: 1<<60 + 1}), `resources.storageLimit 1152921504606846977: allowed: bytes, 0 to 2^60`},
		"service type":                    {network(hosting.NetworkConfig{ServiceType: "clusterip"}), `network.serviceType "clusterip": allowed: ClusterIP, NodePort, LoadBalancer`},
		"network port":                    {network(hosting.NetworkConfig{Ports: []int{0}}), `network.ports[0] 0: allowed: 1 to 65535`},
		"ingress host":                    {network(hosting.NetworkConfig{IngressHost: "Example.com"}), `network.ingressHost "Example.com": allowed: a DNS name in lower case`},
		"ingress host that is an address": {network(hosting.NetworkConfig{IngressHost: "10.0.0.1"}), `network.ingressHost "10.0.0.1": allowed: a DNS name in lower case, not an IP address`},
		"ingress path with a query":       {network(hosting.NetworkConfig{IngressPath: "/a?b"}), `network.ingressPath "/a?b": allowed: a path`},
		"ingress path with a fragment":    {network(hosting.NetworkConfig{IngressPath: "/a#b"}), `network.ingressPath "/a#b": allowed: a path`},
		"ingress path with a space":       {network(hosting.NetworkConfig{IngressPath: "/a b"}), `network.ingressPath "/a b": allowed: a path`},
		"ingress path with a bad escape":  {network(hosting.NetworkConfig{IngressPath: "/a%2"}), `network.ingressPath "/a%2": allowed: a path`},
		"ingress path with a hidden /":    {network(hosting.NetworkConfig{IngressPath: "/a%2fb"}), `network.ingressPath "/a%2fb": allowed: a path`},
		"ingress path that is not ASCII":  {network(hosting.NetworkConfig{IngressPath: "/ä"}), `network.ingressPath "/ä": allowed: a path`},
		"empty command":                   {func(c *config) { c.Container.Commands = []string{"", "x"} }, `container.commands[0] "": allowed: the name or path of a program`},
		"health check's empty command":    {check(hosting.HealthCheck{Command: []string{""}}), `container.healthCheck.command[0] "": allowed: the name or path of a program`},
		"mount path with a line break":    {mount("/a\nb", ""), `container.volumeMounts[0].mountPath "/a\nb": allowed: a clean absolute path`},
		"sub path with a line break":      {mount("/a", "b\nc"), `container.volumeMounts[0].subPath "b\nc": allowed: a clean relative path`},
		"variables too large":             {func(c *config) { c.Env = map[string]string{"A": strings.Repeat("x", 1<<18)} }, `env "262145 bytes": allowed: at most 256 KiB together with container.args, container.commands, container.env, labels`},
		"all too large together": {func(c *config) {
			half := strings.Repeat("x", 1<<17)
			c.Env, c.Container.Env = map[string]string{"A": half}, map[string]string{"AB": half}
		}, `container.env "131074 bytes": allowed: at most 256 KiB together with container.args, container.commands, env, labels`},
		"arguments too large": {func(c *config) { c.Container.Args = []string{strings.Repeat("x", 1<<18), "x"} }, `container.args "262145 bytes": allowed: at most 256 KiB together`},
		"commands too large":  {func(c *config) { c.Container.Commands = []string{strings.Repeat("x", 1<<18+1)} }, `container.commands "262145 bytes": allowed: at most 256 KiB together`},
		"check too large":     {check(hosting.HealthCheck{Command: []string{strings.Repeat("x", 1<<18+1)}}), `container.healthCheck.command "262145 bytes": allowed: at most 256 KiB together`},
		"labels too large": {func(c *config) {
			c.Labels = map[string]string{}
			for i := range 3000 {
				c.Labels[fmt.Sprintf("%s%05d", strings.Repeat("a", 58), i)] = strings.Repeat("x", 63)
			}
		}, `labels "378000 bytes": allowed: at most 256 KiB together`},
		"ingress host with a wildcard": {network(hosting.NetworkConfig{IngressHost: "*.example.com"}), `network.ingressHost "*.example.com": allowed: a DNS name`},
		"relative ingress path":        {network(hosting.NetworkConfig{IngressPath: "api"}), `network.ingressPath "api": allowed: a path that begins with "/", of the characters of a URL's path, without "//", "%2F", "." and ".." parts`},
		"ingress path //":              {network(hosting.NetworkConfig{IngressPath: "//"}), `network.ingressPath "//": allowed: a path`},
		"ingress path with //":         {network(hosting.NetworkConfig{IngressPath: "/a//b"}), `network.ingressPath "/a//b": allowed: a path`},
		"ingress path with ..":         {network(hosting.NetworkConfig{IngressPath: "/a/../b"}), `network.ingressPath "/a/../b": allowed: a path`},
		"negative replicas":            {scaling(hosting.ScaleConfig{MinReplicas: -1}), `scaling.minReplicas -1: allowed: 0 to 100000`},
		"too many replicas":            {scaling(hosting.ScaleConfig{MaxReplicas: 100_001}), `scaling.maxReplicas 100001: allowed: 0 to 100000`},
		"minimum above the maximum":    {scaling(hosting.ScaleConfig{MinReplicas: 3, MaxReplicas: 2}), `scaling.minReplicas 3: allowed: at most maxReplicas, 2`},
		"CPU target":                   {scaling(hosting.ScaleConfig{TargetCPUUtilization: 1001}), `scaling.targetCPUUtilization 1001: allowed: percent of the request, 1 to 1000, or 0 for none`},
		"memory target":                {scaling(hosting.ScaleConfig{TargetMemoryUtilization: -1}), `scaling.targetMemoryUtilization -1: allowed: percent`},
		"label app":                    {label("app", "x"), `labels[app] "app": allowed: any but "app", "managed-by" and "skillcenter.io/*"`},
		"label managed-by":             {label("managed-by", "x"), `labels[managed-by] "managed-by": allowed: any but`},
		"label of ours":                {label("skillcenter.io/x", "x"), `labels[skillcenter.io/x] "skillcenter.io/x": allowed: any but`},
		"label below ours":             {label("a.skillcenter.io/x", "x"), `labels[a.skillcenter.io/x] "a.skillcenter.io/x": allowed: any but`},
		"label's name":                 {label("a b", "x"), `labels[a b] "a b": allowed: a name of at most 63 letters`},
		"label's prefix":               {label("A/b", "x"), `labels[A/b] "A/b": allowed: a name of at most 63 letters`},
		"label with an empty prefix":   {label("/b", "x"), `labels[/b] "/b": allowed: a name of at most 63 letters`},
		"label with two slashes":       {label("a/b/c", "x"), `labels[a/b/c] "a/b/c": allowed: a name of at most 63 letters`},
		"label's value":                {label("a", "x y"), `labels[a] "x y": allowed: at most 63 letters, digits, '-', '_' and '.', a letter or digit at both ends`},
		"long label value":             {label("a", strings.Repeat("x", 64)), `labels[a] "xxx`},
		"annotation of ours":           {func(c *config) { c.Annotations = map[string]string{"skillcenter.io/version": ""} }, `annotations[skillcenter.io/version] "skillcenter.io/version": allowed: any but "skillcenter.io/*"`},
		"annotation's name":            {func(c *config) { c.Annotations = map[string]string{"": ""} }, `annotations[] "": allowed: a name of at most 63 letters`},
		"annotations too large":        {func(c *config) { c.Annotations = map[string]string{"a": strings.Repeat("x", 1<<18)} }, `annotations "262145 bytes": allowed: at most 256 KiB in all`},
		"long skill id":                {func(c *config) { c.SkillID = strings.Repeat("x", 1025) }, `skillId "xxx`},
		"long version":                 {func(c *config) { c.Version = strings.Repeat("x", 1025) }, `version "xxx`},
		"schedule of a deployment":     {func(c *config) { c.Schedule = "@daily" }, `schedule "@daily": allowed: empty, except for a cronjob`},
		"cronjob without schedule":     {func(c *config) { c.InstanceType = "cronjob" }, `schedule "": allowed: a cron expression, such as "*/5 * * * *": a cronjob needs one`},
		"schedule that never comes":    {func(c *config) { c.InstanceType, c.Schedule = "cronjob", "0 0 31 2 *" }, `schedule "0 0 31 2 *": allowed: a cron expression that names a date there is`},
		"schedule":                     {func(c *config) { c.InstanceType, c.Schedule = "cronjob", "61 * * * *" }, `schedule "61 * * * *": allowed: a cron expression: minute "61": want 0 to 59`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := validConfig()
			test.change(&config)
			err := config.Validate()
			require.Error(t, err)
			var fields hosting.FieldErrors
			require.ErrorAs(t, err, &fields)
			assert.Lenf(t, fields, 1, "%v", err)
			assert.Truef(t, strings.HasPrefix(err.Error(), test.want), "%s\nwant %s", err, test.want)
			assert.Less(t, len(err.Error()), 400, "an error stays readable, whatever the value")
		})
	}
}

// JSON would replace what is not UTF-8: two secrets that differ would be equal.
func TestTextThatJSONOrThePlatformWouldChangeIsRefused(t *testing.T) {
	t.Parallel()
	type config = hosting.CloudHostingConfig
	for field, set := range map[string]func(*config, string){
		"instanceName":                        func(c *config, s string) { c.InstanceName = s },
		"region":                              func(c *config, s string) { c.Region = s },
		"provider":                            func(c *config, s string) { c.Provider = s },
		"instanceType":                        func(c *config, s string) { c.InstanceType = s },
		"env[A]":                              func(c *config, s string) { c.Env = map[string]string{"A": s} },
		"container.env[A]":                    func(c *config, s string) { c.Container.Env = map[string]string{"A": s} },
		"secretEnv[A]":                        func(c *config, s string) { c.SecretEnv = hosting.SecretMap{"A": s} },
		"annotations[a]":                      func(c *config, s string) { c.Annotations = map[string]string{"a": s} },
		"labels[a]":                           func(c *config, s string) { c.Labels = map[string]string{"a": s} },
		"container.image":                     func(c *config, s string) { c.Container.Image = s },
		"container.imagePullSecret":           func(c *config, s string) { c.Container.ImagePullSecret = s },
		"container.commands[0]":               func(c *config, s string) { c.Container.Commands = []string{s} },
		"container.args[1]":                   func(c *config, s string) { c.Container.Args = []string{"", s} },
		"container.volumeMounts[0].mountPath": func(c *config, s string) { mount("/"+s, "")(c) },
		"container.volumeMounts[0].subPath":   func(c *config, s string) { mount("/a", s)(c) },
		"container.healthCheck.command[0]":    func(c *config, s string) { check(hosting.HealthCheck{Command: []string{s}})(c) },
		"container.healthCheck.http.path": func(c *config, s string) {
			check(hosting.HealthCheck{HTTP: &hosting.HTTPCheck{Path: "/" + s, Port: 1}})(c)
		},
		"network.ingressHost":  func(c *config, s string) { network(hosting.NetworkConfig{IngressHost: s})(c) },
		"network.ingressPath":  func(c *config, s string) { network(hosting.NetworkConfig{IngressPath: "/" + s})(c) },
		"skillId":              func(c *config, s string) { c.SkillID = s },
		"version":              func(c *config, s string) { c.Version = s },
		"schedule":             func(c *config, s string) { c.InstanceType, c.Schedule = "cronjob", s },
		`env["A\xff"]`:         func(c *config, _ string) { c.Env = map[string]string{"A\xff": ""} },
		`labels["A\xff"]`:      func(c *config, _ string) { c.Labels = map[string]string{"A\xff": ""} },
		`annotations["A\x00"]`: func(c *config, _ string) { c.Annotations = map[string]string{"A\x00": ""} },
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			for _, text := range []string{"hunter\xff", "\xc3", "hunter\x00", "\xed\xa0\x80"} {
				config := validConfig()
				set(&config, text)
				var fields hosting.FieldErrors
				require.ErrorAs(t, config.Validate(), &fields, "%q", text)
				require.Len(t, fields, 1)
				assert.Equal(t, field, fields[0].Field)
				if strings.Contains(strings.ToLower(field), "env[") {
					assert.NotContains(t, fields.Error(), "hunter", "a value of a variable may be a secret")
				}
			}
		})
	}
	foreign := validConfig()
	foreign.Container.Args, foreign.Env, foreign.SkillID = []string{"日本語\n\t"}, map[string]string{"A": "\uFFFD ü\r\n"}, "Fähigkeit"
	assert.NoError(t, foreign.Validate(), "text of any language is allowed")
}

func ports(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i + 1
	}
	return all
}

func mount(mountPath, subPath string) func(*hosting.CloudHostingConfig) {
	return func(c *hosting.CloudHostingConfig) {
		c.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: "default.volume.data", MountPath: mountPath, SubPath: subPath}}
	}
}

func check(check hosting.HealthCheck) func(*hosting.CloudHostingConfig) {
	return func(c *hosting.CloudHostingConfig) { c.Container.HealthCheck = &check }
}

func resources(resources hosting.ResourceConfig) func(*hosting.CloudHostingConfig) {
	return func(c *hosting.CloudHostingConfig) { c.Resources = &resources }
}

func network(network hosting.NetworkConfig) func(*hosting.CloudHostingConfig) {
	return func(c *hosting.CloudHostingConfig) { c.Network = &network }
}

func scaling(scaling hosting.ScaleConfig) func(*hosting.CloudHostingConfig) {
	return func(c *hosting.CloudHostingConfig) { c.Scaling = &scaling }
}

func label(name, value string) func(*hosting.CloudHostingConfig) {
	return func(c *hosting.CloudHostingConfig) { c.Labels = map[string]string{name: value} }
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	config := hosting.CloudHostingConfig{
		InstanceName: "Web", InstanceType: "job", Region: "a.b",
		Container: &hosting.ContainerConfig{Ports: []int{0, 0}},
		Labels:    map[string]string{"b": " ", "app": "x", "a": " "},
		Schedule:  "@daily",
	}
	var fields hosting.FieldErrors
	require.ErrorAs(t, config.Validate(), &fields)
	var paths []string
	for _, field := range fields {
		paths = append(paths, field.Field)
	}
	assert.Equal(t, []string{
		"instanceName", "region", "container.image", "container.ports[0]", "container.ports[1]", "container.ports[1]",
		"labels[a]", "labels[app]", "labels[b]", "schedule",
	}, paths, "in a fixed order")
}

func TestErrorsNeverHoldTheValuesOfSecrets(t *testing.T) {
	t.Parallel()
	config := validConfig()
	config.SecretEnv = hosting.SecretMap{"": "hunter2", "A=B": "hunter2", "NUL": "hunter2\x00", "BIG": "hunter2" + strings.Repeat("x", 1<<18)}
	err := config.Validate()
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
	var fields hosting.FieldErrors
	require.ErrorAs(t, err, &fields)
	for _, field := range fields {
		assert.NotContains(t, field.Value, "hunter2")
	}
	provider := hosting.Errorf("fake", hosting.CreateFailed, hosting.InvalidArgument, "%w", err)
	assert.NotContains(t, provider.Error(), "hunter2")
}

func TestLongNamesOfMapKeysAreCutInErrors(t *testing.T) {
	t.Parallel()
	config := validConfig()
	config.Env = map[string]string{strings.Repeat("x", 10_000) + "\n": "", "two\nlines": ""}
	err := config.Validate()
	require.Error(t, err)
	assert.Less(t, len(err.Error()), 1000)
	assert.NotContains(t, err.Error(), "\n")
}

func TestImageReferences(t *testing.T) {
	t.Parallel()
	digest := "@sha256:" + strings.Repeat("0a", 32)
	for _, image := range []string{
		"nginx", "nginx:1.29", "library/nginx", "localhost:5000/a/b:v1", "registry.example.com/team/skill" + digest, "a_b/c__d/e-f---g:V_1.0-x",
		"[::1]:5000/a", "a@sha512:" + strings.Repeat("0a", 64), "nginx:1" + digest, "a.b/c", "x:" + strings.Repeat("1", 128), "Registry.Example.com/a",
	} {
		config := validConfig()
		config.Container.Image = image
		assert.NoError(t, config.Validate(), image)
	}
	for _, image := range []string{
		" ", "nginx ", "Nginx", "nginx:", "nginx:-1", "nginx@", "nginx@sha256:abc", "nginx@sha256:" + strings.Repeat("0A", 32), "nginx" + digest + "0a",
		"nginx@md5:" + strings.Repeat("0a", 32), "/nginx", "nginx/", "a//b", "https://a/b", "a___b", "a..b", "-a/b", "a:b:c", "x:" + strings.Repeat("1", 129),
		strings.Repeat("a", 256), "nginx:1.29\n", "a/../b",
	} {
		config := validConfig()
		config.Container.Image = image
		assert.ErrorContains(t, config.Validate(), "container.image", "%q", image)
	}
}

func TestResourcesAreValidatedAlone(t *testing.T) {
	t.Parallel()
	assert.NoError(t, hosting.ResourceConfig{}.Validate())
	assert.EqualError(t, hosting.ResourceConfig{CPULimit: -1, MemoryLimit: -2}.Validate(),
		"resources.cpuLimit -1: allowed: cores, 0.001 to 1000000, or 0 for the default; resources.memoryLimit -2: allowed: bytes, 0 to 2^60")
}

func TestReplicas(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 100_000} {
		assert.NoError(t, hosting.ValidateReplicas(n))
	}
	for _, n := range []int{-1, 100_001, math.MaxInt} {
		assert.ErrorContains(t, hosting.ValidateReplicas(n), "allowed: 0 to 100000")
	}
}

func TestMountPaths(t *testing.T) {
	t.Parallel()
	assert.NoError(t, hosting.ValidateMountPath("/data"))
	assert.EqualError(t, hosting.ValidateMountPath("/"), `mountPath "/": allowed: a clean absolute path other than /, without ':' and control characters`)
	for _, mountPath := range []string{"/a\nb", "/a\x00", "/a\xff", "/a\u2028b", "/a\x7f"} {
		assert.ErrorContains(t, hosting.ValidateMountPath(mountPath), "and control characters", "%q", mountPath)
	}
}

func TestLogQueryOptionsRules(t *testing.T) {
	t.Parallel()
	at := hosting.TimeFromMillis
	for name, test := range map[string]struct {
		options hosting.LogQueryOptions
		want    string
	}{
		"the zero value":     {hosting.LogQueryOptions{}, ""},
		"everything":         {hosting.LogQueryOptions{Limit: 100_000, StartTime: at(5), EndTime: at(5), Level: "warn", Pattern: "a|b", Follow: true, After: "x"}, ""},
		"an open end":        {hosting.LogQueryOptions{StartTime: at(5)}, ""},
		"negative limit":     {hosting.LogQueryOptions{Limit: -1}, "limit -1: allowed: 0 to 100000"},
		"huge limit":         {hosting.LogQueryOptions{Limit: 100_001}, "limit 100001: allowed: 0 to 100000"},
		"end before start":   {hosting.LogQueryOptions{StartTime: at(2), EndTime: at(1)}, "endTime 1970-01-01T00:00:00.001Z: allowed: not before startTime, 1970-01-01T00:00:00.002Z"},
		"unknown level":      {hosting.LogQueryOptions{Level: "WARN"}, `level "WARN": allowed: trace, debug, info, warn, error, fatal`},
		"broken pattern":     {hosting.LogQueryOptions{Pattern: "("}, `pattern "(": allowed: a regular expression (RE2): error parsing regexp`},
		"pattern not UTF-8":  {hosting.LogQueryOptions{Pattern: "\xff"}, `pattern "\xff": allowed: UTF-8 text without NUL`},
		"pattern with NUL":   {hosting.LogQueryOptions{Pattern: "a\x00"}, `pattern "a\x00": allowed: UTF-8 text without NUL`},
		"cursor not UTF-8":   {hosting.LogQueryOptions{After: "\xff"}, `after "\xff": allowed: UTF-8 text without NUL`},
		"pattern beyond RE2": {hosting.LogQueryOptions{Pattern: "(?=a)"}, `pattern "(?=a)": allowed: a regular expression (RE2)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkMessage(t, test.options.Validate(), test.want)
		})
	}
}

// checkMessage wants an error that begins so, or none for "".
func checkMessage(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		require.NoError(t, err)
		return
	}
	require.Error(t, err)
	assert.Truef(t, strings.HasPrefix(err.Error(), want), "%s\nwant %s", err, want)
}

func TestVolumeRules(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*hosting.Volume)
		want   string
	}{
		"the least": {func(*hosting.Volume) {}, ""},
		"everything": {func(v *hosting.Volume) {
			v.Type, v.StorageClass, v.AccessMode, v.Region, v.Provider = "ssd", "gold.v1", hosting.ReadWriteOncePod, "r", "p"
		}, ""},
		"no name":           {func(v *hosting.Volume) { v.Name = "" }, `name "": allowed: a lower-case letter`},
		"region":            {func(v *hosting.Volume) { v.Region = "a.b" }, `region "a.b": allowed: lower-case letters`},
		"provider":          {func(v *hosting.Volume) { v.Provider = "A" }, `provider "A": allowed: lower-case letters`},
		"type":              {func(v *hosting.Volume) { v.Type = "tape" }, `type "tape": allowed: standard, ssd, shared`},
		"no size":           {func(v *hosting.Volume) { v.Size = 0 }, `size 0: allowed: bytes, 1 to 2^60`},
		"short access mode": {func(v *hosting.Volume) { v.AccessMode = "RWO" }, `accessMode "RWO": allowed: ReadWriteOnce, ReadOnlyMany, ReadWriteMany, ReadWriteOncePod`},
		"storage class":     {func(v *hosting.Volume) { v.StorageClass = "A" }, `storageClass "A": allowed: the name of a storage class`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			volume := hosting.Volume{Name: "data", Size: 1}
			test.change(&volume)
			checkMessage(t, volume.Validate(), test.want)
		})
	}
}

func TestPolicyRules(t *testing.T) {
	t.Parallel()
	type policy = hosting.AutoScalePolicy
	for name, test := range map[string]struct {
		change func(*policy)
		want   string
	}{
		"the least":       {func(*policy) {}, ""},
		"a custom metric": {func(p *policy) { p.ScaleUpRules[0].MetricType, p.ScaleUpRules[0].MetricName = "custom", "queue depth" }, ""},
		"instance":        {func(p *policy) { p.InstanceID = "web" }, `instanceId "web": allowed: an instance id, <region>.<type>.<name>`},
		"a volume":        {func(p *policy) { p.InstanceID = "r.volume.web" }, `instanceId "r.volume.web": allowed: an instance id, <region>.<type>.<name>`},
		"a service":       {func(p *policy) { p.InstanceID = "r.service.web" }, `instanceId "r.service.web": allowed: an instance id`},
		"a policy":        {func(p *policy) { p.InstanceID = "r.policy.web" }, `instanceId "r.policy.web": allowed: an instance id`},
		"name":            {func(p *policy) { p.Name = "" }, `name "": allowed: a lower-case letter`},
		"no replicas":     {func(p *policy) { p.MinReplicas = 0 }, `minReplicas 0: allowed: 1 or more`},
		"maximum below":   {func(p *policy) { p.MinReplicas = 3 }, `maxReplicas 2: allowed: at least minReplicas, 3`},
		"huge maximum":    {func(p *policy) { p.MaxReplicas = 100_001 }, `maxReplicas 100001: allowed: 0 to 100000`},
		"no rules":        {func(p *policy) { p.ScaleUpRules = nil }, `scaleUpRules "empty": allowed: at least one rule, up or down`},
		"cooldown":        {func(p *policy) { p.CooldownPeriod = -1 }, `cooldownPeriod -1ns: allowed: 0 or more`},
		"window":          {func(p *policy) { p.StabilizationWindow = -1 }, `stabilizationWindow -1ns: allowed: 0 or more`},
		"metric type":     {func(p *policy) { p.ScaleUpRules[0].MetricType = "" }, `scaleUpRules[0].metricType "": allowed: resource, custom, external`},
		"resource":        {func(p *policy) { p.ScaleUpRules[0].MetricName = "cpu" }, `scaleUpRules[0].metricName "cpu": allowed: cpu_usage, memory_usage, network_in, network_out`},
		"metric without name": {func(p *policy) {
			p.ScaleUpRules[0] = hosting.ScaleRule{MetricType: "external", Comparison: ">", StepSize: 1}
		}, `scaleUpRules[0].metricName "": allowed: the name of a metric, at most 256 bytes, without control characters`},
		"metric of 256 bytes": {func(p *policy) {
			p.ScaleUpRules[0].MetricType, p.ScaleUpRules[0].MetricName = hosting.MetricCustom, strings.Repeat("é", 128)
		}, ""},
		"metric of 257 bytes": {func(p *policy) {
			p.ScaleUpRules[0].MetricType, p.ScaleUpRules[0].MetricName = hosting.MetricCustom, "x"+strings.Repeat("é", 128)
		}, `scaleUpRules[0].metricName "xé`},
		"50 rules each way": {func(p *policy) {
			p.ScaleUpRules = slices.Repeat(p.ScaleUpRules, 50)
			p.ScaleDownRules = p.ScaleUpRules
		}, ""},
		"51 rules up":   {func(p *policy) { p.ScaleUpRules = slices.Repeat(p.ScaleUpRules, 51) }, `scaleUpRules 51: allowed: at most 50`},
		"51 rules down": {func(p *policy) { p.ScaleDownRules = slices.Repeat(p.ScaleUpRules, 51) }, `scaleDownRules 51: allowed: at most 50`},
		"metric not UTF-8": {func(p *policy) {
			p.ScaleUpRules[0].MetricType, p.ScaleUpRules[0].MetricName = hosting.MetricCustom, "\xff"
		}, `scaleUpRules[0].metricName "\xff": allowed: the name of a metric`},
		"threshold":      {func(p *policy) { p.ScaleUpRules[0].Threshold = math.Inf(-1) }, `scaleUpRules[0].threshold -Inf: allowed: a finite number`},
		"comparison":     {func(p *policy) { p.ScaleUpRules[0].Comparison = "==" }, `scaleUpRules[0].comparison "==": allowed: >, >=, <, <=`},
		"step":           {func(p *policy) { p.ScaleUpRules[0].StepSize = 0 }, `scaleUpRules[0].stepSize 0: allowed: 1 to 100000`},
		"period":         {func(p *policy) { p.ScaleUpRules[0].EvaluationPeriod = -1 }, `scaleUpRules[0].evaluationPeriod -1ns: allowed: 0 or more`},
		"down rules too": {func(p *policy) { p.ScaleDownRules = []hosting.ScaleRule{{}} }, `scaleDownRules[0].metricType "": allowed: resource`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := policy{
				InstanceID: "default.deployment.web", Name: "busy", MinReplicas: 1, MaxReplicas: 2,
				ScaleUpRules: []hosting.ScaleRule{{MetricType: "resource", MetricName: "cpu_usage", Threshold: 80, Comparison: ">", StepSize: 1}},
			}
			test.change(&p)
			checkMessage(t, p.Validate(), test.want)
		})
	}
}

func TestServiceRules(t *testing.T) {
	t.Parallel()
	type service = hosting.ServiceRegistration
	for name, test := range map[string]struct {
		change func(*service)
		want   string
	}{
		"the least": {func(*service) {}, ""},
		"everything": {func(s *service) {
			s.Protocol, s.Aliases, s.LoadBalancer = "grpc", []string{"a", "b"}, &hosting.LoadBalancerConfig{Strategy: "random"}
		}, ""},
		"name":        {func(s *service) { s.ServiceName = "A" }, `serviceName "A": allowed: a lower-case letter`},
		"protocol":    {func(s *service) { s.Protocol = "udp" }, `protocol "udp": allowed: http, https, grpc, tcp`},
		"port":        {func(s *service) { s.Port = 0 }, `port 0: allowed: 1 to 65535`},
		"alias":       {func(s *service) { s.Aliases = []string{"a", "B"} }, `aliases[1] "B": allowed: a lower-case letter`},
		"alias twice": {func(s *service) { s.Aliases = []string{"api"} }, `aliases[0] "api": allowed: each name once`},
		"strategy":    {func(s *service) { s.LoadBalancer = &hosting.LoadBalancerConfig{Strategy: "best"} }, `loadBalancer.strategy "best": allowed: round-robin, random, least-connections`},
		"interval":    {func(s *service) { s.LoadBalancer = &hosting.LoadBalancerConfig{HealthCheckInterval: -1} }, `loadBalancer.healthCheckInterval -1ns: allowed: 0, or 1 s or more`},
		"short interval": {func(s *service) {
			s.LoadBalancer = &hosting.LoadBalancerConfig{HealthCheckInterval: hosting.MinHealthCheckInterval - 1}
		}, `loadBalancer.healthCheckInterval 999.999999ms: allowed: 0, or 1 s or more`},
		"timeout": {func(s *service) { s.LoadBalancer = &hosting.LoadBalancerConfig{HealthCheckTimeout: -1} }, `loadBalancer.healthCheckTimeout -1ns: allowed: 0 to 1 min`},
		"long timeout": {func(s *service) {
			s.LoadBalancer = &hosting.LoadBalancerConfig{HealthCheckTimeout: hosting.MaxHealthCheckTimeout + 1}
		}, `loadBalancer.healthCheckTimeout 1m0.000000001s: allowed: 0 to 1 min`},
		"the limits of checks": {func(s *service) {
			s.LoadBalancer = &hosting.LoadBalancerConfig{HealthCheckInterval: hosting.MinHealthCheckInterval, HealthCheckTimeout: hosting.MaxHealthCheckTimeout}
		}, ""},
		"a name of its own":   {func(s *service) { s.Host, s.Endpoint = "fd00::1", "grpc://[fd00::1]:80" }, ""},
		"endpoint":            {func(s *service) { s.Endpoint = "\xff" }, `endpoint "\xff": allowed: an absolute URL with a host`},
		"no host in endpoint": {func(s *service) { s.Endpoint = "/orders" }, `endpoint "/orders": allowed: an absolute URL with a host`},
		"host":                {func(s *service) { s.Host = "a\x00" }, `host "a\x00": allowed: a DNS name or an IP address, without a port`},
		"host with port":      {func(s *service) { s.Host = "a:80" }, `host "a:80": allowed: a DNS name or an IP address, without a port`},
		"too many aliases":    {func(s *service) { s.Aliases = make([]string, 101) }, `aliases 101: allowed: at most 100`},
		"status":              {func(s *service) { s.Status = "\xff" }, `status "\xff": allowed: UTF-8 text without NUL`},
		"check path":          {func(s *service) { s.LoadBalancer = &hosting.LoadBalancerConfig{HealthCheckPath: "x"} }, `loadBalancer.healthCheckPath "x": allowed: a path that begins with "/"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := service{ServiceName: "api", Port: 80}
			test.change(&s)
			checkMessage(t, s.Validate(), test.want)
		})
	}
}

func TestFieldErrorsReachCallersThroughAProvidersError(t *testing.T) {
	t.Parallel()
	err := error(hosting.Errorf("fake", hosting.CreateFailed, hosting.InvalidArgument, "%w", hosting.CloudHostingConfig{}.Validate()))
	var fields hosting.FieldErrors
	require.True(t, errors.As(err, &fields))
	assert.Equal(t, "instanceName", fields[0].Field)
}
