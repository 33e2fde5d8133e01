package conformance

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"skillcenter.io/hosting"
)

// serviceCases are those of hosting.ServiceDiscovery.
func serviceCases() []testCase {
	return registrations.cases(
		once("a service that is registered is completed by the platform", serviceCompleted),
		once("a service is found by its name and by each alias", serviceFound),
		once("services are listed sorted, and as a get shows them", serviceListed),
		once("the same service again is returned as it is", serviceAgain),
		once("another service of a taken name already exists", serviceTaken),
		once("of services of a name at once one is registered", serviceRace),
		once("a service has odd and long names", serviceNames),
		once("a bad service is invalid, and is not registered", serviceBad),
		once("unregistering removes the service alone", serviceUnregistered),
		once("a service that does not exist is not found", serviceUnknown),
		once("a service of an instance that does not exist is not found", serviceOfUnknown),
		once("calls about services end with their context", serviceCancelled),
		once("services go with their instance", serviceGoes),
		once("a change of an instance leaves its services alone", serviceStays, hosting.CanApply),
		once("the addresses of a service are its replicas, ready when they are", serviceAddresses, hosting.CanStop, hosting.CanScale).waiting(),
	)
}

// served is a configuration with a port that answers.
func (e *env) served() hosting.CloudHostingConfig {
	config := e.config(Serve)
	config.Container.Ports = []int{8080}
	return config
}

// service is one to register, with a name of its own.
func (e *env) service() hosting.ServiceRegistration {
	name := e.name()
	return hosting.ServiceRegistration{ServiceName: name, Port: 8080, Aliases: []string{name + "-b", name + "-a"}}
}

func (e *env) register(t *testing.T, instanceID string, service hosting.ServiceRegistration) hosting.ServiceRegistration {
	t.Helper()
	registered, err := e.services.RegisterService(e.ctx, instanceID, service)
	must(t, "RegisterService", service.ServiceName, err)
	return registered
}

func (e *env) getService(t *testing.T, id string) hosting.ServiceRegistration {
	t.Helper()
	return read(t, e, "GetService", id, func() (hosting.ServiceRegistration, error) { return e.services.GetService(e.ctx, id) })
}

func (e *env) discover(t *testing.T, name string) []hosting.ServiceRegistration {
	t.Helper()
	return read(t, e, "DiscoverService", name, func() ([]hosting.ServiceRegistration, error) { return e.services.DiscoverService(e.ctx, name) })
}

// said is what does not change by itself.
func said(service hosting.ServiceRegistration) string {
	service.Status, service.Addresses = "", nil
	return toJSON(service)
}

func wantSameService(t *testing.T, what string, got, want hosting.ServiceRegistration) {
	t.Helper()
	if said(got) != said(want) {
		t.Errorf("%s: got service %s\nwant %s", what, said(got), said(want))
	}
}

func serviceIDs(list []hosting.ServiceRegistration) []string {
	ids := make([]string, len(list))
	for i, service := range list {
		ids[i] = service.ServiceID
	}
	return ids
}

