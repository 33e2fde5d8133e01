// Package conformance is the suite that every hosting provider must pass. It
// tests what the protocol promises to callers, through the provider's
// interface alone, on platforms real and simulated.
//
// A provider of your own is tested with one function of your own:
//
//	func TestConformance(t *testing.T) {
//		conformance.Run(t, conformance.Harness{
//			Provider:  func(t *testing.T) hosting.CloudHostingProvider { return open(t) },
//			Container: container,
//		})
//	}
//
// Each case is a subtest whose name says what it promises, such as
// "stop keeps the number of replicas and start brings them back/deployment",
// so go test -run and -skip select cases. Cases share nothing: each creates
// instances with names of their own and deletes them.
//
// What the provider's capabilities say it cannot do is not tested to work but
// to be refused with reason Unsupported. The cases about it are skipped, with
// the reason that the capability's note gives.
//
// # Extensions
//
// An extension, of the host or of your own, is tested together with a provider
// whose instances it serves:
//
//	func TestExtensionConformance(t *testing.T) {
//		conformance.RunExtension(t, conformance.ExtensionHarness{
//			Harness: harness,
//			Open: func(t *testing.T, p hosting.CloudHostingProvider) conformance.Extension {
//				return conformance.Extension{Adapter: adapter, Run: controller.Run}
//			},
//		})
//	}
//
// It tests policies, services, volumes and compatibility. What the extension
// does not have is skipped: policies, services or volumes of which getting one
// is Unsupported, what capabilities of the provider say it cannot do (CanScale
// for policies, CanMountVolumes for mounts), rules if there is no
// Extension.Load, and skills that Extension does not name.
//
// Services and volumes that a provider has itself are tested by [Run] as well.
//
// The suite imports the standard library and the protocol only.
package conformance
