package otel_test

import (
	"context"
	"fmt"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider/otel"
)

func ExampleObserve() {
	spans := tracetest.NewInMemoryExporter() // in a program: OTLP, for example
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	p, err := otel.Observe(fake.New(), tracers, sdkmetric.NewMeterProvider())
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = p.StopInstance(context.Background(), "default.deployment.web")
	for _, span := range spans.GetSpans() {
		fmt.Println(span.Name, span.Status.Code, span.Status.Description)
	}
	// Output: hosting.StopInstance Error fake: InstanceNotFound (NotFound): instance default.deployment.web does not exist
}
