package kubernetes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// simulatedNode answers for one container as an API server and a kubelet do,
// with the weaknesses that make following a log hard: the kubelet is ahead of
// what the API server tells, follows a rotated log from one notification to the
// next, opens whatever file is there by then, and waits for its reader. All of
// it takes virtual time.
type simulatedNode struct {
	trouble trouble

	mu      sync.Mutex
	rng     *rand.Rand
	runs    []*simulatedRun
	printed int // lines; each carries its number
	last    time.Time
	waiting bool // for the next run, after the last
	gone    bool
	down    bool // the API server cannot be reached
	version int
	told    *corev1.Pod // what the API server tells
	conns   map[*simulatedConn]bool
	asked   map[string]int // requests by what they ask for
	free    time.Time      // until then the node does nothing

	wg    sync.WaitGroup
	trace []string // what happened, for whoever looks into a failure
}

func (n *simulatedNode) tracef(format string, args ...any) {
	n.trace = append(n.trace, time.Now().Format("04:05.000000 ")+fmt.Sprintf(format, args...))
}

// trouble is what goes wrong, and how badly.
type trouble struct {
	statusLag time.Duration // the longest from what happens to what the API server tells
	stuck     time.Duration // the longest that the node does nothing at all
}

type simulatedRun struct {
	files             []*simulatedFile // the last is at the log's path
	away              bool             // it has just been renamed
	started, finished time.Time
	ended             bool
	watchers          map[*notifications]bool
}

type simulatedFile struct {
	lines []simulatedLine
	bytes int
}

type simulatedLine struct {
	at   time.Time
	text string
}

// maxSimulatedFile is containerLogMaxSize.
const maxSimulatedFile = 512 << 10

func newSimulatedNode(seed uint64, t trouble) *simulatedNode {
	n := &simulatedNode{trouble: t, rng: rand.New(rand.NewPCG(seed, 1)), conns: map[*simulatedConn]bool{}, asked: map[string]int{}}
	n.told = n.pod()
	return n
}

// upTo returns a random duration, mostly a short one.
func (n *simulatedNode) upTo(most time.Duration) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := time.Duration(n.rng.Int64N(int64(5 * time.Millisecond)))
	if most > 0 && n.rng.IntN(4) == 0 {
		d = time.Duration(n.rng.Int64N(int64(most)))
	}
	return d
}

// work is what the kubelet does for anything: it takes a moment, or until the
// node gets round to it.
func (n *simulatedNode) work() {
	n.mu.Lock()
	now := time.Now()
	if n.trouble.stuck > 0 && n.free.Before(now) && n.rng.IntN(30) == 0 {
		n.free = now.Add(time.Duration(n.rng.Int64N(int64(n.trouble.stuck))))
	}
	until := n.free
	n.mu.Unlock()
	time.Sleep(max(n.upTo(0), time.Until(until)))
}

// start begins a run, and end ends it.
func (n *simulatedNode) start() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.runs = append(n.runs, &simulatedRun{files: []*simulatedFile{{}}, started: time.Now(), watchers: map[*notifications]bool{}})
	n.waiting = false
	n.version++
	n.tracef("run %d starts", len(n.runs)-1)
}

// backOff lets the container that has ended wait for its next start.
func (n *simulatedNode) backOff() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting = true
	n.version++
}

func (n *simulatedNode) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.runs[len(n.runs)-1]
	r.ended, r.finished = true, time.Now()
	n.tracef("run %d ends", len(n.runs)-1)
	n.version++
	for w := range r.watchers {
		w.add(false)
	}
}

// print adds as many lines to the log.
func (n *simulatedNode) print(count, size int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.runs[len(n.runs)-1]
	file := r.files[len(r.files)-1]
	for range count {
		at := time.Now()
		if !at.After(n.last) && n.rng.IntN(10) > 0 {
			at = n.last.Add(time.Duration(n.rng.IntN(2000)))
		}
		n.last = at
		n.printed++
		text := fmt.Sprintf("line %d ", n.printed)
		text += strings.Repeat(".", max(0, size-len(text)))
		file.lines = append(file.lines, simulatedLine{at, text})
		file.bytes += len(text) + 40
	}
	n.tracef("printed to %d", n.printed)
	for w := range r.watchers {
		w.add(false)
	}
}

// rotate does what the kubelet does now and then.
func (n *simulatedNode) rotate() {
	n.mu.Lock()
	if len(n.runs) == 0 {
		n.mu.Unlock()
		return
	}
	r := n.runs[len(n.runs)-1]
	if r.ended || r.files[len(r.files)-1].bytes < maxSimulatedFile {
		n.mu.Unlock()
		return
	}
	r.away = true
	n.mu.Unlock()
	time.Sleep(n.upTo(0))
	n.mu.Lock()
	defer n.mu.Unlock()
	r.away = false
	n.tracef("rotated")
	r.files = append(r.files, &simulatedFile{})
	for w := range r.watchers {
		w.add(true)
	}
}

