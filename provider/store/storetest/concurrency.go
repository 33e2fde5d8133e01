package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/store"
)

func concurrencyCases() []testCase {
	return []testCase{
		{"concurrent writers lose no update", noLostUpdate},
		{"one of several concurrent writes wins and the others say why", oneWins},
		{"a reader sees whole writes only, and none goes back", wholeWrites},
	}
}

const writers = 8

// noLostUpdate has several writers count in one document. Each count must be
// in it once.
func noLostUpdate(t *testing.T, e *env) {
	const increments = 10
	key := e.key("counter")
	e.create(t, key, `0`)
	var wait sync.WaitGroup
	for range writers {
		wait.Go(func() {
			for done := 0; done < increments && e.ctx.Err() == nil; {
				d, err := e.Get(e.ctx, key)
				var count int
				if err == nil {
					err = json.Unmarshal(d.Data, &count)
				}
				if err != nil {
					t.Errorf("Get(%s): %v", key, err)
					return
				}
				d.Data = json.RawMessage(fmt.Sprint(count + 1))
				_, err = e.Put(e.ctx, d)
				switch {
				case err == nil:
					done++
				case !errors.Is(err, hosting.Conflict):
					t.Errorf("Put(%s): %v", key, err)
					return
				}
			}
		})
	}
	wait.Wait()
	if got, want := string(e.get(t, key).Data), fmt.Sprint(writers*increments); got != want {
		t.Errorf("%d writers have counted to %s, want %s", writers, got, want)
	}
}

// oneWins races creations, updates and deletions of one version.
func oneWins(t *testing.T, e *env) {
	for round := range 10 {
		key := e.key(fmt.Sprintf("race%d", round))
		race := func(what string, lost []hosting.Reason, do func(i int) error) {
			t.Helper()
			var wins atomic.Int32
			var wait sync.WaitGroup
			start := make(chan struct{})
			for i := range writers {
				wait.Go(func() {
					<-start
					err := do(i)
					switch reason := hosting.ReasonOf(err); {
					case err == nil:
						wins.Add(1)
					case reason != lost[0] && reason != lost[len(lost)-1]:
						t.Errorf("%s: who lost got %v, want reason %v", what, err, lost)
					}
				})
			}
			close(start)
			wait.Wait()
			if n := wins.Load(); n != 1 {
				t.Errorf("%s: %d of %d have succeeded, want 1", what, n, writers)
			}
		}
		var mu sync.Mutex
		var winner store.Document
		put := func(version string) func(i int) error {
			return func(i int) error {
				d, err := e.Put(e.ctx, store.Document{Key: key, Version: version, Data: json.RawMessage(fmt.Sprintf(`{"writer":%d}`, i))})
				if err == nil {
					mu.Lock()
					winner = d
					mu.Unlock()
				}
				return err
			}
		}
		race("creations", []hosting.Reason{hosting.AlreadyExists}, put(""))
		wantDocument(t, "after the creations", e.get(t, key), winner)
		race("updates", []hosting.Reason{hosting.Conflict}, put(winner.Version))
		wantDocument(t, "after the updates", e.get(t, key), winner)
		race("deletions", []hosting.Reason{hosting.NotFound}, func(int) error { return e.Delete(e.ctx, key, winner.Version) })
		e.wantGone(t, key)

		again := e.create(t, key, `1`)
		race("updates and deletions", []hosting.Reason{hosting.Conflict, hosting.NotFound}, func(i int) error {
			if i%2 == 0 {
				return e.Delete(e.ctx, key, again.Version)
			}
			return put(again.Version)(i)
		})
		if t.Failed() {
			return
		}
	}
}

// numbered is a document whose parts tell whether they are of one write.
func numbered(n int) json.RawMessage {
	word := fmt.Sprintf(`"%d"`, n)
	return json.RawMessage(fmt.Sprintf(`{"n":%d,"words":[%s%s]}`, n, strings.Repeat(word+",", n%5*400), word))
}

// readNumbered returns the number of a document, or why it is not of one write.
func readNumbered(data []byte) (int, error) {
	var content struct {
		N     int
		Words []string
	}
	if err := json.Unmarshal(data, &content); err != nil {
		return 0, err
	}
	if !sameJSON(data, numbered(content.N)) {
		return 0, fmt.Errorf("parts of several writes, or not all of one: %s", short(data))
	}
	return content.N, nil
}

func wholeWrites(t *testing.T, e *env) {
	const writes, looks = 60, 20 // at least, of the writer and of each reader
	key := e.key("a")
	d := e.put(t, store.Document{Key: key, Data: numbered(0)})
	var wait sync.WaitGroup
	var done atomic.Bool
	var satisfied atomic.Int32
	look := func(read func() (store.Document, error)) {
		for last, n := 0, 0; !done.Load(); n++ {
			if n == looks {
				satisfied.Add(1)
			}
			seen, err := read()
			if err != nil {
				t.Error(err)
				return
			}
			n, err := readNumbered(seen.Data)
			if err != nil || n < last {
				t.Errorf("after write %d a reader sees write %d: %v", last, n, err)
				return
			}
			last = n
		}
	}
	const readers = 4
	for range readers / 2 {
		wait.Go(func() { look(func() (store.Document, error) { return e.Get(e.ctx, key) }) })
		wait.Go(func() {
			look(func() (store.Document, error) {
				list, err := e.List(e.ctx, e.kind)
				if err == nil && len(list) != 1 {
					err = fmt.Errorf("List(%s): got %q, want the one document", e.kind, keys(list))
				}
				if err != nil {
					return store.Document{}, err
				}
				return list[0], nil
			})
		})
	}
	for n := 1; (n <= writes || satisfied.Load() < readers) && !t.Failed(); n++ {
		d.Data = numbered(n)
		written, err := e.Put(e.ctx, d)
		if err != nil {
			t.Errorf("Put(%s): %v", key, err)
			break
		}
		d = written
	}
	done.Store(true)
	wait.Wait()
}
