package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"skillcenter.io/hosting"
)

func lifecycleCases() []testCase {
	return []testCase{
		each("create returns the instance as accepted", createReturns),
		once("create fills in the default region and resources", createDefaults),
		once("list is sorted by id and has every instance once", listSorted),
		each("a new instance becomes running and healthy", becomesRunning).waiting(),
		each("stop keeps the number of replicas and start brings them back", stopStart, hosting.CanStop).waiting(),
		each("stop and start can be repeated", stopStartRepeated, hosting.CanStop),
		each("restart replaces what runs", restartReplaces, hosting.CanRestart, hosting.CanLogs).waiting(),
		each("a stopped instance cannot be restarted", restartStopped, hosting.CanStop, hosting.CanRestart),
	}
}

func createReturns(t *testing.T, e *env) {
	config, replicas := e.replicated(t, Serve, 2)
	config.Labels = map[string]string{"team": "blue", "example.com/tier": "web"}
	config.Resources = &hosting.ResourceConfig{CPULimit: 0.4, CPURequest: 0.1, MemoryLimit: 128 << 20, MemoryRequest: 64 << 20, StorageLimit: 96 << 20}
	created := e.create(t, config)

	id, err := hosting.ParseID(created.ID)
	if err != nil {
		t.Errorf("CreateInstance returned a malformed id: %v", err)
	}
	if want := (hosting.ID{Provider: id.Provider, Region: e.Region, Type: e.typ, Name: config.InstanceName}); id != want {
		t.Errorf("CreateInstance returned id %q, want %q", created.ID, want)
	}
	if id.Provider != "" && id.Provider != created.Provider {
		t.Errorf("CreateInstance returned id %q of provider %q", created.ID, created.Provider)
	}
	if created.Name != config.InstanceName || created.Region != e.Region || created.InstanceType != e.typ {
		t.Errorf("CreateInstance(%s) returned name %q, region %q, type %q; want %q, %q, %q", created.ID,
			created.Name, created.Region, created.InstanceType, config.InstanceName, e.Region, e.typ)
	}
	if !slices.Contains(e.ProviderNames, created.Provider) || created.ProviderType == "" {
		t.Errorf("CreateInstance(%s) returned provider %q of kind %q, want one of %q and a kind", created.ID, created.Provider, created.ProviderType, e.ProviderNames)
	}
	if created.Status != hosting.StatusCreating && created.Status != hosting.StatusRunning {
		t.Errorf("CreateInstance(%s) returned status %s, want %s (or already %s)", created.ID, created.Status, hosting.StatusCreating, hosting.StatusRunning)
	}
	if e.has(t, hosting.CanScale) && created.Replicas != replicas {
		t.Errorf("CreateInstance(%s) returned %d replicas, want %d", created.ID, created.Replicas, replicas)
	}
	if age := time.Since(created.CreatedAt.Std()); age < -5*time.Minute || age > 5*time.Minute {
		t.Errorf("CreateInstance(%s) returned createdAt %s, which is not about now", created.ID, created.CreatedAt)
	}
	if created.UpdatedAt.Before(created.CreatedAt) {
		t.Errorf("CreateInstance(%s) returned updatedAt %s, before createdAt %s", created.ID, created.UpdatedAt, created.CreatedAt)
	}
	if !sameResources(created.Resources, config.Resources) {
		t.Errorf("CreateInstance(%s) returned resources %s, want %s", created.ID, toJSON(created.Resources), toJSON(config.Resources))
	}
	wantLabels(t, "CreateInstance", created, config.Labels)
	// Only what is still being created after the look was so during it.
	if health := e.health(t, created.ID); health.Healthy && e.get(t, created.ID).Status == hosting.StatusCreating {
		t.Errorf("HealthCheck(%s) says that it is healthy while it is %s", created.ID, hosting.StatusCreating)
	}

	wantUnchanged(t, "GetInstance after CreateInstance", e.get(t, created.ID), created)
	switch listed := e.named(t, config.InstanceName); len(listed) {
	case 1:
		wantUnchanged(t, "ListInstances after CreateInstance", listed[0], created)
	default:
		t.Errorf("ListInstances has %d instances named %s, want 1", len(listed), config.InstanceName)
	}
}

