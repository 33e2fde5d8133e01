package hosting_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

func TestErrorsIsReadsTheOutermostReasonOnly(t *testing.T) {
	t.Parallel()
	inner := hosting.Errorf("fake", hosting.GetFailed, hosting.NotFound, "no config map: %w", fs.ErrNotExist)
	for name, outer := range map[string]*hosting.Error{
		"the cause itself":     hosting.Errorf("fake", hosting.CreateFailed, hosting.Internal, "anchor: %w", inner),
		"deeper in the chain":  hosting.Errorf("fake", hosting.CreateFailed, hosting.Internal, "anchor: %w", fmt.Errorf("step: %w", inner)),
		"an Error in an Error": hosting.Errorf("fake", hosting.CreateFailed, hosting.Internal, "anchor: %w", hosting.Errorf("", hosting.GetFailed, hosting.Conflict, "%w", inner)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrapped := fmt.Errorf("deploying: %w", outer)
			require.ErrorIs(t, wrapped, hosting.Internal)
			require.NotErrorIs(t, wrapped, hosting.NotFound)
			require.NotErrorIs(t, wrapped, hosting.Conflict)
			assert.Equal(t, hosting.Internal, hosting.ReasonOf(wrapped))
			assert.Equal(t, hosting.CreateFailed, hosting.CodeOf(wrapped))
			assert.ErrorIs(t, wrapped, fs.ErrNotExist, "the cause is still reached")
		})
	}
}

func TestUnwrapReachesTheCause(t *testing.T) {
	t.Parallel()
	cause := &fs.PathError{Op: "open", Path: "kubeconfig", Err: fs.ErrPermission}
	err := hosting.Errorf("fake", hosting.InvalidConfig, hosting.PermissionDenied, "reading: %w", cause)
	assert.Same(t, cause, errors.Unwrap(err))
	var pathError *fs.PathError
	require.ErrorAs(t, err, &pathError)
	assert.Equal(t, "kubeconfig", pathError.Path)
	assert.NoError(t, errors.Unwrap(hosting.Errorf("fake", hosting.GetFailed, hosting.Internal, "no cause")))
}

func TestUnwrapDoesNotReachFailedCleanups(t *testing.T) {
	t.Parallel()
	err := &hosting.Error{Code: hosting.CreateFailed, Reason: hosting.Unavailable, Message: "no node", Cleanup: io.ErrClosedPipe}
	require.NotErrorIs(t, err, io.ErrClosedPipe)
	assert.EqualError(t, err, "CreateFailed (Unavailable): no node (and cleaning up failed: io: read/write on closed pipe)")
}

func TestErrorfKeepsTheTextOfTheCauseOnce(t *testing.T) {
	t.Parallel()
	err := hosting.Errorf("fake", hosting.GetFailed, hosting.NotFound, "reading %q: %w", "web", io.EOF)
	assert.Equal(t, &hosting.Error{
		Provider: "fake", Code: hosting.GetFailed, Reason: hosting.NotFound, Message: `reading "web": EOF`, Err: io.EOF,
	}, err)
	assert.EqualError(t, err, `fake: GetFailed (NotFound): reading "web": EOF`)
}

func TestErrorfKeepsSeveralCauses(t *testing.T) {
	t.Parallel()
	err := hosting.Errorf("fake", hosting.ListFailed, hosting.Unavailable, "%w; %w", io.EOF, fs.ErrPermission)
	require.ErrorIs(t, err, io.EOF)
	require.ErrorIs(t, err, fs.ErrPermission)
	assert.Equal(t, "EOF; permission denied", err.Message)
}

func TestEveryCauseOfSeveralIsReached(t *testing.T) {
	t.Parallel()
	cause := errors.Join(
		hosting.Errorf("a", hosting.ListFailed, hosting.NotFound, "region a: %w", fs.ErrNotExist),
		hosting.Errorf("b", hosting.ListFailed, hosting.DeadlineExceeded, "region b: %w", context.DeadlineExceeded),
		&fs.PathError{Op: "open", Path: "c", Err: io.EOF},
	)
	err := hosting.Errorf("fake", hosting.ListFailed, hosting.Unavailable, "3 regions: %w", cause)
	for _, target := range []error{fs.ErrNotExist, context.DeadlineExceeded, io.EOF, hosting.Unavailable} {
		require.ErrorIs(t, err, target)
	}
	var pathError *fs.PathError
	require.ErrorAs(t, err, &pathError)
	require.NotErrorIs(t, err, hosting.NotFound)
	require.NotErrorIs(t, err, hosting.DeadlineExceeded)
	assert.Equal(t, cause.Error(), errors.Unwrap(err).Error())
}

func TestAReasonIsNoCause(t *testing.T) {
	t.Parallel()
	err := hosting.Errorf("fake", hosting.GetFailed, hosting.Internal, "x: %w", hosting.NotFound)
	require.NotErrorIs(t, err, hosting.NotFound)
	var reason hosting.Reason
	assert.False(t, errors.As(err, &reason))
}

func TestReasonOf(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		want hosting.Reason
	}{
		"nil":                         {nil, ""},
		"an Error":                    {&hosting.Error{Reason: hosting.QuotaExceeded}, hosting.QuotaExceeded},
		"a wrapped Error":             {fmt.Errorf("x: %w", &hosting.Error{Reason: hosting.Conflict}), hosting.Conflict},
		"an Error beside another":     {errors.Join(io.EOF, &hosting.Error{Reason: hosting.Conflict}), hosting.Conflict},
		"a cancelled context":         {fmt.Errorf("x: %w", context.Canceled), hosting.Canceled},
		"an expired context":          {context.DeadlineExceeded, hosting.DeadlineExceeded},
		"an Error before its context": {&hosting.Error{Reason: hosting.Internal, Err: context.Canceled}, hosting.Internal},
		"anything else":               {io.EOF, hosting.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, hosting.ReasonOf(test.err))
		})
	}
}

func TestCodeOf(t *testing.T) {
	t.Parallel()
	assert.Empty(t, hosting.CodeOf(nil))
	assert.Empty(t, hosting.CodeOf(io.EOF))
	assert.Equal(t, hosting.ScaleFailed, hosting.CodeOf(fmt.Errorf("x: %w", &hosting.Error{Code: hosting.ScaleFailed})))
}

func TestErrorHasExactlyTheProtocolsJSONAndTheReason(t *testing.T) {
	t.Parallel()
	err := &hosting.Error{
		Provider: "fake", Code: hosting.StopFailed, Message: "no", Reason: hosting.RateLimited,
		InstanceID: "default.job.x", RetryAfter: 1, Err: io.EOF, Cleanup: io.EOF,
	}
	data, marshalErr := json.Marshal(err)
	require.NoError(t, marshalErr)
	assert.Equal(t, `{"provider":"fake","errorCode":"StopFailed","errorMessage":"no","reason":"RateLimited"}`, string(data))
	var back hosting.Error
	require.NoError(t, json.Unmarshal(data, &back))
	assert.Equal(t, hosting.Error{Provider: "fake", Code: hosting.StopFailed, Message: "no", Reason: hosting.RateLimited}, back)
}

func TestErrorTextLeavesOutAMissingProvider(t *testing.T) {
	t.Parallel()
	assert.EqualError(t, &hosting.Error{Code: hosting.GetFailed, Reason: hosting.Internal, Message: "no"}, "GetFailed (Internal): no")
}
