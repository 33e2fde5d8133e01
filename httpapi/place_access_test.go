package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/golang/mock/gomock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/mocks"
)

// A provider alone takes what it takes, whether or not it has told of it before.
func TestOneProviderAloneIsToldToTheAuthorizerWhateverItSupports(t *testing.T) {
	t.Parallel()
	p := mocks.NewMockCloudHostingProvider(gomock.NewController(t))
	p.EXPECT().ProviderName().Return("p").AnyTimes()
	p.EXPECT().SupportedRegions().Return(nil).AnyTimes()
	p.EXPECT().SupportedInstanceTypes().Return(nil).AnyTimes()
	p.EXPECT().GetInstance(gomock.Any(), "edge.vm.web").Return(hosting.CloudInstance{}, hosting.NotFound)
	p.EXPECT().CreateInstance(gomock.Any(), gomock.Any()).Return(hosting.CloudInstance{ID: "edge.vm.web"}, nil)
	var n noted
	api := newAPI(t, p, nil, httpapi.WithAuthorizer(n.authorize))
	answer := ask(api, "POST", prefix+"/instances", `{"instanceName":"web","region":"edge","instanceType":"vm","container":{"image":"x"}}`)
	require.Equal(t, http.StatusCreated, answer.Code, answer.Body)
	assert.Equal(t, httpapi.Access{Action: httpapi.CreateInstance, Changes: true, Provider: "p", Region: "edge", Type: "vm", Name: "web"}, n.first(t, "create"))
}

// The id of a service is its name's and its instance's: another one in the body
// is not what the Authorizer was told.
func TestARegistrationDoesNotBringAnotherId(t *testing.T) {
	t.Parallel()
	server, x := mocked(t)
	service := orders()
	service.InstanceID = "default.deployment.web"
	for _, id := range []string{"default.service.other", "default.volume.orders", "edge.service.orders", "b:default.service.orders", "orders"} {
		service.ServiceID = id
		send(t, server, "POST", "/services", service).problem(http.StatusBadRequest, hosting.ServiceFailed, hosting.InvalidArgument, "serviceId", id)
	}
	service.ServiceID = "p:default.service.orders"
	x.EXPECT().GetService(gomock.Any(), "default.service.orders").Return(hosting.ServiceRegistration{}, hosting.NotFound)
	x.EXPECT().RegisterService(gomock.Any(), "default.deployment.web", service).Return(hosting.ServiceRegistration{ServiceID: "default.service.orders"}, nil)
	send(t, server, "POST", "/services", service).is(http.StatusCreated)
}
