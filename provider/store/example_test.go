package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/store"
)

// Who writes what another one has changed meanwhile is told so, and decides
// anew.
func Example() {
	ctx := context.Background()
	documents := store.NewMemory() // or boltstore.Open(ctx, path), or Store() of a Kubernetes provider
	const key = "policy/default.policy.web"
	mine, err := documents.Put(ctx, store.Document{Key: key, Owner: "default.deployment.web", Data: json.RawMessage(`{"maxReplicas":4}`)})
	if err != nil {
		log.Fatal(err)
	}

	theirs, err := documents.Get(ctx, key)
	if err != nil {
		log.Fatal(err)
	}
	theirs.Data = json.RawMessage(`{"maxReplicas":8}`)
	if _, err := documents.Put(ctx, theirs); err != nil {
		log.Fatal(err)
	}

	mine.Data = json.RawMessage(`{"maxReplicas":2}`)
	_, err = documents.Put(ctx, mine)
	fmt.Println(errors.Is(err, hosting.Conflict))
	now, err := documents.Get(ctx, key)
	fmt.Println(string(now.Data), err)
	// Output:
	// true
	// {"maxReplicas":8} <nil>
}

// A key that cannot be one is refused before anything is written.
func ExampleValidateKey() {
	fmt.Println(store.ValidateKey("policy/default.policy.web"))
	fmt.Println(store.ValidateKey("policy/web"))
	// Output:
	// <nil>
	// key "policy/web": allowed: <kind>/<id>, the kind of lower-case letters, digits and '-' inside, at most 63 characters, the id [<provider>:]<region>.<type>.<name>
}
