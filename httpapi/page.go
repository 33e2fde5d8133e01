package httpapi

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// page is which part of a list is asked for. Lists are sorted by id, and a page
// begins behind the id that its token holds: what is created or deleted
// meanwhile moves nothing else to another page.
type page struct {
	size  int
	after string
}

// page reads the parameters pageSize and pageToken.
func (q *request) page() page {
	p := page{size: q.number("pageSize", 1, wire.MaxPageSize, wire.DefaultPageSize)}
	token := q.param("pageToken")
	if token == "" {
		return p
	}
	after, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || !strings.HasPrefix(string(after), tokenVersion) || !utf8.Valid(after) {
		q.mistake("query parameter pageToken: %.80q: allowed: a nextPageToken of this list", token)
		return p
	}
	p.after = strings.TrimPrefix(string(after), tokenVersion)
	return p
}

// tokenVersion begins a token, so that a later form of it can be told apart.
const tokenVersion = "1:"

func tokenAfter(id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(tokenVersion + id))
}

// list answers a list that is sorted by id. keep selects items and access says
// what one is about, for the Authorizer. A part that is missing is told beside
// the items, or as a failure if there are none that the client may see.
func list[T any](ctx context.Context, q *request, p page, items []T, err error, idOf func(T) string,
	keep func(T) bool, access func(T) Access) (*reply, error) {
	var answer wire.List[T]
	if err != nil {
		some, undecided := anyVisible(ctx, q, items, access)
		if undecided != nil {
			return nil, undecided
		}
		missing, undecided := q.missing(ctx, err)
		if undecided != nil {
			return nil, undecided
		}
		if !some {
			return nil, missing[0]
		}
		for _, err := range missing {
			answer.Errors = append(answer.Errors, q.problem(err))
		}
	}
	items = items[sort.Search(len(items), func(i int) bool { return idOf(items[i]) > p.after }):]
	answer.Items = make([]T, 0, min(len(items), p.size))
	for _, item := range items {
		if !keep(item) {
			continue
		}
		visible, err := q.visible(ctx, access(item))
		if err != nil {
			return nil, err
		}
		if !visible {
			continue
		}
		if len(answer.Items) == p.size {
			answer.NextPageToken = tokenAfter(idOf(answer.Items[p.size-1]))
			break
		}
		answer.Items = append(answer.Items, item)
	}
	return ok(answer), nil
}

// missing returns the errors of a list, one for each provider that failed. Of a
// provider that whoever asks may not list, only what kind of error it is.
func (q *request) missing(ctx context.Context, err error) ([]error, error) {
	parts := []error{err}
	failed, isError := errors.AsType[*hosting.Error](err)
	if !isError {
		return parts, nil
	}
	if several, is := failed.Err.(interface{ WrappedErrors() []error }); is {
		causes := several.WrappedErrors()
		if !slices.ContainsFunc(causes, func(cause error) bool { _, is := cause.(*hosting.Error); return !is }) {
			parts = causes // several providers failed, not several regions of one
		}
	}
	told := make([]error, len(parts))
	for i, part := range parts {
		failed, _ := errors.AsType[*hosting.Error](part)
		visible, undecided := q.visible(ctx, Access{Action: q.route.action, Provider: failed.Provider})
		if undecided != nil {
			return nil, undecided
		}
		told[i] = part
		if !visible {
			told[i] = hosting.Errorf(q.api.provider.ProviderName(), failed.Code, failed.Reason, "a part of the list could not be read")
		}
	}
	return told, nil
}

// anyVisible tells whether one of the items is visible.
func anyVisible[T any](ctx context.Context, q *request, items []T, access func(T) Access) (bool, error) {
	for _, item := range items {
		if visible, err := q.visible(ctx, access(item)); visible || err != nil {
			return visible, err
		}
	}
	return false, nil
}

// visible tells whether an item of a list may be seen by whoever asks. An
// Authorizer that cannot decide fails the list, which would be wrong without
// the item.
func (q *request) visible(ctx context.Context, access Access) (bool, error) {
	if q.api.authorize == nil {
		return true, nil
	}
	_, denied := q.api.allowed(q.r.WithContext(ctx), access)
	switch {
	case denied == nil:
		return true, nil
	case errors.Is(denied.reason, hosting.PermissionDenied):
		return false, nil
	}
	return false, denied
}

// filter selects instances.
type filter struct {
	provider, region, instanceType, status string
	labels                                 map[string]string
}

// filter reads the parameters provider, region, type, status and label, the
// last of which may be given several times: all of them must fit.
func (q *request) filter() filter {
	f := filter{provider: q.param("provider"), region: q.param("region"), instanceType: q.param("type"), status: q.param("status"), labels: map[string]string{}}
	var statuses []string
	for _, status := range hosting.Statuses() {
		statuses = append(statuses, string(status))
	}
	if f.status != "" && !slices.Contains(statuses, f.status) {
		q.mistake("query parameter status: %.80q: allowed: %s", f.status, strings.Join(statuses, ", "))
	}
	q.known = append(q.known, "label")
	for _, text := range q.values()["label"] {
		name, value, found := strings.Cut(text, "=")
		if other, twice := f.labels[name]; !found || name == "" || twice && other != value {
			q.mistake("query parameter label: %.80q: allowed: <name>=<value>, each name once", text)
		}
		f.labels[name] = value
	}
	return f
}

func (f filter) keeps(i hosting.CloudInstance) bool {
	fits := func(want, got string) bool { return want == "" || want == got }
	if !fits(f.provider, i.Provider) || !fits(f.region, i.Region) || !fits(f.instanceType, i.InstanceType) || !fits(f.status, string(i.Status)) {
		return false
	}
	for name, value := range f.labels {
		if got, has := i.Labels[name]; !has || got != value {
			return false
		}
	}
	return true
}

// plain is the answer of a list without pages.
func plain[T any](items []T, err error) (*reply, error) {
	if err != nil {
		return nil, err
	}
	if items == nil {
		items = []T{}
	}
	return ok(wire.List[T]{Items: items}), nil
}

// location is the path of what has an id.
func (q *request) location(kind, id string) string {
	return fmt.Sprintf("%s/%s/%s", q.api.prefix, kind, id)
}
