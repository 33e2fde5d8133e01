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
	klogLine   = regexp.MustCompile(`^[IWEF]\d{4} \d{2}:\d{2}:\d{2}\.\d{6} `)
	klogLevels = map[string]string{"I": "info", "W": "warn", "E": "error", "F": "fatal"}
	// logfmtLine is a line that begins with a pair, maybe behind a timestamp,
	// so that prose with "level=debug" in it is not taken for logfmt.
	logfmtLine = regexp.MustCompile(`^` + timestamp + `[\w.-]+=`)
	logfmtPair = regexp.MustCompile(`(?:^|\s)(?:level|lvl|severity|loglevel)="?([A-Za-z]+)"?(?:\s|$)`)
)

const (
	// timestamp is optional. It begins with a digit, and a T in it stands
	// before a digit: the T of "TRACE" is not part of it. behindTimestamp skips
	// the same.
	timestamp = `(?:[\[(]?\d(?:[-\d:.,/+ |]|T\d|Z\b)*[\])]?\s*)?`
	// lineHead is how much of a line is looked at for anything but JSON.
	lineHead = 512
)

// Level returns the level that a line tells, one of hosting.LogLevels, or "".
// It reads JSON objects, logfmt, klog and plain prefixes such as "[WARN]",
// "ERROR:" or "2026-01-02 03:04:05 INFO".
//
// It is called for every line of a log, most of which are plain text, so it
// asks a regular expression only about a line that looks like klog or logfmt.
func Level(line string) string {
	trimmed := strings.TrimLeft(line, " \t")
	if strings.HasPrefix(trimmed, "{") {
		return jsonLevel(trimmed)
	}
	if trimmed != "" && klogLevels[trimmed[:1]] != "" && klogLine.MatchString(trimmed) {
		return klogLevels[trimmed[:1]]
	}
	head := trimmed[:min(len(trimmed), lineHead)]
	if level := names[strings.ToLower(plainPrefix(behindTimestamp(head)))]; level != "" {
		return level
	}
	if !strings.Contains(head, "=") {
		return ""
	}
	if match := logfmtPair.FindStringSubmatch(head); match != nil && logfmtLine.MatchString(head) {
		return names[strings.ToLower(match[1])]
	}
	return ""
}

// behindTimestamp returns a line without its timestamp.
func behindTimestamp(line string) string {
	rest := line
	if rest != "" && strings.Contains("[(", rest[:1]) {
		rest = rest[1:]
	}
	if rest == "" || !isDigit(rest[0]) {
		return line
	}
	i := 1
	for ; i < len(rest); i++ {
		inside := isDigit(rest[i]) || strings.IndexByte("-:.,/+ |", rest[i]) >= 0 ||
			rest[i] == 'T' && i+1 < len(rest) && isDigit(rest[i+1]) ||
			rest[i] == 'Z' && (i+1 == len(rest) || !isWord(rest[i+1]))
		if !inside {
			break
		}
	}
	rest = rest[i:]
	if rest != "" && strings.Contains("])", rest[:1]) {
		rest = rest[1:]
	}
	return strings.TrimLeft(rest, space)
}

// plainPrefix returns the word that a line begins with if it is written as a
// level is: upper-case or set off by brackets or a colon. Prose may begin with
// such a word as well.
func plainPrefix(line string) string {
	if inner, found := strings.CutPrefix(line, "["); found {
		word, rest := cutLetters(strings.TrimLeft(inner, space))
		if strings.HasPrefix(strings.TrimLeft(rest, space), "]") {
			return word
		}
		return ""
	}
	word, rest := cutLetters(line)
	upper := word == strings.ToUpper(word)
	if strings.HasPrefix(rest, ":") || upper && (rest == "" || strings.Contains(space+"|]", rest[:1])) {
		return word
	}
	return ""
}

// space is what a regular expression takes for space.
const space = " \t\n\f\r"

func cutLetters(text string) (letters, rest string) {
	i := 0
	for i < len(text) && isLetter(text[i]) {
		i++
	}
	return text[:i], text[i:]
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func isWord(c byte) bool { return isDigit(c) || isLetter(c) || c == '_' }

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
