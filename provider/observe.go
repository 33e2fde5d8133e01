package provider

import (
	"context"
	"log/slog"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/intercept"
)

// Observe returns a provider that logs every call of p when it has ended:
// method, provider, instance, duration, how many items it returned, and the
// code, reason and message of an error. Streams are logged when they end.
// Abilities are those of p.
//
// Of a configuration it logs name, type and region. But the message of an error
// is logged as it is, and one that refuses a configuration shows the values that
// it refuses, such as an image or an argument: put what is secret into secretEnv
// and nowhere else. Values of env and secretEnv are never shown.
//
// If p is several providers, such as a [Router], the provider is the one that
// the instance or the error is of, else the default one.
//
// What went well is logged at level Debug, or Info if it is a change; what the
// caller could have avoided (InvalidArgument, NotFound, AlreadyExists, Conflict,
// Unsupported, Canceled) at Info; what may pass (Unavailable, DeadlineExceeded,
// RateLimited, QuotaExceeded) at Warn; everything else at Error.
func Observe(p hosting.CloudHostingProvider, logger *slog.Logger) hosting.CloudHostingProvider {
	return intercept.Wrap(p, func(ctx context.Context, call intercept.Call) (context.Context, func(intercept.Result)) {
		began := time.Now()
		return ctx, func(result intercept.Result) {
			level := levelOf(call, result.Err)
			if !logger.Enabled(ctx, level) {
				return
			}
			attrs := append([]slog.Attr{slog.String("method", call.Method), slog.String("provider", result.Provider)}, describe(call, result)...)
			attrs = append(attrs, slog.Duration("duration", time.Since(began)))
			logger.LogAttrs(ctx, level, "hosting call", attrs...)
		}
	})
}

// describe returns what is known of a call.
func describe(call intercept.Call, result intercept.Result) []slog.Attr {
	var attrs []slog.Attr
	add := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, value))
		}
	}
	id := call.InstanceID
	if id == "" {
		id = result.InstanceID
	}
	add("instanceId", id)
	add("instanceName", call.Name)
	add("instanceType", call.Type)
	add("region", call.Region)
	if result.IsList {
		attrs = append(attrs, slog.Int("items", result.Items))
	}
	if result.Err != nil {
		add("errorCode", string(hosting.CodeOf(result.Err)))
		add("reason", string(hosting.ReasonOf(result.Err)))
		add("error", result.Err.Error())
	}
	return attrs
}

func levelOf(call intercept.Call, err error) slog.Level {
	switch hosting.ReasonOf(err) {
	case "":
		if call.Changes {
			return slog.LevelInfo
		}
		return slog.LevelDebug
	case hosting.InvalidArgument, hosting.NotFound, hosting.AlreadyExists, hosting.Conflict, hosting.Unsupported, hosting.Canceled:
		return slog.LevelInfo
	case hosting.Unavailable, hosting.DeadlineExceeded, hosting.RateLimited, hosting.QuotaExceeded:
		return slog.LevelWarn
	}
	return slog.LevelError
}
