package autoscale_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
)

// moment is one observation of a random history, and what came of it.
type moment struct {
	at       hosting.Time
	policy   hosting.AutoScalePolicy
	before   autoscale.State
	seen     autoscale.Observation
	decision autoscale.Decision
	applied  bool // the replicas were changed as decided
}

// history is what a random instance goes through: load that comes and goes,
// metrics that are not known, gaps, other people who scale, stop and start it,
// policies that are changed, changes that fail, and leaders that end.
type history struct {
	seed    uint64
	moments []moment
}

const observations = 150

// forHistories runs check on random histories. Each has a seed of its own, which
// a failure shows: newHistory(seed) is that history again.
func forHistories(t *testing.T, check func(t *testing.T, h history)) {
	t.Helper()
	t.Parallel()
	for _, h := range histories() {
		if check(t, h); t.Failed() {
			t.Fatalf("history of seed %d", h.seed)
		}
	}
}

// histories are made once; no test changes them.
var histories = sync.OnceValue(func() (list []history) {
	for seed := range uint64(200) {
		list = append(list, newHistory(seed))
	}
	return list
})

func newHistory(seed uint64) history {
	random := rand.New(rand.NewPCG(seed, 4))
	policy := randomPolicy(random)
	h := history{seed: seed}
	now, state, replicas := hosting.TimeFromMillis(1_700_000_000_000), autoscale.State{}, 1+random.IntN(12)
	load, stoppedWith := 50.0, 0
	for range observations {
		switch random.IntN(40) {
		case 0:
			now = now.Add(10 * time.Minute) // a gap
		case 1:
			replicas = 1 + random.IntN(15) // somebody else
		case 2:
			policy = randomPolicy(random)
		case 3, 4:
			state = stored(state) // another leader
		case 5:
			stoppedWith, replicas = max(replicas, 1), 0
		case 6:
			load = 150 * random.Float64()
		}
		if replicas == 0 && random.IntN(3) == 0 {
			replicas = max(stoppedWith, 1)
		}
		load = max(0, load+20*(random.Float64()-0.5))
		m := moment{at: now, policy: policy, before: state, seen: observed(random, policy, load, replicas)}
		m.decision = autoscale.Decide(policy, state, m.seen, now)
		state = m.decision.State
		if m.decision.Changes() && random.IntN(10) > 0 {
			m.applied = true
			replicas = m.decision.To
			state = state.Changed(replicas, now)
		}
		h.moments = append(h.moments, m)
		now = now.Add(time.Duration(10+random.IntN(10)) * time.Second)
	}
	return h
}

// stored is what is left of a state in a store.
func stored(state autoscale.State) (left autoscale.State) {
	data, err := json.Marshal(state)
	if err == nil {
		err = json.Unmarshal(data, &left)
	}
	if err != nil {
		panic(err)
	}
	return left
}

// observed returns readings of all rules around a load, some of them unknown.
func observed(random *rand.Rand, policy hosting.AutoScalePolicy, load float64, replicas int) autoscale.Observation {
	values := map[string]autoscale.Reading{}
	read := func(rules []hosting.ScaleRule) (readings []autoscale.Reading) {
		for _, rule := range rules {
			if _, known := values[rule.MetricName]; !known {
				values[rule.MetricName] = autoscale.Reading{Value: load + 10*(random.Float64()-0.5)}
				switch random.IntN(60) {
				case 0:
					values[rule.MetricName] = autoscale.Reading{Unknown: "nobody knows"}
				case 1:
					values[rule.MetricName] = autoscale.Reading{Value: math.NaN()}
				}
			}
			readings = append(readings, values[rule.MetricName])
		}
		return readings
	}
	return autoscale.Observation{Replicas: replicas, Up: read(policy.ScaleUpRules), Down: read(policy.ScaleDownRules)}
}

