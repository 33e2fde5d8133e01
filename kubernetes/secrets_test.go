//go:build linux

package kubernetes_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

// The secret values that are looked for. None is a part of another.
const (
	canary  = "canary-7f3a9c51e0"
	rotated = "sparrow-2b8d64f7a1"
)

// canaryForms are the secret values as they are and in base64, wherever in a
// longer text they may begin: three bytes are four characters, so there are
// three ways, of which the first and last characters depend on the neighbours.
func canaryForms() []string {
	var forms []string
	for _, value := range []string{canary, rotated} {
		forms = append(forms, value)
		for offset := range 3 {
			text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + value))
			forms = append(forms, text[4:len(text)-4])
		}
	}
	return forms
}

func TestASecretValueIsFoundWhereverItStands(t *testing.T) {
	t.Parallel()
	for _, value := range []string{canary, rotated} {
		for offset := range 7 {
			around := strings.Repeat("%", offset) + value + "&more"
			for _, text := range []string{around, base64.StdEncoding.EncodeToString([]byte(around))} {
				assert.True(t, slices.ContainsFunc(canaryForms(), func(form string) bool { return strings.Contains(text, form) }), text)
			}
		}
	}
}

func assertNoCanary(t *testing.T, text, where string) {
	t.Helper()
	for _, form := range canaryForms() {
		assert.NotContains(t, text, form, where)
	}
}

// bodies keeps what is sent to the API server, but for Secrets.
type bodies struct {
	mu   sync.Mutex
	sent []string
	// secrets counts the requests that may carry the value.
	secrets int
}

func (b *bodies) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(request *http.Request) (*http.Response, error) {
		var body []byte
		if request.Body != nil {
			var err error
			if body, err = io.ReadAll(request.Body); err != nil {
				return nil, err
			}
			request = request.Clone(request.Context())
			request.Body = io.NopCloser(bytes.NewReader(body))
		}
		b.mu.Lock()
		if p, _ := permissionFor(request); p.resource == "secrets" {
			b.secrets++
			body = nil
		}
		b.sent = append(b.sent, request.URL.String()+" "+fmt.Sprint(request.Header)+" "+string(body))
		b.mu.Unlock()
		return next.RoundTrip(request)
	})
}

// contents returns every object of the namespace as JSON, events included, by
// kind and name.
func (w *world) contents(t *testing.T) map[string]string {
	t.Helper()
	lists, err := w.client.Discovery().ServerPreferredNamespacedResources()
	require.NoError(t, err)
	quiet := w.cluster.Config()
	quiet.WarningHandler = rest.NoWarnings{}
	client, err := dynamic.NewForConfig(quiet)
	require.NoError(t, err)
	result := map[string]string{}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		require.NoError(t, err)
		for _, r := range list.APIResources {
			if !slices.Contains(r.Verbs, "list") || version.Group == "metrics.k8s.io" {
				continue
			}
			found, err := client.Resource(version.WithResource(r.Name)).Namespace(w.namespace).List(t.Context(), metav1.ListOptions{})
			require.NoError(t, err, r.Name)
			for _, item := range found.Items {
				data, err := json.Marshal(item.Object)
				require.NoError(t, err)
				result[r.Name+"/"+item.GetName()] = string(data)
			}
		}
	}
	return result
}

func TestSecretValuesStandInTheSecretAlone(t *testing.T) {
	t.Parallel()
	var sent bodies
	w := newWorld(t, func(c *kubernetes.Config) { c.WrapTransport = sent.wrap })
	for _, instanceType := range instanceTypes {
		config := everything("a-"+instanceType, instanceType)
		if instanceType == hosting.TypeCronJob {
			config.Schedule = "0 0 1 1 *"
		}
		config.SecretEnv = hosting.SecretMap{"TOKEN": canary, "OTHER": "x" + canary}
		instance, err := w.CreateInstance(t.Context(), config)
		require.NoError(t, err)
		_, err = w.CreateInstance(t.Context(), config)
		require.NoError(t, err)
		require.NoError(t, w.StopInstance(t.Context(), instance.ID))
		require.NoError(t, w.UpdateResources(t.Context(), instance.ID, hosting.ResourceConfig{CPULimit: 1}))
		require.NoError(t, w.StartInstance(t.Context(), instance.ID))
		if instanceType == hosting.TypeCronJob {
			require.NoError(t, w.RunNow(t.Context(), instance.ID))
		} else {
			require.NoError(t, w.RestartInstance(t.Context(), instance.ID))
		}
		config.SecretEnv = hosting.SecretMap{"TOKEN": canary + "2", "OTHER": "x" + canary}
		_, err = w.CreateInstance(t.Context(), config)
		require.ErrorIs(t, err, hosting.AlreadyExists)
		assertNoCanary(t, fmt.Sprintf("%v %+v", err, err), "an error")
		read, err := w.GetInstance(t.Context(), instance.ID)
		require.NoError(t, err)
		assertNoCanary(t, fmt.Sprintf("%+v", read), "an instance")
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		events, err := w.client.CoreV1().Events(w.namespace).List(t.Context(), metav1.ListOptions{})
		assert.NoError(c, err)
		assert.NotEmpty(c, events.Items, "what controllers report is looked at, too")
	}, waitTime, 100*time.Millisecond)
	assert.Equal(t, len(instanceTypes), w.requireCanaryInSecretsAlone(t, &sent), "one Secret for each instance")
}

