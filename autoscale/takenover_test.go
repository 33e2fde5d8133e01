package autoscale_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider/store"
)

// durable is a store that says that it is.
type durable struct{ store.Store }

func (durable) Durable() bool { return true }

func (w *world) takenOver() bool {
	w.t.Helper()
	instance, err := w.platform.GetInstance(w.ctx, webID)
	require.NoError(w.t, err)
	return instance.Metadata[hosting.MetadataTakenOver] != ""
}

// Else the platform's autoscaler would rest for ever: the next process knows of
// no policy.
func TestWhatAPolicyThatIsForgottenHasTakenOverIsGivenBack(t *testing.T) {
	t.Parallel()
	for _, elected := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			elector := newElector()
			c := w.controller(func(config *autoscale.Config) {
				if elected {
					config.Elector = elector
				}
			})
			w.create(c, cpuPolicy())
			for range 2 { // it may run again, while its policies are there
				stop := w.run(c)
				if elected {
					elector.lead(t)
				}
				synctest.Wait()
				assert.True(t, w.takenOver())
				stop()
				assert.False(t, w.takenOver())
			}
		})
	}
}

func TestWhatAPolicyThatIsKeptHasTakenOverStaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.store = durable{w.store}
		c := w.controller()
		w.create(c, cpuPolicy())
		stop := w.run(c)
		synctest.Wait()
		stop()
		assert.True(t, w.takenOver(), "the next process goes on")
	})
}

func TestAControllerGivesBackOnlyWhatItHasTakenOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.controller()
		w.create(c, cpuPolicy())
		stop := w.run(c)
		synctest.Wait()
		require.NoError(t, c.DeleteAutoScalePolicy(w.ctx, webPolicyID))
		synctest.Wait()
		require.False(t, w.takenOver())
		require.NoError(t, w.platform.TakeOver(w.ctx, webID)) // somebody else
		stop()
		assert.True(t, w.takenOver())
	})
}

func TestAPlatformThatIsAwayDoesNotHoldUpTheEndForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.controller()
		w.create(c, cpuPolicy())
		stop := w.run(c)
		synctest.Wait()
		w.platform.InjectCall(fake.CallFault{Method: "GiveBack", Delay: time.Hour})
		began := time.Now()
		stop()
		assert.Equal(t, 10*time.Second, time.Since(began))
		assert.Len(t, w.log.lines("WARN", "autoscaler stays stopped", webID), 1)
		w.platform.ClearFaults()
	})
}
