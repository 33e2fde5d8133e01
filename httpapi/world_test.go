package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

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
	prefix = "/api/hosting"
	token  = "a-token-of-this-test"
)

// world is two providers as one, "near", the default, and "far", with an
// extension that can do everything.
type world struct {
	provider  *provider.Router
	extension *provider.Extension
}

func newWorld(t testing.TB) world {
	t.Helper()
	var backends []provider.Named
	for _, name := range []string{"near", "far"} {
		p := fake.New(fake.WithName(name), fake.WithRegions("default", "other"), fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload {
			return fake.Workload{StartTime: -1, StopTime: -1, RunTime: -1, LogInterval: time.Hour}
		}))
		backends = append(backends, provider.Named{Name: name, Backend: driver.Backend{Provider: p, Volumes: p, Services: p, Scaling: p, Checker: p}})
	}
	router, err := provider.NewRouter("near", backends)
	require.NoError(t, err)
	policies, err := autoscale.New(autoscale.Config{Provider: router, Backend: router, Store: store.NewMemory(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return world{router, provider.NewExtension(provider.ExtensionConfig{Router: router, AutoScaler: policies, Catalog: catalog{}})}
}

// catalog has one skill, "translate".
type catalog struct{}

func (catalog) Skill(_ context.Context, id string) (provider.Skill, error) {
	if id != "translate" {
		return provider.Skill{}, hosting.NotFound
	}
	return provider.Skill{ID: id, Name: "Translate", Type: "tool", Config: configOf("translate", hosting.TypeDeployment)}, nil
}

func configOf(name, instanceType string) hosting.CloudHostingConfig {
	config := hosting.CloudHostingConfig{InstanceName: name, InstanceType: instanceType,
		Container: &hosting.ContainerConfig{Image: "nginx:1.29", Ports: []int{80}}}
	if instanceType == hosting.TypeCronJob {
		config.Schedule = "*/5 * * * *"
	}
	return config
}

// furnish creates one of each thing that the samples are about.
func (w world) furnish(t testing.TB) world {
	t.Helper()
	ctx := context.Background()
	for name, instanceType := range map[string]string{"web": hosting.TypeDeployment, "plain": hosting.TypeDeployment, "nightly": hosting.TypeCronJob} {
		_, err := w.provider.CreateInstance(ctx, configOf(name, instanceType))
		require.NoError(t, err)
	}
	changed := configOf("web", hosting.TypeDeployment)
	changed.Version = "2"
	_, err := w.provider.ApplyInstance(ctx, changed)
	require.NoError(t, err)
	_, err = w.extension.CreateAutoScalePolicy(ctx, policyFor("default.deployment.web"))
	require.NoError(t, err)
	_, err = w.extension.RegisterService(ctx, "default.deployment.web", hosting.ServiceRegistration{ServiceName: "shop", Port: 80, Aliases: []string{"store"}})
	require.NoError(t, err)
	_, err = w.extension.CreateVolume(ctx, hosting.Volume{Name: "data", Size: 1 << 30, Type: hosting.VolumeShared, AccessMode: hosting.ReadWriteMany})
	require.NoError(t, err)
	return w
}

func policyFor(instanceID string) hosting.AutoScalePolicy {
	id, _ := hosting.ParseID(instanceID)
	return hosting.AutoScalePolicy{InstanceID: instanceID, Name: id.Name, MinReplicas: 1, MaxReplicas: 3, ScaleUpRules: []hosting.ScaleRule{
		{MetricType: hosting.MetricResource, MetricName: hosting.MetricCPUUsage, Threshold: 80, Comparison: ">", StepSize: 1},
	}}
}

// newAPI serves a provider and an extension, for everybody if no option says
// otherwise.
func newAPI(t testing.TB, p hosting.CloudHostingProvider, x hosting.HostingExtensionSdkAdapter, options ...httpapi.Option) *httpapi.API {
	t.Helper()
	if len(options) == 0 {
		options = []httpapi.Option{httpapi.AllowAnonymous()}
	}
	api, err := httpapi.New(p, x, options...)
	require.NoError(t, err)
	return api
}

// ask makes a request without a network. The body, if any, is JSON.
func ask(h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	return serve(h, newRequest(method, target, body, header...))
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}

// newRequest makes a request; header is names and values in turn.
func newRequest(method, target, body string, header ...string) *http.Request {
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, content)
	if body != "" {
		r.Header.Set("Content-Type", wire.JSON)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// problemIn reads an answer that has to be a problem.
func problemIn(t testing.TB, answer *httptest.ResponseRecorder) wire.Problem {
	t.Helper()
	require.Equal(t, wire.ProblemJSON, answer.Header().Get("Content-Type"), "%d %s", answer.Code, answer.Body)
	var problem wire.Problem
	decoder := json.NewDecoder(strings.NewReader(answer.Body.String()))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&problem), answer.Body)
	require.Equal(t, answer.Code, problem.Status)
	require.Equal(t, "about:blank", problem.Type)
	require.Equal(t, http.StatusText(answer.Code), problem.Title)
	require.NotEmpty(t, problem.Detail)
	require.NotEmpty(t, problem.Reason)
	require.NotEmpty(t, problem.ErrorCode)
	require.Equal(t, answer.Header().Get(wire.RequestID), problem.RequestID)
	return problem
}

// safeBuffer is a buffer that several goroutines may write.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
