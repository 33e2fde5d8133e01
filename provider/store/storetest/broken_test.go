package storetest_test

import (
	"context"
	"sync"

	"skillcenter.io/hosting/provider/store"
)

type (
	ctx      = context.Context
	document = store.Document
)

// broken is a sound store with hooks, each of which may spoil one method. A
// hook calls the sound method through good.
type broken struct {
	good *store.Memory

	mu    sync.Mutex
	notes map[string]document // what a defect remembers

	get     func(c ctx, key string) (document, error)
	list    func(c ctx, kind string) ([]document, error)
	put     func(c ctx, d document) (document, error)
	delete  func(c ctx, key, version string) error
	durable func() bool
	fail    func(error) error // applied to every error
}

func newBroken(spoil func(*broken)) *broken {
	good := store.NewMemory()
	b := &broken{good: good, notes: map[string]document{}, get: good.Get, list: good.List, put: good.Put, delete: good.Delete,
		durable: good.Durable, fail: func(err error) error { return err }}
	spoil(b)
	return b
}

func (b *broken) failed(err error) error {
	if err == nil {
		return nil
	}
	return b.fail(err)
}

func (b *broken) Get(c ctx, key string) (document, error) {
	d, err := b.get(c, key)
	return d, b.failed(err)
}

func (b *broken) List(c ctx, kind string) ([]document, error) {
	list, err := b.list(c, kind)
	return list, b.failed(err)
}

func (b *broken) Put(c ctx, d document) (document, error) {
	written, err := b.put(c, d)
	return written, b.failed(err)
}

func (b *broken) Delete(c ctx, key, version string) error { return b.failed(b.delete(c, key, version)) }

func (b *broken) Durable() bool { return b.durable() }

// show applies a change to every document that is read.
func (b *broken) show(change func(document) document) {
	b.get = func(c ctx, key string) (document, error) {
		d, err := b.good.Get(c, key)
		if err == nil {
			d = change(d)
		}
		return d, err
	}
	b.list = func(c ctx, kind string) ([]document, error) {
		list, err := b.good.List(c, kind)
		for i := range list {
			list[i] = change(list[i])
		}
		return list, err
	}
}

// note remembers a document under a name and returns what was there before.
func (b *broken) note(name string, d document) document {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.notes[name]
	b.notes[name] = d
	return old
}
