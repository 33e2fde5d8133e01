// Package loglines reads the level of log lines and applies
// hosting.LogQueryOptions to entries, so that every provider filters alike.
package loglines

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"

	"skillcenter.io/hosting"
)

// Filter is a compiled hosting.LogQueryOptions.
type Filter struct {
	options  hosting.LogQueryOptions
	pattern  *regexp.Regexp
	minLevel int
}

// NewFilter compiles valid options. The error is hosting.FieldErrors.
func NewFilter(options hosting.LogQueryOptions) (*Filter, error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	f := &Filter{options: options, minLevel: slices.Index(hosting.LogLevels(), options.Level)}
	if options.Pattern != "" {
		pattern, err := regexp.Compile(options.Pattern)
		if err != nil {
			return nil, fmt.Errorf("pattern: %w", err)
		}
		f.pattern = pattern
	}
	return f, nil
}

// Limit is how many entries to return at most.
func (f *Filter) Limit() int { return cmp.Or(f.options.Limit, hosting.DefaultLogLimit) }

// SelectsContent tells whether entries may be left out for their level or
// message, so that more lines than Limit must be read to find enough.
func (f *Filter) SelectsContent() bool { return f.pattern != nil || f.minLevel >= 0 }

// Match tells whether an entry is selected. The limit and After are not its
// concern.
func (f *Filter) Match(entry hosting.LogEntry) bool {
	o := f.options
	if !o.StartTime.IsZero() && entry.Timestamp.Before(o.StartTime) {
		return false
	}
	if !o.EndTime.IsZero() && !entry.Timestamp.Before(o.EndTime) {
		return false
	}
	if f.minLevel >= 0 && slices.Index(hosting.LogLevels(), entry.Level) < f.minLevel {
		return false
	}
	return f.pattern == nil || f.pattern.MatchString(entry.Message)
}
