package hosting_test

import (
	"context"
	"encoding/json"
	"iter"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

// plain has none of the optional abilities.
type plain struct{ hosting.UnimplementedProvider }

func (plain) ProviderName() string { return "plain" }

func TestAbilitiesThatAreMissingAreUnsupported(t *testing.T) {
	t.Parallel()
	ctx, p := t.Context(), plain{}
	for name, test := range map[string]struct {
		call func() error
		code hosting.Code
		id   string
	}{
		"StreamLogs":           {func() error { return only(t, hosting.StreamLogs(ctx, p, "id", hosting.LogQueryOptions{})) }, hosting.LogsFailed, "id"},
		"WatchInstances":       {func() error { return only(t, hosting.WatchInstances(ctx, p)) }, hosting.ListFailed, ""},
		"ApplyInstance":        {func() error { return second(hosting.ApplyInstance(ctx, p, validConfig())) }, hosting.UpdateFailed, ""},
		"PlanInstance":         {func() error { return second(hosting.PlanInstance(ctx, p, validConfig())) }, hosting.UpdateFailed, ""},
		"ListRevisions":        {func() error { return second(hosting.ListRevisions(ctx, p, "id")) }, hosting.GetFailed, "id"},
		"RollbackInstance":     {func() error { return second(hosting.RollbackInstance(ctx, p, "id", 0)) }, hosting.UpdateFailed, "id"},
		"RunNow":               {func() error { return hosting.RunNow(ctx, p, "id") }, hosting.StartFailed, "id"},
		"RecordEvent":          {func() error { return hosting.RecordEvent(ctx, p, "id", hosting.InstanceEvent{}) }, hosting.EventsFailed, "id"},
		"Capabilities":         {func() error { return second(hosting.Capabilities(ctx, p, "r", "job")) }, hosting.GetFailed, ""},
		"InstanceCapabilities": {func() error { return second(hosting.InstanceCapabilities(ctx, p, "id")) }, hosting.GetFailed, "id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.call()
			require.ErrorIs(t, err, hosting.Unsupported)
			assert.Equal(t, test.code, hosting.CodeOf(err))
			assert.ErrorContains(t, err, `is not supported by provider "plain"`)
			var e *hosting.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, "plain", e.Provider)
			assert.Equal(t, test.id, e.InstanceID)
		})
	}
}

func TestAnAbilityThatIsMissingHonoursACancelledContext(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancelExpired := context.WithTimeout(t.Context(), -1)
	defer cancelExpired()
	p := plain{}

	for name, call := range map[string]func(context.Context) error{
		"ApplyInstance":        func(ctx context.Context) error { return second(hosting.ApplyInstance(ctx, p, validConfig())) },
		"PlanInstance":         func(ctx context.Context) error { return second(hosting.PlanInstance(ctx, p, validConfig())) },
		"ListRevisions":        func(ctx context.Context) error { return second(hosting.ListRevisions(ctx, p, "id")) },
		"RollbackInstance":     func(ctx context.Context) error { return second(hosting.RollbackInstance(ctx, p, "id", 0)) },
		"RunNow":               func(ctx context.Context) error { return hosting.RunNow(ctx, p, "id") },
		"RecordEvent":          func(ctx context.Context) error { return hosting.RecordEvent(ctx, p, "id", hosting.InstanceEvent{}) },
		"Capabilities":         func(ctx context.Context) error { return second(hosting.Capabilities(ctx, p, "r", "job")) },
		"InstanceCapabilities": func(ctx context.Context) error { return second(hosting.InstanceCapabilities(ctx, p, "id")) },
	} {
		err := call(cancelled)
		require.ErrorIs(t, err, hosting.Canceled, name)
		require.ErrorIs(t, err, context.Canceled, name)
		require.ErrorIs(t, call(expired), hosting.DeadlineExceeded, name)
		require.ErrorIs(t, call(expired), context.DeadlineExceeded, name)
	}
	for range hosting.StreamLogs(cancelled, p, "id", hosting.LogQueryOptions{}) {
		t.Error("a stream ends without an error when its context is cancelled")
	}
	for range hosting.WatchInstances(cancelled, p) {
		t.Error("a watch ends without an error when its context is cancelled")
	}
}

