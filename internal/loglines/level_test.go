package loglines

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"skillcenter.io/hosting"
)

func TestLevel(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		// JSON
		`{"level":"info","msg":"x"}`:             "info",
		`{"level":"WARNING","msg":"x"}`:          "warn",
		`{"severity":"ERROR","message":"x"}`:     "error",
		`{"lvl":"dbg"}`:                          "debug",
		`{"Level":"Information"}`:                "info",
		`{"log.level":"error","@timestamp":"x"}`: "error",
		`  {"level":"trace"}`:                    "trace",
		`{"level":10}`:                           "trace",
		`{"level":20}`:                           "debug",
		`{"level":30,"time":1,"msg":"x"}`:        "info",
		`{"level":40}`:                           "warn",
		`{"level":50}`:                           "error",
		`{"level":60}`:                           "fatal",
		`{"level":800}`:                          "",
		`{"level":3,"severity":"error"}`:         "error",
		`{"level":"lost","severity":"error"}`:    "error",
		`{"level":null,"severity":"error"}`:      "error",
		`{"level":{"a":1}}`:                      "",
		`{"msg":"level=error ERROR: x"}`:         "",
		`{"level":"error"`:                       "",
		`{not JSON} ERROR: x`:                    "",
		// logfmt
		`time=2026-01-02T03:04:05Z level=warning msg="a b"`: "warn",
		`level=error`:                              "error",
		`ts=1 lvl=dbug`:                            "",
		`ts=1 caller=x.go:1 lvl=eror msg=x`:        "error",
		`2026-01-02T03:04:05Z severity="info" a=b`: "info",
		`msg="x" loglevel=Trace`:                   "trace",
		`level=infox`:                              "",
		// klog
		`I0102 03:04:05.123456       1 main.go:5] x`:      "info",
		`W0102 03:04:05.123456       1 main.go:5] x`:      "warn",
		`E0102 03:04:05.123456       1 main.go:5] INFO x`: "error",
		`F0102 03:04:05.123456       1 main.go:5] x`:      "fatal",
		`X0102 03:04:05.123456       1 main.go:5] x`:      "",
		// prefixes
		"[WARN] x":                        "warn",
		"[ info ] x":                      "info",
		"\t[error] x":                     "error",
		"ERROR: x":                        "error",
		"error: x":                        "error",
		"Warning: x":                      "warn",
		"INFO x":                          "info",
		"INFO:root:x":                     "info",
		"INFO:     Started":               "info",
		"TRACE x":                         "trace",
		"DEBUG":                           "debug",
		"NOTICE - x":                      "info",
		"panic: runtime error":            "fatal",
		"2026-01-02 03:04:05 INFO x":      "info",
		"2026-01-02 03:04:05,123 ERROR x": "error",
		"2026-01-02 03:04:05.123  WARN 1 --- [main]":     "warn",
		"2026-01-02 03:04:05 TRACE x":                    "trace",
		"2026-01-02T03:04:05Z [error] x":                 "error",
		"2026-01-02T03:04:05.678Z\tinfo: x":              "info",
		"2026-01-02T03:04:05+0100\tDEBUG\tx":             "debug",
		"2026/01/02 03:04:05 [error] 7#7: *1 x":          "error",
		"[2026-01-02 03:04:05] WARN: x":                  "warn",
		"[2026-01-02 03:04:05 INFO] x":                   "info",
		"2026-01-02 03:04:05.123 | INFO     | mod:1 - x": "info",
		"03:04:05 CRITICAL x":                            "fatal",
		// prose and other lines
		"":                                   "",
		"A: b":                               "",
		"Information desk":                   "",
		"Information about errors":           "",
		"Error connecting to x":              "",
		"Errors: none":                       "",
		"Warning signs ahead":                "",
		"no error":                           "",
		"info":                               "",
		"Listening on :8080":                 "",
		"ERROR-404 page":                     "",
		"INFORMATIONAL x":                    "",
		"please set level=debug to see more": "",
		"at line 5: error handling":          "",
		"GET /error HTTP/1.1":                "",
		"[main] x":                           "",
		"10 warnings":                        "",
		"\xff\xfe":                           "",
	} {
		assert.Equal(t, want, Level(line), "%q", line)
	}
}

func TestEveryNameIsALevelOfTheProtocol(t *testing.T) {
	t.Parallel()
	for name, level := range names {
		assert.Contains(t, hosting.LogLevels(), level, name)
		assert.Equal(t, strings.ToLower(name), name, "names are looked up in lower case")
	}
}

func FuzzLevel(f *testing.F) {
	for _, seed := range []string{
		"", "[WARN] x", "ERROR: x", "2026-01-02 03:04:05 INFO x", `{"level":30}`, `{"level":"x","severity":1e300}`, "level=info", "I0102 03:04:05.123456 1 x] y",
		"{", "[", "\xff", strings.Repeat("1", 600) + " INFO", "[2026T5Z] TRACE:", "TTT ERROR",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		level := Level(line)
		if level != "" && !slices.Contains(hosting.LogLevels(), level) {
			t.Errorf("%q has level %q", line, level)
		}
		if !strings.HasPrefix(strings.TrimLeft(line, " \t"), "{") {
			assert.Equal(t, level, Level(line+strings.Repeat("\n", lineHead)+"ERROR: x"), "only the head is looked at")
		}
	})
}