// requireCanaryInSecretsAlone requires that no object, event or request has the
// values but the Secrets, and tells how many of those there are.
func (w *world) requireCanaryInSecretsAlone(t *testing.T, sent *bodies) int {
	t.Helper()
	found := 0
	for name, text := range w.contents(t) {
		if strings.HasPrefix(name, "secrets/") {
			found++
			assert.True(t, slices.ContainsFunc(canaryForms(), func(form string) bool { return strings.Contains(text, form) }))
			assert.Contains(t, text, `"immutable":true`)
			continue
		}
		assertNoCanary(t, text, name)
	}
	sent.mu.Lock()
	defer sent.mu.Unlock()
	assert.NotZero(t, sent.secrets)
	for _, request := range sent.sent {
		assertNoCanary(t, request, "a request")
	}
	return found
}

// refuseServices refuses the change of a Service, which comes after that of the
// Secret.
func refuseServices(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(request *http.Request) (*http.Response, error) {
		isService := strings.Contains(request.URL.Path, "/services/")
		if request.Method != http.MethodPatch || !isService || request.URL.Query().Has("dryRun") {
			return next.RoundTrip(request)
		}
		return &http.Response{
			StatusCode: http.StatusForbidden, Status: "403 Forbidden", Request: request, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no","reason":"Forbidden","code":403}`)),
		}, nil
	})
}

func TestAppliedSecretValuesStandInSecretsAlone(t *testing.T) {
	t.Parallel()
	var sent bodies
	w := newWorld(t, func(c *kubernetes.Config) { c.WrapTransport = sent.wrap })
	refusing := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.WrapTransport = func(next http.RoundTripper) http.RoundTripper { return sent.wrap(refuseServices(next)) }
	})
	for _, instanceType := range instanceTypes {
		config := everything("a-"+instanceType, instanceType)
		config.SecretEnv = hosting.SecretMap{"TOKEN": canary, "OTHER": "x" + canary}
		instance, err := w.CreateInstance(t.Context(), config)
		require.NoError(t, err)
		if instanceType == hosting.TypeJob {
			require.NoError(t, w.StopInstance(t.Context(), instance.ID)) // a running one cannot change
		}
		next := config
		next.SecretEnv = hosting.SecretMap{"TOKEN": rotated, "OTHER": "xy" + rotated}
		plan, err := w.PlanInstance(t.Context(), next)
		require.NoError(t, err)
		require.NotEmpty(t, plan.Changes)
		asJSON, err := json.Marshal(plan)
		require.NoError(t, err)
		assertNoCanary(t, fmt.Sprintf("%+v %#v %s", plan, plan, asJSON), "a plan")
		told, err := w.ApplyInstance(t.Context(), next)
		require.NoError(t, err)
		assertNoCanary(t, fmt.Sprintf("%+v", told), "an instance")
		refused := next
		refused.SecretEnv = hosting.SecretMap{"TOKEN": canary + rotated, "OTHER": rotated}
		refused.Annotations = map[string]string{"a": "b"}
		_, err = refusing.ApplyInstance(t.Context(), refused)
		require.ErrorIs(t, err, hosting.PermissionDenied)
		assertNoCanary(t, fmt.Sprintf("%v %+v", err, err), "an error")
		revisions, err := w.ListRevisions(t.Context(), instance.ID)
		require.NoError(t, err)
		assertNoCanary(t, fmt.Sprintf("%+v", revisions), "the history")
		back, err := w.RollbackInstance(t.Context(), instance.ID, 1)
		assertNoCanary(t, fmt.Sprintf("%+v %v", back, err), "what a rollback returns")
		require.NoError(t, err)
	}
	assert.GreaterOrEqual(t, w.requireCanaryInSecretsAlone(t, &sent), len(instanceTypes))
}

func TestNoRefusalShowsASecretValue(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		prepare func(t *testing.T, w *world)
		change  func(*hosting.CloudHostingConfig)
	}{
		{name: "the configuration is invalid", change: func(c *hosting.CloudHostingConfig) { c.InstanceType = "none" }},
		{name: "a name is invalid", change: func(c *hosting.CloudHostingConfig) { c.SecretEnv["not a name"] = canary }},
		{name: "an image is invalid", change: func(c *hosting.CloudHostingConfig) { c.Container.Image = "Not An Image!" }},
		{name: "the value is too long", change: func(c *hosting.CloudHostingConfig) { c.SecretEnv["TOKEN"] = strings.Repeat(canary, 1<<16) }},
		{name: "no Secret is left", prepare: func(t *testing.T, w *world) { w.setQuota(t, "count/secrets") }},
		{name: "no workload is left", prepare: func(t *testing.T, w *world) { w.setQuota(t, "count/deployments.apps") }},
		{name: "another has the name", prepare: func(t *testing.T, w *world) {
			_, err := w.client.CoreV1().ConfigMaps(w.namespace).Create(t.Context(),
				&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "skill-web"}}, metav1.CreateOptions{})
			require.NoError(t, err)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if test.prepare != nil {
				test.prepare(t, w)
			}
			config := everything("web", hosting.TypeDeployment)
			config.SecretEnv = hosting.SecretMap{"TOKEN": canary}
			if test.change != nil {
				test.change(&config)
			}
			_, err := w.CreateInstance(t.Context(), config)
			require.Error(t, err)
			var log bytes.Buffer
			slog.New(slog.NewTextHandler(&log, nil)).Error("refused", "error", err, "config", config)
			slog.New(slog.NewJSONHandler(&log, nil)).Error("refused", "error", err, "config", config)
			asJSON, jsonErr := json.Marshal(err)
			require.NoError(t, jsonErr)
			assertNoCanary(t, fmt.Sprintf("%v %+v %#v %s %s", err, err, err, asJSON, log.String()), "an error or a log")
			for name, text := range w.contents(t) {
				assertNoCanary(t, text, name)
			}
		})
	}
}
