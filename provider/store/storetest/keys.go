package storetest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"skillcenter.io/hosting/provider/store"
)

func keyCases() []testCase {
	return []testCase{
		{"a kind without documents is an empty list", emptyList},
		{"a list has the documents of its kind, sorted by key", sortedList},
		{"keys that look alike are told apart", similarKeys},
	}
}

func emptyList(t *testing.T, e *env) {
	e.wantHeld(t, "before any write")
	d := e.create(t, e.key("a"), `1`)
	if err := e.Delete(e.ctx, d.Key, ""); err != nil {
		t.Fatalf("Delete(%s): %v", d.Key, err)
	}
	e.wantHeld(t, "after the last is deleted")
}

func sortedList(t *testing.T, e *env) {
	var want []store.Document
	ids := []string{
		"storetest.policy.b", "storetest.policy.a", "storetest.policy.a-b", "storetest.policy.ab", "storetest.policy.a0",
		"storetest-b.policy.a", "storetestb.policy.a", "storetest.policyb.a", "p:storetest.policy.a", "p-b:storetest.policy.a", "zz:storetest.policy.a",
	}
	for _, id := range ids {
		want = append(want, e.create(t, e.kind+"/"+id, `"`+id+`"`))
	}
	slices.SortFunc(want, func(a, b store.Document) int { return strings.Compare(a.Key, b.Key) })
	// Other kinds are no business of this one's, however alike they are.
	for _, kind := range []string{e.kind + "-b", e.kind + "b"} {
		other := e.create(t, kind+"/storetest.policy.a", `"`+kind+`"`)
		got := e.list(t, kind)
		if len(got) != 1 {
			t.Fatalf("List(%s): got %q, want %q", kind, keys(got), other.Key)
		}
		wantDocument(t, "the list of another kind", got[0], other)
	}
	e.wantHeld(t, "in any order of writes", want...)
	if prefix := e.list(t, e.kind[:len(e.kind)-1]); len(prefix) > 0 {
		t.Errorf("List(%s): got %q, want none", e.kind[:len(e.kind)-1], keys(prefix))
	}
}

// similarKeys are the longest ones, which differ at their ends only, and those
// that become equal when what divides their parts is replaced.
func similarKeys(t *testing.T, e *env) {
	long := strings.Repeat("a", 63)
	name := "n" + strings.Repeat("-n", 24)
	var want []store.Document
	for _, id := range []string{
		long + ":" + long + "." + long + "." + name + "x", long + ":" + long + "." + long + "." + name + "y",
		long + ":" + long + "." + long + "." + name, "b" + long[1:] + ":" + long + "." + long + "." + name,
		"a-b:storetest.c.d", "a:b-storetest.c.d", "a-b-storetest.c.d", "storetest.c.d", "storetest-c.d.e", "storetest.c.d-e", "storetest.c.d--e", "a:storetest.c.d",
	} {
		want = append(want, e.create(t, e.kind+"/"+id, `"`+id+`"`))
	}
	slices.SortFunc(want, func(a, b store.Document) int { return strings.Compare(a.Key, b.Key) })
	e.wantHeld(t, "after all are written", want...)
	gone := want[len(want)/2]
	if err := e.Delete(e.ctx, gone.Key, gone.Version); err != nil {
		t.Fatalf("Delete(%s): %v", gone.Key, err)
	}
	want = slices.Delete(want, len(want)/2, len(want)/2+1)
	e.wantHeld(t, "after one is deleted", want...)
	want[0].Data = json.RawMessage(`"changed"`)
	want[0] = e.put(t, want[0])
	e.wantHeld(t, "after one is changed", want...)

	longKind := e.kind + strings.Repeat("k", 63-len(e.kind))
	d := e.create(t, longKind+"/"+long+":"+long+"."+long+"."+name+"x", `1`)
	wantDocument(t, "the longest key", e.get(t, d.Key), d)
	if err := e.Delete(e.ctx, d.Key, ""); err != nil {
		t.Errorf("Delete(%s): %v", d.Key, err)
	}
}
