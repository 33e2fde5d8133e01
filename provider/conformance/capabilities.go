package conformance

import (
	"fmt"
	"slices"
	"testing"

	"skillcenter.io/hosting"
)

func capabilityCases() []testCase {
	return []testCase{
		once("the provider names itself, its regions and its types", accessors),
		each("capabilities say yes or why not for everything", capabilitiesComplete),
		once("capabilities of an unknown region or type are refused", capabilitiesUnknown),
		each("what is not supported says so", unsupported),
	}
}

func accessors(t *testing.T, e *env) {
	if _, err := hosting.ParseID(e.p.ProviderName() + ":region.type.name"); err != nil {
		t.Errorf("ProviderName() = %q cannot stand in an id: %v", e.p.ProviderName(), err)
	}
	regions, types := e.p.SupportedRegions(), e.p.SupportedInstanceTypes()
	if !slices.Contains(regions, e.Region) {
		t.Errorf("SupportedRegions() = %q, without %q", regions, e.Region)
	}
	for i, region := range regions {
		if _, err := hosting.ParseID(region + ".type.name"); err != nil || slices.Contains(regions[:i], region) {
			t.Errorf("SupportedRegions() = %q: %q is there twice or cannot stand in an id: %v", regions, region, err)
		}
	}
	for i, instanceType := range types {
		if _, err := hosting.ParseID("region." + instanceType + ".name"); err != nil || slices.Contains(types[:i], instanceType) {
			t.Errorf("SupportedInstanceTypes() = %q: %q is there twice or cannot stand in an id: %v", types, instanceType, err)
		}
	}
	for _, instanceType := range e.Types {
		if !slices.Contains(types, instanceType) {
			t.Errorf("SupportedInstanceTypes() = %q, without %q", types, instanceType)
		}
	}
}

func capabilitiesComplete(t *testing.T, e *env) {
	set := read(t, e, "Capabilities", e.Region+", "+e.typ, func() (hosting.CapabilitySet, error) {
		return hosting.Capabilities(e.ctx, e.p, e.Region, e.typ)
	})
	for _, c := range hosting.AllCapabilities() {
		support, told := set[c]
		switch {
		case !told:
			t.Errorf("Capabilities(%q, %q) does not tell about %q", e.Region, e.typ, c)
		case !support.Supported && support.Note == "":
			t.Errorf("Capabilities(%q, %q): %q is not supported, and no note says why", e.Region, e.typ, c)
		}
	}
	for c := range set {
		if !slices.Contains(hosting.AllCapabilities(), c) {
			t.Errorf("Capabilities(%q, %q) has %q, which is no capability", e.Region, e.typ, c)
		}
	}
}

func capabilitiesUnknown(t *testing.T, e *env) {
	for _, bad := range []struct{ region, instanceType, value string }{
		{"no-such-region", e.typ, "no-such-region"},
		{e.Region, "nosuchtype", "nosuchtype"},
	} {
		_, err := hosting.Capabilities(e.ctx, e.p, bad.region, bad.instanceType)
		e.wantError(t, fmt.Sprintf("Capabilities(%q, %q)", bad.region, bad.instanceType), err, hosting.GetFailed, hosting.InvalidArgument, bad.value)
	}
}

// unsupported calls everything that the provider says it cannot do.
func unsupported(t *testing.T, e *env) {
	set := e.capabilities(t)
	missing := slices.DeleteFunc(hosting.AllCapabilities(), set.Has)
	if len(missing) == 0 {
		return
	}
	id := e.create(t, e.config(Serve)).ID
	for _, c := range idCalls() {
		if !slices.Contains(missing, c.needs) {
			continue
		}
		err := c.do(e.ctx, e.p, id)
		if err == nil && c.needs == hosting.CanMetrics {
			e.wantUnavailable(t, id, "cpuUsage", "memoryUsage")
			continue
		}
		e.wantIDError(t, fmt.Sprintf("%s(%s) without %q", c.name, id, c.needs), id, err, c.code, hosting.Unsupported)
	}
	for _, c := range configCalls(e.config(Serve)) {
		if slices.Contains(missing, c.needs) {
			e.wantError(t, fmt.Sprintf("%s without %q", c.name, c.needs), c.do(e.ctx, e.p, ""), c.code, hosting.Unsupported)
		}
	}
	if !set.Has(hosting.CanWatch) {
		for _, err := range hosting.WatchInstances(e.ctx, e.p) {
			e.wantError(t, "WatchInstances", err, hosting.ListFailed, hosting.Unsupported)
			break
		}
	}
	if set.Has(hosting.CanMetrics) && !set.Has(hosting.CanNetworkMetrics) {
		e.wantUnavailable(t, id, "networkIn", "networkOut")
	}
	if set.Has(hosting.CanMetrics) && !set.Has(hosting.CanDiskMetrics) {
		e.wantUnavailable(t, id, "diskUsage")
	}
	for c, ask := range asks(e) {
		if set.Has(c) {
			continue
		}
		config := e.config(Serve)
		ask(&config)
		_, err := e.tryCreate(t, config)
		e.wantError(t, fmt.Sprintf("CreateInstance that asks for %q", c), err, hosting.CreateFailed, hosting.Unsupported)
	}
}

// asks returns, for each capability that a configuration can ask for, how.
func asks(e *env) map[hosting.Capability]func(*hosting.CloudHostingConfig) {
	return map[hosting.Capability]func(*hosting.CloudHostingConfig){
		hosting.CanAutoscale: func(config *hosting.CloudHostingConfig) {
			config.Scaling = &hosting.ScaleConfig{MinReplicas: 1, MaxReplicas: 3, TargetCPUUtilization: 80}
		},
		hosting.CanIngress: func(config *hosting.CloudHostingConfig) {
			yes := true
			config.Network = &hosting.NetworkConfig{Ports: []int{8080}, IngressEnabled: &yes, IngressHost: config.InstanceName + ".example.com"}
		},
		hosting.CanHealthCheck: func(config *hosting.CloudHostingConfig) {
			config.Container.HealthCheck = &hosting.HealthCheck{TCP: &hosting.TCPCheck{Port: 8080}}
		},
		hosting.CanSecretEnv: func(config *hosting.CloudHostingConfig) {
			config.SecretEnv = hosting.SecretMap{"PASSWORD": "secret"}
		},
		hosting.CanMountVolumes: func(config *hosting.CloudHostingConfig) {
			config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: e.Region + ".volume.none", MountPath: "/data"}}
		},
	}
}

// wantUnavailable checks that the metrics list the fields as not measured.
func (e *env) wantUnavailable(t *testing.T, id string, fields ...string) {
	t.Helper()
	metrics := read(t, e, "GetMetrics", id, func() (hosting.InstanceMetrics, error) { return e.p.GetMetrics(e.ctx, id) })
	for _, field := range fields {
		if !slices.Contains(metrics.Unavailable, field) {
			t.Errorf("GetMetrics(%s): %s is not supported, want it among unavailable, got %q", id, field, metrics.Unavailable)
		}
	}
}
