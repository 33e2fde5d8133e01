package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/store"
)

func inputCases() []testCase {
	return []testCase{
		{"a key or kind that is not allowed is refused", badKeys},
		{"a document that is not allowed is refused and changes nothing", badDocuments},
		{"the largest document is kept and a larger one is refused", largest},
	}
}

func badKeys(t *testing.T, e *env) {
	const name = "storetest.policy.web"
	long := strings.Repeat("k", 64)
	for _, key := range []string{
		"", "/", "policy", "policy/", "/" + name, name, "policy/web", "policy/storetest.web", "policy/a." + name, "policy//" + name, "policy/" + name + "/",
		"policy/x/" + name, "Policy/" + name, "policy/Storetest.policy.web", "-policy/" + name, "policy-/" + name, "pol.icy/" + name, "pol:icy/" + name, "pol_icy/" + name,
		"policy/:" + name, "policy/a:b:" + name, " policy/" + name, "policy/" + name + " ", "policy/" + name + "\n", "policy/\x00" + name, "pölicy/" + name,
		"policy\n/" + name, "policy/../" + name, "../policy/" + name, `policy\` + name, long + "/" + name, "policy/" + name + strings.Repeat("x", 51), "policy/\xff." + name,
	} {
		named := fmt.Sprintf("%.80q", key)
		_, err := e.Get(e.ctx, key)
		wantError(t, fmt.Sprintf("Get(%q)", key), err, hosting.GetFailed, hosting.InvalidArgument, named)
		for _, version := range []string{"", "1"} {
			_, err = e.Put(e.ctx, store.Document{Key: key, Data: json.RawMessage(`1`), Version: version})
			wantError(t, fmt.Sprintf("Put(%q)", key), err, hosting.UpdateFailed, hosting.InvalidArgument, named)
			err = e.Delete(e.ctx, key, version)
			wantError(t, fmt.Sprintf("Delete(%q)", key), err, hosting.DeleteFailed, hosting.InvalidArgument, named)
		}
	}
	for _, kind := range []string{"", "/", "policy/", "Policy", "-policy", "policy-", "pol.icy", "pol:icy", "pol_icy", " policy", "policy\n", "pölicy", "*", "policy,x", long} {
		_, err := e.List(e.ctx, kind)
		wantError(t, fmt.Sprintf("List(%q)", kind), err, hosting.ListFailed, hosting.InvalidArgument, fmt.Sprintf("%.80q", kind))
	}
}

func badDocuments(t *testing.T, e *env) {
	d := e.create(t, e.key("a"), `1`)
	for what, bad := range map[string]store.Document{
		"no data":                   {},
		"empty data":                {Data: json.RawMessage{}},
		"white space":               {Data: json.RawMessage(" \n")},
		"no JSON":                   {Data: json.RawMessage(`{"a":`)},
		"two values":                {Data: json.RawMessage(`1 2`)},
		"a trailing comma":          {Data: json.RawMessage(`[1,]`)},
		"a word that JSON has not":  {Data: json.RawMessage(`NaN`)},
		"data that is not UTF-8":    {Data: json.RawMessage("\"\xff\"")},
		"a byte-order mark":         {Data: json.RawMessage("\xef\xbb\xbf1")},
		"an owner that is a name":   {Owner: "web", Data: json.RawMessage(`2`)},
		"an owner with a line feed": {Owner: "storetest.deployment.web\n", Data: json.RawMessage(`2`)},
	} {
		field := "data"
		if bad.Owner != "" {
			field = "owner"
		}
		for _, place := range []store.Document{{Key: e.key("none")}, {Key: d.Key, Version: d.Version}} {
			bad.Key, bad.Version = place.Key, place.Version
			_, err := e.Put(e.ctx, bad)
			wantError(t, "Put with "+what, err, hosting.UpdateFailed, hosting.InvalidArgument, field)
		}
	}
	e.wantHeld(t, "after what was refused", d)
}

func largest(t *testing.T, e *env) {
	text := func(size int) json.RawMessage {
		return json.RawMessage(`"` + strings.Repeat("x", size-2) + `"`)
	}
	d := e.put(t, store.Document{Key: e.key("a"), Owner: "storetest.deployment.web", Data: text(store.MaxSize)})
	d.Data[1] = 'y'
	d = e.put(t, d)
	e.wantHeld(t, "at the largest size", d)
	tooLarge := d
	tooLarge.Data = text(store.MaxSize + 1)
	for _, place := range []store.Document{{Key: e.key("none")}, {Key: d.Key, Version: d.Version}} {
		tooLarge.Key, tooLarge.Version = place.Key, place.Version
		_, err := e.Put(e.ctx, tooLarge)
		wantError(t, "Put of too much", err, hosting.UpdateFailed, hosting.InvalidArgument, fmt.Sprint(store.MaxSize))
	}
	e.wantHeld(t, "after too much was refused", d)
}

func contextCases() []testCase {
	return []testCase{{"a context that has ended changes nothing", endedContexts}}
}

func endedContexts(t *testing.T, e *env) {
	d := e.create(t, e.key("a"), `1`)
	canceled, cancel := context.WithCancel(e.ctx)
	cancel()
	late, cancelLate := context.WithDeadline(e.ctx, time.Now().Add(-time.Second))
	defer cancelLate()
	for reason, ctx := range map[hosting.Reason]context.Context{hosting.Canceled: canceled, hosting.DeadlineExceeded: late} {
		_, err := e.Get(ctx, d.Key)
		wantError(t, "Get", err, hosting.GetFailed, reason, d.Key)
		_, err = e.List(ctx, e.kind)
		wantError(t, "List", err, hosting.ListFailed, reason, e.kind)
		_, err = e.Put(ctx, store.Document{Key: e.key("none"), Data: json.RawMessage(`2`)})
		wantError(t, "Put of a new document", err, hosting.UpdateFailed, reason, e.key("none"))
		_, err = e.Put(ctx, store.Document{Key: d.Key, Version: d.Version, Data: json.RawMessage(`2`)})
		wantError(t, "Put", err, hosting.UpdateFailed, reason, d.Key)
		wantError(t, "Delete", e.Delete(ctx, d.Key, d.Version), hosting.DeleteFailed, reason, d.Key)
		wantError(t, "Delete of any version", e.Delete(ctx, d.Key, ""), hosting.DeleteFailed, reason, d.Key)
	}
	e.wantHeld(t, "after calls whose context has ended", d)
}
