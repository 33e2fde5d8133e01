package fake

import (
	"context"
	"slices"
	"time"

	"skillcenter.io/hosting"
)

// Capabilities returns what can be done with instances of a type; an empty
// region is the default one. Regions do not differ.
func (p *Provider) Capabilities(ctx context.Context, region, instanceType string) (hosting.CapabilitySet, error) {
	o := operation{method: "Capabilities", code: hosting.GetFailed}
	return call(ctx, p, o, func(time.Time) (hosting.CapabilitySet, error) {
		if region != "" && !slices.Contains(p.regions, region) {
			return nil, notAllowed("region", region, p.regions)
		}
		if !slices.Contains(p.types, instanceType) {
			return nil, notAllowed("instanceType", instanceType, p.types)
		}
		return capabilitiesOf(instanceType), nil
	})
}

func capabilitiesOf(instanceType string) hosting.CapabilitySet {
	set := hosting.CapabilitySet{}
	for _, capability := range hosting.AllCapabilities() {
		set[capability] = hosting.Support{Supported: true}
	}
	deny := func(note string, capabilities ...hosting.Capability) {
		for _, capability := range capabilities {
			set[capability] = hosting.Support{Note: note}
		}
	}
	if instanceType != hosting.TypeCronJob {
		deny("only cronjobs have runs", hosting.CanRunNow)
	}
	if !autoscales(instanceType) {
		deny("its replicas do not follow the load", hosting.CanAutoscale)
	}
	switch instanceType {
	case hosting.TypeDaemonSet:
		deny("it has one replica on each node", hosting.CanScale)
	case hosting.TypeCronJob:
		deny("its schedule says what runs", hosting.CanScale)
		deny("RunNow starts a run", hosting.CanRestart)
	case hosting.TypeJob:
		set[hosting.CanUpdateResources] = hosting.Support{Supported: true, Note: "while it is stopped"}
		fixed := hosting.Support{Supported: true, Note: "its container, env and secretEnv cannot change"}
		set[hosting.CanApply], set[hosting.CanRollback] = fixed, fixed
	}
	set[hosting.CanHealthCheck] = hosting.Support{Supported: true, Note: "checks succeed as soon as a replica runs"}
	set[hosting.CanEndpoint] = hosting.Support{Supported: true, Note: "nothing listens there"}
	return set
}