// createDefaults checks the defaults of protocol §3.4, and how they go with
// what the caller gives.
func createDefaults(t *testing.T, e *env) {
	const mi = 1 << 20
	config := e.config(Serve)
	if config.Region == e.p.SupportedRegions()[0] {
		config.Region = ""
	}
	config.Provider = e.p.ProviderName()
	created := e.create(t, config)
	if created.Region != e.Region {
		t.Errorf("CreateInstance(%s) without a region went to %q, want the first supported, %q", created.ID, created.Region, e.Region)
	}
	if created.Resources == nil || created.Resources.CPULimit <= 0 || created.Resources.MemoryLimit <= 0 {
		t.Errorf("CreateInstance(%s) without resources: got %s, want the defaults filled in", created.ID, toJSON(created.Resources))
	}
	for _, given := range []hosting.ResourceConfig{
		{CPULimit: 0.002, MemoryLimit: 16 * mi},       // below any default request
		{CPURequest: 3, MemoryRequest: 3 * 1024 * mi}, // above any default limit
	} {
		config := e.config(Serve)
		config.Resources = &given
		got := e.create(t, config).Resources
		switch {
		case got == nil:
			t.Errorf("CreateInstance with resources %s: got none", toJSON(given))
		case given.CPULimit > 0 && (got.CPULimit != given.CPULimit || got.MemoryLimit != given.MemoryLimit),
			given.CPURequest > 0 && (got.CPURequest != given.CPURequest || got.MemoryRequest != given.MemoryRequest):
			t.Errorf("CreateInstance with resources %s: got %s, which changes what was given", toJSON(given), toJSON(got))
		case got.CPURequest > got.CPULimit, got.MemoryRequest > got.MemoryLimit:
			t.Errorf("CreateInstance with resources %s: got %s, with a request above its limit", toJSON(given), toJSON(got))
		}
	}
}

func listSorted(t *testing.T, e *env) {
	want := map[string]bool{}
	base := e.name()
	for i, suffix := range []string{"-c", "-a", "-d", "-b"} {
		e := *e
		e.typ = e.Types[i%len(e.Types)]
		config := e.config(Serve)
		config.InstanceName = base + suffix
		want[e.create(t, config).ID] = true
	}
	list := e.list(t)
	for i, instance := range list {
		delete(want, instance.ID)
		if i > 0 && list[i-1].ID >= instance.ID {
			t.Errorf("ListInstances has %s before %s, want it sorted by id, each once", list[i-1].ID, instance.ID)
		}
	}
	for id := range want {
		t.Errorf("ListInstances does not have %s, which was created", id)
	}
}

func becomesRunning(t *testing.T, e *env) {
	config, replicas := e.replicated(t, Serve, 2)
	created := e.create(t, config)
	seen := []hosting.Status{created.Status}
	running := e.awaitSeeing(t, created.ID, func(instance hosting.CloudInstance) {
		seen = append(seen, instance.Status)
	}, hosting.StatusRunning)

	seen = slices.Compact(seen)
	// A failure may pass and heal on the way.
	impossible := []hosting.Status{hosting.StatusUpdating, hosting.StatusRestarting, hosting.StatusStopping, hosting.StatusStopped, hosting.StatusStarting}
	if slices.ContainsFunc(seen, func(status hosting.Status) bool { return slices.Contains(impossible, status) }) {
		t.Errorf("instance %s was %v, want it none of %v before it is %s for the first time", created.ID, seen, impossible, hosting.StatusRunning)
	}
	wantSame(t, "a running instance", running, created)
	if e.has(t, hosting.CanScale) && running.Replicas != replicas {
		t.Errorf("running instance %s has %d replicas, want %d", created.ID, running.Replicas, replicas)
	}
	if e.typ == hosting.TypeDaemonSet && running.Replicas < 1 {
		t.Errorf("running instance %s has %d replicas, want one for each node", created.ID, running.Replicas)
	}
	ready, err := strconv.Atoi(running.Metadata[hosting.MetadataReadyReplicas])
	if err != nil || isService(e.typ) && ready < running.Replicas {
		t.Errorf("running instance %s with %d replicas has metadata %s %q", created.ID, running.Replicas, hosting.MetadataReadyReplicas, running.Metadata[hosting.MetadataReadyReplicas])
	}
	e.wantHealth(t, created.ID, "")
}

