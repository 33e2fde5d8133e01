//go:build linux

package kubernetes_test

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"

	"skillcenter.io/hosting/provider/store"
	"skillcenter.io/hosting/provider/store/storetest"
)

func TestTheStorePassesTheSuite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	storetest.Run(t, func(*testing.T) store.Store { return w.Store() })
}

// inTurn asks several stores of the same place, one after the other.
type inTurn struct {
	stores []store.Store
	calls  atomic.Int32
}

func (s *inTurn) next() store.Store { return s.stores[int(s.calls.Add(1))%len(s.stores)] }

func (s *inTurn) Get(ctx context.Context, key string) (store.Document, error) {
	return s.next().Get(ctx, key)
}
func (s *inTurn) List(ctx context.Context, kind string) ([]store.Document, error) {
	return s.next().List(ctx, kind)
}
func (s *inTurn) Put(ctx context.Context, document store.Document) (store.Document, error) {
	return s.next().Put(ctx, document)
}
func (s *inTurn) Delete(ctx context.Context, key, version string) error {
	return s.next().Delete(ctx, key, version)
}
func (s *inTurn) Durable() bool { return s.next().Durable() }

func TestStoresOfSeveralProvidersAreOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	storetest.Run(t, func(*testing.T) store.Store {
		return &inTurn{stores: []store.Store{w.Store(), w.provider(t, w.cluster.Config()).Store(), w.provider(t, w.cluster.Config()).Store()}}
	})
}

func document(key, owner, data string) store.Document {
	return store.Document{Key: key, Owner: owner, Data: json.RawMessage(data)}
}
