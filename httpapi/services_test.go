package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

func orders() hosting.ServiceRegistration {
	return hosting.ServiceRegistration{InstanceID: webID, ServiceName: "orders", Port: 8080, Aliases: []string{"shop"}}
}

func TestAServiceIsRegisteredFoundAndRemoved(t *testing.T) {
	t.Parallel()
	e := newExtended(t)
	var registered, again, got hosting.ServiceRegistration
	made := e.do("POST", "/services", orders()).is(http.StatusCreated).into(&registered)
	assert.Equal(t, ordersID, registered.ServiceID)
	assert.Equal(t, webID, registered.InstanceID)
	assert.Equal(t, "/api/hosting/services/"+ordersID, made.header.Get("Location"))
	e.do("POST", "/services", orders()).is(http.StatusOK).into(&again)
	assert.Equal(t, registered.ServiceID, again.ServiceID)
	other := orders()
	other.Aliases = nil
	e.do("POST", "/services", other).problem(http.StatusConflict, hosting.ServiceFailed, hosting.AlreadyExists, "aliases")

	for _, id := range []string{ordersID, "default.service.orders"} {
		found := e.do("GET", "/services/"+id, nil).is(http.StatusOK).into(&got)
		assert.Equal(t, registered.ServiceID, got.ServiceID)
		e.do("GET", "/services/"+id, nil, "If-None-Match", "W/"+found.header.Get("ETag")).is(http.StatusNotModified)
	}
	assert.Empty(t, e.do("DELETE", "/services/"+ordersID, nil).is(http.StatusNoContent).body)
	e.do("DELETE", "/services/"+ordersID, nil).problem(http.StatusNotFound, hosting.ServiceNotFound, hosting.NotFound, "service.orders")
	e.do("GET", "/services/"+ordersID, nil).problem(http.StatusNotFound, hosting.ServiceNotFound, hosting.NotFound)
}

func TestServicesAreListedAndDiscovered(t *testing.T) {
	t.Parallel()
	e := newExtended(t)
	e.do("POST", "/services", orders()).is(http.StatusCreated)
	there, more := orders(), orders()
	there.InstanceID = "b:default.deployment.web"
	more.ServiceName, more.Aliases = "stock", nil
	e.do("POST", "/services", there).is(http.StatusCreated)
	e.do("POST", "/services", more).is(http.StatusCreated)
	const ordersThere, stock = "b:default.service.orders", "a:default.service.stock"

	for path, want := range map[string][]string{
		"/services": {ordersID, stock, ordersThere},
		"/services?instanceId=default.deployment.web":   {ordersID, stock},
		"/services?instanceId=b:default.deployment.web": {ordersThere},
		"/services?instanceId=" + webID + "&pageSize=1": {ordersID},
		"/services/discover?name=orders":                {ordersID, ordersThere},
		"/services/discover?name=shop":                  {ordersID, ordersThere},
		"/services/discover?name=shop&pageSize=1":       {ordersID},
		"/services/discover?name=nobody":                {},
	} {
		assert.Equal(t, want, e.do("GET", path, nil).ids("serviceId"), path)
	}
	var page wire.List[hosting.ServiceRegistration]
	e.do("GET", "/services/discover?name=shop&pageSize=1", nil).into(&page)
	require.NotEmpty(t, page.NextPageToken)
	assert.Equal(t, []string{ordersThere}, e.do("GET", "/services/discover?name=shop&pageToken="+page.NextPageToken, nil).ids("serviceId"))

	e.do("GET", "/services?instanceId=default.deployment.none", nil).problem(http.StatusNotFound, hosting.InstanceNotFound, hosting.NotFound)
	for path, says := range map[string]string{
		"/services?instanceId=web":         "instanceId",
		"/services/discover":               "name: it is missing",
		"/services/discover?name=":         "name: it is missing",
		"/services/discover?name=a&name=b": "name: it is given 2 times",
		"/services/discover?name=Shop":     "serviceName",
		"/services?pageToken=x":            "pageToken",
	} {
		e.do("GET", path, nil).problem(http.StatusBadRequest, hosting.ServiceFailed, hosting.InvalidArgument, says)
	}
}

func TestWhatCannotBeAServiceIsRefusedWithTheField(t *testing.T) {
	t.Parallel()
	e := newExtended(t)
	for name, c := range map[string]struct {
		change func(*hosting.ServiceRegistration)
		says   string
	}{
		"no instance":                {func(s *hosting.ServiceRegistration) { s.InstanceID = "" }, "instanceId"},
		"no name":                    {func(s *hosting.ServiceRegistration) { s.ServiceName = "" }, "serviceName"},
		"a port it lacks":            {func(s *hosting.ServiceRegistration) { s.Port = 1 }, "port 1"},
		"an id of another":           {func(s *hosting.ServiceRegistration) { s.ServiceID = "b:default.service.orders" }, "serviceId"},
		"an unknown protocol":        {func(s *hosting.ServiceRegistration) { s.Protocol = "smtp" }, "protocol"},
		"an instance that is a name": {func(s *hosting.ServiceRegistration) { s.InstanceID = "web" }, "instanceId"},
	} {
		service := orders()
		c.change(&service)
		p := e.do("POST", "/services", service).problem(http.StatusBadRequest, hosting.ServiceFailed, hosting.InvalidArgument, c.says)
		t.Log(name, p.Detail)
	}
	service := orders()
	service.InstanceID = "default.deployment.none"
	e.do("POST", "/services", service).problem(http.StatusNotFound, hosting.InstanceNotFound, hosting.NotFound)
	service = orders()
	service.ServiceName = "web"
	e.do("POST", "/services", service).problem(http.StatusConflict, hosting.ServiceFailed, hosting.AlreadyExists)
}
