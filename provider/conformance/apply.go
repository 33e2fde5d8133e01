package conformance

import (
	"fmt"
	"slices"
	"testing"

	"skillcenter.io/hosting"
)

func applyCases() []testCase {
	return []testCase{
		once("apply creates what is not there", applyCreates, hosting.CanApply),
		services("apply changes what is there", applyChanges, hosting.CanApply),
		once("apply removes what the configuration no longer has", applyRemoves, hosting.CanApply),
		services("apply with another environment replaces the replicas", applyReplaces, hosting.CanApply, hosting.CanLogs).waiting(),
		once("apply gives the resources of the configuration", applyResources, hosting.CanApply, hosting.CanUpdateResources),
		once("apply with other secrets changes them", applySecrets, hosting.CanApply, hosting.CanSecretEnv),
		once("apply makes no instance of another type", applyOtherType, hosting.CanApply),
		once("apply of a terminating instance is a conflict", applyTerminating, hosting.CanApply),
		only(hosting.TypeJob, "apply does not change what a job runs", applyJob, hosting.CanApply),
		once("different applies at once end with one of them", applyRace, hosting.CanApply),
	}
}

// tryApply applies a configuration; the instance is deleted when the case ends.
func (e *env) tryApply(t *testing.T, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	t.Helper()
	instance, err := hosting.ApplyInstance(e.ctx, e.p, config)
	if err == nil {
		e.deleteLater(t, instance.ID)
	}
	return instance, err
}

// apply is tryApply for a case that cannot go on without it.
func (e *env) apply(t *testing.T, config hosting.CloudHostingConfig) hosting.CloudInstance {
	t.Helper()
	instance, err := e.tryApply(t, config)
	must(t, "ApplyInstance", config.InstanceName, err)
	return instance
}

// wantInForce checks that creating the instance with its configuration returns
// it, and that another configuration does not.
func (e *env) wantInForce(t *testing.T, what, id string, config hosting.CloudHostingConfig, others ...hosting.CloudHostingConfig) {
	t.Helper()
	if again, err := e.tryCreate(t, config); err != nil || again.ID != id {
		t.Errorf("%s: CreateInstance(%s) with the configuration in force returned %q, %v", what, id, again.ID, err)
	}
	for _, other := range others {
		_, err := e.tryCreate(t, other)
		e.wantError(t, fmt.Sprintf("%s: CreateInstance(%s) with the configuration before", what, id), err, hosting.CreateFailed, hosting.AlreadyExists)
	}
}

func labelled(config hosting.CloudHostingConfig, release string) hosting.CloudHostingConfig {
	config = clone(config)
	config.Labels = map[string]string{"release": release}
	return config
}

func withEnv(config hosting.CloudHostingConfig, value string) hosting.CloudHostingConfig {
	config = clone(config)
	config.Env = map[string]string{"RELEASE": value}
	return config
}

func applyCreates(t *testing.T, e *env) {
	config, _ := e.replicated(t, Serve, 2)
	config = labelled(config, "one")
	created := e.apply(t, config)
	wantLabels(t, "ApplyInstance that creates", created, config.Labels)
	wantUnchanged(t, "GetInstance after ApplyInstance", e.get(t, created.ID), created)
	wantUnchanged(t, "ApplyInstance without a change", e.apply(t, config), created)
	e.wantInForce(t, "ApplyInstance that creates", created.ID, config, labelled(config, "two"))
	if listed := e.named(t, config.InstanceName); len(listed) != 1 {
		t.Errorf("ListInstances has %d instances named %s, want 1", len(listed), config.InstanceName)
	}
}

func applyChanges(t *testing.T, e *env) {
	config := e.config(Serve)
	one, two := labelled(config, "one"), withEnv(labelled(config, "two"), "two")
	created := e.create(t, one)
	changed := e.apply(t, two)
	if changed.ID != created.ID || changed.CreatedAt != created.CreatedAt {
		t.Errorf("ApplyInstance made of instance %s, created at %s: %s, %s; want the same", created.ID, created.CreatedAt, changed.ID, changed.CreatedAt)
	}
	wantLabels(t, "ApplyInstance that changes", changed, two.Labels)
	wantLabels(t, "GetInstance after ApplyInstance", e.get(t, created.ID), two.Labels)
	e.wantInForce(t, "ApplyInstance that changes", created.ID, two, one)
}

func applyRemoves(t *testing.T, e *env) {
	config := e.config(Serve)
	full := labelled(config, "one")
	full.Annotations = map[string]string{"note": "1"}
	full.Container.Ports = []int{8080}
	id := e.create(t, full).ID
	if e.has(t, hosting.CanEndpoint) {
		e.awaitEndpoint(t, id)
	}
	wantLabels(t, "ApplyInstance without labels", e.apply(t, config), nil)
	e.wantInForce(t, "ApplyInstance with less", id, config, full)
	if !e.has(t, hosting.CanEndpoint) {
		return
	}
	e.eventually(t, fmt.Sprintf("instance %s has no endpoint after ApplyInstance without ports", id), func() error {
		endpoint, err := e.p.GetServiceEndpoint(e.ctx, id)
		if err == nil || isAway(err) {
			return fmt.Errorf("it has %s, %v", toJSON(endpoint), err)
		}
		e.wantIDError(t, fmt.Sprintf("GetServiceEndpoint(%s) after ApplyInstance without ports", id), id, err, hosting.EndpointFailed, hosting.NotFound)
		return nil
	})
}

