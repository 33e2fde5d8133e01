package conformance

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"skillcenter.io/hosting"
)

// flaw is a configuration with one bad field.
type flaw struct {
	// field and value are what the error has to name.
	field, value string
	change       func(*hosting.CloudHostingConfig)
}

func inputCases() []testCase {
	list := make([]testCase, 0, len(flaws()))
	for what, bad := range flaws() {
		list = append(list, once(what+" is refused", func(t *testing.T, e *env) { e.wantRefused(t, bad) }))
	}
	return sortedByName(list)
}

// wantRefused creates, prices, applies and plans configurations with a flaw.
func (e *env) wantRefused(t *testing.T, bad []flaw) {
	t.Helper()
	names := map[string]bool{}
	for _, flaw := range bad {
		config := e.config(Serve)
		flaw.change(&config)
		names[config.InstanceName] = true
		for _, c := range configCalls(config) {
			if c.needs != "" && !e.has(t, c.needs) {
				continue
			}
			err := c.do(e.ctx, e.p, "")
			e.wantError(t, fmt.Sprintf("%s with %s %.60q", c.name, flaw.field, flaw.value), err, c.code, hosting.InvalidArgument, flaw.field, flaw.value)
		}
	}
	for _, instance := range e.list(t) {
		if names[instance.Name] {
			e.deleteLater(t, instance.ID)
			t.Errorf("instance %s exists, although its configuration was to be refused", instance.ID)
		}
	}
}

