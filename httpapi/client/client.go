package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// Client is a provider and an extension behind a REST API. Make it with [New].
// All methods may be called concurrently. It starts no goroutine of its own that
// outlives a call; the connections of its transport have theirs, see
// [Client.Close].
type Client struct {
	settings
	base    string // the URL up to the prefix, without a slash at the end
	host    string
	calls   *http.Client
	streams *http.Client // calls without a timeout
	own     bool         // the transport is ours

	providers []hosting.ProviderInfo // the default one first
}

var (
	_ hosting.CloudHostingProvider       = (*Client)(nil)
	_ hosting.HostingExtensionSdkAdapter = (*Client)(nil)
	_ hosting.LogStreamer                = (*Client)(nil)
	_ hosting.InstanceWatcher            = (*Client)(nil)
	_ hosting.InstanceApplier            = (*Client)(nil)
	_ hosting.InstancePlanner            = (*Client)(nil)
	_ hosting.Rollbacker                 = (*Client)(nil)
	_ hosting.JobRunner                  = (*Client)(nil)
	_ hosting.EventRecorder              = (*Client)(nil)
	_ hosting.CapabilityReporter         = (*Client)(nil)
	_ hosting.InstanceCapabilityReporter = (*Client)(nil)
	_ hosting.ProviderLister             = (*Client)(nil)
	_ io.Closer                          = (*Client)(nil)
)

// New returns a client of the API at baseURL, which is up to the prefix, as in
// "https://hosting.example.com/api/hosting". It asks the server which providers,
// regions and instance types there are, once: what the server is started with
// later, a new client sees.
//
// A wrong URL or option is an InvalidConfig with reason InvalidArgument; that the
// server cannot be asked is a GetFailed.
func New(ctx context.Context, baseURL string, options ...Option) (*Client, error) {
	c := &Client{settings: defaults()}
	for _, option := range options {
		option(&c.settings)
	}
	wrong := c.settings.check()
	parsed, err := url.Parse(baseURL)
	if err != nil || !isBase(parsed) {
		// Not with its value: there may be a password in it.
		wrong = append(wrong, hosting.FieldError{Field: "baseURL", Value: redacted(parsed),
			Allowed: "an http or https URL up to the prefix of the API, without user, query and fragment, as in https://hosting.example.com/api/hosting"})
	}
	if len(wrong) > 0 {
		return nil, hosting.Errorf("", hosting.InvalidConfig, hosting.InvalidArgument, "%w", wrong)
	}
	c.base, c.host = strings.TrimRight(parsed.String(), "/"), parsed.Host
	c.connect()
	list, err := send[wire.List[hosting.ProviderInfo]](ctx, c, request{code: hosting.GetFailed, method: http.MethodGet, path: "/providers"})
	if err == nil && len(list.Items) == 0 {
		err = hosting.Errorf("", hosting.GetFailed, hosting.PermissionDenied, "the server names no provider: there is none that may be seen")
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	c.providers = list.Items
	return c, nil
}

func isBase(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.Opaque == "" && u.RawQuery == "" && !u.ForceQuery && u.Fragment == ""
}

func redacted(u *url.URL) string {
	if u == nil {
		return "(no URL)"
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return shown.String()
}

// idleConnections is how many connections to the server are kept for the next
// calls.
const idleConnections = 32

// A connection over HTTP/2 carries all calls, also once what is between has
// forgotten it: then nothing ends it for minutes, and every call runs into its
// deadline. So when a server that is waited for is silent for pingAfter, it is
// asked whether it is there, and has pingWithin to say so.
const pingAfter, pingWithin = 15 * time.Second, 10 * time.Second

// connect makes what makes the requests.
func (c *Client) connect() {
	calls := http.Client{}
	if c.transport != nil {
		calls = *c.transport
	} else {
		c.own = true
		transport, ok := http.DefaultTransport.(*http.Transport)
		if ok {
			transport = transport.Clone()
		} else { // somebody has replaced it
			transport = &http.Transport{Proxy: http.ProxyFromEnvironment}
		}
		transport.MaxIdleConns, transport.MaxIdleConnsPerHost = idleConnections, idleConnections
		if transport.HTTP2 == nil {
			transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingWithin}
		}
		calls.Transport = transport
	}
	// A redirect would take the token, and a change, to another place.
	calls.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	streams := calls
	streams.Timeout = 0
	c.calls, c.streams = &calls, &streams
}

// ProviderName returns the name of the server's default provider.
func (c *Client) ProviderName() string {
	if len(c.providers) == 0 { // New has not finished
		return ""
	}
	return c.providers[0].Name
}

// Providers returns the providers behind the server, the default one first.
func (c *Client) Providers() []hosting.ProviderInfo {
	infos := slices.Clone(c.providers)
	for i := range infos {
		infos[i].Regions, infos[i].InstanceTypes = slices.Clone(infos[i].Regions), slices.Clone(infos[i].InstanceTypes)
	}
	return infos
}

// SupportedRegions returns the regions of all providers, those of the default
// one first.
func (c *Client) SupportedRegions() []string {
	return c.union(func(info hosting.ProviderInfo) []string { return info.Regions })
}

// SupportedInstanceTypes returns the instance types of all providers, those of
// the default one first.
func (c *Client) SupportedInstanceTypes() []string {
	return c.union(func(info hosting.ProviderInfo) []string { return info.InstanceTypes })
}

func (c *Client) union(of func(hosting.ProviderInfo) []string) []string {
	var all []string
	for _, info := range c.providers {
		for _, item := range of(info) {
			if !slices.Contains(all, item) {
				all = append(all, item)
			}
		}
	}
	return all
}

// Close closes the connections that no call uses; those of an [http.Client] that
// was given stay. Calls that run go on, and the server is not told. A client that
// is used again opens new ones. It returns nil.
func (c *Client) Close() error {
	if c.own {
		c.calls.CloseIdleConnections()
	}
	return nil
}
