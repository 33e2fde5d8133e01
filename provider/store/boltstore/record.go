package boltstore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"strings"

	bolt "go.etcd.io/bbolt"

	"skillcenter.io/hosting/provider/store"
)

// header is what is kept of a document beside its key and its data: the first
// line of its value, in JSON. The data follow as they were given.
type header struct {
	Version string `json:"version"`
	Owner   string `json:"owner,omitempty"`
}

func encode(document store.Document) ([]byte, error) {
	line, err := json.Marshal(header{document.Version, document.Owner})
	if err != nil {
		return nil, err
	}
	return append(append(line, '\n'), document.Data...), nil
}

// decode returns a document, which shares nothing with the value.
func decode(key string, value []byte) (store.Document, error) {
	h, data, err := split(key, value)
	if err != nil {
		return store.Document{}, err
	}
	document := store.Document{Key: key, Owner: h.Owner, Data: bytes.Clone(data), Version: h.Version}
	if err := document.Validate(); err != nil {
		return store.Document{}, &brokenError{fmt.Sprintf("document %s is broken: %v", key, err)}
	}
	return document, nil
}

func split(key string, value []byte) (h header, data []byte, err error) {
	line, data, found := bytes.Cut(value, []byte("\n"))
	if err := json.Unmarshal(line, &h); err != nil || !found || h.Version == "" {
		return header{}, nil, &brokenError{fmt.Sprintf("document %s is broken: it does not begin with its version and owner", key)}
	}
	return h, data, nil
}

// version returns the version of a document, "" if there is none.
func version(documents *bolt.Bucket, key string) (string, error) {
	value := documents.Get([]byte(key))
	if value == nil {
		return "", nil
	}
	h, _, err := split(key, value)
	return h.Version, err
}

// withPrefix yields what has keys that begin like this, sorted by key.
func withPrefix(documents *bolt.Bucket, prefix string) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		cursor := documents.Cursor()
		for key, value := cursor.Seek([]byte(prefix)); strings.HasPrefix(string(key), prefix); key, value = cursor.Next() {
			if !yield(string(key), value) {
				return
			}
		}
	}
}
