package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"skillcenter.io/hosting"
)

// fail maps what the API server or the network said to a hosting.Error. What
// says what was being done, such as "Service web". An error that is a
// hosting.Error already is returned as it is.
func (p *Provider) fail(ctx context.Context, code hosting.Code, instanceID, what string, err error) error {
	var known *hosting.Error
	if errors.As(err, &known) {
		return err
	}
	reason := reasonOf(ctx, err)
	err = fmtError(what, err)
	if id, parseErr := hosting.ParseID(instanceID); parseErr == nil && isAboutRegion(reason, err) {
		err = inRegion(id.Region, err)
	}
	failed := hosting.Errorf(p.config.Name, code, reason, "%w", err)
	failed.InstanceID = instanceID
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
		failed.RetryAfter = time.Duration(seconds) * time.Second
	}
	return failed
}

// isAboutRegion tells that something is wrong with the region rather than with
// the instance.
func isAboutRegion(reason hosting.Reason, err error) bool {
	switch reason {
	case hosting.Unauthenticated, hosting.PermissionDenied, hosting.RateLimited, hosting.Unavailable:
		return true
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return apierrors.IsNotFound(err) && status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
	}
	var noAnswer *url.Error
	return errors.As(err, &noAnswer)
}

// reasonOf tells why a request failed. A context that has ended goes first:
// the transport reports it in many ways.
func reasonOf(ctx context.Context, err error) hosting.Reason {
	if ctx.Err() != nil {
		return hosting.ReasonOf(ctx.Err())
	}
	var known *hosting.Error
	var unusable *clusterError
	var unreadable *unreadableError
	switch {
	case errors.As(err, &known):
		return known.Reason
	case errors.As(err, &unusable):
		return unusable.reason
	case errors.As(err, &unreadable):
		return hosting.Internal
	case errors.Is(err, context.Canceled):
		return hosting.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return hosting.DeadlineExceeded
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return reasonOfNoAnswer(err)
	}
	switch {
	case isQuota(err):
		return hosting.QuotaExceeded
	case apierrors.IsNotFound(err):
		return hosting.NotFound
	case apierrors.IsAlreadyExists(err):
		return hosting.AlreadyExists
	case apierrors.IsConflict(err), isUIDMismatch(err), isFailedTest(err):
		return hosting.Conflict
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err):
		return hosting.InvalidArgument
	case apierrors.IsUnauthorized(err):
		return hosting.Unauthenticated
	case apierrors.IsForbidden(err):
		return hosting.PermissionDenied
	case apierrors.IsTooManyRequests(err):
		return hosting.RateLimited
	case apierrors.IsTimeout(err):
		return hosting.DeadlineExceeded
	case apierrors.IsServerTimeout(err), apierrors.IsServiceUnavailable(err), apierrors.IsUnexpectedServerError(err):
		return hosting.Unavailable
	case status.Status().Code >= http.StatusInternalServerError:
		return hosting.Unavailable
	}
	return hosting.Internal
}

// reasonOfNoAnswer judges an error that is not the API server's: mostly it could
// not be reached, or not to the end.
func reasonOfNoAnswer(err error) hosting.Reason {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax), errors.As(err, &kind):
		return hosting.Internal
	case strings.Contains(err.Error(), "would exceed context deadline"):
		return hosting.DeadlineExceeded // the client's own rate limit
	}
	return hosting.Unavailable
}

// isQuota recognises a quota's refusal, which is a Forbidden like any other.
func isQuota(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota")
}

// isUIDMismatch recognises the answer to a patch whose metadata.uid is not the
// object's: the API server calls that Invalid, but it is a conflict.
func isUIDMismatch(err error) bool {
	if !apierrors.IsInvalid(err) {
		return false
	}
	_, ok := apierrors.StatusCause(err, "FieldValueInvalid")
	return ok && strings.Contains(err.Error(), "metadata.uid")
}

// isDefiniteRefusal tells that the API server has answered, and that nothing
// was changed: a 4xx other than those that ask to try again. After anything
// else the request may have taken effect.
func isDefiniteRefusal(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || apierrors.IsTimeout(err) || apierrors.IsTooManyRequests(err) {
		return false
	}
	code := status.Status().Code
	return code >= http.StatusBadRequest && code < http.StatusInternalServerError
}

// fmtError says what was being done when err happened.
func fmtError(what string, err error) error { return fmt.Errorf("%s: %w", what, err) }

// unreadableError says that an object holds what this provider did not write.
type unreadableError struct{ error }

// isFailedTest recognises a JSON patch that could not be applied: one of its
// tests did not hold, or what it is about is no longer there. The API server
// calls that Invalid and, unlike with a value that it does not accept, names
// neither the object nor a field.
func isFailedTest(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !apierrors.IsInvalid(err) {
		return false
	}
	details := status.Status().Details
	return details == nil || details.Name == "" && len(details.Causes) == 0
}

func groupResource(r *resource) schema.GroupResource { return schema.GroupResource{Resource: r.plural} }
