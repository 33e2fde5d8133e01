package kubernetes

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/loglines"
)

// logStreams is how many logs of one call are read at a time.
const logStreams = 8

// GetLogs implements [hosting.CloudHostingProvider]: the logs of all pods and
// containers that exist, merged by time, and of a container that has been
// restarted also those of the run before. Kubernetes keeps no logs of pods
// that are gone. When some logs cannot be read, because a node is away, it
// returns the others together with an error that names the pods.
func (p *Provider) GetLogs(ctx context.Context, instanceID string, options hosting.LogQueryOptions) ([]hosting.LogEntry, error) {
	t, err := p.find(hosting.LogsFailed, instanceID)
	if err != nil {
		return nil, err
	}
	refuse := func(reason hosting.Reason, err error) error {
		failed := hosting.Errorf(p.config.Name, hosting.LogsFailed, reason, "%w", err)
		failed.InstanceID = t.id
		return failed
	}
	filter, err := loglines.NewFilter(options)
	switch {
	case err != nil:
		return nil, refuse(hosting.InvalidArgument, err)
	case options.Follow:
		return nil, refuse(hosting.InvalidArgument, hosting.FieldErrors{{Field: "follow", Value: true, Allowed: "false: use StreamLogs to follow"}})
	case options.After != "":
		return nil, refuse(hosting.InvalidArgument, hosting.FieldErrors{{Field: "after", Value: options.After, Allowed: "a cursor, which log entries of this provider do not have"}})
	}
	if _, err := p.getAnchor(ctx, hosting.LogsFailed, t); err != nil {
		return nil, err
	}
	var list corev1.PodList
	if err := pods.list(ctx, t.region, p.podSelector(t), &list); err != nil {
		return nil, p.fail(ctx, hosting.LogsFailed, t.id, "listing pods", err)
	}
	entries, failures := p.readLogs(ctx, t, logSources(list.Items), filter, options)
	// Lines of one millisecond keep the order of their source.
	slices.SortStableFunc(entries, func(a, b hosting.LogEntry) int { return a.Timestamp.Compare(b.Timestamp) })
	if extra := len(entries) - filter.Limit(); extra > 0 {
		entries = entries[extra:]
	}
	if failures != nil {
		return entries, p.fail(ctx, hosting.LogsFailed, t.id, fmt.Sprintf("%d logs could not be read", failures.Len()), failures)
	}
	return entries, nil
}

// readLogs reads all sources. One that fails does not hide the others.
func (p *Provider) readLogs(ctx context.Context, t target, sources []logSource, filter *loglines.Filter, options hosting.LogQueryOptions) ([]hosting.LogEntry, *multierror.Error) {
	found, errs := make([][]hosting.LogEntry, len(sources)), make([]error, len(sources))
	var group errgroup.Group
	group.SetLimit(logStreams)
	for i, source := range sources {
		group.Go(func() error {
			found[i], errs[i] = source.read(ctx, t.region, filter, options)
			return nil
		})
	}
	_ = group.Wait()
	var failures *multierror.Error
	for _, err := range errs {
		if err != nil {
			failures = multierror.Append(failures, err)
			failures.ErrorFormat = joinErrors
		}
	}
	return slices.Concat([]hosting.LogEntry{}, slices.Concat(found...)), failures
}

// joinErrors prints several errors in one line.
func joinErrors(errs []error) string {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// logSource is one run of one container.
type logSource struct {
	pod, container, node string
	previous             bool
}

// logSources returns what has logs, an earlier run of a container before the
// later one.
func logSources(list []corev1.Pod) []logSource {
	var sources []logSource
	for _, pod := range list {
		for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			source := logSource{pod: pod.Name, container: c.Name, node: pod.Spec.NodeName}
			started := c.State.Running != nil || c.State.Terminated != nil
			if c.LastTerminationState.Terminated != nil && started {
				source.previous = true
				sources = append(sources, source)
				source.previous = false
			}
			// A container that waits for its next start answers with the log
			// of the run before.
			if started || c.LastTerminationState.Terminated != nil {
				sources = append(sources, source)
			}
		}
	}
	return sources
}

// read returns the newest matching entries of the source, oldest first.
func (s logSource) read(ctx context.Context, at *region, filter *loglines.Filter, options hosting.LogQueryOptions) ([]hosting.LogEntry, error) {
	query := &corev1.PodLogOptions{Container: s.container, Previous: s.previous, Timestamps: true}
	if !options.StartTime.IsZero() {
		query.SinceTime = &metav1.Time{Time: options.StartTime.Std()}
	}
	if !filter.SelectsContent() && options.EndTime.IsZero() {
		query.TailLines = new(int64(filter.Limit()))
	}
	stream, err := at.client.CoreV1().Pods(at.namespace).GetLogs(s.pod, query).Stream(ctx)
	if err != nil {
		if isNoLog(err) {
			return nil, nil
		}
		return nil, fmtError("pod "+s.pod, err)
	}
	defer stream.Close()
	tail := loglines.NewTail(filter.Limit())
	if err := scanLines(stream, func(line string) {
		if entry, ok := s.entry(line); ok && filter.Match(entry) {
			tail.Add(entry)
		}
	}); err != nil {
		return nil, fmtError("pod "+s.pod, err)
	}
	return tail.Entries(), nil
}

// isNoLog tells that there is nothing to read: the pod is gone, the container
// has not started, or the run before has been removed.
func isNoLog(err error) bool {
	if apierrors.IsNotFound(err) {
		var status apierrors.APIStatus
		// The pod itself, not its node, which may be away with the logs.
		return errors.As(err, &status) && status.Status().Details != nil && status.Status().Details.Kind == "pods"
	}
	if !apierrors.IsBadRequest(err) {
		return false
	}
	for _, text := range []string{"waiting to start", "is not available", "not found", "is terminated", "previous terminated container"} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// entry reads a line that begins with its time.
func (s logSource) entry(line string) (hosting.LogEntry, bool) {
	stamp, message, _ := strings.Cut(line, " ")
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return hosting.LogEntry{}, false
	}
	entry := hosting.LogEntry{
		Timestamp: hosting.NewTime(at),
		Level:     loglines.Level(message),
		Message:   message,
		Source:    s.pod + "/" + s.container,
		Metadata:  map[string]string{"pod": s.pod, "container": s.container},
	}
	if s.node != "" {
		entry.Metadata["node"] = s.node
	}
	if s.previous {
		entry.Metadata["previous"] = "true"
	}
	return entry, true
}

// maxLine bounds the memory of one line; what is longer is cut.
const maxLine = 1 << 20

// scanLines calls each with every line, without its line break.
func scanLines(r io.Reader, each func(string)) error {
	reader := bufio.NewReaderSize(r, 64<<10)
	var line []byte
	for {
		part, err := reader.ReadSlice('\n')
		if room := maxLine - len(line); room > 0 {
			line = append(line, part[:min(len(part), room)]...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if text := strings.TrimRight(string(line), "\r\n"); text != "" {
			each(text)
		}
		line = line[:0]
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
