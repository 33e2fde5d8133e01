package main

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"skillcenter.io/hosting/httpapi"
)

// newLogger writes JSON lines.
func newLogger(out io.Writer) *slog.Logger {
	return slog.New(withRequestID{slog.NewJSONHandler(out, nil)})
}

// withRequestID adds the id of the request that a line is about, so that the
// calls of a provider can be found by it.
type withRequestID struct{ slog.Handler }

func (h withRequestID) Handle(ctx context.Context, record slog.Record) error {
	if id := httpapi.RequestID(ctx); id != "" {
		record = record.Clone()
		record.AddAttrs(slog.String("requestId", id))
	}
	return h.Handler.Handle(ctx, record)
}

func (h withRequestID) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withRequestID{h.Handler.WithAttrs(attrs)}
}

func (h withRequestID) WithGroup(name string) slog.Handler {
	return withRequestID{h.Handler.WithGroup(name)}
}

// observed logs and counts requests. Of a request it tells the route and never
// the path, the query, a header or the body: there may be secrets in them.
func observed(next http.Handler, measured *metrics, logger *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		recorded := &recorder{ResponseWriter: w, streams: &measured.streams}
		whole := false
		defer func() {
			recorded.close()
			took := time.Since(began)
			route, method, status := routeOf(r), methodOf(r), cmp.Or(recorded.status, http.StatusOK)
			if !whole && recorded.status == 0 {
				status = http.StatusInternalServerError // it panicked, and the client gets nothing
			}
			measured.observe(labels{route, method, status}, took, recorded.stream)
			level := slog.LevelInfo
			if slices.Contains(probes, route) && status < http.StatusBadRequest {
				level = slog.LevelDebug
			}
			logger.LogAttrs(context.Background(), level, "request", slog.String("method", method), slog.String("route", route),
				slog.Int("status", status), slog.Duration("duration", took), slog.Bool("stream", recorded.stream),
				slog.Bool("whole", whole), slog.String("requestId", w.Header().Get("X-Request-Id")))
		}()
		next.ServeHTTP(recorded, r)
		whole = true
	})
}

// probes come all the time; there is a line about them if they fail.
var probes = []string{"/healthz", "/readyz", "/metrics"}

// routeOf is the pattern that answered, without its method. There are as many
// as there are routes, however many paths somebody asks for.
func routeOf(r *http.Request) string {
	_, path, found := strings.Cut(r.Pattern, " ")
	if !found {
		path = r.Pattern
	}
	if path == "" || path == "/" {
		return "none"
	}
	return path
}

// methodOf is the method, or "other" if it is none of the standard's.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}
