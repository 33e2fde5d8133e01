package boltstore_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"skillcenter.io/hosting/provider/store"
	"skillcenter.io/hosting/provider/store/boltstore"
)

// Documents that are written before a process ends are there for the next.
func Example() {
	ctx := context.Background()
	directory, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(directory) }()
	path := filepath.Join(directory, "hosting.db")

	before, err := boltstore.Open(ctx, path)
	if err != nil {
		log.Fatal(err) // such as: it is open already, it is a directory
	}
	_, err = before.Put(ctx, store.Document{Key: "policy/default.policy.web", Data: json.RawMessage(`{"minReplicas":2}`)})
	if err != nil {
		log.Fatal(err)
	}
	if err := before.Close(); err != nil {
		log.Fatal(err)
	}

	after, err := boltstore.Open(ctx, path)
	if err != nil {
		log.Fatal(err)
	}
	document, err := after.Get(ctx, "policy/default.policy.web")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(document.Data))
	if err := after.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: {"minReplicas":2}
}
