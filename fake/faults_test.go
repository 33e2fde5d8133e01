package fake_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
)

func TestThirdStartFailsFor40SecondsAndHeals(t *testing.T) {
	inBubble(t, func(w world) {
		w.InjectStart(fake.StartFault{Instance: "web", Start: 3, Failure: fake.ImagePullBackOff, For: 40 * time.Second, Message: "no such tag"})
		id := w.running(web(2))
		require.NoError(w, w.ScaleInstance(w.ctx, id, 4))
		w.at(2*time.Second-ms, id, hosting.StatusStarting)
		degraded := w.at(ms, id, hosting.StatusDegraded)
		assert.Equal(w, "ImagePullBackOff", degraded.Metadata[hosting.MetadataReason])
		assert.Equal(w, "no such tag", degraded.Metadata[hosting.MetadataMessage])
		assert.Equal(w, "3", degraded.Metadata[hosting.MetadataReadyReplicas])
		w.at(40*time.Second-ms, id, hosting.StatusDegraded)
		w.at(ms, id, hosting.StatusRunning)
		assert.Contains(w, w.reasons(id), "ImagePullBackOff")
	})
}

func TestEachKindOfFailureFailsAnInstanceUntilItHeals(t *testing.T) {
	for _, failure := range []fake.StartFailure{fake.ImagePullBackOff, fake.CrashLoopBackOff, fake.Unschedulable, fake.QuotaExceeded} {
		inBubble(t, func(w world) {
			w.InjectStart(fake.StartFault{Failure: failure, For: 40 * time.Second})
			id := w.create(web(2))
			w.at(2*time.Second-ms, id, hosting.StatusCreating)
			failed := w.at(2*time.Second, id, hosting.StatusFailed)
			assert.Equal(w, string(failure), failed.Metadata[hosting.MetadataReason])
			assert.NotEmpty(w, failed.Metadata[hosting.MetadataMessage])
			health, err := w.HealthCheck(w.ctx, id)
			require.NoError(w, err)
			assert.Equal(w, string(failure), health.Reason)
			w.at(38*time.Second+ms, id, hosting.StatusRunning)
		})
	}
}

func TestCrashLoopPrintsAndRestartsWithPauses(t *testing.T) {
	inBubble(t, func(w world) {
		w.InjectStart(fake.StartFault{Failure: fake.CrashLoopBackOff, LogLines: []string{"booting", "ERROR: no database"}})
		id := w.create(web(1))
		time.Sleep(100 * time.Second)
		// It starts at 2 s, and again after pauses of 10, 20 and 40 s.
		assert.Equal(w, "3", w.at(0, id, hosting.StatusFailed).Metadata["restarts"])
		logs, err := w.GetLogs(w.ctx, id, hosting.LogQueryOptions{Level: "error"})
		require.NoError(w, err)
		require.Len(w, logs, 4)
		assert.Equal(w, "ERROR: no database", logs[3].Message)
		assert.Equal(w, "web-1", logs[3].Source)
		assert.Equal(w, map[string]string{"restart": "3"}, logs[3].Metadata)
		for i, pause := range []int64{10, 20, 40} {
			assert.Equal(w, (pause+1)*1000, logs[i+1].Timestamp.Millis()-logs[i].Timestamp.Millis())
		}
	})
}

func TestClearingFaultsHealsReplicasAtOnce(t *testing.T) {
	for _, failure := range []fake.StartFailure{fake.ImagePullBackOff, fake.CrashLoopBackOff} {
		inBubble(t, func(w world) {
			w.InjectStart(fake.StartFault{Failure: failure})
			id := w.create(web(2))
			w.at(time.Hour, id, hosting.StatusFailed)
			w.ClearFaults()
			w.at(0, id, hosting.StatusRunning)
		})
	}
}

func TestStartFaultIsForOneInstance(t *testing.T) {
	inBubble(t, func(w world) {
		w.InjectStart(fake.StartFault{Instance: "other"})
		w.running(web(2))
	})
}

func TestNextCallsFailWithTheReason(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(1))
		w.InjectCall(fake.CallFault{Method: "ScaleInstance", Calls: 2, Reason: hosting.RateLimited, Message: "slow down", RetryAfter: time.Minute})
		for range 2 {
			err := w.ScaleInstance(w.ctx, id, 2)
			w.failed(err, hosting.ScaleFailed, hosting.RateLimited)
			var e *hosting.Error
			require.ErrorAs(w, err, &e)
			assert.Equal(w, time.Minute, e.RetryAfter)
			assert.Equal(w, "slow down", e.Message)
			assert.Equal(w, id, e.InstanceID)
		}
		assert.Equal(w, 1, w.get(id).Replicas)
		require.NoError(w, w.ScaleInstance(w.ctx, id, 2))
	})
}

func TestCallCanFailAfterItTookEffect(t *testing.T) {
	inBubble(t, func(w world) {
		w.InjectCall(fake.CallFault{Method: "CreateInstance", Instance: "web", Calls: 1, Reason: hosting.Unavailable, AfterEffect: true})
		instance, err := w.CreateInstance(w.ctx, web(1))
		w.failed(err, hosting.CreateFailed, hosting.Unavailable)
		assert.Zero(w, instance)
		w.at(0, "default.deployment.web", hosting.StatusCreating)
		w.create(web(1))
	})
}

func TestSlowCallHonoursItsContext(t *testing.T) {
	inBubble(t, func(w world) {
		id := w.running(web(1))
		w.InjectCall(fake.CallFault{Delay: 3 * time.Second})
		began := time.Now()
		w.get(id)
		assert.Equal(w, 3*time.Second, time.Since(began))

		ctx, cancel := context.WithTimeout(w.ctx, time.Second)
		defer cancel()
		err := w.StopInstance(ctx, id)
		w.failed(err, hosting.StopFailed, hosting.DeadlineExceeded)
		assert.Equal(w, 4*time.Second, time.Since(began))

		w.ClearFaults()
		w.at(0, id, hosting.StatusRunning)
	})
}
