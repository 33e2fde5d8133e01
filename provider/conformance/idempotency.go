package conformance

import (
	"fmt"
	"testing"

	"skillcenter.io/hosting"
)

func idempotencyCases() []testCase {
	return []testCase{
		each("creating again returns the same instance", createAgain),
		each("creating again undoes no scale", createAfterScale, hosting.CanScale),
		each("creating again undoes no stop", createAfterStop, hosting.CanStop),
		each("creating again undoes no change of resources", createAfterUpdate, hosting.CanUpdateResources),
		each("a name with another configuration already exists", createOther),
		once("a name with another type already exists", createOtherType),
	}
}

func createAgain(t *testing.T, e *env) {
	config := e.config(Serve)
	first := e.create(t, config)

	same := map[string]hosting.CloudHostingConfig{"the same configuration": config}
	empty := clone(config)
	empty.Labels, empty.Annotations, empty.Env = map[string]string{}, map[string]string{}, map[string]string{}
	empty.Container.Env, empty.SecretEnv = map[string]string{}, hosting.SecretMap{}
	if config.Container.Ports == nil {
		empty.Container.Ports = []int{}
	}
	same["empty instead of nil maps"] = empty
	bare := clone(config)
	bare.Resources, bare.Network, bare.Scaling = &hosting.ResourceConfig{}, &hosting.NetworkConfig{}, &hosting.ScaleConfig{}
	same["empty instead of no sub-configurations"] = bare
	if e.Region == e.p.SupportedRegions()[0] {
		config.Region = ""
		same["the default region unnamed"] = config
	}
	for what, config := range same {
		again, err := e.p.CreateInstance(e.ctx, config)
		if err != nil {
			t.Errorf("CreateInstance(%s) again with %s: %v", first.ID, what, err)
			continue
		}
		wantUnchanged(t, "CreateInstance again with "+what, again, first)
	}
	if listed := e.named(t, config.InstanceName); len(listed) != 1 {
		t.Errorf("ListInstances has %d instances named %s after creating it again, want 1", len(listed), config.InstanceName)
	}
}

// createAgainIs creates the instance again and checks that this returns and
// leaves the instance as it is now.
func (e *env) createAgainIs(t *testing.T, config hosting.CloudHostingConfig, now hosting.CloudInstance) {
	t.Helper()
	again, err := e.p.CreateInstance(e.ctx, config)
	must(t, "CreateInstance again", now.ID, err)
	wantUnchanged(t, "CreateInstance again", again, now)
	wantUnchanged(t, "GetInstance after CreateInstance again", e.get(t, now.ID), now)
}

func createAfterScale(t *testing.T, e *env) {
	config, _ := e.replicated(t, Serve, 1)
	id := e.create(t, config).ID
	must(t, "ScaleInstance", id, e.p.ScaleInstance(e.ctx, id, 2))
	now := e.get(t, id)
	if now.Replicas != 2 {
		t.Fatalf("instance %s has %d replicas after ScaleInstance, want 2", id, now.Replicas)
	}
	e.createAgainIs(t, config, now)
}

func createAfterStop(t *testing.T, e *env) {
	config := e.config(Serve)
	id := e.create(t, config).ID
	must(t, "StopInstance", id, e.p.StopInstance(e.ctx, id))
	e.createAgainIs(t, config, e.await(t, id, hosting.StatusStopped))
}

func createAfterUpdate(t *testing.T, e *env) {
	config := e.config(Serve)
	created := e.create(t, config)
	e.stopJob(t, created.ID)
	must(t, "UpdateResources", created.ID, e.p.UpdateResources(e.ctx, created.ID, hosting.ResourceConfig{CPULimit: 0.9}))
	now := e.get(t, created.ID)
	if sameResources(now.Resources, created.Resources) {
		t.Fatalf("instance %s still has resources %s after UpdateResources", created.ID, toJSON(now.Resources))
	}
	e.createAgainIs(t, config, now)
}

// stopJob stops an instance whose resources change only while it is stopped.
func (e *env) stopJob(t *testing.T, id string) {
	t.Helper()
	if e.typ == hosting.TypeJob {
		must(t, "StopInstance", id, e.p.StopInstance(e.ctx, id))
		e.await(t, id, hosting.StatusStopped)
	}
}

func createOther(t *testing.T, e *env) {
	config := e.config(Serve)
	created := e.create(t, config)
	others := map[string]func(*hosting.CloudHostingConfig){
		"image":       func(c *hosting.CloudHostingConfig) { c.Container.Image = "other.example.com/other:1" },
		"args":        func(c *hosting.CloudHostingConfig) { c.Container.Args = append(c.Container.Args, "more") },
		"port":        func(c *hosting.CloudHostingConfig) { c.Container.Ports = append(c.Container.Ports, 9191) },
		"env":         func(c *hosting.CloudHostingConfig) { c.Env = map[string]string{"OTHER": "1"} },
		"label":       func(c *hosting.CloudHostingConfig) { c.Labels = map[string]string{"other": "1"} },
		"annotation":  func(c *hosting.CloudHostingConfig) { c.Annotations = map[string]string{"other": "1"} },
		"version":     func(c *hosting.CloudHostingConfig) { c.Version = "other" },
		"resources":   func(c *hosting.CloudHostingConfig) { c.Resources = &hosting.ResourceConfig{CPULimit: 0.3} },
		"maxReplicas": func(c *hosting.CloudHostingConfig) { c.Scaling = &hosting.ScaleConfig{MaxReplicas: 7} },
	}
	if e.typ == hosting.TypeCronJob {
		others["schedule"] = func(c *hosting.CloudHostingConfig) { c.Schedule = "0 1 29 2 *" }
	}
	for what, change := range others {
		other := clone(config)
		change(&other)
		_, err := e.tryCreate(t, other)
		e.wantError(t, fmt.Sprintf("CreateInstance(%s) with another %s", created.ID, what), err, hosting.CreateFailed, hosting.AlreadyExists)
	}
	wantUnchanged(t, "CreateInstance with other configurations", e.get(t, created.ID), created)
}

func createOtherType(t *testing.T, e *env) {
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
		_, err := e.tryCreate(t, config)
		e.wantError(t, fmt.Sprintf("CreateInstance(%s) as a %s", created.ID, other), err, hosting.CreateFailed, hosting.AlreadyExists)
	}
	if listed := e.named(t, config.InstanceName); len(listed) != 1 || listed[0].InstanceType != e.typ {
		t.Errorf("ListInstances has %d instances named %s, want the one %s", len(listed), config.InstanceName, e.typ)
	}
}
