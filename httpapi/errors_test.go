package httpapi_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang/mock/gomock"
	"github.com/hashicorp/go-multierror"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/mocks"
	"skillcenter.io/hosting/internal/wire"
)

// statuses is the table of the documentation.
var statuses = map[hosting.Reason]int{
	hosting.InvalidArgument: 400, hosting.NotFound: 404, hosting.AlreadyExists: 409, hosting.Conflict: 409, hosting.QuotaExceeded: 422,
	hosting.RateLimited: 429, hosting.Internal: 500, hosting.Unsupported: 501, hosting.Unauthenticated: 502, hosting.PermissionDenied: 502,
	hosting.Unavailable: 503, hosting.Canceled: 503, hosting.DeadlineExceeded: 504, "": 500, "OfALaterVersion": 500,
}

// cannotFail are the routes that ask nobody who could fail.
var cannotFail = []string{"GET /providers", "GET /status", "GET /openapi.yaml"}

func TestEveryRouteTellsWhyItsCallFailed(t *testing.T) {
	t.Parallel()
	for reason, status := range statuses {
		failed := hosting.Errorf("other", hosting.CostFailed, reason, "it went wrong")
		failed.InstanceID = "default.deployment.web"
		p, x := newFailing(t, failed)
		api := newAPI(t, p, x)
		for _, s := range samples() {
			if slices.Contains(cannotFail, s.route) {
				continue
			}
			answer := ask(api, s.method(), prefix+s.target, s.body)
			if !assert.Equal(t, status, answer.Code, "%s, %q: %s", s.route, reason, answer.Body) {
				continue
			}
			assert.Equal(t, wire.Problem{
				Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: "it went wrong", Provider: "other", ErrorCode: hosting.CostFailed,
				ErrorMessage: "it went wrong", Reason: cmp.Or(reason, hosting.Internal), InstanceID: "default.deployment.web", RequestID: answer.Header().Get(wire.RequestID),
			}, problemIn(t, answer), s.route)
			assert.Empty(t, answer.Header().Get("WWW-Authenticate"), "the provider's credentials are no matter of the caller's")
		}
	}
}

// oneCall serves a provider whose GetInstance fails.
func oneCall(t *testing.T, err error, options ...httpapi.Option) *httpapi.API {
	t.Helper()
	p := mocks.NewMockCloudHostingProvider(gomock.NewController(t))
	p.EXPECT().ProviderName().Return("p").AnyTimes()
	p.EXPECT().GetInstance(gomock.Any(), gomock.Any()).Return(hosting.CloudInstance{}, err).AnyTimes()
	return newAPI(t, p, nil, append(options, httpapi.AllowAnonymous())...)
}

const getWeb = prefix + "/instances/default.deployment.web"

func TestAnErrorThatIsNotTheProtocolsIsInternal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		reason hosting.Reason
	}{
		{errors.New("odd"), hosting.Internal}, {hosting.NotFound, hosting.Internal},
		{context.Canceled, hosting.Canceled}, {context.DeadlineExceeded, hosting.DeadlineExceeded},
		{&hosting.Error{Message: "odd"}, hosting.Internal},
	} {
		answer := ask(oneCall(t, c.err), "GET", getWeb, "")
		problem := problemIn(t, answer)
		assert.Equal(t, statuses[c.reason], answer.Code)
		assert.Equal(t, []any{c.reason, hosting.GetFailed, "p"}, []any{problem.Reason, problem.ErrorCode, problem.Provider}, "%v", c.err)
	}
}

func TestRetryAfterIsInTheHeaderInWholeSecondsAndInTheBodyExactly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reason hosting.Reason
		after  time.Duration
		header string
	}{
		{hosting.RateLimited, 1500 * time.Millisecond, "2"}, {hosting.RateLimited, time.Millisecond, "1"}, {hosting.RateLimited, time.Hour, "3600"},
		{hosting.RateLimited, 0, "1"}, {hosting.Unavailable, 2 * time.Second, "2"}, {hosting.Unavailable, 0, ""}, {hosting.Conflict, time.Second, "1"}, {hosting.Unavailable, -time.Second, ""},
	} {
		answer := ask(oneCall(t, &hosting.Error{Reason: c.reason, Message: "wait", RetryAfter: c.after}), "GET", getWeb, "")
		assert.Equal(t, c.header, answer.Header().Get("Retry-After"), "%s %s", c.reason, c.after)
		assert.Equal(t, hosting.Duration(max(0, c.after)), problemIn(t, answer).RetryAfter, "%s %s", c.reason, c.after)
	}
}

