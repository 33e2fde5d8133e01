package fake

import (
	"math/big"
	"time"

	"skillcenter.io/hosting"
)

const (
	// maxChanges is how many changes of what an instance uses are kept: more
	// than a cronjob that runs each minute makes in 40 days.
	maxChanges = 150_000
	// maxGraves is how many deleted instances are remembered for their costs.
	maxGraves = 256
)

// usage is what is paid for at a moment, in units of which sums over all
// replicas fit into 64 bits.
type usage struct {
	microCores   int64
	memoryKiB    int64
	storageKiB   int64
	loadBalancer bool
}

// ledger is what an instance used since when, as the points at which that
// changed. Times are whole milliseconds, so that the sum over a period is the
// same however it is divided.
type ledger struct {
	knownFrom int64 // ms; what was before was dropped
	changes   []change
}

type change struct {
	ms int64
	usage
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
		l.changes = append(make([]change, 0, maxChanges), l.changes[maxChanges/2:]...)
		l.knownFrom = l.changes[0].ms
	}
	l.changes = append(l.changes, change{ms, u})
}

// consumption is usage times milliseconds.
type consumption struct{ cpu, memory, storage, loadBalancer big.Int }

// addTo adds what was used from start to end.
func (l *ledger) addTo(c *consumption, start, end int64) {
	for i, change := range l.changes {
		from, to := max(change.ms, start), end
		if i+1 < len(l.changes) {
			to = min(to, l.changes[i+1].ms)
		}
		if from >= to {
			continue
		}
		span := to - from
		accumulate(&c.cpu, change.microCores, span)
		accumulate(&c.memory, change.memoryKiB, span)
		accumulate(&c.storage, change.storageKiB, span)
		if change.loadBalancer {
			accumulate(&c.loadBalancer, 1, span)
		}
	}
}

func accumulate(sum *big.Int, amount, span int64) {
	if amount != 0 {
		product := new(big.Int).Mul(big.NewInt(amount), big.NewInt(span))
		sum.Add(sum, product)
	}
}

// grave is what is remembered of a deleted instance.
type grave struct {
	key    string
	ledger ledger
}

// meter notes what the instance uses from t on: the requests of the replicas
// whose container has started, and, as long as it exists, its volumes and its
// load balancer.
func (in *instance) meter(t time.Time) {
	if in.gone {
		in.ledger.record(t, usage{})
		return
	}
	u := usage{storageKiB: in.storage >> 10, loadBalancer: hasLoadBalancer(in.config)}
	for _, r := range in.replicas {
		if r.started {
			u.microCores += microCores(r.resources.CPURequest)
			u.memoryKiB += r.resources.MemoryRequest >> 10
		}
	}
	in.ledger.record(t, u)
}

func hasLoadBalancer(config hosting.CloudHostingConfig) bool {
	return config.Network != nil && config.Network.ServiceType == hosting.ServiceLoadBalancer
}
