package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"skillcenter.io/hosting"
)

func cancellationCases() []testCase {
	return []testCase{
		once("a cancelled call is refused and changes nothing", cancelled),
		once("a call after its deadline is refused and changes nothing", expired),
		once("a stream with a cancelled context yields nothing", cancelledStreams),
	}
}

func cancelled(t *testing.T, e *env) {
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	e.wantAllRefused(t, ctx, hosting.Canceled, context.Canceled)
}

func expired(t *testing.T, e *env) {
	ctx, cancel := context.WithDeadline(e.ctx, time.Now().Add(-time.Hour))
	defer cancel()
	e.wantAllRefused(t, ctx, hosting.DeadlineExceeded, context.DeadlineExceeded)
}

// wantAllRefused makes every call with a context that has ended.
func (e *env) wantAllRefused(t *testing.T, ctx context.Context, reason hosting.Reason, cause error) {
	t.Helper()
	config, _ := e.replicated(t, Serve, 1)
	created := e.create(t, config)
	absent := e.config(Serve)
	changed := clone(config)
	changed.Labels = map[string]string{"changed": "yes"}
	calls := slices.Concat(idCalls(), configCalls(absent), configCalls(changed), otherCalls(e.Region, e.typ))
	for i, c := range calls {
		if c.name == "StreamLogs" || c.needs != "" && !e.has(t, c.needs) {
			continue
		}
		start := time.Now()
		err := c.do(ctx, e.p, created.ID)
		about := created.ID
		if i >= len(idCalls()) {
			about = ""
		}
		e.wantIDError(t, fmt.Sprintf("%s with a context that is %v", c.name, cause), about, err, c.code, reason)
		if err != nil && !errors.Is(err, cause) {
			t.Errorf("%s: errors.Is(err, %v) is false for %v", c.name, cause, err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s took %v to notice that its context is %v", c.name, took, cause)
		}
	}
	wantUnchanged(t, fmt.Sprintf("calls with a context that is %v", cause), e.get(t, created.ID), created)
	for _, instance := range e.named(t, absent.InstanceName) {
		e.deleteLater(t, instance.ID)
		t.Errorf("CreateInstance or ApplyInstance with a context that is %v created %s", cause, instance.ID)
	}
}

func cancelledStreams(t *testing.T, e *env) {
	id := e.create(t, e.config(Serve)).ID
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	if e.has(t, hosting.CanStreamLogs) {
		for entry, err := range hosting.StreamLogs(ctx, e.p, id, hosting.LogQueryOptions{Follow: true}) {
			t.Errorf("StreamLogs(%s) with a cancelled context yielded %s, %v", id, toJSON(entry), err)
			break
		}
	}
	if e.has(t, hosting.CanWatch) {
		for change, err := range hosting.WatchInstances(ctx, e.p) {
			t.Errorf("WatchInstances with a cancelled context yielded %s, %v", toJSON(change), err)
			break
		}
	}
}
