package conformance

import (
	"context"
	"slices"
	"testing"
	"time"

	"skillcenter.io/hosting"
)

// ExtensionHarness says how to run the suite against one extension.
type ExtensionHarness struct {
	// Harness is that of the provider whose instances the extension serves. Its
	// Services and Volumes are not used.
	Harness

	// Open returns the extension over a provider that Provider has returned. It
	// is called for each case, inside Wrap, and may return the same one each
	// time.
	Open func(t *testing.T, p hosting.CloudHostingProvider) Extension
}

// Extension is an extension under test, and what the suite can do with it.
type Extension struct {
	// Adapter is never nil.
	Adapter hosting.HostingExtensionSdkAdapter

	// Run lets policies act until ctx ends, and returns nil then. The suite calls
	// it once in each case about that. Nil means that they act without it.
	Run func(ctx context.Context) error

	// Interval is the time between two looks of a policy at its instance; 15 s
	// if zero.
	Interval time.Duration

	// Load lets each replica of an instance use this share of its CPU limit, in
	// percent, until it is called again; what the extension measures may follow
	// later. Without it the cases about rules are skipped.
	Load func(instanceID string, cpuPercent float64) error

	// Skill is the id of a skill that can be hosted without reservations, and
	// UnfitSkill of one that cannot be hosted. Without them the cases about them
	// are skipped.
	Skill, UnfitSkill string
}

// RunExtension runs the suite of extensions: that of the provider is not part of
// it. Each case is a subtest. Policies, services or volumes are skipped if
// getting one by its id is refused as Unsupported, but for the case that wants
// all their calls to say so; their list may be empty then.
func RunExtension(t *testing.T, h ExtensionHarness) {
	t.Helper()
	if h.Open == nil {
		t.Fatal("conformance: an ExtensionHarness needs Open")
	}
	h.Harness = h.Harness.withDefaults(t)
	open := func(t *testing.T, e *env) {
		x := h.Open(t, e.p)
		if x.Adapter == nil {
			t.Fatal("conformance: an Extension needs an Adapter")
		}
		if x.Interval == 0 {
			x.Interval = 15 * time.Second
		}
		e.x, e.adapter, e.services, e.volumes = x, x.Adapter, x.Adapter, x.Adapter
	}
	h.Harness.run(t, extensionCases(), open)
}

// ExtensionCases returns the cases of RunExtension, in the order in which they
// run. Those about services and volumes are also among [Cases].
func ExtensionCases() []Case { return describe(extensionCases()) }

// extensionCases returns the table: every part adds its own.
func extensionCases() []testCase {
	return slices.Concat(
		adapterCases(),
		policyCases(),
		policyRaceCases(),
		policyActionCases(),
		serviceCases(),
		volumeCases(),
		volumeRaceCases(),
		mountCases(),
		keptMountCases(),
		compatibilityCases(),
	)
}
