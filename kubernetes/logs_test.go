package kubernetes

import (
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestScanLinesBoundsALineAndLosesNone(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxLine+10)
	var lines []string
	err := scanLines(iotest.OneByteReader(strings.NewReader("a\n\nb\r\nlast")), func(line string) { lines = append(lines, line) })
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b", "last"}, lines)

	lines = nil
	require.NoError(t, scanLines(strings.NewReader("a\n"+long+"\nb\n"), func(line string) { lines = append(lines, line) }))
	require.Len(t, lines, 3)
	assert.Len(t, lines[1], maxLine)
	assert.Equal(t, "b", lines[2])

	lines = nil
	require.Error(t, scanLines(iotest.TimeoutReader(strings.NewReader("a\nb")), func(line string) { lines = append(lines, line) }))
}

func TestLogSourcesNameEachRunOnce(t *testing.T) {
	t.Parallel()
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}
	waiting := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	for _, test := range []struct {
		name        string
		state, last corev1.ContainerState
		previous    []bool
	}{
		{"running for the first time", running, corev1.ContainerState{}, []bool{false}},
		{"running again", running, ended, []bool{true, false}},
		{"waiting to start again: the current log is that of the run before", waiting, ended, []bool{false}},
		{"never started", waiting, corev1.ContainerState{}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-1"}}
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", State: test.state, LastTerminationState: test.last}}
			var previous []bool
			for _, source := range logSources([]corev1.Pod{p}) {
				previous = append(previous, source.previous)
			}
			assert.Equal(t, test.previous, previous)
		})
	}
}

func TestLogEntryReadsTimeAndLevel(t *testing.T) {
	t.Parallel()
	entry, ok := logSource{pod: "web-1", container: "main"}.entry("2026-03-01T12:00:00.123456789Z ERROR no luck")
	require.True(t, ok)
	assert.Equal(t, "2026-03-01T12:00:00.123Z", entry.Timestamp.String())
	assert.Equal(t, "error", entry.Level)
	assert.Equal(t, "ERROR no luck", entry.Message)
	assert.Equal(t, "web-1/main", entry.Source)
	_, ok = logSource{}.entry("failed to open log file")
	assert.False(t, ok)
}