func TestListsThatAreAlwaysThereAreNeverNullInJSON(t *testing.T) {
	t.Parallel()
	for want, value := range map[string]any{
		`{"changes":[],"restarts":false,"detaches":false}`: hosting.InstancePlan{},
		`{"skillId":"","skillName":"","skillType":"","compatibilityScore":0,"recommendation":"","checks":[],"issues":[],"suggestions":[]}`: &hosting.HostingCompatibility{},
		`{"changes":["image"],"restarts":true,"detaches":false}`:                                                                           hosting.InstancePlan{Changes: []string{"image"}, Restarts: true},
	} {
		data, err := json.Marshal(value)
		require.NoError(t, err)
		assert.Equal(t, want, string(data))
	}
}

// only returns the error of a stream that must yield one, and nothing else.
func only[T any](t *testing.T, stream iter.Seq2[T, error]) error {
	t.Helper()
	var errs []error
	for value, err := range stream {
		assert.Zero(t, value)
		errs = append(errs, err)
	}
	require.Len(t, errs, 1)
	return errs[0]
}

func second[T any](_ T, err error) error { return err }

// able has every ability, and remembers what it was asked.
type able struct {
	plain
	calls []any
}

func (a *able) note(ctx context.Context, args ...any) {
	a.calls = append(a.calls, ctx.Value(key{}), args)
}

type key struct{}

func (a *able) StreamLogs(ctx context.Context, id string, options hosting.LogQueryOptions) iter.Seq2[hosting.LogEntry, error] {
	return func(yield func(hosting.LogEntry, error) bool) {
		a.note(ctx, id, options)
		_ = yield(hosting.LogEntry{Message: "one"}, nil) && yield(hosting.LogEntry{Message: "two"}, nil)
	}
}

func (a *able) WatchInstances(ctx context.Context) iter.Seq2[hosting.InstanceChange, error] {
	return func(yield func(hosting.InstanceChange, error) bool) {
		a.note(ctx)
		yield(hosting.InstanceChange{Type: hosting.ChangeSynced}, nil)
	}
}

func (a *able) ApplyInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	a.note(ctx, config)
	return hosting.CloudInstance{ID: "applied"}, nil
}

func (a *able) PlanInstance(ctx context.Context, config hosting.CloudHostingConfig) (hosting.InstancePlan, error) {
	a.note(ctx, config)
	return hosting.InstancePlan{Restarts: true}, nil
}

func (a *able) ListRevisions(ctx context.Context, id string) ([]hosting.InstanceRevision, error) {
	a.note(ctx, id)
	return []hosting.InstanceRevision{{Revision: 7}}, nil
}

func (a *able) RollbackInstance(ctx context.Context, id string, revision int) (hosting.CloudInstance, error) {
	a.note(ctx, id, revision)
	return hosting.CloudInstance{ID: "rolled back"}, nil
}

func (a *able) RunNow(ctx context.Context, id string) error {
	a.note(ctx, id)
	return nil
}

func (a *able) RecordEvent(ctx context.Context, id string, event hosting.InstanceEvent) error {
	a.note(ctx, id, event)
	return nil
}

func (a *able) Capabilities(ctx context.Context, region, instanceType string) (hosting.CapabilitySet, error) {
	a.note(ctx, region, instanceType)
	return hosting.CapabilitySet{hosting.CanStop: {Supported: true}, hosting.CanLogs: {Note: "not here"}}, nil
}

