package conformance

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatTakesLongIsLookedAtLessOftenAndSeenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &env{Harness: Harness{Timeout: 2 * time.Minute, PollInterval: 500 * time.Millisecond}}
		began, looks := time.Now(), 0
		e.eventually(t, "a minute is over", func() error {
			looks++
			if time.Since(began) < time.Minute {
				return errors.New("not yet")
			}
			return nil
		})
		if took := time.Since(began); looks > 50 || took > 66*time.Second {
			t.Errorf("it looked %d times in %v", looks, took)
		}
	})
}

func TestNear(t *testing.T) {
	for _, c := range []struct {
		a, b    float64
		amounts int
		want    bool
	}{
		{0.6, 0.6, 1, true},
		{0.6, 0.61, 5, false},
		{0.0001, 0, 5, true}, // 0.00004 and 0.00004 make 0.00008
		{0.0004, 0, 5, false},
		{0.00000123, 0.00000246, 5, false}, // unrounded
		{0.00000123, 0.00000123 * 1.0001, 5, true},
		{14.4, 24 * 0.6, 25, true},
		{438, 720 * 0.6, 731, false}, // a month has 730 hours
		{24.32, 730 * 0.0333, 731, true},
		{0, 0, 1, true},
	} {
		if got := near(c.a, c.b, c.amounts); got != c.want {
			t.Errorf("near(%v, %v, %d) = %t", c.a, c.b, c.amounts, got)
		}
	}
}

func TestNamePrefix(t *testing.T) {
	for prefix, want := range map[string]bool{
		"conf": true, "c": true, "c-1": true, "a123456789-123456789": true,
		"": false, "Conf": false, "1conf": false, "conf-": false, "a.b": false, "a\n": false, "a123456789-1234567890": false,
	} {
		if isNamePrefix(prefix) != want {
			t.Errorf("isNamePrefix(%q) = %t", prefix, !want)
		}
	}
}
