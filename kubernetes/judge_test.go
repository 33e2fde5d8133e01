package kubernetes

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestARunThatHasEndedIsReadToItsEndByASlowNodeToo(t *testing.T) {
	t.Parallel()
	r := run{id: 1, ended: true}
	s := &logSource{logQuery: &logQuery{follow: true, send: func(context.Context, []logItem) error { return nil }}, caught: true}
	s.at.position = startOf(r)
	for range 2 {
		again, err := s.judge(t.Context(), r, outcome{proven: true, took: 3 * silence}, &reading{})
		require.NoError(t, err)
		require.True(t, again)
	}
	assert.True(t, s.at.ended, "it would be read again for ever")
}
