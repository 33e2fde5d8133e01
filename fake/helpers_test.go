package fake_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
)

// world is a provider in a bubble of virtual time, which must not leave a
// goroutine behind.
type world struct {
	*testing.T
	*fake.Provider
	ctx context.Context
}

func inBubble(t *testing.T, test func(w world), opts ...fake.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(world{t, fake.New(opts...), t.Context()})
	})
}

// web is a deployment.
func web(replicas int) hosting.CloudHostingConfig {
	return hosting.CloudHostingConfig{
		InstanceName: "web", InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "nginx:1.29", Ports: []int{80}},
		Scaling:   &hosting.ScaleConfig{MinReplicas: replicas},
	}
}

func ofType(instanceType string) hosting.CloudHostingConfig {
	config := web(2)
	config.InstanceType = instanceType
	switch instanceType {
	case hosting.TypeDaemonSet:
		config.Scaling = nil
	case hosting.TypeCronJob:
		config.Scaling, config.Schedule = nil, "*/5 * * * *"
	}
	return config
}

// create creates an instance and returns its id.
func (w world) create(config hosting.CloudHostingConfig) string {
	w.Helper()
	instance, err := w.CreateInstance(w.ctx, config)
	require.NoError(w, err)
	return instance.ID
}

// running creates an instance and waits until it runs.
func (w world) running(config hosting.CloudHostingConfig) string {
	w.Helper()
	id := w.create(config)
	w.wait(id, hosting.StatusRunning)
	return id
}

func (w world) wait(id string, want ...hosting.Status) hosting.CloudInstance {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, time.Hour)
	defer cancel()
	instance, err := hosting.WaitForStatus(ctx, w, id, hosting.WaitOptions{FailureGrace: time.Hour}, want...)
	require.NoError(w, err)
	return instance
}

func (w world) get(id string) hosting.CloudInstance {
	w.Helper()
	instance, err := w.GetInstance(w.ctx, id)
	require.NoError(w, err)
	return instance
}

// at checks the status a time from now.
func (w world) at(d time.Duration, id string, want hosting.Status) hosting.CloudInstance {
	w.Helper()
	time.Sleep(d)
	instance := w.get(id)
	assert.Equal(w, want, instance.Status)
	return instance
}

func (w world) reasons(id string) []string {
	w.Helper()
	events, err := w.GetEvents(w.ctx, id)
	require.NoError(w, err)
	var reasons []string
	for _, event := range events {
		reasons = append(reasons, event.Reason)
	}
	return reasons
}

// failed checks code and reason of an error.
func (w world) failed(err error, code hosting.Code, reason hosting.Reason) {
	w.Helper()
	require.Error(w, err)
	var e *hosting.Error
	require.ErrorAs(w, err, &e)
	assert.Equal(w, code, e.Code, err)
	assert.Equal(w, reason, e.Reason, err)
	assert.Equal(w, w.ProviderName(), e.Provider, err)
}
