package wire

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// encoded begins the id of an event whose cursor could not stand there as it is.
const encoded = "~"

// EventID is the id of a log event: the cursor of its entry, so that a client
// may send it as Last-Event-ID. A cursor is any text, but an id is one line
// that has to pass through a header: what could not is encoded.
func EventID(cursor string) string {
	if isPlain(cursor) && !strings.HasPrefix(cursor, encoded) {
		return cursor
	}
	return encoded + base64.RawURLEncoding.EncodeToString([]byte(cursor))
}

// CursorOf returns the cursor of an event by its id.
func CursorOf(eventID string) (string, error) {
	text, found := strings.CutPrefix(eventID, encoded)
	if !found {
		return eventID, nil
	}
	cursor, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return "", fmt.Errorf("%.80q: allowed: the id of an event", eventID)
	}
	return string(cursor), nil
}

// isPlain tells whether a text is printable ASCII without spaces.
func isPlain(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}
