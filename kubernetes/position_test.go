package kubernetes

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// testLine is a line of a log.
type testLine struct {
	at  int64
	sum uint32
}

// behindLine is the position behind the first n lines.
func behindLine(lines []testLine, n int) position {
	var t tracker
	for _, l := range lines[:n] {
		t.advance(l.at, l.sum)
	}
	return t.position
}

// reread returns what is new in a log that is read again, and whether lines may
// be missing.
func reread(at position, lines []testLine) (fresh []testLine, proven, missed bool) {
	o := overlapWith(at)
	for _, l := range lines {
		switch o.judge(l.at, l.sum) {
		case lineNew:
			fresh = append(fresh, l)
		case lineMissing:
			return fresh, o.done, true
		case lineKnown:
		}
	}
	return fresh, o.done, false
}

func TestWhatIsReadAgainIsRecognised(t *testing.T) {
	t.Parallel()
	same := []testLine{{10, 1}, {10, 1}, {10, 1}, {10, 2}, {10, 1}, {11, 1}}
	overtaken := []testLine{{10, 1}, {12, 2}, {11, 3}, {12, 4}, {13, 5}}
	for _, test := range []struct {
		name   string
		lines  []testLine
		read   int
		from   int // where the log is read again
		fresh  int
		missed bool
	}{
		{"nothing was read", same, 0, 0, 6, false},
		{"the first of several that are alike", same, 1, 0, 5, false},
		{"two of several that are alike", same, 2, 0, 4, false},
		{"three of several that are alike", same, 3, 0, 3, false},
		{"another of the same time", same, 4, 0, 2, false},
		{"one that is alike behind another", same, 5, 0, 1, false},
		{"everything", same, 6, 0, 0, false},
		{"a line that was overtaken comes later", overtaken, 2, 0, 3, false},
		{"the last line was overtaken", overtaken, 3, 0, 2, false},
		{"the last line is gone", overtaken, 1, 1, 0, true},
		{"the overtaken line is gone", overtaken, 3, 4, 0, true},
		{"nothing is left", overtaken, 3, 5, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			fresh, proven, missed := reread(behindLine(test.lines, test.read), test.lines[test.from:])
			assert.Len(t, fresh, test.fresh)
			assert.Equal(t, test.missed, missed)
			if test.fresh > 0 {
				assert.True(t, proven)
				assert.Equal(t, test.lines[len(test.lines)-test.fresh:], fresh)
			}
			if test.from == 5 {
				assert.False(t, proven)
			}
		})
	}
}

func TestAnyPlaceOfAnyLogIsFoundAgain(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		lines := make([]testLine, 1+random.IntN(30))
		at := int64(1e18)
		for i := range lines {
			at += random.Int64N(3)
			lines[i] = testLine{at, random.Uint32N(3)}
		}
		for read := range len(lines) + 1 {
			fresh, proven, missed := reread(behindLine(lines, read), lines)
			require.True(t, proven)
			require.False(t, missed)
			require.Equal(t, len(lines)-read, len(fresh))
		}
	}
}

func TestAPositionIsKeptWhileLinesAreReadAgain(t *testing.T) {
	t.Parallel()
	// Two alike were read; one more comes with the connection after that. The
	// position behind it must count three.
	lines := []testLine{{10, 1}, {10, 1}, {10, 1}}
	s := tracker{position: behindLine(lines, 2)}
	o := overlapWith(s.position)
	for _, l := range lines {
		if o.judge(l.at, l.sum) == lineKnown {
			s.resume(o)
		} else {
			s.advance(l.at, l.sum)
		}
	}
	assert.Equal(t, behindLine(lines, 3), s.position)
}

func TestSumsTellLinesApart(t *testing.T) {
	t.Parallel()
	seen := map[uint32]bool{}
	for i := range 1000 {
		seen[lineSum([]byte("line "+strconv.Itoa(i)))] = true
	}
	assert.Len(t, seen, 1000)
}
