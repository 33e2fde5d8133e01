package httpapi

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// request is a request that is being read. What is wrong with it is noted and
// told once it is known that its sender may know: only the first mistake is.
type request struct {
	api       *API
	w         http.ResponseWriter
	r         *http.Request
	route     route
	requestID string
	release   func() // of its place among the requests

	query   map[string][]string // nil until it is read
	known   []string            // the parameters that the route has
	invalid error               // the first mistake
	also    []Access            // what else the request is about, to be asked for too
	started bool                // the answer is being written

	bodyRead bool
}

// mistake notes what is wrong with the request.
func (q *request) mistake(format string, args ...any) {
	q.invalidate(hosting.Errorf(q.api.provider.ProviderName(), q.route.code, hosting.InvalidArgument, format, args...))
}

func (q *request) invalidate(err error) {
	if q.invalid == nil {
		q.invalid = err
	}
}

// id reads the id in the path, and begins the Access with it.
func (q *request) id() (string, Access) {
	text := q.r.PathValue("id")
	return text, q.access(text)
}

// access is that of what an id names. What is no id is a mistake.
func (q *request) access(text string) Access {
	id, err := hosting.ParseID(text)
	if err != nil {
		failed := hosting.Errorf(q.api.provider.ProviderName(), q.route.code, hosting.InvalidArgument, "%w", err)
		failed.InstanceID = fmt.Sprintf("%.300s", text) // longer than any id
		q.invalidate(failed)
		return Access{ID: text}
	}
	return q.api.accessTo(id, text)
}

// accessTo is the Access to what an id names.
func (a *API) accessTo(id hosting.ID, text string) Access {
	return Access{Provider: a.whole(id).Provider, Region: id.Region, Type: id.Type, Name: id.Name, ID: text}
}

// whole returns an id with the name of the default provider if it has none.
func (a *API) whole(id hosting.ID) hosting.ID {
	id.Provider = cmp.Or(id.Provider, a.provider.ProviderName())
	return id
}

// wholeID is whole for the text of an id. What is no id is returned as it is.
func (a *API) wholeID(text string) string {
	id, err := hosting.ParseID(text)
	if err != nil {
		return text
	}
	return a.whole(id).String()
}

// instance reads the id of another instance that the request is about: from a
// body or a query.
func (q *request) instance(field, text string) hosting.ID {
	id, err := hosting.ParseID(text)
	if err != nil {
		q.mistake("%s: %w", field, err)
		return hosting.ID{}
	}
	return q.api.whole(id)
}

// placed returns the configuration with what decides where it is created, and
// the Access to it. Without a provider it gets the one that it will be created
// on, as a Router has it, so that the Authorizer knows.
func (q *request) placed(config hosting.CloudHostingConfig) (hosting.CloudHostingConfig, Access) {
	provider, region := q.api.place(config.Provider, config.Region, config.InstanceType)
	if len(hosting.Providers(q.api.provider)) > 1 {
		config.Provider = cmp.Or(config.Provider, provider)
	}
	return config, Access{Provider: provider, Region: region, Type: config.InstanceType, Name: config.InstanceName}
}

// mounts notes that the volumes of a configuration are to be asked for: mounted
// with an instance they are what they are when they are mounted later. Without a
// provider, a volume is on that of the instance.
func (q *request) mounts(action Action, changes bool, config hosting.CloudHostingConfig, instance Access) {
	if config.Container == nil {
		return
	}
	for i, mount := range config.Container.VolumeMounts {
		id, err := hosting.ParseID(mount.VolumeID)
		if err != nil {
			q.mistake("container.volumeMounts[%d].volumeId: %w", i, err)
			continue
		}
		q.also = append(q.also, Access{Action: action, Changes: changes,
			Provider: cmp.Or(id.Provider, instance.Provider), Region: id.Region, Type: id.Type, Name: id.Name, ID: mount.VolumeID,
			Instance: hosting.ID{Provider: instance.Provider, Region: instance.Region, Type: instance.Type, Name: instance.Name}})
	}
}

// place returns the provider and region that something is created on. The
// provider is empty if several would do, or none.
func (a *API) place(provider, region, instanceType string) (string, string) {
	infos := hosting.Providers(a.provider)
	if len(infos) == 1 && provider == "" { // whatever it says of its regions and types
		provider = infos[0].Name
	}
	fits := slices.DeleteFunc(slices.Clone(infos), func(info hosting.ProviderInfo) bool {
		if provider != "" {
			return info.Name != provider
		}
		return region != "" && !slices.Contains(info.Regions, region) || instanceType != "" && !slices.Contains(info.InstanceTypes, instanceType)
	})
	if len(fits) == 0 || len(fits) > 1 && fits[0].Name != infos[0].Name {
		return provider, region
	}
	if region == "" && len(fits[0].Regions) > 0 {
		region = fits[0].Regions[0]
	}
	return fits[0].Name, region
}

// requestIDKey is where the request's id is in its context.
type requestIDKey struct{}

// RequestID returns the id of the request that a provider or a store is called
// for: that of its X-Request-Id header, or a random one. It is "" without one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// maxRequestID is how long an id that the client chose may be.
const maxRequestID = 128

func requestIDOf(r *http.Request) string {
	given := r.Header.Get(wire.RequestID)
	if given != "" && len(given) <= maxRequestID && strings.Trim(given, tokenCharacters+":") == "" {
		return given
	}
	return rand.Text()
}
