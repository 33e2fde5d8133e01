package kubernetes

import (
	"cmp"
	"context"
	"strings"

	"skillcenter.io/hosting"
)

const (
	noteCost = "a cluster does not know what its nodes cost, and price books are not available yet"
)

// notes say why something is not supported for any type.
var notes = map[hosting.Capability]string{
	hosting.CanNetworkMetrics: noteKubelet,
	hosting.CanDiskMetrics:    noteKubelet,
	hosting.CanEstimateCost:   noteCost,
	hosting.CanActualCost:     noteCost,
	hosting.CanRunNow:         "only a cronjob has runs",
}

// conditions say under which condition something is supported.
var conditions = map[hosting.Capability]string{
	hosting.CanMetrics:    "needs metrics-server; without it cpuUsage and memoryUsage are unavailable",
	hosting.CanAutoscale:  "needs metrics-server",
	hosting.CanIngress:    "needs an ingress controller",
	hosting.CanStreamLogs: "on a busy node lines may be lost without a gap or repeated, see logs.md",

	hosting.CanNetworkMetrics: conditionKubelet,
	hosting.CanDiskMetrics:    conditionKubelet,
}

// Capabilities implements [hosting.CapabilityReporter]. It does no I/O.
func (p *Provider) Capabilities(ctx context.Context, region, instanceType string) (hosting.CapabilitySet, error) {
	if err := ctx.Err(); err != nil {
		return nil, p.fail(ctx, hosting.GetFailed, "", "reporting capabilities", err)
	}
	refuse := func(field, value string, allowed []string) error {
		return hosting.Errorf(p.config.Name, hosting.GetFailed, hosting.InvalidArgument, "%w",
			hosting.FieldErrors{{Field: field, Value: value, Allowed: strings.Join(allowed, ", ")}})
	}
	if region = cmp.Or(region, p.config.Regions[0].Name); p.regions[region] == nil {
		return nil, refuse("region", region, p.SupportedRegions())
	}
	kind := kinds[instanceType]
	if kind == nil {
		return nil, refuse("instanceType", instanceType, instanceTypes)
	}
	set := hosting.CapabilitySet{}
	for _, c := range hosting.AllCapabilities() {
		note, unsupported := notes[c]
		if c == hosting.CanRunNow && instanceType == hosting.TypeCronJob {
			unsupported = false
		}
		if note == noteKubelet && p.config.KubeletMetrics != nil {
			unsupported = false
		}
		if why := kind.unsupported[c]; why != "" {
			note, unsupported = why, true
		}
		if !unsupported {
			note = conditions[c]
			switch {
			case c == hosting.CanUpdateResources && kind.isJob():
				note = "only while it is stopped"
			case c == hosting.CanMountVolumes && kind.isJob():
				note = "they change only while it is stopped or has ended"
			case c == hosting.CanMountVolumes && instanceType == hosting.TypeDaemonSet:
				note = "ReadOnlyMany and ReadWriteMany: it has a replica on each node"
			}
		}
		set[c] = hosting.Support{Supported: !unsupported, Note: note}
	}
	return set, nil
}
