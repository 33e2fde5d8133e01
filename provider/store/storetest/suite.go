// Package storetest is the suite that every [store.Store] must pass:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store { return open(t) })
//	}
//
// Each case is a subtest whose name says what it promises. [RunKilled] tests
// what only a process that dies can show: that a durable store loses nothing.
//
// The suite imports the standard library and the store's interface only.
package storetest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/store"
)

// Run runs the suite. It calls open for each case; that may return the same
// store each time, and one that holds documents of others. Each case writes
// documents of kinds with a random name and deletes them at its end. The ids in
// their keys are of region "storetest" and others that begin like that.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			kind := "storetest-" + strings.ToLower(rand.Text()[:13])
			e := &env{Store: open(t), ctx: t.Context(), kind: kind}
			t.Cleanup(func() { e.clean(t) })
			c.run(t, e)
		})
	}
}

// Cases returns the names of all cases, in the order in which they run.
func Cases() []string {
	var names []string
	for _, c := range cases() {
		names = append(names, c.name)
	}
	return names
}

type testCase struct {
	name string
	run  func(t *testing.T, e *env)
}

func cases() []testCase {
	return slices.Concat(writingCases(), versionCases(), keyCases(), inputCases(), contextCases(), concurrencyCases())
}

// env is a store and a kind of documents that is a case's own.
type env struct {
	store.Store
	ctx  context.Context
	kind string
}

// clean deletes the documents of the case and of the kinds that begin like its
// own.
func (e *env) clean(t *testing.T) {
	ctx := context.WithoutCancel(e.ctx)
	for _, kind := range []string{e.kind, e.kind + "-b", e.kind + "b"} {
		documents, err := e.List(ctx, kind)
		if err != nil {
			t.Errorf("cleaning up: List(%s): %v", kind, err)
		}
		for _, document := range documents {
			if err := e.Delete(ctx, document.Key, ""); err != nil {
				t.Errorf("cleaning up: Delete(%s): %v", document.Key, err)
			}
		}
	}
}

// key is that of a document of the case.
func (e *env) key(name string) string { return e.kind + "/storetest.policy." + name }

// put writes a document, which must succeed.
func (e *env) put(t *testing.T, document store.Document) store.Document {
	t.Helper()
	written, err := e.Put(e.ctx, document)
	if err != nil {
		t.Fatalf("Put(%s, version %q): %v", document.Key, document.Version, err)
	}
	if written.Version == "" {
		t.Fatalf("Put(%s): the version is empty", document.Key)
	}
	want := document
	want.Version = written.Version
	wantDocument(t, "what Put returned", written, want)
	return written
}

// create writes a new document with some data.
func (e *env) create(t *testing.T, key, data string) store.Document {
	t.Helper()
	return e.put(t, store.Document{Key: key, Data: json.RawMessage(data)})
}

// get reads a document, which must succeed.
func (e *env) get(t *testing.T, key string) store.Document {
	t.Helper()
	document, err := e.Get(e.ctx, key)
	if err != nil {
		t.Fatalf("Get(%s): %v", key, err)
	}
	return document
}

// list lists the documents of a kind, which must succeed.
func (e *env) list(t *testing.T, kind string) []store.Document {
	t.Helper()
	documents, err := e.List(e.ctx, kind)
	if err != nil {
		t.Fatalf("List(%s): %v", kind, err)
	}
	return documents
}

// wantHeld checks that Get and List have these documents of the case's kind
// and no others. They are given sorted by key.
func (e *env) wantHeld(t *testing.T, what string, want ...store.Document) {
	t.Helper()
	documents := e.list(t, e.kind)
	if len(documents) != len(want) {
		t.Errorf("%s: the list has %q, want %q", what, keys(documents), keys(want))
		return
	}
	for i := range want {
		wantDocument(t, what+", in the list", documents[i], want[i])
		wantDocument(t, what+", by its key", e.get(t, want[i].Key), want[i])
	}
}

func keys(documents []store.Document) []string {
	list := []string{}
	for _, document := range documents {
		list = append(list, document.Key)
	}
	return list
}

func wantDocument(t *testing.T, what string, got, want store.Document) {
	t.Helper()
	if got.Key != want.Key || got.Owner != want.Owner || got.Version != want.Version {
		t.Errorf("%s: got key %q, owner %q, version %q; want key %q, owner %q, version %q", what,
			got.Key, got.Owner, got.Version, want.Key, want.Owner, want.Version)
	}
	if !sameJSON(got.Data, want.Data) {
		t.Errorf("%s, %s: the data is %s, want %s", what, want.Key, short(got.Data), short(want.Data))
	}
}

func short(data []byte) string { return fmt.Sprintf("%.200q (%d bytes)", data, len(data)) }

// sameJSON tells whether two texts are the same JSON value, all digits of
// numbers included.
func sameJSON(a, b []byte) bool {
	decode := func(data []byte) (value any, err error) {
		decoder := json.NewDecoder(strings.NewReader(string(data)))
		decoder.UseNumber()
		err = decoder.Decode(&value)
		return value, err
	}
	one, err := decode(a)
	if err != nil {
		return false
	}
	other, err := decode(b)
	return err == nil && reflect.DeepEqual(one, other)
}

// wantError checks an error: its type, code and reason, and that it names a
// text, such as the key.
func wantError(t *testing.T, call string, err error, code hosting.Code, reason hosting.Reason, names string) {
	t.Helper()
	var failure *hosting.Error
	switch {
	case err == nil:
		t.Errorf("%s: it succeeded, want an error with reason %s", call, reason)
	case !errors.As(err, &failure):
		t.Errorf("%s: got a %T, want a *hosting.Error: %v", call, err, err)
	case failure.Reason != reason || !errors.Is(err, reason) || failure.Code != code:
		t.Errorf("%s: got code %q and reason %q, want %q and %q: %v", call, failure.Code, failure.Reason, code, reason, err)
	case !strings.Contains(failure.Message, names):
		t.Errorf("%s: the message does not name %q: %v", call, names, err)
	}
}

// wantPut checks that a Put fails.
func (e *env) wantPut(t *testing.T, document store.Document, reason hosting.Reason) {
	t.Helper()
	_, err := e.Put(e.ctx, document)
	wantError(t, fmt.Sprintf("Put(%s, version %.80q)", document.Key, document.Version), err, hosting.UpdateFailed, reason, document.Key)
}

// wantDelete checks that a Delete fails.
func (e *env) wantDelete(t *testing.T, key, version string, reason hosting.Reason) {
	t.Helper()
	err := e.Delete(e.ctx, key, version)
	wantError(t, fmt.Sprintf("Delete(%s, version %.80q)", key, version), err, hosting.DeleteFailed, reason, key)
}

// wantGone checks that a document does not exist.
func (e *env) wantGone(t *testing.T, key string) {
	t.Helper()
	_, err := e.Get(e.ctx, key)
	wantError(t, fmt.Sprintf("Get(%s)", key), err, hosting.GetFailed, hosting.NotFound, key)
}
