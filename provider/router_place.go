package provider

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"skillcenter.io/hosting"
)

// placed is a configuration as the backend takes it, and that backend.
type placed struct {
	Named
	config hosting.CloudHostingConfig
}

// place decides which backend a configuration is for.
func (r *Router) place(ctx context.Context, code hosting.Code, config hosting.CloudHostingConfig) (placed, error) {
	n, err := r.choose(ctx, code, config.Provider, config.Region, config.InstanceType, func() hosting.FieldErrors {
		wrong, _ := config.Validate().(hosting.FieldErrors)
		return wrong
	})
	if err != nil {
		return placed{}, err
	}
	config.Provider = "" // the backend may have another name for itself
	config, err = r.ownVolumes(n, code, config)
	return placed{n, config}, err
}

// ownVolumes returns the configuration with the ids of volumes as the backend
// has them. An id without a provider means the instance's.
func (r *Router) ownVolumes(n Named, code hosting.Code, config hosting.CloudHostingConfig) (hosting.CloudHostingConfig, error) {
	if config.Container == nil {
		return config, nil
	}
	for i, mount := range config.Container.VolumeMounts {
		id, err := hosting.ParseID(mount.VolumeID)
		if err != nil || id.Provider == "" || id.Provider == n.Name {
			continue // what is no id is the backend's to refuse
		}
		field := hosting.FieldError{Field: fmt.Sprintf("container.volumeMounts[%d].volumeId", i), Value: mount.VolumeID,
			Allowed: fmt.Sprintf("a volume of provider %s, where the instance is; another one can be set in provider", n.Name)}
		return config, hosting.Errorf(n.Name, code, hosting.InvalidArgument, "%w", field)
	}
	return withVolumeIDs(config, bare), nil
}

// bare returns an id without the provider. What is no id is returned as it is.
func bare(text string) string {
	id, err := hosting.ParseID(text)
	if err != nil {
		return text
	}
	id.Provider = ""
	return id.String()
}

// choose returns the backend that is named; else the default one if it has
// region and type; else the only one that has them. An empty region or type is
// one that every backend has. wrong tells what else is wrong with the input.
func (r *Router) choose(ctx context.Context, code hosting.Code, name, region, instanceType string, wrong func() hosting.FieldErrors) (Named, error) {
	fail := func(reason hosting.Reason, err error) (Named, error) {
		return Named{}, hosting.Errorf(r.ProviderName(), code, reason, "%w", err)
	}
	if err := ctx.Err(); err != nil {
		return fail(hosting.ReasonOf(err), err)
	}
	if name != "" {
		if n, ok := r.Backend(name); ok {
			return n, nil
		}
		return fail(hosting.InvalidArgument, hosting.FieldError{Field: "provider", Value: name, Allowed: r.names()})
	}
	inRegion := r.having(region, func(n Named) []string { return n.Provider.SupportedRegions() })
	ofType := r.having(instanceType, func(n Named) []string { return n.Provider.SupportedInstanceTypes() })
	var fits []Named
	for _, n := range r.backends {
		if slices.Contains(inRegion, n.Name) && slices.Contains(ofType, n.Name) {
			fits = append(fits, n)
		}
	}
	switch {
	case len(fits) == 1, len(fits) > 0 && fits[0].Name == r.ProviderName():
		return fits[0], nil
	case len(fits) > 1:
		return fail(hosting.InvalidArgument, fmt.Errorf("several providers have region %q and instance type %q: set provider to one of: %s",
			region, instanceType, strings.Join(namesOf(fits), ", ")))
	}
	errs := wrong()
	if len(inRegion) == 0 {
		errs = addField(errs, "region", region, r.SupportedRegions())
	}
	if len(ofType) == 0 {
		errs = addField(errs, "instanceType", instanceType, r.SupportedInstanceTypes())
	}
	if len(errs) > 0 {
		return fail(hosting.InvalidArgument, errs)
	}
	return fail(hosting.InvalidArgument, fmt.Errorf("no provider has both: region %q is on %s, instanceType %q on %s",
		region, strings.Join(inRegion, ", "), instanceType, strings.Join(ofType, ", ")))
}

// having returns the names of the backends that have an item.
func (r *Router) having(item string, in func(Named) []string) []string {
	var names []string
	for _, n := range r.backends {
		if item == "" || slices.Contains(in(n), item) {
			names = append(names, n.Name)
		}
	}
	return names
}

func namesOf(backends []Named) []string {
	names := make([]string, len(backends))
	for i, n := range backends {
		names[i] = n.Name
	}
	return names
}

// addField adds what is wrong with a field, unless that is known.
func addField(errs hosting.FieldErrors, field, value string, allowed []string) hosting.FieldErrors {
	if slices.ContainsFunc(errs, func(e hosting.FieldError) bool { return e.Field == field }) {
		return errs
	}
	return append(errs, hosting.FieldError{Field: field, Value: value, Allowed: strings.Join(allowed, ", ")})
}
