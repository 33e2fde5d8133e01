package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"skillcenter.io/hosting"
)

// env is what a case works with.
type env struct {
	Harness
	p   hosting.CloudHostingProvider
	typ string
	ctx context.Context
	set hosting.CapabilitySet

	services hosting.ServiceDiscovery
	volumes  hosting.VolumeManager
	adapter  hosting.HostingExtensionSdkAdapter // in RunExtension, as x
	x        Extension

	made *made // is deleted when the case ends

	skipped string // why the case was
}

// newEnv gives a case a context that ends, so that what a provider never ends
// does not hang the suite.
func newEnv(t *testing.T, h Harness, instanceType string) *env {
	ctx, cancel := context.WithTimeout(t.Context(), 10*h.Timeout)
	t.Cleanup(cancel)
	e := &env{Harness: h, p: h.Provider(t), typ: instanceType, ctx: ctx, made: &made{}}
	t.Cleanup(func() { e.deleteVolumes(t) })
	return e
}

// has tells whether the provider says that it can do c.
func (e *env) has(t *testing.T, c hosting.Capability) bool {
	t.Helper()
	return e.capabilities(t).Has(c)
}

func (e *env) capabilities(t *testing.T) hosting.CapabilitySet {
	t.Helper()
	if e.set == nil {
		set, err := retried(e, func() (hosting.CapabilitySet, error) {
			return hosting.Capabilities(e.ctx, e.p, e.Region, e.typ)
		})
		if err != nil {
			t.Fatalf("Capabilities(%q, %q): %v (a provider must implement hosting.CapabilityReporter)", e.Region, e.typ, err)
		}
		e.set = set
	}
	return e.set
}

// require skips a case whose subject the provider says it does not have.
func (e *env) require(t *testing.T, needs ...hosting.Capability) {
	t.Helper()
	for _, c := range needs {
		if !e.has(t, c) {
			e.skip(t, "%s is not supported for %s: %s", c, e.typ, e.capabilities(t)[c].Note)
		}
	}
}

// skip ends the case as one that does not apply.
func (e *env) skip(t *testing.T, format string, args ...any) {
	t.Helper()
	e.skipped = fmt.Sprintf(format, args...)
	t.SkipNow()
}

// random returns n letters and digits.
func random(n int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	text := make([]byte, n)
	for i := range text {
		text[i] = alphabet[rand.IntN(len(alphabet))]
	}
	return string(text)
}

// name returns an instance name that nobody else uses.
func (e *env) name() string { return e.NamePrefix + "-" + random(10) }

// config returns a configuration with a name of its own.
func (e *env) config(workload Workload) hosting.CloudHostingConfig {
	container := e.Container(workload)
	config := hosting.CloudHostingConfig{
		InstanceName: e.name(),
		Region:       e.Region,
		InstanceType: e.typ,
		Container:    &container,
	}
	if e.typ == hosting.TypeCronJob {
		config.Schedule = "0 0 29 2 *" // so rarely that only RunNow starts a run
	}
	return config
}

// replicated returns a configuration with n replicas, or with one where the
// type does not scale.
func (e *env) replicated(t *testing.T, workload Workload, n int) (hosting.CloudHostingConfig, int) {
	t.Helper()
	config := e.config(workload)
	if !e.has(t, hosting.CanScale) {
		return config, 1
	}
	config.Scaling = &hosting.ScaleConfig{MinReplicas: n}
	return config, n
}

// clone returns a copy of config that shares nothing with it.
func clone(config hosting.CloudHostingConfig) hosting.CloudHostingConfig {
	return roundTrip(config)
}

// tryCreate creates an instance that is deleted when the case ends.
func (e *env) tryCreate(t *testing.T, config hosting.CloudHostingConfig) (hosting.CloudInstance, error) {
	t.Helper()
	instance, err := e.p.CreateInstance(e.ctx, config)
	if err == nil {
		e.deleteLater(t, instance.ID)
	}
	return instance, err
}

// create is tryCreate for a case that cannot go on without the instance.
func (e *env) create(t *testing.T, config hosting.CloudHostingConfig) hosting.CloudInstance {
	t.Helper()
	instance, err := e.tryCreate(t, config)
	if err != nil {
		t.Fatalf("CreateInstance(%s %s): %v", config.InstanceType, config.InstanceName, err)
	}
	return instance
}

// deleteLater deletes an instance when the case ends. What goes wrong then is
// not the subject of the case.
func (e *env) deleteLater(t *testing.T, id string) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), e.Timeout)
		defer cancel()
		if err := e.p.DeleteInstance(ctx, id); err != nil && hosting.ReasonOf(err) != hosting.NotFound {
			t.Logf("cleaning up: DeleteInstance(%s): %v", id, err)
		}
	})
}