func randomPolicy(random *rand.Rand) hosting.AutoScalePolicy {
	rules := func(n int, comparisons []string, low, high float64) (rules []hosting.ScaleRule) {
		for range n {
			rules = append(rules, hosting.ScaleRule{
				MetricType: hosting.MetricExternal, MetricName: fmt.Sprintf("metric%d", random.IntN(3)),
				Threshold: low + (high-low)*random.Float64(), Comparison: comparisons[random.IntN(len(comparisons))],
				StepSize: 1 + random.IntN(4), EvaluationPeriod: randomPeriod(random, 90),
			})
		}
		return rules
	}
	policy := hosting.AutoScalePolicy{
		InstanceID: webID, Name: "random", Enabled: true, MinReplicas: 1 + random.IntN(4),
		ScaleUpRules: rules(random.IntN(3), []string{">", ">="}, 50, 100), ScaleDownRules: rules(1+random.IntN(2), []string{"<", "<="}, 20, 80),
		CooldownPeriod: randomPeriod(random, 120), StabilizationWindow: randomPeriod(random, 120),
	}
	policy.MaxReplicas = policy.MinReplicas + random.IntN(10)
	return policy
}

// randomPeriod returns up to so many seconds, and often none.
func randomPeriod(random *rand.Rand, seconds int) hosting.Duration {
	if random.IntN(3) == 0 {
		return 0
	}
	return hosting.Duration(time.Duration(random.IntN(seconds)) * time.Second)
}

// held tells by the whole history whether a rule has held for its period up to
// moment n: so it is by the words of the protocol, without a state.
func (h history) held(n int, up bool, index int) bool {
	rule := rulesOf(h.moments[n].policy, up)[index]
	for i := n; i >= 0; i-- {
		m := h.moments[i]
		rules := rulesOf(m.policy, up)
		if index >= len(rules) || rules[index] != rule || m.seen.Replicas == 0 || !h.isTrue(i, up, index) {
			return false
		}
		if h.moments[n].at.Sub(m.at) >= rule.EvaluationPeriod.Std() {
			return true
		}
		if i > 0 && m.at.Sub(h.moments[i-1].at) > autoscale.DefaultMaxGap {
			return false
		}
	}
	return false
}

// isTrue tells whether the condition of a rule was true at a moment.
func (h history) isTrue(n int, up bool, index int) bool {
	m := h.moments[n]
	rule, reading := rulesOf(m.policy, up)[index], m.seen.Down
	if up {
		reading = m.seen.Up
	}
	return known(reading[index]) && map[string]bool{
		">": reading[index].Value > rule.Threshold, ">=": reading[index].Value >= rule.Threshold,
		"<": reading[index].Value < rule.Threshold, "<=": reading[index].Value <= rule.Threshold,
	}[rule.Comparison]
}

func known(reading autoscale.Reading) bool {
	return reading.Unknown == "" && !math.IsNaN(reading.Value)
}

func rulesOf(policy hosting.AutoScalePolicy, up bool) []hosting.ScaleRule {
	if up {
		return policy.ScaleUpRules
	}
	return policy.ScaleDownRules
}

// anyHeld tells whether some rule has held, allHeld whether there are rules and
// all have.
func (h history) anyHeld(n int, up bool) bool {
	for i := range rulesOf(h.moments[n].policy, up) {
		if h.held(n, up, i) {
			return true
		}
	}
	return false
}

func (h history) allHeld(n int, up bool) bool {
	rules := rulesOf(h.moments[n].policy, up)
	for i := range rules {
		if !h.held(n, up, i) {
			return false
		}
	}
	return len(rules) > 0
}

func (m moment) allKnown() bool {
	return !slices.ContainsFunc(slices.Concat(m.seen.Up, m.seen.Down), func(r autoscale.Reading) bool { return !known(r) })
}

func (m moment) inside(replicas int) bool {
	return replicas >= m.policy.MinReplicas && replicas <= m.policy.MaxReplicas
}

// Without this a generator that never lets anything happen would pass for proof.
func TestRandomHistoriesHaveEverythingInThem(t *testing.T) {
	t.Parallel()
	count := map[string]int{}
	for _, h := range histories() {
		for _, m := range h.moments {
			require.NoError(t, m.policy.Validate())
			d := m.decision
			switch {
			case d.To > d.From:
				count["up"]++
			case d.To < d.From:
				count["down"]++
			}
			count["cause "+string(d.Cause)]++
			count["held by "+string(d.Held)]++
			if d.Changes() && d.Held == autoscale.HeldByWindow {
				count["partly held by window"]++
			}
		}
	}
	for _, what := range []string{
		"up", "down", "cause ", "cause up", "cause down", "cause bounds", "held by ", "held by stopped", "held by cooldown", "held by window",
		"held by bounds", "held by unknown", "partly held by window",
	} {
		require.GreaterOrEqual(t, count[what], 5, "%s: %v", what, count)
	}
}
