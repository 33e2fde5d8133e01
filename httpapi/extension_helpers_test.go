package httpapi_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/wire"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
	"skillcenter.io/hosting/provider/store"
)

const (
	webID    = "a:default.deployment.web"
	policyID = "a:default.policy.web"
	dataID   = "a:default.volume.data"
	ordersID = "a:default.service.orders"
)

// extended is a server with everything that there is, over the providers a (the
// default) and b. On each there is a deployment "web" in region default.
type extended struct {
	t         *testing.T
	router    *provider.Router
	extension *provider.Extension
	documents store.Store
	a, b      *fake.Provider
	server    *httptest.Server
}

func newExtended(t *testing.T, options ...httpapi.Option) *extended {
	t.Helper()
	atOnce := fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload { return fake.Workload{StartTime: -1, StopTime: -1} })
	e := &extended{t: t, a: fake.New(atOnce), b: fake.New(atOnce, fake.WithRegions("default", "edge")), documents: store.NewMemory()}
	backend := func(name string, p *fake.Provider) provider.Named {
		return provider.Named{Name: name, Backend: driver.Backend{Provider: p, Volumes: p, Services: p, Scaling: p, Checker: p}}
	}
	var err error
	e.router, err = provider.NewRouter("a", []provider.Named{backend("a", e.a), backend("b", e.b)})
	require.NoError(t, err)
	e.extension = e.newExtension()
	for _, p := range []*fake.Provider{e.a, e.b} {
		_, err := p.CreateInstance(t.Context(), webConfig())
		require.NoError(t, err)
	}
	e.server = e.serve(e.extension, options...)
	return e
}

// newExtension returns what another process would have that shares the store.
func (e *extended) newExtension() *provider.Extension {
	controller, err := autoscale.New(autoscale.Config{Provider: e.router, Backend: e.router, Store: e.documents, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(e.t, err)
	return provider.NewExtension(provider.ExtensionConfig{Router: e.router, AutoScaler: controller, Catalog: oneSkill{}})
}

// serve starts another server.
func (e *extended) serve(extension hosting.HostingExtensionSdkAdapter, options ...httpapi.Option) *httptest.Server {
	if len(options) == 0 {
		options = []httpapi.Option{httpapi.AllowAnonymous(), httpapi.WithMaxBodyBytes(8 << 10)}
	}
	api, err := httpapi.New(e.router, extension, options...)
	require.NoError(e.t, err)
	server := httptest.NewServer(api)
	e.t.Cleanup(server.Close)
	return server
}

// oneSkill is a catalog with the skill "translate".
type oneSkill struct{}

func (oneSkill) Skill(_ context.Context, skillID string) (provider.Skill, error) {
	if skillID != "translate" {
		return provider.Skill{}, hosting.NotFound
	}
	return provider.Skill{ID: skillID, Name: "Translate", Type: "demo", Config: webConfig()}, nil
}

func webConfig() hosting.CloudHostingConfig {
	return hosting.CloudHostingConfig{InstanceName: "web", InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "registry.example.com/web:1", Ports: []int{8080}}}
}

func webPolicy(maxReplicas int) hosting.AutoScalePolicy {
	return hosting.AutoScalePolicy{InstanceID: webID, Name: "by-cpu", MinReplicas: 1, MaxReplicas: maxReplicas,
		ScaleUpRules: []hosting.ScaleRule{{MetricType: hosting.MetricResource, MetricName: hosting.MetricCPUUsage, Threshold: 70, Comparison: ">", StepSize: 1}}}
}

// answer is what a server has answered.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

// do sends a request to the server. A body that is no text is sent as JSON; headers are
// names and values by turns.
func (e *extended) do(method, path string, body any, headers ...string) answer {
	e.t.Helper()
	return send(e.t, e.server, method, path, body, headers...)
}

func send(t *testing.T, server *httptest.Server, method, path string, body any, headers ...string) answer {
	t.Helper()
	var text string
	switch given := body.(type) {
	case nil:
	case string:
		text = given
	default:
		data, err := json.Marshal(body)
		require.NoError(t, err)
		text = string(data)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/api/hosting"+path, strings.NewReader(text))
	require.NoError(t, err)
	if body != nil {
		request.Header.Set("Content-Type", wire.JSON)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := server.Client().Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{t, response.StatusCode, response.Header, data}
}

// is checks the status.
func (a answer) is(status int) answer {
	a.t.Helper()
	require.Equalf(a.t, status, a.status, "%s", a.body)
	return a
}

// into decodes the body, which has nothing that value does not.
func (a answer) into(value any) answer {
	a.t.Helper()
	require.Equal(a.t, wire.JSON, a.header.Get("Content-Type"))
	decoder := json.NewDecoder(strings.NewReader(string(a.body)))
	decoder.DisallowUnknownFields()
	require.NoErrorf(a.t, decoder.Decode(value), "%s", a.body)
	return a
}

// problem checks that the answer is an error, and returns it.
func (a answer) problem(status int, code hosting.Code, reason hosting.Reason, says ...string) wire.Problem {
	a.t.Helper()
	a.is(status)
	require.Equal(a.t, wire.ProblemJSON, a.header.Get("Content-Type"))
	var p wire.Problem
	require.NoErrorf(a.t, json.Unmarshal(a.body, &p), "%s", a.body)
	assert.Equal(a.t, status, p.Status)
	assert.Equal(a.t, code, p.ErrorCode)
	assert.Equal(a.t, reason, p.Reason)
	assert.NotEmpty(a.t, p.Provider)
	assert.Equal(a.t, a.header.Get(wire.RequestID), p.RequestID)
	for _, text := range says {
		assert.Contains(a.t, p.ErrorMessage, text)
	}
	return p
}

// ids decodes a list and returns the ids of its items.
func (a answer) ids(field string) []string {
	a.t.Helper()
	var list wire.List[map[string]any]
	a.is(http.StatusOK).into(&list)
	require.NotNil(a.t, list.Items, "never null")
	ids := make([]string, len(list.Items))
	for i, item := range list.Items {
		ids[i], _ = item[field].(string)
	}
	return ids
}

// guard is an Authorizer that keeps what it was asked and refuses what it is
// told to.
type guard struct {
	mu     sync.Mutex
	asked  []httpapi.Access
	refuse func(httpapi.Access) bool
}

func (g *guard) authorize(r *http.Request, access httpapi.Access) (context.Context, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, access)
	if g.refuse != nil && g.refuse(access) {
		return nil, hosting.PermissionDenied
	}
	return r.Context(), nil
}

// last returns what was asked since the last call, and forgets it.
func (g *guard) take() []httpapi.Access {
	g.mu.Lock()
	defer g.mu.Unlock()
	asked := g.asked
	g.asked = nil
	return asked
}
