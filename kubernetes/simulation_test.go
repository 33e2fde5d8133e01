package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/loglines"
)

// scenario is what a simulated container and its surroundings do.
type scenario struct {
	trouble    trouble
	crashes    time.Duration // how long a run lasts at most; 0: for ever
	backOff    time.Duration // the longest until the next run
	bursts     bool          // more than a file at once, then silence
	steady     bool          // many lines, all the time
	disconnect time.Duration // how often connections break, about; 0: never
	size       int           // of the lines when there are many
	slow       time.Duration // how long the reader sometimes takes for a batch
}

// simulate follows a container for some minutes and returns what came: numbers
// of lines, and 0 for each gap.
func simulate(t *testing.T, seed uint64, s scenario) (n *simulatedNode, got []int, late bool) {
	t.Helper()
	n = newSimulatedNode(seed, s.trouble)
	client, err := clientset.NewForConfig(&rest.Config{Host: "http://simulated", QPS: -1, Transport: n})
	require.NoError(t, err)
	filter, err := loglines.NewFilter(hosting.LogQueryOptions{})
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(seed, 2))
	upTo := func(most time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(most) + 1)) }
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup

	state := newPodState(n.snapshot())
	told := make(chan struct{}, 1)
	tell := func() {
		pod := n.snapshot()
		lag, watch := n.upTo(s.trouble.statusLag), n.upTo(s.trouble.statusLag/4)
		previous := told
		mine := make(chan struct{}, 1)
		told = mine
		wg.Go(func() {
			time.Sleep(lag)
			<-previous // what the kubelet tells keeps its order
			n.tell(pod)
			mine <- struct{}{}
			time.Sleep(watch)
			n.mu.Lock()
			n.tracef("a watch tells of version %s", pod.ResourceVersion)
			n.mu.Unlock()
			state.set(pod, false)
		})
	}
	told <- struct{}{}

	var mu sync.Mutex
	slow := rand.New(rand.NewPCG(seed, 3))
	query := &logQuery{p: &Provider{logSlots: newLogSlots(1)}, t: target{region: &region{namespace: "default", client: client}}, filter: filter, follow: true}
	query.send = func(ctx context.Context, items []logItem) error {
		if s.slow > 0 && slow.IntN(20) == 0 {
			if err := sleep(ctx, time.Duration(slow.Int64N(int64(s.slow)))); err != nil {
				return err
			}
		}
		mu.Lock()
		defer mu.Unlock()
		n.mu.Lock()
		defer n.mu.Unlock()
		before := len(got)
		for _, item := range items {
			switch {
			case item.hidden:
			case item.entry.Gap() != "":
				n.tracef("received a gap: %s", item.entry.Gap())
				got = append(got, 0)
			default:
				number, err := strconv.Atoi(strings.Fields(item.entry.Message)[1])
				if err != nil {
					t.Errorf("received %q", item.entry.Message)
				}
				got = append(got, number)
			}
		}
		if len(got) > before {
			n.tracef("received %d to %d", got[before], got[len(got)-1])
		}
		return nil
	}
	source := newLogSource(query, n.snapshot(), containerName, state)
	source.caught = true
	done := make(chan error, 1)
	go func() { done <- source.run(ctx) }()

	// The kubelet looks at its logs now and then.
	quit, stop := context.WithCancel(ctx)
	phase := upTo(3 * time.Second)
	wg.Go(func() {
		time.Sleep(phase)
		for late := time.Duration(0); ; {
			// It looks every three seconds, and gets round to it later.
			next := n.upTo(s.trouble.stuck/2) + n.upTo(1500*time.Millisecond)
			next = min(next, 1500*time.Millisecond)
			if sleep(quit, 3*time.Second-late+next) != nil {
				return
			}
			late = next
			n.rotate()
		}
	})
	if s.disconnect > 0 {
		breaks := rand.New(rand.NewPCG(seed, 4))
		wg.Go(func() {
			for sleep(quit, time.Duration(breaks.Int64N(int64(2*s.disconnect)))) == nil {
				if breaks.IntN(2) == 0 {
					n.breakAll(io.EOF)
				} else {
					n.breakAll(errors.New("connection reset"))
				}
			}
		})
	}
	for began := time.Now(); time.Since(began) < 2*time.Minute; {
		n.start()
		tell()
		life := s.crashes/8 + upTo(s.crashes)
		for born := time.Now(); time.Since(began) < 2*time.Minute && (s.crashes == 0 || time.Since(born) < life); {
			switch {
			case s.steady:
				n.print(1+rng.IntN(10), max(s.size, 200))
				time.Sleep(upTo(20 * time.Millisecond))
			// What begins with more than a file and then falls silent could
			// not be told from what begins late.
			case s.bursts && time.Since(born) > 12*time.Second && rng.IntN(3) == 0:
				n.print(200+rng.IntN(400), 2000)
				time.Sleep(upTo(8 * time.Second))
			case rng.IntN(4) == 0:
				time.Sleep(upTo(6 * time.Second))
			default:
				n.print(1+rng.IntN(5), 60)
				time.Sleep(upTo(500 * time.Millisecond))
			}
		}
		if s.crashes > 0 && time.Since(began) < 2*time.Minute {
			n.end()
			tell()
			// The next run begins in another second, and the API server is not
			// a whole run behind: what comes of that could not be told apart.
			pause := time.Second + upTo(s.backOff)
			time.Sleep(pause / 4)
			if pause > time.Second {
				n.backOff()
				tell()
			}
			time.Sleep(pause - pause/4)
		}
	}
	if n.runs[len(n.runs)-1].ended {
		n.start()
		tell()
	}
	time.Sleep(10 * time.Second)
	n.print(1, 20)
	for range 120 {
		time.Sleep(time.Second)
		mu.Lock()
		finished := len(got) > 0 && got[len(got)-1] == n.printed
		mu.Unlock()
		if finished {
			break
		}
	}
	stop()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("following ended with %v", err)
	}
	wg.Wait()
	n.wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	return n, got, len(got) == 0 || got[len(got)-1] != n.printed
}

