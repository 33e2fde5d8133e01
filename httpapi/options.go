package httpapi

import (
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Option changes what New makes.
type Option func(*settings)

// settings are what the options set, with the defaults of New.
type settings struct {
	authorize   Authorizer
	anonymous   bool
	prefix      string
	maxBody     int64
	maxRequests int
	maxStreams  int
	heartbeat   time.Duration
	writeWithin time.Duration
	logger      *slog.Logger
}

func defaults() settings {
	return settings{
		prefix:      "/api/hosting",
		maxBody:     1 << 20,
		maxRequests: 256,
		maxStreams:  2048,
		heartbeat:   15 * time.Second,
		writeWithin: 30 * time.Second,
		logger:      slog.New(slog.DiscardHandler),
	}
}

// WithAuthorizer sets who decides on every request. See [Authorizer].
func WithAuthorizer(authorize Authorizer) Option {
	return func(s *settings) { s.authorize = authorize }
}

// AllowAnonymous serves everybody who can reach the server. It is for servers
// that listen on loopback only, and for hosts whose own middleware has decided.
// Changes that a browser sends for a page of another origin are refused with
// 403; a host that wants them has an Authorizer that says so.
func AllowAnonymous() Option { return func(s *settings) { s.anonymous = true } }

// WithPrefix sets the path before all routes, "/api/hosting" by default: it
// begins with a slash and does not end with one.
func WithPrefix(prefix string) Option { return func(s *settings) { s.prefix = prefix } }

// WithMaxBodyBytes sets how large the body of a request may be, 1 MiB by
// default.
func WithMaxBodyBytes(n int64) Option { return func(s *settings) { s.maxBody = n } }

// WithMaxRequests sets how many requests are served at the same time, streams
// aside, 256 by default. More are refused with 429. Four times as many may send
// their bodies at the same time.
func WithMaxRequests(n int) Option { return func(s *settings) { s.maxRequests = n } }

// WithMaxStreams sets how many log follows and watches are served at the same
// time, 2048 by default. More are refused with 429.
func WithMaxStreams(n int) Option { return func(s *settings) { s.maxStreams = n } }

// WithHeartbeat sets how long a stream may be silent before it sends a comment,
// 15 s by default, so that nothing between takes it for dead.
func WithHeartbeat(d time.Duration) Option { return func(s *settings) { s.heartbeat = d } }

// WithStreamWriteTimeout sets how long a reader of a stream may take nothing
// before the stream is ended, 30 s by default. The server's own WriteTimeout
// does not end streams.
func WithStreamWriteTimeout(d time.Duration) Option {
	return func(s *settings) { s.writeWithin = d }
}

// WithLogger sets where failures of the server are logged; by default nowhere.
// Bodies, queries and headers are never logged.
func WithLogger(logger *slog.Logger) Option { return func(s *settings) { s.logger = logger } }

// check refuses settings that cannot be served.
func (s settings) check() error {
	switch {
	case s.authorize == nil && !s.anonymous:
		return fmt.Errorf("httpapi: say who may call: WithAuthorizer, or AllowAnonymous for everybody")
	case s.authorize != nil && s.anonymous:
		return fmt.Errorf("httpapi: WithAuthorizer and AllowAnonymous exclude each other")
	case !isPrefix(s.prefix):
		return fmt.Errorf("httpapi: prefix %q: allowed: a slash before each part, parts of letters, digits, '-', '_', '.' and '~', no slash at the end", s.prefix)
	case s.logger == nil:
		return fmt.Errorf("httpapi: the logger is nil")
	}
	for _, limit := range []struct {
		name string
		ok   bool
	}{
		{"WithMaxBodyBytes", s.maxBody > 0}, {"WithMaxRequests", s.maxRequests > 0}, {"WithMaxStreams", s.maxStreams > 0},
		{"WithHeartbeat", s.heartbeat > 0}, {"WithStreamWriteTimeout", s.writeWithin > 0},
	} {
		if !limit.ok {
			return fmt.Errorf("httpapi: %s: allowed: more than 0", limit.name)
		}
	}
	return nil
}

func isPrefix(prefix string) bool {
	parts := strings.Split(prefix, "/")
	if len(parts) < 2 || parts[0] != "" {
		return false
	}
	for _, part := range parts[1:] {
		plain := strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~") == ""
		if part == "" || part == "." || part == ".." || !plain {
			return false
		}
	}
	return true
}
