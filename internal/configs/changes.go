package configs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"skillcenter.io/hosting"
)

// Change is one difference between two configurations.
type Change struct {
	// Field is the JSON path of the field, such as "container.image" or
	// "labels[team]".
	Field string
	// What tells before and after, for people. Of variables it does not.
	What string
}

// String returns the change as a line.
func (c Change) String() string { return c.Field + ": " + c.What }

// Changes returns the fields in which two canonical configurations differ,
// sorted. Secrets are not in a canonical configuration: compare them with
// [SecretChanges].
func Changes(before, after hosting.CloudHostingConfig) []Change {
	changes := compare("", tree(before), tree(after))
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Field, b.Field) })
	return changes
}

// SecretChanges returns the names in which two sets of secrets differ, sorted.
func SecretChanges(before, after hosting.SecretMap) []Change {
	changes := compare("secretEnv", anyMap(before), anyMap(after))
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Field, b.Field) })
	return changes
}

func anyMap(m map[string]string) map[string]any {
	result := make(map[string]any, len(m))
	for key, value := range m {
		result[key] = value
	}
	return result
}

// tree returns a configuration as its JSON has it.
func tree(config hosting.CloudHostingConfig) map[string]any {
	result := map[string]any{}
	for name, data := range fields(config) {
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber() // a float64 does not hold all sizes
		var value any
		if err := decoder.Decode(&value); err != nil {
			panic(fmt.Sprintf("a configuration's own JSON is not one: %v", err))
		}
		result[name] = value
	}
	return result
}

// keyed are the fields whose parts are named by the caller; hidden those that
// hold variables.
var (
	keyed  = []string{"labels", "annotations", "env", "container.env", "secretEnv"}
	hidden = []string{"env", "container.env", "secretEnv"}
)

// compare returns the differences of two objects at a path.
func compare(path string, before, after map[string]any) []Change {
	names := map[string]any{}
	maps.Copy(names, before)
	maps.Copy(names, after)
	var changes []Change
	for name := range names {
		field := name
		switch {
		case slices.Contains(keyed, path):
			field = path + "[" + name + "]"
		case path != "":
			field = path + "." + name
		}
		old, was := before[name]
		now, is := after[name]
		oldObject, wasObject := old.(map[string]any)
		nowObject, isObject := now.(map[string]any)
		if (wasObject || isObject) && (wasObject || !was) && (isObject || !is) {
			changes = append(changes, compare(field, oldObject, nowObject)...)
			continue
		}
		oldText, nowText := text(old), text(now)
		switch shown := !slices.Contains(hidden, path); {
		case !was && shown:
			changes = append(changes, Change{field, shorten(nowText) + " is new"})
		case !was:
			changes = append(changes, Change{field, "is new"})
		case !is:
			changes = append(changes, Change{field, "is removed"})
		case oldText == nowText:
		case shown:
			changes = append(changes, Change{field, shorten(oldText) + " becomes " + shorten(nowText)})
		default:
			changes = append(changes, Change{field, "has another value"})
		}
	}
	return changes
}

// text returns a value that is no object, such as a number or a list.
func text(value any) string {
	if s, ok := value.(string); ok {
		return s
	}
	data, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("what was JSON is none: %v", err))
	}
	return string(data)
}

// shorten keeps a line readable: on one line, and not too long.
func shorten(text string) string {
	const limit = 100
	if strings.ContainsAny(text, "\r\n") {
		text = fmt.Sprintf("%q", text)
	}
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit]) + "..."
	}
	return text
}
