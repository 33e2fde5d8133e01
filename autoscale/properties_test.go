package autoscale_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
)

// What Decide promises, each over the same random histories.

func TestReplicasNeverLeaveTheBounds(t *testing.T) {
	forHistories(t, func(t *testing.T, h history) {
		for _, m := range h.moments {
			if d := m.decision; d.Changes() || m.inside(d.From) {
				require.True(t, m.inside(d.To), "%v", d)
			}
		}
	})
}

func TestReplicasOutsideTheBoundsAreBroughtInsideWhateverTheMetricsSay(t *testing.T) {
	forHistories(t, func(t *testing.T, h history) {
		for _, m := range h.moments {
			d := m.decision
			if d.From > 0 && !m.inside(d.From) && d.Held != autoscale.HeldByCooldown {
				require.True(t, m.inside(d.To), "%v", d)
			}
		}
	})
}

func TestNothingChangesWithinTheCooldownOfAnyChange(t *testing.T) {
	forHistories(t, func(t *testing.T, h history) {
		var last hosting.Time
		for i, m := range h.moments {
			if i > 0 {
				expected := h.moments[i-1].seen.Replicas
				if h.moments[i-1].applied {
					expected, last = h.moments[i-1].decision.To, h.moments[i-1].at
				}
				if m.seen.Replicas != expected { // somebody else's
					last = m.at
				}
			}
			if m.decision.Changes() && !last.IsZero() {
				// A change by others between two leaders, before any of ours, has
				// left no trace for the second.
				if forgotten := m.before.LastChange.IsZero() && i > 0 && m.before.Replicas == 0; !forgotten {
					require.GreaterOrEqual(t, m.at.Sub(last), m.policy.CooldownPeriod.Std(), "%v", m.decision)
				}
			}
		}
	})
}

func TestGoingUpNeedsARuleThatHeldForItsWholePeriod(t *testing.T) {
	forHistories(t, func(t *testing.T, h history) {
		for n, m := range h.moments {
			d := m.decision
			if d.To > d.From && m.inside(d.From) {
				require.Equal(t, autoscale.CauseUp, d.Cause)
				require.True(t, h.anyHeld(n, true), "%v", d)
			}
		}
	})
}

func TestGoingDownNeedsAllDownRulesForTheirWholePeriods(t *testing.T) {
	forHistories(t, func(t *testing.T, h history) {
		for n, m := range h.moments {
			d := m.decision
			if d.To < d.From && m.inside(d.From) {
				require.Equal(t, autoscale.CauseDown, d.Cause)
				require.True(t, h.allHeld(n, false), "%v", d)
			}
		}
	})
}

// Without a new leader, which begins anew, a rule that held is never missed.
func TestAnUpRuleThatHeldIsNeverMissed(t *testing.T) {
	forHistories(t, func(t *testing.T, h history) {
		restarted := 0
		for n, m := range h.moments {
			if n > 0 && !reflect.DeepEqual(m.before, h.moments[n-1].after()) {
				restarted = n
			}
			since := history{moments: h.moments[restarted:]}
			if m.seen.Replicas > 0 && since.anyHeld(n-restarted, true) {
				d := m.decision
				if m.inside(d.From) {
					require.Equal(t, autoscale.CauseUp, d.Cause, "%v", d)
				}
				if d.Held == "" && d.From < m.policy.MaxReplicas {
					require.Greater(t, d.To, d.From)
				}
			}
		}
	})
}

// after is the state that the moment left.
func (m moment) after() autoscale.State {
	if m.applied {
		return m.decision.State.Changed(m.decision.To, m.at)
	}
	return m.decision.State
}

func TestUpBeatsDown(t *testing.T) {
	forHistories(t, func(t *testing.T, h history) {
		for n, m := range h.moments {
			for i := range m.policy.ScaleUpRules {
				if m.seen.Replicas > 0 && h.isTrue(n, true, i) {
					require.NotEqual(t, autoscale.CauseDown, m.decision.Cause, "%v", m.decision)
				}
			}
		}
	})
}

func TestUnknownMetricsChangeNothing(t *testing.T) {
	forHistories(t, func(t *testing.T, h history) {
		for _, m := range h.moments {
			nothing := func(n int) []autoscale.Reading {
				return slices.Repeat([]autoscale.Reading{{Unknown: "nobody knows"}}, n)
			}
			m.seen.Up, m.seen.Down = nothing(len(m.seen.Up)), nothing(len(m.seen.Down))
			d := autoscale.Decide(m.policy, m.before, m.seen, m.at)
			if m.inside(d.From) {
				require.False(t, d.Changes(), "%v", d)
				require.Equal(t, autoscale.HeldByUnknown, d.Held)
				require.Contains(t, d.Why(), "nobody knows")
			}
			again := autoscale.Decide(m.policy, d.State, m.seen, m.at.Add(time.Second))
			require.False(t, m.inside(again.From) && again.Changes())
		}
	})
}

