package loglines

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

func TestFilterMatch(t *testing.T) {
	t.Parallel()
	at := hosting.TimeFromMillis
	for name, test := range map[string]struct {
		options hosting.LogQueryOptions
		entry   hosting.LogEntry
		want    bool
	}{
		"no options select everything":         {hosting.LogQueryOptions{}, hosting.LogEntry{}, true},
		"the start is inclusive":               {hosting.LogQueryOptions{StartTime: at(5)}, hosting.LogEntry{Timestamp: at(5)}, true},
		"before the start":                     {hosting.LogQueryOptions{StartTime: at(5)}, hosting.LogEntry{Timestamp: at(4)}, false},
		"the end is exclusive":                 {hosting.LogQueryOptions{EndTime: at(5)}, hosting.LogEntry{Timestamp: at(5)}, false},
		"before the end":                       {hosting.LogQueryOptions{EndTime: at(5)}, hosting.LogEntry{Timestamp: at(4)}, true},
		"an empty period":                      {hosting.LogQueryOptions{StartTime: at(5), EndTime: at(5)}, hosting.LogEntry{Timestamp: at(5)}, false},
		"the level itself":                     {hosting.LogQueryOptions{Level: "warn"}, hosting.LogEntry{Level: "warn"}, true},
		"a more severe level":                  {hosting.LogQueryOptions{Level: "warn"}, hosting.LogEntry{Level: "fatal"}, true},
		"a less severe level":                  {hosting.LogQueryOptions{Level: "warn"}, hosting.LogEntry{Level: "info"}, false},
		"an entry without a level is left out": {hosting.LogQueryOptions{Level: "trace"}, hosting.LogEntry{}, false},
		"an entry without a level, none asked": {hosting.LogQueryOptions{}, hosting.LogEntry{Message: "x"}, true},
		"a pattern matches anywhere":           {hosting.LogQueryOptions{Pattern: "b+"}, hosting.LogEntry{Message: "abba"}, true},
		"a pattern that does not match":        {hosting.LogQueryOptions{Pattern: "^b"}, hosting.LogEntry{Message: "abba"}, false},
		"all conditions together":              {hosting.LogQueryOptions{StartTime: at(1), EndTime: at(9), Level: "info", Pattern: "x"}, hosting.LogEntry{Timestamp: at(5), Level: "error", Message: "x"}, true},
		"limit, follow and after play no part": {hosting.LogQueryOptions{Limit: 1, Follow: true, After: "x"}, hosting.LogEntry{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			filter, err := NewFilter(test.options)
			require.NoError(t, err)
			assert.Equal(t, test.want, filter.Match(test.entry))
		})
	}
}

func TestNewFilterRefusesOptionsThatAreNotValid(t *testing.T) {
	t.Parallel()
	filter, err := NewFilter(hosting.LogQueryOptions{Pattern: "(", Limit: -1})
	var fields hosting.FieldErrors
	require.ErrorAs(t, err, &fields)
	assert.Len(t, fields, 2)
	assert.Nil(t, filter)
}

func TestFilterTellsHowManyLinesToRead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options hosting.LogQueryOptions
		limit   int
		content bool
	}{
		"by default":     {hosting.LogQueryOptions{}, hosting.DefaultLogLimit, false},
		"with a limit":   {hosting.LogQueryOptions{Limit: 5}, 5, false},
		"with a time":    {hosting.LogQueryOptions{StartTime: hosting.TimeFromMillis(1)}, hosting.DefaultLogLimit, false},
		"with a level":   {hosting.LogQueryOptions{Level: "trace"}, hosting.DefaultLogLimit, true},
		"with a pattern": {hosting.LogQueryOptions{Pattern: "x"}, hosting.DefaultLogLimit, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			filter, err := NewFilter(test.options)
			require.NoError(t, err)
			assert.Equal(t, test.limit, filter.Limit())
			assert.Equal(t, test.content, filter.SelectsContent())
		})
	}
}
