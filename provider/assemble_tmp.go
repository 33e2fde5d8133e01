package provider

import (
	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
)

type SkillCatalog interface{}

func newExtension(router *Router, controller *autoscale.Controller, set settingsOfProgram) hosting.HostingExtensionSdkAdapter {
	return hosting.UnimplementedAdapter{}
}
