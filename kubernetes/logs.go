package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/loglines"
)

// logReads is how many logs of one call are read at a time.
const logReads = 8

// GetLogs implements [hosting.CloudHostingProvider]: the logs of all pods and
// containers that exist, merged by time, and of a container that has been
// restarted also those of the run before. Kubernetes keeps no logs of pods
// that are gone. When some logs cannot be read, because a node is away, it
// returns the others together with an error that names the pods.
//
// With After it returns what came behind the cursor, and gaps where lines may
// be missing, as [Provider.StreamLogs] does. It waits while Config.LogStreams
// others are being read.
func (p *Provider) GetLogs(ctx context.Context, instanceID string, options hosting.LogQueryOptions) ([]hosting.LogEntry, error) {
	t, err := p.find(hosting.LogsFailed, instanceID)
	if err != nil {
		return nil, err
	}
	if options.Follow {
		return nil, p.refuseLogs(t, hosting.FieldErrors{{Field: "follow", Value: true, Allowed: "false: use StreamLogs to follow"}})
	}
	l, err := p.openLog(ctx, t, options)
	if err != nil {
		return nil, err
	}
	entries := []hosting.LogEntry{}
	failures := l.backlog(ctx, func(entry hosting.LogEntry) bool {
		entries = append(entries, entry)
		return true
	})
	if failures != nil {
		return entries, p.fail(ctx, hosting.LogsFailed, t.id, fmt.Sprintf("%d logs could not be read", failures.Len()), failures)
	}
	return entries, nil
}

func (p *Provider) refuseLogs(t target, err error) error {
	failed := hosting.Errorf(p.config.Name, hosting.LogsFailed, hosting.InvalidArgument, "%w", err)
	failed.InstanceID = t.id
	return failed
}

// instanceLog is the log of an instance as one call reads it.
type instanceLog struct {
	p       *Provider
	t       target
	options hosting.LogQueryOptions
	filter  *loglines.Filter
	anchor  types.UID
	book    *cursorBook
	// after is where the sources are to begin that the cursor knows.
	after   map[sourceKey]position
	sources []*logSource
	lost    []sourceKey // the cursor knows them, and they are gone
}

// openLog checks the options and finds what has logs.
func (p *Provider) openLog(ctx context.Context, t target, options hosting.LogQueryOptions) (*instanceLog, error) {
	filter, err := loglines.NewFilter(options)
	if err != nil {
		return nil, p.refuseLogs(t, err)
	}
	a, err := p.getAnchor(ctx, hosting.LogsFailed, t)
	if err != nil {
		return nil, err
	}
	l := &instanceLog{p: p, t: t, options: options, filter: filter, anchor: a.UID, book: newCursorBook(string(a.UID))}
	if options.After != "" {
		if l.after, err = parseCursor(options.After, string(a.UID)); err != nil {
			return nil, p.refuseLogs(t, err)
		}
	}
	var list corev1.PodList
	if err := pods.list(ctx, t.region, p.podSelector(t), &list); err != nil {
		return nil, p.fail(ctx, hosting.LogsFailed, t.id, "listing pods", err)
	}
	found := map[sourceKey]bool{}
	for i := range list.Items {
		for _, s := range l.sourcesOf(&list.Items[i], newPodState(&list.Items[i])) {
			found[s.key] = true
			l.sources = append(l.sources, s)
		}
	}
	// What has ended begins again only if it is not an init container, nor a
	// job's.
	again := t.kind.instanceType != hosting.TypeJob && t.kind.instanceType != hosting.TypeCronJob
	for key, at := range l.after {
		if !found[key] && (!at.ended || again && key.container == containerName) {
			l.lost = append(l.lost, key)
		}
	}
	slices.SortFunc(l.lost, func(a, b sourceKey) int { return cmp.Compare(a.String(), b.String()) })
	return l, nil
}

// sourcesOf returns the sources of a pod, each at its position.
func (l *instanceLog) sourcesOf(pod *corev1.Pod, state *podState) []*logSource {
	query := &logQuery{p: l.p, t: l.t, filter: l.filter, since: l.options.StartTime.Std()}
	if l.options.StartTime.IsZero() {
		query.since = time.Time{}
	}
	if !l.filter.SelectsContent() && l.options.EndTime.IsZero() {
		query.tail = int64(l.filter.Limit())
	}
	var sources []*logSource
	for _, name := range logContainers(pod) {
		s := newLogSource(query, pod, name, state)
		s.caught = l.options.After != ""
		s.at.position = l.after[s.key]
		if s.at.runID != 0 {
			l.book.set(s.key, s.at.position)
		}
		sources = append(sources, s)
	}
	return sources
}

