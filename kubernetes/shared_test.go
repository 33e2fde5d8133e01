package kubernetes

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestCallersAtTheSameTimeShareOneFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s shared[int]
		var fetches atomic.Int32
		var wait sync.WaitGroup
		for range 20 {
			wait.Go(func() {
				value, err := s.get(t.Context(), forever, func(context.Context) (int, error) {
					time.Sleep(time.Second)
					return int(fetches.Add(1)), nil
				})
				assert.NoError(t, err)
				assert.Equal(t, 1, value)
			})
		}
		wait.Wait()
		assert.EqualValues(t, 1, fetches.Load())
	})
}

func TestAFetchedValueIsKeptForItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s shared[int]
		fetches := 0
		get := func() int {
			value, err := s.get(t.Context(), time.Minute, func(context.Context) (int, error) { fetches++; return fetches, nil })
			assert.NoError(t, err)
			return value
		}
		assert.Equal(t, 1, get())
		time.Sleep(59 * time.Second)
		assert.Equal(t, 1, get())
		time.Sleep(time.Second)
		assert.Equal(t, 2, get())
	})
}

func TestAFailedFetchIsSharedAndNotRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s shared[int]
		var fetches atomic.Int32
		broken := errors.New("broken")
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() {
				_, err := s.get(t.Context(), forever, func(context.Context) (int, error) {
					time.Sleep(time.Second)
					fetches.Add(1)
					return 0, broken
				})
				assert.ErrorIs(t, err, broken)
			})
		}
		wait.Wait()
		assert.EqualValues(t, 1, fetches.Load())
		value, err := s.get(t.Context(), forever, func(context.Context) (int, error) { return 7, nil })
		assert.NoError(t, err)
		assert.Equal(t, 7, value)
	})
}

func TestACallerThatGivesUpLeavesTheFetchToTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s shared[int]
		hasty, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wait sync.WaitGroup
		wait.Go(func() {
			_, err := s.get(hasty, forever, func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		})
		synctest.Wait() // the hasty one fetches
		wait.Go(func() {
			value, err := s.get(t.Context(), forever, func(context.Context) (int, error) { return 7, nil })
			assert.NoError(t, err)
			assert.Equal(t, 7, value)
		})
		impatient, cancelImpatient := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancelImpatient()
		_, err := s.get(impatient, forever, func(context.Context) (int, error) { return 0, nil })
		assert.ErrorIs(t, err, context.DeadlineExceeded, "nobody waits longer than its own context")
		wait.Wait()
	})
}

func TestAPanicOfAFetchHoldsUpNobody(t *testing.T) {
	t.Parallel()
	var s shared[int]
	assert.Panics(t, func() {
		_, _ = s.get(t.Context(), forever, func(context.Context) (int, error) { panic("no") })
	})
	value, err := s.get(t.Context(), forever, func(context.Context) (int, error) { return 7, nil })
	assert.NoError(t, err)
	assert.Equal(t, 7, value)
}
