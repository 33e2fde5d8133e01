package fake_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
)

func lines(entries []hosting.LogEntry) []string {
	var texts []string
	for _, entry := range entries {
		texts = append(texts, entry.Source+" "+entry.Message)
	}
	return texts
}

func TestEachReplicaPrintsNumberedLines(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.create(web(2))
		logs, err := w.GetLogs(w.ctx, id, hosting.LogQueryOptions{})
		require.NoError(w, err)
		assert.Empty(w, logs)
		time.Sleep(3 * time.Second)
		logs, err = w.GetLogs(w.ctx, id, hosting.LogQueryOptions{})
		require.NoError(w, err)
		assert.Equal(w, []string{"web-1 started", "web-2 started", "web-1 line 1", "web-2 line 1"}, lines(logs))
	})
}

func TestLogOptionsSelect(t *testing.T) {
	workload := fake.Workload{LogLine: func(n int) string { return fmt.Sprintf("%s: %d", []string{"INFO", "WARN", "ERROR"}[n%3], n) }}
	inBubble(t, func(w world) {
		id := w.create(web(1))
		start := hosting.NewTime(time.Now().Add(2 * time.Second))
		second := func(n int64) hosting.Time { return hosting.TimeFromMillis(start.Millis() + n*1000) }
		time.Sleep(12 * time.Second) // lines 0 to 10
		cases := []struct {
			options hosting.LogQueryOptions
			want    []string
		}{
			{hosting.LogQueryOptions{Limit: 2}, []string{"web-1 INFO: 9", "web-1 WARN: 10"}},
			{hosting.LogQueryOptions{Level: "error"}, []string{"web-1 ERROR: 2", "web-1 ERROR: 5", "web-1 ERROR: 8"}},
			{hosting.LogQueryOptions{Level: "warn", Limit: 2}, []string{"web-1 ERROR: 8", "web-1 WARN: 10"}},
			{hosting.LogQueryOptions{Pattern: "[67]$"}, []string{"web-1 INFO: 6", "web-1 WARN: 7"}},
			{hosting.LogQueryOptions{StartTime: second(3), EndTime: second(5)}, []string{"web-1 INFO: 3", "web-1 WARN: 4"}},
			{hosting.LogQueryOptions{StartTime: second(60)}, nil},
		}
		for _, c := range cases {
			logs, err := w.GetLogs(w.ctx, id, c.options)
			require.NoError(w, err)
			assert.Equal(w, c.want, lines(logs))
		}
	}, fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload { return workload }))
}

func TestWrongLogOptionsAreRefused(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(1))
		other := web(1)
		other.InstanceName = "other"
		logs, err := w.GetLogs(w.ctx, w.running(other), hosting.LogQueryOptions{})
		require.NoError(w, err)
		for _, options := range []hosting.LogQueryOptions{
			{Limit: -1}, {Level: "loud"}, {Pattern: "("}, {After: "nonsense"}, {After: "1.2.3.4x"}, {After: logs[0].Cursor},
		} {
			_, err := w.GetLogs(w.ctx, id, options)
			w.failed(err, hosting.LogsFailed, hosting.InvalidArgument)
			var errs []error
			for _, err := range w.StreamLogs(w.ctx, id, options) {
				errs = append(errs, err)
			}
			require.Len(w, errs, 1)
			w.failed(errs[0], hosting.LogsFailed, hosting.InvalidArgument)
		}
		_, err = w.GetLogs(w.ctx, id, hosting.LogQueryOptions{Follow: true})
		w.failed(err, hosting.LogsFailed, hosting.InvalidArgument)
	})
}

func TestFollowerWhoComesBackMissesAndRepeatsNothing(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(2))
		go func() {
			// Replicas come and go meanwhile.
			for i := range 20 {
				_ = w.ScaleInstance(w.ctx, id, 1+i%3)
				time.Sleep(7 * time.Second)
				_ = w.RestartInstance(w.ctx, id)
				time.Sleep(3 * time.Second)
			}
		}()
		var got []hosting.LogEntry
		cursor := ""
		for len(got) < 300 {
			n := 0
			for entry, err := range hosting.StreamLogs(w.ctx, w, id, hosting.LogQueryOptions{After: cursor}) {
				require.NoError(w, err)
				got, cursor = append(got, entry), entry.Cursor
				if n++; n == 7 {
					break
				}
			}
			time.Sleep(1500 * ms)
		}
		synctest.Wait()
		all, err := w.GetLogs(w.ctx, id, hosting.LogQueryOptions{})
		require.NoError(w, err)
		assert.Equal(w, all[:300], got[:300])
		time.Sleep(5 * time.Minute) // until the goroutine has ended
	})
}

func TestStreamBeginsWithWhatGetLogsReturns(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(1))
		time.Sleep(time.Minute)
		var got []hosting.LogEntry
		began := time.Now()
		for entry, err := range w.StreamLogs(w.ctx, id, hosting.LogQueryOptions{Limit: 2}) {
			require.NoError(w, err)
			if got = append(got, entry); len(got) == 4 {
				break
			}
		}
		assert.Equal(w, []string{"web-1 line 59", "web-1 line 60", "web-1 line 61", "web-1 line 62"}, lines(got))
		assert.Equal(w, 2*time.Second, time.Since(began))
	})
}

