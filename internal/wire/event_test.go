package wire_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting/internal/wire"
)

func TestAPlainCursorIsTheIDOfItsEvent(t *testing.T) {
	t.Parallel()
	for _, cursor := range []string{"1.1764403200000000000.2.17", "AAAB_-c3f=", "{\"a\":1}"} {
		assert.Equal(t, cursor, wire.EventID(cursor))
	}
}

func TestWhatIsEncodedWronglyIsNoEventID(t *testing.T) {
	t.Parallel()
	_, err := wire.CursorOf("~not base64")
	assert.EqualError(t, err, `"~not base64": allowed: the id of an event`)
}

func FuzzACursorSurvivesBeingAnEventID(f *testing.F) {
	for _, cursor := range []string{"", "1.2.3", "~", "~MQ", "a b", " a", "a\nid: b", "a\r", "\x00", "ü", "\xff"} {
		f.Add(cursor)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		id := wire.EventID(cursor)
		assert.Empty(t, strings.Trim(id, "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"), "one line of a header")
		back, err := wire.CursorOf(id)
		require.NoError(t, err)
		assert.Equal(t, cursor, back)
	})
}
