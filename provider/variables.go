package provider

import (
	"fmt"
	"regexp"
	"strings"
)

var variable = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)(:[^}]*)?\}`)

// expand puts the values of variables into text: ${NAME}, or ${NAME:default}
// for one that may be unset; $${ is the text ${. It reports whether there were
// any. The values are text and nothing more: variables in them are not looked at.
func expand(text string, lookup func(string) (string, bool)) (result string, expanded bool, err error) {
	if !strings.Contains(text, "${") {
		return text, false, nil
	}
	var out strings.Builder
	for rest := text; rest != ""; {
		if after, escaped := strings.CutPrefix(rest, "$${"); escaped {
			out.WriteString("${")
			rest = after
			continue
		}
		if !strings.HasPrefix(rest, "${") {
			out.WriteByte(rest[0])
			rest = rest[1:]
			continue
		}
		parts := variable.FindStringSubmatch(rest)
		if parts == nil || strings.Contains(parts[2], "${") {
			return "", false, fmt.Errorf("%.80q: allowed: ${NAME} or ${NAME:default}, of letters, digits and _, without another variable in it; $${ for the text itself", rest)
		}
		value, set := lookup(parts[1])
		switch {
		case set:
			out.WriteString(value)
		case parts[2] != "":
			out.WriteString(parts[2][1:])
		default:
			return "", false, fmt.Errorf("variable %s is not set: allowed: to set it, or ${%s:default}", parts[1], parts[1])
		}
		expanded, rest = true, rest[len(parts[0]):]
	}
	return out.String(), expanded, nil
}
