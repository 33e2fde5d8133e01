package conformance

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"skillcenter.io/hosting"
)

// compatibilityCases are those of hosting.CompatibilityChecker.
func compatibilityCases() []testCase {
	return []testCase{
		once("a skill that does not exist is not found", skillUnknown),
		once("a skill that fits has no reservations", skillFits),
		once("a skill that does not fit is told why", skillUnfit),
	}
}

// check checks a skill, or skips the case.
func (e *env) check(t *testing.T, id string) hosting.HostingCompatibility {
	t.Helper()
	if id == "" {
		e.skip(t, "the harness names no such skill")
	}
	got := read(t, e, "CheckCompatibility", id, func() (hosting.HostingCompatibility, error) {
		return e.adapter.CheckCompatibility(e.ctx, id)
	})
	if got.SkillID != id {
		t.Errorf("CheckCompatibility(%s): got skillId %q", id, got.SkillID)
	}
	if got.CompatibilityScore < 0 || got.CompatibilityScore > 100 || got.Recommendation == "" || len(got.Checks) == 0 {
		t.Errorf("CheckCompatibility(%s): got score %d, recommendation %q, checks %s; want a score of 0 to 100, and neither of the others empty",
			id, got.CompatibilityScore, got.Recommendation, toJSON(got.Checks))
	}
	for _, check := range got.Checks {
		if check.Name == "" || check.Message == "" || !slices.Contains([]string{hosting.CheckPass, hosting.CheckWarning, hosting.CheckFail}, check.Status) {
			t.Errorf("CheckCompatibility(%s): got check %s; want a name, a message and the status pass, warning or fail", id, toJSON(check))
		}
	}
	var lists struct{ Checks, Issues, Suggestions *[]json.RawMessage }
	if err := json.Unmarshal([]byte(toJSON(got)), &lists); err != nil || lists.Checks == nil || lists.Issues == nil || lists.Suggestions == nil {
		t.Errorf("CheckCompatibility(%s): in JSON a list is missing or null: %s", id, toJSON(got))
	}
	return got
}

func skillUnknown(t *testing.T, e *env) {
	id := "no-such-skill-" + random(10)
	_, err := e.adapter.CheckCompatibility(e.ctx, id)
	if hosting.ReasonOf(err) == hosting.Unsupported {
		e.skip(t, "checking compatibility is not supported: %v", err)
	}
	e.wantError(t, "CheckCompatibility of an unknown skill", err, hosting.CompatibilityFailed, hosting.NotFound, id)
	_, err = e.adapter.CheckCompatibility(e.ctx, "")
	e.wantError(t, "CheckCompatibility without a skill", err, hosting.CompatibilityFailed, hosting.InvalidArgument, "skillId")
	ended, cancel := context.WithCancel(e.ctx)
	cancel()
	_, err = e.adapter.CheckCompatibility(ended, id)
	e.wantError(t, "CheckCompatibility with a cancelled context", err, hosting.CompatibilityFailed, hosting.Canceled)
}

func skillFits(t *testing.T, e *env) {
	got := e.check(t, e.x.Skill)
	if slices.ContainsFunc(got.Checks, func(c hosting.CompatibilityCheck) bool { return c.Status != hosting.CheckPass }) {
		t.Errorf("CheckCompatibility(%s): got checks %s, want all to pass", e.x.Skill, toJSON(got.Checks))
	}
	if got.CompatibilityScore != 100 || len(got.Issues) > 0 {
		t.Errorf("CheckCompatibility(%s): got score %d and issues %q where all checks have passed, want 100 and none", e.x.Skill, got.CompatibilityScore, got.Issues)
	}
}

func skillUnfit(t *testing.T, e *env) {
	got := e.check(t, e.x.UnfitSkill)
	i := slices.IndexFunc(got.Checks, func(c hosting.CompatibilityCheck) bool { return c.Required && c.Status == hosting.CheckFail })
	if i < 0 {
		t.Fatalf("CheckCompatibility(%s): got checks %s, want a required one to fail", e.x.UnfitSkill, toJSON(got.Checks))
	}
	if got.CompatibilityScore >= 100 {
		t.Errorf("CheckCompatibility(%s): got score %d where a check has failed", e.x.UnfitSkill, got.CompatibilityScore)
	}
	failed := got.Checks[i]
	if !slices.ContainsFunc(got.Issues, func(issue string) bool { return strings.Contains(issue, failed.Message) }) {
		t.Errorf("CheckCompatibility(%s): no issue of %q tells what is wrong, %q", e.x.UnfitSkill, got.Issues, failed.Message)
	}
}