func serviceCompleted(t *testing.T, e *env) {
	instance := e.create(t, e.served())
	wanted := e.service()
	got := e.register(t, instance.ID, wanted)
	for what, service := range map[string]hosting.ServiceRegistration{"RegisterService": got, "GetService": e.getService(t, got.ServiceID)} {
		id, err := hosting.ParseID(service.ServiceID)
		if err != nil || id.Region != e.Region || id.Type != "service" || id.Name != wanted.ServiceName {
			t.Errorf("%s: got id %q, want %s.service.%s", what, service.ServiceID, e.Region, wanted.ServiceName)
		}
		if service.InstanceID != instance.ID || service.ServiceName != wanted.ServiceName || service.Port != wanted.Port {
			t.Errorf("%s: got service %q, port %d, of instance %q; want %q, %d, %q", what,
				service.ServiceName, service.Port, service.InstanceID, wanted.ServiceName, wanted.Port, instance.ID)
		}
		aliases := slices.Sorted(slices.Values(service.Aliases))
		if !slices.Equal(aliases, slices.Sorted(slices.Values(wanted.Aliases))) {
			t.Errorf("%s: got aliases %q, want %q", what, aliases, wanted.Aliases)
		}
		if service.Protocol != hosting.ProtocolHTTP || service.LoadBalancer == nil || service.LoadBalancer.Strategy != hosting.StrategyRoundRobin {
			t.Errorf("%s: got protocol %q and load balancing %s, want http and round-robin", what, service.Protocol, toJSON(service.LoadBalancer))
		}
		if want := "http://" + net.JoinHostPort(service.Host, strconv.Itoa(service.Port)); service.Host == "" || service.Endpoint != want {
			t.Errorf("%s: got host %q and endpoint %q, want %q", what, service.Host, service.Endpoint, want)
		}
		if service.Status != hosting.ServiceStatusPending && service.Status != hosting.ServiceStatusReady {
			t.Errorf("%s: got status %q, want pending or ready", what, service.Status)
		}
	}
}

func serviceFound(t *testing.T, e *env) {
	id := e.create(t, e.served()).ID
	wanted, shared := e.service(), e.service()
	shared.Aliases = []string{wanted.Aliases[0]}
	first, second := e.register(t, id, wanted), e.register(t, id, shared)
	both := slices.Sorted(slices.Values([]string{first.ServiceID, second.ServiceID}))
	for name, want := range map[string][]string{
		wanted.ServiceName: {first.ServiceID}, wanted.Aliases[1]: {first.ServiceID}, wanted.Aliases[0]: both,
		shared.ServiceName: {second.ServiceID}, e.name(): {},
	} {
		found := e.discover(t, name)
		if !slices.Equal(serviceIDs(found), want) || found == nil {
			t.Errorf("DiscoverService(%s): got %q, want %q, sorted and never nil", name, serviceIDs(found), want)
		}
	}
}

func serviceListed(t *testing.T, e *env) {
	id, other := e.create(t, e.served()).ID, e.create(t, e.served()).ID
	var want []string
	for range 3 {
		want = append(want, e.register(t, id, e.service()).ServiceID)
	}
	slices.Sort(want)
	elsewhere := e.register(t, other, e.service()).ServiceID
	own := read(t, e, "GetServicesByInstance", id, func() ([]hosting.ServiceRegistration, error) { return e.services.GetServicesByInstance(e.ctx, id) })
	if !slices.Equal(serviceIDs(own), want) {
		t.Errorf("GetServicesByInstance(%s): got %q, want %q", id, serviceIDs(own), want)
	}
	all := read(t, e, "ListServices", "", func() ([]hosting.ServiceRegistration, error) { return e.services.ListServices(e.ctx) })
	if !slices.IsSorted(serviceIDs(all)) {
		t.Errorf("ListServices: %q is not sorted", serviceIDs(all))
	}
	for _, service := range append(want, elsewhere) {
		i := slices.Index(serviceIDs(all), service)
		if i < 0 {
			t.Errorf("ListServices: %s is missing in %q", service, serviceIDs(all))
			continue
		}
		wantSameService(t, "ListServices beside GetService", all[i], e.getService(t, service))
	}
}

func serviceAgain(t *testing.T, e *env) {
	id := e.create(t, e.served()).ID
	wanted := e.service()
	first := e.register(t, id, wanted)
	wantSameService(t, "RegisterService again", e.register(t, id, wanted), first)
	slices.Reverse(wanted.Aliases)
	wantSameService(t, "RegisterService with aliases in another order", e.register(t, id, wanted), first)
	wantSameService(t, "RegisterService of what it returned", e.register(t, id, first), first)
}

