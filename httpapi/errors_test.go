package httpapi_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
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

// The secret is at all places where a client could have put it, in bodies that
// are wrong in all ways.
func TestSecretsAreInNoAnswerAndNoLog(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2hunter2"
	const rest = `"instanceName":"a","instanceType":"deployment","container":{"image":"nginx:1.29"}`
	bodies := []string{
		`{` + rest + `,"secretEnv":{"A":"` + secret + `"}}`,
		`{` + rest + `,"secretEnv":{"A":"` + secret + `"},"nothing":1}`,
		`{` + rest + `,"secretEnv":{"A":"` + secret + `\u0000"}}`,
		`{` + rest + `,"secretEnv":{"A":"` + secret + "\xff" + `"}}`,
		`{` + rest + `,"env":{"A":"` + secret + `\u0000"}}`,
		`{` + rest + `,"secretEnv":"` + secret + `"}`,
		`{` + rest + `,"secretEnv":["` + secret + `"]}`,
		`{` + rest + `,"secretEnv":{"A":["` + secret + `"]}}`,
		`{` + rest + `,"secretEnv":{"A":{"B":"` + secret + `"}}}`,
		`{` + rest + `,"env":"` + secret + `"}`,
		`{` + rest + `,"env":["` + secret + `"]}`,
		`{` + rest + `,"secretEnv":{"A":"` + secret + `"`,
		`{` + rest + `,"secretEnv":{"A":"` + secret,
		`{` + rest + `,"secretEnv":{"A":"` + secret + `"}}{`,
		`{` + rest + `,"secretEnv":{"A":"` + secret + `"}} "` + secret + `"`,
		`{` + rest + `,"secretEnv":{"A":` + secret + `}}`,
		`{` + rest + `,"secretEnv":{"":"` + secret + `"}}`,
		`{` + rest + `,"secretEnv":{"A=B":"` + secret + `"}}`,
		`{` + rest + `,"secretEnv":{"A":"` + secret + strings.Repeat("x", 1<<20) + `"}}`,
		`{"instanceName":"","secretEnv":{"A":"` + secret + `"},"container":{"env":{"B":"` + secret + `"}}}`,
		`"` + secret + `"`, secret, `["` + secret + `"]`,
	}
	numbers := []string{`{` + rest + `,"secretEnv":{"A":314159265358979}}`, `{` + rest + `,"secretEnv":314159265358979}`, `314159265358979`}
	var logs safeBuffer
	logger := httpapi.WithLogger(slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug})))
	check := func(api *httpapi.API, body string, header ...string) {
		for _, route := range []string{"POST /instances", "POST /instances?dryRun=true", "PUT /instances/default.deployment.a", "POST /cost/estimate",
			"POST /autoscale", "POST /services", "POST /volumes", "POST /volumes/default.volume.a/mount", "POST /instances/default.deployment.a/scale", "PUT /instances/default.deployment.a/resources",
			"POST /instances/default.deployment.a/rollback", "POST /instances/default.deployment.a/events"} {
			method, path, _ := strings.Cut(route, " ")
			answer := ask(api, method, prefix+path, body, header...)
			for _, text := range []string{answer.Body.String(), logs.String()} {
				assert.NotContains(t, text, "hunter2", "%s %.200s", route, body)
				assert.NotContains(t, text, "31415926", "%s %.200s", route, body)
				assert.NotContains(t, text, token, "%s %.200s", route, body)
			}
		}
	}
	p, x := newFailing(t, hosting.Errorf("p", hosting.CreateFailed, hosting.Internal, "it went wrong"))
	w := newWorld(t)
	for _, body := range append(bodies, numbers...) {
		check(newAPI(t, p, x, httpapi.AllowAnonymous(), logger), body)
		check(newAPI(t, w.provider, w.extension, bearer(t), logger), body, "Authorization", "Bearer "+token)
		check(newAPI(t, w.provider, w.extension, bearer(t), logger), body, "Authorization", "Bearer "+token+"x")
		check(newAPI(t, w.provider, w.extension, bearer(t), logger), body, "Authorization", "Bearer hunter2hunter2hunter2")
	}
	answer := ask(newAPI(t, w.provider, w.extension), "GET", prefix+"/instances?token=hunter2hunter2", "")
	assert.Equal(t, 400, answer.Code)
	assert.NotContains(t, answer.Body.String()+logs.String(), "hunter2", "of a query that is not known the name is told and not the value")
	assert.Contains(t, logs.String(), "a request failed", "that something is logged")
}

func TestAProviderThatPanicsIsA500AndLoggedWithItsStack(t *testing.T) {
	t.Parallel()
	var logs safeBuffer
	p := mocks.NewMockCloudHostingProvider(gomock.NewController(t))
	p.EXPECT().ProviderName().Return("p").AnyTimes()
	p.EXPECT().GetInstance(gomock.Any(), gomock.Any()).Do(func(context.Context, string) { panic("out of cheese") }).AnyTimes()
	api := newAPI(t, p, nil, httpapi.AllowAnonymous(), httpapi.WithMaxRequests(1), httpapi.WithLogger(slog.New(slog.NewJSONHandler(&logs, nil))))
	for range 3 { // it gives its place back
		answer := ask(api, "GET", getWeb, "", wire.RequestID, "the-one")
		assert.Equal(t, 500, answer.Code)
		problem := problemIn(t, answer)
		assert.Equal(t, "the server failed on this request", problem.Detail)
		assert.NotContains(t, answer.Body.String(), "cheese")
		assert.NotContains(t, answer.Body.String(), ".go")
	}
	for _, part := range []string{"out of cheese", "errors_test.go", "the-one", "getInstance"} {
		assert.Contains(t, logs.String(), part)
	}
	require.NoError(t, api.Shutdown(t.Context()), "nobody is left inside")
}

func TestAnAuthorizerThatPanicsIsA500(t *testing.T) {
	t.Parallel()
	p, x := untouched(t)
	api := newAPI(t, p, x, httpapi.WithAuthorizer(func(*http.Request, httpapi.Access) (context.Context, error) { panic("no") }))
	assert.Equal(t, 500, ask(api, "GET", getWeb, "").Code)
}

func TestAPanicAfterTheAnswerBeganCutsTheConnection(t *testing.T) {
	t.Parallel()
	var logs safeBuffer
	w := newWorld(t).furnish(t)
	api := newAPI(t, w.provider, w.extension, httpapi.AllowAnonymous(), httpapi.WithLogger(slog.New(slog.NewJSONHandler(&logs, nil))))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { api.ServeHTTP(&dropping{w}, r) }))
	defer server.Close()
	answer, err := http.Get(server.URL + getWeb)
	if err == nil {
		defer answer.Body.Close()
		_, err = io.ReadAll(answer.Body)
	}
	require.Error(t, err, "nobody may take it for a whole answer")
	assert.Contains(t, logs.String(), "the writer is broken")
	require.NoError(t, api.Shutdown(t.Context()))
}

// dropping panics in the middle of an answer.
type dropping struct{ http.ResponseWriter }

func (d *dropping) Write(p []byte) (int, error) {
	_, _ = d.ResponseWriter.Write(p[:len(p)/2])
	_ = http.NewResponseController(d.ResponseWriter).Flush()
	panic("the writer is broken")
}

func (d *dropping) Unwrap() http.ResponseWriter { return d.ResponseWriter }

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
