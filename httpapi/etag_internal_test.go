package httpapi

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTagsAreReadAsTheRFCHasThem(t *testing.T) {
	t.Parallel()
	for header, want := range map[string][]string{
		`*`: {"*"}, " *\t": {"*"}, `"a"`: {`"a"`}, `W/"a"`: {`W/"a"`}, `""`: {`""`}, `"*"`: {`"*"`},
		`"a","b" , W/"c"`: {`"a"`, `"b"`, `W/"c"`}, `"a,b"`: {`"a,b"`}, `"a, *, b"`: {`"a, *, b"`}, `, "a",, "b",`: {`"a"`, `"b"`}, `"a\"`: {`"a\"`},
		``: nil, ` `: nil, `,`: nil, `a`: nil, `"a`: nil, `a"`: nil, `"a"b`: nil, `"a" "b"`: nil, `w/"a"`: nil, `W/a`: nil, `W/*`: nil, `*,*`: nil, `*, "a"`: nil, `"a", *`: nil,
	} {
		got, err := parseTags([]string{header})
		assert.Equal(t, want, got, header)
		assert.Equal(t, want == nil, err != nil, header)
	}
	got, err := parseTags(nil)
	require.NoError(t, err)
	assert.Nil(t, got, "no header is no condition")
	got, err = parseTags([]string{`"a"`, `W/"b"`})
	require.NoError(t, err)
	assert.Equal(t, []string{`"a"`, `W/"b"`}, got)
}

func FuzzParseTags(f *testing.F) {
	for _, seed := range []string{`*`, `"a", W/"b"`, `"a,*"`, `W/`, `"`, ` ,"x"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		tags, err := parseTags([]string{header})
		if err != nil {
			return
		}
		require.NotEmpty(t, tags)
		for _, tag := range tags {
			require.Contains(t, header, tag)
			require.True(t, tag == anyTag && len(tags) == 1 || strings.HasSuffix(tag, `"`) && strings.Count(tag, `"`) == 2, "%q", tag)
		}
		again, err := parseTags([]string{strings.Join(tags, ", ")})
		require.NoError(t, err)
		require.Equal(t, tags, again)
	})
}

func TestALockIsGoneWhenNobodyHasIt(t *testing.T) {
	t.Parallel()
	var l locks
	unlock, err := l.lock(t.Context(), "a")
	require.NoError(t, err)
	other, err := l.lock(t.Context(), "b")
	require.NoError(t, err, "of another key")
	other()
	waiting := make(chan func())
	go func() {
		second, err := l.lock(t.Context(), "a")
		assert.NoError(t, err)
		waiting <- second
	}()
	assert.Eventually(t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.held["a"].users == 2
	}, 30*time.Second, time.Millisecond)
	select {
	case <-waiting:
		t.Fatal("it was given twice")
	default:
	}
	unlock()
	(<-waiting)()
	assert.Empty(t, l.held)
}