func serviceTaken(t *testing.T, e *env) {
	id, other := e.create(t, e.served()), e.create(t, e.served())
	wanted := e.service()
	first := e.register(t, id.ID, wanted)
	refused := func(what, instanceID string, service hosting.ServiceRegistration) {
		t.Helper()
		_, err := e.services.RegisterService(e.ctx, instanceID, service)
		e.wantError(t, "RegisterService "+what, err, hosting.ServiceFailed, hosting.AlreadyExists, service.ServiceName)
	}
	refused("for another instance", other.ID, wanted)
	changed := wanted
	changed.Aliases = nil
	refused("with other aliases", id.ID, changed)
	changed = wanted
	changed.LoadBalancer = &hosting.LoadBalancerConfig{Strategy: hosting.StrategyRandom}
	refused("with another strategy", id.ID, changed)
	for _, instance := range []hosting.CloudInstance{id, other} {
		refused("under the name of an instance with ports", id.ID, hosting.ServiceRegistration{ServiceName: instance.Name, Port: 8080})
	}
	wantSameService(t, "GetService after all that", e.getService(t, first.ServiceID), first)

	config := e.served()
	config.InstanceName = first.ServiceName
	_, err := e.tryCreate(t, config)
	e.wantError(t, "CreateInstance with ports under the name of a service", err, hosting.CreateFailed, hosting.AlreadyExists, first.ServiceName)
}

func serviceRace(t *testing.T, e *env) {
	wanted := e.service()
	ids, got := make([]string, 3), make([]hosting.ServiceRegistration, 3)
	for i := range ids {
		ids[i] = e.create(t, e.served()).ID
	}
	errs := together(len(ids), func(i int) (err error) {
		got[i], err = e.services.RegisterService(e.ctx, ids[i], wanted)
		return err
	})
	winners := 0
	for i, err := range errs {
		if err != nil {
			e.wantError(t, "RegisterService that lost", err, hosting.ServiceFailed, hosting.AlreadyExists, wanted.ServiceName)
			continue
		}
		winners++
		wantSameService(t, "GetService after a race", e.getService(t, got[i].ServiceID), got[i])
		if got[i].InstanceID != ids[i] {
			t.Errorf("RegisterService(%s) returned a service of instance %s", ids[i], got[i].InstanceID)
		}
	}
	if winners != 1 {
		t.Errorf("%d of %d RegisterService of one name for different instances at once succeeded, want 1", winners, len(ids))
	}
}

func serviceNames(t *testing.T, e *env) {
	id := e.create(t, e.served()).ID
	long := func() string {
		name := e.name()
		return name + "-" + strings.Repeat("x", hosting.MaxNameLength-len(name)-1)
	}
	for _, name := range []string{long(), "c--" + random(10), "c0-1-" + random(5) + "-9z-2"} {
		alias := long()
		registered := e.register(t, id, hosting.ServiceRegistration{ServiceName: name, Port: 8080, Aliases: []string{alias}})
		for _, by := range []string{name, alias} {
			if found := e.discover(t, by); !slices.Equal(serviceIDs(found), []string{registered.ServiceID}) {
				t.Errorf("DiscoverService(%s): got %q, want %q", by, serviceIDs(found), registered.ServiceID)
			}
		}
	}
}

