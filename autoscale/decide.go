package autoscale

import (
	"fmt"
	"time"

	"skillcenter.io/hosting"
)

// Decide tells how many replicas an instance shall have. It is a pure function:
// it asks nothing, changes none of its arguments, and says the same for the same
// arguments. The policy must be valid, see [hosting.AutoScalePolicy.Validate].
//
//   - An up rule fires when its condition was true in every observation of its
//     evaluation period. A metric that is not known, and a gap between two
//     observations, end that. One that fires is enough: the largest step counts.
//   - Without one that fires, down rules fire together: each must have held for
//     its period, no up rule's condition may be true, and the metrics of all
//     rules must be known. The smallest step counts.
//   - The result is within minReplicas and maxReplicas; replicas that are not
//     are brought there, whatever the metrics say.
//   - Nothing changes within cooldownPeriod of the last change, whoever made it.
//   - Replicas go down no further than to the highest number recommended within
//     stabilizationWindow. Without a rule that fires, that is what there is.
//   - A stopped instance is left alone.
func Decide(policy hosting.AutoScalePolicy, state State, seen Observation, now hosting.Time) Decision {
	next := state.sees(max(0, seen.Replicas), now)
	d := Decision{At: now, From: next.Replicas, To: next.Replicas, Wanted: next.Replicas}
	if next.Replicas == 0 {
		d.Held = HeldByStop
		d.State = State{LastChange: next.LastChange, observed: now}
		return d
	}
	var past []condition
	follows := state.follows(now, seen.MaxGap)
	if follows {
		past = state.held
	}
	next.observed = now
	next.held = make([]condition, len(policy.ScaleUpRules)+len(policy.ScaleDownRules))
	found := look(policy, past, next.held, seen, now)
	clamp := func(replicas int) int { return min(max(replicas, policy.MinReplicas), policy.MaxReplicas) }

	asked := d.From
	switch {
	case found.up != nil:
		d.Cause, d.Rule, d.Value = CauseUp, *found.up, found.upValue
		asked += d.Rule.StepSize
	case found.down != nil:
		d.Cause, d.Rule, d.Value = CauseDown, *found.down, found.downValue
		asked -= d.Rule.StepSize
	}
	d.Wanted = clamp(asked)
	if inside := clamp(d.From); inside != d.From && d.Wanted == inside {
		d.Cause, d.Rule, d.Value = CauseBounds, hosting.ScaleRule{}, 0 // it would be so without the rule
	}

	window := policy.StabilizationWindow.Std()
	if follows {
		next.advice = advise(state.advice, window, recommendation{now, d.Wanted})
	} else {
		next.advice = advise(state.advice, window, recommendation{now, clamp(d.From)}, recommendation{now, d.Wanted})
	}
	d.State = next
	d.To, d.Held = d.Wanted, ""
	if window > 0 && d.Wanted < d.From {
		d.To = min(max(d.Wanted, clamp(next.highest())), d.From)
	}
	until := next.LastChange.Add(policy.CooldownPeriod.Std())
	switch {
	case d.Wanted != d.From && !next.LastChange.IsZero() && now.Before(until):
		d.To, d.Held, d.Until = d.From, HeldByCooldown, until
	case d.To != d.Wanted:
		d.Held = HeldByWindow
	case d.Wanted != asked && d.Cause != CauseBounds:
		d.Held = HeldByBounds
	case d.Cause == "" && found.unknown != "":
		d.Held, d.Unknown = HeldByUnknown, found.unknown
	}
	return d
}

// findings is what the rules say.
type findings struct {
	up, down           *hosting.ScaleRule // that fire
	upValue, downValue float64
	unknown            string // which metric is not known, and why
}

// look goes through the rules. It writes how long they have held into held.
func look(policy hosting.AutoScalePolicy, past, held []condition, seen Observation, now hosting.Time) findings {
	var f findings
	asksForMore := false
	for i := range policy.ScaleUpRules {
		rule := &policy.ScaleUpRules[i]
		reading := f.read(rule, seen.Up, i)
		held[i] = continued(*rule, reading, past, i, now)
		asksForMore = asksForMore || held[i].holds
		if held[i].fires(now) && (f.up == nil || rule.StepSize > f.up.StepSize) {
			f.up, f.upValue = rule, reading.Value
		}
	}
	together := true
	for i := range policy.ScaleDownRules {
		rule := &policy.ScaleDownRules[i]
		reading := f.read(rule, seen.Down, i)
		at := len(policy.ScaleUpRules) + i
		held[at] = continued(*rule, reading, past, at, now)
		together = together && held[at].fires(now)
		if f.down == nil || rule.StepSize < f.down.StepSize {
			f.down, f.downValue = rule, reading.Value
		}
	}
	if !together || asksForMore || f.unknown != "" {
		f.down = nil
	}
	return f
}

// read returns the reading of a rule, and notes the first that is not known.
func (f *findings) read(rule *hosting.ScaleRule, readings []Reading, i int) Reading {
	reading := Reading{Unknown: "it was not measured"}
	if i < len(readings) {
		reading = readings[i]
	}
	if f.unknown == "" && !reading.known() {
		why := reading.Unknown
		if why == "" {
			why = fmt.Sprintf("%v is no number to compare with", reading.Value)
		}
		f.unknown = rule.MetricName + " is not known: " + why
	}
	return reading
}

// continued returns how long a rule has held, now that its metric has been read.
func continued(rule hosting.ScaleRule, reading Reading, past []condition, i int, now hosting.Time) condition {
	c := condition{rule: rule, holds: reading.known() && compare(reading.Value, rule), since: now}
	if i < len(past) && past[i].holds && past[i].rule == rule {
		c.since = past[i].since
	}
	return c
}

func (c condition) fires(now hosting.Time) bool {
	return c.holds && now.Sub(c.since) >= time.Duration(c.rule.EvaluationPeriod)
}

func compare(value float64, rule hosting.ScaleRule) bool {
	switch rule.Comparison {
	case ">":
		return value > rule.Threshold
	case ">=":
		return value >= rule.Threshold
	case "<":
		return value < rule.Threshold
	case "<=":
		return value <= rule.Threshold
	}
	return false
}