func TestWhatCleaningUpLeftIsTold(t *testing.T) {
	t.Parallel()
	failed := &hosting.Error{Code: hosting.CreateFailed, Reason: hosting.QuotaExceeded, Message: "no room",
		Cleanup: multierror.Append(errors.New("service web is still there"), errors.New("secret web too"))}
	problem := problemIn(t, ask(oneCall(t, failed), "GET", getWeb, ""))
	assert.Contains(t, problem.Cleanup, "service web is still there")
	assert.Contains(t, problem.Cleanup, "secret web too")
	assert.Equal(t, "no room", problem.Detail)
}

func TestEachFieldThatIsWrongIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	api := newAPI(t, w.provider, w.extension)
	body := `{"instanceName":"` + strings.Repeat("X", 500) + `","instanceType":"deployment","container":{"image":"nginx","ports":[0]},"env":{"A":"\u0000hidden"}}`
	answer := ask(api, "POST", prefix+"/instances", body)
	require.Equal(t, 400, answer.Code)
	problem := problemIn(t, answer)
	fields := map[string]string{}
	for _, field := range problem.Fields {
		assert.NotEmpty(t, field.Allowed)
		fields[field.Field] = field.Value
	}
	assert.Equal(t, map[string]string{"instanceName": strings.Repeat("X", 80), "container.ports[0]": "0", "env[A]": "(hidden)"}, fields)

	answer = ask(api, "GET", prefix+"/instances/Default.deployment.web", "")
	require.Equal(t, 400, answer.Code)
	assert.Equal(t, []wire.Field{{Field: "region", Value: "Default", Allowed: "lower-case letters, digits and '-' inside, at most 63 characters"}}, problemIn(t, answer).Fields)
}

func (stumbling) StreamLogs(context.Context, string, hosting.LogQueryOptions) iter.Seq2[hosting.LogEntry, error] {
	return func(yield func(hosting.LogEntry, error) bool) {
		yield(hosting.LogEntry{Message: "the first line"}, nil)
		panic("out of cheese")
	}
}

func TestWhatIsNoJSONIsTheProvidersFault(t *testing.T) {
	t.Parallel()
	p := mocks.NewMockCloudHostingProvider(gomock.NewController(t))
	p.EXPECT().ProviderName().Return("p").AnyTimes()
	p.EXPECT().GetInstance(gomock.Any(), gomock.Any()).Return(hosting.CloudInstance{Resources: &hosting.ResourceConfig{CPULimit: nan()}}, nil)
	answer := ask(newAPI(t, p, nil), "GET", getWeb, "")
	assert.Equal(t, 500, answer.Code)
	assert.Equal(t, hosting.Internal, problemIn(t, answer).Reason)
	assert.Empty(t, answer.Header().Get("ETag"))
}

func nan() float64 {
	var zero float64
	return zero / zero
}

func TestWithoutAnExtensionItsRoutesAre501(t *testing.T) {
	t.Parallel()
	w := newWorld(t).furnish(t)
	api := newAPI(t, w.provider, nil)
	for _, s := range samples() {
		path := strings.Fields(s.route)[1]
		if strings.HasPrefix(path, "/autoscale") || strings.HasPrefix(path, "/services") || strings.HasPrefix(path, "/volumes") || strings.HasPrefix(path, "/skills") || strings.HasSuffix(path, "}/autoscale") {
			answer := ask(api, s.method(), prefix+s.target, s.body)
			assert.Equal(t, 501, answer.Code, "%s: %s", s.route, answer.Body)
			assert.Equal(t, hosting.Unsupported, problemIn(t, answer).Reason)
		}
	}
	answer := ask(api, "GET", prefix+"/status", "")
	assert.Equal(t, 503, answer.Code)
	var status wire.Status
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &status))
	assert.False(t, status.Available)
}
