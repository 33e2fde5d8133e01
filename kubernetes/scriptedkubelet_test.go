package kubernetes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// kubeletScript answers for the logs of one container as a kubelet does, and
// does what a real one does at the worst moment only.
type kubeletScript struct {
	mu      sync.Mutex
	runs    []*scriptedRun
	gone    bool
	version int
	stale   *corev1.Pod // what the API server still tells
	cut     int         // counts the connections that were ended
	abort   bool        // the last were broken, not ended as if there was no more
	opened  int
}

type scriptedRun struct {
	files [][]string // of which only the last can be opened
	ended bool
}

// started is when a run began: with its first line.
func (r *scriptedRun) started() metav1.Time {
	for _, file := range r.files {
		for _, line := range file {
			stamp, _, _ := strings.Cut(line, " ")
			at, _ := time.Parse(time.RFC3339Nano, stamp)
			return metav1.NewTime(at.Truncate(time.Second))
		}
	}
	return metav1.Time{}
}

var scriptStart = time.Now().Truncate(time.Second).Add(-time.Hour)

// print adds lines to the current run.
func (k *kubeletScript) print(lines ...int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.runs[len(k.runs)-1]
	for _, n := range lines {
		stamp := scriptStart.Add(time.Duration(n) * 100 * time.Millisecond).UTC().Format("2006-01-02T15:04:05.000000000Z07:00")
		r.files[len(r.files)-1] = append(r.files[len(r.files)-1], fmt.Sprintf("%s line %d\n", stamp, n))
	}
}

func (k *kubeletScript) do(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
	k.version++
}

func (k *kubeletScript) start() {
	k.do(func() { k.runs = append(k.runs, &scriptedRun{files: [][]string{nil}}) })
}
func (k *kubeletScript) end() { k.do(func() { k.runs[len(k.runs)-1].ended = true }) }
func (k *kubeletScript) rotate() {
	k.do(func() { r := k.runs[len(k.runs)-1]; r.files = append(r.files, nil) })
}

// disconnect ends all connections, as if nothing more came or with an error.
func (k *kubeletScript) disconnect(abort bool) { k.do(func() { k.cut++; k.abort = abort }) }

// pod is the pod as it is.
func (k *kubeletScript) pod() *corev1.Pod {
	pod := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: "web-1", Namespace: "default", UID: "uid", ResourceVersion: strconv.Itoa(100 + k.version)},
		Spec:       corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: containerName}}},
	}
	status := corev1.ContainerStatus{Name: containerName}
	if n := len(k.runs) - 1; n >= 0 {
		status.RestartCount = int32(n)
		status.ContainerID = fmt.Sprintf("c%d", n)
		if k.runs[n].ended {
			status.State.Terminated = &corev1.ContainerStateTerminated{ContainerID: status.ContainerID, StartedAt: k.runs[n].started()}
		} else {
			status.State.Running = &corev1.ContainerStateRunning{StartedAt: k.runs[n].started()}
		}
		if n > 0 {
			status.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ContainerID: fmt.Sprintf("c%d", n-1), StartedAt: k.runs[n-1].started()}
		}
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{status}
	return pod
}

func (k *kubeletScript) snapshot() *corev1.Pod {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.pod()
}

func (k *kubeletScript) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	if k.gone {
		k.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure",
			Reason: metav1.StatusReasonNotFound, Code: 404, Details: &metav1.StatusDetails{Kind: "pods", Name: "web-1"}})
		return
	}
	if !strings.HasSuffix(r.URL.Path, "/log") {
		pod := k.pod()
		if k.stale != nil {
			pod = k.stale
		}
		k.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(pod)
		return
	}
	query := r.URL.Query()
	n := len(k.runs) - 1
	if query.Get("previous") == "true" {
		n--
	}
	if n < 0 {
		k.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure",
			Reason: metav1.StatusReasonBadRequest, Code: 400, Message: "previous terminated container \"main\" in pod \"web-1\" not found"})
		return
	}
	run, cut := k.runs[n], k.cut
	file := len(run.files) - 1
	read := 0
	k.opened++
	if query.Get("tailLines") != "" {
		read = max(0, len(run.files[file])-1)
	}
	k.mu.Unlock()
	since, _ := time.Parse(time.RFC3339, query.Get("sinceTime"))
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	for r.Context().Err() == nil {
		k.mu.Lock()
		lines := run.files[file][read:]
		read += len(lines)
		done := k.cut != cut && query.Get("follow") == "true"
		abort := done && k.abort
		ended := len(lines) == 0 && (run.ended || query.Get("follow") != "true")
		k.mu.Unlock()
		if abort {
			panic(http.ErrAbortHandler)
		}
		for _, line := range lines {
			if stamp, _, _ := strings.Cut(line, " "); !done {
				at, _ := time.Parse(time.RFC3339Nano, stamp)
				if !at.Before(since) {
					_, _ = w.Write([]byte(line))
				}
			}
		}
		_ = http.NewResponseController(w).Flush()
		if done || ended {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// source returns a source that reads from the script.
func (k *kubeletScript) source(t *testing.T) *logSource {
	t.Helper()
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	client, err := clientset.NewForConfig(&rest.Config{Host: server.URL, QPS: -1})
	require.NoError(t, err)
	pod := k.snapshot()
	query := &logQuery{
		p: &Provider{logSlots: newLogSlots(1)}, t: target{region: &region{namespace: "default", client: client}},
		filter: allEntries(t), follow: true,
	}
	s := newLogSource(query, pod, containerName, newPodState(pod))
	s.caught = true
	return s
}
