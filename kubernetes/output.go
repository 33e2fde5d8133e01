package kubernetes

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much of a container's output is shown when it has crashed.
const (
	maxOutputLines = 5
	maxOutputBytes = 1 << 10
)

// lastLines returns the end of a container's output: whole lines if they fit,
// and no control characters, which would act on a reader's terminal.
func lastLines(output string) string {
	output = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(output, "\uFFFD"))
	lines := strings.Split(strings.TrimSpace(output), "\n")
	lines = lines[max(0, len(lines)-maxOutputLines):]
	for len(lines) > 1 && len(strings.Join(lines, "\n")) > maxOutputBytes {
		lines = lines[1:]
	}
	return lastBytes(strings.Join(lines, "\n"), maxOutputBytes)
}

// lastBytes cuts a text at its beginning, between two characters.
func lastBytes(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const mark = "…"
	cut := len(text) - most + len(mark)
	for cut < len(text) && !utf8.RuneStart(text[cut]) {
		cut++
	}
	return mark + text[cut:]
}