// applyReplaces looks for a first line of the log again: only a fresh container
// prints it. Replicas that are gone may have taken their lines with them.
func applyReplaces(t *testing.T, e *env) {
	config := e.config(Serve)
	before := e.running(t, config)
	logs := e.awaitLogs(t, before.ID, 5)
	last := logs[len(logs)-1].Timestamp

	e.apply(t, withEnv(config, "two"))
	e.eventually(t, fmt.Sprintf("instance %s prints line 1 again after ApplyInstance with another environment", before.ID), func() error {
		logs, err := e.p.GetLogs(e.ctx, before.ID, hosting.LogQueryOptions{StartTime: last})
		if err != nil && !isAway(err) {
			t.Fatalf("GetLogs(%s): %v", before.ID, err)
		}
		if !slices.ContainsFunc(logs, func(entry hosting.LogEntry) bool { return lineNumber(entry) == 1 && entry.Timestamp.After(last) }) {
			return fmt.Errorf("%d lines since %s, no line 1 among them", len(logs), last)
		}
		return nil
	})
	wantUnchanged(t, "an instance with another environment", e.await(t, before.ID, hosting.StatusRunning), before)
}

func applyResources(t *testing.T, e *env) {
	config := e.config(Serve)
	config.Resources = &hosting.ResourceConfig{CPULimit: 0.5, CPURequest: 0.1, MemoryLimit: 128 << 20, MemoryRequest: 64 << 20, StorageLimit: 96 << 20}
	id := e.create(t, config).ID
	must(t, "UpdateResources", id, e.p.UpdateResources(e.ctx, id, hosting.ResourceConfig{CPULimit: 0.9}))
	for _, limit := range []float64{0.5, 0.4} {
		config.Resources.CPULimit = limit
		e.apply(t, config)
		if got := e.get(t, id).Resources; !sameResources(got, config.Resources) {
			t.Errorf("instance %s has resources %s after ApplyInstance, want %s", id, toJSON(got), toJSON(config.Resources))
		}
	}
}

func applySecrets(t *testing.T, e *env) {
	with := func(secrets hosting.SecretMap) hosting.CloudHostingConfig {
		config := e.config(Serve)
		config.SecretEnv = secrets
		return config
	}
	first := with(hosting.SecretMap{"TOKEN": "one"})
	id := e.create(t, first).ID
	before := first
	for _, secrets := range []hosting.SecretMap{{"TOKEN": "two"}, {"TOKEN": "two", "MORE": "1"}, {"MORE": "1"}, nil} {
		config := with(secrets)
		config.InstanceName = first.InstanceName
		e.apply(t, config)
		e.wantInForce(t, "ApplyInstance with other secrets", id, config, before)
		before = config
	}
}

func applyOtherType(t *testing.T, e *env) {
	config := e.config(Serve)
	created := e.create(t, config)
	for _, other := range e.Types {
		if other == e.typ {
			continue
		}
		config := clone(config)
		config.InstanceType = other
		if other == hosting.TypeCronJob {
			config.Schedule = "0 0 29 2 *"
		}
		_, err := e.tryApply(t, config)
		e.wantError(t, fmt.Sprintf("ApplyInstance(%s) as a %s", created.ID, other), err, hosting.UpdateFailed, hosting.AlreadyExists)
	}
	wantUnchanged(t, "ApplyInstance as another type", e.get(t, created.ID), created)
	e.wantInForce(t, "ApplyInstance as another type", created.ID, config)
}

// applyTerminating allows for instances that are gone at once.
func applyTerminating(t *testing.T, e *env) {
	config := e.config(Serve)
	id := e.create(t, config).ID
	must(t, "DeleteInstance", id, e.p.DeleteInstance(e.ctx, id))
	if again, err := e.tryApply(t, labelled(config, "two")); err != nil {
		e.wantError(t, fmt.Sprintf("ApplyInstance(%s) while it is terminating", id), err, hosting.UpdateFailed, hosting.Conflict)
	} else if again.Status == hosting.StatusTerminating {
		t.Errorf("ApplyInstance(%s) returned the terminating instance, want reason %s", id, hosting.Conflict)
	}
}

func applyJob(t *testing.T, e *env) {
	config := e.config(Serve)
	created := e.create(t, config)
	image := clone(config)
	image.Container.Image = "other.example.com/other:1"
	for field, other := range map[string]hosting.CloudHostingConfig{"container": image, "env": withEnv(config, "two")} {
		_, err := e.tryApply(t, other)
		e.wantError(t, fmt.Sprintf("ApplyInstance(%s) with another %s", created.ID, field), err, hosting.UpdateFailed, hosting.Unsupported, field)
	}
	wantUnchanged(t, "ApplyInstance with what a job cannot change", e.get(t, created.ID), created)
	e.wantInForce(t, "ApplyInstance with what a job cannot change", created.ID, config)
}

func applyRace(t *testing.T, e *env) {
	base := e.config(Serve)
	id := e.create(t, base).ID
	configs := make([]hosting.CloudHostingConfig, crowd)
	for i := range configs {
		configs[i] = withEnv(labelled(base, fmt.Sprint(i)), fmt.Sprint(i))
	}
	for _, err := range together(crowd, func(i int) error { _, err := e.tryApply(t, configs[i]); return err }) {
		if err != nil {
			t.Errorf("ApplyInstance(%s), %d at once: %v", id, crowd, err)
		}
	}
	labels := e.get(t, id).Labels
	i := slices.IndexFunc(configs, func(config hosting.CloudHostingConfig) bool { return config.Labels["release"] == labels["release"] })
	if i < 0 {
		t.Fatalf("instance %s has labels %v after %d ApplyInstance at once, want those of one of them", id, labels, crowd)
	}
	e.wantInForce(t, fmt.Sprintf("%d ApplyInstance at once", crowd), id, configs[i], configs[(i+1)%crowd])
}
