package hosting

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"skillcenter.io/hosting/internal/cron"
)

// FieldError says that the value of one field is not allowed.
type FieldError struct {
	// Field is the JSON path of the field, such as "container.ports[1]".
	Field string
	// Value is what was given.
	Value any
	// Allowed says what may be given.
	Allowed string
}

// Error returns field, value and what is allowed.
func (e FieldError) Error() string {
	value := fmt.Sprintf("%v", e.Value)
	if text, ok := e.Value.(string); ok {
		value = fmt.Sprintf("%.80q", text)
	}
	return fmt.Sprintf("%s %s: allowed: %s", e.Field, value, e.Allowed)
}

// FieldErrors are all the fields that are wrong.
type FieldErrors []FieldError

// Error joins the errors of the fields.
func (e FieldErrors) Error() string {
	texts := make([]string, len(e))
	for i, fieldError := range e {
		texts[i] = fieldError.Error()
	}
	return strings.Join(texts, "; ")
}

// checker collects what is wrong, under a path.
type checker struct {
	errs *FieldErrors
	path string
}

func newChecker() checker { return checker{errs: new(FieldErrors)} }

func (c checker) at(format string, args ...any) checker {
	return checker{c.errs, c.path + fmt.Sprintf(format, args...)}
}

// key is at for a key of a map. What would make the message hard to read, such
// as a line break, is quoted and cut.
func (c checker) key(name string) checker {
	if len(name) > 80 || strconv.Quote(name) != `"`+name+`"` {
		name = fmt.Sprintf("%.80q", name)
	}
	return c.at("[%s]", name)
}

func (c checker) require(ok bool, value any, allowed string) {
	if !ok {
		*c.errs = append(*c.errs, FieldError{c.path, value, allowed})
	}
}

// add keeps what a check of id.go found, under this path.
func (c checker) add(err error) {
	if fieldError, ok := err.(FieldError); ok {
		c.require(false, fieldError.Value, fieldError.Allowed)
	}
}

func (c checker) oneOf(value string, allowed ...string) {
	c.require(slices.Contains(allowed, value), value, strings.Join(allowed, ", "))
}

// text refuses what JSON would change without a word, and NUL, which ends a
// text for the platform.
func (c checker) text(value string) { c.require(isText(value), value, textAllowed) }

const textAllowed = "UTF-8 text without NUL"

func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// isLine tells whether s is text without line breaks and other control
// characters.
func isLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' })
}

func (c checker) done() error {
	if len(*c.errs) == 0 {
		return nil
	}
	return *c.errs
}

// Validate tells all that is wrong with the configuration on any provider, as
// [FieldErrors]. A provider may refuse more, such as an instance type that it
// does not have.
func (config CloudHostingConfig) Validate() error {
	c := newChecker()
	c.at("instanceName").add(checkName(config.InstanceName))
	if config.Region != "" {
		c.at("region").add(checkLabel("", config.Region))
	}
	if config.Provider != "" {
		c.at("provider").add(checkLabel("", config.Provider))
	}
	c.at("instanceType").add(checkType(config.InstanceType))
	if config.Container == nil {
		c.at("container").require(false, "null", "a container with an image")
	} else {
		config.Container.validate(c.at("container"))
	}
	if config.Resources != nil {
		config.Resources.validate(c.at("resources"))
	}
	if config.Network != nil {
		config.Network.validate(c.at("network"))
	}
	if config.Scaling != nil {
		config.Scaling.validate(c.at("scaling"))
	}
	for _, name := range slices.Sorted(maps.Keys(config.Labels)) {
		validateLabel(c.at("labels").key(name), name, config.Labels[name])
	}
	for _, name := range slices.Sorted(maps.Keys(config.Annotations)) {
		at := c.at("annotations").key(name)
		validateMetaKey(at, name)
		at.require(!isReserved(name), name, `any but "skillcenter.io/*"`)
		at.text(config.Annotations[name])
	}
	validateSize(c.at("annotations"), config.Annotations)
	validateEnv(c.at("env"), config.Env)
	validateEnv(c.at("secretEnv"), config.SecretEnv)
	for _, name := range slices.Sorted(maps.Keys(config.SecretEnv)) {
		c.at("secretEnv").key(name).require(secretKey.MatchString(name), name, "letters, digits, '-', '_' and '.', at most 253")
	}
	validateSize(c.at("secretEnv"), config.SecretEnv)
	config.validateSizes(c)
	validateInfo(c.at("skillId"), config.SkillID)
	validateInfo(c.at("version"), config.Version)
	config.validateSchedule(c.at("schedule"))
	return c.done()
}