func TestAbilitiesThatAreThereAreCalled(t *testing.T) {
	t.Parallel()
	ctx := context.WithValue(t.Context(), key{}, "ctx")
	config, options, event := validConfig(), hosting.LogQueryOptions{Limit: 3}, hosting.InstanceEvent{Reason: "Scaled"}

	t.Run("StreamLogs", func(t *testing.T) {
		t.Parallel()
		a := &able{}
		stream := hosting.StreamLogs(ctx, a, "id", options)
		assert.Empty(t, a.calls, "nothing happens until it is ranged over")
		for entry, err := range stream {
			require.NoError(t, err)
			assert.Equal(t, "one", entry.Message)
			break
		}
		assert.Equal(t, []any{"ctx", []any{"id", options}}, a.calls)
	})
	t.Run("WatchInstances", func(t *testing.T) {
		t.Parallel()
		a := &able{}
		for change, err := range hosting.WatchInstances(ctx, a) {
			require.NoError(t, err)
			assert.Equal(t, hosting.ChangeSynced, change.Type)
		}
		assert.Equal(t, []any{"ctx", []any(nil)}, a.calls)
	})
	for name, test := range map[string]struct {
		call func(*able) (any, error)
		args []any
		want any
	}{
		"ApplyInstance":    {func(a *able) (any, error) { return hosting.ApplyInstance(ctx, a, config) }, []any{config}, hosting.CloudInstance{ID: "applied"}},
		"PlanInstance":     {func(a *able) (any, error) { return hosting.PlanInstance(ctx, a, config) }, []any{config}, hosting.InstancePlan{Restarts: true}},
		"ListRevisions":    {func(a *able) (any, error) { return hosting.ListRevisions(ctx, a, "id") }, []any{"id"}, []hosting.InstanceRevision{{Revision: 7}}},
		"RollbackInstance": {func(a *able) (any, error) { return hosting.RollbackInstance(ctx, a, "id", 5) }, []any{"id", 5}, hosting.CloudInstance{ID: "rolled back"}},
		"RunNow":           {func(a *able) (any, error) { return nil, hosting.RunNow(ctx, a, "id") }, []any{"id"}, nil},
		"RecordEvent":      {func(a *able) (any, error) { return nil, hosting.RecordEvent(ctx, a, "id", event) }, []any{"id", event}, nil},
		"Capabilities": {func(a *able) (any, error) { return hosting.Capabilities(ctx, a, "r", "job") }, []any{"r", "job"},
			hosting.CapabilitySet{hosting.CanStop: {Supported: true}, hosting.CanLogs: {Note: "not here"}}},
		"InstanceCapabilities": {func(a *able) (any, error) { return hosting.InstanceCapabilities(ctx, a, "r.job.web") }, []any{"r", "job"},
			hosting.CapabilitySet{hosting.CanStop: {Supported: true}, hosting.CanLogs: {Note: "not here"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &able{}
			got, err := test.call(a)
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
			assert.Equal(t, []any{"ctx", test.args}, a.calls)
		})
	}
}

func TestTheCapabilitiesOfWhatIsNoIDAreAnInvalidArgument(t *testing.T) {
	t.Parallel()
	a := &able{}
	_, err := hosting.InstanceCapabilities(t.Context(), a, "no id")
	require.ErrorIs(t, err, hosting.InvalidArgument)
	assert.Equal(t, hosting.GetFailed, hosting.CodeOf(err))
	assert.Empty(t, a.calls)
}

func TestACapabilityThatIsNotInTheSetIsNotSupported(t *testing.T) {
	t.Parallel()
	set := hosting.CapabilitySet{hosting.CanStop: {Supported: true}, hosting.CanLogs: {Note: "not here"}}
	assert.True(t, set.Has(hosting.CanStop))
	assert.False(t, set.Has(hosting.CanLogs))
	assert.False(t, set.Has(hosting.CanScale))
	assert.False(t, hosting.CapabilitySet(nil).Has(hosting.CanStop))
}
