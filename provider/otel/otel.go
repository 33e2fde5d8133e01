// Package otel observes a hosting provider with OpenTelemetry: a span for every
// call, and metrics of all of them. It uses the API only; the program chooses
// the SDK and the exporters.
package otel

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/intercept"
)

// The attributes of spans and metrics. Metrics have those of the first group
// only, which have few values.
const (
	AttributeOperation = attribute.Key("hosting.operation.name") // the Go name of the method, such as "ScaleInstance"
	AttributeProvider  = attribute.Key("hosting.provider.name")  // the configured name of the provider
	AttributeErrorType = attribute.Key("error.type")             // the reason of an error, such as "Unavailable"

	AttributeErrorCode    = attribute.Key("hosting.error.code")
	AttributeInstanceID   = attribute.Key("hosting.instance.id")
	AttributeInstanceName = attribute.Key("hosting.instance.name")
	AttributeInstanceType = attribute.Key("hosting.instance.type")
	AttributeRegion       = attribute.Key("hosting.region")
	AttributeItems        = attribute.Key("hosting.items") // how many a list or stream returned
)

// The metrics.
const (
	// MetricDuration is a histogram of how long calls took, in seconds. Streams
	// are not in it: how long they last is their caller's choice.
	MetricDuration = "hosting.client.operation.duration"
	// MetricOperations counts the calls that have ended, streams included.
	MetricOperations = "hosting.client.operations"
	// MetricItems counts what lists and streams have returned.
	MetricItems = "hosting.client.items"
)

// scope is the name of the instrumentation.
const scope = "skillcenter.io/hosting/provider/otel"

// Observe returns a provider that has a span of kind client around every call
// of p, and counts and times it. The provider that is called has the span in
// its context. A stream is one span, from the first look to its end. Abilities are
// those of p.
//
// Of a configuration it tells name, type and region. But the status of a span
// has the message of an error as it is, and one that refuses a configuration
// shows the values that it refuses, such as an image or an argument: put what is
// secret into secretEnv and nowhere else. Values of env and secretEnv are never
// shown.
//
// If p is several providers, such as a Router, the provider is the one that the
// instance or the error is of, else the default one.
//
// The error is that of the MeterProvider, if it refuses an instrument.
func Observe(p hosting.CloudHostingProvider, tracers trace.TracerProvider, meters metric.MeterProvider) (hosting.CloudHostingProvider, error) {
	o := observer{tracer: tracers.Tracer(scope)}
	meter := meters.Meter(scope)
	var err error
	if o.duration, err = meter.Float64Histogram(MetricDuration, metric.WithUnit("s"), metric.WithDescription("Duration of calls of a hosting provider."),
		metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)); err != nil {
		return nil, fmt.Errorf("metric %s: %w", MetricDuration, err)
	}
	if o.operations, err = meter.Int64Counter(MetricOperations, metric.WithUnit("{operation}"),
		metric.WithDescription("Calls of a hosting provider that have ended.")); err != nil {
		return nil, fmt.Errorf("metric %s: %w", MetricOperations, err)
	}
	if o.items, err = meter.Int64Counter(MetricItems, metric.WithUnit("{item}"),
		metric.WithDescription("Items that lists and streams of a hosting provider have returned.")); err != nil {
		return nil, fmt.Errorf("metric %s: %w", MetricItems, err)
	}
	return intercept.Wrap(p, o.observe), nil
}

type observer struct {
	tracer     trace.Tracer
	duration   metric.Float64Histogram
	operations metric.Int64Counter
	items      metric.Int64Counter
}

func (o observer) observe(ctx context.Context, call intercept.Call) (context.Context, func(intercept.Result)) {
	began := time.Now()
	ctx, span := o.tracer.Start(ctx, "hosting."+call.Method, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(began),
		trace.WithAttributes(describe(call)...))
	return ctx, func(result intercept.Result) {
		ended := time.Now()
		// What the call names need not exist: for metrics that could be too many.
		provider := AttributeProvider.String(result.Provider)
		span.SetAttributes(provider)
		common := []attribute.KeyValue{AttributeOperation.String(call.Method), provider}
		if call.InstanceID == "" && result.InstanceID != "" {
			span.SetAttributes(AttributeInstanceID.String(result.InstanceID))
		}
		if result.Err != nil {
			reason := string(hosting.ReasonOf(result.Err))
			common = append(common, AttributeErrorType.String(reason))
			span.SetAttributes(AttributeErrorType.String(reason), AttributeErrorCode.String(string(hosting.CodeOf(result.Err))))
			span.SetStatus(codes.Error, result.Err.Error())
		}
		with := metric.WithAttributes(common...)
		o.operations.Add(ctx, 1, with)
		if !call.Stream {
			o.duration.Record(ctx, ended.Sub(began).Seconds(), with)
		}
		if result.IsList {
			span.SetAttributes(AttributeItems.Int(result.Items))
			o.items.Add(ctx, int64(result.Items), with)
		}
		span.End(trace.WithTimestamp(ended))
	}
}

// describe returns what is known of a call beforehand.
func describe(call intercept.Call) []attribute.KeyValue {
	var known []attribute.KeyValue
	add := func(key attribute.Key, value string) {
		if value != "" {
			known = append(known, key.String(value))
		}
	}
	add(AttributeOperation, call.Method)
	add(AttributeProvider, call.Provider)
	add(AttributeInstanceID, call.InstanceID)
	add(AttributeInstanceName, call.Name)
	add(AttributeInstanceType, call.Type)
	add(AttributeRegion, call.Region)
	return known
}
