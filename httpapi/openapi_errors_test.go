package httpapi_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/intercept"
	"skillcenter.io/hosting/internal/wire"
)

// specErrors asks an API over HTTP for what it refuses.
type specErrors struct {
	*specChecker
	server *httptest.Server
}

func newSpecErrors(t *testing.T) *specErrors {
	c := newSpecChecker(t)
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return &specErrors{c, server}
}

// ask makes the request of a sample, which change may change, and wants a status.
func (e *specErrors) ask(s sample, status int, change func(*http.Request)) {
	e.t.Helper()
	r := newRequest(s.method(), e.server.URL+specPrefix+s.target, s.body)
	r.RequestURI = ""
	if change != nil {
		change(r)
	}
	answer, err := e.server.Client().Do(r)
	require.NoError(e.t, err)
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	require.NoError(e.t, err)
	assert.Equal(e.t, status, answer.StatusCode, "%s: %s", s.route, data)
}

// Each error that the document has for an operation is driven, and answers as
// it says; 408 is in the test of the examples, which has virtual time for it.
func TestEveryErrorOfTheDocumentIsAnsweredAsItSays(t *testing.T) {
	t.Parallel()
	e := newSpecErrors(t)
	e.driveReasons()
	e.driveRefusals()
	e.drivePreconditions()
	e.driveNoRoom()
	e.drivePanics()
	e.driveShutdown()
	for pattern, operation := range e.operations {
		for text := range operation.Responses.Map() {
			status, err := strconv.Atoi(text)
			require.NoError(t, err)
			if status < 400 || status == http.StatusRequestTimeout {
				continue
			}
			assert.True(t, e.answered(pattern, status), "%s: nothing has answered %d", pattern, status)
		}
	}
}

func (e *specErrors) answered(pattern string, status int) bool {
	return len(e.answers[specAnswer{pattern, status, wire.ProblemJSON}]) > 0
}

func (e *specErrors) documented(s sample, status int) bool {
	return e.operations[s.route].Responses.Status(status) != nil
}

// driveReasons lets calls fail for every reason that the document has a status
// for.
func (e *specErrors) driveReasons() {
	for reason, status := range statuses {
		p, x := newFailing(e.t, hosting.Errorf("p", hosting.ListFailed, cmpReason(reason), "it went wrong"))
		e.api = newAPI(e.t, p, x)
		for _, s := range samples() {
			if e.documented(s, status) && !slices.Contains(cannotFail, s.route) {
				e.ask(s, status, nil)
			}
		}
	}
}

// cmpReason is a reason that the document has.
func cmpReason(reason hosting.Reason) hosting.Reason {
	if reason == "OfALaterVersion" {
		return hosting.Internal
	}
	return reason
}

// driveRefusals sends what the server itself refuses.
func (e *specErrors) driveRefusals() {
	w := newWorld(e.t).furnish(e.t)
	e.api = newAPI(e.t, w.provider, w.extension, httpapi.WithAuthorizer(specAuthorizer), httpapi.WithMaxBodyBytes(1000))
	as := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	for _, s := range samples() {
		e.ask(s, http.StatusBadRequest, func(r *http.Request) { r.URL.RawQuery = "colour=blue" })
		if !isPublic(e.operations[s.route]) {
			e.ask(s, http.StatusUnauthorized, as("of-nobody"))
			e.ask(s, http.StatusForbidden, as("of-a-stranger"))
		}
		if s.body != "" {
			e.ask(s, http.StatusUnsupportedMediaType, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") })
			long := s
			long.body = strings.Repeat(" ", 1001)
			e.ask(long, http.StatusRequestEntityTooLarge, nil)
		}
	}
}

func (e *specErrors) drivePreconditions() {
	w := newWorld(e.t).furnish(e.t)
	e.api = newAPI(e.t, w.provider, w.extension)
	for _, s := range samples() {
		if e.documented(s, http.StatusPreconditionFailed) {
			e.ask(s, http.StatusPreconditionFailed, func(r *http.Request) { r.Header.Set("If-Match", `"other"`) })
		}
	}
}

// driveNoRoom asks while the only place is taken.
func (e *specErrors) driveNoRoom() {
	entered, leave := make(chan struct{}), make(chan struct{})
	w := newWorld(e.t)
	blocking := intercept.Wrap(w.provider, func(ctx context.Context, _ intercept.Call) (context.Context, func(intercept.Result)) {
		close(entered) // a second call would panic: there is no place for one
		<-leave
		return ctx, func(intercept.Result) {}
	})
	e.api = newAPI(e.t, blocking, w.extension, httpapi.WithMaxRequests(1), httpapi.AllowAnonymous())
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		ask(e.api, http.MethodGet, specPrefix+"/instances/default.deployment.web", "")
	}()
	<-entered
	for _, s := range samples() {
		if !isPublic(e.operations[s.route]) {
			e.ask(s, http.StatusTooManyRequests, nil)
		}
	}
	close(leave)
	<-waiting
}

