package conformance

import (
	"slices"
	"testing"
	"time"

	"skillcenter.io/hosting"
)

// Workload is what a container of the suite does.
type Workload string

// The workloads that a Harness supplies containers for.
const (
	// Serve runs until it is stopped and listens on port 8080. It prints
	// "line 1", "line 2" and so on: ten lines within seconds, and at least one
	// each second from then on. Among the first ten is one of level error, one
	// of level warn, one of level info and one that does not tell its level;
	// what tells the level may stand around the "line 3".
	Serve Workload = "serve"
	// Complete prints the same lines, ten at least, and exits with 0 within
	// seconds.
	Complete Workload = "complete"
	// Fail exits with 1 at once.
	Fail Workload = "fail"
	// MissingImage has a valid image reference that cannot be pulled.
	MissingImage Workload = "missing-image"
)

// Harness says how to run the suite against one provider.
type Harness struct {
	// Provider returns the provider under test. It is called for each case,
	// inside Wrap, and may return the same provider each time.
	Provider func(t *testing.T) hosting.CloudHostingProvider

	// Container returns a container that does what the workload says. It sets
	// no ports, volumes and health check; a termination grace period of some
	// seconds makes the suite faster.
	Container func(workload Workload) hosting.ContainerConfig

	// Services returns the services of the provider under test. Nil takes the
	// provider itself if it implements hosting.ServiceDiscovery. Without one, and
	// where GetService is Unsupported, the cases about them are skipped.
	Services func(t *testing.T, p hosting.CloudHostingProvider) hosting.ServiceDiscovery

	// Volumes returns the volumes of the provider under test. Nil takes the
	// provider itself if it implements hosting.VolumeManager. Without one, and
	// where GetVolume is Unsupported, the cases about them are skipped.
	Volumes func(t *testing.T, p hosting.CloudHostingProvider) hosting.VolumeManager

	// VolumeSize is the size in bytes of the volumes that the suite creates; some
	// are twice as large. 1 GiB if zero.
	VolumeSize int64

	// Wrap runs a case; nil calls it directly. With testing/synctest.Test
	// cases run in virtual time: they never call t.Run and t.Parallel.
	Wrap func(t *testing.T, run func(t *testing.T))

	// Region to create instances in; the provider's first if empty. The suite
	// names no other region that exists.
	Region string

	// Types are the instance types to test; all of the provider if nil.
	Types []string

	// ProviderNames are the names that instances and errors may carry. Nil is
	// the provider's own name; what forwards to others names those.
	ProviderNames []string

	// Timeout is how long to wait for one change, such as an instance that is
	// to run; 2 minutes if zero.
	Timeout time.Duration

	// PollInterval is the time between the first looks while waiting, which
	// grows with the time that was waited; 500 ms if zero.
	PollInterval time.Duration

	// Parallel runs the cases in parallel, as many as go test -parallel says.
	Parallel bool

	// NamePrefix begins the name of all instances but those whose name is
	// what is tested: a DNS-1035 label of at most 20 characters; "conf" if
	// empty. A random suffix makes each name unique, so that several runs can
	// share a platform and none trips over what an aborted one left.
	NamePrefix string
}

// Run runs the suite. Each case is a subtest "<case>/<instance type>", or
// "<case>" if the instance type does not matter.
func Run(t *testing.T, h Harness) {
	t.Helper()
	h = h.withDefaults(t)
	h.run(t, cases(), func(*testing.T, *env) {})
}

// run runs cases. Each begins with prepare.
func (h Harness) run(t *testing.T, cases []testCase, prepare func(*testing.T, *env)) {
	t.Helper()
	for _, c := range cases {
		for _, instanceType := range c.on(h.Types) {
			t.Run(c.leafName(instanceType), func(t *testing.T) {
				if h.Parallel {
					t.Parallel()
				}
				var skipped string
				h.Wrap(t, func(t *testing.T) {
					e := newEnv(t, h, instanceType)
					defer func() { skipped = e.skipped }()
					prepare(t, e)
					e.require(t, c.needs...)
					e.requireParts(t, c.parts)
					c.run(t, e)
				})
				if skipped != "" { // a skip inside a bubble does not show outside
					t.Skip(skipped)
				}
			})
		}
	}
}

// Case describes one promise that the suite tests.
type Case struct {
	// Name reads as a sentence about behaviour.
	Name string
	// Needs are the capabilities without which the case is skipped. That what
	// is missing says so is a case of its own.
	Needs []hosting.Capability
	// PerType tells that the case runs for each instance type it is about,
	// not once.
	PerType bool
	// Waits tells that the case waits for containers to run or to end.
	Waits bool
}

// Cases returns all cases, in the order in which they run.
func Cases() []Case { return describe(cases()) }

