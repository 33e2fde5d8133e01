// Package store keeps small JSON documents, such as the policies of an
// autoscaler: in memory ([Memory]), in a file (package boltstore), in a cluster
// (package kubernetes) or wherever a program wants. Package storetest has the
// suite that every store passes; a store of your own uses [Document.Validate],
// [CheckPut] and [CheckDelete] to do as the others do.
package store

import (
	"context"
	"encoding/json"
)

// Document is a JSON document and where it is kept.
type Document struct {
	// Key is the name of the document: a kind and an id, such as
	// "policy/default.policy.web". See [ValidateKey].
	Key string
	// Owner is the id of the instance that the document is about, if any.
	// Where the platform can, the document goes when the instance is deleted.
	Owner string
	// Data is any JSON value, in UTF-8, of at most [MaxSize] bytes. White space
	// between its parts may get lost.
	Data json.RawMessage
	// Version changes with every write, and those of a document that was
	// deleted do not come back with another one of its key. What it looks like
	// is the store's business; compare it for equality only.
	Version string
}

// Store keeps documents with optimistic concurrency. A write that returned nil
// is kept, however the process ends, if the store is durable; a reader never
// sees half of a write. All methods may be called concurrently, also by several
// processes that share the same place, and they copy what they are given.
//
// Errors are of type [*hosting.Error] and name the key. Their reason is
// NotFound, AlreadyExists, Conflict, InvalidArgument, Unavailable and so on,
// their code [hosting.GetFailed], [hosting.ListFailed], [hosting.UpdateFailed]
// for Put or [hosting.DeleteFailed]. After one with another reason than the
// first four a write may have happened.
type Store interface {
	// Get returns a document, or NotFound.
	Get(ctx context.Context, key string) (Document, error)
	// List returns the documents of a kind, sorted by key. A kind without
	// documents is an empty list. If some documents cannot be read it returns
	// the others with an error.
	List(ctx context.Context, kind string) ([]Document, error)
	// Put writes a document and returns it with its new version. With an empty
	// Version there must be none yet, else it is AlreadyExists. With another
	// one, that must be the document's version now, else it is a Conflict; a
	// document that is gone is NotFound.
	Put(ctx context.Context, document Document) (Document, error)
	// Delete removes a document: the one of this version, else it is a
	// Conflict, or with an empty version any. One that is gone is NotFound.
	Delete(ctx context.Context, key, version string) error
	// Durable tells whether documents outlive the process.
	Durable() bool
}
