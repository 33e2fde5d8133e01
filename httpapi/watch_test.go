package httpapi_test

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/wire"
)

func TestAWatchTellsWhatIsThereAndThenWhatChanges(t *testing.T) {
	overBoth(t, func(t *testing.T, configure func(*httptest.Server)) {
		provider, id := printing(t, 1, -1, nil)
		answer := listen(t, provider, configure).open(t, "/instances/watch")
		require.Equal(t, http.StatusOK, answer.StatusCode)
		first := decode[hosting.InstanceChange](t, answer.want(t, wire.EventState).data)
		assert.Equal(t, hosting.ChangeState, first.Type)
		assert.Equal(t, id, first.Instance.ID)
		assert.Equal(t, hosting.InstanceChange{Type: hosting.ChangeSynced}, decode[hosting.InstanceChange](t, answer.want(t, wire.EventSynced).data))
		require.NoError(t, provider.DeleteInstance(t.Context(), id))
		for {
			m, err := answer.next()
			require.NoError(t, err)
			if m.event == wire.EventDeleted {
				assert.Empty(t, m.id, "a watch cannot be resumed")
				assert.Equal(t, id, decode[hosting.InstanceChange](t, m.data).Instance.ID)
				return
			}
			assert.Contains(t, []string{"", wire.EventState}, m.event)
		}
	})
}

// noSecrets is an Authorizer that hides the instances whose names begin with
// "secret".
func noSecrets(r *http.Request, access httpapi.Access) (context.Context, error) {
	if strings.HasPrefix(access.Name, "secret") {
		return nil, hosting.PermissionDenied
	}
	return r.Context(), nil
}

func TestAWatchTellsOnlyWhatItsReaderMaySee(t *testing.T) {
	t.Parallel()
	provider := fake.New(fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload {
		return fake.Workload{StartTime: -1, StopTime: -1, LogInterval: -1}
	}))
	ids := map[string]string{}
	for _, name := range []string{"secret-1", "web", "secret-2", "zz"} {
		instance, err := provider.CreateInstance(t.Context(), deployment(name, 1))
		require.NoError(t, err)
		ids[name] = instance.ID
	}
	answer := listenFor(t, provider, nil, httpapi.WithAuthorizer(noSecrets)).open(t, "/instances/watch")
	told := map[string]bool{}
	for synced := false; !told["deleted "+ids["zz"]] || !told["deleted "+ids["web"]]; {
		m, err := answer.next()
		require.NoError(t, err)
		if m.event == "" {
			continue
		}
		require.NotContains(t, m.data, "secret")
		change := decode[hosting.InstanceChange](t, m.data)
		told[m.event+" "+change.Instance.ID] = true
		if m.event == wire.EventSynced && !synced {
			synced = true
			for _, name := range []string{"secret-1", "web", "secret-2", "zz"} {
				require.NoError(t, provider.DeleteInstance(t.Context(), ids[name]))
			}
		}
	}
	assert.True(t, told["state "+ids["web"]])
}

func TestAWatchFailsWhenItCannotBeDecidedWhatItsReaderMaySee(t *testing.T) {
	t.Parallel()
	var away atomic.Bool
	release := make(chan struct{})
	provider := scripted{changes: func(context.Context) iter.Seq2[hosting.InstanceChange, error] {
		return func(yield func(hosting.InstanceChange, error) bool) {
			_ = yield(hosting.InstanceChange{Type: hosting.ChangeSynced}, nil)
			<-release
			_ = yield(hosting.InstanceChange{Type: hosting.ChangeState, Instance: hosting.CloudInstance{ID: web}}, nil)
		}
	}}
	s := listenFor(t, provider, nil, httpapi.WithAuthorizer(func(r *http.Request, _ httpapi.Access) (context.Context, error) {
		if away.Load() {
			return nil, hosting.Unavailable
		}
		return r.Context(), nil
	}))
	answer := s.open(t, "/instances/watch")
	answer.want(t, wire.EventSynced)
	away.Store(true)
	close(release)
	problem := decode[wire.Problem](t, answer.want(t, wire.EventError).data)
	assert.Equal(t, http.StatusServiceUnavailable, problem.Status)
	assert.Equal(t, hosting.Unavailable, problem.Reason)
}
