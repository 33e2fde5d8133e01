package storetest

import (
	"encoding/json"
	"fmt"
	"testing"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/store"
)

// values are JSON values that something between a store and its disk may spoil.
var values = []string{
	`{"a":1,"b":[true,false,null],"c":{"d":"e"}}`, `{}`, `[]`, `""`, `"text"`, `null`, `true`, `0`, `-0.5e-7`,
	`12345678901234567890.123456789`, `9007199254740993`,
	`"Zürich, 東京, 😀, \u0000, \u001f, \u2028, <b>&amp;</b>, \"quoted\", back\\slash, /"`,
	"\" \u2028 \u2029 \u007f \ufffd \ufeff\"", "\n { \"a\" :\t1 }\r\n", `{"a\nb":"line\nline"}`, `{"document":"{\"nested\":\"JSON\"}"}`,
}

func writingCases() []testCase {
	return []testCase{
		{"a document comes back as it was written", comesBack},
		{"an update replaces all of a document", updateReplaces},
		{"what was never written is not found", neverWritten},
		{"a document that exists is not created again", existsAlready},
		{"a deleted document is gone and can be created again", deletion},
		{"what is given and returned is copied", copies},
		{"a store is durable or not, and stays so", durable},
	}
}

func comesBack(t *testing.T, e *env) {
	var all []store.Document
	for i, value := range values {
		document := store.Document{Key: e.key(fmt.Sprintf("v%02d", i)), Data: json.RawMessage(value)}
		if i%2 == 1 {
			document.Owner = "storetest.deployment.web"
		}
		all = append(all, e.put(t, document))
	}
	e.wantHeld(t, "after the writes", all...)
}

func updateReplaces(t *testing.T, e *env) {
	other := e.create(t, e.key("other"), `{"other":true}`)
	d := e.put(t, store.Document{Key: e.key("a"), Owner: "storetest.deployment.web", Data: json.RawMessage(`{"a":1,"b":2}`)})
	d.Data = json.RawMessage(`{"b":3}`)
	d = e.put(t, d)
	e.wantHeld(t, "after an update of the data", d, other)
	d.Owner = "storetest.deployment.db"
	d = e.put(t, d)
	e.wantHeld(t, "after another owner", d, other)
	d.Owner, d.Data = "", json.RawMessage(`[]`)
	d = e.put(t, d)
	e.wantHeld(t, "after no owner", d, other)
}

func neverWritten(t *testing.T, e *env) {
	key := e.key("none")
	for range 2 { // none of the calls makes one
		e.wantGone(t, key)
		e.wantPut(t, store.Document{Key: key, Data: json.RawMessage(`1`), Version: "1"}, hosting.NotFound)
		e.wantDelete(t, key, "", hosting.NotFound)
		e.wantDelete(t, key, "1", hosting.NotFound)
		e.wantHeld(t, "before any write")
	}
}

func existsAlready(t *testing.T, e *env) {
	first := e.create(t, e.key("a"), `{"first":true}`)
	for _, data := range []string{`{"second":true}`, `{"first":true}`} {
		e.wantPut(t, store.Document{Key: first.Key, Data: json.RawMessage(data)}, hosting.AlreadyExists)
		e.wantHeld(t, "after a second creation", first)
	}
}

func deletion(t *testing.T, e *env) {
	other := e.create(t, e.key("other"), `1`)
	for i, withVersion := range []bool{true, false, true} {
		d := e.create(t, e.key("a"), fmt.Sprint(i))
		e.wantHeld(t, "after its creation", d, other)
		version := ""
		if withVersion {
			version = d.Version
		}
		if err := e.Delete(e.ctx, d.Key, version); err != nil {
			t.Fatalf("Delete(%s, version %q): %v", d.Key, version, err)
		}
		e.wantGone(t, d.Key)
		e.wantHeld(t, "after its deletion", other)
		e.wantDelete(t, d.Key, version, hosting.NotFound)
		e.wantPut(t, d, hosting.NotFound)
		e.wantHeld(t, "after an update of what is gone", other)
	}
}

func copies(t *testing.T, e *env) {
	const original = `{"value":"original"}`
	spoil := func(data []byte) {
		for i := range data {
			data[i] = '!'
		}
	}
	given := json.RawMessage(original)
	returned := e.put(t, store.Document{Key: e.key("a"), Data: given})
	want := returned.Clone()
	spoil(given)
	e.wantHeld(t, "after what was given to Put has been changed", want)
	spoil(returned.Data)
	e.wantHeld(t, "after what Put returned has been changed", want)
	spoil(e.get(t, want.Key).Data)
	e.wantHeld(t, "after what Get returned has been changed", want)
	for _, document := range e.list(t, e.kind) {
		spoil(document.Data)
	}
	e.wantHeld(t, "after what List returned has been changed", want)
}

func durable(t *testing.T, e *env) {
	was := e.Durable()
	e.create(t, e.key("a"), `1`)
	if e.Durable() != was {
		t.Errorf("Durable: it was %t before the first write and is %t now", was, !was)
	}
}
