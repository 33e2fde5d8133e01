package kubernetes

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/loglines"
)

func allEntries(t *testing.T) *loglines.Filter {
	t.Helper()
	filter, err := loglines.NewFilter(hosting.LogQueryOptions{})
	require.NoError(t, err)
	return filter
}

// followedSource is a source that is being followed.
type followedSource struct {
	*logSource
	k    *kubeletScript
	mu   sync.Mutex
	text []string // numbers of lines, and reasons of gaps
	done chan error
}

func followScript(t *testing.T, k *kubeletScript) *followedSource {
	t.Helper()
	return followFrom(t, k, k.snapshot())
}

// followFrom begins with what the API server tells of the pod.
func followFrom(t *testing.T, k *kubeletScript, pod *corev1.Pod) *followedSource {
	t.Helper()
	f := &followedSource{logSource: k.source(t), k: k, done: make(chan error, 1)}
	f.state = newPodState(pod)
	f.send = func(_ context.Context, items []logItem) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, item := range items {
			switch {
			case item.hidden:
			case item.entry.Gap() != "":
				f.text = append(f.text, item.entry.Gap())
			default:
				f.text = append(f.text, strings.TrimPrefix(item.entry.Message, "line "))
			}
		}
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { f.done <- f.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-f.done
	})
	return f
}

func (f *followedSource) got() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.text, " ")
}

// await waits until exactly this has come.
func (f *followedSource) await(t *testing.T, want string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) { assert.Equal(c, want, f.got()) }, time.Minute, 5*time.Millisecond)
}

// tell lets the source know the pod, as a watch does.
func (f *followedSource) tell() { f.state.set(f.k.snapshot(), false) }

func (f *followedSource) remove() {
	f.k.do(func() { f.k.gone = true })
	f.state.set(f.k.snapshot(), true)
}

func (f *followedSource) ended(t *testing.T) {
	t.Helper()
	select {
	case err := <-f.done:
		require.NoError(t, err)
		f.done <- nil
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
}

func startedScript(lines ...int) *kubeletScript {
	k := &kubeletScript{}
	k.start()
	k.print(lines...)
	return k
}

func TestABrokenConnectionLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	for _, abort := range []bool{false, true} {
		t.Run(strconv.FormatBool(abort), func(t *testing.T) {
			t.Parallel()
			k := startedScript(1, 2)
			f := followScript(t, k)
			f.await(t, "1 2")
			k.disconnect(abort)
			k.print(3, 4)
			f.await(t, "1 2 3 4")
			k.disconnect(!abort)
			k.print(25, 26)
			f.await(t, "1 2 3 4 25 26")
		})
	}
}

func TestTheRestOfARunThatEndedWhileDisconnectedComesFirst(t *testing.T) {
	t.Parallel()
	k := startedScript(1, 2)
	f := followScript(t, k)
	f.await(t, "1 2")
	k.do(func() { k.gone = true }) // the API server is away, in a way
	k.disconnect(true)
	k.print(3)
	k.end()
	k.start()
	k.print(10, 11)
	k.do(func() { k.gone = false })
	f.tell()
	f.await(t, "1 2 3 10 11")
}

func TestTheKubeletMayHaveAnotherRunThanTheAPIServerTells(t *testing.T) {
	t.Parallel()
	k := startedScript(1, 2)
	f := followScript(t, k)
	f.await(t, "1 2")
	k.do(func() { k.stale = k.pod() })
	k.print(3)
	k.do(func() {
		k.runs[0].ended = true
		k.runs = append(k.runs, &scriptedRun{files: [][]string{nil}})
		k.cut++
		k.abort = true
	})
	k.print(10)
	f.await(t, "1 2 3") // what the run before had left is there all the same
	time.Sleep(2 * time.Second)
	assert.Equal(t, "1 2 3", f.got())
	k.do(func() { k.stale = nil })
	f.tell()
	f.await(t, "1 2 3 10")
}

func TestSeveralRestartsAreAGap(t *testing.T) {
	t.Parallel()
	k := startedScript(1)
	f := followScript(t, k)
	f.await(t, "1")
	k.do(func() { k.stale = k.pod() })
	k.do(func() {
		k.runs[0].ended = true
		k.runs = append(k.runs, &scriptedRun{files: [][]string{nil}, ended: true}, &scriptedRun{files: [][]string{nil}, ended: true}, &scriptedRun{files: [][]string{nil}})
		k.runs[2].files[0] = []string{scriptStart.Add(3*time.Second).UTC().Format(time.RFC3339Nano) + " line 30\n"}
		k.stale = nil
		k.cut++
		k.abort = true
	})
	k.print(40)
	f.tell()
	f.await(t, "1 restarts 30 40")
}

