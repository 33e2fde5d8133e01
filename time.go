package hosting

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Time is a moment in UTC with the protocol's precision of one millisecond.
// In JSON it is the number of milliseconds since 1970-01-01T00:00:00Z.
//
// The zero Time means "not set" and is 0 in JSON; the moment 1970 began cannot
// be told from it. Times are comparable with ==.
type Time struct{ ms int64 }

// NewTime returns t cut down to whole milliseconds, towards the past. The
// zero time.Time becomes the zero Time.
func NewTime(t time.Time) Time {
	if t.IsZero() {
		return Time{}
	}
	return Time{t.UnixMilli()}
}

// TimeFromMillis returns the moment ms milliseconds after 1970 began.
func TimeFromMillis(ms int64) Time { return Time{ms} }

// Now returns the present moment, cut down to whole milliseconds.
func Now() Time { return NewTime(time.Now()) }

// Millis returns the number of milliseconds since 1970 began.
func (t Time) Millis() int64 { return t.ms }

// Std returns t as a time.Time in UTC; the zero Time becomes the zero time.Time.
func (t Time) Std() time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.ms).UTC()
}

// IsZero tells whether t is not set.
func (t Time) IsZero() bool { return t.ms == 0 }

// Add returns the moment d after t, cut down to whole milliseconds towards the
// past. The result of a zero Time is a moment in 1970.
func (t Time) Add(d time.Duration) Time {
	ms := d.Milliseconds()
	if d < 0 && d%time.Millisecond != 0 {
		ms--
	}
	return Time{t.ms + ms}
}

// Sub returns how long after u t is; beyond what a time.Duration holds (292
// years) it is the longest one there is.
func (t Time) Sub(u Time) time.Duration { return time.UnixMilli(t.ms).Sub(time.UnixMilli(u.ms)) }

// Before tells whether t is earlier than u.
func (t Time) Before(u Time) bool { return t.ms < u.ms }

// After tells whether t is later than u.
func (t Time) After(u Time) bool { return t.ms > u.ms }

// Equal tells whether t and u are the same moment.
func (t Time) Equal(u Time) bool { return t == u }

// Compare returns -1, 0 or 1 as t is before, equal to or after u.
func (t Time) Compare(u Time) int {
	switch {
	case t.ms < u.ms:
		return -1
	case t.ms > u.ms:
		return 1
	}
	return 0
}

// String returns t as RFC 3339 with milliseconds, or "" if it is not set.
func (t Time) String() string {
	if t.IsZero() {
		return ""
	}
	return t.Std().Format("2006-01-02T15:04:05.000Z07:00")
}

// MarshalJSON writes the milliseconds since 1970 began.
func (t Time) MarshalJSON() ([]byte, error) {
	return strconv.AppendInt(nil, t.ms, 10), nil
}

// UnmarshalJSON reads a whole number of milliseconds; null leaves t as it is.
func (t *Time) UnmarshalJSON(data []byte) error {
	ms, ok, err := parseMillis("time", data)
	if ok {
		t.ms = ms
	}
	return err
}

// Duration is a length of time. In JSON it is a whole number of milliseconds;
// what is below a millisecond is cut off when it is written.
type Duration time.Duration

// Std returns d as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String returns d as time.Duration does, such as "1m30s".
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalJSON writes whole milliseconds.
func (d Duration) MarshalJSON() ([]byte, error) {
	return strconv.AppendInt(nil, time.Duration(d).Milliseconds(), 10), nil
}

// UnmarshalJSON reads a whole number of milliseconds; null leaves d as it is.
func (d *Duration) UnmarshalJSON(data []byte) error {
	ms, ok, err := parseMillis("duration", data)
	if err != nil || !ok {
		return err
	}
	const limit = math.MaxInt64 / int64(time.Millisecond)
	if ms > limit || ms < -limit {
		return fmt.Errorf("duration %d: allowed are up to %d milliseconds either way", ms, limit)
	}
	*d = Duration(ms) * Duration(time.Millisecond)
	return nil
}

// parseMillis reads a JSON integer. It reports false for null.
func parseMillis(what string, data []byte) (ms int64, ok bool, err error) {
	if bytes.Equal(data, []byte("null")) {
		return 0, false, nil
	}
	if err := json.Unmarshal(data, &ms); err != nil {
		return 0, false, fmt.Errorf("%s %s: want a whole number of milliseconds", what, data)
	}
	return ms, true, nil
}