func validateInfo(c checker, value string) {
	c.require(len(value) <= 1024 && isText(value), value, "at most 1024 bytes of "+textAllowed)
}

func (config CloudHostingConfig) validateSchedule(c checker) {
	switch {
	case config.InstanceType != TypeCronJob:
		c.require(config.Schedule == "", config.Schedule, "empty, except for a "+TypeCronJob)
	case config.Schedule == "":
		c.require(false, "", "a cron expression, such as \"*/5 * * * *\": a "+TypeCronJob+" needs one")
	default:
		schedule, err := cron.Parse(config.Schedule)
		if err != nil {
			c.require(false, config.Schedule, "a cron expression: "+err.Error())
			return
		}
		c.require(!schedule.Next(time.Unix(0, 0)).IsZero(), config.Schedule, "a cron expression that names a date there is")
	}
}

func (container *ContainerConfig) validate(c checker) {
	c.at(".image").require(isImage(container.Image), container.Image,
		`an image reference, such as "nginx:1.29" or "registry.example.com/team/skill:v1"`)
	validatePorts(c.at(".ports"), container.Ports)
	validateCommand(c.at(".commands"), container.Commands)
	validateTexts(c.at(".args"), container.Args)
	validateEnv(c.at(".env"), container.Env)
	paths := map[string]bool{}
	for i, mount := range container.VolumeMounts {
		at := c.at(".volumeMounts[%d]", i)
		if id, err := ParseID(mount.VolumeID); err != nil || id.Type != "volume" {
			at.at(".volumeId").require(false, mount.VolumeID, "a volume id, <region>.volume.<name>")
		}
		at.at(".mountPath").require(isMountPath(mount.MountPath), mount.MountPath, mountPathAllowed)
		at.at(".mountPath").require(!paths[mount.MountPath], mount.MountPath, "each path once")
		paths[mount.MountPath] = true
		at.at(".subPath").require(isSubPath(mount.SubPath), mount.SubPath, "a clean relative path inside the volume, without control characters")
	}
	if container.HealthCheck != nil {
		container.HealthCheck.validate(c.at(".healthCheck"))
	}
	if container.ImagePullSecret != "" {
		c.at(".imagePullSecret").require(isSubdomain(container.ImagePullSecret), container.ImagePullSecret, "the name of a secret: DNS labels joined by dots")
	}
	if container.TerminationGracePeriod != nil {
		validateSeconds(c.at(".terminationGracePeriod"), *container.TerminationGracePeriod)
	}
	if container.PreStop != nil {
		container.PreStop.validate(c.at(".preStop"))
	}
}

func (preStop *PreStop) validate(c checker) {
	validateSeconds(c.at(".delay"), preStop.Delay)
	validateCommand(c.at(".command"), preStop.Command)
	c.require((preStop.Delay != 0) != (len(preStop.Command) > 0), fmt.Sprintf("delay %s and a command of %d words", preStop.Delay, len(preStop.Command)), "either a delay or a command")
}

// validateCommand is validateTexts for what is run: it begins with a program.
func validateCommand(c checker, command []string) {
	validateTexts(c, command)
	c.at("[0]").require(len(command) == 0 || command[0] != "", "", "the name or path of a program")
}

func validateTexts(c checker, texts []string) {
	for i, text := range texts {
		c.at("[%d]", i).text(text)
	}
}

