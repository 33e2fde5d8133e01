package client_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
)

func TestAListHasTheItemsOfAllPages(t *testing.T) {
	t.Parallel()
	p := fake.New()
	for n := range 2501 {
		config := sound()
		config.InstanceName = fmt.Sprintf("web-%d", n)
		_, err := p.CreateInstance(t.Context(), config)
		require.NoError(t, err)
	}
	want, err := p.ListInstances(t.Context())
	require.NoError(t, err)
	got, err := overREST(t, p, nil).ListInstances(t.Context())
	require.NoError(t, err)
	require.Len(t, got, 2501)
	for i := range want {
		require.Equal(t, want[i].ID, got[i].ID)
	}
}

func TestAnEmptyListIsNotNil(t *testing.T) {
	t.Parallel()
	s := scripted(t, func(w http.ResponseWriter, _ *http.Request, _ int) { answer(w, `{"items":[]}`) })
	ctx := t.Context()
	instances, err := s.ListInstances(ctx)
	require.NoError(t, err)
	assert.Equal(t, []hosting.CloudInstance{}, instances)
	logs, err := s.GetLogs(ctx, web, hosting.LogQueryOptions{})
	require.NoError(t, err)
	assert.Equal(t, []hosting.LogEntry{}, logs)
	events, err := s.GetEvents(ctx, web)
	require.NoError(t, err)
	assert.Equal(t, []hosting.InstanceEvent{}, events)
	services, err := s.DiscoverService(ctx, "orders")
	require.NoError(t, err)
	assert.Equal(t, []hosting.ServiceRegistration{}, services)
}

func TestWhatIsMissingInAListIsToldBesideTheItems(t *testing.T) {
	t.Parallel()
	a, b, broken := fake.New(), fake.New(), fake.New()
	router, err := provider.NewRouter("a", []provider.Named{
		{Name: "a", Backend: driver.Backend{Provider: a}}, {Name: "b", Backend: driver.Backend{Provider: b}}, {Name: "broken", Backend: driver.Backend{Provider: broken}},
	})
	require.NoError(t, err)
	for _, p := range []*fake.Provider{a, b} {
		_, err := p.CreateInstance(t.Context(), sound())
		require.NoError(t, err)
	}
	broken.InjectCall(fake.CallFault{Method: "ListInstances", Reason: hosting.PermissionDenied, Message: "not yours"})
	want, wantErr := router.ListInstances(t.Context())
	got, gotErr := overREST(t, router, nil).ListInstances(t.Context())
	assert.Equal(t, want, got)
	require.Error(t, gotErr)
	assert.Equal(t, wantErr.Error(), gotErr.Error())
	assert.Equal(t, hosting.ReasonOf(wantErr), hosting.ReasonOf(gotErr))

	// Each part that is missing is named once, whichever page tells of it.
	s := scripted(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		part := func(name string) string {
			return fmt.Sprintf(`{"provider":%q,"errorCode":"ListFailed","reason":"Unavailable","errorMessage":"%s is away"}`, name, name)
		}
		answer(w, []string{
			`{"items":[{"id":"1"}],"nextPageToken":"t1","errors":[` + part("x") + `]}`,
			`{"items":[{"id":"2"}],"nextPageToken":"t2","errors":[` + part("x") + `]}`,
			`{"items":[{"id":"3"}],"errors":[` + part("x") + `,` + part("y") + `]}`,
		}[n])
	})
	items, err := s.ListInstances(t.Context())
	assert.Len(t, items, 3)
	require.ErrorIs(t, err, hosting.Unavailable)
	assert.Equal(t, "x is away; y is away", failed(t, err).Message)
	assert.Equal(t, []string{"t2"}, s.asked()[2].query["pageToken"])
	assert.Equal(t, []string{"1000"}, s.asked()[2].query["pageSize"])
}

func TestAListWithoutOneOfItsPagesIsNone(t *testing.T) {
	t.Parallel()
	for _, second := range []func(w http.ResponseWriter){
		func(w http.ResponseWriter) { w.WriteHeader(500) },
		func(w http.ResponseWriter) { answer(w, `{"items":[{"id":"1"}],"nextPageToken":"t"}`) }, // again
	} {
		s := scripted(t, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 0 {
				answer(w, `{"items":[{"id":"1"}],"nextPageToken":"t"}`)
				return
			}
			second(w)
		})
		items, err := s.ListInstances(t.Context())
		require.Error(t, err)
		assert.Nil(t, items)
		assert.Len(t, s.asked(), 2)
	}
}

func TestAClientIsForSeveralGoroutines(t *testing.T) {
	t.Parallel()
	c := overREST(t, fake.New(fake.WithWorkload(func(hosting.CloudHostingConfig) fake.Workload { return fake.Workload{StartTime: -1} })), nil)
	var group sync.WaitGroup
	for n := range 16 {
		group.Go(func() {
			config := sound()
			config.InstanceName = fmt.Sprintf("web-%d", n)
			created, err := c.CreateInstance(t.Context(), config)
			assert.NoError(t, err)
			for _, err := range c.StreamLogs(t.Context(), created.ID, following) {
				assert.NoError(t, err)
				break
			}
			assert.NoError(t, c.ScaleInstance(t.Context(), created.ID, n))
			assert.NoError(t, c.DeleteInstance(t.Context(), created.ID))
			infos := c.Providers()
			infos[0].Regions[0] = "changed"
		})
	}
	group.Wait()
	assert.Equal(t, "default", c.SupportedRegions()[0])
	require.NoError(t, c.Close())
	_, err := c.ListInstances(t.Context())
	assert.NoError(t, errors.Join(err, c.Close()))
}

func TestJSONThatIsNotTheAPIsIsNoAnswer(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `null`, `{"status":"ok"}`} {
		s := scripted(t, func(w http.ResponseWriter, _ *http.Request, _ int) { answer(w, body) })
		ctx := t.Context()
		for name, call := range map[string]func() error{
			"ListInstances": func() error { _, err := s.ListInstances(ctx); return err },
			"GetInstance":   func() error { _, err := s.GetInstance(ctx, web); return err },
			"HealthCheck":   func() error { _, err := s.HealthCheck(ctx, web); return err },
			"GetLogs":       func() error { _, err := s.GetLogs(ctx, web, hosting.LogQueryOptions{}); return err },
			"GetMetrics":    func() error { _, err := s.GetMetrics(ctx, web); return err },
			"ListVolumes":   func() error { _, err := s.ListVolumes(ctx); return err },
			"GetActualCost": func() error {
				_, err := s.GetActualCost(ctx, web, hosting.TimeFromMillis(1), hosting.TimeFromMillis(2))
				return err
			},
			"GetService":     func() error { _, err := s.GetService(ctx, "default.service.web"); return err },
			"CreateInstance": func() error { _, err := s.CreateInstance(ctx, sound()); return err },
		} {
			err := call()
			assert.ErrorIs(t, err, hosting.Internal, "%s: %s", name, body)
			assert.ErrorContains(t, err, "not the API", "%s: %s", name, body)
		}
	}
}
