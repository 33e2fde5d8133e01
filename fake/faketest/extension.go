package faketest

import (
	"context"
	"errors"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/fake"
)

// extension is what the fake and a controller of policies can do together. It
// does not take that of package provider, with which every test would get a YAML
// parser.
type extension struct {
	hosting.ServiceDiscovery
	hosting.VolumeManager
	*autoscale.Controller
	fake *fake.Provider
}

var (
	_ hosting.HostingExtensionSdkAdapter = extension{}
	_ hosting.PolicyReplacer             = extension{}
)

// IsAvailable tells whether the fake answers.
func (x extension) IsAvailable(ctx context.Context) bool {
	id := hosting.ID{Region: x.fake.SupportedRegions()[0], Type: x.fake.SupportedInstanceTypes()[0], Name: "is-available"}
	_, err := x.fake.GetInstance(ctx, id.String())
	return err == nil || errors.Is(err, hosting.NotFound)
}

// CheckCompatibility is Unsupported: there is no catalog of skills.
func (x extension) CheckCompatibility(ctx context.Context, _ string) (hosting.HostingCompatibility, error) {
	if err := ctx.Err(); err != nil {
		return hosting.HostingCompatibility{}, hosting.Errorf(x.fake.ProviderName(), hosting.CompatibilityFailed, hosting.ReasonOf(err), "%w", err)
	}
	return hosting.HostingCompatibility{}, hosting.Errorf(x.fake.ProviderName(), hosting.CompatibilityFailed, hosting.Unsupported,
		"there are no skills: a test sets an extension that has some, see WithExtension")
}