const mountPathAllowed = "a clean absolute path other than /, without ':' and control characters"

func isMountPath(p string) bool {
	return path.IsAbs(p) && p != "/" && path.Clean(p) == p && !strings.Contains(p, ":") && isLine(p)
}

func isSubPath(p string) bool {
	return p == "" || !path.IsAbs(p) && path.Clean(p) == p && p != "." && p != ".." && !strings.HasPrefix(p, "../") && isLine(p)
}

func (check *HealthCheck) validate(c checker) {
	kinds := 0
	if check.HTTP != nil {
		kinds++
		c.at(".http.path").require(isPath(check.HTTP.Path), check.HTTP.Path, pathAllowed)
		validatePort(c.at(".http.port"), check.HTTP.Port)
	}
	if check.TCP != nil {
		kinds++
		validatePort(c.at(".tcp.port"), check.TCP.Port)
	}
	if len(check.Command) > 0 {
		kinds++
		validateCommand(c.at(".command"), check.Command)
	}
	c.require(kinds == 1, fmt.Sprintf("with %d kinds", kinds), "exactly one of http, tcp and command")
	validateSeconds(c.at(".initialDelay"), check.InitialDelay)
	validateSeconds(c.at(".period"), check.Period)
	validateSeconds(c.at(".timeout"), check.Timeout)
	validateCount(c.at(".failureThreshold"), check.FailureThreshold)
	validateCount(c.at(".successThreshold"), check.SuccessThreshold)
}

const pathAllowed = `a path that begins with "/", without control characters`

func isPath(p string) bool { return strings.HasPrefix(p, "/") && isLine(p) }

const maxCount = 100_000

// validateCount bounds numbers that platforms keep in 32 bits.
func validateCount(c checker, n int) {
	c.require(n >= 0 && n <= maxCount, n, "0 to 100000")
}

func validateSeconds(c checker, d Duration) {
	const day = Duration(24 * time.Hour)
	c.require(d >= 0 && d <= day && d%Duration(time.Second) == 0, d, "whole seconds, 0 to 24h")
}

func validatePort(c checker, port int) {
	c.require(port >= 1 && port <= 65535, port, "1 to 65535")
}

func validatePorts(c checker, ports []int) {
	c.require(len(ports) <= maxPorts, len(ports), "at most 100 ports")
	seen := map[int]bool{}
	for i, port := range ports {
		validatePort(c.at("[%d]", i), port)
		c.at("[%d]", i).require(!seen[port], port, "each port once")
		seen[port] = true
	}
}

const maxPorts = 100

// Validate tells all that is wrong with the resources, as [FieldErrors].
func (resources ResourceConfig) Validate() error {
	c := newChecker()
	resources.validate(c.at("resources"))
	return c.done()
}

func (resources *ResourceConfig) validate(c checker) {
	validateCPU(c.at(".cpuLimit"), resources.CPULimit)
	validateCPU(c.at(".cpuRequest"), resources.CPURequest)
	validateBytes(c.at(".memoryLimit"), resources.MemoryLimit)
	validateBytes(c.at(".memoryRequest"), resources.MemoryRequest)
	validateBytes(c.at(".storageLimit"), resources.StorageLimit)
	if resources.CPULimit > 0 {
		c.at(".cpuRequest").require(resources.CPURequest <= resources.CPULimit, resources.CPURequest,
			fmt.Sprintf("at most cpuLimit, %v", resources.CPULimit))
	}
	if resources.MemoryLimit > 0 {
		c.at(".memoryRequest").require(resources.MemoryRequest <= resources.MemoryLimit, resources.MemoryRequest,
			fmt.Sprintf("at most memoryLimit, %d", resources.MemoryLimit))
	}
}

// validateCPU bounds cores to what platforms count: thousandths, and no more
// than a large cluster has.
func validateCPU(c checker, cores float64) {
	c.require(cores == 0 || cores >= 0.001 && cores <= 1_000_000 && !math.IsNaN(cores), cores, "cores, 0.001 to 1000000, or 0 for the default")
}