// specPanics panics where nothing else can go wrong.
type specPanics struct {
	hosting.UnimplementedProvider
	hosting.UnimplementedAdapter
}

func (specPanics) Providers() []hosting.ProviderInfo { panic("no providers") }
func (specPanics) IsAvailable(context.Context) bool  { panic("not available") }

func (e *specErrors) drivePanics() {
	e.api = newAPI(e.t, specPanics{}, specPanics{})
	for _, s := range samples() {
		if s.route == "GET /providers" || s.route == "GET /status" {
			e.ask(s, http.StatusInternalServerError, nil)
		}
	}
}

func (e *specErrors) driveShutdown() {
	w := newWorld(e.t)
	e.api = newAPI(e.t, w.provider, w.extension)
	require.NoError(e.t, e.api.Shutdown(e.t.Context()))
	for _, s := range samples() {
		e.ask(s, http.StatusServiceUnavailable, nil)
	}
}

// What the test of the examples relies on: that the checker finds an answer
// that is not the document's.
func TestTheCheckerFindsAnswersThatAreNotTheDocuments(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*openapi3.T){
		"a status": func(spec *openapi3.T) { spec.Paths.Value("/instances").Get.Responses.Delete("200") },
		"a property that is missing": func(spec *openapi3.T) {
			list := spec.Components.Schemas["InstanceList"].Value
			list.Required = append(list.Required, "total")
		},
		"a value": func(spec *openapi3.T) {
			spec.Components.Schemas["CloudInstance"].Value.Properties["replicas"].Value.Min = new(1000.0)
		},
		"a header that is missing": func(spec *openapi3.T) {
			spec.Paths.Value("/instances").Get.Responses.Value("200").Value.Headers["X-Total"] = &openapi3.HeaderRef{Value: &openapi3.Header{
				Parameter: openapi3.Parameter{Required: true, Schema: openapi3.NewStringSchema().NewRef()}}}
		},
		"a header that is too many": func(spec *openapi3.T) {
			delete(spec.Paths.Value("/instances").Get.Responses.Value("200").Value.Headers, wire.RequestID)
		},
		"a media type": func(spec *openapi3.T) {
			content := spec.Paths.Value("/instances").Get.Responses.Value("200").Value.Content
			content["text/plain"] = content[wire.JSON]
			delete(content, wire.JSON)
		},
		"a query parameter": func(spec *openapi3.T) { spec.Paths.Value("/instances").Get.Parameters = nil },
	} {
		w := newWorld(t).furnish(t)
		own := &testing.T{}
		c := newSpecChecker(t)
		spoil(c.spec)
		c.t, c.api = own, newAPI(t, w.provider, w.extension)
		serve(c, newRequest(http.MethodGet, specPrefix+"/instances?pageSize=2", ""))
		assert.True(t, own.Failed(), name)
	}
}