func flaws() map[string][]flaw {
	type config = hosting.CloudHostingConfig
	name := func(name string) flaw {
		return flaw{"instanceName", strings.TrimSpace(name), func(c *config) { c.InstanceName = name }}
	}
	image := func(image string) flaw {
		return flaw{"container.image", image, func(c *config) { c.Container.Image = image }}
	}
	ports := func(field, value string, ports ...int) flaw {
		return flaw{field, value, func(c *config) { c.Container.Ports = ports }}
	}
	env := func(name string) flaw {
		return flaw{"env", strings.TrimRight(name, "\x00"), func(c *config) { c.Env = map[string]string{name: "1"} }}
	}
	label := func(key, value, named string) flaw {
		return flaw{"labels", named, func(c *config) { c.Labels = map[string]string{key: value} }}
	}
	annotation := func(key string) flaw {
		return flaw{"annotations", key, func(c *config) { c.Annotations = map[string]string{key: "1"} }}
	}
	resources := func(field, value string, r hosting.ResourceConfig) flaw {
		return flaw{"resources." + field, value, func(c *config) { c.Resources = &r }}
	}
	scaling := func(field, value string, s hosting.ScaleConfig) flaw {
		return flaw{"scaling." + field, value, func(c *config) { c.Scaling = &s }}
	}
	network := func(field, value string, n hosting.NetworkConfig) flaw {
		return flaw{"network." + field, value, func(c *config) { c.Network = &n }}
	}
	health := func(field, value string, h hosting.HealthCheck) flaw {
		return flaw{"container.healthCheck" + field, value, func(c *config) { c.Container.HealthCheck = &h }}
	}
	mount := func(field, value string, m hosting.VolumeMount) flaw {
		return flaw{"container.volumeMounts[0]." + field, value, func(c *config) { c.Container.VolumeMounts = []hosting.VolumeMount{m} }}
	}
	schedule := func(instanceType, schedule string) flaw {
		return flaw{"schedule", schedule, func(c *config) { c.InstanceType, c.Schedule = instanceType, schedule }}
	}
	tcp := &hosting.TCPCheck{Port: 8080}

	return map[string][]flaw{
		"a bad name": {
			name(""), name("Web"), name("1web"), name("-web"), name("web-"), name("we_b"), name("we.b"), name("we b"),
			name("wéb"), name("web\n"), name("../web"), name("a123456789-123456789-123456789-123456789-1234567890"),
		},
		"a bad or unknown region": {
			{"region", "no-such-region", func(c *config) { c.Region = "no-such-region" }},
			{"region", "Not A Region", func(c *config) { c.Region = "Not A Region" }},
			{"region", "a.b", func(c *config) { c.Region = "a.b" }},
		},
		"a bad or unknown type": {
			{"instanceType", "", func(c *config) { c.InstanceType = "" }},
			{"instanceType", "nosuchtype", func(c *config) { c.InstanceType = "nosuchtype" }},
			{"instanceType", "Deployment", func(c *config) { c.InstanceType = "Deployment" }},
		},
		"the name of another provider": {
			{"provider", "no-such-provider", func(c *config) { c.Provider = "no-such-provider" }},
			{"provider", "Not A Provider", func(c *config) { c.Provider = "Not A Provider" }},
		},
		"a configuration without a container": {{"container", "", func(c *config) { c.Container = nil }}},
		"a bad image": {
			image(""), image("UPPER"), image("nginx:"), image(":1"), image("ng inx"), image("nginx:1:2"),
			image("https://example.com/nginx"), image("nginx@sha256:short"),
		},
		"a bad container port": {
			ports("container.ports[0]", "0", 0), ports("container.ports[0]", "-1", -1),
			ports("container.ports[1]", "65536", 80, 65536), ports("container.ports[2]", "80", 80, 81, 80),
		},
		"a bad name of a variable": {
			env(""), env("A=B"), env("A B"), env("Ä"), env("A\x00"),
			{"container.env", "C=D", func(c *config) { c.Container.Env = map[string]string{"C=D": "1"} }},
		},
		"a bad label": {
			label("", "1", ""), label("with space", "1", "with space"), label("a/b/c", "1", "a/b/c"), label("-a", "1", "-a"),
			label("team", "not a value", "not a value"), label("team", "trailing-", "trailing-"),
		},
		"a reserved label or annotation": {
			label("app", "1", "app"), label("managed-by", "1", "managed-by"), label("skillcenter.io/type", "1", "skillcenter.io/type"),
			annotation("skillcenter.io/created-at"),
		},
		"a bad annotation": {annotation(""), annotation("with space"), annotation("a/b/c")},
		"a bad amount of resources": {
			resources("cpuLimit", "-1", hosting.ResourceConfig{CPULimit: -1}),
			resources("cpuLimit", "NaN", hosting.ResourceConfig{CPULimit: math.NaN()}),
			resources("cpuLimit", "Inf", hosting.ResourceConfig{CPULimit: math.Inf(1)}),
			resources("cpuRequest", "-0.5", hosting.ResourceConfig{CPURequest: -0.5}),
			resources("memoryLimit", "-1", hosting.ResourceConfig{MemoryLimit: -1}),
			resources("memoryRequest", "-2", hosting.ResourceConfig{MemoryRequest: -2}),
			resources("storageLimit", "-3", hosting.ResourceConfig{StorageLimit: -3}),
		},
		"a request above its limit": {
			resources("cpuRequest", "0.75", hosting.ResourceConfig{CPURequest: 0.75, CPULimit: 0.5}),
			resources("memoryRequest", "67108865", hosting.ResourceConfig{MemoryRequest: 67108865, MemoryLimit: 67108864}),
		},
		"a bad number of replicas in a configuration": {
			scaling("minReplicas", "-1", hosting.ScaleConfig{MinReplicas: -1}),
			scaling("maxReplicas", "-1", hosting.ScaleConfig{MaxReplicas: -1}),
			scaling("minReplicas", "3", hosting.ScaleConfig{MinReplicas: 3, MaxReplicas: 2}),
			scaling("minReplicas", "100001", hosting.ScaleConfig{MinReplicas: 100_001}),
		},
		"a bad target of the autoscaler": {
			scaling("targetCPUUtilization", "-1", hosting.ScaleConfig{TargetCPUUtilization: -1}),
			scaling("targetMemoryUtilization", "1001", hosting.ScaleConfig{TargetMemoryUtilization: 1001}),
		},
		"a missing, bad or misplaced schedule": {
			schedule(hosting.TypeCronJob, ""), schedule(hosting.TypeCronJob, "every day"), schedule(hosting.TypeCronJob, "60 * * * *"),
			schedule(hosting.TypeCronJob, "* * * *"), schedule(hosting.TypeJob, "0 0 * * *"), schedule(hosting.TypeDeployment, "@hourly"),
		},
		"a bad health check": {
			health("", "0 kinds", hosting.HealthCheck{}),
			health("", "2 kinds", hosting.HealthCheck{TCP: tcp, Command: []string{"true"}}),
			health(".http.path", "ready", hosting.HealthCheck{HTTP: &hosting.HTTPCheck{Path: "ready", Port: 80}}),
			health(".http.port", "0", hosting.HealthCheck{HTTP: &hosting.HTTPCheck{Path: "/"}}),
			health(".tcp.port", "70000", hosting.HealthCheck{TCP: &hosting.TCPCheck{Port: 70000}}),
			health(".period", "-1s", hosting.HealthCheck{TCP: tcp, Period: -1e9}),
			{"container.preStop", "0 words", func(c *config) { c.Container.PreStop = &hosting.PreStop{} }},
			health(".timeout", "500ms", hosting.HealthCheck{TCP: tcp, Timeout: 5e8}),
			health(".failureThreshold", "-1", hosting.HealthCheck{TCP: tcp, FailureThreshold: -1}),
		},
		"text that is not UTF-8": {
			{"env", "", func(c *config) { c.Env = map[string]string{"A": "a\xff"} }},
			{"container.env", "", func(c *config) { c.Container.Env = map[string]string{"A": "\xc3\x28"} }},
			{"container.args", "", func(c *config) { c.Container.Args = []string{"a\xff"} }},
		},
		"a secret that is not UTF-8": {
			{"secretEnv", "", func(c *config) { c.SecretEnv = hosting.SecretMap{"A": "\xed\xa0\x80"} }},
		},
		"a bad network": {
			network("serviceType", "Tunnel", hosting.NetworkConfig{ServiceType: "Tunnel"}),
			network("ports[0]", "65536", hosting.NetworkConfig{Ports: []int{65536}}),
			network("ports[1]", "80", hosting.NetworkConfig{Ports: []int{80, 80}}),
			network("ingressHost", "Not A Host", hosting.NetworkConfig{Ports: []int{80}, IngressHost: "Not A Host"}),
			network("ingressPath", "no-slash", hosting.NetworkConfig{Ports: []int{80}, IngressPath: "no-slash"}),
		},
		"a bad volume mount": {
			mount("volumeId", "data", hosting.VolumeMount{VolumeID: "data", MountPath: "/data"}),
			mount("mountPath", "data", hosting.VolumeMount{VolumeID: "r.volume.v", MountPath: "data"}),
			mount("mountPath", "/", hosting.VolumeMount{VolumeID: "r.volume.v", MountPath: "/"}),
			mount("mountPath", "/a/../b", hosting.VolumeMount{VolumeID: "r.volume.v", MountPath: "/a/../b"}),
			mount("subPath", "../up", hosting.VolumeMount{VolumeID: "r.volume.v", MountPath: "/data", SubPath: "../up"}),
		},
		"a bad name of a secret variable": {
			{"secretEnv", "A=B", func(c *config) { c.SecretEnv = hosting.SecretMap{"A=B": "1"} }},
			{"secretEnv", "A$B", func(c *config) { c.SecretEnv = hosting.SecretMap{"A$B": "1"} }},
		},
	}
}
