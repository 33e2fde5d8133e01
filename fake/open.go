package fake

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/go-multierror"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/driver"
)

// Open is the [driver.Opener] of this package: it makes a Provider as
// docs/configuration.md says. What only a program can give is for [New].
func Open(_ context.Context, env driver.Env, section driver.Section) (driver.Backend, error) {
	var file fileSection
	var failures *multierror.Error
	if err := section.Decode(&file); err != nil {
		failures = multierror.Append(failures, err)
	}
	// What could not be read is empty, and has been told.
	bad := func(id hosting.ID, text string) bool { return !fitsID(id) && (text != "" || failures == nil) }
	for i, region := range file.Regions {
		if bad(hosting.ID{Region: region, Type: "x"}, region) {
			failures = multierror.Append(failures, section.Errorf(fmt.Sprintf("regions[%d]", i), "%.80q: allowed: a DNS label", region))
		}
	}
	for i, instanceType := range file.InstanceTypes {
		if slices.Contains(takenTypes, instanceType) || bad(hosting.ID{Region: "x", Type: instanceType}, instanceType) {
			failures = multierror.Append(failures, section.Errorf(fmt.Sprintf("instanceTypes[%d]", i),
				"%.80q: allowed: lower-case letters and digits, beginning with a letter, and none of %q", instanceType, takenTypes))
		}
	}
	if file.Nodes != nil && *file.Nodes < 1 {
		failures = multierror.Append(failures, section.Errorf("nodes", "%d: allowed: 1 or more", *file.Nodes))
	}
	if failures != nil {
		return driver.Backend{}, failures
	}
	options := []Option{WithName(env.Name), WithRegions(file.Regions...), WithInstanceTypes(file.InstanceTypes...),
		WithDefaults(env.Defaults.Resources, env.Defaults.Scaling)}
	if file.Nodes != nil {
		options = append(options, WithNodes(*file.Nodes))
	}
	p := New(options...)
	return driver.Backend{Provider: p, Volumes: p, Services: p, Scaling: p, Checker: p, Close: p.Close}, nil
}

// fileSection is the section of a configuration file.
type fileSection struct {
	Regions       []string `yaml:"regions"`
	InstanceTypes []string `yaml:"instanceTypes"`
	Nodes         *int     `yaml:"nodes"`
}

func fitsID(id hosting.ID) bool {
	id.Name = "x"
	read, err := hosting.ParseID(id.String())
	return err == nil && read == id
}
