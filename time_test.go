package hosting_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

func TestNewTimeCutsDownToMillisecondsTowardsThePast(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		at   time.Time
		want int64
	}{
		"after 1970":        {time.Date(2026, 1, 2, 3, 4, 5, 678_999_999, time.UTC), 1_767_323_045_678},
		"another time zone": {time.Date(2026, 1, 2, 4, 4, 5, 678_000_000, time.FixedZone("", 3600)), 1_767_323_045_678},
		"before 1970":       {time.Unix(0, -1), -1},
		"the zero time":     {time.Time{}, 0},
		"1970 itself":       {time.Unix(0, 999_999), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := hosting.NewTime(test.at)
			assert.Equal(t, test.want, got.Millis())
			assert.Equal(t, hosting.TimeFromMillis(test.want), got)
			assert.Equal(t, got, hosting.NewTime(got.Std()), "Std and NewTime are inverse")
		})
	}
}

func TestTheZeroTimeIsNotSet(t *testing.T) {
	t.Parallel()
	var zero hosting.Time
	assert.True(t, zero.IsZero())
	assert.True(t, zero.Std().IsZero())
	assert.Empty(t, zero.String())
	data, err := json.Marshal(zero)
	require.NoError(t, err)
	assert.Equal(t, "0", string(data))
	require.NoError(t, json.Unmarshal(data, &zero))
	assert.True(t, zero.IsZero())
}

func TestTimeIsInUTC(t *testing.T) {
	t.Parallel()
	at := hosting.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 60_000_000, time.FixedZone("", -3600)))
	assert.Equal(t, time.UTC, at.Std().Location())
	assert.Equal(t, "2026-01-02T04:04:05.060Z", at.String())
}

func TestTimesCompare(t *testing.T) {
	t.Parallel()
	early, late := hosting.TimeFromMillis(-1), hosting.TimeFromMillis(1)
	assert.True(t, early.Before(late))
	assert.False(t, late.Before(early))
	assert.True(t, late.After(early))
	assert.False(t, early.After(early))
	assert.True(t, early.Equal(hosting.TimeFromMillis(-1)))
	assert.Equal(t, -1, early.Compare(late))
	assert.Equal(t, 0, late.Compare(late))
	assert.Equal(t, 1, late.Compare(early))
}

func TestNowIsThePresent(t *testing.T) {
	t.Parallel()
	before := hosting.NewTime(time.Now())
	now := hosting.Now()
	assert.False(t, now.Before(before))
	assert.False(t, now.After(hosting.NewTime(time.Now())))
}

func TestTimesAreAddedAndSubtractedInWholeMilliseconds(t *testing.T) {
	t.Parallel()
	at := hosting.TimeFromMillis(1000)
	for d, want := range map[time.Duration]int64{
		0: 1000, time.Second: 2000, -time.Second: 0, 1999 * time.Microsecond: 1001, -time.Nanosecond: 999, -time.Millisecond: 999, -1001 * time.Microsecond: 998,
	} {
		assert.Equal(t, want, at.Add(d).Millis(), d)
		assert.Equal(t, hosting.NewTime(time.UnixMilli(1000).Add(d)), at.Add(d), "as time.Time adds")
	}
	assert.Equal(t, 500*time.Millisecond, at.Sub(hosting.TimeFromMillis(500)))
	assert.Equal(t, -time.Second, hosting.Time{}.Sub(at))
	assert.Equal(t, time.Duration(math.MaxInt64), hosting.TimeFromMillis(math.MaxInt64/2).Sub(at), "the longest there is")
}

func TestTimeReadsWholeMilliseconds(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0": 0, "1767322445678": 1_767_322_445_678, "-5": -5, "9223372036854775807": math.MaxInt64} {
		var got hosting.Time
		require.NoError(t, json.Unmarshal([]byte(text), &got), text)
		assert.Equal(t, want, got.Millis())
	}
	for _, text := range []string{`1.5`, `"2026-01-02T03:04:05Z"`, `true`, `{}`, `[1]`, `9223372036854775808`, `1e3`} {
		var got hosting.Time
		require.ErrorContains(t, json.Unmarshal([]byte(text), &got), "want a whole number of milliseconds", text)
	}
}

func TestNullLeavesTimeAndDurationAsTheyAre(t *testing.T) {
	t.Parallel()
	at, length := hosting.TimeFromMillis(5), hosting.Duration(time.Second)
	require.NoError(t, json.Unmarshal([]byte("null"), &at))
	require.NoError(t, json.Unmarshal([]byte("null"), &length))
	assert.Equal(t, hosting.TimeFromMillis(5), at)
	assert.Equal(t, hosting.Duration(time.Second), length)
}

func TestDurationIsWholeMillisecondsInJSON(t *testing.T) {
	t.Parallel()
	for text, length := range map[string]time.Duration{
		"0":      999 * time.Microsecond,
		"1":      1999 * time.Microsecond,
		"-1":     -1999 * time.Microsecond,
		"90000":  90 * time.Second,
		"604800": 604800 * time.Millisecond,
	} {
		data, err := json.Marshal(hosting.Duration(length))
		require.NoError(t, err)
		assert.Equal(t, text, string(data))
		var back hosting.Duration
		require.NoError(t, json.Unmarshal(data, &back))
		assert.Equal(t, length.Truncate(time.Millisecond), back.Std())
	}
}

func TestDurationRefusesWhatItCannotHold(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"9223372036855", "-9223372036855", "9223372036854775807"} {
		length := hosting.Duration(7)
		require.ErrorContains(t, json.Unmarshal([]byte(text), &length), "9223372036854 milliseconds either way")
		assert.Equal(t, hosting.Duration(7), length)
	}
	var length hosting.Duration
	require.NoError(t, json.Unmarshal([]byte("9223372036854"), &length))
	require.NoError(t, json.Unmarshal([]byte("-9223372036854"), &length))
	require.ErrorContains(t, json.Unmarshal([]byte(`"10s"`), &length), "want a whole number of milliseconds")
}

func TestDurationPrintsAsTheStandardLibraryDoes(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "1m30s", hosting.Duration(90*time.Second).String())
}
