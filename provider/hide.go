package provider

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// told is an error that is told in other words.
type told struct {
	text string
	err  error
}

func (t told) Error() string { return t.text }

func (t told) Unwrap() error { return t.err }

// hide returns err, which is about n, with the variables in n instead of what
// they hold, since that may be a secret. What is allowed is left as it is: it is the program's own words.
func hide(err error, n *node, lookup func(string) (string, bool)) error {
	replaced := n.expansions(lookup)
	if len(replaced) == 0 {
		return err
	}
	given, allowed := err.Error(), ""
	if i := strings.LastIndex(given, ": allowed:"); i >= 0 {
		given, allowed = given[:i], given[i:]
	}
	before := given
	given = replaceWords(given, replaced)
	// What was read as a number or a time is told in a form of its own.
	if given == before && n.kind == aScalar && number.MatchString(given) {
		given = fmt.Sprintf("%.80q", n.text)
	}
	if given == before {
		return err
	}
	return told{given + allowed, err}
}

var number = regexp.MustCompile(`^-?[0-9][-+.0-9a-zµ]*$`)

// expansions returns the values in n that are made of variables, and those of
// the variables themselves, by what stands for them in the file.
func (n *node) expansions(lookup func(string) (string, bool)) map[string]string {
	found := map[string]string{}
	for scalar := range n.scalars {
		text, expanded, _ := expand(scalar.text, func(name string) (string, bool) {
			value, set := lookup(name)
			found[value] = "${" + name + "}"
			return value, set
		})
		if expanded {
			found[text] = scalar.text
		}
	}
	delete(found, "")
	return found
}

// scalars yields the single values in n.
func (n *node) scalars(yield func(*node) bool) {
	var walk func(n *node) bool
	walk = func(n *node) bool {
		if n.kind == aScalar && !yield(n) {
			return false
		}
		for _, e := range n.entries {
			if !walk(e.value) {
				return false
			}
		}
		for _, item := range n.items {
			if !walk(item) {
				return false
			}
		}
		return true
	}
	walk(n)
}

// replaceWords replaces words in text, quoted or not, where they are not a part
// of longer ones. Where several fit, the longest does.
func replaceWords(text string, by map[string]string) string {
	forms := maps.Clone(by)
	for word, other := range by {
		forms[fmt.Sprintf("%.80q", word)] = fmt.Sprintf("%.80q", other)
	}
	longest := slices.SortedFunc(maps.Keys(forms), func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	var out strings.Builder
	for at := 0; at < len(text); {
		i := slices.IndexFunc(longest, func(word string) bool { return isWord(text, at, word) })
		if i < 0 {
			out.WriteByte(text[at])
			at++
			continue
		}
		out.WriteString(forms[longest[i]])
		at += len(longest[i])
	}
	return out.String()
}

// isWord tells whether word stands in text at a place, and goes no further to
// either side.
func isWord(text string, at int, word string) bool {
	if !strings.HasPrefix(text[at:], word) {
		return false
	}
	before, _ := utf8.DecodeLastRuneInString(text[:at])
	first, _ := utf8.DecodeRuneInString(word)
	last, _ := utf8.DecodeLastRuneInString(word)
	after, _ := utf8.DecodeRuneInString(text[at+len(word):])
	return !(inWord(before) && inWord(first)) && !(inWord(last) && inWord(after))
}

func inWord(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }
