package httpapi_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/golang/mock/gomock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/mocks"
	"skillcenter.io/hosting/internal/wire"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
)

func TestWhatABodyReachesIsToldToTheAuthorizer(t *testing.T) {
	t.Parallel()
	g := &guard{refuse: func(access httpapi.Access) bool { return access.Changes }} // so that nothing changes
	e := newExtended(t, httpapi.WithAuthorizer(g.authorize))
	here := hosting.ID{Provider: "a", Region: "default", Type: "deployment", Name: "web"}
	there := here
	there.Provider = "b"
	elsewhere := webPolicy(5)
	elsewhere.InstanceID = there.String()
	named := webPolicy(5)
	named.InstanceID, named.PolicyID = "default.deployment.web", "default.policy.mine"
	service := orders()
	service.InstanceID = there.String()
	smuggled := data()
	smuggled.VolumeID, smuggled.InstanceID = "b:default.volume.data", there.String()
	edge, far := data(), data()
	edge.Region, far.Provider = "edge", "b"
	bare := httpapi.Access{Provider: "a", Region: "default", Type: "volume", Name: "data", ID: "default.volume.data"}
	policy := httpapi.Access{Provider: "a", Region: "default", Type: "policy", Name: "web", ID: policyID}
	with := func(access httpapi.Access, action httpapi.Action, instance hosting.ID) httpapi.Access {
		access.Action, access.Changes, access.Instance = action, true, instance
		return access
	}
	of := func(provider, region, itemType, name string) httpapi.Access {
		return httpapi.Access{Provider: provider, Region: region, Type: itemType, Name: name}
	}
	for _, c := range []struct {
		method, path string
		body         any
		want         httpapi.Access
	}{
		{"POST", "/autoscale", webPolicy(5), with(of("a", "default", "policy", "web"), httpapi.CreatePolicy, here)},
		{"POST", "/autoscale", elsewhere, with(of("b", "default", "policy", "web"), httpapi.CreatePolicy, there)},
		{"POST", "/autoscale", named, with(of("a", "default", "policy", "mine"), httpapi.CreatePolicy, here)},
		{"PUT", "/autoscale/" + policyID, webPolicy(5), with(policy, httpapi.UpdatePolicy, here)},
		{"POST", "/services", service, with(of("b", "default", "service", "orders"), httpapi.RegisterService, there)},
		{"POST", "/volumes", data(), with(of("a", "default", "volume", "data"), httpapi.CreateVolume, hosting.ID{})},
		{"POST", "/volumes", smuggled, with(of("a", "default", "volume", "data"), httpapi.CreateVolume, hosting.ID{})},
		{"POST", "/volumes", edge, with(of("b", "edge", "volume", "data"), httpapi.CreateVolume, hosting.ID{})},
		{"POST", "/volumes", far, with(of("b", "default", "volume", "data"), httpapi.CreateVolume, hosting.ID{})},
		{"POST", "/volumes/default.volume.data/mount", wire.Mount{InstanceID: there.String(), MountPath: "/x"}, with(bare, httpapi.MountVolume, there)},
		{"POST", "/volumes/default.volume.data/mount", wire.Mount{InstanceID: "default.deployment.web", MountPath: "/x"}, with(bare, httpapi.MountVolume, here)},
		{"POST", "/volumes/default.volume.data/unmount", wire.Unmount{InstanceID: there.String()}, with(bare, httpapi.UnmountVolume, there)},
	} {
		e.do(c.method, c.path, c.body).problem(http.StatusForbidden, codeOf(c.path), hosting.PermissionDenied)
		assert.Equal(t, []httpapi.Access{c.want}, g.take(), "%s %s", c.method, c.path)
	}
	estimate := webConfig()
	estimate.Region = "edge"
	e.do("POST", "/cost/estimate", estimate).is(http.StatusOK)
	want := of("b", "edge", "deployment", "web")
	want.Action = httpapi.EstimateCost
	assert.Equal(t, []httpapi.Access{want}, g.take(), "an estimate changes nothing")
	e.do("GET", "/capabilities?region=edge&type=job", nil).is(http.StatusOK)
	want = of("b", "edge", "job", "")
	want.Action = httpapi.GetCapabilities
	assert.Equal(t, []httpapi.Access{want}, g.take())
}

func codeOf(path string) hosting.Code {
	switch path[1] {
	case 'a':
		return hosting.PolicyFailed
	case 's':
		return hosting.ServiceFailed
	}
	return hosting.VolumeFailed
}

// Where it would be created cannot be told to the Authorizer, so it is not.
func TestAVolumeThatSeveralProvidersWouldTakeIsRefused(t *testing.T) {
	t.Parallel()
	var backends []provider.Named
	for _, at := range []struct{ name, region string }{{"a", "default"}, {"b", "edge"}, {"c", "edge"}} {
		p := fake.New(fake.WithRegions(at.region))
		backends = append(backends, provider.Named{Name: at.name, Backend: driver.Backend{Provider: p, Volumes: p}})
	}
	router, err := provider.NewRouter("a", backends)
	require.NoError(t, err)
	g := &guard{}
	api, err := httpapi.New(router, provider.NewExtension(provider.ExtensionConfig{Router: router}), httpapi.WithAuthorizer(g.authorize))
	require.NoError(t, err)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	volume := data()
	volume.Region = "edge"
	send(t, server, "POST", "/volumes", volume).problem(http.StatusBadRequest, hosting.VolumeFailed, hosting.InvalidArgument, "set provider to one of: b, c")
	assert.Equal(t, []httpapi.Access{{Action: httpapi.CreateVolume, Changes: true, Region: "edge", Type: "volume", Name: "data"}}, g.take())
	volume.Provider = "c"
	send(t, server, "POST", "/volumes", volume).is(http.StatusCreated)
}

func TestItemsOfListsAreThoseThatTheCallerMayRead(t *testing.T) {
	t.Parallel()
	g := &guard{}
	e := newExtended(t, httpapi.WithAuthorizer(g.authorize))
	for _, instanceID := range []string{webID, "b:default.deployment.web"} {
		policy, service := webPolicy(5), orders()
		policy.InstanceID, service.InstanceID = instanceID, instanceID
		e.do("POST", "/autoscale", policy).is(http.StatusCreated)
		e.do("POST", "/services", service).is(http.StatusCreated)
	}
	there := data()
	there.Provider = "b"
	e.do("POST", "/volumes", data()).is(http.StatusCreated)
	e.do("POST", "/volumes", there).is(http.StatusCreated)
	g.take()
	web := hosting.ID{Provider: "b", Region: "default", Type: "deployment", Name: "web"}
	for _, c := range []struct {
		path, field, itemType, name string
		list, get                   httpapi.Action
		listOf, itemOf              hosting.ID
	}{
		{"/autoscale", "policyId", "policy", "web", httpapi.ListPolicies, httpapi.GetPolicy, hosting.ID{}, web},
		{"/autoscale?instanceId=b:default.deployment.web", "policyId", "policy", "web", httpapi.ListPolicies, httpapi.GetPolicy, web, web},
		{"/services", "serviceId", "service", "orders", httpapi.ListServices, httpapi.GetService, hosting.ID{}, web},
		{"/services?instanceId=b:default.deployment.web", "serviceId", "service", "orders", httpapi.ListServices, httpapi.GetService, web, web},
		{"/services/discover?name=shop", "serviceId", "service", "orders", httpapi.DiscoverService, httpapi.GetService, hosting.ID{}, web},
		{"/volumes", "volumeId", "volume", "data", httpapi.ListVolumes, httpapi.GetVolume, hosting.ID{}, hosting.ID{}},
	} {
		g.refuse = func(access httpapi.Access) bool { return access.Action == c.get && access.Provider == "a" }
		id := hosting.ID{Provider: "b", Region: "default", Type: c.itemType, Name: c.name}.String()
		assert.Equal(t, []string{id}, e.do("GET", c.path, nil).ids(c.field), c.path)
		asked := g.take()
		assert.Equal(t, httpapi.Access{Action: c.list, Instance: c.listOf}, asked[0], c.path)
		assert.Equal(t, httpapi.Access{Action: c.get, Provider: "b", Region: "default", Type: c.itemType, Name: c.name, ID: id, Instance: c.itemOf}, asked[len(asked)-1], c.path)
		g.refuse = func(access httpapi.Access) bool { return access.Action == c.get }
		assert.Empty(t, e.do("GET", c.path, nil).ids(c.field), c.path)
		g.take()
	}
}

