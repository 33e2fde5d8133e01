package kubernetes

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// A look at the newest file, its answer and what the next line tells. Times are
// seconds, of the reader and of the lines alike.
func TestAFileThatMayHaveBeenPassedOverIsTold(t *testing.T) {
	t.Parallel()
	type look struct {
		first          int64 // the time of the first line; 0: the file is empty
		asked, answers float64
	}
	for _, test := range []struct {
		name            string
		looks           []look
		line            int64
		skipped, unsure bool
	}{
		{"no new file", []look{{1, 11, 11}}, 15, false, false},
		{"a new file, seen in time", []look{{15, 11, 11}}, 15, false, false},
		{"a new file, seen late", []look{{15, 12, 12}}, 15, false, true},
		{"an answer that took long", []look{{15, 11, 14}}, 15, false, true},
		{"looked all the time", []look{{1, 11, 11}, {1, 12, 12}, {20, 13, 13}}, 20, false, false},
		{"first empty, then with its line", []look{{0, 11, 11}, {15, 12, 12}}, 15, false, false},
		{"a file that never came", []look{{15, 11, 11}, {18, 12, 12}}, 18, true, false},
		{"a line of the file before the new one", []look{{15, 11, 11}}, 14, false, false},
		{"a line before a new one that was seen late", []look{{15, 12, 12}}, 14, false, true},
		{"two new files, one reached", []look{{15, 11, 11}, {18, 12, 12}}, 15, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			at := func(seconds float64) time.Time { return time.Unix(0, int64(seconds*1e9)) }
			var f logFiles
			f.read(at(10))
			for _, l := range test.looks {
				f.saw(mark{at: l.first}, 10, at(l.asked), at(l.answers), true)
			}
			skipped, unsure := f.reach(mark{at: test.line})
			assert.Equal(t, test.skipped, skipped)
			assert.Equal(t, test.unsure, unsure)
		})
	}
}

func TestAKubeletThatHadTimeToGoOnInAnEmptyFileIsThere(t *testing.T) {
	t.Parallel()
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	var f logFiles
	f.read(at(10))
	f.saw(mark{}, 10, at(11), at(11), true)
	ok, _ := f.begins()
	assert.False(t, ok)
	f.saw(mark{}, 10, at(12), at(12), true)
	ok, unsure := f.begins()
	assert.True(t, ok)
	assert.False(t, unsure)
	_, other := f.next()
	assert.False(t, other)
}
