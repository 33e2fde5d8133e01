package faketest

import (
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/httpapi/client"
)

// Option changes what New makes.
type Option func(*settings)

type settings struct {
	fake      []fake.Option
	server    []httpapi.Option
	client    []client.Option
	authorize httpapi.Authorizer
	interval  time.Duration
	extension func(*fake.Provider) hosting.HostingExtensionSdkAdapter
}

// WithFake sets how the fake behaves, such as its name, regions and workloads.
func WithFake(options ...fake.Option) Option {
	return func(s *settings) { s.fake = append(s.fake, options...) }
}

// WithServer sets how the server behaves, such as its limits and its logger. Who
// may call is WithAuthorizer's to say. Other than by default, it waits for slow
// consumers of streams, unless httpapi.WithStreamWriteTimeout is among them.
func WithServer(options ...httpapi.Option) Option {
	return func(s *settings) { s.server = append(s.server, options...) }
}

// WithAuthorizer sets who may call; without it everybody may. The client sends
// what WithClient(client.WithToken(...)) says.
func WithAuthorizer(authorize httpapi.Authorizer) Option {
	return func(s *settings) { s.authorize = authorize }
}

// WithClient sets how the client behaves. With client.WithRetries(0) each fault
// that is injected shows; without it the client makes up for some, as it does for
// those of a real server.
func WithClient(options ...client.Option) Option {
	return func(s *settings) { s.client = append(s.client, options...) }
}

// WithInterval sets the time between two looks of a policy at its instance, 15 s
// by default.
func WithInterval(d time.Duration) Option { return func(s *settings) { s.interval = d } }

// WithExtension sets the extension; by default it is one with policies, services
// and volumes, and without skills. What [Platform.Run] does is for the policies
// of that one.
func WithExtension(open func(*fake.Provider) hosting.HostingExtensionSdkAdapter) Option {
	return func(s *settings) { s.extension = open }
}
