package kubernetes

import (
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// networkSample is what a kubelet has counted of a pod's traffic, in bytes,
// since the pod's network was made.
type networkSample struct {
	at      time.Time // by the kubelet's clock
	in, out uint64
}

// networkRate is in bytes per second, between two samples.
type networkRate struct {
	at      time.Time // of the later one
	in, out float64
}

// rateMemory is how long a sample is remembered: two looks that are further
// apart would make a rate that tells little.
const rateMemory = 10 * time.Minute

// networkRates remembers the latest sample of each pod, for as long as somebody
// looks at it: its size is bounded by the pods that were looked at in the last
// ten minutes. The zero value is ready to use.
type networkRates struct {
	mu    sync.Mutex
	pods  map[types.UID]*podTraffic
	swept time.Time
}

type podTraffic struct {
	latest networkSample
	// rate is between latest and the sample before it; nil if there was none.
	rate *networkRate
	// seen is when latest came, by our clock.
	seen time.Time
}

// take remembers a sample and returns the rate since the one before, nil if
// there is none. A sample that is known already gives the same rate again. One
// with smaller counters is a new beginning: the pod's network was made anew.
func (r *networkRates) take(pod types.UID, sample networkSample, now time.Time) *networkRate {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweep(now)
	known := r.pods[pod]
	switch {
	case known == nil:
		r.pods[pod] = &podTraffic{latest: sample, seen: now}
		return nil
	case !sample.at.After(known.latest.at):
		return known.rate // or an older answer, which came late
	}
	elapsed := sample.at.Sub(known.latest.at).Seconds()
	next := &podTraffic{latest: sample, seen: now}
	if sample.in >= known.latest.in && sample.out >= known.latest.out {
		next.rate = &networkRate{
			at:  sample.at,
			in:  float64(sample.in-known.latest.in) / elapsed,
			out: float64(sample.out-known.latest.out) / elapsed,
		}
	}
	r.pods[pod] = next
	return next.rate
}

// sweep forgets pods that nobody has had a new sample of, at most once a
// minute.
func (r *networkRates) sweep(now time.Time) {
	if r.pods == nil {
		r.pods = map[types.UID]*podTraffic{}
	}
	if now.Sub(r.swept) < time.Minute {
		return
	}
	r.swept = now
	maps.DeleteFunc(r.pods, func(_ types.UID, known *podTraffic) bool { return now.Sub(known.seen) > rateMemory })
}
