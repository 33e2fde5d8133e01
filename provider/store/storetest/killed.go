package storetest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/store"
)

const (
	// killWriters write at the same time, each to killKeys documents of its own.
	killWriters = 3
	killKeys    = 4
	killKind    = "storetest-killed"
	// killAfter is how many acknowledged writes a process may live at most
	// before a moment is chosen to kill it.
	killAfter = 40
)

// Progress is how many writes each writer of [Work] has made.
type Progress [killWriters]int

// String returns what [ParseProgress] reads.
func (p Progress) String() string {
	return strings.Trim(fmt.Sprint([killWriters]int(p)), "[]")
}

// ParseProgress reads the progress that [RunKilled] gives to a process.
func ParseProgress(text string) (Progress, error) {
	var p Progress
	if _, err := fmt.Sscan(text, &p[0], &p[1], &p[2]); err != nil {
		return Progress{}, fmt.Errorf("progress %q: want %d numbers: %w", text, killWriters, err)
	}
	return p, nil
}

// Work is what the process does that [RunKilled] kills: several writers create,
// change and delete documents, going on from where the last process was, and
// say each write on acks once the store has acknowledged it. It returns when ctx
// ends, or with the first error.
func Work(ctx context.Context, s store.Store, acks io.Writer, from Progress) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var wait sync.WaitGroup
	for writer, n := range from {
		wait.Go(func() {
			versions := map[string]string{}
			for ; ctx.Err() == nil; n++ {
				err := step(ctx, s, versions, writer, n)
				if n == from[writer] && deletes(n) && errors.Is(err, hosting.NotFound) {
					// What the process before asked a server for may have been
					// done after it was looked at.
					err = nil
				}
				if err == nil {
					mu.Lock()
					_, err = fmt.Fprintf(acks, "%d %d\n", writer, n)
					mu.Unlock()
				}
				if err != nil {
					cancel(fmt.Errorf("write %d of writer %d: %w", n, writer, err))
				}
			}
		})
	}
	wait.Wait()
	return context.Cause(ctx)
}

func killedKey(writer, n int) string {
	return fmt.Sprintf("%s/storetest.policy.w%d-%d", killKind, writer, n%killKeys)
}

// deletes tells whether write n removes its document: the third of each
// document does, the two before it create and change it.
func deletes(n int) bool { return n/killKeys%3 == 2 }

// step makes write n of a writer.
func step(ctx context.Context, s store.Store, versions map[string]string, writer, n int) error {
	key := killedKey(writer, n)
	if _, known := versions[key]; !known { // of a process before
		d, err := s.Get(ctx, key)
		if err != nil && !errors.Is(err, hosting.NotFound) {
			return err
		}
		versions[key] = d.Version
	}
	if deletes(n) {
		err := s.Delete(ctx, key, versions[key])
		versions[key] = ""
		return err
	}
	d, err := s.Put(ctx, store.Document{Key: key, Version: versions[key], Data: killedData(writer, n)})
	versions[key] = d.Version
	return err
}

// killedData is what write n of a writer writes: small and large documents,
// whose parts tell whether they are of one write.
func killedData(writer, n int) json.RawMessage {
	word := fmt.Sprintf(`"%d-%d"`, writer, n)
	return json.RawMessage("[" + strings.Repeat(word+",", n%7*300) + word + "]")
}

// expected returns the documents of a writer after n writes, by key.
func expected(writer, n int) map[string]string {
	held := map[string]string{}
	for i := max(0, n-3*killKeys); i < n; i++ {
		if key := killedKey(writer, i); deletes(i) {
			delete(held, key)
		} else {
			held[key] = string(killedData(writer, i))
		}
	}
	return held
}

// RunKilled tests that what a durable store has acknowledged outlives the
// process, whenever that dies. In each round it starts a process that calls
// [Work], kills it (SIGKILL, where there are signals) at a random moment, and
// opens the store anew: every acknowledged write must be there, of those under
// way all or nothing, and no document may be half-written.
//
// The command that start returns must run Work on a store of the same place as
// open's, with os.Stdout, which must carry nothing else, and with the progress
// that start is given; a test binary can start itself for that, see TestMain of
// this package's own tests. The store that open returns must hold no
// documents of an earlier run; RunKilled closes it after each round, if it is an
// [io.Closer], and deletes what it has written at the end.
func RunKilled(t *testing.T, rounds int, start func(from Progress) *exec.Cmd, open func(t *testing.T) store.Store) {
	t.Helper()
	var done Progress
	var writes, inFlight int
	for round := range rounds {
		acknowledged := killed(t, start(done))
		for writer, n := range acknowledged {
			acknowledged[writer] = max(n, done[writer])
		}
		s := open(t)
		if !s.Durable() {
			t.Fatal("the store says that it is not durable")
		}
		found := lookAfterKill(t, s, acknowledged)
		if t.Failed() {
			t.Fatalf("round %d: after %v acknowledged writes", round, acknowledged)
		}
		for writer := range found {
			writes += found[writer] - done[writer]
			inFlight += found[writer] - acknowledged[writer]
		}
		done = found
		if round == rounds-1 {
			cleanAfterKill(t, s)
		}
		closeStore(t, s)
	}
	t.Logf("%d processes were killed; %d writes are kept, %d of them without having been acknowledged", rounds, writes, inFlight)
	if writes < rounds {
		t.Errorf("there were %d writes in %d rounds: too few to tell anything", writes, rounds)
	}
}