func TestOneUnknownMetricKeepsReplicasFromGoingDown(t *testing.T) {
	forHistories(t, func(t *testing.T, h history) {
		for _, m := range h.moments {
			if m.inside(m.decision.From) && !m.allKnown() {
				require.GreaterOrEqual(t, m.decision.To, m.decision.From, "%v", m.decision)
			}
		}
	})
}

func TestReplicasNeverGoBelowTheWindowsHighestRecommendation(t *testing.T) {
	forHistories(t, func(t *testing.T, h history) {
		for n, m := range h.moments {
			d := m.decision
			if d.To >= d.From || d.From > m.policy.MaxReplicas {
				continue
			}
			for i := n; i >= 0 && m.at.Sub(h.moments[i].at) < m.policy.StabilizationWindow.Std(); i-- {
				earlier := h.moments[i]
				if earlier.seen.Replicas == 0 {
					break // what was recommended before it was started is void
				}
				require.GreaterOrEqual(t, d.To, min(earlier.decision.Wanted, m.policy.MaxReplicas), "%v, but %v", d, earlier.decision)
			}
		}
	})
}

func TestAChangeIsAtMostTheLargestStep(t *testing.T) {
	forHistories(t, func(t *testing.T, h history) {
		for _, m := range h.moments {
			largest := 0
			for _, rule := range slices.Concat(m.policy.ScaleUpRules, m.policy.ScaleDownRules) {
				largest = max(largest, rule.StepSize)
			}
			if d := m.decision; m.inside(d.From) {
				require.LessOrEqual(t, max(d.To-d.From, d.From-d.To), largest, "%v", d)
			}
		}
	})
}

func TestAStoppedInstanceStays(t *testing.T) {
	forHistories(t, func(t *testing.T, h history) {
		for _, m := range h.moments {
			if m.seen.Replicas == 0 {
				require.False(t, m.decision.Changes())
				require.Equal(t, autoscale.HeldByStop, m.decision.Held)
			}
		}
	})
}

func TestTheSameInputGivesTheSameDecision(t *testing.T) {
	forHistories(t, func(t *testing.T, h history) {
		for i, m := range newHistory(h.seed).moments {
			require.Equal(t, h.moments[i].decision.String(), m.decision.String())
			again := autoscale.Decide(m.policy, m.before, m.seen, m.at)
			require.True(t, reflect.DeepEqual(m.decision, again))
		}
	})
}

func TestDecideChangesNoneOfItsArguments(t *testing.T) {
	forHistories(t, func(t *testing.T, h history) {
		for _, m := range h.moments {
			policy, seen := m.policy, m.seen
			policy.ScaleUpRules, policy.ScaleDownRules = slices.Clone(policy.ScaleUpRules), slices.Clone(policy.ScaleDownRules)
			seen.Up, seen.Down = slices.Clone(seen.Up), slices.Clone(seen.Down)
			d := autoscale.Decide(policy, m.before, seen, m.at)
			require.Equal(t, m.policy, policy)
			// NaN is not equal to itself.
			require.True(t, slices.EqualFunc(m.seen.Up, seen.Up, sameReading) && slices.EqualFunc(m.seen.Down, seen.Down, sameReading))
			// Nor may what is decided later, on the state that came of it, change
			// that state, or one before it.
			autoscale.Decide(policy, d.State, seen, m.at.Add(15*time.Second))
			require.True(t, reflect.DeepEqual(m.decision, d), "the same arguments still mean the same")
		}
	})
}

func sameReading(a, b autoscale.Reading) bool {
	return a.Unknown == b.Unknown && (a.Value == b.Value || a.Value != a.Value && b.Value != b.Value)
}

func TestADecisionSaysWhy(t *testing.T) {
	forHistories(t, func(t *testing.T, h history) {
		for _, m := range h.moments {
			d := m.decision
			require.NotEmpty(t, d.Why())
			switch {
			case d.Cause == autoscale.CauseUp || d.Cause == autoscale.CauseDown:
				require.Contains(t, d.Why(), d.Rule.MetricName)
			case d.Changes():
				require.Contains(t, d.Why(), "minReplicas")
			}
			if d.Changes() {
				require.NotEmpty(t, d.Cause)
			} else if d.Cause != "" {
				require.NotEmpty(t, d.Held, "%v", d)
			}
		}
	})
}

