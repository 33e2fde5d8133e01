package conformance

import (
	"math/rand/v2"
	"strings"
	"testing"

	"skillcenter.io/hosting"
)

func nameCases() []testCase {
	return []testCase{
		each("a name of 50 characters runs", longestName).waiting(),
		once("a name of one letter is served", func(t *testing.T, e *env) {
			e.lifeOf(t, strings.Split("abcdefghijklmnopqrstuvwxyz", "")...)
		}),
		once("a name with two hyphens in a row is served", func(t *testing.T, e *env) { e.lifeOf(t, "c--"+random(10)) }),
		once("a name of letters, digits and single hyphens is served", func(t *testing.T, e *env) { e.lifeOf(t, "c0-1-"+random(5)+"-9z-2") }),
		once("names that begin alike are kept apart", alikeNames),
	}
}

func longestName(t *testing.T, e *env) {
	config := e.config(Serve)
	config.InstanceName += "-" + strings.Repeat("x", hosting.MaxNameLength-len(config.InstanceName)-1)
	config.Container.Ports = []int{8080}
	running := e.running(t, config)
	if running.Name != config.InstanceName {
		t.Errorf("instance %s has name %q, want %q", running.ID, running.Name, config.InstanceName)
	}
	if len(e.named(t, config.InstanceName)) != 1 {
		t.Errorf("ListInstances does not have %s", running.ID)
	}
}

// lifeOf creates an instance with an odd name, finds and deletes it. Of
// several names it takes one that no other user of the platform has.
func (e *env) lifeOf(t *testing.T, names ...string) {
	t.Helper()
	config := e.config(Serve)
	config.Labels = map[string]string{"run": random(10)}
	var name string
	var created hosting.CloudInstance
	var err error
	for _, i := range rand.Perm(len(names)) {
		name = names[i]
		config.InstanceName = name
		created, err = e.tryCreate(t, config)
		if reason := hosting.ReasonOf(err); reason != hosting.AlreadyExists && reason != hosting.Conflict {
			break
		}
	}
	must(t, "CreateInstance", name, err)
	if got := e.get(t, created.ID); got.Name != name {
		t.Errorf("GetInstance(%s) has name %q, want %q", created.ID, got.Name, name)
	}
	if len(e.named(t, name)) != 1 {
		t.Errorf("ListInstances does not have %s", created.ID)
	}
	must(t, "DeleteInstance", created.ID, e.p.DeleteInstance(e.ctx, created.ID))
	e.awaitGone(t, created.ID)
}

// alikeNames deletes an instance whose name is the beginning of another's.
func alikeNames(t *testing.T, e *env) {
	short, long := e.config(Serve), e.config(Serve)
	long.InstanceName = short.InstanceName + "-0"
	first, second := e.create(t, short), e.create(t, long)
	wantSame(t, "GetInstance of the shorter name", e.get(t, first.ID), first)
	must(t, "DeleteInstance", first.ID, e.p.DeleteInstance(e.ctx, first.ID))
	e.awaitGone(t, first.ID)
	wantUnchanged(t, "deleting the instance with the shorter name", e.get(t, second.ID), second)
}
