package hosting

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Validate tells all that is wrong with a volume to be created, as
// [FieldErrors].
func (volume Volume) Validate() error {
	c := newChecker()
	c.at("name").add(checkName(volume.Name))
	if volume.Region != "" {
		c.at("region").add(checkLabel("", volume.Region))
	}
	if volume.Provider != "" {
		c.at("provider").add(checkLabel("", volume.Provider))
	}
	c.at("type").oneOf(cmp.Or(volume.Type, VolumeStandard), VolumeStandard, VolumeSSD, VolumeShared)
	c.at("size").require(volume.Size > 0 && volume.Size <= 1<<60, volume.Size, "bytes, 1 to 2^60")
	c.at("accessMode").oneOf(cmp.Or(volume.AccessMode, ReadWriteOnce), ReadWriteOnce, ReadOnlyMany, ReadWriteMany, ReadWriteOncePod)
	if volume.StorageClass != "" {
		c.at("storageClass").require(isSubdomain(volume.StorageClass), volume.StorageClass, "the name of a storage class: DNS labels joined by dots")
	}
	return c.done()
}

// ValidateMountPath tells whether a volume may be mounted at mountPath.
func ValidateMountPath(mountPath string) error {
	c := newChecker()
	c.at("mountPath").require(isMountPath(mountPath), mountPath, mountPathAllowed)
	return c.done()
}

// Validate tells all that is wrong with a policy to be created, as
// [FieldErrors].
func (policy AutoScalePolicy) Validate() error {
	c := newChecker()
	if id, err := ParseID(policy.InstanceID); err != nil || slices.Contains([]string{"volume", "service", "policy"}, id.Type) {
		c.at("instanceId").require(false, policy.InstanceID, "an instance id, <region>.<type>.<name>")
	}
	c.at("name").add(checkName(policy.Name))
	c.at("minReplicas").require(policy.MinReplicas >= 1, policy.MinReplicas, "1 or more")
	validateCount(c.at("maxReplicas"), policy.MaxReplicas)
	c.at("maxReplicas").require(policy.MaxReplicas >= policy.MinReplicas, policy.MaxReplicas,
		fmt.Sprintf("at least minReplicas, %d", policy.MinReplicas))
	c.at("scaleUpRules").require(len(policy.ScaleUpRules)+len(policy.ScaleDownRules) > 0, "empty", "at least one rule, up or down")
	c.at("scaleUpRules").require(len(policy.ScaleUpRules) <= maxRules, len(policy.ScaleUpRules), fmt.Sprintf("at most %d", maxRules))
	c.at("scaleDownRules").require(len(policy.ScaleDownRules) <= maxRules, len(policy.ScaleDownRules), fmt.Sprintf("at most %d", maxRules))
	for i, rule := range policy.ScaleUpRules {
		rule.validate(c.at("scaleUpRules[%d]", i))
	}
	for i, rule := range policy.ScaleDownRules {
		rule.validate(c.at("scaleDownRules[%d]", i))
	}
	c.at("cooldownPeriod").require(policy.CooldownPeriod >= 0, policy.CooldownPeriod, "0 or more")
	c.at("stabilizationWindow").require(policy.StabilizationWindow >= 0, policy.StabilizationWindow, "0 or more")
	return c.done()
}

// maxMetricName leaves room for the rest of an event that tells of a rule, which
// has 1 KiB on Kubernetes; maxRules keeps a policy small enough for any store.
const maxMetricName, maxRules = 256, 50

func (rule ScaleRule) validate(c checker) {
	c.at(".metricType").oneOf(rule.MetricType, MetricResource, MetricCustom, MetricExternal)
	if rule.MetricType == MetricResource {
		c.at(".metricName").oneOf(rule.MetricName, MetricCPUUsage, MetricMemoryUsage, MetricNetworkIn, MetricNetworkOut)
	} else {
		c.at(".metricName").require(rule.MetricName != "" && len(rule.MetricName) <= maxMetricName && isLine(rule.MetricName), rule.MetricName,
			fmt.Sprintf("the name of a metric, at most %d bytes, without control characters", maxMetricName))
	}
	c.at(".threshold").require(!math.IsNaN(rule.Threshold) && !math.IsInf(rule.Threshold, 0), rule.Threshold, "a finite number")
	c.at(".comparison").oneOf(rule.Comparison, ">", ">=", "<", "<=")
	c.at(".stepSize").require(rule.StepSize >= 1 && rule.StepSize <= maxCount, rule.StepSize, "1 to 100000")
	c.at(".evaluationPeriod").require(rule.EvaluationPeriod >= 0, rule.EvaluationPeriod, "0 or more")
}

// Validate tells all that is wrong with a service to be registered, as
// [FieldErrors].
func (service ServiceRegistration) Validate() error {
	c := newChecker()
	c.at("serviceName").add(checkName(service.ServiceName))
	c.at("protocol").oneOf(cmp.Or(service.Protocol, ProtocolHTTP), ProtocolHTTP, ProtocolHTTPS, ProtocolGRPC, ProtocolTCP)
	c.at("endpoint").require(service.Endpoint == "" || isEndpoint(service.Endpoint), service.Endpoint, "an absolute URL with a host, such as http://orders.example.com:8080, at most 2048 characters")
	c.at("host").require(service.Host == "" || isHost(service.Host), service.Host, "a DNS name or an IP address, without a port")
	c.at("status").text(service.Status)
	validatePort(c.at("port"), service.Port)
	c.at("aliases").require(len(service.Aliases) <= maxAliases, len(service.Aliases), fmt.Sprintf("at most %d", maxAliases))
	seen := map[string]bool{service.ServiceName: true}
	for i, alias := range service.Aliases {
		c.at("aliases[%d]", i).add(checkName(alias))
		c.at("aliases[%d]", i).require(!seen[alias], alias, "each name once")
		seen[alias] = true
	}
	if balancer := service.LoadBalancer; balancer != nil {
		c.at("loadBalancer.strategy").oneOf(cmp.Or(balancer.Strategy, StrategyRoundRobin), StrategyRoundRobin, StrategyRandom, StrategyLeastConnections)
		interval, timeout := balancer.HealthCheckInterval, balancer.HealthCheckTimeout
		c.at("loadBalancer.healthCheckInterval").require(interval == 0 || interval >= MinHealthCheckInterval, interval, "0, or 1 s or more")
		c.at("loadBalancer.healthCheckTimeout").require(timeout >= 0 && timeout <= MaxHealthCheckTimeout, timeout, "0 to 1 min")
		path := cmp.Or(balancer.HealthCheckPath, "/")
		c.at("loadBalancer.healthCheckPath").require(isPath(path) && len(path) <= 2048, path, pathAllowed)
	}
	return c.done()
}

// maxAliases keeps a registration small enough for an object of any platform.
const maxAliases = 100

// isEndpoint tells whether s is a URL that says where to connect.
func isEndpoint(s string) bool {
	parsed, err := url.Parse(s)
	return err == nil && len(s) <= 2048 && isLine(s) && parsed.Scheme != "" && parsed.Hostname() != ""
}

func isHost(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil || isSubdomain(strings.ToLower(s))
}