// audit says what is wrong with what came. Spare are gaps at which nothing is
// missing.
func audit(got []int) (wrong []string, missing, gaps, spare int) {
	last, gap := 0, false
	for _, number := range got {
		switch {
		case number == 0:
			if gap {
				spare++
			}
			gaps++
			gap = true
			continue
		case number <= last:
			wrong = append(wrong, fmt.Sprintf("line %d after %d", number, last))
		case number > last+1 && !gap:
			wrong = append(wrong, fmt.Sprintf("lost %d to %d", last+1, number-1))
		case number == last+1 && gap:
			spare++
		}
		missing += max(0, number-last-1)
		last, gap = max(last, number), false
	}
	return wrong, missing, gaps, spare
}

var scenarios = map[string]scenario{
	"quiet":                  {},
	"crashes":                {crashes: 8 * time.Second, backOff: 3 * time.Second, trouble: trouble{statusLag: 300 * time.Millisecond}},
	"crashes on a busy node": {crashes: 8 * time.Second, backOff: 6 * time.Second, trouble: trouble{statusLag: 2 * time.Second}, disconnect: 8 * time.Second},
	"disconnects":            {crashes: 10 * time.Second, backOff: 3 * time.Second, disconnect: 3 * time.Second, trouble: trouble{statusLag: 300 * time.Millisecond}},
	"bursts":                 {bursts: true},
	"bursts, slow reader":    {bursts: true, slow: 5 * time.Second},
	"bursts on a busy node":  {bursts: true, trouble: trouble{stuck: 3 * time.Second}},
	"bursts, disconnects":    {bursts: true, disconnect: 5 * time.Second},
	"steady":                 {steady: true},
	"steady, disconnects":    {steady: true, disconnect: 5 * time.Second},
	"much, slow reader":      {steady: true, size: 2000, slow: 1500 * time.Millisecond},
	"steady, slow reader":    {steady: true, slow: time.Second},
	"all at once":            {bursts: true, crashes: 20 * time.Second, backOff: 5 * time.Second, disconnect: 5 * time.Second, slow: 3 * time.Second, trouble: trouble{statusLag: 1500 * time.Millisecond, stuck: time.Second}},
}

func TestFollowingASimulatedNodeLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	seeds, from := 5, 0
	if text := os.Getenv("SIMULATED_SEEDS"); text != "" {
		_, _ = fmt.Sscanf(text, "%d+%d", &from, &seeds)
	}
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var printed, missed, marked, needless, heads, logs int
			for seed := from; seed < from+seeds && !t.Failed(); seed++ {
				synctest.Test(t, func(t *testing.T) {
					n, got, late := simulate(t, uint64(seed), s)
					wrong, missing, gaps, spare := audit(got)
					if len(wrong) > 0 || late {
						_ = os.WriteFile(filepath.Join(t.ArtifactDir(), "trace"), []byte(strings.Join(n.trace, "\n")), 0o600)
						t.Errorf("seed %d: the last of %d lines has come: %v; %.300s", seed, n.printed, !late, strings.Join(wrong, ", "))
					}
					printed, missed, marked, needless = printed+n.printed, missed+missing, marked+gaps, needless+spare
					heads, logs = heads+n.asked["head"], logs+n.asked["log"]
				})
			}
			t.Logf("%s: %d lines, %d of them in %d gaps, %d more gaps without one; %d heads, %d logs asked for", name, printed, missed, marked-needless, needless, heads, logs)
		})
	}
}
