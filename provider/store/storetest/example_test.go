package storetest_test

import (
	"testing"

	"skillcenter.io/hosting/provider/store"
	"skillcenter.io/hosting/provider/store/storetest"
)

// A store of your own is tested on the real thing, whatever it keeps documents
// in.
func Example() {
	testStore := func(t *testing.T) { // func TestStore(t *testing.T)
		storetest.Run(t, func(t *testing.T) store.Store {
			return store.NewMemory()
		})
	}
	_ = testStore
}