// More load never leads to fewer replicas: at no time, with the same replicas,
// is less recommended or decided for a load that was at least as high all along.
func TestMoreLoadNeverMeansFewerReplicas(t *testing.T) {
	t.Parallel()
	different := 0
	for seed := range uint64(1000) {
		random := rand.New(rand.NewPCG(seed, 5))
		policy := randomPolicy(random)
		replicas := policy.MinReplicas + random.IntN(policy.MaxReplicas-policy.MinReplicas+1)
		var low, high autoscale.State
		now := hosting.TimeFromMillis(1_700_000_000_000)
		for range 60 {
			load := 150 * random.Float64()
			seen := observed(random, policy, load, replicas)
			more := seen
			extra := 60 * random.Float64()
			add := func(readings []autoscale.Reading) []autoscale.Reading {
				readings = slices.Clone(readings)
				for i := range readings {
					readings[i].Value += extra
				}
				return readings
			}
			more.Up, more.Down = add(seen.Up), add(seen.Down)
			a, b := autoscale.Decide(policy, low, seen, now), autoscale.Decide(policy, high, more, now)
			require.LessOrEqual(t, a.Wanted, b.Wanted, "seed %d", seed)
			require.LessOrEqual(t, a.To, b.To, "seed %d", seed)
			if a.To != b.To {
				different++
			}
			low, high, now = a.State, b.State, now.Add(15*time.Second)
		}
	}
	require.Greater(t, different, 1000, "they are not all the same")
}

func TestLoadThatStaysHighBringsAllReplicasAndLoadThatStaysLowTheFewest(t *testing.T) {
	t.Parallel()
	for seed := range uint64(400) {
		random := rand.New(rand.NewPCG(seed, 6))
		policy := randomPolicy(random)
		for _, one := range []struct {
			value float64
			want  int
		}{{1000, policy.MaxReplicas}, {-1, policy.MinReplicas}} {
			replicas := policy.MinReplicas + random.IntN(policy.MaxReplicas-policy.MinReplicas+1)
			if one.want == policy.MaxReplicas && len(policy.ScaleUpRules) == 0 {
				continue
			}
			var state autoscale.State
			now := hosting.TimeFromMillis(1_700_000_000_000)
			// Each step takes at most an evaluation period, a cooldown and a window.
			for range 10 * (90 + 120 + 120) / 15 {
				seen := autoscale.Observation{Replicas: replicas}
				for range policy.ScaleUpRules {
					seen.Up = append(seen.Up, autoscale.Reading{Value: one.value})
				}
				for range policy.ScaleDownRules {
					seen.Down = append(seen.Down, autoscale.Reading{Value: one.value})
				}
				d := autoscale.Decide(policy, state, seen, now)
				if state = d.State; d.Changes() {
					replicas, state = d.To, state.Changed(d.To, now)
				}
				now = now.Add(15 * time.Second)
			}
			require.Equal(t, one.want, replicas, "seed %d: %+v", seed, policy)
		}
	}
}

// A new leader knows of a state what the store kept. It may act later than the
// old one, but does nothing on its first look that the old one would not do,
// except for rules without a period.
func TestANewLeaderNeverActsEarlier(t *testing.T) {
	forHistories(t, func(t *testing.T, h history) {
		for _, m := range h.moments {
			d := autoscale.Decide(m.policy, stored(m.before), m.seen, m.at)
			if !d.Changes() || !m.inside(d.From) || m.before.LastChange.IsZero() {
				continue
			}
			assert.Equal(t, m.decision.Cause, d.Cause, "%v, not %v", d, m.decision)
			assert.Zero(t, d.Rule.EvaluationPeriod)
			if d.To < d.From {
				assert.Zero(t, m.policy.StabilizationWindow)
			}
		}
	})
}

func TestAStateHasInJSONOnlyWhatChangesWithTheReplicas(t *testing.T) {
	forHistories(t, func(t *testing.T, h history) {
		for i, m := range h.moments[1:] {
			before, err := json.Marshal(h.moments[i].after())
			require.NoError(t, err)
			now, err := json.Marshal(m.decision.State)
			require.NoError(t, err)
			if m.seen.Replicas > 0 && h.moments[i].after().Replicas == m.seen.Replicas {
				require.JSONEq(t, string(before), string(now))
			}
		}
	})
}
