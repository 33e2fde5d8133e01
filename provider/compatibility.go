package provider

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"skillcenter.io/hosting"
)

// The names of the checks that [CheckConfig] makes, in its order. What the
// platform adds has names of its own.
const (
	CheckConfiguration = "configuration"
	CheckImage         = "image"
	CheckPorts         = "ports"
	CheckHealthCheck   = "healthCheck"
	CheckResources     = "resources"
	CheckState         = "state"
	CheckSecrets       = "secrets"
)

// Finding is a check and what to do about it.
type Finding struct {
	hosting.CompatibilityCheck
	// Suggestion says what to do; it is empty if the check has passed.
	Suggestion string
}

// CheckConfig looks at a configuration by itself. volume returns what is known
// of a volume that it mounts: an error that is [hosting.NotFound] if it does not
// exist, another one if that is not known.
func CheckConfig(config hosting.CloudHostingConfig, volume func(volumeID string) (hosting.Volume, error)) []Finding {
	findings := []Finding{checkConfiguration(config)}
	if config.Container == nil {
		return findings // which has failed, and there is nothing more to look at
	}
	return append(findings, checkImage(config), checkPorts(config), checkHealth(config), checkResources(config),
		checkState(config, volume), checkSecrets(config))
}

func pass(name, format string, args ...any) Finding {
	return Finding{CompatibilityCheck: hosting.CompatibilityCheck{Name: name, Status: hosting.CheckPass, Message: fmt.Sprintf(format, args...)}}
}

func warn(name, suggestion, format string, args ...any) Finding {
	f := pass(name, format, args...)
	f.Status, f.Suggestion = hosting.CheckWarning, suggestion
	return f
}

func refuse(name, suggestion, format string, args ...any) Finding {
	f := warn(name, suggestion, format, args...)
	f.Status = hosting.CheckFail
	return f
}

// required marks a check without which the skill cannot be hosted.
func (f Finding) required() Finding {
	f.Required = true
	return f
}

func checkConfiguration(config hosting.CloudHostingConfig) Finding {
	if err := config.Validate(); err != nil {
		return refuse(CheckConfiguration, "correct these fields: "+err.Error(), "the configuration is not valid: %s", err).required()
	}
	return pass(CheckConfiguration, "the configuration is valid").required()
}

// checkImage looks at whether the same image comes tomorrow.
func checkImage(config hosting.CloudHostingConfig) Finding {
	image := config.Container.Image
	repository, digest, pinned := strings.Cut(image, "@")
	_, tag, tagged := strings.Cut(repository[strings.LastIndex(repository, "/")+1:], ":")
	switch {
	case pinned:
		return pass(CheckImage, "image %s is pinned to %s", image, digest)
	case !tagged:
		return warn(CheckImage, "name a version of the image: a tag, or better a digest", "image %s has no tag, so it means latest, which changes", image)
	case tag == "latest":
		return warn(CheckImage, "name a version of the image: a tag, or better a digest", "image %s has the tag latest, which changes", image)
	}
	return pass(CheckImage, "image %s has the tag %s", image, tag)
}

// serves tells whether instances of a type run until they are stopped.
func serves(config hosting.CloudHostingConfig) bool {
	return config.InstanceType != hosting.TypeJob && config.InstanceType != hosting.TypeCronJob
}

// exposed returns the ports that can be reached.
func exposed(config hosting.CloudHostingConfig) []int {
	if n := config.Network; n != nil && len(n.Ports) > 0 {
		return n.Ports
	}
	return config.Container.Ports
}

func checkPorts(config hosting.CloudHostingConfig) Finding {
	ports := exposed(config)
	var unknown []string
	for _, port := range ports {
		if len(config.Container.Ports) > 0 && !slices.Contains(config.Container.Ports, port) {
			unknown = append(unknown, fmt.Sprint(port))
		}
	}
	switch {
	case len(unknown) > 0:
		return warn(CheckPorts, "add what is missing to container.ports, or take it out of network.ports",
			"network.ports has %s, where container.ports says that nothing listens", strings.Join(unknown, ", "))
	case len(ports) > 0:
		return pass(CheckPorts, "ports %s can be reached", strings.Trim(fmt.Sprint(ports), "[]"))
	case serves(config):
		return warn(CheckPorts, "set container.ports if the skill is to be called", "there is no port, so nothing can call the skill")
	}
	return pass(CheckPorts, "a %s needs no port", config.InstanceType)
}

func checkHealth(config hosting.CloudHostingConfig) Finding {
	check := config.Container.HealthCheck
	if !serves(config) {
		return pass(CheckHealthCheck, "a %s needs no health check", config.InstanceType)
	}
	if check == nil {
		return warn(CheckHealthCheck, "set container.healthCheck, so that a replica is called only when it can answer",
			"there is no health check: a replica counts as ready as soon as it runs")
	}
	port := 0
	switch {
	case check.HTTP != nil:
		port = check.HTTP.Port
	case check.TCP != nil:
		port = check.TCP.Port
	}
	if port != 0 && len(config.Container.Ports) > 0 && !slices.Contains(config.Container.Ports, port) {
		return warn(CheckHealthCheck, "check a port of container.ports", "the health check asks port %d, which is not in container.ports", port)
	}
	return pass(CheckHealthCheck, "a health check tells when a replica is ready")
}

