package conformance

import (
	"fmt"
	"sync"
	"testing"

	"skillcenter.io/hosting"
)

func concurrencyCases() []testCase {
	return []testCase{
		each("identical creates at once make one instance", createTogether),
		each("of different creates at once exactly one wins", createRace),
		once("changes and reads at once end in one consistent state", changesTogether, hosting.CanScale, hosting.CanStop).waiting(),
		each("deletes at once all succeed", deleteTogether),
	}
}

const crowd = 8

// together calls do from several goroutines at once and returns their errors.
func together(n int, do func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = do(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

func createTogether(t *testing.T, e *env) {
	config := e.config(Serve)
	created := make([]hosting.CloudInstance, crowd)
	errs := together(crowd, func(i int) (err error) {
		created[i], err = e.tryCreate(t, clone(config))
		return err
	})
	for i, err := range errs {
		if err != nil {
			t.Errorf("CreateInstance(%s), %d at once with one configuration: %v", config.InstanceName, crowd, err)
			continue
		}
		if errs[0] == nil {
			wantSame(t, fmt.Sprintf("%d CreateInstance at once", crowd), created[i], created[0])
		}
	}
	if listed := e.named(t, config.InstanceName); len(listed) != 1 {
		t.Errorf("ListInstances has %d instances named %s after %d creates at once, want 1", len(listed), config.InstanceName, crowd)
	}
}

func createRace(t *testing.T, e *env) {
	configs := make([]hosting.CloudHostingConfig, crowd)
	base := e.config(Serve)
	for i := range configs {
		configs[i] = clone(base)
		configs[i].Labels = map[string]string{"racer": fmt.Sprint(i)}
	}
	created := make([]hosting.CloudInstance, crowd)
	errs := together(crowd, func(i int) (err error) {
		created[i], err = e.tryCreate(t, configs[i])
		return err
	})
	winners := 0
	for i, err := range errs {
		if err == nil {
			winners++
			wantLabels(t, "CreateInstance that won", created[i], configs[i].Labels)
			wantSame(t, "GetInstance after a race", e.get(t, created[i].ID), created[i])
			continue
		}
		e.wantError(t, fmt.Sprintf("CreateInstance(%s) that lost", base.InstanceName), err, hosting.CreateFailed, hosting.AlreadyExists)
	}
	if winners != 1 {
		t.Errorf("%d of %d different CreateInstance(%s) at once succeeded, want 1", winners, crowd, base.InstanceName)
	}
}

func changesTogether(t *testing.T, e *env) {
	config, _ := e.replicated(t, Serve, 1)
	id := e.create(t, config).ID
	calls := []struct {
		name string
		do   func(i int) error
	}{
		{"ScaleInstance", func(i int) error { return e.p.ScaleInstance(e.ctx, id, 1+i%3) }},
		{"StopInstance", func(int) error { return e.p.StopInstance(e.ctx, id) }},
		{"StartInstance", func(int) error { return e.p.StartInstance(e.ctx, id) }},
		{"GetInstance", func(int) error {
			_, err := retried(e, func() (hosting.CloudInstance, error) { return e.p.GetInstance(e.ctx, id) })
			return err
		}},
		{"ListInstances", func(int) error {
			_, err := retried(e, func() ([]hosting.CloudInstance, error) { return e.p.ListInstances(e.ctx) })
			return err
		}},
		{"HealthCheck", func(int) error {
			_, err := retried(e, func() (hosting.Health, error) { return e.p.HealthCheck(e.ctx, id) })
			return err
		}},
		{"CreateInstance", func(int) error { _, err := e.p.CreateInstance(e.ctx, config); return err }},
	}
	for i, err := range together(4*len(calls), func(i int) error { return calls[i%len(calls)].do(i) }) {
		if err != nil {
			t.Errorf("%s(%s) while others change it: %v", calls[i%len(calls)].name, id, err)
		}
	}
	must(t, "StartInstance", id, e.p.StartInstance(e.ctx, id))
	must(t, "ScaleInstance", id, e.p.ScaleInstance(e.ctx, id, 2))
	e.awaitReplicas(t, id, 2)
	if listed := e.named(t, config.InstanceName); len(listed) != 1 {
		t.Errorf("ListInstances has %d instances named %s, want 1", len(listed), config.InstanceName)
	}
}

func deleteTogether(t *testing.T, e *env) {
	id := e.create(t, e.config(Serve)).ID
	succeeded := 0
	for _, err := range together(crowd, func(int) error { return e.p.DeleteInstance(e.ctx, id) }) {
		wantReason(t, fmt.Sprintf("DeleteInstance(%s), %d at once", id, crowd), err, hosting.NotFound)
		if err == nil {
			succeeded++
		}
	}
	if succeeded == 0 {
		t.Errorf("none of %d DeleteInstance(%s) at once succeeded", crowd, id)
	}
	e.awaitGone(t, id)
}