func describe(cases []testCase) []Case {
	var list []Case
	for _, c := range cases {
		list = append(list, Case{Name: c.name, Needs: c.needs, PerType: !c.once, Waits: c.waits})
	}
	return list
}

func (h Harness) withDefaults(t *testing.T) Harness {
	t.Helper()
	if h.Provider == nil || h.Container == nil {
		t.Fatal("conformance: a Harness needs Provider and Container")
	}
	if h.Wrap == nil {
		h.Wrap = func(t *testing.T, run func(t *testing.T)) { run(t) }
	}
	if h.Timeout == 0 {
		h.Timeout = 2 * time.Minute
	}
	if h.PollInterval == 0 {
		h.PollInterval = 500 * time.Millisecond
	}
	if h.VolumeSize == 0 {
		h.VolumeSize = 1 << 30
	}
	if h.NamePrefix == "" {
		h.NamePrefix = "conf"
	}
	if !isNamePrefix(h.NamePrefix) {
		t.Fatalf("conformance: NamePrefix %q is not a DNS-1035 label of at most %d characters", h.NamePrefix, maxNamePrefix)
	}
	h.Wrap(t, func(t *testing.T) {
		p := h.Provider(t)
		if regions := p.SupportedRegions(); h.Region == "" && len(regions) > 0 {
			h.Region = regions[0]
		}
		if h.Types == nil {
			h.Types = slices.Clone(p.SupportedInstanceTypes())
		}
		if h.ProviderNames == nil {
			h.ProviderNames = []string{p.ProviderName()}
		}
	})
	if h.Region == "" || len(h.Types) == 0 {
		t.Fatalf("conformance: the provider has region %q and types %q, want at least one of each", h.Region, h.Types)
	}
	return h
}

// maxNamePrefix leaves room for what makes the names unique.
const maxNamePrefix = 20

func isNamePrefix(prefix string) bool {
	_, err := hosting.ParseID("region.type." + prefix)
	return err == nil && len(prefix) <= maxNamePrefix
}

// testCase is one row of the table.
type testCase struct {
	name  string
	needs []hosting.Capability
	parts []part
	once  bool // the leaf does not carry a type
	waits bool
	// on selects the types to run the case for.
	on  func(types []string) []string
	run func(t *testing.T, e *env)
}

func (c testCase) leafName(instanceType string) string {
	if c.once {
		return c.name
	}
	return c.name + "/" + instanceType
}

// cases returns the table: every area adds its own.
func cases() []testCase {
	return slices.Concat(
		capabilityCases(),
		lifecycleCases(),
		deletionCases(),
		idempotencyCases(),
		concurrencyCases(),
		cancellationCases(),
		nameCases(),
		inputCases(),
		callInputCases(),
		idCases(),
		copyCases(),
		logCases(),
		streamCases(),
		eventCases(),
		metricsCases(),
		scaleCases(),
		resourceCases(),
		endpointCases(),
		costCases(),
		secretCases(),
		failureCases(),
		jobCases(),
		jsonCases(),
		watchCases(),
		applyCases(),
		applyScaleCases(),
		planCases(),
		rollbackCases(),
		serviceCases(),
		volumeCases(),
		volumeRaceCases(),
		mountCases(),
		keptMountCases(),
	)
}

// once is a case for which the instance type does not matter: it takes the
// first that runs all the time.
func once(name string, run func(*testing.T, *env), needs ...hosting.Capability) testCase {
	return testCase{name: name, needs: needs, run: run, once: true, on: func(types []string) []string {
		for _, instanceType := range types {
			if isService(instanceType) {
				return []string{instanceType}
			}
		}
		return types[:1]
	}}
}

// each is a case for every instance type.
func each(name string, run func(*testing.T, *env), needs ...hosting.Capability) testCase {
	return testCase{name: name, needs: needs, run: run, on: func(types []string) []string { return types }}
}

// services is a case for every instance type that runs all the time.
func services(name string, run func(*testing.T, *env), needs ...hosting.Capability) testCase {
	return testCase{name: name, needs: needs, run: run, on: func(types []string) []string {
		return slices.DeleteFunc(slices.Clone(types), func(instanceType string) bool { return !isService(instanceType) })
	}}
}

// only is a case for one instance type.
func only(want, name string, run func(*testing.T, *env), needs ...hosting.Capability) testCase {
	return testCase{name: name, needs: needs, run: run, on: func(types []string) []string {
		return slices.DeleteFunc(slices.Clone(types), func(instanceType string) bool { return instanceType != want })
	}}
}

// waiting marks a case that waits for containers.
func (c testCase) waiting() testCase {
	c.waits = true
	return c
}

// isService tells whether instances of a type run until they are stopped.
func isService(instanceType string) bool {
	return instanceType != hosting.TypeJob && instanceType != hosting.TypeCronJob
}
