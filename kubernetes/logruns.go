package kubernetes

import (
	"hash/fnv"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// runsOf returns the runs of a container whose logs the kubelet still has, the
// oldest first. It mirrors how the kubelet chooses a log: while a container
// waits for its next start, the log of the run that ended is the current one.
func runsOf(status *corev1.ContainerStatus) []run {
	if status == nil {
		return nil
	}
	number := int64(status.RestartCount)
	current := run{number: number}
	earlier := endedRun(status.LastTerminationState.Terminated, number-1)
	switch {
	case status.State.Running != nil:
		current.id = runID(status.ContainerID)
		current.started = seconds(status.State.Running.StartedAt)
	case status.State.Terminated != nil && status.State.Terminated.ContainerID != "":
		current = endedRun(status.State.Terminated, number)
	default:
		current, earlier = earlier, run{}
		current.number = number
	}
	var runs []run
	if earlier.id != 0 && current.id != 0 {
		earlier.previous, earlier.until, current.after = true, current.started, earlier.finished
		runs = append(runs, earlier)
	}
	if current.id != 0 {
		runs = append(runs, current)
	}
	return runs
}

func endedRun(state *corev1.ContainerStateTerminated, number int64) run {
	if state == nil || state.ContainerID == "" {
		return run{}
	}
	return run{
		id: runID(state.ContainerID), number: max(number, 0), ended: true,
		started: seconds(state.StartedAt), finished: seconds(state.FinishedAt),
	}
}

func seconds(t metav1.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func runID(containerID string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(containerID))
	return max(h.Sum32(), 1)
}

// step is what to read next of a container.
type step struct {
	run    run
	resume bool // behind the position, not from the start
	missed bool // runs in between are no longer there
	idle   bool // nothing can be read until the container changes
}

// nextStep decides what follows a position.
func nextStep(at position, runs []run) step {
	if len(runs) == 0 {
		return step{idle: true}
	}
	i := slices.IndexFunc(runs, func(r run) bool { return r.id == at.runID })
	switch {
	case i >= 0 && !at.ended:
		return step{run: runs[i], resume: true}
	case i >= 0 && i+1 < len(runs):
		return step{run: runs[i+1]}
	case i >= 0:
		return step{idle: true}
	}
	first := runs[0]
	nothing := at.runID == 0
	adjacent := at.ended && first.number <= at.run+1
	return step{run: first, missed: !nothing && !adjacent}
}

// containerStatus returns the status of a container of any kind.
func containerStatus(pod *corev1.Pod, name string) *corev1.ContainerStatus {
	for _, list := range [][]corev1.ContainerStatus{
		pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses,
	} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

// logContainers names the containers of a pod, in the order they start.
func logContainers(pod *corev1.Pod) []string {
	var names []string
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		names = append(names, c.Name)
	}
	for _, c := range pod.Spec.EphemeralContainers {
		names = append(names, c.Name)
	}
	return names
}