func TestStreamEndsSilently(t *testing.T) {
	drain := func(w world, ctx context.Context, id string, options hosting.LogQueryOptions) (n int) {
		for _, err := range w.StreamLogs(ctx, id, options) {
			require.NoError(w, err)
			n++
		}
		return n
	}
	inBubble(t, func(w world) { // when the job has ended
		assert.Equal(w, 22, drain(w, w.ctx, w.create(ofType(hosting.TypeJob)), hosting.LogQueryOptions{Follow: true}))
	})
	inBubble(t, func(w world) { // when the instance is gone
		id := w.running(web(1))
		time.AfterFunc(5*time.Second, func() { assert.NoError(w, w.DeleteInstance(w.ctx, id)) })
		assert.Equal(w, 7, drain(w, w.ctx, id, hosting.LogQueryOptions{}))
	})
	inBubble(t, func(w world) { // when its context ends, also while nothing is printed
		id := w.running(web(1))
		require.NoError(w, w.StopInstance(w.ctx, id))
		ctx, cancel := context.WithTimeout(w.ctx, time.Hour)
		defer cancel()
		assert.Equal(w, 2, drain(w, ctx, id, hosting.LogQueryOptions{}))
	})
	inBubble(t, func(w world) { // at its end time, also while nothing is printed
		id := w.running(web(1))
		require.NoError(w, w.StopInstance(w.ctx, id))
		assert.Equal(w, 2, drain(w, w.ctx, id, hosting.LogQueryOptions{EndTime: hosting.NewTime(time.Now().Add(time.Hour))}))
	})
	inBubble(t, func(w world) { // at its end time
		id := w.running(web(1))
		assert.Equal(w, 3, drain(w, w.ctx, id, hosting.LogQueryOptions{EndTime: hosting.NewTime(time.Now().Add(2500 * ms))}))
	})
}

func TestStreamFollowsAnInstanceThatIsStoppedAndStarted(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(1))
		require.NoError(w, w.StopInstance(w.ctx, id))
		time.AfterFunc(time.Hour, func() { assert.NoError(w, w.StartInstance(w.ctx, id)) })
		var got []hosting.LogEntry
		for entry, err := range w.StreamLogs(w.ctx, id, hosting.LogQueryOptions{}) {
			require.NoError(w, err)
			if got = append(got, entry); len(got) == 3 {
				break
			}
		}
		assert.Equal(w, []string{"web-1 started", "web-1 line 1", "web-2 started"}, lines(got))
	})
}

func TestStreamOfAClosedProviderEndsWithAnError(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.create(web(1))
		time.AfterFunc(time.Second, func() { w.Close() })
		var last error
		for _, err := range w.StreamLogs(w.ctx, id, hosting.LogQueryOptions{}) {
			last = err
		}
		w.failed(last, hosting.LogsFailed, hosting.Unavailable)
	})
}

func TestOldLogLinesAreDropped(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(1))
		time.Sleep(30 * 24 * time.Hour)
		logs, err := w.GetLogs(w.ctx, id, hosting.LogQueryOptions{Limit: hosting.MaxLogLimit})
		require.NoError(w, err)
		require.Len(w, logs, 10_000)
		assert.Equal(w, "line 2592000", logs[len(logs)-1].Message)
	})
}

func TestReadingLogsEndsWithTheContext(t *testing.T) {
	const readUntilCancelled = 5000
	for name, read := range map[string]func(w world, ctx context.Context, id string){
		"GetLogs": func(w world, ctx context.Context, id string) {
			_, err := w.GetLogs(ctx, id, hosting.LogQueryOptions{Pattern: "nothing"})
			w.failed(err, hosting.LogsFailed, hosting.Canceled)
			require.ErrorIs(w, err, context.Canceled)
		},
		"StreamLogs": func(w world, ctx context.Context, id string) {
			for _, err := range w.StreamLogs(ctx, id, hosting.LogQueryOptions{Pattern: "nothing"}) {
				w.Errorf("yielded, with error %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			printed, cancel := 0, func() {}
			inBubble(t, func(w world) {
				var ctx context.Context
				ctx, cancel = context.WithCancel(w.ctx)
				id := w.running(web(20))
				time.Sleep(time.Minute)
				read(w, ctx, id)
				assert.Less(w, printed, readUntilCancelled+2000)
			}, fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload {
				return fake.Workload{LogInterval: ms, LogLine: func(int) string {
					if printed++; printed == readUntilCancelled {
						cancel()
					}
					return "x"
				}}
			}))
		})
	}
}

func TestLogEntryIsOneLine(t *testing.T) {
	texts := []string{"first\nsecond", "dos\r\n", "\n", "plain"}
	inBubble(t, func(w world) {
		id := w.create(web(1))
		time.Sleep(5 * time.Second)
		logs, err := w.GetLogs(w.ctx, id, hosting.LogQueryOptions{})
		require.NoError(w, err)
		assert.Equal(w, []string{"web-1 first", "web-1 dos", "web-1 ", "web-1 plain"}, lines(logs))
	}, fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload {
		return fake.Workload{LogLine: func(n int) string { return texts[n] }}
	}))
}