func validateBytes(c checker, bytes int64) {
	const limit = 1 << 60
	c.require(bytes >= 0 && bytes <= limit, bytes, "bytes, 0 to 2^60")
}

func (network *NetworkConfig) validate(c checker) {
	if network.ServiceType != "" {
		c.at(".serviceType").oneOf(network.ServiceType, ServiceClusterIP, ServiceNodePort, ServiceLoadBalancer)
	}
	validatePorts(c.at(".ports"), network.Ports)
	if network.IngressHost != "" {
		_, notAddress := netip.ParseAddr(network.IngressHost)
		c.at(".ingressHost").require(isSubdomain(network.IngressHost) && notAddress != nil, network.IngressHost, "a DNS name in lower case, not an IP address")
	}
	if network.IngressPath != "" {
		c.at(".ingressPath").require(isIngressPath(network.IngressPath), network.IngressPath,
			`a path that begins with "/", of the characters of a URL's path, without "//", "%2F", "." and ".." parts`)
	}
}

var urlPath = regexp.MustCompile(`^(?:[-A-Za-z0-9._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*$`)

func isIngressPath(p string) bool {
	return urlPath.MatchString(p) && !strings.Contains(strings.ToLower(p), "%2f") &&
		path.IsAbs(p) && p != "//" && (path.Clean(p) == p || path.Clean(p)+"/" == p)
}

func (scaling *ScaleConfig) validate(c checker) {
	validateCount(c.at(".minReplicas"), scaling.MinReplicas)
	validateCount(c.at(".maxReplicas"), scaling.MaxReplicas)
	if scaling.MaxReplicas > 0 {
		c.at(".minReplicas").require(scaling.MinReplicas <= scaling.MaxReplicas, scaling.MinReplicas,
			fmt.Sprintf("at most maxReplicas, %d", scaling.MaxReplicas))
	}
	validateTarget(c.at(".targetCPUUtilization"), scaling.TargetCPUUtilization)
	validateTarget(c.at(".targetMemoryUtilization"), scaling.TargetMemoryUtilization)
}

// validateTarget allows more than 100 %: the limit may be above the request.
func validateTarget(c checker, percent int) {
	c.require(percent >= 0 && percent <= 1000, percent, "percent of the request, 1 to 1000, or 0 for none")
}

// ValidateReplicas tells whether ScaleInstance may be called with replicas.
func ValidateReplicas(replicas int) error {
	c := newChecker()
	validateCount(c.at("replicas"), replicas)
	return c.done()
}

// Validate tells all that is wrong with the options for GetLogs or, if Follow
// is set, StreamLogs, as [FieldErrors].
func (options LogQueryOptions) Validate() error {
	c := newChecker()
	c.at("limit").require(options.Limit >= 0 && options.Limit <= MaxLogLimit, options.Limit, fmt.Sprintf("0 to %d", MaxLogLimit))
	if !options.StartTime.IsZero() && !options.EndTime.IsZero() {
		c.at("endTime").require(!options.EndTime.Before(options.StartTime), options.EndTime, "not before startTime, "+options.StartTime.String())
	}
	if options.Level != "" {
		c.at("level").oneOf(options.Level, LogLevels()...)
	}
	c.at("pattern").text(options.Pattern)
	if _, err := regexp.Compile(options.Pattern); err != nil && isText(options.Pattern) {
		c.at("pattern").require(false, options.Pattern, "a regular expression (RE2): "+err.Error())
	}
	c.at("after").text(options.After)
	return c.done()
}

func validateEnv[M ~map[string]string](c checker, env M) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		c.key(name).require(isEnvName(name), name, "printable ASCII without '=' and spaces")
		// A value is never put into an error: it may be a secret.
		c.key(name).require(isText(env[name]), "(hidden)", textAllowed)
	}
}

