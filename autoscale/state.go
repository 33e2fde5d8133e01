package autoscale

import (
	"math"
	"slices"
	"time"

	"skillcenter.io/hosting"
)

// DefaultMaxGap is how long may pass between two observations if
// [Observation.MaxGap] does not say: three intervals of 15 s.
const DefaultMaxGap = 45 * time.Second

// Observation is what one look at an instance found.
type Observation struct {
	// Replicas is how many the instance should have now; 0 if it is stopped.
	Replicas int
	// Up and Down are the readings of the policy's rules, in their order. What
	// is missing is not known.
	Up, Down []Reading
	// MaxGap is how long ago the observation before may have been. After a
	// longer time it is not known what happened meanwhile: conditions begin to
	// hold anew. DefaultMaxGap if zero.
	MaxGap time.Duration
}

// Reading is the value of a rule's metric.
type Reading struct {
	Value float64
	// Unknown says why the value is not known; empty if it is. A value that is
	// no finite number is not known either.
	Unknown string
}

func (r Reading) known() bool {
	return r.Unknown == "" && !math.IsNaN(r.Value) && !math.IsInf(r.Value, 0)
}

// State is what [Decide] remembers of an instance from one observation to the
// next. The zero State knows nothing.
//
// In JSON it is LastChange and Replicas, which change only when the replicas do:
// that is what a store keeps. The rest begins anew when it is read: rules must
// hold for their whole period again and the stabilization window starts with the
// replicas there are. So a new leader acts later than the old one would have, but
// never when the old one would not have.
type State struct {
	// LastChange is when the number of replicas changed last, whoever changed
	// it; zero if that is not known.
	LastChange hosting.Time `json:"lastChange,omitzero"`
	// Replicas is how many there were after that. Another number later means
	// that somebody else has changed it.
	Replicas int `json:"replicas,omitempty"`

	observed hosting.Time     // when it was looked last; zero if never
	held     []condition      // of the rules: up, then down
	advice   []recommendation // of the window, see advise
}

// condition is how long a rule has held.
type condition struct {
	rule  hosting.ScaleRule
	holds bool
	since hosting.Time
}

// recommendation is how many replicas the rules asked for at a time.
type recommendation struct {
	at       hosting.Time
	replicas int
}

// Changed returns the state after the number of replicas has been changed.
func (s State) Changed(replicas int, at hosting.Time) State {
	s.LastChange, s.Replicas = at, replicas
	return s
}

// sees notes how many replicas there are. If that is not what it was, somebody
// has changed it since the last look: the moment is taken to be now, so that a
// cooldown is never too short.
func (s State) sees(replicas int, now hosting.Time) State {
	known := !s.observed.IsZero() || !s.LastChange.IsZero()
	if known && s.Replicas != replicas || s.LastChange.After(now) { // another computer's clock is ahead
		s.LastChange = now
	}
	s.Replicas = replicas
	return s
}

// follows tells whether an observation now goes on where the last one was.
func (s State) follows(now hosting.Time, maxGap time.Duration) bool {
	if maxGap <= 0 {
		maxGap = DefaultMaxGap
	}
	return !s.observed.IsZero() && !now.Before(s.observed) && now.Sub(s.observed) <= maxGap
}

// advise returns the recommendations that count at now, with another one. It is
// in order of time, and each is lower than the one before: a recommendation
// that is followed by an equal or higher one never decides anything any more.
func advise(advice []recommendation, window time.Duration, added ...recommendation) []recommendation {
	now := added[len(added)-1].at
	kept := make([]recommendation, 0, len(advice)+len(added))
	for _, r := range advice {
		if !r.at.After(now) && now.Sub(r.at) < window {
			kept = append(kept, r)
		}
	}
	for _, r := range added {
		for len(kept) > 0 && kept[len(kept)-1].replicas <= r.replicas {
			kept = kept[:len(kept)-1]
		}
		kept = append(kept, r)
	}
	return slices.Clip(kept)
}
