package fake_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
)

// watch collects what a watch tells, each as a word, until enough says so.
func (w world) watch(ctx context.Context, enough func(change hosting.InstanceChange, told []string) bool) []string {
	w.Helper()
	var told []string
	for change, err := range hosting.WatchInstances(ctx, w) {
		require.NoError(w, err)
		word := string(change.Type)
		if change.Type != hosting.ChangeSynced {
			word = fmt.Sprintf("%s %s %s", change.Instance.Name, change.Type, change.Instance.Status)
		}
		if len(told) == 0 || told[len(told)-1] != word {
			told = append(told, word)
		}
		if enough(change, told) {
			break
		}
	}
	return told
}

func TestWatchTellsALifeAsItHappens(t *testing.T) {
	inBubble(t, func(w world) {
		began := time.Now()
		var took time.Duration
		told := w.watch(w.ctx, func(change hosting.InstanceChange, _ []string) bool {
			id := change.Instance.ID
			switch { // the consumer may call the provider
			case change.Type == hosting.ChangeSynced:
				w.create(web(2))
			case change.Type == hosting.ChangeDeleted:
				return true
			case change.Instance.Status == hosting.StatusRunning:
				took = time.Since(began)
				require.NoError(w, w.StopInstance(w.ctx, id))
			case change.Instance.Status == hosting.StatusStopped:
				require.NoError(w, w.DeleteInstance(w.ctx, id))
			}
			return false
		})
		assert.Equal(w, []string{"synced", "web state creating", "web state running", "web state stopping", "web state stopped",
			"web state terminating", "web deleted terminating"}, told)
		assert.Equal(w, 2*time.Second, took, "it wakes when something happens by itself")
		assert.Equal(w, 4*time.Second, time.Since(began))
	})
}

func TestWatchTellsWhatIsThereBeforeItIsInSync(t *testing.T) {
	inBubble(t, func(w world) {
		for _, name := range []string{"c", "a", "b"} {
			config := web(1)
			config.InstanceName = name
			w.create(config)
		}
		time.Sleep(time.Minute)
		told := w.watch(w.ctx, func(change hosting.InstanceChange, _ []string) bool { return change.Type == hosting.ChangeSynced })
		assert.Equal(w, []string{"a state running", "b state running", "c state running", "synced"}, told)
	})
}

func TestASlowConsumerSeesTheNewestStateOnly(t *testing.T) {
	inBubble(t, func(w world) {
		a, b := web(1), web(1)
		a.InstanceName, b.InstanceName = "a", "b"
		first := w.create(a)
		w.create(b)
		slept := false
		told := w.watch(w.ctx, func(change hosting.InstanceChange, told []string) bool {
			if !slept {
				slept = true
				time.Sleep(time.Minute) // both run meanwhile
				require.NoError(w, w.DeleteInstance(w.ctx, first))
				time.Sleep(time.Minute)
				w.create(a) // another one with the same name
			}
			return told[len(told)-1] == "a state running"
		})
		assert.Equal(w, []string{"a state creating", "b state running", "synced", "a deleted creating", "a state creating", "a state running"}, told)
	})
}

func TestAnInstanceThatChangesAllTheTimeDoesNotHideOthers(t *testing.T) {
	inBubble(t, func(w world) {
		a, b := web(1), web(1)
		a.InstanceName, b.InstanceName = "a", "b"
		busy := w.running(a)
		w.running(b)
		replicas := 1
		told := w.watch(w.ctx, func(change hosting.InstanceChange, told []string) bool {
			replicas++
			require.NoError(w, w.ScaleInstance(w.ctx, busy, replicas))
			return change.Type == hosting.ChangeSynced || len(told) > 20
		})
		assert.Contains(w, told, "b state running")
		assert.Equal(w, "synced", told[len(told)-1])
	})
}

func TestSeveralWatchesAreIndependent(t *testing.T) {
	inBubble(t, func(w world) {
		const watches = 4
		done := make(chan []string)
		for range watches {
			go func() {
				done <- w.watch(w.ctx, func(change hosting.InstanceChange, _ []string) bool {
					if change.Type == hosting.ChangeState {
						change.Instance.Labels["mine"] = "1" // what it gets is its own
					}
					return change.Instance.Status == hosting.StatusRunning
				})
			}()
		}
		config := web(1)
		config.Labels = map[string]string{"team": "blue"}
		w.create(config)
		for range watches {
			told := <-done
			assert.Equal(w, "web state running", told[len(told)-1])
		}
		assert.Equal(w, map[string]string{"team": "blue"}, w.get("default.deployment.web").Labels)
	})
}

func TestWatchEndsWithItsContextOrWithTheProvider(t *testing.T) {
	inBubble(t, func(w world) {
		ctx, cancel := context.WithTimeout(w.ctx, time.Hour)
		defer cancel()
		assert.Equal(w, []string{"synced"}, w.watch(ctx, func(hosting.InstanceChange, []string) bool { return false }))

		var failed error
		for change, err := range w.WatchInstances(w.ctx) {
			assert.NoError(w, failed, "an error is the last")
			if failed = err; change.Type == hosting.ChangeSynced {
				go func() { _ = w.Close() }()
			}
		}
		w.failed(failed, hosting.ListFailed, hosting.Unavailable)
	})
	inBubble(t, func(w world) {
		w.InjectCall(fake.CallFault{Method: "WatchInstances", Calls: 1, Reason: hosting.RateLimited})
		for _, err := range w.WatchInstances(w.ctx) {
			w.failed(err, hosting.ListFailed, hosting.RateLimited)
		}
	})
}

func TestWatchWorksInRealTime(t *testing.T) {
	t.Parallel()
	p := fake.New(fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload {
		return fake.Workload{StartTime: 20 * time.Millisecond}
	}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	running := false
	for change, err := range p.WatchInstances(ctx) {
		require.NoError(t, err)
		if change.Type == hosting.ChangeSynced {
			_, err := p.CreateInstance(ctx, web(1))
			require.NoError(t, err)
		}
		if running = change.Instance.Status == hosting.StatusRunning; running {
			break
		}
	}
	assert.True(t, running)
}
