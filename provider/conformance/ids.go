package conformance

import (
	"fmt"
	"testing"

	"skillcenter.io/hosting"
)

func idCases() []testCase {
	return []testCase{
		once("a malformed id is refused by every call", malformedIDs),
		once("an id that names nothing is not found by every call", unknownIDs),
		once("an id may name its own provider", ownPrefix),
	}
}

func malformedIDs(t *testing.T, e *env) {
	for _, id := range []string{
		"", "web", "deployment.web", e.Region + "." + e.typ + ".Web", e.Region + "." + e.typ + ".", e.Region + "." + e.typ + ".a.b",
		"..", ":" + e.Region + "." + e.typ + ".web", "a:b:" + e.Region + "." + e.typ + ".web", e.Region + "." + e.typ + ".web\n",
		e.Region + "/" + e.typ + "/web", e.Region + "." + e.typ + ".../../web", e.Region + "." + e.typ + ".a123456789-123456789-123456789-123456789-1234567890",
	} {
		for _, c := range idCalls() {
			if c.needs == "" || e.has(t, c.needs) {
				e.wantIDError(t, fmt.Sprintf("%s(%q)", c.name, id), id, c.do(e.ctx, e.p, id), c.code, hosting.InvalidArgument)
			}
		}
	}
}

func unknownIDs(t *testing.T, e *env) {
	created := e.create(t, e.config(Serve))
	bare := hosting.ID{Region: e.Region, Type: e.typ, Name: created.Name}
	with := func(change func(*hosting.ID)) string {
		id := bare
		change(&id)
		return id.String()
	}
	ids := map[string]string{
		"an unknown name":     with(func(id *hosting.ID) { id.Name = e.name() }),
		"an unknown region":   with(func(id *hosting.ID) { id.Region = "no-such-region" }),
		"an unknown type":     with(func(id *hosting.ID) { id.Type = "nosuchtype" }),
		"an unknown provider": with(func(id *hosting.ID) { id.Provider = "no-such-provider" }),
	}
	for _, other := range e.Types {
		if other != e.typ {
			ids["another type"] = with(func(id *hosting.ID) { id.Type = other })
		}
	}
	for what, id := range ids {
		for _, c := range idCalls() {
			if c.needs != "" && !e.has(t, c.needs) {
				continue
			}
			err := c.do(e.ctx, e.p, id)
			if what == "another type" && hosting.ReasonOf(err) == hosting.Unsupported {
				continue // the other type cannot do it, existing or not
			}
			e.wantIDError(t, fmt.Sprintf("%s(%s), %s", c.name, id, what), id, err, hosting.InstanceNotFound, hosting.NotFound)
		}
	}
	wantUnchanged(t, "calls with ids like it", e.get(t, created.ID), created)
}

func ownPrefix(t *testing.T, e *env) {
	created := e.create(t, e.config(Serve))
	id := hosting.ID{Provider: created.Provider, Region: e.Region, Type: e.typ, Name: created.Name}.String()
	wantUnchanged(t, fmt.Sprintf("GetInstance(%s)", id), e.get(t, id), created)
	if e.has(t, hosting.CanStop) {
		must(t, "StopInstance", id, e.p.StopInstance(e.ctx, id))
		if now := e.get(t, created.ID); off(now.Status) != "stopped" {
			t.Errorf("instance %s is %s after StopInstance(%s)", created.ID, now.Status, id)
		}
	}
	must(t, "DeleteInstance", id, e.p.DeleteInstance(e.ctx, id))
	e.awaitGone(t, created.ID)
}
