package conformance

import (
	"context"
	"errors"
	"testing"

	"skillcenter.io/hosting"
)

// part is what a provider or an extension may do without.
type part struct {
	name string
	// find gives the part to the case, or tells that there is none.
	find func(t *testing.T, e *env) bool
	// get asks for one that does not exist.
	get func(ctx context.Context, e *env) error
}

var (
	policies = part{"policies", func(_ *testing.T, e *env) bool { return e.adapter != nil }, func(ctx context.Context, e *env) error {
		_, err := e.adapter.GetAutoScalePolicyByID(ctx, e.Region+".policy."+e.name())
		return err
	}}
	registrations = part{"services", func(t *testing.T, e *env) bool {
		switch {
		case e.services != nil:
		case e.Services != nil:
			e.services = e.Services(t, e.p)
		default:
			e.services, _ = e.p.(hosting.ServiceDiscovery)
		}
		return e.services != nil
	}, func(ctx context.Context, e *env) error {
		_, err := e.services.GetService(ctx, e.Region+".service."+e.name())
		return err
	}}
	storage = part{"volumes", func(t *testing.T, e *env) bool {
		switch {
		case e.volumes != nil:
		case e.Volumes != nil:
			e.volumes = e.Volumes(t, e.p)
		default:
			e.volumes, _ = e.p.(hosting.VolumeManager)
		}
		return e.volumes != nil
	}, func(ctx context.Context, e *env) error {
		_, err := e.volumes.GetVolume(ctx, e.Region+".volume."+e.name())
		return err
	}}
)

// cases are about the part: without it they are skipped.
func (p part) cases(list ...testCase) []testCase {
	for i := range list {
		list[i].parts = append(list[i].parts, p)
	}
	return list
}

// requireParts skips a case about what there is not: a part that refuses to get
// anything as Unsupported. That it refuses all else, too, is a case of its own.
func (e *env) requireParts(t *testing.T, parts []part) {
	t.Helper()
	for _, p := range parts {
		if !p.find(t, e) {
			e.skip(t, "the provider has no %s", p.name)
		}
		if err := e.missing(p); err != nil {
			e.skip(t, "%s are not supported: %v", p.name, err)
		}
	}
}

// missing returns why there is no such part, or nil if there is.
func (e *env) missing(p part) error {
	_, err := retried(e, func() (struct{}, error) { return struct{}{}, p.get(e.ctx, e) })
	if errors.Is(err, hosting.Unsupported) {
		return err
	}
	return nil
}