func serviceBad(t *testing.T, e *env) {
	id := e.create(t, e.served()).ID
	for field, spoil := range map[string]func(*hosting.ServiceRegistration){
		"serviceName":           func(s *hosting.ServiceRegistration) { s.ServiceName = "Not_A_Name" },
		"port":                  func(s *hosting.ServiceRegistration) { s.Port = 8081 }, // not one of the instance
		"protocol":              func(s *hosting.ServiceRegistration) { s.Protocol = "carrier-pigeon" },
		"host":                  func(s *hosting.ServiceRegistration) { s.Host = "a host" },
		"endpoint":              func(s *hosting.ServiceRegistration) { s.Endpoint = "nowhere" },
		"aliases[1]":            func(s *hosting.ServiceRegistration) { s.Aliases[1] = s.Aliases[0] },
		"loadBalancer.strategy": func(s *hosting.ServiceRegistration) { s.LoadBalancer = &hosting.LoadBalancerConfig{Strategy: "best"} },
		"instanceId":            func(s *hosting.ServiceRegistration) { s.InstanceID = e.Region + "." + e.typ + ".somebody-else" },
	} {
		bad := e.service()
		name := bad.ServiceName
		spoil(&bad)
		_, err := e.services.RegisterService(e.ctx, id, bad)
		e.wantError(t, "RegisterService with a bad "+field, err, hosting.ServiceFailed, hosting.InvalidArgument, field)
		if found := e.discover(t, name); len(found) != 0 {
			t.Errorf("RegisterService with a bad %s has registered %s", field, found[0].ServiceID)
		}
	}
	_, err := e.services.DiscoverService(e.ctx, "Not_A_Name")
	e.wantError(t, "DiscoverService of a bad name", err, hosting.ServiceFailed, hosting.InvalidArgument, "Not_A_Name")
}

func serviceUnregistered(t *testing.T, e *env) {
	created := e.create(t, e.served())
	gone, stays := e.register(t, created.ID, e.service()), e.register(t, created.ID, e.service())
	must(t, "UnregisterService", gone.ServiceID, e.services.UnregisterService(e.ctx, gone.ServiceID))
	e.wantNoService(t, "UnregisterService", gone)
	wantSameService(t, "UnregisterService of another", e.getService(t, stays.ServiceID), stays)
	wantUnchanged(t, "UnregisterService", e.get(t, created.ID), created)
	err := e.services.UnregisterService(e.ctx, gone.ServiceID)
	e.wantError(t, "UnregisterService again", err, hosting.ServiceNotFound, hosting.NotFound, gone.ServiceID)
}

func (e *env) wantNoService(t *testing.T, what string, service hosting.ServiceRegistration) {
	t.Helper()
	_, err := e.services.GetService(e.ctx, service.ServiceID)
	e.wantError(t, "GetService after "+what, err, hosting.ServiceNotFound, hosting.NotFound, service.ServiceID)
	if found := e.discover(t, service.ServiceName); len(found) != 0 {
		t.Errorf("DiscoverService after %s: got %q", what, serviceIDs(found))
	}
}

func serviceUnknown(t *testing.T, e *env) {
	instance := e.create(t, e.served())
	for what, id := range map[string]string{
		"an unknown id":         e.Region + ".service." + e.name(),
		"the id of an instance": instance.ID,
		"the name of one":       e.Region + ".service." + instance.Name,
		"another region":        "no-such-region.service." + e.name(),
		"another provider's id": "no-such-provider:" + e.Region + ".service." + e.name(),
	} {
		_, err := e.services.GetService(e.ctx, id)
		e.wantServiceError(t, "GetService of "+what, err, id)
		e.wantServiceError(t, "UnregisterService of "+what, e.services.UnregisterService(e.ctx, id), id)
	}
	_, err := e.services.GetService(e.ctx, "nonsense")
	e.wantError(t, "GetService of what is no id", err, hosting.ServiceFailed, hosting.InvalidArgument, "nonsense")
}

// wantServiceError wants the error of a service that does not exist. One of a
// provider that does not exist may be nobody's.
func (e *env) wantServiceError(t *testing.T, call string, err error, id string) {
	t.Helper()
	if strings.Contains(id, "no-such-provider") {
		if hosting.CodeOf(err) != hosting.ServiceNotFound {
			t.Errorf("%s: got %v, want code %s", call, err, hosting.ServiceNotFound)
		}
		return
	}
	e.wantError(t, call, err, hosting.ServiceNotFound, hosting.NotFound)
}