// running creates an instance and waits until it runs.
func (e *env) running(t *testing.T, config hosting.CloudHostingConfig) hosting.CloudInstance {
	t.Helper()
	return e.await(t, e.create(t, config).ID, hosting.StatusRunning)
}

// await waits until the instance has one of the statuses.
func (e *env) await(t *testing.T, id string, want ...hosting.Status) hosting.CloudInstance {
	t.Helper()
	return e.awaitSeeing(t, id, nil, want...)
}

// awaitSeeing is await; it calls see with each look.
func (e *env) awaitSeeing(t *testing.T, id string, see func(hosting.CloudInstance), want ...hosting.Status) hosting.CloudInstance {
	t.Helper()
	ctx, cancel := context.WithTimeout(e.ctx, e.Timeout)
	defer cancel()
	options := hosting.WaitOptions{Interval: e.PollInterval, FailureGrace: e.Timeout / 4, OnProgress: see}
	instance, err := hosting.WaitForStatus(ctx, e.p, id, options, want...)
	if err != nil {
		t.Fatalf("instance %s: waiting up to %v for status %v: %v", id, e.Timeout, want, err)
	}
	return instance
}

// awaitReplicas waits until the instance runs with n replicas.
func (e *env) awaitReplicas(t *testing.T, id string, n int) hosting.CloudInstance {
	t.Helper()
	var last hosting.CloudInstance
	e.eventually(t, fmt.Sprintf("instance %s runs with %d replicas", id, n), func() error {
		last = e.get(t, id)
		if last.Status != hosting.StatusRunning || last.Replicas != n {
			return fmt.Errorf("it is %s with %d replicas %v", last.Status, last.Replicas, last.Metadata)
		}
		return nil
	})
	return last
}

// awaitGone waits until the instance no longer exists.
func (e *env) awaitGone(t *testing.T, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(e.ctx, e.Timeout)
	defer cancel()
	if err := hosting.WaitForDeletion(ctx, e.p, id, hosting.WaitOptions{Interval: e.PollInterval}); err != nil {
		t.Fatalf("instance %s: waiting up to %v for its end after DeleteInstance: %v", id, e.Timeout, err)
	}
}

// eventually repeats look until it returns nil. The longer it has waited, the
// more time it leaves between two looks: what takes long is looked at a few
// dozen times, not hundreds, and is seen a tenth of its time too late at most.
func (e *env) eventually(t *testing.T, what string, look func() error) {
	t.Helper()
	began := time.Now()
	deadline := began.Add(e.Timeout)
	for {
		err := look()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, e.Timeout, err)
		}
		time.Sleep(max(e.pause(err), time.Since(began)/10))
	}
}

// pause is how long to wait after err before another look.
func (e *env) pause(err error) time.Duration {
	if failure, ok := errors.AsType[*hosting.Error](err); ok {
		return max(e.PollInterval, failure.RetryAfter)
	}
	return e.PollInterval
}

// isAway tells whether a platform did not answer, which no provider can help:
// the call says nothing about it and is repeated.
func isAway(err error) bool {
	reason := hosting.ReasonOf(err)
	return reason == hosting.Unavailable || reason == hosting.RateLimited
}

// retried repeats a call that only reads while the platform does not answer.
func retried[T any](e *env, read func() (T, error)) (T, error) {
	deadline := time.Now().Add(e.Timeout)
	for {
		result, err := read()
		wait := e.pause(err)
		if !isAway(err) || time.Now().Add(wait).After(deadline) {
			return result, err
		}
		time.Sleep(wait)
	}
}

// read is retried for a call that has to succeed.
func read[T any](t *testing.T, e *env, call, id string, do func() (T, error)) T {
	t.Helper()
	result, err := retried(e, do)
	must(t, call, id, err)
	return result
}

// get returns the instance.
func (e *env) get(t *testing.T, id string) hosting.CloudInstance {
	t.Helper()
	return read(t, e, "GetInstance", id, func() (hosting.CloudInstance, error) { return e.p.GetInstance(e.ctx, id) })
}

// list returns all instances.
func (e *env) list(t *testing.T) []hosting.CloudInstance {
	t.Helper()
	return read(t, e, "ListInstances", "", func() ([]hosting.CloudInstance, error) { return e.p.ListInstances(e.ctx) })
}

// named returns the instances in the list with this name in the region.
func (e *env) named(t *testing.T, name string) []hosting.CloudInstance {
	t.Helper()
	var found []hosting.CloudInstance
	for _, instance := range e.list(t) {
		if instance.Name == name && instance.Region == e.Region {
			found = append(found, instance)
		}
	}
	return found
}

// must fails the case if a call that has to succeed did not.
func must(t *testing.T, call, id string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s(%s): %v", call, id, err)
	}
}
