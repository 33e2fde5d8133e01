package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/wire"
)

func readText(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

// specChecker serves an API and holds every request and answer to the document.
type specChecker struct {
	t          *testing.T
	api        *httpapi.API
	spec       *openapi3.T
	operations map[string]*openapi3.Operation

	mu      sync.Mutex
	answers map[specAnswer][]string // the bodies
}

// specAnswer is what was answered by an operation.
type specAnswer struct {
	pattern   string // of the operation, below the prefix
	status    int
	mediaType string
}

func newSpecChecker(t *testing.T) *specChecker {
	spec := readSpec(t)
	return &specChecker{t: t, spec: spec, operations: specOperations(spec), answers: map[specAnswer][]string{}}
}

// ServeHTTP checks an exchange once it has ended.
func (c *specChecker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var sent bytes.Buffer
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(r.Body, &sent), r.Body}
	answer := &recorded{ResponseWriter: w}
	c.api.ServeHTTP(answer, r)
	c.check(r, sent.Bytes(), answer)
}

// recorded is an answer that is sent and kept.
type recorded struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (w *recorded) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorded) Write(p []byte) (int, error) {
	w.body.Write(p)
	return w.ResponseWriter.Write(p)
}

func (w *recorded) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// check holds an exchange to the document.
func (c *specChecker) check(r *http.Request, sent []byte, answer *recorded) {
	c.mu.Lock() // the validator is not made for several at a time
	defer c.mu.Unlock()
	pattern := strings.Replace(r.Pattern, specPrefix, "", 1)
	method, path, _ := strings.Cut(pattern, " ")
	mediaType := answer.Header().Get("Content-Type")
	c.answers[specAnswer{pattern, answer.status, mediaType}] = append(c.answers[specAnswer{pattern, answer.status, mediaType}], answer.body.String())
	what := fmt.Sprintf("%s %s: %d %s", r.Method, r.URL, answer.status, answer.body.String())
	operation := c.operations[pattern]
	if operation == nil {
		c.checkNoRoute(answer, what)
		return
	}
	item := c.spec.Paths.Value(path)
	input := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: map[string]string{"id": r.PathValue("id")},
		Route: &routers.Route{Spec: c.spec, Path: path, PathItem: item, Method: method, Operation: operation},
		Options: &openapi3filter.Options{IncludeResponseStatus: true, RejectWhenRequestBodyNotSpecified: true, SkipSettingDefaults: true,
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, ExcludeResponseBody: mediaType == wire.EventStream},
	}
	if answer.status < 300 { // what is taken is what the document allows
		r.Body = io.NopCloser(bytes.NewReader(sent))
		assert.NoError(c.t, openapi3filter.ValidateRequest(context.Background(), input), "%s, of %s", what, sent)
		parameters := slices.Concat(item.Parameters, operation.Parameters)
		for name := range r.URL.Query() {
			assert.NotNil(c.t, parameters.GetByInAndName("query", name), "%s: query parameter %s", what, name)
		}
	}
	response := operation.Responses.Status(answer.status)
	if !assert.NotNil(c.t, response, "%s: the status", what) {
		return
	}
	output := &openapi3filter.ResponseValidationInput{RequestValidationInput: input, Status: answer.status, Header: answer.Header(), Options: input.Options}
	output.SetBodyBytes(answer.body.Bytes())
	assert.NoError(c.t, openapi3filter.ValidateResponse(context.Background(), output), what)
	c.checkHeaders(response.Value, answer.Header(), what)
	if len(response.Value.Content) == 0 {
		assert.Empty(c.t, answer.body.String(), what)
		return
	}
	media := response.Value.Content[mediaType]
	if assert.NotNil(c.t, media, "%s: %s", what, mediaType) && mediaType == wire.EventStream {
		c.checkEvents(media, answer.body.String(), what)
	}
}

// checkNoRoute is for what the document has no operation for.
func (c *specChecker) checkNoRoute(answer *recorded, what string) {
	name := map[int]string{404: "NotFound", 405: "MethodNotAllowed"}[answer.status]
	if !assert.NotEmpty(c.t, name, what) {
		return
	}
	response := c.spec.Components.Responses[name].Value
	c.checkHeaders(response, answer.Header(), what)
	c.visit(response.Content[wire.ProblemJSON].Schema.Value, answer.body.String(), what)
}

// undocumented are headers that every answer may have.
var undocumented = []string{"Cache-Control", "Content-Length", "Content-Type", "Date", "X-Accel-Buffering", "X-Content-Type-Options"}

// checkHeaders finds headers that are too many. Those that are required the
// validator misses.
func (c *specChecker) checkHeaders(response *openapi3.Response, header http.Header, what string) {
	for name := range header {
		documented := slices.Contains(undocumented, name)
		for other := range response.Headers {
			documented = documented || http.CanonicalHeaderKey(other) == name
		}
		assert.True(c.t, documented, "%s: header %s", what, name)
	}
}

// checkEvents holds each event of a stream to the schema of its kind.
func (c *specChecker) checkEvents(media *openapi3.MediaType, body, what string) {
	kinds, _ := media.Extensions["x-events"].(map[string]any)
	require.NotEmpty(c.t, kinds, what)
	for block := range strings.SplitSeq(strings.TrimSuffix(body, "\n\n"), "\n\n") {
		var event, data string
		for line := range strings.SplitSeq(block, "\n") {
			field, value, _ := strings.Cut(line, ": ")
			if strings.HasPrefix(line, ":") { // a comment
				continue
			}
			switch field {
			case "event":
				event = value
			case "data":
				data = value
			case "id", "":
			default:
				assert.Fail(c.t, "a line that is none of an event", "%s: %q", what, line)
			}
		}
		if event == "" && data == "" { // nothing but comments
			continue
		}
		reference, _ := kinds[event].(string)
		if schema := c.spec.Components.Schemas[strings.TrimPrefix(reference, "#/components/schemas/")]; assert.NotNil(c.t, schema, "%s: event %s", what, event) {
			c.visit(schema.Value, data, what)
		}
	}
}

// visit holds a JSON document to a schema.
func (c *specChecker) visit(schema *openapi3.Schema, text, what string) {
	var value any
	if assert.NoError(c.t, json.Unmarshal([]byte(text), &value), what) {
		assert.NoError(c.t, schema.VisitJSON(value, openapi3.EnableJSONSchema2020(), openapi3.VisitAsResponse()), what)
	}
}
