package store_test

import (
	"testing"

	"skillcenter.io/hosting/provider/store"
	"skillcenter.io/hosting/provider/store/storetest"
)

func TestMemoryPassesTheSuite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) store.Store { return store.NewMemory() })
}

func TestMemoryIsNotDurable(t *testing.T) {
	t.Parallel()
	if store.NewMemory().Durable() {
		t.Error("it says that documents outlive the process")
	}
}
