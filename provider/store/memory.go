package store

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"skillcenter.io/hosting"
)

// Memory keeps documents in memory: they are gone when the process ends, and
// other processes do not see them. Make one with [NewMemory].
type Memory struct {
	mu        sync.Mutex
	documents map[string]Document
	writes    uint64 // never goes back, so that no version comes twice
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{documents: map[string]Document{}} }

// Durable returns false.
func (*Memory) Durable() bool { return false }

// Get implements [Store].
func (m *Memory) Get(ctx context.Context, key string) (Document, error) {
	if err := ValidateKey(key); err != nil {
		return Document{}, Invalid(hosting.GetFailed, err)
	}
	if err := ended(ctx, hosting.GetFailed, key); err != nil {
		return Document{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	document, ok := m.documents[key]
	if !ok {
		return Document{}, NotFound(hosting.GetFailed, key)
	}
	return document.Clone(), nil
}

// List implements [Store].
func (m *Memory) List(ctx context.Context, kind string) ([]Document, error) {
	if err := ValidateKind(kind); err != nil {
		return nil, Invalid(hosting.ListFailed, err)
	}
	if err := ended(ctx, hosting.ListFailed, kind); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	documents := []Document{}
	for _, key := range slices.Sorted(maps.Keys(m.documents)) {
		if strings.HasPrefix(key, kind+"/") {
			documents = append(documents, m.documents[key].Clone())
		}
	}
	return documents, nil
}

// Put implements [Store].
func (m *Memory) Put(ctx context.Context, document Document) (Document, error) {
	if err := document.Validate(); err != nil {
		return Document{}, Invalid(hosting.UpdateFailed, err)
	}
	if err := ended(ctx, hosting.UpdateFailed, document.Key); err != nil {
		return Document{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := CheckPut(document.Key, m.documents[document.Key].Version, document.Version); err != nil {
		return Document{}, err
	}
	m.writes++
	document.Version = strconv.FormatUint(m.writes, 10)
	m.documents[document.Key] = document.Clone()
	return document.Clone(), nil
}

// Delete implements [Store].
func (m *Memory) Delete(ctx context.Context, key, version string) error {
	if err := ValidateKey(key); err != nil {
		return Invalid(hosting.DeleteFailed, err)
	}
	if err := ended(ctx, hosting.DeleteFailed, key); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := CheckDelete(key, m.documents[key].Version, version); err != nil {
		return err
	}
	delete(m.documents, key)
	return nil
}

func ended(ctx context.Context, code hosting.Code, what string) error {
	if err := ctx.Err(); err != nil {
		return hosting.Errorf("", code, hosting.ReasonOf(err), "%s: %w", what, err)
	}
	return nil
}