// backlog reads what is there of all sources, and yields the newest entries up
// to the limit, merged by time. A source that fails does not hide the others.
func (l *instanceLog) backlog(ctx context.Context, yield func(hosting.LogEntry) bool) *multierror.Error {
	tails, errs := make([]itemTail, len(l.sources)), make([]error, len(l.sources))
	var group errgroup.Group
	group.SetLimit(logReads)
	for i, s := range l.sources {
		group.Go(func() error {
			tails[i] = itemTail{limit: l.filter.Limit(), before: s.at.position}
			query := *s.logQuery
			query.send = tails[i].add
			s.logQuery = &query
			errs[i] = s.run(ctx)
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
	if ctx.Err() != nil {
		return multierror.Append(failures, ctx.Err())
	}
	l.merge(tails, yield)
	return failures
}

// merge yields the newest of what was read.
func (l *instanceLog) merge(tails []itemTail, yield func(hosting.LogEntry) bool) {
	var items []logItem
	for _, key := range l.lost {
		lost := lostEntry(key, l.after[key])
		items = append(items, logItem{source: &logSource{key: key}, entry: lost, order: lost.Timestamp, last: true})
	}
	for i := range tails {
		orderOf(tails[i].items)
		items = append(items, tails[i].items...)
	}
	slices.SortStableFunc(items, func(a, b logItem) int { return a.order.Compare(b.order) })
	extra := max(0, len(items)-l.filter.Limit())
	for i, s := range l.sources {
		if tails[i].before.runID != 0 {
			l.book.set(s.key, tails[i].before)
		}
	}
	for i, item := range items {
		if item.last {
			l.book.drop(item.source.key)
		} else {
			l.book.set(item.source.key, item.position)
		}
		if i < extra {
			continue
		}
		item.entry.Cursor = l.book.cursor()
		if !yield(item.entry) {
			return
		}
	}
	for _, s := range l.sources {
		if s.at.runID != 0 {
			l.book.set(s.key, s.at.position)
		}
	}
}

// orderOf gives each item of a source the time to sort it by. They keep their
// order, whatever their times are: cursors go forward only.
func orderOf(items []logItem) {
	for i := len(items) - 1; i >= 0; i-- {
		items[i].order = items[i].entry.Timestamp
		if i+1 < len(items) && items[i+1].order.Before(items[i].order) {
			items[i].order = items[i+1].order
		}
	}
}

// lostEntry is the gap of a source whose pod was deleted after the cursor was
// made.
func lostEntry(key sourceKey, at position) hosting.LogEntry {
	entry := hosting.LogEntry{Timestamp: hosting.NewTime(time.Unix(0, at.high)), Source: key.String(), Message: gapMessages[gapDeleted],
		Metadata: map[string]string{"pod": key.pod, "container": key.container, hosting.MetadataGap: gapDeleted}}
	if at.high == 0 {
		entry.Timestamp = hosting.NewTime(time.Now())
	}
	return entry
}

// itemTail keeps the last entries of a source.
type itemTail struct {
	limit  int
	before position // of the first item
	items  []logItem
}

func (t *itemTail) add(ctx context.Context, items []logItem) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, item := range items {
		if !item.hidden {
			t.items = append(t.items, item)
		}
	}
	if extra := len(t.items) - t.limit; extra > 0 {
		t.before = t.items[extra-1].position
		t.items = t.items[:copy(t.items, t.items[extra:])]
	}
	return nil
}

// joinErrors prints several errors in one line.
func joinErrors(errs []error) string {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// isNoLog tells that there is nothing to read: the pod is gone, the container
// has not started, or the run before has been removed.
func isNoLog(err error) bool {
	if said := nodeError(""); errors.As(err, &said) {
		return strings.Contains(string(said), "unable to retrieve container logs")
	}
	if apierrors.IsNotFound(err) {
		var status apierrors.APIStatus
		if !errors.As(err, &status) || status.Status().Details == nil {
			return false
		}
		// The API server does not know the pod, or its kubelet does not: one
		// that has just been replaced by another of its name. A node that is
		// missing may have the logs.
		kind := status.Status().Details.Kind
		return kind == "pods" || kind == "pods/log"
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