func serviceOfUnknown(t *testing.T, e *env) {
	id := hosting.ID{Region: e.Region, Type: e.typ, Name: e.name()}.String()
	_, err := e.services.RegisterService(e.ctx, id, e.service())
	e.wantIDError(t, "RegisterService for an unknown instance", id, err, hosting.InstanceNotFound, hosting.NotFound)
	_, err = e.services.GetServicesByInstance(e.ctx, id)
	e.wantIDError(t, "GetServicesByInstance of an unknown instance", id, err, hosting.InstanceNotFound, hosting.NotFound)
}

func serviceCancelled(t *testing.T, e *env) {
	id := e.create(t, e.served()).ID
	service := e.register(t, id, e.service())
	wanted := e.service()
	ended, cancel := context.WithCancel(e.ctx)
	cancel()
	for call, do := range map[string]func() error{
		"RegisterService":       func() error { _, err := e.services.RegisterService(ended, id, wanted); return err },
		"UnregisterService":     func() error { return e.services.UnregisterService(ended, service.ServiceID) },
		"GetService":            func() error { _, err := e.services.GetService(ended, service.ServiceID); return err },
		"GetServicesByInstance": func() error { _, err := e.services.GetServicesByInstance(ended, id); return err },
		"DiscoverService":       func() error { _, err := e.services.DiscoverService(ended, service.ServiceName); return err },
		"ListServices":          func() error { _, err := e.services.ListServices(ended); return err },
	} {
		e.wantError(t, call+" with a cancelled context", do(), hosting.ServiceFailed, hosting.Canceled)
	}
	wantSameService(t, "UnregisterService with a cancelled context", e.getService(t, service.ServiceID), service)
	if found := e.discover(t, wanted.ServiceName); len(found) != 0 {
		t.Errorf("RegisterService with a cancelled context has registered %s", found[0].ServiceID)
	}
}

func serviceGoes(t *testing.T, e *env) {
	id := e.create(t, e.served()).ID
	service := e.register(t, id, e.service())
	must(t, "DeleteInstance", id, e.p.DeleteInstance(e.ctx, id))
	must(t, "waiting for the deletion", id, hosting.WaitForDeletion(e.ctx, e.p, id, hosting.WaitOptions{Interval: e.PollInterval}))
	e.wantNoService(t, "DeleteInstance", service)
}

func serviceStays(t *testing.T, e *env) {
	config := e.served()
	id := e.create(t, config).ID
	service := e.register(t, id, e.service())
	e.apply(t, withEnv(labelled(config, "two"), "two"))
	wantSameService(t, "ApplyInstance", e.getService(t, service.ServiceID), service)
	if e.has(t, hosting.CanRollback) {
		e.rollback(t, id, 0)
		wantSameService(t, "RollbackInstance", e.getService(t, service.ServiceID), service)
	}
}

func serviceAddresses(t *testing.T, e *env) {
	config, replicas := e.replicated(t, Serve, 2)
	config.Container.Ports = []int{8080}
	id := e.create(t, config).ID
	service := e.register(t, id, e.service())
	ready := func(want int) func() error {
		return func() error {
			now := e.getService(t, service.ServiceID)
			hosts := map[string]bool{}
			for _, a := range now.Addresses {
				if a.Ready {
					hosts[a.Host] = true
				}
				if a.Port != 8080 || a.Host == "" {
					t.Errorf("GetService(%s): got address %q, port %d, want a host and port 8080", service.ServiceID, a.Host, a.Port)
				}
			}
			status := hosting.ServiceStatusPending
			if want > 0 {
				status = hosting.ServiceStatusReady
			}
			if len(hosts) != want || now.Status != status {
				return fmt.Errorf("service %s is %s with addresses %s, want %s with %d that are ready", service.ServiceID, now.Status, toJSON(now.Addresses), status, want)
			}
			return nil
		}
	}
	e.await(t, id, hosting.StatusRunning)
	e.eventually(t, "the replicas are ready", ready(replicas))
	must(t, "StopInstance", id, e.p.StopInstance(e.ctx, id))
	e.await(t, id, hosting.StatusStopped)
	e.eventually(t, "no replica is ready", ready(0))
}
