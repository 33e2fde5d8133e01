package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/wire"
)

// specPrefix is where the API is in these tests.
const specPrefix = "/api/hosting"

// readSpec reads the document, which may be changed.
func readSpec(t testing.TB) *openapi3.T {
	t.Helper()
	data, err := os.ReadFile("openapi.yaml")
	require.NoError(t, err)
	spec, err := openapi3.NewLoader().LoadFromData(data)
	require.NoError(t, err)
	require.True(t, spec.IsOpenAPI31OrLater())
	return spec
}

// specOperations are the operations of the document by the pattern of their
// route, as in "GET /instances/{id}".
func specOperations(spec *openapi3.T) map[string]*openapi3.Operation {
	operations := map[string]*openapi3.Operation{}
	for path, item := range spec.Paths.Map() {
		for method, operation := range item.Operations() {
			operations[method+" "+path] = operation
		}
	}
	return operations
}

// Schemas, patterns, references, and all examples against their schemas.
func TestTheDocumentIsValid(t *testing.T) {
	t.Parallel()
	require.NoError(t, readSpec(t).Validate(context.Background(), openapi3.EnableExamplesValidation(), openapi3.EnableMultiError()))
}

// What the test above relies on: that an example which is wrong is found.
func TestAnExampleThatIsNotTrueIsFound(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*openapi3.T){
		"of a response, a property that is missing": func(spec *openapi3.T) {
			delete(responseOf(spec, "/volumes/{id}", http.MethodGet, 200).Content[wire.JSON].Example.(map[string]any), "volumeId")
		},
		"of a request": func(spec *openapi3.T) {
			body := spec.Paths.Value("/instances").Post.RequestBody.Value.Content[wire.JSON]
			body.Example.(map[string]any)["colour"] = "blue"
		},
		"of a problem": func(spec *openapi3.T) {
			spec.Components.Responses["NotFound"].Value.Content[wire.ProblemJSON].Example.(map[string]any)["type"] = "about:other"
		},
	} {
		spec := readSpec(t)
		spoil(spec)
		assert.Error(t, spec.Validate(context.Background(), openapi3.EnableExamplesValidation()), name)
	}
}

func responseOf(spec *openapi3.T, path, method string, status int) *openapi3.Response {
	return spec.Paths.Value(path).GetOperation(method).Responses.Status(status).Value
}

func TestTheDocumentHasTheOperationsOfTheAPI(t *testing.T) {
	t.Parallel()
	api := specAPI(t)
	spec := readSpec(t)
	var documented, ids []string
	for pattern, operation := range specOperations(spec) {
		method, path, _ := strings.Cut(pattern, " ")
		documented = append(documented, method+" "+specPrefix+path)
		ids = append(ids, operation.OperationID)
	}
	assert.ElementsMatch(t, api.Routes(), documented)
	slices.Sort(ids)
	assert.Equal(t, slices.Compact(slices.Clone(ids)), ids, "each operationId once")
}

// The operationId of a route is its Action: the Authorizer is asked for it.
func TestTheOperationIdIsTheAction(t *testing.T) {
	t.Parallel()
	var asked httpapi.Action
	api, err := httpapi.New(fake.New(), nil, httpapi.WithAuthorizer(func(_ *http.Request, access httpapi.Access) (context.Context, error) {
		asked = access.Action
		return nil, os.ErrPermission
	}))
	require.NoError(t, err)
	for pattern, operation := range specOperations(readSpec(t)) {
		if isPublic(operation) {
			continue
		}
		method, path, _ := strings.Cut(pattern, " ")
		asked = ""
		api.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, specPrefix+strings.ReplaceAll(path, "{id}", "default.deployment.web"), nil))
		assert.Equal(t, operation.OperationID, string(asked), pattern)
	}
}

// isPublic tells whether the document exempts an operation from security.
func isPublic(operation *openapi3.Operation) bool {
	return operation.Security != nil && len(*operation.Security) == 0
}

func TestTheOperationsThatNeedNoTokenAreThoseThatAnswerWithoutOne(t *testing.T) {
	t.Parallel()
	api, err := httpapi.New(fake.New(), nil, httpapi.WithAuthorizer(func(*http.Request, httpapi.Access) (context.Context, error) {
		return nil, os.ErrPermission
	}))
	require.NoError(t, err)
	for pattern, operation := range specOperations(readSpec(t)) {
		method, path, _ := strings.Cut(pattern, " ")
		answer := httptest.NewRecorder()
		api.ServeHTTP(answer, httptest.NewRequest(method, specPrefix+strings.ReplaceAll(path, "{id}", "default.deployment.web"), nil))
		assert.Equal(t, isPublic(operation), answer.Code != http.StatusForbidden, "%s: %d", pattern, answer.Code)
	}
}

