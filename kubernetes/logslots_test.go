package kubernetes

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSlotsAreGivenInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slots := newLogSlots(2)
		require.NoError(t, slots.acquire(t.Context()))
		require.NoError(t, slots.acquire(t.Context()))
		assert.False(t, slots.contended())
		var order []int
		var mu sync.Mutex
		for i := range 5 {
			go func() {
				assert.NoError(t, slots.acquire(t.Context()))
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				time.Sleep(time.Second)
				slots.release()
			}()
			synctest.Wait()
		}
		assert.True(t, slots.contended())
		slots.release()
		time.Sleep(time.Minute)
		synctest.Wait() // a time that has passed orders nothing for the race detector
		assert.Equal(t, []int{0, 1, 2, 3, 4}, order)
		assert.False(t, slots.contended())
		slots.release()
		assert.Equal(t, 2, slots.free)
	})
}

func TestAWaitForASlotEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slots := newLogSlots(1)
		require.NoError(t, slots.acquire(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, slots.acquire(ctx), context.DeadlineExceeded)
		assert.False(t, slots.contended())
		slots.release()
		assert.Equal(t, 1, slots.free)
	})
}

func TestNoSlotIsLostWhenWaitersLeave(t *testing.T) {
	t.Parallel()
	slots := newLogSlots(3)
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%7)*time.Microsecond)
			defer cancel()
			if slots.acquire(ctx) == nil {
				slots.release()
			}
		})
	}
	group.Wait()
	assert.Equal(t, 3, slots.free)
	assert.False(t, slots.contended())
}
