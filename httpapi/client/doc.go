// Package client speaks the REST API of package httpapi. A [Client] is a
// provider and an extension: whatever takes a [hosting.CloudHostingProvider] or a
// [hosting.HostingExtensionSdkAdapter] takes it, and the helpers of the optional
// abilities, such as [hosting.StreamLogs], work with it.
//
//	c, err := client.New(ctx, "https://hosting.example.com/api/hosting", client.WithToken(token))
//	...
//	instance, err := c.CreateInstance(ctx, config)
//
// # Errors
//
// A call that fails returns the [*hosting.Error] that the provider behind the
// server returned: provider, code, reason, message, instance, how long to wait,
// what was not cleaned up, and as its cause the [hosting.FieldErrors], if any. An
// answer that is not the API's, such as that of a proxy, and a server that cannot
// be reached are errors with the code of the call and a reason that fits.
//
// # What is sent again
//
// A call is sent again, up to three times, if the server could not be reached,
// the connection broke before the answer was read, or the server answered 429 or
// 503; what reads also if a gateway answered 502. It waits as long as the server
// asks for, else a moment that grows. What
// does more when it is done twice is not: RestartInstance, RunNow, RecordEvent,
// RollbackInstance to revision 0, and ReplaceAutoScalePolicy are sent again only
// if no connection could be made. A deletion that was sent again after its answer
// was lost, and then finds nothing to delete, has succeeded.
package client
