package hosting_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang/mock/gomock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/mocks"
)

const webID = "default.deployment.web"

// look is what one GetInstance finds.
type look struct {
	status hosting.Status
	reason string
	err    error
}

// provider returns a mock that finds one look after the other, and the last
// one for ever.
func provider(t *testing.T, looks ...look) *mocks.MockCloudHostingProvider {
	t.Helper()
	p := mocks.NewMockCloudHostingProvider(gomock.NewController(t))
	p.EXPECT().ProviderName().Return("mock").AnyTimes()
	n := 0
	p.EXPECT().GetInstance(gomock.Any(), webID).DoAndReturn(func(ctx context.Context, _ string) (hosting.CloudInstance, error) {
		now := looks[min(n, len(looks)-1)]
		n++
		if err := ctx.Err(); err != nil {
			return hosting.CloudInstance{}, hosting.Errorf("mock", hosting.GetFailed, hosting.ReasonOf(err), "getting: %w", err)
		}
		if now.err != nil {
			return hosting.CloudInstance{}, now.err
		}
		instance := hosting.CloudInstance{ID: webID, Status: now.status}
		if now.reason != "" {
			instance.Metadata = map[string]string{hosting.MetadataReason: now.reason, hosting.MetadataMessage: "no such image"}
		}
		return instance, nil
	}).AnyTimes()
	return p
}

var (
	away = hosting.Errorf("mock", hosting.GetFailed, hosting.Unavailable, "connection refused")
	gone = hosting.Errorf("mock", hosting.InstanceNotFound, hosting.NotFound, "no such instance")
)

func TestWaitForStatus(t *testing.T) {
	t.Parallel()
	creating, running := look{status: hosting.StatusCreating}, look{status: hosting.StatusRunning}
	failed := look{status: hosting.StatusFailed, reason: "ImagePullBackOff"}
	for name, test := range map[string]struct {
		looks   []look
		options hosting.WaitOptions
		want    []hosting.Status // running if empty

		took   time.Duration
		last   hosting.Status
		reason hosting.Reason // "" for success
		text   string
	}{
		"it is there at once": {looks: []look{running}, last: hosting.StatusRunning},
		"it gets there":       {looks: []look{creating, creating, running}, took: 2 * time.Second, last: hosting.StatusRunning},
		"the interval is the caller's": {
			looks: []look{creating, running}, options: hosting.WaitOptions{Interval: 7 * time.Second},
			took: 7 * time.Second, last: hosting.StatusRunning,
		},
		"one of several will do": {
			looks: []look{creating, {status: hosting.StatusCompleted}}, want: []hosting.Status{hosting.StatusRunning, hosting.StatusCompleted},
			took: time.Second, last: hosting.StatusCompleted,
		},
		"a failure ends it and says why": {
			looks: []look{creating, failed}, took: time.Second, last: hosting.StatusFailed, reason: hosting.Unavailable,
			text: "mock: StartFailed (Unavailable): instance default.deployment.web has failed: ImagePullBackOff: no such image",
		},
		"a failure may be what is wanted": {looks: []look{failed}, want: []hosting.Status{hosting.StatusFailed}, last: hosting.StatusFailed},
		"a failure may heal in its grace": {
			looks: []look{failed, failed, failed, running}, options: hosting.WaitOptions{FailureGrace: 10 * time.Second},
			took: 3 * time.Second, last: hosting.StatusRunning,
		},
		"a failure that outlasts its grace ends it": {
			looks: []look{failed}, options: hosting.WaitOptions{FailureGrace: 10 * time.Second},
			took: 10 * time.Second, last: hosting.StatusFailed, reason: hosting.Unavailable, text: "has failed: ImagePullBackOff",
		},
		"the grace begins anew after a recovery": {
			looks: []look{failed, failed, creating, failed, failed, running}, options: hosting.WaitOptions{FailureGrace: 2 * time.Second},
			took: 5 * time.Second, last: hosting.StatusRunning,
		},
		"the deadline names the last status": {
			looks: []look{{status: hosting.StatusCreating, reason: "Pending"}}, took: time.Minute, last: hosting.StatusCreating, reason: hosting.DeadlineExceeded,
			text: "mock: GetFailed (DeadlineExceeded): instance default.deployment.web is creating, waiting for [running]: Pending: no such image",
		},
		"the deadline tells why nothing was seen": {
			looks: []look{{err: away}}, took: time.Minute, reason: hosting.DeadlineExceeded,
			text: "waiting for default.deployment.web: context deadline exceeded; the last look failed: mock: GetFailed (Unavailable): connection refused",
		},
		"the deadline tells that nothing was seen lately": {
			looks: []look{creating, {err: away}}, took: time.Minute, last: hosting.StatusCreating, reason: hosting.DeadlineExceeded,
			text: "is creating, waiting for [running]; the last look failed: mock: GetFailed (Unavailable): connection refused",
		},
		"a platform that is away is asked again": {looks: []look{{err: away}, creating, {err: away}, running}, took: 3 * time.Second, last: hosting.StatusRunning},
		"a platform that is busy is asked again": {looks: []look{{err: &hosting.Error{Reason: hosting.RateLimited}}, running}, took: time.Second, last: hosting.StatusRunning},
		"not before it asks to be":               {looks: []look{{err: &hosting.Error{Reason: hosting.RateLimited, RetryAfter: 20 * time.Second}}, running}, took: 20 * time.Second, last: hosting.StatusRunning},
		"any other error ends it":                {looks: []look{creating, {err: hosting.Errorf("mock", hosting.GetFailed, hosting.PermissionDenied, "forbidden")}}, took: time.Second, last: hosting.StatusCreating, reason: hosting.PermissionDenied, text: "mock: GetFailed (PermissionDenied): forbidden"},
		"an instance that is gone ends it":       {looks: []look{creating, {err: gone}}, took: time.Second, last: hosting.StatusCreating, reason: hosting.NotFound, text: "InstanceNotFound"},
		"an instance that is on its way out too": {looks: []look{creating, {status: hosting.StatusTerminating}}, took: time.Second, last: hosting.StatusTerminating, reason: hosting.Conflict, text: "is being deleted"},
		"a job that has ended well does not run again": {
			looks: []look{creating, {status: hosting.StatusCompleted}}, took: time.Second, last: hosting.StatusCompleted, reason: hosting.Conflict,
			text: "mock: GetFailed (Conflict): instance default.deployment.web is completed, which does not become running",
		},
		"nor does it become any of several": {
			looks: []look{{status: hosting.StatusCompleted}}, want: []hosting.Status{hosting.StatusStopped, hosting.StatusFailed},
			last: hosting.StatusCompleted, reason: hosting.Conflict, text: "is completed, which does not become stopped or failed",
		},
		"a stopped instance is waited for: its start may not show yet": {
			looks: []look{{status: hosting.StatusStopped}, {status: hosting.StatusStarting}, running}, took: 2 * time.Second, last: hosting.StatusRunning,
		},
		"on its way out may be what is wanted":     {looks: []look{{status: hosting.StatusTerminating}}, want: []hosting.Status{hosting.StatusTerminating}, last: hosting.StatusTerminating},
		"a broken provider's error is not endless": {looks: []look{{err: errors.New("broken")}}, reason: hosting.Internal, text: "broken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				want := test.want
				if len(want) == 0 {
					want = []hosting.Status{hosting.StatusRunning}
				}
				begin := time.Now()
				last, err := hosting.WaitForStatus(ctx, provider(t, test.looks...), webID, test.options, want...)
				assert.Equal(t, test.took, time.Since(begin))
				assert.Equal(t, test.last, last.Status)
				assert.Equal(t, test.reason, hosting.ReasonOf(err))
				checkContains(t, err, test.text)
				assert.Equal(t, test.reason == hosting.DeadlineExceeded, errors.Is(err, context.DeadlineExceeded), "the context's own error is reached")
			})
		})
	}
}

