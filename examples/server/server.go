package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi"
)

// server is the API with what an operator needs around it.
type server struct {
	api  *httpapi.API
	http *http.Server
	ends atomic.Bool
}

// newServer puts the handlers together. Without a token it serves everybody who
// reaches it, which listen lets nobody but this machine do.
func newServer(set settings, provider hosting.CloudHostingProvider, extension hosting.HostingExtensionSdkAdapter, logger *slog.Logger) (*server, error) {
	who := httpapi.AllowAnonymous()
	if set.token != "" {
		authorize, err := httpapi.BearerToken(set.token)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", tokenVariable, err)
		}
		who = httpapi.WithAuthorizer(authorize)
	}
	api, err := httpapi.New(provider, extension, who, httpapi.WithLogger(logger))
	if err != nil {
		return nil, err
	}
	s := &server{api: api}
	measured := newMetrics()
	mux := http.NewServeMux()
	api.Mount(mux)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "alive\n") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", measured)

	var handler http.Handler = mux
	if set.token == "" {
		handler = onlyThisMachine(handler)
	}
	s.http = &http.Server{
		Handler: observed(handler, measured, logger),
		// Log follows and watches set deadlines of their own.
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	return s, nil
}

// ready tells whether requests are best sent here: the server does not end, and
// the providers can be used. That is the API's status, which asks them once in
// five seconds at most, however many ask it.
func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	if s.ends.Load() {
		http.Error(w, "not ready: the server ends", http.StatusServiceUnavailable)
		return
	}
	status := r.Clone(r.Context())
	status.URL.Path, status.URL.RawPath, status.URL.RawQuery = "/api/hosting/status", "", ""
	s.api.ServeHTTP(w, status)
}

// serve answers requests until shutdown.
func (s *server) serve(listener net.Listener) error {
	if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// shutdown ends streams, waits for requests that are being served, and cuts
// those off that take longer than grace, which is an error.
func (s *server) shutdown(grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	s.ends.Store(true)
	err := s.api.Shutdown(ctx)
	if err == nil {
		err = s.http.Shutdown(ctx)
	}
	if err == nil {
		return nil
	}
	return errors.Join(fmt.Errorf("requests took longer than -grace %v to end: %w", grace, err), s.http.Close())
}