func TestEveryOperationIsDescribedWhole(t *testing.T) {
	t.Parallel()
	spec := readSpec(t)
	tags := map[string]bool{}
	for _, tag := range spec.Tags {
		assert.NotEmpty(t, tag.Description, tag.Name)
		tags[tag.Name] = false
	}
	for pattern, operation := range specOperations(spec) {
		assert.NotEmpty(t, operation.Summary, pattern)
		require.Len(t, operation.Tags, 1, pattern)
		require.Contains(t, tags, operation.Tags[0], pattern)
		tags[operation.Tags[0]] = true
		for _, parameter := range operation.Parameters {
			assert.NotEmpty(t, parameter.Value.Description, "%s: %s", pattern, parameter.Value.Name)
		}
		if body := operation.RequestBody; body != nil {
			media := body.Value.Content[wire.JSON]
			require.NotNil(t, media, pattern)
			assert.NotNil(t, media.Example, "%s: an example of its body", pattern)
			assert.True(t, isClosed(media.Schema.Value), "%s: its body refuses what is not in it", pattern)
		}
		for status, response := range operation.Responses.Map() {
			assert.NotEmpty(t, *response.Value.Description, "%s: %s", pattern, status)
			assert.Contains(t, response.Value.Headers, wire.RequestID, "%s: %s", pattern, status)
			if status != "503" && strings.HasPrefix(status, "2") || status == "503" && pattern == "GET /status" {
				for mediaType, media := range response.Value.Content {
					assert.True(t, media.Example != nil || mediaType == wire.ProblemJSON, "%s: an example of its answer %s %s", pattern, status, mediaType)
				}
			}
		}
		for _, status := range errorsOf(operation) {
			response := operation.Responses.Status(status)
			if assert.NotNil(t, response, "%s: %d", pattern, status) {
				assert.Contains(t, response.Value.Content, wire.ProblemJSON, "%s: %d", pattern, status)
			}
		}
		assert.True(t, slices.ContainsFunc(operation.Responses.Keys(), func(status string) bool { return strings.HasPrefix(status, "2") }), pattern)
	}
	for tag, used := range tags {
		assert.True(t, used, tag)
	}
	for name, response := range spec.Components.Responses {
		if media := response.Value.Content[wire.ProblemJSON]; media != nil {
			assert.NotNil(t, media.Example, name)
		}
	}
}

// isClosed tells whether a schema refuses properties that it does not have.
func isClosed(schema *openapi3.Schema) bool {
	if slices.ContainsFunc(schema.AllOf, func(part *openapi3.SchemaRef) bool { return isClosed(part.Value) }) {
		return true
	}
	has := schema.AdditionalProperties.Has
	return has != nil && !*has
}

// errorsOf are the errors that every operation of its kind can answer with.
func errorsOf(operation *openapi3.Operation) []int {
	statuses := []int{400, 503}
	if operation.OperationID != string(httpapi.GetDocument) { // which calls nobody
		statuses = append(statuses, 500)
	}
	if !isPublic(operation) {
		statuses = append(statuses, 401, 403, 429)
	}
	if operation.RequestBody != nil {
		statuses = append(statuses, 408, 413, 415)
	}
	for _, parameter := range operation.Parameters {
		if parameter.Value.Name == "If-Match" {
			statuses = append(statuses, 412)
		}
	}
	return statuses
}

func TestTheDocumentIsServedAsItIs(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("openapi.yaml")
	require.NoError(t, err)
	answer := httptest.NewRecorder()
	specAPI(t).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, specPrefix+"/openapi.yaml", nil))
	assert.Equal(t, http.StatusOK, answer.Code)
	assert.Equal(t, wire.YAML, answer.Header().Get("Content-Type"))
	assert.Equal(t, string(want), answer.Body.String())
}

// specAPI serves an empty provider to everybody.
func specAPI(t testing.TB) *httpapi.API {
	t.Helper()
	api, err := httpapi.New(fake.New(), nil, httpapi.AllowAnonymous())
	require.NoError(t, err)
	return api
}
