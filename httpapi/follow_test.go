package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/wire"
)

// sequence checks that the lines of each source, which are numbered, come in
// order, none missing and none twice.
type sequence map[string]int

func (s sequence) add(t *testing.T, entry hosting.LogEntry) {
	t.Helper()
	n, err := strconv.Atoi(entry.Message)
	require.NoError(t, err)
	if last, seen := s[entry.Source]; seen {
		require.Equal(t, last+1, n, "line of %s", entry.Source)
	}
	s[entry.Source] = n
}

func TestAFollowOutlivesTheServersTimeouts(t *testing.T) {
	overBoth(t, func(t *testing.T, configure func(*httptest.Server)) {
		const interval = 20 * time.Millisecond
		provider, id := printing(t, 2, interval, strconv.Itoa)
		s := listen(t, provider, func(server *httptest.Server) {
			configure(server)
			server.Config.WriteTimeout, server.Config.ReadTimeout = 2*time.Second, 2*time.Second
			server.Config.IdleTimeout, server.Config.ReadHeaderTimeout = 2*time.Second, 2*time.Second
		}, httpapi.WithHeartbeat(5*time.Second), httpapi.WithStreamWriteTimeout(3*time.Second))
		// One whose log is silent for longer than the timeouts lives as long.
		answer, quiet := s.follow(t, id), s.open(t, "/instances/"+id+"/logs?follow=true&pattern=never")
		seen, heartbeats := sequence{}, 0
		for began := time.Now(); time.Since(began) < time.Minute; {
			seen.add(t, answer.want(t, wire.EventLog).log(t))
		}
		for ; heartbeats < 5; heartbeats++ {
			m, err := quiet.next()
			require.NoError(t, err)
			require.Equal(t, message{}, m)
		}
		require.Len(t, seen, 2)
		logs, err := provider.GetLogs(t.Context(), id, hosting.LogQueryOptions{Limit: 1})
		require.NoError(t, err)
		printed, err := strconv.Atoi(logs[0].Message)
		require.NoError(t, err)
		for source, last := range seen {
			assert.Greater(t, last, printed/2, "%s is far behind", source)
		}
	})
}

// limited reads a number of bytes and then breaks off, in the middle of
// whatever it is.
func limited(body io.Reader, bytes int64) *bufio.Reader {
	return bufio.NewReader(io.LimitReader(body, bytes))
}

func TestAClientThatComesBackMissesAndRepeatsNothing(t *testing.T) {
	overBoth(t, func(t *testing.T, configure func(*httptest.Server)) {
		const rounds = 150
		provider, id := printing(t, 3, 2*time.Millisecond, strconv.Itoa)
		s := listen(t, provider, configure)
		var got []hosting.LogEntry
		lastID, seen := "", sequence{}
		for round := 0; round < rounds || len(got) == 0; round++ {
			var headers []string
			if lastID != "" {
				headers = []string{wire.LastEventID, lastID}
			}
			// The address stays that of the first time, as in a browser.
			answer := s.open(t, "/instances/"+id+"/logs?follow=true&limit=5&after=", headers...)
			require.Equal(t, http.StatusOK, answer.StatusCode)
			reader := limited(answer.Body, rand.Int64N(16<<10))
			for {
				m, err := readMessage(reader)
				if err != nil {
					break // the rest of the event is lost
				}
				if m.event == "" {
					continue
				}
				require.Equal(t, wire.EventLog, m.event)
				lastID = m.id
				got = append(got, m.log(t))
				seen.add(t, got[len(got)-1])
			}
			answer.close()
		}
		require.Len(t, seen, 3)
		want, err := provider.GetLogs(t.Context(), id, hosting.LogQueryOptions{After: got[0].Cursor, Limit: hosting.MaxLogLimit})
		require.NoError(t, err)
		require.Greater(t, len(got), rounds)
		assert.Equal(t, want[:len(got)-1], got[1:])
	})
}

func TestAListOfLogsCanBeAStreamThatEnds(t *testing.T) {
	t.Parallel()
	provider, id := printing(t, 1, time.Millisecond, strconv.Itoa)
	s := listen(t, provider, nil)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		logs, err := provider.GetLogs(t.Context(), id, hosting.LogQueryOptions{})
		assert.NoError(c, err)
		assert.Greater(c, len(logs), 20)
	}, patience, time.Millisecond)
	answer := s.open(t, "/instances/"+id+"/logs?limit=7", "Accept", wire.EventStream)
	messages, err := answer.rest()
	assert.Equal(t, io.EOF, err)
	require.Len(t, messages, 8)
	assert.Equal(t, wire.EventEnd, messages[7].event)
	seen := sequence{}
	for _, m := range messages[:7] {
		entry := m.log(t)
		assert.Equal(t, entry.Cursor, m.id)
		seen.add(t, entry)
	}
	again := s.open(t, "/instances/"+id+"/logs?endTime="+fmt.Sprint(messages[6].log(t).Timestamp.Millis()+1), "Accept", wire.EventStream, wire.LastEventID, messages[2].id)
	assert.Equal(t, messages[3].id, again.want(t, wire.EventLog).id)

	list := s.open(t, "/instances/"+id+"/logs?limit=7", "Accept", "application/json, text/event-stream;q=0.5")
	assert.Equal(t, wire.JSON, list.Header.Get("Content-Type"))
}

func TestAFollowEndsAtItsEndTime(t *testing.T) {
	t.Parallel()
	provider, id := printing(t, 1, 10*time.Millisecond, strconv.Itoa)
	end := time.Now().Add(time.Second)
	answer := listen(t, provider, nil).open(t, fmt.Sprintf("/instances/%s/logs?follow=true&endTime=%d", id, end.UnixMilli()))
	messages, err := answer.rest()
	assert.Equal(t, io.EOF, err)
	require.NotEmpty(t, messages)
	assert.Equal(t, wire.EventEnd, messages[len(messages)-1].event)
}
