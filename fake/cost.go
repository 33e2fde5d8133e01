package fake

import (
	"context"
	"math/big"
	"time"

	"skillcenter.io/hosting"
)

// Rates are the prices. A GiB is 2^30 bytes, a month has 730 hours.
type Rates struct {
	Currency         string  // an ISO 4217 code; CNY if empty
	CPUCoreHour      float64 // of a core that a running replica requests
	MemoryGiBHour    float64 // of memory that a running replica requests
	StorageGiBMonth  float64 // of a volume, for each instance that mounts it
	LoadBalancerHour float64 // of a service of type LoadBalancer
}

// DefaultRates returns the prices of a provider that was not given any: round
// figures, of about the size that clouds ask.
func DefaultRates() Rates {
	return Rates{Currency: "CNY", CPUCoreHour: 0.2, MemoryGiBHour: 0.05, StorageGiBMonth: 0.73, LoadBalancerHour: 0.1}
}

const (
	hoursPerDay   = 24
	hoursPerMonth = 730
	msPerHour     = int64(time.Hour / time.Millisecond)
)

// EstimateCost returns the cost of the replicas that the instance would start
// with, at their requests, running all the time. A cronjob is priced as one run
// that never ends. Volumes that are mounted and a load balancer are included.
func (p *Provider) EstimateCost(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CostEstimate, error) {
	o := operation{method: "EstimateCost", code: hosting.CostFailed, name: config.InstanceName}
	return call(ctx, p, o, func(time.Time) (hosting.CostEstimate, error) {
		admitted, err := p.admit(config)
		if err != nil {
			return hosting.CostEstimate{}, err
		}
		config := admitted.copy()
		volumes, err := p.volumesOf(config)
		if err != nil {
			return hosting.CostEstimate{}, err
		}
		replicas := int64(max(p.initialReplicas(config), 1))
		resources := fillResources(config.Resources)
		var hour ledger
		hour.record(time.UnixMilli(0), usage{
			microCores: replicas * microCores(resources.CPURequest), memoryKiB: replicas * (resources.MemoryRequest >> 10),
			storageKiB: volumes >> 10, loadBalancer: hasLoadBalancer(config),
		})
		var c consumption
		hour.addTo(&c, 0, msPerHour)
		breakdown := p.rates.price(&c)
		hourly := total(breakdown)
		return hosting.CostEstimate{Currency: p.rates.Currency, HourlyCost: hourly, DailyCost: hourly * hoursPerDay,
			MonthlyCost: hourly * hoursPerMonth, Breakdown: breakdown}, nil
	})
}

// volumesOf returns the size of the volumes that a configuration mounts.
func (p *Provider) volumesOf(config hosting.CloudHostingConfig) (int64, error) {
	var size int64
	seen := map[string]bool{}
	for _, mount := range config.Container.VolumeMounts {
		volume, err := p.findVolume(mount.VolumeID)
		if err != nil {
			return 0, hosting.Errorf("", hosting.CostFailed, hosting.ReasonOf(err), "container.volumeMounts: %w", err)
		}
		if !seen[volume.VolumeID] {
			seen[volume.VolumeID] = true
			size += volume.Size
		}
	}
	return size, nil
}

// GetActualCost returns what was paid for from start to end: the requests of
// each replica from when its container first started until it had ended, and
// volumes and a load balancer as long as the instance existed. It adds up all
// instances that had this id, also after they were deleted. The future is not
// covered.
func (p *Provider) GetActualCost(ctx context.Context, instanceID string, start, end hosting.Time) (hosting.CostActual, error) {
	return call(ctx, p, onInstance("GetActualCost", hosting.CostFailed, instanceID), func(now time.Time) (hosting.CostActual, error) {
		ledgers, key, err := p.ledgers(instanceID)
		if err != nil {
			return hosting.CostActual{}, err
		}
		if end.Before(start) {
			return hosting.CostActual{}, notAllowed("endTime", end.String(), []string{"not before startTime, " + start.String()})
		}
		knownTo := min(end.Millis(), now.UnixMilli())
		knownFrom := start.Millis()
		var c consumption
		for _, l := range ledgers {
			knownFrom = max(knownFrom, l.knownFrom)
			l.addTo(&c, start.Millis(), knownTo)
		}
		coverage := 1.0
		if end.After(start) {
			coverage = float64(max(0, knownTo-knownFrom)) / float64(end.Millis()-start.Millis())
		}
		breakdown := p.rates.price(&c)
		return hosting.CostActual{InstanceID: key, Currency: p.rates.Currency, StartTime: start, EndTime: end,
			TotalCost: total(breakdown), Breakdown: breakdown, Coverage: coverage}, nil
	})
}

// ledgers returns those of all instances that have or had an id.
func (p *Provider) ledgers(instanceID string) (ledgers []*ledger, key string, err error) {
	id, err := hosting.ParseID(instanceID)
	if err != nil {
		return nil, "", fail(hosting.InvalidArgument, "%w", err)
	}
	mine := p.isMine(id)
	id.Provider = ""
	key = id.String()
	for i := range p.graves {
		if mine && p.graves[i].key == key {
			ledgers = append(ledgers, &p.graves[i].ledger)
		}
	}
	if in, err := p.find(instanceID); err == nil {
		ledgers = append(ledgers, &in.ledger)
	}
	if len(ledgers) == 0 {
		return nil, "", instanceNotFound(instanceID)
	}
	return ledgers, key, nil
}

// price turns what was used into money.
func (r Rates) price(c *consumption) hosting.CostBreakdown {
	const kiBPerGiB = 1 << 20
	hours := func(sum *big.Int, unit float64) float64 {
		amount, _ := new(big.Float).SetInt(sum).Float64()
		return amount / unit / float64(msPerHour)
	}
	return hosting.CostBreakdown{
		Compute: hours(&c.cpu, 1e6) * r.CPUCoreHour,
		Memory:  hours(&c.memory, kiBPerGiB) * r.MemoryGiBHour,
		Storage: hours(&c.storage, kiBPerGiB) / hoursPerMonth * r.StorageGiBMonth,
		Network: hours(&c.loadBalancer, 1) * r.LoadBalancerHour,
	}
}

// total adds up the parts, always in the same order, so that they sum to it
// exactly.
func total(b hosting.CostBreakdown) float64 { return b.Compute + b.Memory + b.Storage + b.Network }