// notifications of a folder, as inotify gives them.
type notifications struct {
	mu    sync.Mutex
	queue []bool // whether the log was created, not written
	more  chan struct{}
}

func (w *notifications) add(created bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 || created || w.queue[len(w.queue)-1] {
		w.queue = append(w.queue, created)
	}
	select {
	case w.more <- struct{}{}:
	default:
	}
}

// next waits for at most a second.
func (w *notifications) next(done <-chan struct{}) (created bool) {
	late := time.NewTimer(time.Second)
	defer late.Stop()
	for {
		w.mu.Lock()
		if len(w.queue) > 0 {
			created = w.queue[0]
			w.queue = w.queue[1:]
			w.mu.Unlock()
			return created
		}
		w.mu.Unlock()
		select {
		case <-w.more:
		case <-late.C:
			return false
		case <-done:
			return false
		}
	}
}

// pod is the pod as the kubelet knows it.
func (n *simulatedNode) pod() *corev1.Pod {
	pod := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: "web-1", Namespace: "default", UID: "uid", ResourceVersion: strconv.Itoa(100 + n.version)},
		Spec:       corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: containerName}}},
	}
	status := corev1.ContainerStatus{Name: containerName}
	ended := func(i int) *corev1.ContainerStateTerminated {
		r := n.runs[i]
		return &corev1.ContainerStateTerminated{
			ContainerID: fmt.Sprintf("containerd://c%d", i),
			StartedAt:   metav1.NewTime(r.started.Truncate(time.Second)), FinishedAt: metav1.NewTime(r.finished.Truncate(time.Second)),
		}
	}
	if i := len(n.runs) - 1; i >= 0 {
		status.RestartCount = int32(i)
		status.ContainerID = fmt.Sprintf("containerd://c%d", i)
		switch {
		case n.waiting:
			status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}
		case n.runs[i].ended:
			status.State.Terminated = ended(i)
		default:
			status.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(n.runs[i].started.Truncate(time.Second))}
		}
		if n.waiting {
			status.LastTerminationState.Terminated = ended(i)
		} else if i > 0 {
			status.LastTerminationState.Terminated = ended(i - 1)
		}
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{status}
	return pod
}

// tell lets the API server know, and returns what it tells now.
func (n *simulatedNode) tell(pod *corev1.Pod) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = pod
	n.tracef("the API server tells of version %s", pod.ResourceVersion)
}

func (n *simulatedNode) snapshot() *corev1.Pod {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.pod()
}

// breakAll breaks what is open: with an error, or as if nothing more came.
func (n *simulatedNode) breakAll(failure error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tracef("all break: %v", failure)
	for c := range n.conns {
		c.fail(failure)
	}
}

func answer(code int, body any) *http.Response {
	data, _ := json.Marshal(body)
	return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(data))}
}

func refusal(code int32, reason metav1.StatusReason, message string) *http.Response {
	return answer(int(code), metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure",
		Reason: reason, Code: code, Message: message, Details: &metav1.StatusDetails{Kind: "pods", Name: "web-1"}})
}

// RoundTrip implements http.RoundTripper: it is the way to the API server.
func (n *simulatedNode) RoundTrip(r *http.Request) (*http.Response, error) {
	query := r.URL.Query()
	log := strings.HasSuffix(r.URL.Path, "/log")
	kind := "pod"
	switch {
	case log && query.Get("limitBytes") != "":
		kind = "head"
	case log:
		kind = "log"
	}
	if err := sleep(r.Context(), n.upTo(n.trouble.statusLag/4)); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked[kind]++
	switch {
	case n.down:
		return nil, errors.New("connection refused")
	case n.gone:
		return refusal(404, metav1.StatusReasonNotFound, "pods \"web-1\" not found"), nil
	case !log:
		n.tracef("asked for the pod: version %s", n.told.ResourceVersion)
		return answer(200, n.told), nil
	}
	i := len(n.runs) - 1
	if query.Get("previous") == "true" && !n.waiting {
		i--
	}
	if i < 0 {
		return refusal(400, metav1.StatusReasonBadRequest, "previous terminated container \"main\" in pod \"web-1\" not found"), nil
	}
	n.tracef("asked for run %d, %s", i, r.URL.RawQuery)
	c := &simulatedConn{n: n, change: make(chan struct{})}
	n.conns[c] = true
	since, _ := time.Parse(time.RFC3339, query.Get("sinceTime"))
	limit, _ := strconv.Atoi(query.Get("limitBytes"))
	if limit == 0 {
		limit = 1 << 60
	}
	n.wg.Go(func() { c.read(n.runs[i], query.Get("follow") == "true", since, limit, r.Context().Done()) })
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/plain"}}, Body: c}, nil
}