func isEnvName(name string) bool {
	for i := range len(name) {
		if name[i] <= ' ' || name[i] > '~' || name[i] == '=' {
			return false
		}
	}
	return name != ""
}

// maxBytes is the limit of Kubernetes for the annotations of an object. The
// same bounds the other maps and lists, so that no object of a platform gets
// larger than it takes.
const maxBytes = 256 << 10

func validateSize[M ~map[string]string](c checker, m M) {
	size := mapSize(m)
	c.require(size <= maxBytes, fmt.Sprintf("%d bytes", size), "at most 256 KiB in all")
}

// validateSizes bounds what a platform keeps in one object. It names the field
// that takes the most.
func (config CloudHostingConfig) validateSizes(c checker) {
	sizes := map[string]int{"labels": mapSize(config.Labels), "env": mapSize(config.Env)}
	if container := config.Container; container != nil {
		sizes["container.commands"] = listSize(container.Commands)
		sizes["container.args"] = listSize(container.Args)
		sizes["container.env"] = mapSize(container.Env)
		if container.HealthCheck != nil {
			sizes["container.healthCheck.command"] = listSize(container.HealthCheck.Command)
		}
		if container.PreStop != nil {
			sizes["container.preStop.command"] = listSize(container.PreStop.Command)
		}
	}
	fields, total, largest := slices.Sorted(maps.Keys(sizes)), 0, "env"
	for _, field := range fields {
		total += sizes[field]
		if sizes[field] > sizes[largest] {
			largest = field
		}
	}
	c.at("%s", largest).require(total <= maxBytes, fmt.Sprintf("%d bytes", sizes[largest]),
		"at most 256 KiB together with "+strings.Join(slices.DeleteFunc(fields, func(field string) bool { return field == largest }), ", "))
}

func mapSize[M ~map[string]string](m M) int {
	size := 0
	for name, value := range m {
		size += len(name) + len(value)
	}
	return size
}

func listSize(texts []string) int {
	size := 0
	for _, text := range texts {
		size += len(text)
	}
	return size
}

var (
	secretKey  = regexp.MustCompile(`^[-._A-Za-z0-9]{1,253}$`)
	metaName   = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)
	imagePart  = `[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`
	imageHost  = `(?:[A-Za-z0-9](?:[-A-Za-z0-9]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[-A-Za-z0-9]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?`
	imageMatch = regexp.MustCompile(`^((?:` + imageHost + `/)?` + imagePart + `(?:/` + imagePart + `)*)(?::[A-Za-z0-9_][-A-Za-z0-9_.]{0,127})?(?:@(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}))?$`)
)

// isImage follows the grammar of github.com/distribution/reference, with the
// digests that registries have.
func isImage(image string) bool {
	match := imageMatch.FindStringSubmatch(image)
	return match != nil && len(match[1]) <= 255
}

func validateMetaKey(c checker, key string) {
	prefix, name, qualified := strings.Cut(key, "/")
	if !qualified {
		prefix, name = "", key
	}
	c.require(metaName.MatchString(name) && (!qualified || isSubdomain(prefix)), key,
		"a name of at most 63 letters, digits, '-', '_' and '.', after an optional DNS name and '/'")
}

func validateLabel(c checker, key, value string) {
	validateMetaKey(c, key)
	c.require(!isReserved(key) && key != "app" && key != "managed-by", key, `any but "app", "managed-by" and "skillcenter.io/*"`)
	c.require(value == "" || metaName.MatchString(value), value, "at most 63 letters, digits, '-', '_' and '.', a letter or digit at both ends")
}

// isReserved tells whether a label or annotation belongs to the provider.
func isReserved(key string) bool {
	prefix, _, qualified := strings.Cut(key, "/")
	return qualified && (prefix == "skillcenter.io" || strings.HasSuffix(prefix, ".skillcenter.io"))
}

// isSubdomain tells whether s is a DNS-1123 subdomain.
func isSubdomain(s string) bool {
	if len(s) > 253 {
		return false
	}
	for _, label := range strings.Split(s, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}