func TestWhatWasRotatedAwayWhileDisconnectedIsAGap(t *testing.T) {
	t.Parallel()
	k := startedScript(1, 2)
	f := followScript(t, k)
	f.await(t, "1 2")
	k.do(func() {
		r := k.runs[0]
		r.files = append(r.files, nil)
		k.cut++
	})
	k.print(12, 13)
	f.await(t, "1 2 rotated 12 13")
	k.print(14)
	f.await(t, "1 2 rotated 12 13 14")
}

func TestAKubeletThatWaitsForAnOldFileIsAskedAgain(t *testing.T) {
	t.Parallel()
	k := startedScript(1, 2)
	f := followScript(t, k)
	f.await(t, "1 2")
	k.rotate()
	k.print(5, 6)
	f.await(t, "1 2 5 6") // the old file has been read to its end
}

func TestAPodThatWasReadToItsEndLeavesNoGap(t *testing.T) {
	t.Parallel()
	k := startedScript(1, 2)
	f := followScript(t, k)
	f.await(t, "1 2")
	k.print(3)
	k.end()
	f.tell()
	require.Eventually(t, func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.opened >= 2
	}, time.Minute, time.Millisecond)
	time.Sleep(100 * time.Millisecond)
	f.remove()
	f.ended(t)
	assert.Equal(t, "1 2 3", f.got())
}

func TestAPodThatIsDeletedBeforeItsEndLeavesAGap(t *testing.T) {
	t.Parallel()
	k := startedScript(1, 2)
	f := followScript(t, k)
	f.await(t, "1 2")
	k.do(func() { k.gone, k.cut = true, 1 })
	f.remove()
	f.ended(t)
	assert.Equal(t, "1 2 deleted", f.got())
}

func TestAPodThatNeverRanLeavesNoGap(t *testing.T) {
	t.Parallel()
	k := &kubeletScript{}
	f := followScript(t, k)
	f.remove()
	f.ended(t)
	assert.Empty(t, f.got())
}

func (k *kubeletScript) restart() {
	k.do(func() {
		k.runs[len(k.runs)-1].ended = true
		k.runs = append(k.runs, &scriptedRun{files: [][]string{nil}})
		k.cut++
	})
}

func TestARunThatEndedForTheAPIServerMayHaveBeenFollowedByAnother(t *testing.T) {
	t.Parallel()
	k := startedScript(1, 2)
	f := followScript(t, k)
	f.await(t, "1 2")
	k.print(3)
	k.do(func() {
		k.runs[0].ended = true
		k.stale = k.pod()
		k.runs = append(k.runs, &scriptedRun{files: [][]string{nil}})
		k.cut, k.abort = k.cut+1, true
	})
	k.print(10, 11)
	f.state.set(k.stale, false)
	f.await(t, "1 2 3")
	time.Sleep(2 * time.Second)
	k.do(func() { k.stale = nil })
	f.tell()
	f.await(t, "1 2 3 10 11")
}

func TestARunIsNotReadAsTheOneBefore(t *testing.T) {
	t.Parallel()
	k := startedScript(5, 6)
	stale := k.snapshot()
	k.do(func() { k.stale = stale })
	k.restart()
	k.print(20, 21)
	f := followFrom(t, k, stale)
	f.await(t, "5 6")
	time.Sleep(2 * time.Second)
	k.do(func() { k.stale = nil })
	f.tell()
	f.await(t, "5 6 20 21")
}

func TestAKubeletThatWaitsForAnOldFileAfterAnEarlierSilenceIsAskedAgain(t *testing.T) {
	t.Parallel()
	k := startedScript(1, 2)
	f := followScript(t, k)
	f.await(t, "1 2")
	time.Sleep(2 * silence)
	f.volume.Add(burst) // as if much had come
	k.rotate()
	k.print(5, 6)
	f.await(t, "1 2 5 6") // the old file has been read to its end
}

func TestALineThatANewFileTearsApartLeavesAGap(t *testing.T) {
	t.Parallel()
	k := startedScript(1, 2)
	f := followScript(t, k)
	f.await(t, "1 2")
	k.do(func() {
		file := &k.runs[0].files[0]
		*file = append(*file, strings.TrimSuffix((*file)[1], "\n")) // and no end
	})
	k.rotate()
	k.print(5, 6)
	f.await(t, "1 2 rotated 5 6")
}
