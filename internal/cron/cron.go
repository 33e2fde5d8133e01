// Package cron reads cron expressions and finds the times they name. It reads
// what Kubernetes reads in a CronJob: five fields (minute, hour, day of month,
// month, day of week) with lists, ranges, steps and names, or one of @yearly,
// @annually, @monthly, @weekly, @daily, @midnight and @hourly.
//
// It is our own because the root package, which validates schedules, imports
// the standard library only.
package cron

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Schedule is a parsed expression. Each field is a set of bits.
type Schedule struct {
	minute, hour, day, month, weekday uint64
	// anyDay and anyWeekday tell that the field is a star, with a step of at
	// most 1: a day must then match the other field alone. When neither is, one
	// match is enough.
	anyDay, anyWeekday bool
}

var macros = map[string]string{
	"@yearly":   "0 0 1 1 *",
	"@annually": "0 0 1 1 *",
	"@monthly":  "0 0 1 * *",
	"@weekly":   "0 0 * * 0",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *",
	"@hourly":   "0 * * * *",
}

type field struct {
	name     string
	min, max int
	names    []string // names[i] stands for min+i
}

var fields = [5]field{
	{name: "minute", min: 0, max: 59},
	{name: "hour", min: 0, max: 23},
	{name: "day of month", min: 1, max: 31},
	{name: "month", min: 1, max: 12, names: []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{name: "day of week", min: 0, max: 6, names: []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

// Parse reads an expression. The error names the field and what is allowed.
func Parse(text string) (Schedule, error) {
	if strings.HasPrefix(text, "@") {
		expanded, ok := macros[text]
		if !ok {
			return Schedule{}, fmt.Errorf("%q: want @yearly, @annually, @monthly, @weekly, @daily, @midnight or @hourly", text)
		}
		text = expanded
	}
	parts := strings.Fields(text)
	if len(parts) != len(fields) {
		return Schedule{}, fmt.Errorf("%q: want five fields: minute, hour, day of month, month, day of week", text)
	}
	var sets [5]uint64
	for i, part := range parts {
		set, err := fields[i].parse(part)
		if err != nil {
			return Schedule{}, err
		}
		sets[i] = set
	}
	return Schedule{
		minute: sets[0], hour: sets[1], day: sets[2], month: sets[3], weekday: sets[4],
		anyDay: isStar(parts[2]), anyWeekday: isStar(parts[4]),
	}, nil
}

// isStar tells whether a field, or an item of its list, leaves everything open.
// A star with a larger step does not: it selects.
func isStar(part string) bool {
	for item := range strings.SplitSeq(part, ",") {
		body, step, hasStep := strings.Cut(item, "/")
		if n, _ := strconv.Atoi(step); (body == "*" || body == "?") && (!hasStep || n == 1) {
			return true
		}
	}
	return false
}

func (f field) parse(text string) (set uint64, err error) {
	for item := range strings.SplitSeq(text, ",") {
		body, stepText, hasStep := strings.Cut(item, "/")
		low, high, err := f.span(body, hasStep)
		if err != nil {
			return 0, err
		}
		step := 1
		if hasStep {
			if step, err = strconv.Atoi(stepText); err != nil || step < 1 || !isDigits(stepText) {
				return 0, fmt.Errorf("%s %q: the step must be a whole number from 1", f.name, item)
			}
		}
		for v := low; v <= high; v += min(step, f.max+1) {
			set |= 1 << v
		}
	}
	return set, nil
}

// span returns the range that an item without its step names. A single number
// with a step reaches to the end of the field.
func (f field) span(body string, hasStep bool) (low, high int, err error) {
	if body == "*" || body == "?" {
		return f.min, f.max, nil
	}
	lowText, highText, isRange := strings.Cut(body, "-")
	if low, err = f.number(lowText); err != nil {
		return 0, 0, err
	}
	switch {
	case isRange:
		if high, err = f.number(highText); err != nil {
			return 0, 0, err
		}
		if high < low {
			return 0, 0, fmt.Errorf("%s %q: the range runs backwards", f.name, body)
		}
	case hasStep:
		high = f.max
	default:
		high = low
	}
	return low, high, nil
}

func (f field) number(text string) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(text, name) {
			return f.min + i, nil
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < f.min || n > f.max || !isDigits(text) {
		return 0, fmt.Errorf("%s %q: want %d to %d", f.name, text, f.min, f.max)
	}
	return n, nil
}

func isDigits(text string) bool { return strings.Trim(text, "0123456789") == "" }

// searchYears is how far Next looks. The rarest date there is, 29 February on
// one weekday alone, cannot be asked for (either field matches), so a leap day
// is at most eight years away.
const searchYears = 9

// Next returns the first time after t that matches, or the zero time if there
// is none, as for 30 February. Schedules are in UTC, whatever the location of
// t, so there is no hour that a clock change leaves out or repeats.
func (s Schedule) Next(t time.Time) time.Time {
	t = t.UTC().Truncate(time.Minute).Add(time.Minute)
	for limit := t.AddDate(searchYears, 0, 0); t.Before(limit); {
		year, month, day := t.Date()
		switch {
		case !has(s.month, int(month)):
			t = time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC)
		case !s.matchesDay(t):
			t = time.Date(year, month, day+1, 0, 0, 0, 0, time.UTC)
		case !has(s.hour, t.Hour()):
			t = t.Truncate(time.Hour).Add(time.Hour)
		case !has(s.minute, t.Minute()):
			t = t.Add(time.Minute)
		default:
			return t
		}
	}
	return time.Time{}
}

func (s Schedule) matchesDay(t time.Time) bool {
	day, weekday := has(s.day, t.Day()), has(s.weekday, int(t.Weekday()))
	if s.anyDay || s.anyWeekday {
		return day && weekday
	}
	return day || weekday
}

func has(set uint64, bit int) bool { return set&(1<<bit) != 0 }