func TestWaitForStatusNeedsAStatus(t *testing.T) {
	t.Parallel()
	p := mocks.NewMockCloudHostingProvider(gomock.NewController(t)) // GetInstance is not called
	p.EXPECT().ProviderName().Return("mock").AnyTimes()
	_, err := hosting.WaitForStatus(t.Context(), p, webID, hosting.WaitOptions{})
	require.ErrorIs(t, err, hosting.InvalidArgument)
	assert.EqualError(t, err, "mock: GetFailed (InvalidArgument): want: allowed: at least one status to wait for")
}

func checkContains(t *testing.T, err error, text string) {
	t.Helper()
	if text != "" {
		require.ErrorContains(t, err, text)
	}
}

func TestWaitForStatusReportsProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen []hosting.Status
		_, err := hosting.WaitForStatus(t.Context(), provider(t, look{status: hosting.StatusCreating}, look{err: away}, look{status: hosting.StatusRunning}), webID,
			hosting.WaitOptions{OnProgress: func(instance hosting.CloudInstance) { seen = append(seen, instance.Status) }}, hosting.StatusRunning)
		require.NoError(t, err)
		assert.Equal(t, []hosting.Status{hosting.StatusCreating, hosting.StatusRunning}, seen)
	})
}

func TestWaitForStatusEndsWhenItIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(1500*time.Millisecond, cancel)
		begin := time.Now()
		last, err := hosting.WaitForStatus(ctx, provider(t, look{status: hosting.StatusUpdating}), webID, hosting.WaitOptions{}, hosting.StatusRunning)
		assert.Equal(t, 1500*time.Millisecond, time.Since(begin), "at once, not at the next look")
		require.ErrorIs(t, err, hosting.Canceled)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "is updating, waiting for [running]")
		assert.Equal(t, hosting.StatusUpdating, last.Status)
	})
}

func TestWaitForDeletion(t *testing.T) {
	t.Parallel()
	terminating := look{status: hosting.StatusTerminating}
	for name, test := range map[string]struct {
		looks  []look
		took   time.Duration
		reason hosting.Reason
	}{
		"it is gone at once":                 {looks: []look{{err: gone}}},
		"it goes":                            {looks: []look{{status: hosting.StatusRunning}, terminating, {status: hosting.StatusFailed}, {err: gone}}, took: 3 * time.Second},
		"a platform that is away is no sign": {looks: []look{{err: away}, {err: gone}}, took: time.Second},
		"it stays":                           {looks: []look{terminating}, took: time.Minute, reason: hosting.DeadlineExceeded},
		"any other error ends it":            {looks: []look{terminating, {err: &hosting.Error{Reason: hosting.PermissionDenied}}}, took: time.Second, reason: hosting.PermissionDenied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				begin := time.Now()
				err := hosting.WaitForDeletion(ctx, provider(t, test.looks...), webID, hosting.WaitOptions{})
				assert.Equal(t, test.took, time.Since(begin))
				assert.Equal(t, test.reason, hosting.ReasonOf(err))
			})
		})
	}
}
