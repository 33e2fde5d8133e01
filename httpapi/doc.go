// Package httpapi serves a provider and its extension over REST, on a mux of
// its own or beside the routes of a host application.
//
//	authorize, err := httpapi.BearerToken(os.Getenv("HOSTING_TOKEN"))
//	...
//	api, err := httpapi.New(provider, extension, httpapi.WithAuthorizer(authorize))
//	...
//	api.Mount(mux)
//
// The routes are those of the Cloud Hosting Protocol v0.7.3 and some more; they
// are described by the OpenAPI document at /api/hosting/openapi.yaml and in
// docs/rest.md. Package httpapi/client speaks them, and is a provider itself.
package httpapi
