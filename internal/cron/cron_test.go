package cron

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const layout = "Mon 2006-01-02 15:04:05"

func TestNext(t *testing.T) {
	t.Parallel()
	// 1 January 2026 is a Thursday.
	for name, test := range map[string]struct {
		text, after string
		want        string // "" for never
	}{
		"every minute":                      {"* * * * *", "Thu 2026-01-01 00:00:00", "Thu 2026-01-01 00:01:00"},
		"seconds are cut off":               {"* * * * *", "Thu 2026-01-01 00:00:59", "Thu 2026-01-01 00:01:00"},
		"the time itself is not next":       {"0 12 * * *", "Thu 2026-01-01 12:00:00", "Fri 2026-01-02 12:00:00"},
		"a minute before":                   {"0 12 * * *", "Thu 2026-01-01 11:59:59", "Thu 2026-01-01 12:00:00"},
		"steps":                             {"*/15 * * * *", "Thu 2026-01-01 00:45:00", "Thu 2026-01-01 01:00:00"},
		"steps in a range":                  {"10-30/10 * * * *", "Thu 2026-01-01 00:20:00", "Thu 2026-01-01 00:30:00"},
		"steps in a range end with it":      {"10-30/10 * * * *", "Thu 2026-01-01 00:30:00", "Thu 2026-01-01 01:10:00"},
		"steps from a number":               {"50/5 * * * *", "Thu 2026-01-01 00:50:00", "Thu 2026-01-01 00:55:00"},
		"a step beyond the field":           {"*/1000 * * * *", "Thu 2026-01-01 00:00:00", "Thu 2026-01-01 01:00:00"},
		"lists":                             {"5,1,3 * * * *", "Thu 2026-01-01 00:01:00", "Thu 2026-01-01 00:03:00"},
		"a list of ranges":                  {"0 1-2,22-23 * * *", "Thu 2026-01-01 02:00:00", "Thu 2026-01-01 22:00:00"},
		"names of months":                   {"0 0 1 Feb *", "Thu 2026-01-01 00:00:00", "Sun 2026-02-01 00:00:00"},
		"names of days":                     {"0 0 * * sat", "Thu 2026-01-01 00:00:00", "Sat 2026-01-03 00:00:00"},
		"a range of names":                  {"0 9 * * MON-FRI", "Fri 2026-01-02 09:00:00", "Mon 2026-01-05 09:00:00"},
		"sunday is 0":                       {"0 0 * * 0", "Thu 2026-01-01 00:00:00", "Sun 2026-01-04 00:00:00"},
		"a question mark is a star":         {"0 0 ? * sun", "Thu 2026-01-01 00:00:00", "Sun 2026-01-04 00:00:00"},
		"into the next month":               {"0 0 1 * *", "Thu 2026-01-01 00:00:00", "Sun 2026-02-01 00:00:00"},
		"into the next year":                {"59 23 31 12 *", "Thu 2026-12-31 23:59:00", "Fri 2027-12-31 23:59:00"},
		"a month without a 31st":            {"0 0 31 * *", "Tue 2026-03-31 00:00:00", "Sun 2026-05-31 00:00:00"},
		"a leap day":                        {"0 0 29 2 *", "Thu 2026-01-01 00:00:00", "Tue 2028-02-29 00:00:00"},
		"a leap day eight years on":         {"0 0 29 2 *", "Wed 2096-02-29 00:00:00", "Fri 2104-02-29 00:00:00"},
		"30 February":                       {"0 0 30 2 *", "Thu 2026-01-01 00:00:00", ""},
		"31 in short months":                {"0 0 31 2,4,6,9,11 *", "Thu 2026-01-01 00:00:00", ""},
		"either day: the day of month":      {"0 0 2 * sun", "Thu 2026-01-01 00:00:00", "Fri 2026-01-02 00:00:00"},
		"either day: the day of week":       {"0 0 2 * sun", "Fri 2026-01-02 00:00:00", "Sun 2026-01-04 00:00:00"},
		"a star leaves it to the other":     {"0 0 * * sun", "Thu 2026-01-01 00:00:00", "Sun 2026-01-04 00:00:00"},
		"*/1 is a star":                     {"0 0 */1 * sun", "Thu 2026-01-01 00:00:00", "Sun 2026-01-04 00:00:00"},
		"a star in a list is a star":        {"0 0 5,* * sun", "Thu 2026-01-01 00:00:00", "Sun 2026-01-04 00:00:00"},
		"*/2 is not: either day":            {"0 0 */2 * sun", "Thu 2026-01-01 00:00:00", "Sat 2026-01-03 00:00:00"},
		"*/2 of days of week: either day":   {"0 0 10 * */3", "Thu 2026-01-01 00:00:00", "Sat 2026-01-03 00:00:00"},
		"a full range is not: either day":   {"0 0 1-31 * sun", "Thu 2026-01-01 00:00:00", "Fri 2026-01-02 00:00:00"},
		"@yearly":                           {"@yearly", "Thu 2026-01-01 00:00:00", "Fri 2027-01-01 00:00:00"},
		"@annually":                         {"@annually", "Thu 2026-01-01 00:00:00", "Fri 2027-01-01 00:00:00"},
		"@monthly":                          {"@monthly", "Thu 2026-01-01 00:00:00", "Sun 2026-02-01 00:00:00"},
		"@weekly":                           {"@weekly", "Thu 2026-01-01 00:00:00", "Sun 2026-01-04 00:00:00"},
		"@daily":                            {"@daily", "Thu 2026-01-01 00:00:00", "Fri 2026-01-02 00:00:00"},
		"@midnight":                         {"@midnight", "Thu 2026-01-01 00:00:00", "Fri 2026-01-02 00:00:00"},
		"@hourly":                           {"@hourly", "Thu 2026-01-01 00:00:00", "Thu 2026-01-01 01:00:00"},
		"white space between fields":        {" 0\t12  * * * ", "Thu 2026-01-01 00:00:00", "Thu 2026-01-01 12:00:00"},
		"a number with leading zeros is it": {"05 007 * * *", "Thu 2026-01-01 00:00:00", "Thu 2026-01-01 07:05:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			schedule, err := Parse(test.text)
			require.NoError(t, err)
			after, err := time.Parse(layout, test.after)
			require.NoError(t, err)
			next := schedule.Next(after)
			if test.want == "" {
				assert.True(t, next.IsZero(), next)
				return
			}
			assert.Equal(t, test.want, next.Format(layout))
		})
	}
}

