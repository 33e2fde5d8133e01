package store

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"skillcenter.io/hosting"
)

// MaxSize is how many bytes the data of a document may have: what fits a
// ConfigMap, which holds 1 MiB, and leaves some room for what a store adds.
const MaxSize = 1000 << 10

const (
	kindAllowed = "lower-case letters, digits and '-' inside, at most 63 characters"
	keyAllowed  = "<kind>/<id>, the kind of " + kindAllowed + ", the id [<provider>:]<region>.<type>.<name>"
)

var kindPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ValidateKind tells whether there can be documents of a kind: lower-case
// letters and digits, and '-' between them, at most 63 characters. The error is
// a [hosting.FieldError].
func ValidateKind(kind string) error {
	if !kindPattern.MatchString(kind) {
		return hosting.FieldError{Field: "kind", Value: kind, Allowed: kindAllowed}
	}
	return nil
}

// ValidateKey tells whether a document can have a key: a kind (see
// [ValidateKind]), a slash and what [hosting.ParseID] reads, such as
// "policy/default.policy.web" or "policy/production:default.policy.web". So a
// key has lower-case letters, digits, '-', '.', ':' and one '/', and at most 306
// characters. The error is a [hosting.FieldError].
func ValidateKey(key string) error {
	_, _, err := SplitKey(key)
	return err
}

// SplitKey returns the parts of a key, or the error of [ValidateKey].
func SplitKey(key string) (kind string, id hosting.ID, err error) {
	kind, text, _ := strings.Cut(key, "/")
	id, err = hosting.ParseID(text)
	if err != nil || ValidateKind(kind) != nil {
		return "", hosting.ID{}, hosting.FieldError{Field: "key", Value: key, Allowed: keyAllowed}
	}
	return kind, id, nil
}

// Validate tells all that is wrong with a document to be written, as
// [hosting.FieldErrors]. The version is the store's business.
func (d Document) Validate() error {
	var errs hosting.FieldErrors
	require := func(ok bool, field string, value any, allowed string) {
		if !ok {
			errs = append(errs, hosting.FieldError{Field: field, Value: value, Allowed: allowed})
		}
	}
	require(ValidateKey(d.Key) == nil, "key", d.Key, keyAllowed)
	_, err := hosting.ParseID(d.Owner)
	require(d.Owner == "" || err == nil, "owner", d.Owner, "none, or an instance id, [<provider>:]<region>.<type>.<name>")
	if len(d.Data) > MaxSize { // too much to look at or to show
		require(false, "data", fmt.Sprintf("of %d bytes", len(d.Data)), fmt.Sprintf("at most %d bytes", MaxSize))
	} else {
		require(utf8.Valid(d.Data) && json.Valid(d.Data), "data", fmt.Sprintf("of %d bytes", len(d.Data)), "one JSON value, in UTF-8")
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

// Clone returns a copy that shares nothing.
func (d Document) Clone() Document {
	d.Data = slices.Clone(d.Data)
	return d
}

// CheckPut tells whether [Store.Put] may write a document: have is its version
// now, empty if there is none, and want the version that the caller has given.
// The error is the one to return.
func CheckPut(key, have, want string) error {
	switch {
	case want == "" && have != "":
		return hosting.Errorf("", hosting.UpdateFailed, hosting.AlreadyExists, "document %s exists already", key)
	case want == "":
		return nil
	}
	return checkVersion(hosting.UpdateFailed, key, have, want)
}

// CheckDelete tells whether [Store.Delete] may remove a document, as [CheckPut]
// does for Put.
func CheckDelete(key, have, want string) error {
	if want == "" {
		want = have
	}
	return checkVersion(hosting.DeleteFailed, key, have, want)
}

func checkVersion(code hosting.Code, key, have, want string) error {
	switch have {
	case "":
		return NotFound(code, key)
	case want:
		return nil
	}
	return hosting.Errorf("", code, hosting.Conflict, "document %s has changed: it is not in version %.80q any more", key, want)
}

// NotFound returns the error about a document that does not exist.
func NotFound(code hosting.Code, key string) error {
	return hosting.Errorf("", code, hosting.NotFound, "document %s does not exist", key)
}

// Invalid returns the error about input that is not allowed: err is that of
// [ValidateKey], [ValidateKind] or [Document.Validate].
func Invalid(code hosting.Code, err error) error {
	return hosting.Errorf("", code, hosting.InvalidArgument, "document: %w", err)
}