func checkResources(config hosting.CloudHostingConfig) Finding {
	var r hosting.ResourceConfig
	if config.Resources != nil {
		r = *config.Resources
	}
	if r.CPULimit > 0 && r.CPURequest > r.CPULimit || r.MemoryLimit > 0 && r.MemoryRequest > r.MemoryLimit {
		return refuse(CheckResources, "lower the request or raise the limit", "a request is above its limit").required()
	}
	var missing []string
	if r.CPULimit == 0 {
		missing = append(missing, "resources.cpuLimit")
	}
	if r.MemoryLimit == 0 {
		missing = append(missing, "resources.memoryLimit")
	}
	if len(missing) > 0 {
		return warn(CheckResources, "set "+strings.Join(missing, " and ")+" to what the skill needs",
			"%s not set, so the provider's default decides", strings.Join(missing, " and ")).required()
	}
	return pass(CheckResources, "CPU and memory have limits").required()
}

// checkState looks at whether what the skill keeps outlives its replicas, and
// whether they can share it.
func checkState(config hosting.CloudHostingConfig, volume func(string) (hosting.Volume, error)) Finding {
	mounts := config.Container.VolumeMounts
	if len(mounts) == 0 {
		if config.InstanceType == hosting.TypeStatefulSet {
			return warn(CheckState, "mount a volume with container.volumeMounts, or use a deployment if the skill keeps nothing",
				"the skill is stateful and has no volume: what it keeps is lost with each replica").required()
		}
		return pass(CheckState, "the skill keeps nothing").required()
	}
	replicas, autoscaled := 1, false
	if s := config.Scaling; s != nil {
		replicas, autoscaled = max(s.MinReplicas, 1), s.TargetCPUUtilization > 0 || s.TargetMemoryUtilization > 0
	}
	worst := pass(CheckState, "%d volumes can be mounted", len(mounts)).required()
	for _, mount := range mounts {
		f := checkMount(mount, config.InstanceType, replicas, autoscaled, volume)
		if severity(f.Status) > severity(worst.Status) {
			worst = f.required()
		}
	}
	return worst
}

func checkMount(mount hosting.VolumeMount, instanceType string, replicas int, autoscaled bool, volume func(string) (hosting.Volume, error)) Finding {
	v, err := volume(mount.VolumeID)
	switch {
	case hosting.ReasonOf(err) == hosting.NotFound:
		return refuse(CheckState, "create the volume first", "volume %s does not exist", mount.VolumeID)
	case err != nil:
		return warn(CheckState, "look at the volume yourself", "it is not known whether volume %s can be mounted: %s", mount.VolumeID, err)
	}
	mode := cmp.Or(v.AccessMode, hosting.ReadWriteOnce)
	exclusive := mode == hosting.ReadWriteOnce || mode == hosting.ReadWriteOncePod
	switch {
	case mode == hosting.ReadOnlyMany && !mount.ReadOnly:
		return refuse(CheckState, "set readOnly", "volume %s is %s and is mounted to be written", mount.VolumeID, mode)
	case exclusive && instanceType == hosting.TypeDaemonSet:
		return refuse(CheckState, "use a volume that is "+hosting.ReadWriteMany, "volume %s is %s, and a daemonset has a replica on each node", mount.VolumeID, mode)
	case exclusive && replicas > 1:
		return refuse(CheckState, "set scaling.minReplicas to 1, or use a volume that is "+hosting.ReadWriteMany,
			"volume %s is %s, and %d replicas cannot share it", mount.VolumeID, mode, replicas)
	case exclusive && autoscaled:
		return refuse(CheckState, "take the target out of scaling, or use a volume that is "+hosting.ReadWriteMany,
			"volume %s is %s, and an autoscaler would add replicas that cannot share it", mount.VolumeID, mode)
	}
	return pass(CheckState, "volume %s is %s", mount.VolumeID, mode)
}

// checkSecrets looks for what should not be readable. It names variables, never
// their values.
func checkSecrets(config hosting.CloudHostingConfig) Finding {
	var names []string
	for field, env := range map[string]map[string]string{"env": config.Env, "container.env": config.Container.Env} {
		for name, value := range env {
			if value != "" && soundsSecret(name) {
				names = append(names, field+"["+name+"]")
			}
		}
	}
	if len(names) == 0 {
		return pass(CheckSecrets, "no variable of env sounds like a secret")
	}
	slices.Sort(names)
	return warn(CheckSecrets, "move "+strings.Join(names, ", ")+" to secretEnv, which no call returns and nothing logs",
		"%s: this sounds like a secret, and everybody who may read the configuration can read it", strings.Join(names, ", "))
}

// soundsSecret tells whether a variable is named like a secret: by its last
// word. So DB_PASSWORD_FILE and MAX_TOKENS are none.
func soundsSecret(name string) bool {
	words := strings.FieldsFunc(strings.ToUpper(name), func(r rune) bool { return r == '_' || r == '-' || r == '.' || r >= '0' && r <= '9' })
	if len(words) == 0 {
		return false
	}
	last := words[len(words)-1]
	switch last {
	case "KEY", "APIKEY":
		return !slices.Contains(words, "PUBLIC")
	case "PWD":
		return len(words) > 1 // alone it is where a shell is
	}
	return slices.ContainsFunc([]string{"PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "CREDENTIAL", "CREDENTIALS"},
		func(word string) bool { return strings.HasSuffix(last, word) })
}
