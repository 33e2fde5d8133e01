package fake

import (
	"math"
	"slices"
	"time"

	"skillcenter.io/hosting"
)

const (
	// maxChanges is how many changes of what an instance uses are kept: what
	// a cronjob that runs each minute makes in a week, or, by the hour, more
	// than a year.
	maxChanges = 20_000
	// maxGraves is how many deleted instances are remembered for their costs.
	maxGraves = 256
	// maxGraveChanges is how many changes of each are: 40 days by the hour.
	maxGraveChanges = 1500
)

// usage is what is paid for at a moment. The numbers are whole, except in an
// average, and so large sums are as exact as a float64 can be, and never wrap
// around.
type usage struct{ microCores, memory, storage, loadBalancers float64 }

// add adds usage times a factor.
func (u *usage) add(other usage, factor float64) {
	u.microCores += other.microCores * factor
	u.memory += other.memory * factor
	u.storage += other.storage * factor
	u.loadBalancers += other.loadBalancers * factor
}

// ledger is what an instance used since when, as the points at which that
// changed. What is old is kept as averages over hours, so that it is known
// what a long time cost, and what is older still is dropped.
type ledger struct {
	changes []change
	dropped period
}

type change struct {
	ms int64
	usage
}

// period is a time in ms, from inclusive, to exclusive.
type period struct{ from, to int64 }

// overlap returns the length of what two periods have in common. It is a float
// since that of two times that a caller may choose can be more than an int64.
func (p period) overlap(other period) float64 {
	return max(0, float64(min(p.to, other.to))-float64(max(p.from, other.from)))
}

// begin is when the instance was created. A ledger is never empty then.
func (l *ledger) begin() int64 {
	if l.dropped != (period{}) {
		return l.dropped.from
	}
	return l.changes[0].ms
}

// record notes what is used from t on.
func (l *ledger) record(t time.Time, u usage) {
	ms := t.UnixMilli()
	if n := len(l.changes); n > 0 {
		switch last := &l.changes[n-1]; {
		case last.usage == u:
			return
		case last.ms == ms:
			last.usage = u
			return
		}
	}
	if len(l.changes) == maxChanges {
		l.shrink(maxChanges/4, maxChanges*3/4)
	}
	l.changes = append(l.changes, change{ms, u})
}

// shrink cuts the ledger back to a limit: it keeps the newest changes exactly,
// about so many of them, and the others by the hour, as far as there is room.
func (l *ledger) shrink(exact, limit int) {
	if len(l.changes) <= limit {
		return
	}
	changes := byHour(l.changes, len(l.changes)-max(exact, 1))
	if excess := len(changes) - limit; excess > 0 {
		if l.dropped == (period{}) {
			l.dropped.from = changes[0].ms
		}
		l.dropped.to = changes[excess].ms
		changes = changes[excess:]
	}
	l.changes = slices.Clone(changes)
}

const msPerHour = int64(time.Hour / time.Millisecond)

// byHour replaces the first n changes, which are not all, by averages over
// hours where there was more than one in an hour. It never returns more than
// it got, and at most three for two hours.
func byHour(changes []change, n int) []change {
	var result []change
	add := func(ms int64, u usage) {
		if len(result) == 0 || result[len(result)-1].usage != u {
			result = append(result, change{ms, u})
		}
	}
	now := 0 // the change that is in force at a time
	for at, end := changes[0].ms, changes[n].ms; at < end; {
		to := min(end, hourOf(at)+msPerHour)
		next := now + 1 // the first change that is not in the hour
		for changes[next].ms < to {
			next++
		}
		if inside := changes[now+1 : next]; len(inside) > 1 {
			add(at, used(changes[now:next], period{at, to}).times(1/float64(to-at)))
			at = to
		} else {
			add(at, changes[now].usage)
			for _, c := range inside {
				add(c.ms, c.usage)
			}
			at = max(to, min(end, hourOf(changes[next].ms)))
		}
		now = next - 1
		if changes[next].ms == at {
			now = next
		}
	}
	return append(result, changes[n:]...)
}

// hourOf returns the beginning of an hour.
func hourOf(ms int64) int64 { return ms - ms%msPerHour }

func (u usage) times(factor float64) usage {
	var result usage
	result.add(u, factor)
	return result
}

// used returns usage times milliseconds over a period.
func used(changes []change, p period) usage {
	var sum usage
	for i, change := range changes {
		until := int64(math.MaxInt64)
		if i+1 < len(changes) {
			until = changes[i+1].ms
		}
		sum.add(change.usage, p.overlap(period{change.ms, until}))
	}
	return sum
}

// grave is what is remembered of a deleted instance.
type grave struct {
	key    string
	ledger ledger
}

// remember keeps the ledger of an instance that is gone, and drops that of
// another one if there are too many.
func (p *Provider) remember(in *instance) {
	if len(p.graves) == maxGraves {
		oldest := &p.graves[0].ledger
		from := oldest.begin()
		if p.forgotten == (period{}) {
			p.forgotten.from = from
		}
		p.forgotten.from = min(p.forgotten.from, from)
		p.forgotten.to = max(p.forgotten.to, oldest.changes[len(oldest.changes)-1].ms)
		p.graves = slices.Delete(p.graves, 0, 1)
	}
	in.ledger.shrink(0, maxGraveChanges)
	in.ledger.changes = slices.Clip(in.ledger.changes)
	p.graves = append(p.graves, grave{in.key, in.ledger})
}

// meter notes what the instance uses from t on: the requests of the replicas
// whose container has started, and, as long as it exists, its volumes and its
// load balancer.
func (in *instance) meter(t time.Time) {
	if in.gone {
		in.ledger.record(t, usage{})
		return
	}
	u := usage{storage: in.storage, loadBalancers: loadBalancers(in.config)}
	for _, r := range in.replicas {
		if r.started {
			u.add(usageOf(r.resources), 1)
		}
	}
	in.ledger.record(t, u)
}

// usageOf is what a replica is paid for. Cores are counted in millionths, so
// that the sum does not depend on the order.
func usageOf(resources hosting.ResourceConfig) usage {
	return usage{microCores: math.Round(resources.CPURequest * 1e6), memory: float64(resources.MemoryRequest)}
}

// loadBalancers is how many load balancers an instance has.
func loadBalancers(config hosting.CloudHostingConfig) float64 {
	if config.Network != nil && config.Network.ServiceType == hosting.ServiceLoadBalancer {
		return 1
	}
	return 0
}
