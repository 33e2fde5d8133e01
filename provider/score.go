package provider

import (
	"strings"

	"skillcenter.io/hosting"
)

// Score computes the score of checks, 0 to 100. A check that has passed counts
// in full, a warning half and one that has failed not at all; what is required
// weighs three times as much as the rest. The score is the share that was
// reached, in whole percent, rounded down. If something required has failed it
// is 49 at most, and without any checks it is 0.
func Score(checks []hosting.CompatibilityCheck) int {
	reached, all := 0, 0
	blocked := false
	for _, check := range checks {
		weight := 1
		if check.Required {
			weight = 3
		}
		all += 2 * weight
		reached += (2 - severity(check.Status)) * weight
		blocked = blocked || check.Required && check.Status == hosting.CheckFail
	}
	if all == 0 {
		return 0
	}
	score := 100 * reached / all
	if blocked {
		return min(score, 49)
	}
	return score
}

// severity is 0 for what has passed, 1 for a warning, and 2 for what has failed.
func severity(status string) int {
	switch status {
	case hosting.CheckPass:
		return 0
	case hosting.CheckWarning:
		return 1
	}
	return 2
}

// recommend says in words what the checks mean.
func recommend(checks []hosting.CompatibilityCheck) string {
	var required, others []string
	for _, check := range checks {
		switch {
		case check.Status == hosting.CheckPass:
		case check.Required && check.Status == hosting.CheckFail:
			required = append(required, check.Name)
		default:
			others = append(others, check.Name)
		}
	}
	switch {
	case len(required) > 0:
		return "not recommended: failed: " + strings.Join(required, ", ")
	case len(others) > 0:
		return "recommended, after a look at: " + strings.Join(others, ", ")
	}
	return "recommended"
}
