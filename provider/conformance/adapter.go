package conformance

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"skillcenter.io/hosting"
)

// adapterCases are about the extension as a whole.
func adapterCases() []testCase {
	return []testCase{
		once("the extension is available, but not after the end of a context", available),
		once("a part that is not supported says so in every call", partsUnsupported),
		once("results of the extension belong to the caller", extensionResultsCopied),
		once("changing an argument afterwards changes nothing in the extension", extensionArgumentsCopied),
		once("secrets are in no error of the extension", extensionSecrets, hosting.CanSecretEnv),
	}
}

func available(t *testing.T, e *env) {
	e.eventually(t, "IsAvailable is true", func() error {
		began := time.Now()
		if e.adapter.IsAvailable(e.ctx) {
			return nil
		}
		return fmt.Errorf("it was false after %v", time.Since(began))
	})
	ended, cancel := context.WithCancel(e.ctx)
	cancel()
	if e.adapter.IsAvailable(ended) {
		t.Error("IsAvailable is true with a context that has ended")
	}
}

// partsUnsupported calls everything of the parts that there are not.
func partsUnsupported(t *testing.T, e *env) {
	e.capabilities(t)
	instance := e.create(t, e.served()).ID
	id := func(kind string) string { return e.Region + "." + kind + "." + e.name() }
	ofPolicies := e.policyCalls(e.ctx, id("policy"), e.policy(instance))
	ofPolicies["GetAutoScalePolicy"] = func() error { _, err := e.adapter.GetAutoScalePolicy(e.ctx, instance); return err }
	ofPolicies["CreateAutoScalePolicy"] = func() error { _, err := e.tryPolicy(t, e.policy(instance)); return err }
	ofVolumes := e.volumeCalls(e.ctx, id("volume"), instance)
	ofVolumes["CreateVolume"] = func() error { _, err := e.tryVolume(t, e.volume("")); return err }
	service := id("service")
	for _, p := range []struct {
		part
		code  hosting.Code
		list  func() (int, error)
		calls map[string]func() error
	}{
		{policies, hosting.PolicyFailed, func() (int, error) { list, err := e.adapter.ListAutoScalePolicies(e.ctx); return len(list), err }, ofPolicies},
		{storage, hosting.VolumeFailed, func() (int, error) { list, err := e.volumes.ListVolumes(e.ctx); return len(list), err }, ofVolumes},
		{registrations, hosting.ServiceFailed, func() (int, error) { list, err := e.services.ListServices(e.ctx); return len(list), err }, map[string]func() error{
			"RegisterService":       func() error { _, err := e.services.RegisterService(e.ctx, instance, e.service()); return err },
			"UnregisterService":     func() error { return e.services.UnregisterService(e.ctx, service) },
			"GetService":            func() error { _, err := e.services.GetService(e.ctx, service); return err },
			"GetServicesByInstance": func() error { _, err := e.services.GetServicesByInstance(e.ctx, instance); return err },
		}},
	} {
		if e.missing(p.part) == nil {
			continue
		}
		if n, err := p.list(); err == nil && n > 0 || err != nil && hosting.ReasonOf(err) != hosting.Unsupported {
			t.Errorf("the list without %s: got %d of them, %v; want none, or reason %s", p.name, n, err, hosting.Unsupported)
		}
		for call, do := range p.calls {
			e.wantError(t, call+" without "+p.name, do(), p.code, hosting.Unsupported)
		}
	}
}

