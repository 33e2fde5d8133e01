package fake

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// fill records changes at random times and returns when the last one was, in
// ms.
func (l *ledger) fill(random *rand.Rand, changes int, pause time.Duration) int64 {
	at := time.UnixMilli(1_000_000_000_000)
	for range changes {
		l.record(at, usage{microCores: float64(random.IntN(1000)), memory: float64(random.IntN(1 << 30))})
		at = at.Add(time.Millisecond + time.Duration(random.Int64N(int64(2*pause))))
	}
	return l.changes[len(l.changes)-1].ms
}

func TestLedgerStaysSmallAndKeepsTheSum(t *testing.T) {
	t.Parallel()
	for _, pause := range []time.Duration{time.Second, time.Minute, 20 * time.Minute} {
		random := rand.New(rand.NewPCG(1, 2))
		var l ledger
		end := l.fill(random, maxChanges-1, pause)
		all := period{l.begin(), end}
		want := used(l.changes, all)
		hour := period{all.from - all.from%msPerHour + msPerHour, 0}
		hour.to = hour.from + msPerHour
		wantHour := used(l.changes, hour)

		l.shrink(maxChanges/4, maxChanges)
		assert.Equal(t, maxChanges-1, len(l.changes), "there is room")
		l.shrink(maxChanges/4, maxChanges-2)
		assert.Less(t, len(l.changes), maxChanges-2)
		assert.Zero(t, l.dropped)
		assert.InEpsilon(t, want.memory, used(l.changes, all).memory, 1e-9)
		assert.InEpsilon(t, want.microCores, used(l.changes, all).microCores, 1e-9)
		assert.InEpsilon(t, wantHour.memory, used(l.changes, hour).memory, 1e-9, "whole hours stay exact")
	}
}

func TestOldChangesAreKeptByTheHour(t *testing.T) {
	t.Parallel()
	var l ledger
	for _, c := range [][2]int64{{10, 1}, {50, 3}, {70, 5}, {90, 7}, {119, 9}, {400, 11}, {500, 13}, {510, 15}, {515, 17}, {600, 19}} {
		l.record(time.UnixMilli(c[0]*60_000), usage{microCores: float64(c[1])})
	}
	type point struct {
		minute int64
		cores  float64
	}
	var got []point
	for _, c := range byHour(l.changes, len(l.changes)-1) {
		got = append(got, point{c.ms / 60_000, math.Round(c.microCores*1e6) / 1e6})
	}
	assert.Equal(t, []point{
		{10, 1}, {50, 3}, // one change in the hour
		{60, 5.7},           // 10 minutes of 3, 20 of 5, 29 of 7 and one of 9
		{120, 9}, {400, 11}, // nothing for hours, then one change
		{480, 14.166667},
		{540, 17}, {600, 19},
	}, got)
}

func TestLedgerThatDropsSaysSo(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	var l ledger
	end := l.fill(random, 3*maxChanges, 2*time.Hour)
	assert.True(t, len(l.changes) <= maxChanges)
	assert.EqualValues(t, 1_000_000_000_000, l.begin())
	assert.Equal(t, l.changes[0].ms, l.dropped.to)
	l.shrink(0, maxGraveChanges)
	assert.Equal(t, maxGraveChanges, len(l.changes))
	assert.EqualValues(t, 1_000_000_000_000, l.dropped.from)
	assert.Equal(t, l.changes[0].ms, l.dropped.to)
	assert.Equal(t, end, l.changes[len(l.changes)-1].ms)
}
