package conformance

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"skillcenter.io/hosting"
)

func secretCases() []testCase {
	return []testCase{
		each("secrets are in nothing that a call returns", secretsHidden, hosting.CanSecretEnv),
		once("secrets are in no error", secretsNotInErrors, hosting.CanSecretEnv),
		once("another secret is another configuration", secretsCompared, hosting.CanSecretEnv),
	}
}

// everything returns what all reading calls say about an instance.
func (e *env) everything(t *testing.T, id string, config hosting.CloudHostingConfig) map[string]any {
	t.Helper()
	got := map[string]any{"GetInstance": e.get(t, id), "ListInstances": e.named(t, config.InstanceName)}
	add := func(c hosting.Capability, name string, read func() (any, error)) {
		t.Helper()
		if c != "" && !e.has(t, c) {
			return
		}
		result, err := read()
		for tries := 1; isAway(err) && tries < 3; tries++ {
			time.Sleep(e.pause(err))
			result, err = read()
		}
		switch {
		case err == nil:
			got[name] = result
		case !isAway(err): // such as the logs of what has not started yet
			t.Errorf("%s(%s): %v", name, id, err)
		}
	}
	add("", "CreateInstance", func() (any, error) { return e.p.CreateInstance(e.ctx, config) })
	add("", "HealthCheck", func() (any, error) { return e.p.HealthCheck(e.ctx, id) })
	add(hosting.CanMetrics, "GetMetrics", func() (any, error) { return e.p.GetMetrics(e.ctx, id) })
	add(hosting.CanLogs, "GetLogs", func() (any, error) { return e.p.GetLogs(e.ctx, id, hosting.LogQueryOptions{}) })
	add(hosting.CanEvents, "GetEvents", func() (any, error) { return e.p.GetEvents(e.ctx, id) })
	add(hosting.CanEndpoint, "GetServiceEndpoint", func() (any, error) { return e.p.GetServiceEndpoint(e.ctx, id) })
	add(hosting.CanEstimateCost, "EstimateCost", func() (any, error) { return e.p.EstimateCost(e.ctx, config) })
	add(hosting.CanActualCost, "GetActualCost", func() (any, error) {
		now := time.Now()
		return e.p.GetActualCost(e.ctx, id, hosting.NewTime(now.Add(-time.Hour)), hosting.NewTime(now))
	})
	add(hosting.CanRollback, "ListRevisions", func() (any, error) { return hosting.ListRevisions(e.ctx, e.p, id) })
	add(hosting.CanPlan, "PlanInstance", func() (any, error) {
		changed := clone(config)
		changed.Labels = map[string]string{"changed": "yes"}
		return hosting.PlanInstance(e.ctx, e.p, changed)
	})
	add(hosting.CanWatch, "WatchInstances", func() (any, error) {
		ctx, cancel := context.WithTimeout(e.ctx, e.Timeout)
		defer cancel()
		var changes []hosting.InstanceChange
		for change, err := range hosting.WatchInstances(ctx, e.p) {
			if err != nil || change.Type == hosting.ChangeSynced {
				return changes, err
			}
			if change.Instance.ID == id {
				changes = append(changes, change)
			}
		}
		return changes, nil
	})
	return got
}

// talkative creates an instance of which there is something to read: an
// endpoint and an event. It returns the configuration with what that takes.
func (e *env) talkative(t *testing.T, config hosting.CloudHostingConfig) (string, hosting.CloudHostingConfig) {
	t.Helper()
	config = clone(config)
	config.Container.Ports = []int{8080}
	id := e.create(t, config).ID
	if e.has(t, hosting.CanEndpoint) {
		e.awaitEndpoint(t, id)
	}
	if e.typ == hosting.TypeCronJob && e.has(t, hosting.CanRunNow) {
		// Until its first run there may be nothing to tell.
		must(t, "RunNow", id, hosting.RunNow(e.ctx, e.p, id))
	}
	if e.has(t, hosting.CanEvents) {
		e.eventually(t, fmt.Sprintf("instance %s has an event", id), func() error {
			events, err := e.p.GetEvents(e.ctx, id)
			if err == nil && len(events) == 0 {
				err = fmt.Errorf("it has none")
			}
			return err
		})
	}
	return id, config
}

func secretsHidden(t *testing.T, e *env) {
	secret := "hush" + random(20)
	config := e.config(Serve)
	config.SecretEnv = hosting.SecretMap{"TOKEN": secret}
	id, config := e.talkative(t, config)
	for name, result := range e.everything(t, id, config) {
		if strings.Contains(toJSON(result)+fmt.Sprintf("%+v", result), secret) {
			t.Errorf("%s(%s) shows a value of secretEnv", name, id)
		}
	}
}

func secretsNotInErrors(t *testing.T, e *env) {
	secret := "hush" + random(20)
	config := e.config(Serve)
	config.SecretEnv = hosting.SecretMap{"TOKEN": secret}
	created := e.create(t, config)
	bad := map[string]hosting.CloudHostingConfig{}
	add := func(what string, change func(*hosting.CloudHostingConfig)) {
		config := clone(config)
		change(&config)
		bad[what] = config
	}
	add("another label", func(c *hosting.CloudHostingConfig) { c.Labels = map[string]string{"other": "1"} })
	add("another secret", func(c *hosting.CloudHostingConfig) { c.SecretEnv["MORE"] = secret + "2" })
	add("a secret that is not UTF-8", func(c *hosting.CloudHostingConfig) { c.SecretEnv["TOKEN"] = secret + "\xff" })
	add("a bad secret", func(c *hosting.CloudHostingConfig) { c.SecretEnv["TOKEN"] = secret + "\x00" })
	add("a bad name of a secret", func(c *hosting.CloudHostingConfig) { c.SecretEnv["A=B"] = secret })
	add("a bad image", func(c *hosting.CloudHostingConfig) { c.Container.Image = "BAD" })
	for what, config := range bad {
		_, err := e.tryCreate(t, config)
		if err == nil {
			t.Errorf("CreateInstance(%s) with %s succeeded", created.ID, what)
		} else if strings.Contains(fmt.Sprintf("%v %+v %#v %s", err, err, err, toJSON(err)), secret) {
			t.Errorf("CreateInstance(%s) with %s: the error shows a value of secretEnv", created.ID, what)
		}
	}
}

func secretsCompared(t *testing.T, e *env) {
	config := e.config(Serve)
	config.SecretEnv = hosting.SecretMap{"TOKEN": "one"}
	created := e.create(t, config)
	e.createAgainIs(t, config, created)
	for what, secrets := range map[string]hosting.SecretMap{
		"another value": {"TOKEN": "two"}, "another name": {"OTHER": "one"}, "one more": {"TOKEN": "one", "MORE": "1"}, "none": nil,
	} {
		other := clone(config)
		other.SecretEnv = secrets
		_, err := e.tryCreate(t, other)
		e.wantError(t, fmt.Sprintf("CreateInstance(%s) with secretEnv of %s", created.ID, what), err, hosting.CreateFailed, hosting.AlreadyExists)
	}
}