// extensionResultsCopied overwrites all that it gets, and gets it again.
func extensionResultsCopied(t *testing.T, e *env) {
	id := e.create(t, e.served()).ID
	looks := map[string]func() (any, error){}
	if e.has(t, hosting.CanScale) && e.missing(policies) == nil {
		wanted := e.policy(id)
		policy := e.createPolicy(t, wanted).PolicyID
		looks["UpdateAutoScalePolicy"] = func() (any, error) { return e.adapter.UpdateAutoScalePolicy(e.ctx, policy, wanted) }
		looks["GetAutoScalePolicy"] = func() (any, error) { return e.adapter.GetAutoScalePolicy(e.ctx, id) }
		looks["GetAutoScalePolicyByID"] = func() (any, error) { return e.adapter.GetAutoScalePolicyByID(e.ctx, policy) }
		looks["ListAutoScalePolicies"] = func() (any, error) { return e.adapter.ListAutoScalePolicies(e.ctx) }
	}
	if e.missing(registrations) == nil {
		wanted := e.service()
		wanted.LoadBalancer = &hosting.LoadBalancerConfig{HealthCheckPath: "/healthy"}
		service := e.register(t, id, wanted).ServiceID
		looks["RegisterService"] = func() (any, error) { return e.services.RegisterService(e.ctx, id, roundTrip(wanted)) }
		looks["GetService"] = func() (any, error) { return e.services.GetService(e.ctx, service) }
		looks["DiscoverService"] = func() (any, error) { return e.services.DiscoverService(e.ctx, wanted.ServiceName) }
		looks["ListServices"] = func() (any, error) { return e.services.ListServices(e.ctx) }
		looks["GetServicesByInstance"] = func() (any, error) { return e.services.GetServicesByInstance(e.ctx, id) }
	}
	if e.missing(storage) == nil {
		wanted := e.volume(hosting.ReadWriteMany)
		v := e.createVolume(t, wanted)
		if e.has(t, hosting.CanMountVolumes) {
			e.mount(t, v, id, "/data", false)
		}
		looks["CreateVolume"] = func() (any, error) { return e.volumes.CreateVolume(e.ctx, wanted) }
		looks["GetVolume"] = func() (any, error) { return e.volumes.GetVolume(e.ctx, v.VolumeID) }
		looks["ListVolumes"] = func() (any, error) { return e.volumes.ListVolumes(e.ctx) }
	}
	for name, look := range looks {
		spoil(reflect.ValueOf(read(t, e, name, id, look)))
		for again, look := range looks {
			if fresh := toJSON(read(t, e, again, id, look)); strings.Contains(fresh, overwritten) {
				t.Errorf("%s: what a caller wrote into its result is in that of %s: %s", name, again, fresh)
			}
		}
	}
}

// spoil writes into every text that a result may share with others: what is
// behind a pointer or in a list.
func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			spoil(v.Field(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			spoil(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			spoil(v.Index(i))
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(overwritten)
		}
	}
}

func extensionArgumentsCopied(t *testing.T, e *env) {
	id := e.create(t, e.served()).ID
	if e.has(t, hosting.CanScale) && e.missing(policies) == nil {
		wanted := e.policy(id)
		policy := roundTrip(e.createPolicy(t, wanted))
		wanted.ScaleUpRules[0].Threshold, wanted.ScaleDownRules[0].StepSize = 1, 99
		e.wantPolicy(t, "changing the policy after CreateAutoScalePolicy", policy)
		wanted = e.policy(id)
		updated, err := e.adapter.UpdateAutoScalePolicy(e.ctx, policy.PolicyID, wanted)
		must(t, "UpdateAutoScalePolicy", id, err)
		updated = roundTrip(updated)
		wanted.ScaleUpRules[0].Threshold, wanted.ScaleDownRules[0].StepSize = 1, 99
		e.wantPolicy(t, "changing the policy after UpdateAutoScalePolicy", updated)
	}
	if e.missing(registrations) == nil {
		wanted := e.service()
		wanted.LoadBalancer = &hosting.LoadBalancerConfig{Strategy: hosting.StrategyRandom, HealthCheckPath: "/healthy"}
		service := roundTrip(e.register(t, id, wanted))
		wanted.Aliases[0], wanted.LoadBalancer.Strategy = e.name(), hosting.StrategyRoundRobin
		wantSameService(t, "changing the service after RegisterService", e.getService(t, service.ServiceID), service)
	}
}

// extensionSecrets provokes errors about an instance that has a secret.
func extensionSecrets(t *testing.T, e *env) {
	e.capabilities(t)
	secret := "secret-" + random(20)
	config := e.served()
	config.SecretEnv = hosting.SecretMap{"TOKEN": secret}
	id := e.create(t, config).ID
	failures := map[string]error{}
	_, failures["CreateAutoScalePolicy"] = e.tryPolicy(t, hosting.AutoScalePolicy{InstanceID: id})
	_, failures["GetAutoScalePolicy"] = e.adapter.GetAutoScalePolicy(e.ctx, id)
	_, failures["RegisterService"] = e.services.RegisterService(e.ctx, id, hosting.ServiceRegistration{ServiceName: config.InstanceName, Port: 8080})
	_, failures["RegisterService on another port"] = e.services.RegisterService(e.ctx, id, hosting.ServiceRegistration{ServiceName: e.name(), Port: 9})
	for call, do := range e.volumeCalls(e.ctx, e.Region+".volume."+e.name(), id) {
		failures[call] = do()
	}
	for call, err := range failures {
		if err == nil {
			t.Errorf("%s succeeded, want an error", call)
		} else if strings.Contains(fmt.Sprintf("%v %+v %s", err, err, toJSON(err)), secret) {
			t.Errorf("%s: the secret of instance %s is in its error", call, id)
		}
	}
}
