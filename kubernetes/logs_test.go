package kubernetes

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestALineIsBoundedAndNoneIsLost(t *testing.T) {
	t.Parallel()
	lines := func(r io.Reader) (found []string, last string, err error) {
		reader := bufio.NewReaderSize(r, 64)
		var long []byte
		for {
			line, err := readLine(reader, &long)
			if err != nil {
				return found, string(line), err
			}
			found = append(found, string(line))
		}
	}
	found, last, err := lines(iotest.OneByteReader(strings.NewReader("a\n\nb\r\nlast")))
	require.ErrorIs(t, err, io.EOF)
	assert.Equal(t, []string{"a\n", "\n", "b\r\n"}, found)
	assert.Equal(t, "last", last)

	found, _, err = lines(strings.NewReader("a\n" + strings.Repeat("x", maxLine+10) + "\nb\n"))
	require.ErrorIs(t, err, io.EOF)
	require.Len(t, found, 3)
	assert.Len(t, found[1], maxLine)
	assert.Equal(t, "b\n", found[2])

	_, last, err = lines(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("ab"))))
	require.ErrorIs(t, err, iotest.ErrTimeout)
	assert.Equal(t, "a", last)
}

func TestALineBeginsWithItsTime(t *testing.T) {
	t.Parallel()
	at, message, ok := splitLine([]byte("2026-03-01T12:00:00.123456789Z  two words \r\n"))
	require.True(t, ok)
	assert.Equal(t, 123456789, at.Nanosecond())
	assert.Equal(t, " two words ", string(message))
	at, message, ok = splitLine([]byte("2026-03-01T14:00:00.123456789+02:00"))
	require.True(t, ok)
	assert.Equal(t, 12, at.UTC().Hour())
	assert.Empty(t, message)
	for _, other := range []string{"", "\n", "failed to open log file", "unable to retrieve container logs for containerd://1"} {
		_, _, ok = splitLine([]byte(other))
		assert.False(t, ok, other)
	}
}

func TestAMissingLogIsToldFromOneThatCannotBeRead(t *testing.T) {
	t.Parallel()
	notFound := func(resource string) error {
		return apierrors.NewGenericServerResponse(http.StatusNotFound, "", schema.GroupResource{Resource: resource}, "web-0", "", 0, true)
	}
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"the pod is gone":                     {notFound("pods"), true},
		"its kubelet does not know it":        {notFound("pods/log"), true},
		"its node is gone":                    {notFound("nodes"), false},
		"the container has not started":       {apierrors.NewBadRequest(`container "main" in pod "web-0" is waiting to start: ContainerCreating`), true},
		"the run before was removed":          {apierrors.NewBadRequest(`previous terminated container "main" in pod "web-0" not found`), true},
		"another bad request":                 {apierrors.NewBadRequest("tailLines must not be negative"), false},
		"nobody answers":                      {errors.New("connection refused"), false},
		"the kubelet cannot reach containerd": {apierrors.NewInternalError(errors.New("no runtime")), false},
	} {
		assert.Equal(t, c.want, isNoLog(c.err), name)
	}
}

func containerRunning(id string) corev1.ContainerState {
	_ = id
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
}

func containerEnded(id string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ContainerID: id, ExitCode: 1}}
}

func containerWaiting() corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
}

func TestTheRunsOfAContainerAreThoseTheKubeletHas(t *testing.T) {
	t.Parallel()
	type seen struct {
		id       string
		number   int64
		previous bool
		ended    bool
	}
	for _, test := range []struct {
		name   string
		status corev1.ContainerStatus
		want   []seen
	}{
		{"never started", corev1.ContainerStatus{State: containerWaiting()}, nil},
		{"running for the first time", corev1.ContainerStatus{State: containerRunning("a"), ContainerID: "a"}, []seen{{"a", 0, false, false}}},
		{"running again", corev1.ContainerStatus{State: containerRunning("b"), ContainerID: "b", RestartCount: 1, LastTerminationState: containerEnded("a")},
			[]seen{{"a", 0, true, true}, {"b", 1, false, false}}},
		{"ended", corev1.ContainerStatus{State: containerEnded("b"), ContainerID: "b", RestartCount: 1, LastTerminationState: containerEnded("a")},
			[]seen{{"a", 0, true, true}, {"b", 1, false, true}}},
		{"waiting to start again: the current log is that of the run before",
			corev1.ContainerStatus{State: containerWaiting(), RestartCount: 1, LastTerminationState: containerEnded("b")}, []seen{{"b", 1, false, true}}},
		{"ended without having run", corev1.ContainerStatus{State: containerEnded(""), RestartCount: 1, LastTerminationState: containerEnded("a")},
			[]seen{{"a", 1, false, true}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got, want []run
			for _, r := range runsOf(&test.status) {
				r.started = 0
				got = append(got, r)
			}
			for _, s := range test.want {
				want = append(want, run{id: runID(s.id), number: s.number, previous: s.previous, ended: s.ended})
			}
			assert.Equal(t, want, got)
		})
	}
}

func TestTheNextStepMissesNoRun(t *testing.T) {
	t.Parallel()
	a := run{id: 1, number: 0, ended: true, previous: true}
	b := run{id: 2, number: 1}
	c := run{id: 3, number: 2, ended: true, previous: true}
	d := run{id: 4, number: 3}
	for _, test := range []struct {
		name string
		at   position
		runs []run
		want step
	}{
		{"nothing has run", position{}, nil, step{idle: true}},
		{"from the start", position{}, []run{a, b}, step{run: a}},
		{"the rest of a run that has ended", position{runID: 1}, []run{a, b}, step{run: a, resume: true}},
		{"the next run", position{runID: 1, ended: true}, []run{a, b}, step{run: b}},
		{"the run goes on", position{run: 1, runID: 2}, []run{a, b}, step{run: b, resume: true}},
		{"the run has ended", position{run: 1, runID: 2, ended: true}, []run{{id: 2, number: 1, ended: true}}, step{idle: true}},
		{"two runs later, and the first was read to its end", position{run: 1, runID: 2, ended: true}, []run{c, d}, step{run: c}},
		{"two runs later", position{run: 1, runID: 2}, []run{c, d}, step{run: c, missed: true}},
		{"three runs later", position{run: 0, runID: 1, ended: true}, []run{c, d}, step{run: c, missed: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, nextStep(test.at, test.runs))
		})
	}
}

func TestSkippedRunsAreNotMissedTwice(t *testing.T) {
	t.Parallel()
	s := &logSource{}
	s.at.position = position{run: 0, runID: 1}
	c, d := run{id: 3, number: 2, previous: true, ended: true}, run{id: 4, number: 3}
	assert.Equal(t, step{run: c}, nextStep(s.skipTo(c), []run{c, d}))
	s.at.position = position{run: 9, runID: 3} // numbers may begin anew
	assert.Equal(t, step{run: c}, nextStep(s.skipTo(c), []run{c, d}))
}
