package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// tagged answers with a value and its ETag, or with 304 if the client has it.
// Tags are compared weakly for that, as RFC 9110 has it: what is between may
// have weakened them by compressing. The JSON that is hashed is what is sent.
func (q *request) tagged(value any) (*reply, error) {
	data, err := q.marshal(value)
	if err != nil {
		return nil, err
	}
	tag := tagOf(data)
	if q.reads() && q.has(tag) {
		return (&reply{status: http.StatusNotModified}).with("ETag", tag), nil
	}
	return ok(document{mediaType: wire.JSON, data: data}).with("ETag", tag), nil
}

func (q *request) reads() bool { return q.r.Method == http.MethodGet || q.r.Method == http.MethodHead }

// has tells whether the client has what has this tag. An If-None-Match that
// cannot be read is as none: the answer is right without it, too.
func (q *request) has(tag string) bool {
	list, err := parseTags(q.r.Header.Values("If-None-Match"))
	for i := range list {
		list[i] = strings.TrimPrefix(list[i], "W/")
	}
	return err == nil && matches(list, tag)
}

// tagOf is a hash of the JSON.
func tagOf(data []byte) string {
	sum := sha256.Sum256(data)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// ifMatch returns the tags of the If-Match header; nil if there is none. One
// that cannot be read is a mistake: a change that was to have a condition must
// not be made without.
func (q *request) ifMatch() []string {
	list, err := parseTags(q.r.Header.Values("If-Match"))
	if err != nil {
		q.mistake("If-Match: %w", err)
	}
	return list
}

// createOnly tells whether a change is to be made only if nothing exists yet:
// If-None-Match: *. No other is allowed there.
func (q *request) createOnly() bool {
	list, err := parseTags(q.r.Header.Values("If-None-Match"))
	if err != nil || list != nil && list[0] != anyTag {
		q.mistake("If-None-Match: allowed: *, to create what does not exist")
	}
	return list != nil
}

// anyTag stands for every document that exists.
const anyTag = "*"

// parseTags reads the values of a header: ETags, weak ones with their W/, or
// anyTag alone. Commas are allowed in a tag.
func parseTags(values []string) ([]string, error) {
	if len(values) == 0 {
		return nil, nil
	}
	text := strings.Join(values, ",")
	if strings.Trim(text, " \t") == anyTag {
		return []string{anyTag}, nil
	}
	wrong := fmt.Errorf("%.200q: allowed: *, or ETags in quotes with commas between them", text)
	var list []string
	for rest := text; ; {
		rest = strings.TrimLeft(rest, " \t,")
		if rest == "" {
			break
		}
		weak, quoted := "", rest
		if after, is := strings.CutPrefix(rest, "W/"); is {
			weak, quoted = "W/", after
		}
		if !strings.HasPrefix(quoted, `"`) {
			return nil, wrong
		}
		tag, after, closed := strings.Cut(quoted[1:], `"`)
		after = strings.TrimLeft(after, " \t")
		if !closed || after != "" && after[0] != ',' {
			return nil, wrong
		}
		list, rest = append(list, weak+`"`+tag+`"`), after
	}
	if list == nil {
		return nil, wrong
	}
	return list, nil
}

// matches tells whether a tag is in a list. Weak ones are in none: they do not
// say that a document is the same.
func matches(list []string, tag string) bool {
	return slices.Contains(list, tag) || slices.Contains(list, anyTag)
}

// current is what an If-Match is about.
type current struct {
	// key is the same for all that are about the same document, whatever they
	// call it.
	key  string
	read func(context.Context) (any, error)
	// creates tells that the change would create what does not exist.
	creates bool
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
	if document.creates && errors.Is(err, hosting.NotFound) {
		return nil, changedMeanwhile("it does not exist, and If-Match asks for one that does")
	}
	if err != nil {
		return nil, err
	}
	data, err := q.marshal(now)
	if err != nil {
		return nil, err
	}
	if tag := tagOf(data); !matches(ifMatch, tag) {
		return nil, changedMeanwhile("it has changed: its ETag is " + tag + ", not what If-Match has")
	}
	return change()
}

// changedMeanwhile is the answer to an If-Match that does not hold.
func changedMeanwhile(message string) error {
	return &refusal{status: http.StatusPreconditionFailed, reason: hosting.Conflict, message: message}
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
