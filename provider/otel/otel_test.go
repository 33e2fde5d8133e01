package otel_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
	"skillcenter.io/hosting/provider/otel"
)

// world is an observed fake and what was told of it.
type world struct {
	fake  *fake.Provider
	p     hosting.CloudHostingProvider
	spans *tracetest.SpanRecorder
	meter *sdkmetric.ManualReader
}

func newWorld(t *testing.T) world {
	t.Helper()
	w := world{fake: fake.New(fake.WithName("memory")), spans: tracetest.NewSpanRecorder(), meter: sdkmetric.NewManualReader()}
	p, err := otel.Observe(w.fake, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(w.spans)),
		sdkmetric.NewMeterProvider(sdkmetric.WithReader(w.meter)))
	require.NoError(t, err)
	w.p = p
	return w
}

// span returns the only span that has ended since the last look.
func (w world) span(t *testing.T) sdktrace.ReadOnlySpan {
	t.Helper()
	ended := w.spans.Ended()
	require.Len(t, ended, 1)
	w.spans.Reset()
	return ended[0]
}

func attributes(list []attribute.KeyValue) map[attribute.Key]string {
	known := map[attribute.Key]string{}
	for _, kv := range list {
		known[kv.Key] = kv.Value.String()
	}
	return known
}

var config = hosting.CloudHostingConfig{InstanceName: "web", InstanceType: hosting.TypeDeployment, Region: "default",
	Container: &hosting.ContainerConfig{Image: "web:1"}, SecretEnv: hosting.SecretMap{"TOKEN": "hush"}}

func TestACallIsASpanWithWhatItIsAboutAndHowItEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created, err := w.p.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	span := w.span(t)
	assert.Equal(t, "hosting.CreateInstance", span.Name())
	assert.Equal(t, trace.SpanKindClient, span.SpanKind())
	assert.Equal(t, codes.Unset, span.Status().Code)
	assert.Equal(t, map[attribute.Key]string{
		otel.AttributeOperation: "CreateInstance", otel.AttributeProvider: "memory", otel.AttributeInstanceID: created.ID,
		otel.AttributeInstanceName: "web", otel.AttributeInstanceType: "deployment", otel.AttributeRegion: "default",
	}, attributes(span.Attributes()))

	err = w.p.StopInstance(t.Context(), "default.deployment.none")
	require.ErrorIs(t, err, hosting.NotFound)
	span = w.span(t)
	assert.Equal(t, sdktrace.Status{Code: codes.Error, Description: err.Error()}, span.Status())
	known := attributes(span.Attributes())
	assert.Equal(t, "NotFound", known[otel.AttributeErrorType])
	assert.Equal(t, "InstanceNotFound", known[otel.AttributeErrorCode])
	assert.Equal(t, "default.deployment.none", known[otel.AttributeInstanceID])
}

// inner tells whether it was called inside a span.
type inner struct {
	hosting.UnimplementedProvider
	parent trace.SpanContext
}

func (i *inner) ListInstances(ctx context.Context) ([]hosting.CloudInstance, error) {
	i.parent = trace.SpanContextFromContext(ctx)
	return nil, nil
}

func TestTheProviderThatIsCalledIsInsideTheSpan(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	called := &inner{}
	p, err := otel.Observe(called, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)), sdkmetric.NewMeterProvider())
	require.NoError(t, err)
	_, err = p.ListInstances(t.Context())
	require.NoError(t, err)
	require.Len(t, spans.Ended(), 1)
	assert.Equal(t, spans.Ended()[0].SpanContext(), called.parent)
}

func TestAStreamIsOneSpanThatEndsWithIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.fake.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	for change, err := range hosting.WatchInstances(t.Context(), w.p) {
		require.NoError(t, err)
		assert.Empty(t, w.spans.Ended())
		if change.Type == hosting.ChangeSynced {
			break
		}
	}
	span := w.span(t)
	assert.Equal(t, "hosting.WatchInstances", span.Name())
	assert.Equal(t, "2", attributes(span.Attributes())[otel.AttributeItems])
}