func stopStart(t *testing.T, e *env) {
	config, replicas := e.replicated(t, Serve, 2)
	running := e.running(t, config)

	time.Sleep(2 * time.Millisecond) // so that the time of the change is another
	must(t, "StopInstance", running.ID, e.p.StopInstance(e.ctx, running.ID))
	if now := e.get(t, running.ID); off(now.Status) != "stopped" || now.Replicas != 0 {
		t.Errorf("instance %s is %s with %d replicas after StopInstance, want %s or %s with 0", running.ID, now.Status, now.Replicas, hosting.StatusStopping, hosting.StatusStopped)
	}
	stopped := e.await(t, running.ID, hosting.StatusStopped)
	wantSame(t, "a stopped instance", stopped, running)
	if got := stopped.Metadata[hosting.MetadataStoppedReplicas]; e.has(t, hosting.CanScale) && got != strconv.Itoa(replicas) {
		t.Errorf("stopped instance %s has metadata %s %q, want %d", running.ID, hosting.MetadataStoppedReplicas, got, replicas)
	}
	e.wantHealth(t, running.ID, "Stopped")
	if e.has(t, hosting.CanLogs) {
		read(t, e, "GetLogs of a stopped instance", running.ID, func() ([]hosting.LogEntry, error) {
			return e.p.GetLogs(e.ctx, running.ID, hosting.LogQueryOptions{})
		})
	}

	must(t, "StartInstance", running.ID, e.p.StartInstance(e.ctx, running.ID))
	if now := e.get(t, running.ID); now.Status != hosting.StatusStarting && now.Status != hosting.StatusRunning {
		t.Errorf("instance %s is %s after StartInstance, want %s or %s", running.ID, now.Status, hosting.StatusStarting, hosting.StatusRunning)
	}
	started := e.await(t, running.ID, hosting.StatusRunning)
	wantUnchanged(t, "an instance that was stopped and started", started, running)
	if !started.UpdatedAt.After(running.UpdatedAt) {
		t.Errorf("instance %s was updated at %s after it was stopped and started, at %s before, want it later", running.ID, started.UpdatedAt, running.UpdatedAt)
	}
}

func stopStartRepeated(t *testing.T, e *env) {
	id := e.create(t, e.config(Serve)).ID
	must(t, "StartInstance of a started instance", id, e.p.StartInstance(e.ctx, id))
	must(t, "StopInstance", id, e.p.StopInstance(e.ctx, id))
	must(t, "StopInstance of a stopping instance", id, e.p.StopInstance(e.ctx, id))
	e.await(t, id, hosting.StatusStopped)
	must(t, "StopInstance of a stopped instance", id, e.p.StopInstance(e.ctx, id))
	e.await(t, id, hosting.StatusStopped)
	must(t, "StartInstance", id, e.p.StartInstance(e.ctx, id))
	must(t, "StartInstance of a starting instance", id, e.p.StartInstance(e.ctx, id))
	if now := e.get(t, id); off(now.Status) != "started" {
		t.Errorf("instance %s is %s after StartInstance", id, now.Status)
	}
}

// restartReplaces looks for the first line of the log again: only a fresh
// container prints it.
func restartReplaces(t *testing.T, e *env) {
	workload, status := Serve, hosting.StatusRunning
	if e.typ == hosting.TypeJob {
		workload, status = Complete, hosting.StatusCompleted
	}
	created := e.create(t, e.config(workload))
	before := e.await(t, created.ID, status)
	logs := e.awaitLogs(t, created.ID, 10)
	last := logs[len(logs)-1].Timestamp

	must(t, "RestartInstance", created.ID, e.p.RestartInstance(e.ctx, created.ID))
	if now := e.get(t, created.ID).Status; now != hosting.StatusRestarting && now != hosting.StatusRunning && now != status {
		t.Errorf("instance %s is %s after RestartInstance, want %s, %s or %s", created.ID, now, hosting.StatusRestarting, hosting.StatusRunning, status)
	}
	e.eventually(t, fmt.Sprintf("instance %s prints line 1 again after RestartInstance", created.ID), func() error {
		logs, err := e.p.GetLogs(e.ctx, created.ID, hosting.LogQueryOptions{StartTime: last})
		if err != nil && !isAway(err) {
			t.Fatalf("GetLogs(%s): %v", created.ID, err)
		}
		for _, entry := range logs {
			if lineNumber(entry) == 1 && entry.Timestamp.After(last) {
				return nil
			}
		}
		return fmt.Errorf("%d lines since %s, no line 1 among them", len(logs), last)
	})
	wantUnchanged(t, "a restarted instance", e.await(t, created.ID, status), before)
}

func restartStopped(t *testing.T, e *env) {
	id := e.create(t, e.config(Serve)).ID
	must(t, "StopInstance", id, e.p.StopInstance(e.ctx, id))
	stopped := e.await(t, id, hosting.StatusStopped)
	e.wantIDError(t, "RestartInstance of a stopped instance", id, e.p.RestartInstance(e.ctx, id), hosting.RestartFailed, hosting.Conflict)
	wantUnchanged(t, "RestartInstance of a stopped instance", e.get(t, id), stopped)
}
