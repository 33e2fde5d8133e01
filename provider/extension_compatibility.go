package provider

import (
	"context"
	"errors"
	"fmt"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/driver"
)

// CheckPlacement is the check of whether there is one provider for the skill,
// and CheckPlatform stands for the checks of a provider that has none.
const (
	CheckPlacement = "placement"
	CheckPlatform  = "platform"
)

// CheckCompatibility checks whether a skill of the catalog can be hosted: its
// configuration by itself ([CheckConfig]), and on the platform where it would
// be created. See [Score] for how the score is computed. An error means that it
// could not be found out.
func (e *Extension) CheckCompatibility(ctx context.Context, skillID string) (hosting.HostingCompatibility, error) {
	skill, err := e.skill(ctx, skillID)
	if err != nil {
		return hosting.HostingCompatibility{}, err
	}
	findings, err := e.findings(ctx, skill.Config)
	if err != nil {
		return hosting.HostingCompatibility{}, err
	}
	result := hosting.HostingCompatibility{SkillID: skill.ID, SkillName: skill.Name, SkillType: skill.Type}
	for _, f := range findings {
		result.Checks = append(result.Checks, f.CompatibilityCheck)
		if f.Status != hosting.CheckPass {
			result.Issues = append(result.Issues, f.Name+": "+f.Message)
			result.Suggestions = append(result.Suggestions, f.Name+": "+f.Suggestion)
		}
	}
	result.CompatibilityScore = Score(result.Checks)
	result.Recommendation = recommend(result.Checks)
	return result, nil
}

func (e *Extension) skill(ctx context.Context, skillID string) (Skill, error) {
	fail := func(reason hosting.Reason, format string, args ...any) (Skill, error) {
		return Skill{}, hosting.Errorf(e.router.ProviderName(), hosting.CompatibilityFailed, reason, format, args...)
	}
	switch {
	case ctx.Err() != nil:
		return fail(hosting.ReasonOf(ctx.Err()), "%w", ctx.Err())
	case e.catalog == nil:
		return fail(hosting.Unsupported, "there is no catalog of skills: the program sets one in ExtensionConfig.Catalog")
	case skillID == "":
		return fail(hosting.InvalidArgument, `skillId "": allowed: the id of a skill of the catalog`)
	}
	skill, err := e.catalog.Skill(ctx, skillID)
	if errors.Is(err, hosting.NotFound) {
		return fail(hosting.NotFound, "skill %q is not in the catalog: %w", skillID, err)
	}
	if err != nil {
		return fail(hosting.ReasonOf(err), "reading skill %q from the catalog: %w", skillID, err)
	}
	return skill, nil
}

// findings is what is found out about a configuration.
func (e *Extension) findings(ctx context.Context, config hosting.CloudHostingConfig) ([]Finding, error) {
	at, err := e.router.place(ctx, hosting.CompatibilityFailed, config)
	if err != nil && hosting.ReasonOf(err) != hosting.InvalidArgument {
		return nil, err
	}
	unplaced := err
	findings := CheckConfig(config, func(volumeID string) (hosting.Volume, error) {
		if unplaced != nil {
			return hosting.Volume{}, unplaced
		}
		return e.router.GetVolume(ctx, at.qualified(volumeID))
	})
	if unplaced != nil {
		message := unplaced.Error()
		if failed, ok := errors.AsType[*hosting.Error](unplaced); ok {
			message = failed.Message
		}
		return append(findings, refuse(CheckPlacement, "set provider, region and instanceType to what one provider has", "%s", message).required()), nil
	}
	findings = append(findings, pass(CheckPlacement, "it would be created on provider %s", at.Name).required())
	if findings[0].Status == hosting.CheckFail {
		return findings, nil // a platform would only say the same again
	}
	checks, err := e.router.CheckConfig(ctx, config)
	if hosting.ReasonOf(err) == hosting.Unsupported {
		return append(findings, warn(CheckPlatform, "try it: PlanInstance, or CreateInstance where nothing is lost",
			"provider %s has no checks of its own", at.Name)), nil
	}
	if err != nil {
		return nil, err
	}
	for _, check := range checks {
		findings = append(findings, Finding{check, suggestion(check)})
	}
	return findings, nil
}

// suggestion says what to do about a check of a platform.
func suggestion(check hosting.CompatibilityCheck) string {
	switch check.Name {
	case driver.CheckAccepted:
		return "change what the platform objects to"
	case driver.CheckAdmission:
		return "change what the platform does not allow, or have its policy changed"
	case driver.CheckQuota:
		return "lower the resources or scaling.minReplicas, or ask for a larger quota"
	case driver.CheckNodes:
		return "lower the requests of resources, or add a larger node"
	}
	return fmt.Sprintf("see what is said of %s", check.Name)
}
