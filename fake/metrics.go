package fake

import (
	"context"
	"math"
	"time"

	"skillcenter.io/hosting"
)

// Load is the work that is offered to an instance.
type Load struct {
	// CPU is the work in cores, for the whole instance. The replicas that are
	// ready share it evenly; each does at most its CPU limit, and what is
	// more than that is not done.
	CPU float64
	// Memory is the bytes that each ready replica uses, at most its memory
	// limit.
	Memory int64
	// NetworkIn and NetworkOut are bytes per second for the whole instance,
	// as long as at least one replica is ready.
	NetworkIn, NetworkOut float64
	// Disk is the bytes that each ready replica has written, at most its
	// storage limit if it has one.
	Disk int64
}

// DefaultLoad returns the load of an instance for which none was set: a tenth
// of a core, 64 MiB of memory and 10 MiB of disk for each replica, and 1 kB/s
// either way.
func DefaultLoad() Load {
	return Load{CPU: 0.1, Memory: 64 << 20, NetworkIn: 1000, NetworkOut: 1000, Disk: 10 << 20}
}

// SetLoad sets the load of an instance from now on. A figure that is no number
// is an InvalidArgument, one that is negative counts as 0.
func (p *Provider) SetLoad(instanceID string, load Load) error {
	for _, f := range []struct {
		name  string
		value float64
	}{{"CPU", load.CPU}, {"NetworkIn", load.NetworkIn}, {"NetworkOut", load.NetworkOut}} {
		if math.IsNaN(f.value) {
			return p.failure(operation{code: hosting.MetricsFailed, id: instanceID}, notAllowed(f.name, "NaN", []string{"a number"}))
		}
	}
	return p.SetLoadFunc(instanceID, func(time.Time) Load { return load })
}

// SetLoadFunc sets the load of an instance as a function of time; what is no
// number in it, or negative, counts as 0. The function
// must give the same answer for the same time, return at once and not call the
// provider, which is locked meanwhile.
func (p *Provider) SetLoadFunc(instanceID string, load func(time.Time) Load) error {
	o := operation{code: hosting.MetricsFailed, id: instanceID}
	_, err := locked(p, func(time.Time) (struct{}, error) {
		in, err := p.find(instanceID)
		if err == nil {
			in.load = load
		}
		return struct{}{}, err
	})
	if err != nil {
		return p.failure(o, err)
	}
	return nil
}

// GetMetrics returns what the instance uses now: its load as far as the ready
// replicas can carry it. Nothing is unavailable. A sum of bytes that is too
// large for its field is the largest number there is.
func (p *Provider) GetMetrics(ctx context.Context, instanceID string) (hosting.InstanceMetrics, error) {
	return call(ctx, p, onInstance("GetMetrics", hosting.MetricsFailed, instanceID), func(now time.Time) (hosting.InstanceMetrics, error) {
		in, err := p.find(instanceID)
		if err != nil {
			return hosting.InstanceMetrics{}, err
		}
		return in.metrics(now), nil
	})
}

func (in *instance) metrics(t time.Time) hosting.InstanceMetrics {
	m := hosting.InstanceMetrics{InstanceID: in.key, Timestamp: hosting.NewTime(t), Replicas: in.shownReplicas(), ReadyReplicas: in.tally().serving}
	if m.ReadyReplicas == 0 {
		return m
	}
	load := DefaultLoad()
	if in.load != nil {
		load = in.load(t)
	}
	share := figure(load.CPU) / float64(m.ReadyReplicas)
	for _, r := range in.replicas {
		if r.phase != ready {
			continue
		}
		m.MeasuredReplicas++
		m.CPUUsage += min(share, r.resources.CPULimit)
		m.MemoryUsage = addUpTo(m.MemoryUsage, min(max(0, load.Memory), r.resources.MemoryLimit))
		disk := max(0, load.Disk)
		if limit := r.resources.StorageLimit; limit > 0 {
			disk = min(disk, limit)
		}
		m.DiskUsage = addUpTo(m.DiskUsage, disk)
	}
	m.NetworkIn, m.NetworkOut = figure(load.NetworkIn), figure(load.NetworkOut)
	return m
}

// figure returns a number that JSON has, and that is not negative: what is no
// number is 0.
func figure(x float64) float64 {
	if !(x > 0) { // also if it is NaN
		return 0
	}
	return min(x, math.MaxFloat64)
}

// addUpTo adds two sizes, as far as the sum can be told.
func addUpTo(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