// killed starts a process, kills it and returns how many writes of each writer
// it has acknowledged, from the first on.
func killed(t *testing.T, command *exec.Cmd) Progress {
	t.Helper()
	var stderr strings.Builder
	command.Stderr = &stderr
	stdout, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatalf("starting the process: %v", err)
	}
	var acknowledged Progress
	var kill *time.Timer
	defer func() {
		if kill != nil {
			kill.Stop()
		}
	}()
	last := rand.IntN(killAfter)
	count := 0
	for lines := bufio.NewScanner(stdout); lines.Scan(); count++ {
		var writer, n int
		if _, err := fmt.Sscanf(lines.Text(), "%d %d", &writer, &n); err != nil || writer < 0 || writer >= killWriters {
			t.Errorf("the process says %q, want a writer and the number of a write", lines.Text())
			continue
		}
		acknowledged[writer] = n + 1
		if count == last {
			// At any moment of the write after it, not between two.
			kill = time.AfterFunc(rand.N(5*time.Millisecond), func() { _ = command.Process.Kill() })
		}
	}
	err = command.Wait()
	if count <= last {
		t.Fatalf("the process ended by itself after %d writes: %v: %s", count, err, stderr.String())
	}
	if err == nil {
		t.Fatal("the process ended well: it was not killed")
	}
	return acknowledged
}

// lookAfterKill returns how many writes of each writer the store has: all that
// were acknowledged and at most one more.
func lookAfterKill(t *testing.T, s store.Store, acknowledged Progress) (found Progress) {
	t.Helper()
	documents, err := s.List(context.Background(), killKind)
	if err != nil {
		t.Errorf("List(%s): %v", killKind, err)
		return acknowledged
	}
	held := [killWriters]map[string]string{}
	for writer := range held {
		held[writer] = map[string]string{}
	}
	for _, document := range documents {
		var writer int
		if _, err := fmt.Sscanf(document.Key, killKind+"/storetest.policy.w%d-", &writer); err != nil || writer < 0 || writer >= killWriters {
			t.Errorf("document %s is nobody's", document.Key)
			continue
		}
		held[writer][document.Key] = string(document.Data)
	}
	for writer, n := range acknowledged {
		found[writer] = n
		before, problem := difference(held[writer], expected(writer, n)), ""
		if before != "" {
			found[writer] = n + 1
			problem = difference(held[writer], expected(writer, n+1))
		}
		if problem != "" {
			t.Errorf("writer %d was told of %d writes. After those, %s. After one more, %s.", writer, n, before, problem)
		}
	}
	return found
}

// difference says in what got differs from want, empty if in nothing.
func difference(got, want map[string]string) string {
	var problems []string
	for key, data := range want {
		switch have, there := got[key]; {
		case !there:
			problems = append(problems, "there should be "+key)
		case !sameJSON([]byte(have), []byte(data)):
			problems = append(problems, fmt.Sprintf("%s should be %s, it is %s", key, short([]byte(data)), short([]byte(have))))
		}
	}
	for key := range got {
		if _, there := want[key]; !there {
			problems = append(problems, "there should be no "+key)
		}
	}
	slices.Sort(problems)
	return strings.Join(problems, ", ")
}

func cleanAfterKill(t *testing.T, s store.Store) {
	t.Helper()
	documents, err := s.List(context.Background(), killKind)
	for _, document := range documents {
		err = errors.Join(err, s.Delete(context.Background(), document.Key, ""))
	}
	if err != nil {
		t.Errorf("cleaning up: %v", err)
	}
}

func closeStore(t *testing.T, s store.Store) {
	t.Helper()
	if closer, ok := s.(io.Closer); ok {
		if err := closer.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}
