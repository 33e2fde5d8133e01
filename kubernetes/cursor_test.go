package kubernetes

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

const testUID = "7c5f1c1e-9f0e-4a57-a0b2-6f1f6f2f0a01"

func testKey(n int) sourceKey {
	return sourceKey{pod: fmt.Sprintf("web-%d", n), container: []string{containerName, "sidecar"}[n%2], uid: sumOf(fmt.Sprint(n))}
}

func testPosition(n int) position {
	at := int64(1_790_000_000_000_000_000) + int64(n)
	return position{run: int64(n), runID: uint32(n + 1), at: at, high: at + int64(n%3), sum: uint32(n * 7), count: 1 + n%5, ended: n%2 == 0}
}

func TestACursorTellsThePositionOfEachSource(t *testing.T) {
	t.Parallel()
	book := newCursorBook(testUID)
	want := map[sourceKey]position{}
	check := func() {
		t.Helper()
		got, err := parseCursor(book.cursor(), testUID)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, book.cursor(), url.QueryEscape(book.cursor()), "it needs no escaping")
	}
	check()
	for n := range 30 {
		book.set(testKey(n), position{})
		want[testKey(n)] = position{}
		check()
		book.set(testKey(n), testPosition(n))
		want[testKey(n)] = testPosition(n)
		check()
	}
	for _, n := range []int{0, 29, 13, 14, 7} {
		book.drop(testKey(n))
		book.drop(testKey(n))
		delete(want, testKey(n))
		check()
	}
	book.set(testKey(1), testPosition(99))
	want[testKey(1)] = testPosition(99)
	check()
	for n := range 30 {
		book.drop(testKey(n))
	}
	want = map[sourceKey]position{}
	check()
}

func TestACursorOfHundredsOfReplicasIsSmall(t *testing.T) {
	t.Parallel()
	book := newCursorBook(testUID)
	for n := range 300 {
		key := testKey(2 * n)
		key.pod = "web-7f9c6d5b4-" + fmt.Sprintf("%05d", n)
		book.set(key, testPosition(n))
	}
	assert.Less(t, len(book.cursor()), 24<<10)
}

func TestACursorThatIsNotOursIsRefused(t *testing.T) {
	t.Parallel()
	book := newCursorBook(testUID)
	book.set(testKey(1), testPosition(1))
	book.set(testKey(2), testPosition(2))
	good := book.cursor()
	_, err := parseCursor(good, testUID)
	require.NoError(t, err)
	for name, text := range map[string]string{
		"empty":                   "",
		"another version":         "k2" + good[2:],
		"another instance":        newCursorBook("other").cursor(),
		"cut":                     good[:len(good)-1],
		"longer":                  good + "~",
		"a source too many":       good + good[strings.Index(good, "~web-1"):],
		"no pod":                  strings.Replace(good, "web-1", "", 1),
		"not a pod":               strings.Replace(good, "web-1", "WEB", 1),
		"not a container":         strings.Replace(good, "sidecar", "side.car", 1),
		"the usual one, spelt":    strings.Replace(good, "sidecar", containerName, 1),
		"not base64":              good[:len(good)-2] + "!!",
		"flags that do not exist": good[:len(good)-2] + "_w",
		"too long":                good + strings.Repeat("x", cursorMaxBytes),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseCursor(text, testUID)
			var fields hosting.FieldErrors
			require.ErrorAs(t, err, &fields)
			assert.Equal(t, "after", fields[0].Field)
			assert.Equal(t, text, fields[0].Value)
		})
	}
}

// FuzzParseCursor checks that a cursor is either refused or means what it says.
func FuzzParseCursor(f *testing.F) {
	book := newCursorBook(testUID)
	f.Add(book.cursor())
	for n := range 3 {
		book.set(testKey(n), testPosition(n))
		f.Add(book.cursor())
	}
	f.Fuzz(func(t *testing.T, text string) {
		positions, err := parseCursor(text, testUID)
		if err != nil {
			return
		}
		book := newCursorBook(testUID)
		for key, at := range positions {
			book.set(key, at)
		}
		again, err := parseCursor(book.cursor(), testUID)
		require.NoError(t, err)
		require.Equal(t, positions, again)
		require.Len(t, book.cursor(), len(text))
	})
}
