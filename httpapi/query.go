package httpapi

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"skillcenter.io/hosting"
)

// param returns a parameter of the query, "" without it. More than one of its
// name is a mistake.
func (q *request) param(name string) string {
	q.known = append(q.known, name)
	values := q.values()[name]
	if len(values) > 1 {
		q.mistake("query parameter %s: it is given %d times: allowed: once", name, len(values))
	}
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// values returns the query.
func (q *request) values() url.Values {
	if q.query == nil {
		values, err := url.ParseQuery(q.r.URL.RawQuery)
		if err != nil {
			q.mistake("the query cannot be read: %w", err)
		}
		q.query = values
	}
	return q.query
}

// checkQuery notes parameters that the route does not have.
func (q *request) checkQuery() {
	for _, name := range slices.Sorted(maps.Keys(q.values())) {
		if !slices.Contains(q.known, name) {
			q.mistake("query parameter %.80q: allowed: %s", name, orNone(q.known))
		}
	}
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// number reads a whole number from low to high; without it, it is other.
func (q *request) number(name string, low, high, other int) int {
	text := q.param(name)
	if text == "" {
		return other
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		q.mistake("query parameter %s: %.80q: allowed: a whole number from %d to %d", name, text, low, high)
		return other
	}
	return n
}

// flag reads true or false; without it, it is false.
func (q *request) flag(name string) bool {
	switch text := q.param(name); text {
	case "", "false":
		return false
	case "true":
		return true
	default:
		q.mistake("query parameter %s: %.80q: allowed: true, false", name, text)
		return false
	}
}

// time reads a moment in milliseconds since 1970; without it, it is zero.
func (q *request) time(name string) hosting.Time {
	text := q.param(name)
	if text == "" {
		return hosting.Time{}
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		q.mistake("query parameter %s: %.80q: allowed: milliseconds since 1970 in UTC, a whole number", name, text)
	}
	return hosting.TimeFromMillis(ms)
}
