package hosting

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Code says which operation failed. The first eleven are the protocol's, the
// others cover its remaining calls.
type Code string

// The error codes. InstanceNotFound goes before any other: an operation on an
// id that names nothing fails with it and not with its own code.
const (
	CreateFailed     Code = "CreateFailed"
	InstanceNotFound Code = "InstanceNotFound"
	StartFailed      Code = "StartFailed"
	StopFailed       Code = "StopFailed"
	RestartFailed    Code = "RestartFailed"
	ScaleFailed      Code = "ScaleFailed"
	UpdateFailed     Code = "UpdateFailed"
	DeleteFailed     Code = "DeleteFailed"
	LogsFailed       Code = "LogsFailed"
	EventsFailed     Code = "EventsFailed"
	EndpointFailed   Code = "EndpointFailed"

	ListFailed          Code = "ListFailed"
	GetFailed           Code = "GetFailed"
	MetricsFailed       Code = "MetricsFailed"
	HealthFailed        Code = "HealthFailed"
	CostFailed          Code = "CostFailed"
	PolicyNotFound      Code = "PolicyNotFound"
	PolicyFailed        Code = "PolicyFailed"
	ServiceNotFound     Code = "ServiceNotFound"
	ServiceFailed       Code = "ServiceFailed"
	VolumeNotFound      Code = "VolumeNotFound"
	VolumeFailed        Code = "VolumeFailed"
	CompatibilityFailed Code = "CompatibilityFailed"
	InvalidConfig       Code = "InvalidConfig"
)

// Reason says why an operation failed, and is what callers branch on:
//
//	if errors.Is(err, hosting.NotFound) { ... }
type Reason string

// The reasons.
const (
	InvalidArgument  Reason = "InvalidArgument"  // the caller's input is wrong; the message names the field
	NotFound         Reason = "NotFound"         // what the call is about does not exist
	AlreadyExists    Reason = "AlreadyExists"    // the name is taken by something else
	Conflict         Reason = "Conflict"         // the state it is in does not allow this now
	Unsupported      Reason = "Unsupported"      // this provider or instance type cannot do it, ever
	Unauthenticated  Reason = "Unauthenticated"  // the platform does not accept the provider's credentials
	PermissionDenied Reason = "PermissionDenied" // the provider's credentials do not allow it
	QuotaExceeded    Reason = "QuotaExceeded"    // a limit of the account or namespace is reached
	RateLimited      Reason = "RateLimited"      // too many requests; RetryAfter may say when to come back
	Unavailable      Reason = "Unavailable"      // the platform cannot be reached or is not ready; try again later
	DeadlineExceeded Reason = "DeadlineExceeded" // it took too long; the change may have happened
	Canceled         Reason = "Canceled"         // the caller gave up; the change may have happened
	Internal         Reason = "Internal"         // none of the others
)

// Error makes a Reason a target for errors.Is.
func (r Reason) Error() string { return string(r) }

// Error is what every call of a provider or adapter returns when it fails.
type Error struct {
	// Provider is the name of the provider that failed.
	Provider string `json:"provider"`
	// Code says which operation failed.
	Code Code `json:"errorCode"`
	// Message says what happened, in full: it holds the text of Err too.
	Message string `json:"errorMessage"`
	// Reason says why.
	Reason Reason `json:"reason"`
	// InstanceID is the instance that the call was about, if any.
	InstanceID string `json:"-"`
	// RetryAfter is how long the platform asks to wait before another try;
	// zero if it did not say.
	RetryAfter time.Duration `json:"-"`
	// Err is the cause, if there is one, such as the platform's own error.
	Err error `json:"-"`
	// Cleanup is what went wrong while the failed call removed what it had
	// made. What is named there may still exist.
	Cleanup error `json:"-"`
}

// Errorf returns an Error with a formatted message. What %w wraps becomes its
// cause; its text is part of the message, so it is not printed twice.
func Errorf(provider string, code Code, reason Reason, format string, args ...any) *Error {
	wrapped := fmt.Errorf(format, args...)
	cause := errors.Unwrap(wrapped)
	if _, several := wrapped.(interface{ Unwrap() []error }); several {
		cause = wrapped
	}
	return &Error{Provider: provider, Code: code, Reason: reason, Message: wrapped.Error(), Err: cause}
}

// Error returns provider, code, reason and message in one line.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s (%s): %s", e.Code, e.Reason, e.Message)
	if e.Provider != "" {
		text = e.Provider + ": " + text
	}
	if e.Cleanup != nil {
		text += fmt.Sprintf(" (and cleaning up failed: %s)", e.Cleanup)
	}
	return text
}

// Is reports whether target is this error's Reason.
func (e *Error) Is(target error) bool {
	reason, ok := target.(Reason)
	return ok && e.Reason == reason
}

// Unwrap returns the cause. Only the outermost *Error answers errors.Is with a
// Reason: a wrapped NotFound of an inner step does not make the whole call
// NotFound. So a cause that has reasons in it is returned without them.
func (e *Error) Unwrap() error {
	var inner *Error
	var reason Reason
	if errors.As(e.Err, &inner) || errors.As(e.Err, &reason) {
		return withoutReasons{e.Err}
	}
	return e.Err
}

// withoutReasons is a tree of errors, all of which are reached except the
// reasons and the *Errors in it.
type withoutReasons struct{ err error }

func (w withoutReasons) Error() string { return w.err.Error() }

func (w withoutReasons) Is(target error) bool {
	_, ok := target.(Reason)
	return !ok && errors.Is(w.err, target)
}

func (w withoutReasons) As(target any) bool {
	switch target.(type) {
	case *Reason, **Error:
		return false
	}
	return errors.As(w.err, target)
}

// ReasonOf returns the reason of the outermost [*Error] in err. Without one it
// is [Canceled] or [DeadlineExceeded] for the errors of a context, "" for nil,
// and [Internal] for everything else.
func ReasonOf(err error) Reason {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Reason
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	}
	return Internal
}

// CodeOf returns the code of the outermost [*Error] in err, or "" without one.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
