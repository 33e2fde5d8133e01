package provider

import (
	"context"

	"skillcenter.io/hosting"
)

// SkillCatalog knows the skills that can be hosted. It is the program's own.
type SkillCatalog interface {
	// Skill returns a skill. The error of one that is not there wraps
	// [hosting.NotFound].
	Skill(ctx context.Context, skillID string) (Skill, error)
}

// Skill is something that can be hosted.
type Skill struct {
	ID string
	// Name and Type are for people.
	Name string
	Type string
	// Config is how it would be hosted.
	Config hosting.CloudHostingConfig
}