// mocked serves mocks: ids have no provider, and every look before a creation
// fails.
func mocked(t *testing.T) (*httptest.Server, *mocks.MockHostingExtensionSdkAdapter) {
	t.Helper()
	controller := gomock.NewController(t)
	p, x := mocks.NewMockCloudHostingProvider(controller), mocks.NewMockHostingExtensionSdkAdapter(controller)
	p.EXPECT().ProviderName().Return("p").AnyTimes()
	p.EXPECT().SupportedRegions().Return([]string{"default"}).AnyTimes()
	p.EXPECT().SupportedInstanceTypes().Return([]string{hosting.TypeDeployment}).AnyTimes()
	api, err := httpapi.New(p, x, httpapi.AllowAnonymous())
	require.NoError(t, err)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return server, x
}

func TestAChangeThatWasMadeIsNotAFailureBecauseItCannotBeShown(t *testing.T) {
	t.Parallel()
	server, x := mocked(t)
	away := errors.New("away")
	x.EXPECT().GetAutoScalePolicyByID(gomock.Any(), "default.policy.web").Return(hosting.AutoScalePolicy{}, away)
	x.EXPECT().EnableAutoScalePolicy(gomock.Any(), "default.policy.web")
	send(t, server, "POST", "/autoscale/default.policy.web/enable", nil).is(http.StatusNoContent)
	x.EXPECT().GetVolume(gomock.Any(), "default.volume.data").Return(hosting.Volume{}, away)
	x.EXPECT().MountVolume(gomock.Any(), "default.volume.data", "default.deployment.web", "/data", true)
	send(t, server, "POST", "/volumes/default.volume.data/mount", wire.Mount{InstanceID: "default.deployment.web", MountPath: "/data", ReadOnly: true}).is(http.StatusNoContent)
}

func TestALookThatFailsDoesNotKeepFromCreating(t *testing.T) {
	t.Parallel()
	server, x := mocked(t)
	x.EXPECT().GetVolume(gomock.Any(), "default.volume.data").Return(hosting.Volume{}, errors.New("away"))
	x.EXPECT().CreateVolume(gomock.Any(), data()).Return(hosting.Volume{VolumeID: "default.volume.data"}, nil)
	send(t, server, "POST", "/volumes", data()).is(http.StatusCreated)
	service := orders()
	service.InstanceID = "default.deployment.web"
	x.EXPECT().GetService(gomock.Any(), "default.service.orders").Return(hosting.ServiceRegistration{}, errors.New("away"))
	x.EXPECT().RegisterService(gomock.Any(), "default.deployment.web", service).Return(hosting.ServiceRegistration{ServiceID: "default.service.orders"}, nil)
	send(t, server, "POST", "/services", service).is(http.StatusCreated)
}

func TestAPartOfAListOfTheExtensionIsToldBesideWhatIsMissing(t *testing.T) {
	t.Parallel()
	server, x := mocked(t)
	missing := &hosting.Error{Code: hosting.VolumeFailed, Reason: hosting.Unavailable, Message: "b is away"}
	x.EXPECT().ListVolumes(gomock.Any()).Return([]hosting.Volume{{VolumeID: "default.volume.data"}}, missing)
	x.EXPECT().ListServices(gomock.Any()).Return([]hosting.ServiceRegistration{{ServiceID: "default.service.orders"}}, missing)
	x.EXPECT().DiscoverService(gomock.Any(), "orders").Return([]hosting.ServiceRegistration{{ServiceID: "default.service.orders"}}, missing)
	x.EXPECT().ListAutoScalePolicies(gomock.Any()).Return([]hosting.AutoScalePolicy{{PolicyID: "default.policy.web"}}, missing)
	for _, path := range []string{"/volumes", "/services", "/services/discover?name=orders", "/autoscale"} {
		var list wire.List[map[string]any]
		send(t, server, "GET", path, nil).is(http.StatusOK).into(&list)
		assert.Len(t, list.Items, 1, path)
		if assert.Len(t, list.Errors, 1, path) {
			assert.Equal(t, "b is away", list.Errors[0].Detail)
		}
	}
}
