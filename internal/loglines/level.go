package loglines

import (
	"encoding/json"
	"regexp"
	"strings"
)

// names maps what programs write to the protocol's levels.
var names = map[string]string{
	"trace": "trace", "trc": "trace",
	"debug": "debug", "dbg": "debug", "verbose": "debug",
	"info": "info", "inf": "info", "information": "info", "notice": "info",
	"warn": "warn", "warning": "warn", "wrn": "warn",
	"error": "error", "err": "error", "eror": "error", "severe": "error",
	"fatal": "fatal", "ftl": "fatal", "critical": "fatal", "crit": "fatal", "panic": "fatal",
	"alert": "fatal", "emerg": "fatal", "emergency": "fatal",
}

var (
	klogLine   = regexp.MustCompile(`^([IWEF])\d{4} \d{2}:\d{2}:\d{2}\.\d{6} `)
	klogLevels = map[string]string{"I": "info", "W": "warn", "E": "error", "F": "fatal"}
	// logfmtLine is a line that begins with a pair, maybe behind a timestamp,
	// so that prose with "level=debug" in it is not taken for logfmt.
	logfmtLine = regexp.MustCompile(`^` + timestamp + `[\w.-]+=`)
	logfmtPair = regexp.MustCompile(`(?:^|\s)(?:level|lvl|severity|loglevel)="?([A-Za-z]+)"?(?:\s|$)`)
	// plainPrefix is a level at the start of a line or behind a timestamp:
	// upper-case or set off by brackets or a colon, so that prose that happens
	// to begin with such a word is not taken for a level.
	plainPrefix = regexp.MustCompile(`^` + timestamp + `(?:\[\s*([A-Za-z]+)\s*\]|([A-Z]+)(?:[\s:|\]]|$)|([A-Za-z]+):)`)
)

const (
	// timestamp is optional. It begins with a digit, and a T in it stands
	// before a digit: the T of "TRACE" is not part of it.
	timestamp = `(?:[\[(]?\d(?:[-\d:.,/+ |]|T\d|Z\b)*[\])]?\s*)?`
	// lineHead is how much of a line is looked at for anything but JSON.
	lineHead = 512
)

// Level returns the level that a line tells, one of hosting.LogLevels, or "".
// It reads JSON objects, logfmt, klog and plain prefixes such as "[WARN]",
// "ERROR:" or "2026-01-02 03:04:05 INFO".
func Level(line string) string {
	trimmed := strings.TrimLeft(line, " \t")
	if strings.HasPrefix(trimmed, "{") {
		return jsonLevel(trimmed)
	}
	if match := klogLine.FindStringSubmatch(trimmed); match != nil {
		return klogLevels[match[1]]
	}
	head := trimmed[:min(len(trimmed), lineHead)]
	if match := plainPrefix.FindStringSubmatch(head); match != nil {
		for _, word := range match[1:] {
			if level := names[strings.ToLower(word)]; level != "" {
				return level
			}
		}
	}
	if match := logfmtPair.FindStringSubmatch(head); match != nil && logfmtLine.MatchString(head) {
		return names[strings.ToLower(match[1])]
	}
	return ""
}

// jsonLevel reads the usual fields; numbers are those of pino and bunyan.
func jsonLevel(line string) string {
	var fields struct {
		Level    any `json:"level"`
		Lvl      any `json:"lvl"`
		Severity any `json:"severity"`
		LogLevel any `json:"log.level"`
	}
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		return ""
	}
	for _, value := range []any{fields.Level, fields.Severity, fields.Lvl, fields.LogLevel} {
		switch v := value.(type) {
		case string:
			if level := names[strings.ToLower(v)]; level != "" {
				return level
			}
		case float64:
			if level := numericLevel(v); level != "" {
				return level
			}
		}
	}
	return ""
}

func numericLevel(n float64) string {
	switch {
	case n < 10 || n >= 70:
		return ""
	case n < 20:
		return "trace"
	case n < 30:
		return "debug"
	case n < 40:
		return "info"
	case n < 50:
		return "warn"
	case n < 60:
		return "error"
	}
	return "fatal"
}
