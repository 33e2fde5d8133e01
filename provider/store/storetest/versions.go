package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/store"
)

func versionCases() []testCase {
	return []testCase{
		{"every write has a new version, also one of the same data", newVersions},
		{"a write with an old version conflicts and changes nothing", oldVersions},
		{"a version that the document never had conflicts", foreignVersions},
		{"the version of a deleted document does not come back", noVersionComesBack},
	}
}

func newVersions(t *testing.T, e *env) {
	d := e.create(t, e.key("a"), `{"a":1}`)
	seen := map[string]bool{d.Version: true}
	for range 5 {
		d = e.put(t, d)
		if seen[d.Version] {
			t.Fatalf("Put(%s): version %q comes twice", d.Key, d.Version)
		}
		seen[d.Version] = true
		e.wantHeld(t, "after a write of the same data", d)
	}
	before := e.get(t, d.Key)
	e.create(t, e.key("b"), `1`)
	wantDocument(t, "after a write of another document", e.get(t, d.Key), before)
}

func oldVersions(t *testing.T, e *env) {
	first := e.create(t, e.key("a"), `1`)
	update := first.Clone()
	update.Data = json.RawMessage(`2`)
	second := e.put(t, update)
	for _, stale := range []string{first.Version, first.Version} {
		e.wantPut(t, store.Document{Key: first.Key, Version: stale, Data: json.RawMessage(`3`)}, hosting.Conflict)
		e.wantDelete(t, first.Key, stale, hosting.Conflict)
		e.wantHeld(t, "after writes with an old version", second)
	}
}

func foreignVersions(t *testing.T, e *env) {
	d, other := e.create(t, e.key("a"), `1`), e.create(t, e.key("b"), `1`)
	flipped := []byte(d.Version)
	flipped[len(flipped)-1] ^= 1
	for _, version := range []string{
		other.Version, string(flipped), d.Version + "0", "0" + d.Version, d.Version + " ", " " + d.Version, d.Version[:len(d.Version)-1] + "x",
		"0", "-1", "99999999999999999999999999", "no version", "/", ":", "\x00", "ä\n\xff", strings.Repeat("9", 100_000),
	} {
		e.wantPut(t, store.Document{Key: d.Key, Version: version, Data: json.RawMessage(`2`)}, hosting.Conflict)
		e.wantDelete(t, d.Key, version, hosting.Conflict)
		e.wantHeld(t, fmt.Sprintf("after writes with version %.80q", version), d, other)
		e.wantDelete(t, e.key("none"), version, hosting.NotFound)
		e.wantPut(t, store.Document{Key: e.key("none"), Version: version, Data: json.RawMessage(`2`)}, hosting.NotFound)
	}
}

func noVersionComesBack(t *testing.T, e *env) {
	var old []string
	for range 4 {
		d := e.create(t, e.key("a"), `{"a":1}`)
		old = append(old, d.Version)
		d = e.put(t, d)
		for _, version := range old {
			e.wantPut(t, store.Document{Key: d.Key, Version: version, Data: json.RawMessage(`2`)}, hosting.Conflict)
			e.wantDelete(t, d.Key, version, hosting.Conflict)
		}
		e.wantHeld(t, "after writes with versions of those that are deleted", d)
		old = append(old, d.Version)
		if err := e.Delete(e.ctx, d.Key, d.Version); err != nil {
			t.Fatalf("Delete(%s): %v", d.Key, err)
		}
	}
}
