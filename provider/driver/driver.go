// Package driver is what a package that offers a provider and the package
// provider, which reads a configuration and opens a host, agree on. Programs
// that use a host do not need it; authors of custom providers do.
package driver

import (
	"context"
	"log/slog"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/provider/store"
)

// Opener makes a backend from its section of the configuration. It reads the
// section and may look at files, but asks no network: that is for the first
// call. What it starts it starts in [Backend.Run].
//
// Its error has code InvalidConfig if the section is wrong. Errors of
// [Section.Decode] say the file and the line; return them as they are.
type Opener func(ctx context.Context, env Env, section Section) (Backend, error)

// Env is what the host gives to a backend.
type Env struct {
	// Name is the configured name of the provider. Its instances say so in
	// [hosting.CloudInstance.Provider]; their ids are without it.
	Name string
	// Logger is never nil.
	Logger *slog.Logger
	// Defaults are those of the configuration for all providers; what the
	// section says itself goes before them.
	Defaults Defaults
}

// Defaults are the settings of instances that do not say otherwise, on
// providers that do not either. What is zero or nil is not set.
type Defaults struct {
	Resources hosting.ResourceConfig
	Scaling   hosting.ScaleConfig
}

// Section is the part of a configuration that belongs to one provider.
type Section interface {
	// Decode reads the section into a pointer to a struct with yaml tags. It
	// is strict: an unknown key, a value of the wrong kind or one that is given
	// twice is an error that says file, line, key and what is allowed. Types
	// with an UnmarshalText method take what people write, such as "500m". What
	// the section does not name stays as it is.
	Decode(into any) error
	// Errorf returns an error about a key of the section, such as
	// "networking.serviceType", with the file and the line where it stands.
	// Its text shows a variable instead of what it holds.
	Errorf(key, format string, args ...any) error
}

// Backend is an opened provider and what its platform has beyond that. What is
// nil is absent.
type Backend struct {
	// Provider is never nil.
	Provider hosting.CloudHostingProvider
	// Volumes and Services take and return the platform's own ids, without the
	// name of the provider, as Provider does.
	Volumes  hosting.VolumeManager
	Services hosting.ServiceDiscovery
	// Scaling is for policies of instances.
	Scaling autoscale.Backend
	// Elector chooses one of the processes that use the same platform.
	Elector autoscale.Elector
	// Store keeps documents on the platform.
	Store store.Store
	// Checker tells whether the platform would take an instance.
	Checker Checker
	// Run does what the backend does on its own, until ctx ends; then it
	// returns nil.
	Run func(ctx context.Context) error
	// Close frees what the backend holds; it is called once, after Run has
	// returned.
	Close func() error
}

// Names of checks that several platforms make. For these it is known what to do
// when they do not pass.
const (
	CheckAccepted  = "accepted"  // the platform accepts the configuration
	CheckAdmission = "admission" // the platform lets a replica of it run
	CheckQuota     = "quota"     // the account or namespace has enough left for all replicas
	CheckNodes     = "nodes"     // a replica fits on some node
)

// Checker tells whether a platform would take an instance.
type Checker interface {
	// CheckConfig looks at a configuration as CreateInstance would, and
	// returns what it found, in the order of documentation. It changes
	// nothing. The error, of type [*hosting.Error] with code
	// CompatibilityFailed, means that it could not look.
	CheckConfig(ctx context.Context, config hosting.CloudHostingConfig) ([]hosting.CompatibilityCheck, error)
}