func TestParseErrorsNameTheField(t *testing.T) {
	t.Parallel()
	const shape = "want five fields: minute, hour, day of month, month, day of week"
	for text, want := range map[string]string{
		"":                               shape,
		"* * * *":                        shape,
		"* * * * * *":                    shape,
		"TZ=UTC * * * * *":               shape,
		"@every 1h":                      "want @yearly, @annually, @monthly, @weekly, @daily, @midnight or @hourly",
		"@Daily":                         "want @yearly",
		"60 * * * *":                     `minute "60": want 0 to 59`,
		"* 24 * * *":                     `hour "24": want 0 to 23`,
		"* * 0 * *":                      `day of month "0": want 1 to 31`,
		"* * * 13 *":                     `month "13": want 1 to 12`,
		"* * * sun *":                    `month "sun": want 1 to 12`,
		"* * * * 7":                      `day of week "7": want 0 to 6`,
		"* * * * jan":                    `day of week "jan": want 0 to 6`,
		"-1 * * * *":                     `minute "": want`,
		"+1 * * * *":                     `minute "+1": want`,
		"1- * * * *":                     `minute "": want`,
		"1,,2 * * * *":                   `minute "": want`,
		"a * * * *":                      `minute "a": want`,
		"30-10 * * * *":                  `minute "30-10": the range runs backwards`,
		"1-2-3 * * * *":                  `minute "2-3": want`,
		"*/0 * * * *":                    `minute "*/0": the step must be a whole number from 1`,
		"*/-1 * * * *":                   `minute "*/-1": the step`,
		"*/ * * * *":                     `minute "*/": the step`,
		"*/1/2 * * * *":                  `minute "*/1/2": the step`,
		"*/99999999999999999999 * * * *": `minute "*/99999999999999999999": the step`,
		"99999999999999999999 * * * *":   `minute "99999999999999999999": want`,
		"** * * * *":                     `minute "**": want`,
		"*-5 * * * *":                    `minute "*": want`,
		"١ * * * *":                      `minute "١": want`,
	} {
		_, err := Parse(text)
		assert.ErrorContains(t, err, want, text)
	}
}

func TestSchedulesAreInUTCWhateverTheLocation(t *testing.T) {
	t.Parallel()
	// Places where a clock change leaves out midnight, an hour, half an hour, or a whole day.
	for place, day := range map[string]time.Time{
		"America/Sao_Paulo":   time.Date(2018, 11, 3, 12, 0, 0, 0, time.UTC),
		"Europe/Berlin":       time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC),
		"America/New_York":    time.Date(2026, 10, 31, 12, 0, 0, 0, time.UTC),
		"Australia/Lord_Howe": time.Date(2026, 10, 3, 12, 0, 0, 0, time.UTC),
		"Pacific/Apia":        time.Date(2011, 12, 29, 12, 0, 0, 0, time.UTC),
		"Asia/Kolkata":        time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC),
	} {
		location, err := time.LoadLocation(place)
		require.NoError(t, err)
		for _, text := range []string{"0 0 * * *", "30 2 * * *", "0 1 * * *", "*/20 * * * *", "0 0 31 12 *"} {
			schedule, err := Parse(text)
			require.NoError(t, err)
			for in, at := day.In(location), day; at.Before(day.AddDate(0, 0, 3)); {
				in, at = schedule.Next(in), schedule.Next(at)
				require.Equal(t, at, in, "%s in %s", text, place)
				require.Equal(t, time.UTC, in.Location())
				in = in.In(location)
			}
		}
	}
}

func FuzzCron(f *testing.F) {
	for _, seed := range []string{
		"* * * * *", "*/5 8-18 * * mon-fri", "@daily", "0 0 29 2 */2", "0 0 30 2 *", "5,1,3 1/7 ? jan,FEB 0-6/2", "", "@every 1h", "0 0 31 2-4/2 *", "*/99999999999 * * * *",
		"59 23 29 feb ?/1,3",
	} {
		f.Add(seed, int64(1_767_322_445))
	}
	f.Add("0 0 29 2 *", int64(3_981_398_400))
	f.Add("* * * * *", int64(-62_135_596_800))
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		const year = 366 * 24 * 60 * 60
		after := time.Unix(unix%(8000*year), 0).UTC()
		schedule, err := Parse(text)
		if err != nil {
			assert.NotEmpty(t, err.Error())
			return
		}
		begin := time.Now()
		next := schedule.Next(after)
		assert.Less(t, time.Since(begin), time.Second)
		if next.IsZero() {
			return
		}
		assert.True(t, next.After(after), "%s is not after %s", next, after)
		assert.Equal(t, next.Truncate(time.Minute), next)
		assert.True(t, has(schedule.month, int(next.Month())) && has(schedule.hour, next.Hour()) && has(schedule.minute, next.Minute()) && schedule.matchesDay(next))
		if next.Sub(after) > time.Minute {
			assert.Equal(t, next, schedule.Next(next.Add(-time.Minute)), "nothing is nearer")
		}
	})
}
