package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// bodyWithin is how long a client may take to send a body, if the server has no
// ReadTimeout that says so.
const bodyWithin = 30 * time.Second

// body reads the JSON body into value. Fields that it does not have are a
// mistake, and so is a body that is missing.
func (q *request) body(value any) { q.readBody(value, false) }

// optionalBody is body, but none at all will do.
func (q *request) optionalBody(value any) { q.readBody(value, true) }

// checkBody notes a body that the route does not have; an object without
// fields will do.
func (q *request) checkBody() {
	reads := q.r.Method != http.MethodGet && q.r.Method != http.MethodHead
	if reads && !q.bodyRead && q.r.ContentLength != 0 {
		q.optionalBody(&struct{}{})
	}
}

func (q *request) readBody(value any, optional bool) {
	q.bodyRead = true
	release, free := q.api.take(q.api.bodies)
	if !free {
		q.invalidate(noRoom("bodies"))
		return
	}
	defer release()
	if server, _ := q.r.Context().Value(http.ServerContextKey).(*http.Server); server == nil || server.ReadTimeout <= 0 {
		// Where it cannot be set, a slow body is the host's to end.
		control := http.NewResponseController(q.w)
		_ = control.SetReadDeadline(time.Now().Add(bodyWithin))
		defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	}
	data, err := io.ReadAll(http.MaxBytesReader(q.w, q.r.Body, q.api.maxBody))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		q.invalidate(&refusal{status: http.StatusRequestEntityTooLarge, reason: hosting.InvalidArgument,
			message: fmt.Sprintf("the body is too large: allowed: at most %d bytes", tooLarge.Limit)})
		return
	}
	if errors.Is(err, os.ErrDeadlineExceeded) { // its text has addresses of this server
		q.invalidate(&refusal{status: http.StatusRequestTimeout, reason: hosting.DeadlineExceeded, message: "the body did not arrive in time"})
		return
	}
	if err != nil {
		q.mistake("the body cannot be read: %w", err)
		return
	}
	if len(data) == 0 && optional {
		return
	}
	mediaType, _, err := mime.ParseMediaType(q.r.Header.Get("Content-Type"))
	if err != nil || mediaType != wire.JSON {
		q.invalidate(&refusal{status: http.StatusUnsupportedMediaType, reason: hosting.InvalidArgument,
			message: fmt.Sprintf("Content-Type %.80q: allowed: %s", q.r.Header.Get("Content-Type"), wire.JSON)})
		return
	}
	if err := decodeJSON(data, value); err != nil {
		q.mistake("body: %w", err)
	}
}

// decodeJSON reads one JSON value and nothing else. Its errors name the field
// and what is allowed, and never a value that was meant to be text: that may be
// a secret.
func decodeJSON(data []byte, value any) error {
	if !utf8.Valid(data) { // it would be changed without a word
		return errors.New("it is no UTF-8 text")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(value)
	if err == nil {
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			if hasLoneSurrogate(data) { // it would be changed, too
				return errors.New("it has half of a surrogate pair: allowed: \\uD800 to \\uDBFF only before \\uDC00 to \\uDFFF")
			}
			return checkNames(data, reflect.TypeOf(value))
		}
		return errors.New("there is something behind the JSON value: allowed: one value")
	}
	var syntax *json.SyntaxError
	var typed *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("it is empty: allowed: a JSON value")
	case errors.As(err, &syntax), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("it is no JSON: %w", err)
	case errors.As(err, &typed):
		field := typed.Field
		if field == "" {
			field = "the value"
		}
		return fmt.Errorf("%s: a JSON %s: allowed: %s", field, typed.Value, jsonType(typed.Type.String()))
	}
	return fmt.Errorf("%.200s", strings.TrimPrefix(err.Error(), "json: "))
}

// hasLoneSurrogate tells whether valid JSON has an escape that stands for no
// character by itself.
func hasLoneSurrogate(data []byte) bool {
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		i++ // what is escaped
		if data[i] != 'u' {
			continue
		}
		unit := escapedUnit(data[i+1:])
		i += 4
		if !utf16.IsSurrogate(unit) {
			continue
		}
		rest := data[i+1:]
		if !bytes.HasPrefix(rest, []byte(`\u`)) || utf16.DecodeRune(unit, escapedUnit(rest[2:])) == utf8.RuneError {
			return true
		}
		i += 6
	}
	return false
}

// escapedUnit reads the four digits of an escape.
func escapedUnit(digits []byte) rune {
	unit, _ := strconv.ParseUint(string(digits[:4]), 16, 16) // valid JSON has digits here
	return rune(unit)
}

// jsonType says in JSON's words what a Go type takes.
func jsonType(goType string) string {
	switch {
	case strings.HasPrefix(goType, "map"), strings.HasPrefix(goType, "hosting."), strings.HasPrefix(goType, "wire."), strings.HasPrefix(goType, "*"):
		return "an object"
	case strings.HasPrefix(goType, "[]"):
		return "an array"
	case strings.HasPrefix(goType, "int"):
		return "a whole number that is not too large"
	case strings.HasPrefix(goType, "float"):
		return "a number"
	case goType == "bool":
		return "true or false"
	}
	return "text"
}
