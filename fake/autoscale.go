package fake

import (
	"context"
	"fmt"
	"math"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
)

var _ autoscale.Backend = (*Provider)(nil)

const (
	// autoscaleInterval is the time between two looks of an autoscaler, as on
	// Kubernetes.
	autoscaleInterval = 15 * time.Second
	// autoscaleTolerance is how far the use may be from the target before
	// anything changes.
	autoscaleTolerance = 0.1
)

// hasTarget tells whether a configuration asks for an autoscaler.
func hasTarget(scaling *hosting.ScaleConfig) bool {
	return scaling != nil && (scaling.TargetCPUUtilization > 0 || scaling.TargetMemoryUtilization > 0)
}

// autoscales tells whether instances of a type can have an autoscaler.
func autoscales(instanceType string) bool {
	return scales(instanceType) && instanceType != hosting.TypeJob
}

// scales tells whether the replicas of a type can be chosen.
func scales(instanceType string) bool {
	return instanceType != hosting.TypeDaemonSet && instanceType != hosting.TypeCronJob
}

func (in *instance) autoscalerName() string {
	minimum, maximum := in.replicaRange()
	return fmt.Sprintf("%s (%d to %d replicas)", in.id.Name, minimum, maximum)
}

func (in *instance) replicaRange() (minimum, maximum int) {
	scaling := in.provider.defaults.autoscaling(in.config)
	return scaling.MinReplicas, scaling.MaxReplicas
}

// autoscale is one look of the autoscaler: it wants so many replicas that each
// uses the target share of its request. Unlike a real one it has no patience:
// it scales down as quickly as up.
func (in *instance) autoscale(t time.Time) {
	in.nextTick = t.Add(autoscaleInterval)
	m := in.metrics(t)
	if m.ReadyReplicas == 0 || in.desired == 0 || in.takenOver {
		return
	}
	scaling := in.provider.defaults.autoscaling(in.config)
	cpu := wantedFor(m.CPUUsage, in.resources.CPURequest, scaling.TargetCPUUtilization, m.ReadyReplicas)
	memory := wantedFor(float64(m.MemoryUsage), float64(in.resources.MemoryRequest), scaling.TargetMemoryUtilization, m.ReadyReplicas)
	minimum, maximum := in.replicaRange()
	want := min(max(cpu, memory, minimum), maximum)
	if want == in.desired {
		return
	}
	in.event(t, hosting.EventNormal, "Autoscaled", fmt.Sprintf("scaled from %d to %d replicas", in.desired, want))
	in.scaleTo(want)
}

// wantedFor returns how many replicas a use asks for; 0 if it has no target.
func wantedFor(use, request float64, target, replicas int) int {
	if target == 0 {
		return 0
	}
	wanted := use / (request * float64(target) / 100)
	if math.Abs(wanted/float64(replicas)-1) <= autoscaleTolerance {
		return replicas
	}
	return int(math.Ceil(wanted))
}

// ScaleFrom changes the number of replicas unless it is no longer from, or the
// instance is stopped, which is a Conflict.
func (p *Provider) ScaleFrom(ctx context.Context, instanceID string, from, to int) error {
	return p.change(ctx, onInstance("ScaleFrom", hosting.ScaleFailed, instanceID), func(in *instance, now time.Time) error {
		var conflict error
		switch {
		case in.stopped:
			conflict = fail(hosting.Conflict, "instance %s is stopped", in.key)
		case in.desired != from:
			conflict = fail(hosting.Conflict, "instance %s has %d replicas, not %d", in.key, in.desired, from)
		case hasTarget(in.config.Scaling) && !in.takenOver:
			conflict = fail(hosting.Conflict, "instance %s is scaled by its autoscaler, %s", in.key, in.autoscalerName())
		}
		return in.scale(now, to, conflict)
	})
}

// TakeOver stops the autoscaler that an instance has, or gets, if its scaling
// has a target: it acts no more until GiveBack. Instances that never have one
// are left as they are. One with a volume for one replica only is a Conflict, and
// it gets no such volume while it is taken over.
func (p *Provider) TakeOver(ctx context.Context, instanceID string) error {
	return p.setTakenOver(ctx, "TakeOver", instanceID, true)
}

// GiveBack lets the instance's own autoscaler act again.
func (p *Provider) GiveBack(ctx context.Context, instanceID string) error {
	return p.setTakenOver(ctx, "GiveBack", instanceID, false)
}

func (p *Provider) setTakenOver(ctx context.Context, method, instanceID string, taken bool) error {
	return p.change(ctx, onInstance(method, hosting.ScaleFailed, instanceID), func(in *instance, _ time.Time) error {
		if in.takenOver == taken || !autoscales(in.id.Type) {
			return nil
		}
		if taken && in.exclusive != "" {
			return fail(hosting.Conflict, "instance %s has volume %s, which only one replica can use: no policy can scale it", in.key, in.exclusive)
		}
		in.takenOver = taken
		in.notify()
		return nil
	})
}
