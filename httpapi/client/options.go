package client

import (
	"net/http"
	"strings"
	"time"

	"skillcenter.io/hosting"
)

// Option changes what New makes.
type Option func(*settings)

// settings are what the options set, with the defaults of New.
type settings struct {
	transport     *http.Client // of the user; nil for one of our own
	token         func() string
	retries       int
	userAgent     string
	streamTimeout time.Duration
	maxAnswer     int64
}

func defaults() settings {
	return settings{
		token:         func() string { return "" },
		retries:       3,
		userAgent:     "skillcenter-hosting-client",
		streamTimeout: time.Minute,
		maxAnswer:     256 << 20,
	}
}

// WithHTTPClient sets what makes the requests; by default it is one with a
// transport of its own. It is not changed. Its CheckRedirect is not used, since
// redirects are refused, and its Timeout does not end streams.
func WithHTTPClient(c *http.Client) Option { return func(s *settings) { s.transport = c } }

// WithToken sends "Authorization: Bearer <token>" with every request, to the host
// of the base URL and no other. Over plain http everybody in between can read it.
func WithToken(token string) Option {
	// In a function it does not show when somebody prints the client.
	return func(s *settings) { s.token = func() string { return token } }
}

// WithRetries sets how often a call is sent again, 3 times by default. With 0
// nothing is, and streams are not resumed. See the documentation of the package
// for what is sent again at all.
func WithRetries(n int) Option { return func(s *settings) { s.retries = n } }

// WithUserAgent sets the User-Agent of the requests.
func WithUserAgent(name string) Option { return func(s *settings) { s.userAgent = name } }

// WithStreamTimeout sets how long the server may be silent in a log stream or
// watch before the connection counts as broken, a minute by default. It is longer
// than the time between two of the server's heartbeats, 15 s by default; three of
// them at least.
func WithStreamTimeout(d time.Duration) Option { return func(s *settings) { s.streamTimeout = d } }

// WithMaxAnswerBytes sets how large an answer may be, 256 MiB by default: a
// larger one is an error. Streams have no limit but that of one event, 16 MiB.
func WithMaxAnswerBytes(n int64) Option { return func(s *settings) { s.maxAnswer = n } }

// check refuses settings that cannot work. It never shows the token.
func (s settings) check() hosting.FieldErrors {
	var wrong hosting.FieldErrors
	require := func(ok bool, option string, value any, allowed string) {
		if !ok {
			wrong = append(wrong, hosting.FieldError{Field: option, Value: value, Allowed: allowed})
		}
	}
	require(isHeaderText(s.token()), "WithToken", "(hidden)", "printable ASCII without spaces")
	require(s.retries >= 0 && s.retries <= maxRetries, "WithRetries", s.retries, "0 to 100")
	require(isHeaderText(strings.ReplaceAll(s.userAgent, " ", "")), "WithUserAgent", s.userAgent, "printable ASCII")
	require(s.streamTimeout > 0, "WithStreamTimeout", s.streamTimeout, "more than 0")
	require(s.maxAnswer > 0, "WithMaxAnswerBytes", s.maxAnswer, "more than 0")
	return wrong
}

const maxRetries = 100

func isHeaderText(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
