package autoscale

import (
	"fmt"
	"strconv"

	"skillcenter.io/hosting"
)

// Cause is what asks for another number of replicas.
type Cause string

// The causes. Without one, the number that there is is wanted.
const (
	CauseUp     Cause = "up"     // an up rule has held for its evaluation period
	CauseDown   Cause = "down"   // all down rules have
	CauseBounds Cause = "bounds" // there are fewer than minReplicas, or more than maxReplicas
)

// Hold is why a decision changes nothing, or less than its rule asked for.
type Hold string

// The holds.
const (
	HeldByStop     Hold = "stopped"  // the instance is stopped, or scaled to 0
	HeldByCooldown Hold = "cooldown" // the last change was less than cooldownPeriod ago
	HeldByWindow   Hold = "window"   // more replicas were recommended within stabilizationWindow
	HeldByBounds   Hold = "bounds"   // minReplicas or maxReplicas
	HeldByUnknown  Hold = "unknown"  // a metric is not known
)

// Decision is what [Decide] found.
type Decision struct {
	At hosting.Time
	// From is how many replicas there are, To how many there shall be. Equal
	// means that nothing shall change.
	From, To int
	// Wanted is how many the rules recommend, within the policy's bounds: what
	// To would be without cooldown and stabilization window.
	Wanted int
	// Cause is what asks for Wanted; empty if nothing asks for a change.
	Cause Cause
	// Rule is the rule that decided, and Value the value of its metric, if Cause
	// is CauseUp or CauseDown: of several the one with the largest step up, and
	// the one with the smallest step down.
	Rule  hosting.ScaleRule
	Value float64
	// Held says what held it back, if anything did.
	Held Hold
	// Until is when the cooldown ends, if Held is HeldByCooldown.
	Until hosting.Time
	// Unknown says which metric is not known and why, if Held is HeldByUnknown.
	Unknown string
	// State is for the next call. If the replicas are changed, it is
	// State.Changed.
	State State
}

// Changes tells whether the number of replicas shall change.
func (d Decision) Changes() bool { return d.From != d.To }

// Why returns in words what asked for the decision, with the metric, its value
// and the threshold, and what held it back.
func (d Decision) Why() string {
	switch d.Held {
	case "":
		return d.because()
	case HeldByStop:
		return "the instance is stopped or has no replicas"
	case HeldByUnknown:
		return d.Unknown
	case HeldByCooldown:
		return fmt.Sprintf("%s asks for %d, but the replicas have changed and the cooldown ends at %s", d.because(), d.Wanted, d.Until)
	case HeldByWindow:
		return fmt.Sprintf("%s asks for %d, but %d were recommended within the stabilization window", d.because(), d.Wanted, d.State.highest())
	case HeldByBounds:
		return fmt.Sprintf("%s, but the policy allows no more change than to %d", d.because(), d.To)
	}
	return string(d.Held)
}

func (d Decision) because() string {
	switch d.Cause {
	case CauseUp, CauseDown:
		return fmt.Sprintf("%s is %s (%s %s for %s)", d.Rule.MetricName, number(d.Value), d.Rule.Comparison, number(d.Rule.Threshold), d.Rule.EvaluationPeriod)
	case CauseBounds:
		return fmt.Sprintf("%d is outside minReplicas and maxReplicas", d.From)
	}
	return "no rule asks for a change"
}

// String returns the whole decision in words.
func (d Decision) String() string {
	if d.Changes() {
		return fmt.Sprintf("from %d to %d replicas: %s", d.From, d.To, d.Why())
	}
	return fmt.Sprintf("%d replicas stay: %s", d.From, d.Why())
}

// highest is the highest recommendation of the window.
func (s State) highest() int {
	if len(s.advice) == 0 {
		return s.Replicas
	}
	return s.advice[0].replicas
}

// number returns a value as people read it: four digits are enough.
func number(value float64) string { return strconv.FormatFloat(value, 'g', 4, 64) }
