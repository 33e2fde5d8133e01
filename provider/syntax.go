package provider

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

var (
	withLine      = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// syntaxError returns the line and the text of an error of the YAML library.
// The library counts the lines of its parser, which begin with this text, from
// 0, and leaves some out.
func syntaxError(err error, data []byte) (line int, text string) {
	parts := withLine.FindStringSubmatch(err.Error())
	if parts == nil {
		return 0, err.Error()
	}
	line, _ = strconv.Atoi(parts[1])
	text = parts[2]
	if anchor := unknownAnchor.FindStringSubmatch(text); anchor != nil {
		return lineOf(data, bytes.Index(data, []byte("*"+anchor[1]))), text
	}
	if line == 0 || strings.HasPrefix(text, "did not find expected") {
		line++
	}
	return min(line, lineOf(data, len(bytes.TrimRight(data, "\r\n")))), text
}

// lineOf returns the line of an offset, 0 if there is none.
func lineOf(data []byte, offset int) int {
	if offset < 0 {
		return 0
	}
	return bytes.Count(data[:offset], []byte("\n")) + 1
}

// badCharacter finds what YAML does not allow anywhere; the library tells of it
// without a line.
func badCharacter(data []byte) (line int, found bool) {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1,
			r < ' ' && r != '\t' && r != '\n' && r != '\r',
			r >= 0x7f && r < 0xa0 && r != 0x85,
			r == 0xfffe || r == 0xffff:
			return lineOf(data, i), true
		}
		i += size
	}
	return 0, false
}
