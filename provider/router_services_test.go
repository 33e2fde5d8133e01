package provider_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

func TestAServiceIsRegisteredWhereItsInstanceIs(t *testing.T) {
	t.Parallel()
	answers := &echo{}
	r := echoing(t, answers)
	registered, err := r.RegisterService(t.Context(), "b:"+bareID, hosting.ServiceRegistration{ServiceName: "web", InstanceID: "b:" + bareID})
	require.NoError(t, err)
	assert.Equal(t, "b:"+bareID, registered.ServiceID)
	_, err = r.RegisterService(t.Context(), "b:"+bareID, hosting.ServiceRegistration{ServiceName: "web", InstanceID: "a:" + bareID})
	e := failed(t, err)
	assert.Equal(t, hosting.InvalidArgument, e.Reason)
	assert.Contains(t, e.Message, `instanceId "a:default.deployment.web"`)
}

func TestAServiceIsDiscoveredOnAllProviders(t *testing.T) {
	t.Parallel()
	answers := &echo{}
	r := echoing(t, answers)
	services, err := r.DiscoverService(t.Context(), "web")
	require.NoError(t, err)
	require.Len(t, services, 2)
	answers.err = hosting.Unavailable
	services, err = r.DiscoverService(t.Context(), "web")
	require.Len(t, services, 1)
	assert.Equal(t, "a:"+bareID, services[0].ServiceID)
	assert.Contains(t, failed(t, err).Message, "provider b: ")
}
