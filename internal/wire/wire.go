// Package wire is the JSON that package httpapi writes and package
// httpapi/client reads, beyond the protocol's own data models. It is the one
// place for a name that both sides must agree on.
package wire

import "skillcenter.io/hosting"

// Media types.
const (
	JSON        = "application/json"
	ProblemJSON = "application/problem+json"
	EventStream = "text/event-stream"
	YAML        = "application/yaml"
)

// Headers that are not in package net/http's reach by another name.
const (
	RequestID   = "X-Request-Id"
	LastEventID = "Last-Event-ID"
	// Prefer with ReturnMinimal asks an action to answer 204 without the
	// instance, which saves the read (RFC 7240).
	Prefer        = "Prefer"
	ReturnMinimal = "return=minimal"
)

// The types of server-sent events. A stream that ends without EventEnd or
// EventError was cut, and may be resumed where its events have an id.
const (
	EventLog     = "log"     // data is a hosting.LogEntry, the id its cursor
	EventState   = "state"   // data is a hosting.InstanceChange, as in the next two
	EventSynced  = "synced"  //
	EventDeleted = "deleted" //
	EventError   = "error"   // data is a Problem; the last one
	EventEnd     = "end"     // there is no more; the last one, and data is {}
)

// Page sizes of lists.
const (
	DefaultPageSize = 100
	MaxPageSize     = 1000
)

// Problem is an error as RFC 9457 has it, with the protocol's fields beside it.
type Problem struct {
	Type   string `json:"type"` // always "about:blank": Reason says what it is
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`

	Provider     string         `json:"provider"`
	ErrorCode    hosting.Code   `json:"errorCode"`
	ErrorMessage string         `json:"errorMessage"`
	Reason       hosting.Reason `json:"reason"`

	InstanceID string `json:"instanceId,omitempty"`
	// RetryAfter is in milliseconds; the header of that name has whole seconds.
	RetryAfter hosting.Duration `json:"retryAfter,omitzero"`
	// Cleanup is what went wrong while the failed call removed what it had made.
	Cleanup string `json:"cleanup,omitempty"`
	// Fields is what is wrong with the input, field by field.
	Fields    []Field `json:"fields,omitempty"`
	RequestID string  `json:"requestId,omitempty"`
}

// Field is one mistake of an input.
type Field struct {
	Field   string `json:"field"`
	Value   string `json:"value"`
	Allowed string `json:"allowed"`
}

// List is the answer of every list.
type List[T any] struct {
	Items []T `json:"items"`
	// NextPageToken is empty on the last page.
	NextPageToken string `json:"nextPageToken,omitempty"`
	// Errors tell which part of the list is missing.
	Errors []Problem `json:"errors,omitempty"`
}

// Scale is the body of a scale.
type Scale struct {
	Replicas *int `json:"replicas"`
}

// Mount is the body of a mount.
type Mount struct {
	InstanceID string `json:"instanceId"`
	MountPath  string `json:"mountPath"`
	ReadOnly   bool   `json:"readOnly,omitempty"`
}

// Unmount is the body of an unmount.
type Unmount struct {
	InstanceID string `json:"instanceId"`
}

// Rollback is the body of a rollback.
type Rollback struct {
	// Revision 0 is the one before the current.
	Revision int `json:"revision,omitempty"`
}

// Status is the answer of GET /status.
type Status struct {
	// Available is the extension's IsAvailable.
	Available bool `json:"available"`
	// Protocol is the version of the protocol.
	Protocol string `json:"protocol"`
}

// ProtocolVersion is the version of the protocol that is spoken.
const ProtocolVersion = "0.7.3"
