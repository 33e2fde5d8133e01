//go:build linux && e2e

package kubernetes_test

import (
	"cmp"
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/testcluster"
)

const (
	numberedImage = "skillcenter.io/test/numbered:v1"
	// patience is how long nothing may arrive, on a busy machine, before what is
	// missing counts as lost.
	patience = 30 * time.Second
)

// newLogWorld starts on a cluster whose pods run and that has the image of
// numbered lines.
func newLogWorld(t testing.TB) *world {
	t.Helper()
	w := newWorldOn(t, testcluster.StartWithNode(t), smallPods)
	loadNumbered.Do(func() {
		w.cluster.LoadImage(t, numberedImage, filepath.Join("..", "internal", "testcluster", "images", "numbered"))
	})
	return w
}

var loadNumbered sync.Once

// numbered is an instance that prints numbered lines.
func numbered(name string, replicas int, args ...string) hosting.CloudHostingConfig {
	grace := hosting.Duration(2 * time.Second)
	return hosting.CloudHostingConfig{
		InstanceName: name, InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: numberedImage, Args: args, TerminationGracePeriod: &grace},
		Scaling:   &hosting.ScaleConfig{MinReplicas: replicas},
	}
}

// start creates an instance without waiting for it.
func (w *world) start(t testing.TB, config hosting.CloudHostingConfig) string {
	t.Helper()
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	return instance.ID
}

// inbox holds what a follower receives.
type inbox struct {
	mu          sync.Mutex
	lines       []receivedLine
	began, last time.Time
	names       map[string]string // one copy of each name, not one for each line
}

func newInbox() *inbox { return &inbox{began: time.Now(), names: map[string]string{}} }

func (b *inbox) add(line receivedLine) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = now
	line.run, line.source = b.name(line.run), b.name(line.source)
	b.lines = append(b.lines, line)
}

func (b *inbox) name(text string) string {
	if known, ok := b.names[text]; ok {
		return known
	}
	text = strings.Clone(text)
	b.names[text] = text
	return text
}

// received returns what has come so far.
func (b *inbox) received() []receivedLine {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lines[:len(b.lines):len(b.lines)]
}

// span is how long it took from the start of the follower to the last line.
// From the first line would flatter one that reads much before it gives out
// anything.
func (b *inbox) span() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last.Sub(b.began)
}

// follower ranges over the stream of an instance's logs.
type follower struct {
	*inbox
	cancel context.CancelFunc
	done   chan struct{}
	err    error // once done is closed
}

// follow follows an instance until it is stopped. Each, if not nil, is called
// before an entry counts as received; it may take its time.
func follow(t testing.TB, p hosting.CloudHostingProvider, id string, options hosting.LogQueryOptions, each func(context.Context, hosting.LogEntry)) *follower {
	t.Helper()
	options.Follow = true
	ctx, cancel := context.WithCancel(t.Context())
	f := &follower{inbox: newInbox(), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		for entry, err := range hosting.StreamLogs(ctx, p, id, options) {
			if f.err != nil {
				t.Errorf("something came after the error %v", f.err)
			}
			if err != nil {
				f.err = err
				continue
			}
			if each != nil {
				each(ctx, entry)
			}
			f.add(readEntry(entry))
		}
	}()
	t.Cleanup(func() {
		f.cancel()
		<-f.done
	})
	return f
}

func readEntry(entry hosting.LogEntry) receivedLine {
	line := receivedLine{source: entry.Source, gap: entry.Gap()}
	if line.gap != "" {
		return line
	}
	var ok bool
	if line.run, line.number, ok = numberedLine(entry.Message); !ok {
		line.other = cmp.Or(entry.Message, "an empty line")
	}
	return line
}

// stop ends the follower, which must end without an error and soon.
func (f *follower) stop(t testing.TB) {
	t.Helper()
	f.cancel()
	select {
	case <-f.done:
	case <-time.After(patience):
		require.FailNow(t, "the stream did not end when its context was cancelled")
	}
	require.NoError(t, f.err, "a stream ends without an error when its context is cancelled")
}

// settle waits until everything printed until the end of the period has
// arrived, or nothing has for long, and returns the account.
func settle(t testing.TB, logs *nodeLogs, received func() []receivedLine, end time.Time) account {
	t.Helper()
	began := time.Now()
	for count, changed := -1, began; ; pause(t, time.Second) {
		got := received() // before what was printed: nobody receives more than that
		if len(got) != count {
			count, changed = len(got), time.Now()
		}
		result := logs.printed(t).audit(got, end)
		if result.Lost == 0 || time.Since(changed) > patience || time.Since(began) > 3*patience {
			return result
		}
	}
}

// pause waits for the period of a scenario to pass.
func pause(t testing.TB, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		require.FailNow(t, "the test was ended")
	}
}

// awaitLines waits until a follower has received as many lines.
func (f *follower) awaitLines(t testing.TB, count int) {
	t.Helper()
	require.Eventually(t, func() bool {
		select {
		case <-f.done:
			return true
		default:
			return len(f.received()) >= count
		}
	}, waitTime, 50*time.Millisecond, "too few lines arrive")
	select {
	case <-f.done:
		require.FailNow(t, "the stream ended by itself", "%v", f.err)
	default:
	}
}

// requireNoFault fails the test if a line was lost outside of a gap, repeated,
// out of order or made up.
func requireNoFault(t testing.TB, a account) {
	t.Helper()
	t.Log(a)
	require.Positive(t, a.Printed)
	require.Zero(t, a.Faults(), a.String())
	assert.Equal(t, a.Printed, a.Received+a.InGaps)
}
