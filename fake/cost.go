package fake

import (
	"context"
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
)

// EstimateCost returns the cost of the replicas that the instance would start
// with, at their requests, running all the time. A cronjob is priced as one run
// that never ends. Volumes that are mounted and a load balancer are included.
func (p *Provider) EstimateCost(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CostEstimate, error) {
	o := operation{method: "EstimateCost", code: hosting.CostFailed, name: config.InstanceName}
	return call(ctx, p, o, func(time.Time) (hosting.CostEstimate, error) {
		r, err := p.admit(config)
		if err != nil {
			return hosting.CostEstimate{}, err
		}
		volumes, refusal := p.volumesOf(r)
		if refusal != nil {
			return hosting.CostEstimate{}, refusal
		}
		return p.estimate(r.config, volumes, p.initialReplicas(r.config)), nil
	})
}

// estimate returns what replicas that run all the time cost; of a cronjob, one
// run.
func (p *Provider) estimate(config hosting.CloudHostingConfig, volumes []*hosting.Volume, replicas int) hosting.CostEstimate {
	u := usage{loadBalancers: loadBalancers(config)}
	for _, volume := range volumes {
		u.storage += float64(volume.Size)
	}
	if config.InstanceType == hosting.TypeCronJob {
		replicas = p.defaults.minReplicas(config)
	}
	u.add(usageOf(p.defaults.fillResources(config.Resources)), float64(replicas))
	breakdown := p.rates.price(u.times(float64(msPerHour)))
	hourly := total(breakdown)
	return hosting.CostEstimate{Currency: p.rates.Currency, HourlyCost: hourly, DailyCost: hourly * hoursPerDay,
		MonthlyCost: hourly * hoursPerMonth, Breakdown: breakdown}
}

// GetActualCost returns what was paid for from start to end: the requests of
// each replica from when its container first started until it had ended, and
// volumes and a load balancer as long as the instance existed. It adds up all
// instances that had this id, also after they were deleted.
//
// The future is not covered, nor is what was forgotten: see the package's
// documentation. Of an hour of which only the average was kept, a period that
// cuts it gets its share.
func (p *Provider) GetActualCost(ctx context.Context, instanceID string, start, end hosting.Time) (hosting.CostActual, error) {
	return call(ctx, p, onInstance("GetActualCost", hosting.CostFailed, instanceID), func(now time.Time) (hosting.CostActual, error) {
		ledgers, key, err := p.ledgers(instanceID)
		if err != nil {
			return hosting.CostActual{}, err
		}
		if end.IsZero() {
			return hosting.CostActual{}, notAllowed("endTime", "0", []string{"a time after startTime"})
		}
		if end.Before(start) {
			return hosting.CostActual{}, notAllowed("endTime", end.String(), []string{"not before startTime, " + start.String()})
		}
		asked := period{start.Millis(), end.Millis()}
		past := period{asked.from, min(asked.to, now.UnixMilli())}
		var sum usage
		for _, l := range ledgers {
			sum.add(used(l.changes, past), 1)
		}
		breakdown := p.rates.price(sum)
		return hosting.CostActual{InstanceID: key, Currency: p.rates.Currency, StartTime: start, EndTime: end,
			TotalCost: total(breakdown), Breakdown: breakdown, Coverage: p.coverage(ledgers, asked, past)}, nil
	})
}

// coverage is the share of a period for which it is known what was used.
func (p *Provider) coverage(ledgers []*ledger, asked, past period) float64 {
	length := asked.overlap(asked)
	if length == 0 {
		return 1
	}
	known := past.overlap(past)
	for _, l := range ledgers {
		known -= past.overlap(l.dropped)
	}
	// An instance that was forgotten may have had this id, until the first one
	// that is known.
	forgotten := p.forgotten
	forgotten.to = min(forgotten.to, ledgers[0].begin())
	known -= past.overlap(forgotten)
	return min(max(known/length, 0), 1)
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

// price turns usage times milliseconds into money.
func (r Rates) price(sum usage) hosting.CostBreakdown {
	const gib = 1 << 30
	hours := sum.times(1 / float64(msPerHour))
	return hosting.CostBreakdown{
		Compute: hours.microCores / 1e6 * r.CPUCoreHour,
		Memory:  hours.memory / gib * r.MemoryGiBHour,
		Storage: hours.storage / gib / hoursPerMonth * r.StorageGiBMonth,
		Network: hours.loadBalancers * r.LoadBalancerHour,
	}
}

// total adds up the parts, always in the same order, so that they sum to it
// exactly.
func total(b hosting.CostBreakdown) float64 { return b.Compute + b.Memory + b.Storage + b.Network }
