package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"

	"skillcenter.io/hosting"
)

// tagged answers with a document and its ETag, or with 304 if the client has it.
func (q *request) tagged(document any) (*reply, error) {
	tag, err := q.tag(document)
	if err != nil {
		return nil, err
	}
	if q.r.Method == http.MethodGet && matches(tags(q.r.Header.Values("If-None-Match")), tag) {
		return (&reply{status: http.StatusNotModified}).with("ETag", tag), nil
	}
	return ok(document).with("ETag", tag), nil
}

// tag is a hash of the document's JSON.
func (q *request) tag(document any) (string, error) {
	data, err := json.Marshal(document)
	if err != nil {
		return "", hosting.Errorf(q.api.provider.ProviderName(), q.route.code, hosting.Internal, "what the provider returned is no JSON: %w", err)
	}
	sum := sha256.Sum256(data)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, nil
}

// ifMatch returns the tags of the If-Match header; nil if there is none.
func (q *request) ifMatch() []string { return tags(q.r.Header.Values("If-Match")) }

func tags(values []string) []string {
	var list []string
	for _, value := range values {
		for tag := range strings.SplitSeq(value, ",") {
			list = append(list, strings.TrimSpace(tag))
		}
	}
	return list
}

func matches(list []string, tag string) bool {
	return slices.Contains(list, tag) || slices.Contains(list, "*")
}

// current is what an If-Match is about.
type current struct {
	key  string
	read func(context.Context) (any, error)
}

// guarded makes a change. With an If-Match it is made only if the document is
// still what the client has seen, which is 412 otherwise; meanwhile no other
// change with an If-Match of the same document is made by this server.
func guarded(ctx context.Context, q *request, ifMatch []string, document current, change func() (*reply, error)) (*reply, error) {
	if ifMatch == nil {
		return change()
	}
	unlock, err := q.api.locks.lock(ctx, document.key)
	if err != nil {
		return nil, err
	}
	defer unlock()
	now, err := document.read(ctx)
	if err != nil {
		return nil, err
	}
	tag, err := q.tag(now)
	if err != nil {
		return nil, err
	}
	if !matches(ifMatch, tag) {
		return nil, &refusal{status: http.StatusPreconditionFailed, reason: hosting.Conflict,
			message: "it has changed: its ETag is " + tag + ", not what If-Match has"}
	}
	return change()
}

// locks has one lock for each key that somebody holds or waits for.
type locks struct {
	mu   sync.Mutex
	held map[string]*lock
}

type lock struct {
	place chan struct{}
	users int
}

// lock waits for the lock of a key, until ctx ends.
func (l *locks) lock(ctx context.Context, key string) (unlock func(), err error) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[string]*lock{}
	}
	k := l.held[key]
	if k == nil {
		k = &lock{place: make(chan struct{}, 1)}
		l.held[key] = k
	}
	k.users++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.held, key)
		}
	}
	select {
	case k.place <- struct{}{}:
		return func() { <-k.place; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