func TestCallsAreCountedAndTimed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fake.InjectCall(fake.CallFault{Method: "ListInstances", Calls: 1, Reason: hosting.Unavailable})
	w.fake.InjectCall(fake.CallFault{Method: "CreateInstance", Delay: 20 * time.Millisecond})
	_, err := w.p.ListInstances(t.Context())
	require.ErrorIs(t, err, hosting.Unavailable)
	_, err = w.p.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	for range 2 {
		_, err = w.p.ListInstances(t.Context())
		require.NoError(t, err)
	}
	for range hosting.WatchInstances(t.Context(), w.p) {
		break
	}
	var data metricdata.ResourceMetrics
	require.NoError(t, w.meter.Collect(t.Context(), &data))
	require.Len(t, data.ScopeMetrics, 1)
	counts := map[string]map[string]int64{}
	for _, m := range data.ScopeMetrics[0].Metrics {
		counts[m.Name] = map[string]int64{}
		switch points := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range points.DataPoints {
				counts[m.Name][key(p.Attributes)] = p.Value
			}
		case metricdata.Histogram[float64]:
			for _, p := range points.DataPoints {
				counts[m.Name][key(p.Attributes)] = int64(p.Count)
				if key(p.Attributes) == "CreateInstance" {
					assert.GreaterOrEqual(t, p.Sum, 0.02, "in seconds")
					assert.Less(t, p.Sum, 20.0, "in seconds")
				}
			}
			assert.Equal(t, "s", m.Unit)
		}
	}
	assert.Equal(t, map[string]map[string]int64{
		otel.MetricOperations: {"CreateInstance": 1, "ListInstances": 2, "ListInstances Unavailable": 1, "WatchInstances": 1},
		otel.MetricDuration:   {"CreateInstance": 1, "ListInstances": 2, "ListInstances Unavailable": 1},
		otel.MetricItems:      {"ListInstances": 2, "ListInstances Unavailable": 0, "WatchInstances": 1},
	}, counts)
}

// key names a data point by operation and error, and checks that there is
// nothing else that could make many of them.
func key(set attribute.Set) string {
	text := ""
	for _, name := range []attribute.Key{otel.AttributeOperation, otel.AttributeErrorType} {
		if value, ok := set.Value(name); ok {
			text += " " + value.AsString()
		}
	}
	if extra := set.Len(); extra > 3 {
		text += " and more"
	}
	return text[1:]
}

func TestNothingElseOfAConfigurationIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := hosting.ApplyInstance(t.Context(), w.p, config)
	require.NoError(t, err)
	for _, value := range attributes(w.span(t).Attributes()) {
		assert.NotContains(t, value, "hush")
	}
}

func TestSpansAndMetricsNameTheProviderThatACallWasAbout(t *testing.T) {
	t.Parallel()
	w := world{spans: tracetest.NewSpanRecorder(), meter: sdkmetric.NewManualReader()}
	edge := fake.New(fake.WithRegions("edge"))
	router, err := provider.NewRouter("a", []provider.Named{
		{Name: "a", Backend: driver.Backend{Provider: fake.New()}}, {Name: "b", Backend: driver.Backend{Provider: edge}},
	})
	require.NoError(t, err)
	w.p, err = otel.Observe(router, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(w.spans)),
		sdkmetric.NewMeterProvider(sdkmetric.WithReader(w.meter)))
	require.NoError(t, err)
	there := config
	there.Region = "edge"
	_, err = w.p.CreateInstance(t.Context(), there)
	require.NoError(t, err)
	assert.Equal(t, "b", attributes(w.span(t).Attributes())[otel.AttributeProvider])
	require.NoError(t, w.p.ScaleInstance(t.Context(), "b:edge.deployment.web", 2))
	assert.Equal(t, "b", attributes(w.span(t).Attributes())[otel.AttributeProvider])
	for _, nobody := range []string{"c", "d", "e"} {
		require.ErrorIs(t, w.p.ScaleInstance(t.Context(), nobody+":edge.deployment.web", 2), hosting.NotFound)
		assert.Equal(t, "a", attributes(w.span(t).Attributes())[otel.AttributeProvider])
	}
	var data metricdata.ResourceMetrics
	require.NoError(t, w.meter.Collect(t.Context(), &data))
	counts := map[string]int64{}
	for _, m := range data.ScopeMetrics[0].Metrics {
		if m.Name != otel.MetricOperations {
			continue
		}
		for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
			name, _ := p.Attributes.Value(otel.AttributeProvider)
			counts[name.AsString()+" "+key(p.Attributes)] = p.Value
		}
	}
	assert.Equal(t, map[string]int64{"b CreateInstance": 1, "b ScaleInstance": 1, "a ScaleInstance NotFound": 3}, counts,
		"names that callers make up are not in it")
}

// A refusal shows the values that it refuses, but none of a variable.
func TestAStatusHasNoValueOfAVariable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	refused := config
	refused.Container = &hosting.ContainerConfig{Image: "https://user:shown@registry.example.com/web", Env: map[string]string{"A": "hush\x00"}}
	refused.Env, refused.SecretEnv = map[string]string{"B": "hush\xff"}, hosting.SecretMap{"C": "hush\x00"}
	_, err := w.p.CreateInstance(t.Context(), refused)
	require.ErrorIs(t, err, hosting.InvalidArgument)
	status := w.span(t).Status().Description
	for _, field := range []string{"user:shown@", "container.env[A]", "env[B]", "secretEnv[C]"} {
		assert.Contains(t, status, field)
	}
	assert.NotContains(t, status, "hush")
}
